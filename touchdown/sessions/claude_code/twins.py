"""What lies beside a tool's request and result: a result's structured twin, an agent's description."""

import msgspec

from touchdown.sessions.times import MILLISECOND_NS, SECOND_NS, as_ns


class Outcome(msgspec.Struct, gc=False):
    """What a result's structured twin says beside its content; it differs from tool to tool."""

    agent: str = msgspec.field(default="", name="agentId")
    duration_ms: float | None = msgspec.field(default=None, name="durationMs")
    duration_s: float | None = msgspec.field(default=None, name="durationSeconds")
    total_ms: float | None = msgspec.field(default=None, name="totalDurationMs")

    @property
    def duration_ns(self) -> int | None:
        """How long the tool took."""
        if self.duration_s is not None:
            return as_ns(self.duration_s, SECOND_NS)
        known = self.duration_ms if self.duration_ms is not None else self.total_ms
        return None if known is None else as_ns(known, MILLISECOND_NS)


class _Spawn(msgspec.Struct, gc=False):
    subagent_type: str = ""
    description: str = ""


NO_OUTCOME = Outcome()

_decode_outcome = msgspec.json.Decoder(Outcome).decode
_decode_spawn = msgspec.json.Decoder(_Spawn).decode


def read_outcome(twin: object) -> Outcome:
    """What a twin says, decoded with its line or not; nothing where it is no object, or of another form."""
    if isinstance(twin, Outcome):
        return twin
    if not isinstance(twin, msgspec.Raw):
        return NO_OUTCOME
    try:
        return _decode_outcome(twin)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return NO_OUTCOME


def agent_name(arguments: msgspec.Raw) -> str:
    """The name of the agent that a tool request begins; empty where it tells none."""
    try:
        spawn = _decode_spawn(arguments)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
    return spawn.subagent_type or spawn.description
