"""The rules of the house: each takes a package and lists what breaks it, one line a breach."""

import ast
import graphlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.architecture.source import FUNCTIONS, Package

Layers = Sequence[Sequence[str]]
"""Low to high; the names on one line are siblings. ``__init__`` stands for the package's own file."""

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base"}


def unplaced_modules(package: Package, layers: Layers) -> list[str]:
    """Modules that stand in no layer."""
    placed = {name for line in layers for name in line}
    return [
        f"{module.path}: {name} stands in no layer"
        for name, module in package.items()
        if _room(name) not in placed
    ]


def upward_imports(package: Package, layers: Layers) -> list[str]:
    """Imports of a sibling or of a higher layer, at the top of a module or inside a function."""
    height = {name: level for level, line in enumerate(layers) for name in line}
    own = next(iter(package)).partition(".")[0]
    return [
        f"{module.at(found.line)}: {_room(name)} imports {found.target}"
        for name, module in package.items()
        for found in module.imports
        if found.target.partition(".")[0] == own
        and _room(found.target) != _room(name)
        and height.get(_room(found.target), -1) >= height.get(_room(name), len(layers))
    ]


def import_cycles(package: Package) -> list[str]:
    """A cycle of imports made when modules load; the first one found."""
    graph = {
        name: {found.target for found in module.imports if not found.deferred}
        & package.keys() - {name}
        for name, module in package.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def imports_outside(package: Package, target: str, allowed: Iterable[str]) -> list[str]:
    """Imports of ``target`` by modules that stand in none of the allowed places."""
    places = tuple(allowed)
    return [
        f"{module.at(found.line)}: {name} imports {found.target}"
        for name, module in package.items()
        for found in module.imports
        if _within(found.target, target) and not any(_within(name, place) for place in places)
    ]


def imports_of_own_package(package: Package, place: str) -> list[str]:
    """Imports by modules of ``place`` of anything in the package that lies outside it."""
    own = place.partition(".")[0]
    return [
        f"{module.at(found.line)}: {name} imports {found.target}"
        for name, module in package.items()
        if _within(name, place)
        for found in module.imports
        if _within(found.target, own) and not _within(found.target, place)
    ]


def vague_modules(package: Package) -> list[str]:
    """Modules and folders whose name does not say what is in them."""
    return [
        f"{module.path}: say what it holds"
        for name, module in package.items()
        if VAGUE_NAMES & {part.strip("_") for part in name.split(".")}
    ]


def long_files(package: Package, most: int) -> list[str]:
    """Files of more than ``most`` lines."""
    return [f"{m.path}: {m.lines} lines" for m in package.values() if m.lines > most]


def long_functions(package: Package, most: int) -> list[str]:
    """Functions of more than ``most`` lines, docstring and nested functions included."""
    return [
        f"{module.at(node.lineno)}: {node.name} has {size} lines"
        for module in package.values()
        for node in _functions(module.tree)
        if (size := (node.end_lineno or node.lineno) - node.lineno + 1) > most
    ]


def packages_below(folder: Path) -> list[Path]:
    """The outermost folders with Python files in each distribution below ``folder``."""
    distributions = [
        path for path in sorted(folder.glob("*/")) if (path / "pyproject.toml").exists()
    ]
    return [
        inner
        for distribution in distributions
        for inner in sorted(distribution.glob("*/"))
        if not inner.name.startswith(".") and next(inner.rglob("*.py"), None)
    ]


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree) if isinstance(node, FUNCTIONS))


def _room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def _within(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")
