"""Compiles the rooms that every recorded call passes through, with mypyc: the same results, sooner.

    python -m native.build [FOLDER]

Puts the extension modules beside their sources below FOLDER (default: this repository), where Python imports
them instead; without them (``find -name '*.so' -delete``) it is plain Python again. Needs a C compiler and,
beside touchdown's own dependencies, ``native/requirements.txt``. ``TOUCHDOWN_COMPILE=1 pip install .`` does
the same for a wheel.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from native.classes import with_inits

ROOT = Path(__file__).resolve().parent.parent
MODULES = tuple((Path(__file__).parent / "modules.txt").read_text().split())

MYPY = """\
[mypy]
ignore_missing_imports = True
python_version = 3.10
"""
"""No stricter than the compiler needs: the stage ``lint`` is."""

SETUP = """\
from mypyc.build import mypycify
from setuptools import setup

compiled = mypycify({options!r}, opt_level="1", debug_level="0", group_name="touchdown_native")
setup(name="touchdown", packages=[], ext_modules=compiled)
"""


def build(source: Path, work: Path) -> Iterator[Path]:
    """Compile the modules of ``source`` in the folder ``work``; the extension modules, below ``work``.

    Errors: ``subprocess.CalledProcessError`` where the compiler fails, with what it said on stderr.
    """
    ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd")
    shutil.copytree(source / "touchdown", work / "touchdown", ignore=ignored)
    for name in MODULES:
        path = work / name
        path.write_text(with_inits(path.read_text(encoding="utf-8")), encoding="utf-8")
    (work / "mypy.ini").write_text(MYPY)
    options = ["--config-file=mypy.ini", *MODULES]
    (work / "setup.py").write_text(SETUP.format(options=options))
    command = [sys.executable, "setup.py", "-q", "build_ext", "--inplace"]
    subprocess.run(command, cwd=work, check=True, stdout=subprocess.DEVNULL)
    for pattern in ("*.so", "*.pyd"):
        yield from work.glob(pattern)
        yield from (work / "touchdown").rglob(pattern)


def main() -> None:
    """Compile in place."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT)
    folder = parser.parse_args().folder.resolve()
    with tempfile.TemporaryDirectory() as work:
        made = 0
        for path in build(folder, Path(work)):
            shutil.copy2(path, folder / path.relative_to(work))
            made += 1
    print(f"{made} extension modules below {folder}")


if __name__ == "__main__":
    main()
