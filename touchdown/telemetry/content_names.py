"""The attributes of content: written only where the user asked for content."""

from typing import Final

DETAILS: Final = "gen_ai.client.inference.operation.details"
TOOL_DETAILS: Final = "touchdown.tool.details"
"""Name of the event that tells the arguments and the result of a tool."""
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
TOOL_RESULT: Final = "gen_ai.tool.call.result"
CUT_CHARS: Final = "touchdown.content.cut_chars"
"""Characters of content that there was no room for; absent when all is there."""
DROPPED: Final = "touchdown.content.dropped"
"""Why nothing of the content is shown: ``redact failed``."""
