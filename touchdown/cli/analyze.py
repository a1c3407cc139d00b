"""`touchdown analyze`: recorded sessions, each bill split, without a line of code and without a key."""

import argparse
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from touchdown.records.task import Outcome
from touchdown.report import show
from touchdown.report.analysis import Analysis, AnalysisView
from touchdown.sessions.cache_policy import CACHE_POLICIES, DEFAULT_POLICY
from touchdown.sessions.discovery import find_sources, possible_places, standard_places
from touchdown.sessions.gathering import Gathered
from touchdown.sessions.outcomes import OutcomeError, by_name, read_outcomes
from touchdown.sessions.pool import analyse_all
from touchdown.sessions.question import Question
from touchdown.sessions.source import Problems, Source
from touchdown.sessions.views import IN_ORDER_OF_TIME, VIEWS, moment

NOTHING_READ = 1
MISUSED = 2
MOST_PROBLEMS = 20
MIB = 1024 * 1024

EPILOG = """\
Sessions are recognised by their content; docs/new-source.md lists the kinds.
Without a PATH the standard places of Claude Code, Codex and Gemini CLI are searched.
Dates are whole days of the time zone; the day of --until is included.
Nothing leaves this machine.
"""


def main(argv: list[str]) -> int:
    """Run ``touchdown analyze``. Returns the exit code: 0, 1 (nothing could be read), 2 (wrong usage)."""
    args = _parser().parse_args(argv)
    try:
        rows = [row for path in args.outcomes for row in read_outcomes(path)]
    except OutcomeError as error:
        return _refuse(str(error), MISUSED)
    paths = args.paths or [str(place) for place in standard_places(os.environ)]
    if not paths and not rows:
        looked = ", ".join(_short(str(place)) for place in possible_places(os.environ))
        why = f"no PATH given, and no sessions in the standard places: {looked}"
        return _refuse(why, NOTHING_READ)
    problems = Problems()
    sources = find_sources(paths, problems)
    question = _question(args, by_name(rows), alone=len(sources) == 1)
    gathered = _gather(sources, question)
    if len(gathered.accounts) == 1 and question.detail != "all":
        # The others were not to be read, or not asked for: the receipt of the only one shows all.
        gathered = _gather(sources, replace(question, alone=True))
    gathered.problems[:0] = problems
    gathered.settle(rows)
    _tell(gathered)
    if not gathered.accounts:
        places = ", ".join(map(_short, paths))
        why = ASKED_FOR_NONE if gathered.sessions else f"no session was found in {places}"
        print(f"touchdown analyze: {why}", file=sys.stderr)
    view = AnalysisView(_analysis(args, gathered, paths))
    if args.json:
        print(view.report().model_dump_json(by_alias=True, indent=2))
    elif gathered.accounts:
        show(view)
    return 0 if gathered.sessions or rows else NOTHING_READ


def _gather(sources: Sequence[Source], question: Question) -> Gathered:
    gathered = Gathered(question)
    with _Progress(sources) as progress:
        for answered in analyse_all(sources, question):
            gathered.take(answered)
            progress.step(answered.size)
    return gathered


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="touchdown analyze",
        description="Split the bill of recorded agent sessions into work and named taxes.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("paths", nargs="*", metavar="PATH", help="files, folders or globs")
    add("--by", choices=VIEWS, default="session", help="the rows of the table (default: session)")
    add("--timezone", type=_zone, metavar="ZONE", help="e.g. Europe/Berlin or UTC (default: local)")
    add("--since", type=_day, metavar="DATE", help="only calls from that day or moment on")
    add("--until", type=_day, metavar="DATE", help="only calls until that day or moment")
    add(
        "--model",
        action="append",
        default=[],
        help="only models with this in their name, in any case",
    )
    add("--outcomes", action="append", default=[], metavar="FILE", help=_OUTCOMES_HELP)
    add("--cache-policy", choices=CACHE_POLICIES, default=DEFAULT_POLICY, help=_POLICY_HELP)
    add("--limit", type=int, default=20, metavar="N", help="rows of the table; 0 for all")
    add("--json", action="store_true", help="print the report as JSON")
    return parser


_POLICY_HELP = (
    f"for traces without cache figures: how long blocks are kept (default: {DEFAULT_POLICY})"
)
_OUTCOMES_HELP = "JSON of {id: {resolved, cost}}: which sessions were useful"


ASKED_FOR_NONE = "no model call is asked for by these filters"
NO_TURN_JUDGED = (
    "outcomes are of sessions: a turn is judged only where the file names it, as SESSION#NUMBER"
)


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return timezone.utc
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise argparse.ArgumentTypeError(f"{name!r} is no time zone known here") from None


def _day(text: str) -> date:
    """A whole day, also without its hyphens as other tools take it, or a moment in it."""
    try:
        if re.fullmatch(r"\d{8}", text):
            return datetime.strptime(text, "%Y%m%d").date()
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text)
        if not re.match(r"\d{4}-\d\d-\d\d[T ]", text):
            raise ValueError(text)
        return datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date like 2026-08-21") from None


def _question(args: argparse.Namespace, outcomes: Mapping[str, Outcome], alone: bool) -> Question:
    return Question(
        view=args.by,
        zone=args.timezone,
        since_ns=_begin_ns(args.since, args.timezone),
        until_ns=_end_ns(args.until, args.timezone),
        models=tuple(args.model),
        outcomes=outcomes,
        details=args.json,
        alone=alone,
        cache_policy=args.cache_policy,
    )


def _begin_ns(day: date | None, zone: tzinfo | None) -> int | None:
    if day is None:
        return None
    at = day if isinstance(day, datetime) else datetime.combine(day, time())
    try:
        at = at if at.tzinfo else at.replace(tzinfo=zone) if zone else at.astimezone()
        return int(at.timestamp()) * 10**9
    except (OverflowError, ValueError):
        return None  # the first and the last days of the calendar: no limit


def _end_ns(day: date | None, zone: tzinfo | None) -> int | None:
    if day is None or isinstance(day, datetime):
        return _begin_ns(day, zone)
    return None if day == date.max else _begin_ns(day + timedelta(days=1), zone)


def _analysis(args: argparse.Namespace, gathered: Gathered, paths: Sequence[str]) -> Analysis:
    return Analysis(
        accounts=gathered.accounts,
        view=args.by,
        groups=tuple(gathered.groups.values()),
        sizes=gathered.sizes,
        comparisons=gathered.comparisons,
        sources=[_short(path) for path in paths],
        notes=_notes(args, gathered),
        problems=[str(problem) for problem in gathered.problems],
        period=_period(gathered, args.timezone),
        in_order=args.by in IN_ORDER_OF_TIME,
        most_rows=args.limit if args.limit > 0 else sys.maxsize,
    )


def _notes(args: argparse.Namespace, gathered: Gathered) -> list[str]:
    own = [NO_TURN_JUDGED] if args.outcomes and args.by == "turn" else []
    return own + [f"{note} ({n} sessions)" if n > 1 else note for note, n in gathered.notes.items()]


def _period(gathered: Gathered, zone: tzinfo | None) -> str:
    if gathered.first_ns is None or gathered.last_ns is None:
        return ""
    sent = (gathered.first_ns, gathered.last_ns)
    first, last = (moment(at, zone).strftime("%Y-%m-%d") for at in sent)
    return first if first == last else f"{first} to {last}"


def _short(path: str) -> str:
    home = str(Path.home())
    return f"~{path[len(home) :]}" if path.startswith(home + os.sep) else path


def _tell(gathered: Gathered) -> None:
    for problem in gathered.problems[:MOST_PROBLEMS]:
        print(f"touchdown analyze: {problem}", file=sys.stderr)
    left = len(gathered.problems) - MOST_PROBLEMS
    if left > 0:
        print(f"touchdown analyze: and {left:,} more; --json lists them all", file=sys.stderr)


def _refuse(message: str, code: int) -> int:
    print(f"touchdown analyze: {message}", file=sys.stderr)
    return code


class _Progress:
    """How far the reading is: one line on a terminal's standard error, nothing elsewhere."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._total = sum(source.size for source in sources)
        self._done = 0
        self._shown = sys.stderr is not None and sys.stderr.isatty() and self._total > 4 * MIB

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def step(self, size: int) -> None:
        self._done += size
        if self._shown:
            share = self._done * 100 // max(self._total, 1)
            told = f"\rreading: {share}% of {self._total // MIB:,} MiB"
            print(told, end="", file=sys.stderr, flush=True)
