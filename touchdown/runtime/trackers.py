"""The context of each agent of the open tasks; used behind the queue only."""

from collections import OrderedDict

from touchdown.context.answers import Answers
from touchdown.context.tracker import ContextTracker
from touchdown.runtime.place import TaskState

MOST_AGENTS = 10_000
"""Contexts that are followed; the agent that was quiet longest begins with a keyframe again."""


class Trackers:
    """One tracker per agent, let go of when its agent or its task ends."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, OrderedDict[str, ContextTracker]] = OrderedDict()
        self._answers: dict[str, Answers] = {}
        self._agents = 0

    def of(self, task: TaskState, agent_id: str) -> ContextTracker:
        """The tracker of an agent of this task."""
        agents = self._tasks.setdefault(task.id, OrderedDict())
        self._tasks.move_to_end(task.id)
        tracker = agents.get(agent_id)
        if tracker is None:
            answers = self._answers.setdefault(task.id, Answers())
            tracker = agents[agent_id] = ContextTracker(task.digest_key, answers)
            self._agents += 1
            if self._agents > MOST_AGENTS:
                self._drop_oldest()
        agents.move_to_end(agent_id)
        return tracker

    def _drop_oldest(self) -> None:
        task_id, agents = next(iter(self._tasks.items()))
        self.forget(task_id, next(iter(agents)))

    def forget(self, task_id: str, agent_id: str | None = None) -> None:
        """An agent ended, or all of a task's."""
        agents = self._tasks.get(task_id, OrderedDict())
        if agent_id is None:
            self._agents -= len(agents)
            agents.clear()
        elif agents.pop(agent_id, None) is not None:
            self._agents -= 1
        if not agents:
            self._tasks.pop(task_id, None)
        if agent_id is None:
            self._answers.pop(task_id, None)
