"""An Anthropic request as the cache sees it: tools, then system, then messages."""

from __future__ import annotations

from touchdown.testing.provider.cache_rules import INVALIDATIONS
from touchdown.testing.provider.payload import (
    JsonObject,
    json_text,
    object_in,
    objects_in,
    text_in,
)
from touchdown.testing.provider.prompt import LEVELS, Level, Prompt, Segment
from touchdown.testing.provider.tokens import IMAGE_TOKENS, count_tokens

_MARKER = "cache_control"
_WEB_TOOLS = ("web_search", "web_fetch")


def read_anthropic_prompt(
    body: JsonObject, *, model: str, credential: str, automatic: bool = True
) -> Prompt:
    """The segments of a Messages request. `automatic=False` ignores top-level cache control."""
    tools = objects_in(body.get("tools"))
    blocks: list[tuple[str, JsonObject, Level]] = [
        ("tool", block, _tool_level(block)) for block in tools
    ]
    blocks.sort(key=lambda block: LEVELS.index(block[2]))
    blocks += [("system", block, "system") for block in _content(body.get("system"))]
    for message in objects_in(body.get("messages")):
        role = text_in(message.get("role"))
        blocks += [(role, block, "messages") for block in _content(message.get("content"))]
    segments = [_segment(role, block, level, model) for role, block, level in blocks]
    if automatic and isinstance(body.get(_MARKER), dict):
        _mark_last(segments, _life(body))
    contents = [block for _, block, _ in blocks]
    return Prompt(credential, model, tuple(segments), _settings(body, contents))


def _tool_level(tool: JsonObject) -> Level:
    """Web search belongs to the system level: switching it keeps the tools cache."""
    return "system" if text_in(tool.get("type")).startswith(_WEB_TOOLS) else "tools"


def _content(value: object) -> list[JsonObject]:
    if isinstance(value, str):
        return [{"type": "text", "text": value}] if value else []
    return objects_in(value)


def _segment(role: str, block: JsonObject, level: Level, model: str) -> Segment:
    kind = text_in(block.get("type"))
    empty = kind == "text" and not text_in(block.get("text"))
    words, images = _measure(block)
    return Segment(
        label=role,
        text=json_text(_bare(block)),
        tokens=count_tokens(words, model) + images * IMAGE_TOKENS,
        level=level,
        life=_life(block) if isinstance(block.get(_MARKER), dict) else None,
        cacheable=not empty and kind not in ("thinking", "redacted_thinking"),
    )


def _life(owner: JsonObject) -> str:
    return text_in(object_in(owner.get(_MARKER)).get("ttl")) or "5m"


def _mark_last(segments: list[Segment], life: str) -> None:
    """Automatic caching: a breakpoint on the last cacheable block that has none."""
    for index in range(len(segments) - 1, -1, -1):
        segment = segments[index]
        if segment.cacheable:
            if segment.life is None:
                segments[index] = Segment(
                    segment.label, segment.text, segment.tokens, segment.level, life
                )
            return


def _measure(block: JsonObject) -> tuple[str, int]:
    """The words of a block that cost tokens, and how many images or files it holds."""
    kind = text_in(block.get("type"))
    if kind == "text":
        return text_in(block.get("text")), 0
    if kind == "thinking":
        return text_in(block.get("thinking")), 0
    if kind == "tool_use":
        return text_in(block.get("name")) + json_text(block.get("input")), 0
    if kind == "tool_result":
        parts = [_measure(part) for part in _content(block.get("content"))]
        return "".join(words for words, _ in parts), sum(images for _, images in parts)
    if object_in(block.get("source")).get("type") in ("base64", "url", "file"):
        return "", 1
    return json_text(_bare(block)), 0


def _bare(value: object) -> object:
    """`value` without cache markers and nulls: moving a marker does not change the prefix."""
    if isinstance(value, dict):
        return {
            key: _bare(item) for key, item in value.items() if key != _MARKER and item is not None
        }
    return [_bare(item) for item in value] if isinstance(value, list) else value


def _settings(body: JsonObject, blocks: list[JsonObject]) -> dict[Level, str]:
    """The settings each level of the cache depends on, as the table of invalidations says."""
    values = {
        "speed": json_text(body.get("speed") or "standard"),
        "web_search": str(any(_tool_level(tool) == "system" for tool in blocks)),
        "citations": str(any(object_in(block.get("citations")).get("enabled") for block in blocks)),
        "tool_choice": json_text(body.get("tool_choice") or {"type": "auto"}),
        "thinking": json_text(body.get("thinking") or {"type": "disabled"}),
        "images": str(any(_has_image(block) for block in blocks)),
    }
    settings: dict[Level, str] = {}
    for row in INVALIDATIONS:
        settings[row.level] = settings.get(row.level, "") + f"{row.setting}={values[row.setting]};"
    return settings


def _has_image(block: JsonObject) -> bool:
    parts = [block, *objects_in(block.get("content"))]
    return any(part.get("type") == "image" for part in parts)
