"""TokenSpeed. Read at its HEAD of 22 August 2026; it does not run without a GPU."""

import ast
import re
from collections.abc import Mapping

from msgspec import Struct

from touchdown.engines.engine import EngineSpan, Figures, Told, as_number, whole_of
from touchdown.engines.exposition import Counter, Exposition
from touchdown.records import EngineTiming

NO_REPORT = "start TokenSpeed with --enable-cache-report"
LOG_ONLY = "only TokenSpeed's log tells it: --enable-log-request-stats, and touchdown collect --log"
STATS = "RequestStats"
LINE = re.compile(r"Req: (\S+) Finish! RequestStats\((.*)\)\s*$")
PAIR = re.compile(r"(\w+)=('(?:[^'\\]|\\.)*'|[^,]+)")


class TokenSpeed(Struct, frozen=True):
    """The one engine that says for each request how long the prefill of others held up its decode."""

    id: str = "tokenspeed"
    title: str = "TokenSpeed"
    metrics_path: str = "/metrics"
    span_signs: frozenset[str] = frozenset({"preempt_ms"})
    steps: frozenset[str] = frozenset()
    ranks: tuple[str, str] = "", ""
    counters: tuple[Counter, ...] = (
        Counter("requests", ("tokenspeed_num_requests_total",)),
        Counter("prompt_tokens", ("tokenspeed_prompt_tokens_total",)),
        Counter("cached_tokens", ("tokenspeed_prefix_cache_hits_total",)),
    )

    def recognises(self, page: Exposition) -> bool:
        """By its prefix."""
        return page.has("tokenspeed_")

    def block_tokens(self, page: Exposition) -> int | None:
        """Where its configuration has labels as vLLM's."""
        return whole_of(page.label("tokenspeed_cache_config_info", "block_size"))

    def fields(
        self, api: str, body: Mapping[str, object], session: str = ""
    ) -> Mapping[str, object]:
        """Nothing."""
        return {}

    def read(self, told: Told) -> EngineTiming:
        """The usage alone."""
        found = Figures(self.id, block_tokens=told.block_tokens)
        found.usage(told.usage, NO_REPORT)
        return found.done(LOG_ONLY)

    def serves(self, span: EngineSpan) -> bool:
        """It makes none: :func:`read_log_line` makes one of a line of its log."""
        return span.name == STATS

    def read_request(self, span: EngineSpan) -> EngineTiming:
        """What that line says. Units: milliseconds, 0 where nothing was noted."""
        found, said = Figures(self.id), span.attributes
        for name, key in (
            ("prompt_tokens", "prompt_tokens"),
            ("cached_tokens", "cache_tokens"),
        ):
            found.count(name, said.get(key), f"{STATS}.{key}")
        if {"prompt_tokens", "cached_tokens"} <= found.values.keys():
            computed = found.values["prompt_tokens"] - found.values["cached_tokens"]
            found.count("computed_tokens", computed, STATS, "derived")
        _times(found, said)
        return found.done("TokenSpeed does not tell it")


class Logged(Struct, frozen=True):
    """A request as a line of a log tells it. Units: seconds since the epoch; ``None``: not told."""

    request_id: str
    began_s: float | None
    ended_s: float | None
    said: Mapping[str, object]


def read_log_line(line: str) -> Logged | None:
    """The statistics of one request; ``None`` for a line of another kind."""
    matched = LINE.search(line)
    if matched is None:
        return None
    said = {name: _literal(value) for name, value in PAIR.findall(matched[2])}
    began, ended = (as_number(said.get(f"{name}_ts")) for name in ("recv", "finish"))
    return Logged(matched[1], began or None, ended or None, said)


def _times(found: Figures, said: Mapping[str, object]) -> None:
    queue, prefill, first, total, stalled = (
        as_number(said.get(f"{name}_ms"))
        for name in ("queue", "prefill", "ttft", "total", "preempt")
    )
    found.milliseconds("queue_ns", queue, "RequestStats.queue_ms")
    found.milliseconds("prefill_beside_ns", stalled, "RequestStats.preempt_ms")
    # It writes 0 for what was never reached.
    found.milliseconds("prefill_ns", prefill or None, "RequestStats.prefill_ms")
    found.milliseconds("total_ns", total or None, "RequestStats.total_ms")
    if first and queue is not None and prefill:
        rest, source = first - queue - prefill, "RequestStats.ttft_ms - queue_ms - prefill_ms"
        found.milliseconds("frontend_ns", max(rest, 0.0), source, "derived")
    if total and first:
        rest, source = total - first, "RequestStats.total_ms - ttft_ms"
        found.milliseconds("decode_ns", max(rest, 0.0), source, "derived")
    found.lacks("the request did not come so far", "prefill_ns", "decode_ns", "total_ns")


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError):
        return None
