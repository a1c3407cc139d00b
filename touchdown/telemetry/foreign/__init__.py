"""Spans that others made, as records: one table of names per dialect, one way to read them all."""
