"""A serving engine's cache events: what was stored and evicted, read from its feed."""
