"""Serving engines: one file each, which turns what the engine says into an :class:`EngineTiming`."""
