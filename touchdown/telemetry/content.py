"""What was said, as attributes of a span and of an event on it."""

from opentelemetry.util.types import AttributeValue

from touchdown.runtime.content import Content
from touchdown.telemetry import content_names as names

NAMES = {
    "system_instructions": names.SYSTEM_INSTRUCTIONS,
    "input_messages": names.INPUT_MESSAGES,
    "output_messages": names.OUTPUT_MESSAGES,
    "tool_definitions": names.TOOL_DEFINITIONS,
    "tool_call_arguments": names.TOOL_ARGUMENTS,
    "tool_call_result": names.TOOL_RESULT,
}
OF_TOOLS = {names.TOOL_ARGUMENTS, names.TOOL_RESULT}

Attributes = dict[str, AttributeValue]


def content_attributes(content: Content) -> tuple[Attributes, str, Attributes]:
    """Attributes for the span, and the name and attributes of an event; either may be empty."""
    said: Attributes = {NAMES[what]: text for what, text in content.texts.items()}
    about: Attributes = {}
    if content.cut_chars:
        about[names.CUT_CHARS] = content.cut_chars
    if content.dropped:
        about[names.DROPPED] = content.dropped
    event = names.TOOL_DETAILS if OF_TOOLS & said.keys() else names.DETAILS
    on_span = {**about, **(said if "SPAN" in content.where else {})}
    return on_span, event, said if "EVENT" in content.where else {}
