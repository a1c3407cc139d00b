"""Many sources: on all cores where it is worth it, in order, each model call counted once."""

import gc
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence, Set
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from msgspec.structs import replace

from touchdown.prices.book import PriceBook
from touchdown.sessions.analysis import analyse
from touchdown.sessions.question import Answered, Question
from touchdown.sessions.source import Source

WORTH_BYTES = 8 * 1024 * 1024
"""Smaller inputs are read by this process alone: starting others takes longer."""

AHEAD = 4
"""Sources handed to each worker before their results are taken."""

LARGE_PARTS = 8
"""A source larger than this part of one core's work is begun before the others."""

_prices: PriceBook | None = None


def analyse_all(
    sources: Sequence[Source], question: Question, workers: int | None = None
) -> Iterator[Answered]:
    """What every source answers, in their order. A call that lay in an earlier one is counted there."""
    counted: set[int] = set()
    for source, answered in zip(sources, _each(sources, question, workers), strict=True):
        ids = frozenset[int]().union(*(answer.calls for answer in answered.answers))
        again = counted & ids
        if again:
            answered = _again(source, question, again)
        counted |= ids
        # Held by the caller from here on: the numbers have served.
        yield replace(
            answered, answers=tuple(replace(a, calls=frozenset()) for a in answered.answers)
        )


def _each(sources: Sequence[Source], question: Question, workers: int | None) -> Iterator[Answered]:
    cores = workers if workers is not None else _cores()
    small = workers is None and sum(source.size for source in sources) < WORTH_BYTES
    if cores < 2 or len(sources) < 2 or small:
        for source in sources:
            yield _work(source, question)
        return
    _book()  # before the workers start, so that they share it
    pool = ProcessPoolExecutor(cores, _context(), initializer=_leave_interrupts_to_the_parent)
    try:
        large = _large(sources, cores)
        begun = {source: _submitted(pool, source, question) for source in large}
        waiting: deque[tuple[Source, Future[Answered] | None]] = deque()
        for source in sources:
            if len(waiting) >= cores * AHEAD:
                yield _result(*waiting.popleft(), question)
            future = begun.pop(source) if source in begun else _submitted(pool, source, question)
            waiting.append((source, future))
        while waiting:
            yield _result(*waiting.popleft(), question)
    finally:
        pool.shutdown(cancel_futures=True)


def _large(sources: Sequence[Source], cores: int) -> list[Source]:
    """The sources that would keep one core busy after the others are done: begun first, largest first."""
    share = sum(source.size for source in sources) // (cores * LARGE_PARTS)
    found = [source for source in sources if source.size > share]
    return sorted(found, key=lambda source: -source.size)


def _submitted(
    pool: ProcessPoolExecutor, source: Source, question: Question
) -> Future[Answered] | None:
    try:
        return pool.submit(_work, source, question)
    except BrokenProcessPool:
        return None


def _result(source: Source, future: Future[Answered] | None, question: Question) -> Answered:
    """A worker's answer. Where the system ended the workers, this process goes on alone."""
    try:
        if future is not None:
            return future.result()
    except BrokenProcessPool:
        pass
    return _work(source, question)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _work(source: Source, question: Question) -> Answered:
    with _collector_at_rest():
        return analyse(source, question, _book())


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Nothing of a source can go before its end: to look for garbage meanwhile took a tenth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
            gc.collect(0)


def _again(source: Source, question: Question, counted: Set[int]) -> Answered:
    return analyse(source, question, _book(), counted)


def _book() -> PriceBook:
    global _prices
    if _prices is None:
        _prices = PriceBook.configured()
        _prices.version  # noqa: B018 - opens the book
    return _prices


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def _context() -> multiprocessing.context.BaseContext:
    """Forked workers share the price book; elsewhere each opens its own."""
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("fork" if "fork" in methods else "spawn")
