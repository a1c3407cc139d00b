"""The context of each agent of the open tasks; used behind the queue only."""

from collections import OrderedDict

from touchdown.context.answers import Answers
from touchdown.context.tracker import ContextTracker
from touchdown.runtime.place import TaskState

MOST_AGENTS = 10_000
"""Contexts that are followed; the agent that was quiet longest begins with a keyframe again."""

MOST_CHARS = 100_000_000
"""Characters of all contexts that are kept, and what their pieces take beside them.

A context let go of is digested anew: nothing else is lost.
"""


class Trackers:
    """One tracker per agent, let go of when its agent or its task ends."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, OrderedDict[str, ContextTracker]] = OrderedDict()
        self._answers: dict[str, Answers] = {}
        self._agents = 0
        self._chars: dict[tuple[str, str], int] = {}
        self._all_chars = 0
        self._latest: tuple[tuple[str, str], ContextTracker] | None = None

    def of(self, task: TaskState, agent_id: str) -> ContextTracker:
        """The tracker of an agent of this task."""
        self._weigh_latest()
        task_id = task.id
        agents = self._tasks.get(task_id)
        if agents is None:
            agents = self._tasks[task_id] = OrderedDict()
        self._tasks.move_to_end(task_id)
        tracker = agents.get(agent_id)
        if tracker is None:
            answers = self._answers.setdefault(task_id, Answers())
            tracker = agents[agent_id] = ContextTracker(task.digest_key, answers)
            self._agents += 1
            if self._agents > MOST_AGENTS:
                self._drop_oldest()
        agents.move_to_end(agent_id)
        self._latest = ((task_id, agent_id), tracker)
        return tracker

    def _weigh_latest(self) -> None:
        if self._latest is None:
            return
        key, tracker = self._latest
        self._latest = None
        weight = tracker.weight
        if self._chars.get(key) == weight:
            return
        self._weigh(key, weight)
        while self._all_chars > MOST_CHARS and self._agents:
            self._drop_oldest()

    def _weigh(self, key: tuple[str, str], chars: int) -> None:
        self._all_chars += chars - self._chars.pop(key, 0)
        if chars:
            self._chars[key] = chars

    def _drop_oldest(self) -> None:
        task_id, agents = next(iter(self._tasks.items()))
        self.forget(task_id, next(iter(agents)))

    def forget(self, task_id: str, agent_id: str | None = None) -> None:
        """An agent ended, or all of a task's."""
        agents = self._tasks.get(task_id, OrderedDict())
        for ended in list(agents) if agent_id is None else [agent_id]:
            if agents.pop(ended, None) is not None:
                self._agents -= 1
                self._weigh((task_id, ended), 0)
            if self._latest is not None and self._latest[0] == (task_id, ended):
                self._latest = None
        if not agents:
            self._tasks.pop(task_id, None)
        if agent_id is None:
            self._answers.pop(task_id, None)
