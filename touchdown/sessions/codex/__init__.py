"""Codex: its rollouts, one file for each thread."""

from touchdown.sessions.codex.rollouts import CodexReader as CodexReader
