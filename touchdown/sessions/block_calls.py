"""Model calls from prompts that are told as blocks: the context, and what the cache policy says was read."""

from bisect import bisect_left
from collections.abc import Hashable, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from touchdown.records import ContextShape, ModelCall, Segment
from touchdown.records.context import SegmentKind
from touchdown.sessions.cache_policy import CachePolicy, PrefixCache, Prefixes
from touchdown.sessions.history import CHARS_PER_TOKEN, History

PROVIDERS = {"claude": "anthropic", "gpt": "openai", "gemini": "gcp.gemini"}
"""How the names of models begin that one provider's list prices are meant for."""


class BlockPrompt(Struct, frozen=True):
    """One request of a trace. Units: nanoseconds since the epoch; tokens.

    ``tools`` and ``system`` say how many first tokens the tools and the system prompt take.
    """

    id: str
    agent_id: str
    model: str
    sent_ns: int
    duration_ns: int
    blocks: Sequence[Hashable]
    block_tokens: int
    input_tokens: int
    output_tokens: int
    tools: int = 0
    system: int = 0
    first_chunk_ns: int | None = None
    finish_reason: str = ""
    reads_results: bool = False
    """Whether it brings results of tools."""


class _Agent(Struct):
    history: History = field(default_factory=History)
    prefixes: list[int] = field(default_factory=list)


class BlockCalls:
    """Makes the model calls of one session. Prompts come in the order they were sent."""

    def __init__(self, session: str, policy: CachePolicy, prefixes: Prefixes) -> None:
        self._session = session
        self._prefixes = prefixes
        self._cache = PrefixCache(policy)
        self._agents: dict[str, _Agent] = {}
        self._segments: dict[int, Segment] = {}

    def call(self, prompt: BlockPrompt, task_id: str) -> ModelCall:
        """The call that sent this prompt."""
        numbers = self._prefixes.of(prompt.blocks)
        ended_ns = prompt.sent_ns + prompt.duration_ns
        read = self._cache.read(prompt.model, numbers, prompt.sent_ns, ended_ns)
        provider = next((p for name, p in PROVIDERS.items() if prompt.model.startswith(name)), "")
        usage = self._cache.usage(
            provider=provider,
            model=prompt.model,
            read=_tokens(prompt, read),
            cacheable=_tokens(prompt, len(numbers)),
            total=prompt.input_tokens,
            output=prompt.output_tokens,
        )
        return ModelCall(
            id=prompt.id,
            task_id=task_id,
            agent_id=prompt.agent_id,
            api="",
            operation="chat",
            provider=provider,
            vendor=provider,
            sent_at_ns=prompt.sent_ns,
            duration_ns=prompt.duration_ns,
            usage=usage,
            context=replace(
                self._shape(prompt, numbers),
                caching="off" if self._cache.policy == "none" else None,
            ),
            model=prompt.model,
            stream=prompt.first_chunk_ns is not None,
            first_chunk_ns=prompt.first_chunk_ns,
            finish_reasons=(prompt.finish_reason,) if prompt.finish_reason else (),
            conversation=self._session,
        )

    def _shape(self, prompt: BlockPrompt, numbers: list[int]) -> ContextShape:
        agent = self._agents.setdefault(prompt.agent_id, _Agent())
        before, history = agent.prefixes, agent.history
        most = min(len(before), len(numbers))
        kept = bisect_left(range(most), True, key=lambda index: before[index] != numbers[index])
        history.cut(kept)
        for index in range(kept, len(numbers)):
            history.append(self._segment(prompt, index, numbers[index]))
        rest = prompt.input_tokens - _tokens(prompt, len(numbers))
        if rest:
            # No id names what fills no block: it is equal to nothing.
            history.append(Segment("other", rest * CHARS_PER_TOKEN, ""))
        agent.prefixes = numbers
        return history.shape(prompt.id)

    def _segment(self, prompt: BlockPrompt, index: int, number: int) -> Segment:
        known = self._segments.get(number)
        if known is None:
            start, end = _tokens(prompt, index), _tokens(prompt, index + 1)
            chars = (end - start) * CHARS_PER_TOKEN
            kind = _kind(prompt, end)
            known = self._segments[number] = Segment(kind, chars, str(prompt.blocks[index]))
        return known


def _tokens(prompt: BlockPrompt, blocks: int) -> int:
    """Tokens of the first blocks: the last one may not be full."""
    return min(blocks * prompt.block_tokens, prompt.input_tokens)


def _kind(prompt: BlockPrompt, end: int) -> SegmentKind:
    """What a block holds that ends here: the corpora tell sizes of tools and system prompt only."""
    if end <= prompt.tools:
        return "tools"
    return "system" if end <= prompt.tools + prompt.system else "other"
