"""``touchdown demo``: an agent fixes a bug, pays a few taxes on purpose, and its receipt names them."""

import argparse
import importlib.util
import shutil
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import touchdown
from touchdown.accounting.account import TaskAccount
from touchdown.report import show
from touchdown.report.format import usd
from touchdown.testing import Provider

GOAL = "A customer with a 10 % discount pays 81 % of the price. Find the fault and mend it."
MISSING = 'touchdown demo needs both SDKs: pip install -e ".[demo]"'


def main(argv: list[str]) -> int:
    """Run the demo; 0 when the bug is fixed and every account adds up."""
    options = _parser().parse_args(argv)
    if any(importlib.util.find_spec(name) is None for name in ("openai", "anthropic")):
        print(MISSING, file=sys.stderr)
        return 1
    touchdown.instrument(journal=options.journal)
    folder = Path(tempfile.mkdtemp(prefix="touchdown-demo-"))
    try:
        written, fixed = _run(folder / "as-written", mended=False)
        mended, fixed_again = _run(folder / "mended", mended=True)
        exact = all(_adds_up(task.totals) for task in (written, mended))
        if options.json:
            print(touchdown.summary().report().model_dump_json(indent=2))
        else:
            _show(written, mended, fixed and fixed_again, exact)
    finally:
        touchdown.flush()
        if options.keep:
            print(f"the repositories are in {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return 0 if fixed and fixed_again and exact else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="touchdown demo", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="print the report, and nothing else, on stdout"
    )
    parser.add_argument(
        "--keep", action="store_true", help="keep the repositories and say where they are"
    )
    parser.add_argument("--journal", metavar="PATH", help="write every record to this file")
    return parser


def _run(root: Path, *, mended: bool) -> tuple[touchdown.Task, bool]:
    """One run of the agent on a fresh repository: its task, and whether the suite passes now."""
    from touchdown.cli.coding_agent.agent import Agent, progress
    from touchdown.cli.coding_agent.decisions import Decisions

    progress(f"fix the discount, {'with the findings mended' if mended else 'as written'}")
    with Provider(Decisions(mended=mended)) as provider:
        agent = Agent(root, *_clients(provider), mended, lambda text: progress(f"  {text}"))
        name = "fix the discount (mended)" if mended else "fix the discount"
        with touchdown.task(name) as task:
            fixed = agent.solve(GOAL)
            task.useful() if fixed else task.useless("the tests still fail")
    return task, fixed


def _clients(provider: Provider) -> tuple[Any, Any]:
    """Both SDKs' clients, on the loopback provider; the user's own keys are not looked at."""
    import anthropic
    import openai

    return (
        anthropic.Anthropic(base_url=provider.url, api_key="none"),
        openai.OpenAI(base_url=provider.openai_url, api_key="none"),
    )


def _adds_up(account: TaskAccount) -> bool:
    money = account.money
    return (
        money.work_usd + sum(money.taxes.values(), Decimal(0)) + money.unexplained_usd
        == money.total_usd
    )


def _show(written: touchdown.Task, mended: touchdown.Task, fixed: bool, exact: bool) -> None:
    show(written.receipt())
    before, after = written.totals.money.total_usd, mended.totals.money.total_usd
    promised = sum((f.saves_usd or Decimal(0) for f in written.totals.findings), Decimal(0))
    saved = before - after
    print("\nwhat could have been saved")
    print(f"  the findings above promise   {usd(promised)}")
    print(f"  the same task, mended, cost  {usd(after)} instead of {usd(before)}")
    print(f"  measured saving              {usd(saved)} ({saved / before:.0%})")
    print()
    show(touchdown.summary())
    print()
    print("the bug is fixed, and its test passes" if fixed else "the bug is NOT fixed")
    print(
        f"work + taxes + unexplained = total, {'exactly' if exact else 'NOT exactly'}, in both tasks"
    )
    print("real: both SDKs, HTTP, the tools, the repository, its tests")
    print("scripted: what the model decides, by a provider on the loopback interface that")
    print("counts tokens and keeps the published cache rules")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
