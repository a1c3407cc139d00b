"""Claude Code: transcripts of the projects folder, and the output of ``claude -p`` as stream-json."""

from touchdown.sessions.claude_code.projects import ClaudeCodeReader as ClaudeCodeReader
