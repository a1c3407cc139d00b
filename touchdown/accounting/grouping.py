"""Grouping: records of many tasks, by the root task whose ledger they belong to."""

from collections import defaultdict
from collections.abc import Iterable

from touchdown.records import TaskRecord, Told


def by_root_task(told: Iterable[Told]) -> dict[str, list[Told]]:
    """Root task to everything told of it and of the tasks inside it, in the order in which it came.

    A task inside one that nothing is told of is a root itself.
    """
    everything = list(told)
    parents = {one.id: one.parent_id for one in everything if isinstance(one, TaskRecord)}
    groups: defaultdict[str, list[Told]] = defaultdict(list)
    for one in everything:
        groups[_root(one.task_id, parents)].append(one)
    return dict(groups)


def _root(task_id: str, parents: dict[str, str]) -> str:
    seen = {task_id}
    while (around := parents.get(task_id, "")) in parents and around not in seen:
        seen.add(around)
        task_id = around
    return task_id
