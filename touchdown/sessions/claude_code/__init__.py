"""Claude Code: its lines, and the transcripts of the projects folder."""

from touchdown.sessions.claude_code.projects import ClaudeCodeReader as ClaudeCodeReader
