"""The registry of readers. A new source: a file, a line here, a test, a row in ``docs/new-source.md``."""

from touchdown.sessions.atif import AtifReader
from touchdown.sessions.claude_code import ClaudeCodeReader
from touchdown.sessions.claude_stream import ClaudeStreamReader
from touchdown.sessions.codex import CodexReader
from touchdown.sessions.gemini import GeminiReader
from touchdown.sessions.journal import JournalReader
from touchdown.sessions.mini_swe_agent import MiniSweAgentReader
from touchdown.sessions.mooncake import MooncakeReader
from touchdown.sessions.otlp import OtlpReader
from touchdown.sessions.source import Found, Head, Reader
from touchdown.sessions.swe_agent import SweAgentReader
from touchdown.sessions.weka import WekaReader

READERS: tuple[Reader, ...] = (
    JournalReader(),
    ClaudeCodeReader(),
    ClaudeStreamReader(),
    CodexReader(),
    GeminiReader(),
    AtifReader(),
    SweAgentReader(),
    MiniSweAgentReader(),
    WekaReader(),
    MooncakeReader(),
    OtlpReader(),
)
"""The first that recognises a file reads it."""

BY_NAME = {reader.name: reader for reader in READERS}


def recognise(head: Head) -> tuple[Reader, Found] | None:
    """The reader of this file; ``None`` when none knows it. One that breaks on a file does not know it."""
    for reader in READERS:
        try:
            found = reader.recognise(head)
        except Exception:
            continue
        if found is not None:
            return reader, found
    return None
