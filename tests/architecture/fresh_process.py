"""Questions that only a fresh process can answer: what an import brings, what a public name is."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

_LOADED = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted(sys.modules)))
"""

_SHADOWED = """
import importlib, json, pkgutil, sys, types
name, optional = sys.argv[1], set(json.loads(sys.argv[2]))
package = importlib.import_module(name)
for found in pkgutil.walk_packages(package.__path__, name + "."):
    if found.name.rpartition(".")[2] in ("__main__", "sitecustomize"):
        continue  # these act when they are imported
    try:
        importlib.import_module(found.name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in optional:
            raise
problems = []
for public in package.__all__:
    first, second = getattr(package, public), getattr(package, public)
    if first is not second:
        problems.append(f"{public} is another object when read again")
    if isinstance(first, types.ModuleType):
        problems.append(f"{public} is a module")
print(json.dumps(problems))
"""


def loaded_by_import(package: str, where: Path, unwanted: Iterable[str]) -> list[str]:
    """Those of the unwanted modules that ``import package`` loads."""
    loaded = set(_ask(_LOADED, where, package))
    return sorted(loaded.intersection(unwanted))


def shadowed_names(package: str, where: Path, optional: Iterable[str] = ()) -> list[str]:
    """Public names that are no longer themselves once every submodule was imported.

    A submodule may fail for want of one of the ``optional`` packages, which extras bring.
    """
    return _ask(_SHADOWED, where, package, json.dumps(list(optional)))


def _ask(script: str, where: Path, *arguments: str) -> list[str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TOUCHDOWN_", "OTEL_"))
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=clean | {"PYTHONPATH": str(where)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer: list[str] = json.loads(done.stdout)
    return answer
