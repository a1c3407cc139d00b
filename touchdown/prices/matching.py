"""Which model of the price book an id names, and which of its providers a host belongs to.

How genai-prices 0.2 matches, read from its source: a provider by ``re.match(api_pattern, url)``, which is
open at the end (``https://api.openai.com.example`` is OpenAI to it); a provider's name by ``contains`` for
many (``my-openai-proxy`` is OpenAI to it); a model by the first entry of the provider whose clause holds,
lower case, where a clause is ``equals``, ``starts_with``, ``ends_with``, ``contains``, ``regex`` or an
and/or of those; then with a compact date rewritten (``-20251211`` as ``-2025-12-11``); then in the
provider's ``fallback_model_providers``. Without a provider it goes by the model's name alone, across
vendors. So ``claude-opus-4-10`` is Opus 4.1 to it, and ``MiniMax-M2.1-highspeed`` any id containing that.

Here: a host must match to its end; a prefix must not end inside a number; across vendors and at hosts the
book does not know, only an exact listing counts (an id the book spells out, or its dated snapshot).
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

BOOK_IDS = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "moonshot_ai": "moonshotai",
    "x_ai": "x-ai",
}
"""Provider names of the OpenTelemetry conventions to the book's ids, where they differ."""

CLOUDS = frozenset(
    {"aws", "aws.bedrock", "azure", "azure.ai.inference", "azure.ai.openai", "gcp.vertex_ai"}
)
"""Providers that sell other vendors' models under a client class of their own."""

_SNAPSHOT = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest)$")
_COMPACT_DATE = re.compile(r"-(20\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])$")
_ENDS_IN_YEAR = re.compile(r"-20\d\d$")


def provider_named(name: str, providers: Sequence["Provider"]) -> "Provider | None":
    """The provider of exactly this name or convention's name."""
    wanted = BOOK_IDS.get(name.lower(), name.lower())
    return next((provider for provider in providers if provider.id == wanted), None)


def provider_at(host: str, providers: Sequence["Provider"]) -> "Provider | None":
    """The provider whose API is served at this host; ``None`` where the host alone does not tell."""
    if not host:
        return None
    url = f"https://{host.lower()}/"
    for provider in providers:
        match = re.match(provider.api_pattern, url)
        if match is not None and _to_the_end(provider.api_pattern, url[match.end() :]):
            return provider
    return None


def _to_the_end(pattern: str, rest: str) -> bool:
    if pattern.endswith("\\."):
        return "." not in rest
    return rest in ("", "/")


def find_model(
    provider: "Provider", ref: str, providers: Sequence["Provider"]
) -> "tuple[Provider, ModelInfo] | None":
    """The entry for ``ref`` at this provider, by its own clauses; then exactly, at those it resells."""
    for candidate in _spellings(ref):
        for model in provider.models:
            if _matches(model.match, candidate):
                return provider, model
    for name in provider.fallback_model_providers or ():
        other = provider_named(name, providers)
        model_there = find_exact(other, ref) if other is not None else None
        if other is not None and model_there is not None:
            return other, model_there
    return None


def find_exact(provider: "Provider", ref: str) -> "ModelInfo | None":
    """The entry that lists exactly this id or the dated snapshot of an id it lists."""
    for candidate in _spellings(ref):
        for model in provider.models:
            if _lists(model, candidate):
                return model
    return None


def listed_ids(provider: "Provider") -> list[str]:
    """Every id this provider's entries spell out, each entry's own id first."""
    seen: dict[str, None] = {}
    for model in provider.models:
        seen.setdefault(model.id)
        for kind, text in _leaves(model.match):
            if kind == "equals":
                seen.setdefault(text)
    return list(seen)


def _spellings(ref: str) -> tuple[str, ...]:
    lower = ref.lower()
    dashed = _COMPACT_DATE.sub(r"-\1-\2-\3", lower)
    return (lower,) if dashed == lower else (lower, dashed)


def _lists(model: "ModelInfo", ref: str) -> bool:
    if model.id.lower() == ref:
        return True
    if not _matches(model.match, ref):
        return False
    names = {ref, _SNAPSHOT.sub("", ref)}
    if model.id.lower() in names:
        return True
    for kind, text in _leaves(model.match):
        if kind in ("equals", "starts_with") and text.lower() in names:
            return True
        if kind == "regex" and _is_closed(text) and re.search(text, ref):
            return True
    return False


def _is_closed(pattern: str) -> bool:
    """Whether a regular expression spells the whole id and leaves nothing open in it."""
    return pattern[:1] == "^" and pattern[-1:] == "$" and not re.search(r"\.[*+]", pattern)


def _matches(clause: object, ref: str) -> bool:
    if isinstance(parts := getattr(clause, "or_", None), list):
        return any(_matches(part, ref) for part in parts)
    if isinstance(parts := getattr(clause, "and_", None), list):
        return all(_matches(part, ref) for part in parts)
    is_match = getattr(clause, "is_match", None)
    if is_match is None or not is_match(ref):
        return False
    for kind in ("starts_with", "contains"):
        if isinstance(text := getattr(clause, kind, None), str):
            return not _cuts_a_number(text.lower(), ref)
    return True


def _cuts_a_number(text: str, ref: str) -> bool:
    rest = ref[ref.index(text) + len(text) :]
    if not (text[-1:].isdigit() and rest[:1].isdigit()):
        return False
    return _ENDS_IN_YEAR.search(text) is None


def _leaves(clause: object) -> Iterator[tuple[str, str]]:
    """The single clauses of an "or" and their texts; an "and" names no id."""
    if isinstance(parts := getattr(clause, "or_", None), list):
        for part in parts:
            yield from _leaves(part)
        return
    for kind in ("equals", "starts_with", "ends_with", "contains", "regex"):
        if isinstance(text := getattr(clause, kind, None), str):
            yield kind, text
