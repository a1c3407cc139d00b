"""A process below `touchdown run`: its own agent in a task that another process opened."""

from touchdown.records import AgentRun, TaskRecord
from touchdown.runtime.joined import Joined
from touchdown.runtime.place import TaskState

TASK = TaskRecord("task-1", "python agent.py", 1)


def joined_to_task(*, first: bool) -> Joined:
    return Joined(TaskState(TASK, TASK.id, b"key"), first=first)


def test_the_first_process_is_the_tasks_first_agent() -> None:
    told: list[AgentRun] = []
    joined = joined_to_task(first=True)
    assert joined.place(told.append).agent_id == TASK.id
    assert (told, joined.ended()) == ([], None)


def test_every_other_one_is_told_of_when_it_begins_and_when_it_ends() -> None:
    told: list[AgentRun] = []
    joined = joined_to_task(first=False)
    here = joined.place(told.append)
    assert joined.place(told.append) is here
    ended = joined.ended()
    assert ended is not None
    assert [run.id for run in told] == [ended.id] == [here.agent_id]
    assert ended.parent_id == TASK.id != ended.id
    assert ended.duration_ns > told[0].duration_ns == 0
    assert joined.ended() is None


def test_one_that_called_nothing_is_no_agent() -> None:
    assert joined_to_task(first=False).ended() is None


def test_a_forked_child_is_another_agent() -> None:
    joined = joined_to_task(first=True)
    joined.place(lambda run: None)
    told: list[AgentRun] = []
    joined.after_fork()
    assert joined.place(told.append).agent_id != TASK.id
    assert len(told) == 1
