"""Where ``touchdown.toml`` is."""

import os
from pathlib import Path

CONFIG_NAME = "touchdown.toml"
CONFIG_VARIABLE = "TOUCHDOWN_CONFIG"


def find_config(start: Path | None = None) -> Path | None:
    """The file ``TOUCHDOWN_CONFIG`` names, else the nearest ``touchdown.toml`` from ``start`` upward."""
    named = os.environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named)
    try:
        here = (start or Path.cwd()).resolve()
        candidates = (folder / CONFIG_NAME for folder in (here, *here.parents))
        return next((path for path in candidates if path.is_file()), None)
    except OSError:
        return None
