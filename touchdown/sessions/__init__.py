"""Recorded sessions: readers that turn what an agent left on disk into the records of live capture."""
