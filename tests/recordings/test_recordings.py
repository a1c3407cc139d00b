"""Every recording is replayed over HTTP through the real SDKs, without and with touchdown."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.trace import SpanKind

from tests.recordings.exchanges import label, read_exchanges, recorded_files
from tests.recordings.expected import Call, model_calls
from tests.recordings.playing import WAYS, Player, Way, player
from touchdown.records import ModelCall
from touchdown.testing import Capture, capture

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FILES = recorded_files()


@pytest.fixture(scope="module")
def sdks() -> Iterator[Player]:
    with player() as made:
        yield made


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("path", FILES, ids=label)
def test_nothing_changes_and_everything_is_counted(path: Path, way: Way, sdks: Player) -> None:
    recorded = read_exchanges(path)
    without = sdks.play(recorded, way)
    with capture() as seen:
        played = sdks.play(recorded, way)
        calls = seen.calls

    assert played.got == without.got
    assert played.sent == without.sent
    assert [sent[0] for sent in played.sent] == [each.method for each in played.asked]

    expected = model_calls(played.asked)
    assert len(calls) == len(expected)
    for call, wanted in zip(calls, expected, strict=True):
        check_record(call, wanted)
    check_spans(seen, calls)


def check_record(call: ModelCall, wanted: Call) -> None:
    """The record says what the raw JSON says."""
    assert call.api == wanted.api
    assert call.provider == call.vendor == wanted.request.vendor
    assert call.model == wanted.request.body.get("model", "")
    assert call.http_status == wanted.status
    assert call.host == wanted.request.host
    if wanted.status >= 400:
        assert (call.status, call.usage.completeness) == ("error", "none")
        return
    assert (call.status, call.error_type) == ("ok", None)
    assert call.response_model == wanted.answer.get("model", "")
    assert call.response_id == wanted.answer.get("id", "")
    usage = call.usage
    assert {name: getattr(usage, name) for name in wanted.counts} == wanted.counts
    assert (usage.server_tools or {}) == wanted.server_tools
    assert usage.completeness == ("full" if wanted.usage else "none")


def check_spans(seen: Capture, calls: list[ModelCall]) -> None:
    """One CLIENT span for each model call, none for anything else."""
    spans = [span for span in seen.spans if span.kind is SpanKind.CLIENT]
    assert [f"{span.context.span_id:016x}" for span in spans] == [call.span_id for call in calls]
