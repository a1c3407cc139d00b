"""The demo's parts: a small repository with a bug, an agent with real tools, and the scripted decisions."""
