"""What is kept of the account of a task so long ago."""

from msgspec.structs import replace

from touchdown.accounting.account import TaskAccount


def sums_only(account: TaskAccount) -> TaskAccount:
    """The account without its agents, tools and findings."""
    return replace(
        account,
        cache=replace(account.cache, misses=()),
        models=(),
        agent_runs=(),
        tools=(),
        findings=(),
        policies={},
        not_observable={"*": "only the sums of a task so long ago are held"},
    )
