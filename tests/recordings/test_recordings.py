"""Every recording is replayed over HTTP through the real SDKs, without and with touchdown."""

import functools
import json
from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import version
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind
from packaging.version import Version

from tests.recordings.cost import asked_directly
from tests.recordings.exchanges import OWN, REAL, Recorded, label, read_exchanges, recorded_files
from tests.recordings.expected import Call, model_calls
from tests.recordings.make_own import SCENES
from tests.recordings.not_replayed import LOWEST, NEWEST, not_askable
from tests.recordings.playing import WAYS, Player, Way, player
from tests.shared_data import shared_data
from touchdown.prices import book
from touchdown.records import CallVerdict, ModelCall
from touchdown.testing import Capture, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FILES = recorded_files()


@pytest.fixture(scope="module")
def sdks() -> Iterator[Player]:
    with player() as made, pytest.MonkeyPatch.context() as patch:
        # Each capture() has a price book of its own: read the data once for all of them.
        patch.setattr(book, "open_installed", functools.cache(book.open_installed))
        yield made


def ways(path: Path) -> tuple[Way, ...]:
    """Sync and async for all; read raw and as lines where that may matter: streams, errors, look-ups."""
    recorded = read_exchanges(path)
    special = any(r.streamed or r.status >= 400 or r.method == "GET" for r in recorded)
    return WAYS if special or path.parent == OWN else WAYS[:2]


CASES = [pytest.param(path, way, id=f"{label(path)}-{way}") for path in FILES for way in ways(path)]


@pytest.mark.parametrize(("path", "way"), CASES)
def test_nothing_changes_and_everything_is_counted(path: Path, way: Way, sdks: Player) -> None:
    recorded = read_exchanges(path)
    without = sdks.play(recorded, way)
    with capture() as seen:
        played = sdks.play(recorded, way)
        calls, verdicts = seen.calls, seen.verdicts

    assert played.got == without.got
    assert played.sent == without.sent
    assert [asked_again(sent) for sent in played.sent] == [as_recorded(r) for r in played.asked]

    expected = model_calls(played.asked)
    assert len(calls) == len(verdicts) == len(expected)
    for call, verdict, wanted in zip(calls, verdicts, expected, strict=True):
        check_record(call, wanted)
        check_cost(call, verdict, wanted)
    check_spans(seen, calls)


def asked_again(sent: tuple) -> tuple:
    """A request as it was sent this time, as far as the recording tells of it."""
    method, path, query, _headers, raw = sent
    body = json.loads(raw) if raw.startswith(b"{") else None
    return method, path, {name: value for name, value in query.items() if name != "beta"}, body


def as_recorded(recorded: Recorded) -> tuple:
    """The same of the recording."""
    query = {name: value for name, value in recorded.query.items() if name != "beta"}
    body = recorded.body if isinstance(recorded.body, dict) else None
    return recorded.method, recorded.path, query, body


def check_record(call: ModelCall, wanted: Call) -> None:
    """The record says what the raw JSON says."""
    assert call.api == wanted.api
    assert call.provider == call.vendor == wanted.request.vendor
    assert call.host == wanted.request.host
    assert call.model == wanted.request.body["model"]
    assert call.http_status == wanted.status
    if wanted.status >= 400:
        assert (call.status, call.usage.completeness) == ("error", "none")
        return
    assert (call.status, call.error_type) == ("ok", None)
    assert call.stream == wanted.request.streamed
    assert call.response_model == wanted.answer.get("model", "")
    assert call.response_id == wanted.answer.get("id", "")
    usage = call.usage
    assert {name: getattr(usage, name) for name in wanted.counts} == wanted.counts
    assert (usage.server_tools or {}) == wanted.server_tools
    assert usage.completeness == ("full" if wanted.usage else "none")


def check_cost(call: ModelCall, verdict: CallVerdict, wanted: Call) -> None:
    """The cost is that of genai-prices, asked directly; unpriced where it lists none."""
    if wanted.status >= 400:
        assert verdict.cost is not None
        assert verdict.cost.total == 0
    elif not wanted.usage:
        assert (verdict.cost, verdict.unpriced) == (None, "usage not reported")
    else:
        cost: Decimal | None = verdict.cost.total if verdict.cost else None
        assert cost == asked_directly(wanted, call.sent_at_ns), verdict.unpriced


def check_spans(seen: Capture, calls: list[ModelCall]) -> None:
    """One CLIENT span for each model call, none for anything else."""
    spans = [span for span in seen.spans if span.kind is SpanKind.CLIENT]
    assert [f"{span.context.span_id:016x}" for span in spans] == [call.span_id for call in calls]


def test_the_real_recordings_are_here() -> None:
    assert len(list(shared_data("recordings").glob("*.json"))) >= 100
    assert len(FILES) == len(SCENES) + len(list(REAL.glob("*.json")))


def test_our_own_are_those_of_the_script() -> None:
    assert {path.stem for path in OWN.glob("*.json")} == set(SCENES)


def test_what_cannot_be_replayed_is_listed(sdks: Player) -> None:
    missing = set()
    for path in FILES:
        missing |= not_askable(sdks.clients, read_exchanges(path))
    installed = Version(version("openai"))
    if installed >= Version("3"):
        assert missing == set(NEWEST)
    elif installed == Version("2.0.0"):
        shared_data("recordings")
        assert missing == set(LOWEST)
    else:
        assert missing <= set(LOWEST)
