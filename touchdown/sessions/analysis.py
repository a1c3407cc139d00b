"""The analysis of one source: read, folded, and stated as it was asked for."""

from collections.abc import Iterator, Set
from pathlib import Path

from msgspec.structs import replace

from touchdown.accounting.account import CacheTotals, Comparison, TaskAccount
from touchdown.accounting.ledger import Ledger, refold
from touchdown.prices.rates import Prices
from touchdown.records import ModelCall, TaskRecord
from touchdown.sessions.copies import fingerprint, without_copies
from touchdown.sessions.question import NOT_GROUPED, Answer, Answered, Question
from touchdown.sessions.readers import BY_NAME
from touchdown.sessions.reconcile import compare
from touchdown.sessions.source import Problems, Reported, Session, Source

MOST_FINDINGS = 20
"""Of a session's findings so many are kept where no full report is asked for."""


def analyse(
    source: Source, question: Question, prices: Prices, counted: Set[int] = frozenset()
) -> Answered:
    """What the sessions of one source answer. Calls that are ``counted`` already count nothing here.

    Nothing is raised: what goes wrong with one source is a problem of that source alone.
    """
    problems = Problems()
    answers: list[Answer] = []
    source = replace(source, cache_policy=question.cache_policy)
    try:
        for session in BY_NAME[source.reader].read(source, problems):
            answers.append(_answer(session, question, prices, counted))
    except Exception as error:  # a reader that breaks must not take the other sources with it
        problems.add(source.paths[0], f"cannot be analysed ({type(error).__name__}: {error})")
    return Answered(tuple(answers), tuple(problems), source.size)


def _answer(session: Session, question: Question, prices: Prices, counted: Set[int]) -> Answer:
    records = list(session.records)
    known = (fingerprint(r) for r in records if isinstance(r, ModelCall))
    calls = frozenset(number for number in known if number is not None)
    copies = len(counted & calls)
    if copies:
        records = list(without_copies(records, counted))
    sent = [r.sent_at_ns for r in records if isinstance(r, ModelCall) and question.wants(r)]
    ledger = refold(records, prices)
    name = _outcome_name(session, question)
    accounts = [_judged(a, name, question) for a in _accounts(ledger, session, question)]
    named = {name, *(account.task.id for account in accounts)}
    return Answer(
        session=session.id,
        source=session.source,
        path=session.path,
        project=session.project,
        accounts=tuple(_light(account, question) for account in accounts),
        groups={} if question.view in NOT_GROUPED else _groups(ledger, question),
        comparison=_comparison(ledger, session, question, copies),
        notes=session.notes,
        judged_by=frozenset(named & question.outcomes.keys()),
        calls=calls,
        first_ns=min(sent, default=None),
        last_ns=max(sent, default=None),
    )


def _accounts(ledger: Ledger, session: Session, question: Question) -> Iterator[TaskAccount]:
    if question.view == "turn":
        found = ledger.parts(question.group(), question.detail)
    elif question.is_filtered:
        found = ledger.parts(
            lambda call: session.id if question.wants(call) else None, question.detail
        )
    else:
        account = ledger.account(detail=question.detail)
        found = {session.id: _with_reported(account, session.reported)}
    for name, account in found.items():
        if not account.task.name or (question.view == "turn" and account.task.id != name):
            # The source does not tell of this task.
            task = replace(account.task, id=name, name=session.name or session.id)
            account = replace(account, task=task)
        yield account


def _with_reported(account: TaskAccount, reported: Reported | None) -> TaskAccount:
    if reported is None:
        return account
    return replace(account, money=replace(account.money, reported_usd=reported.usd))


def _comparison(
    ledger: Ledger, session: Session, question: Question, copies: int
) -> Comparison | None:
    if session.reported is None or question.is_filtered:
        return None
    return compare(session.id, session.reported, ledger.account(detail="sums"), copies)


def _outcome_name(session: Session, question: Question) -> str:
    """The name of the session under which an outcome was given: its id, its file's or its folder's."""
    path = Path(session.path)
    names = (session.id, path.stem, path.parent.name)
    return next((name for name in names if name in question.outcomes), "")


def _judged(account: TaskAccount, name: str, question: Question) -> TaskAccount:
    """The account with its outcome. What a session came to says nothing of one of its turns."""
    if account.task.id in question.outcomes:
        name = account.task.id
    elif not name or question.view == "turn":
        return account
    return replace(account, task=replace(account.task, outcome=question.outcomes[name]))


def _groups(ledger: Ledger, question: Question) -> dict[str, TaskAccount]:
    parts = ledger.parts(question.group(), "sums")
    return {name: _bare(account, name) for name, account in parts.items()}


def _bare(account: TaskAccount, name: str) -> TaskAccount:
    """Only what is summed over sessions, under the group's name."""
    task = TaskRecord(name, name, account.task.started_at_ns)
    return replace(_without_misses(account), task=task, agent_runs=(), tools=(), findings=())


def _light(account: TaskAccount, question: Question) -> TaskAccount:
    if question.details:
        return account
    return replace(_without_misses(account), findings=account.findings[:MOST_FINDINGS])


def _without_misses(account: TaskAccount) -> TaskAccount:
    cache = account.cache
    return replace(account, cache=CacheTotals(cache.reusable, cache.read, cache.missed))
