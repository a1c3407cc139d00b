"""One folder per LLM SDK: ``reader.py`` (payload to record, pure) and ``patch.py`` (where to hook)."""
