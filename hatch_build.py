"""Compiles the hot rooms into the wheel where ``TOUCHDOWN_COMPILE`` is set; else it is plain Python."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Compiled(BuildHookInterface):
    """Adds the extension modules of ``native.build`` beside their sources. An editable install has none."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs, beside a C compiler: the compiler's own, and types of what we depend on."""
        text = Path(self.root, "native", "requirements.txt").read_text(encoding="utf-8")
        return [*text.split(), *self.metadata.core.dependencies] if _is_wanted() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile. Errors: whatever the compiler says; who asked for it wants to know."""
        if version == "editable" or not _is_wanted():
            return
        sys.path.insert(0, self.root)
        from native.build import build

        self._work = tempfile.TemporaryDirectory()
        work = Path(self._work.name)
        for path in build(Path(self.root), work):
            build_data["force_include"][str(path)] = path.relative_to(work).as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def _is_wanted() -> bool:
    return os.environ.get("TOUCHDOWN_COMPILE", "") not in ("", "0")
