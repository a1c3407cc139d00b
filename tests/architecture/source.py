"""A package as the rules see it: its modules, and what each one imports."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
IMPORTERS = {"import_module", "__import__", "find_spec"}


@dataclass(frozen=True)
class Import:
    """One imported module, under the longest name known of it. ``deferred``: inside a function."""

    target: str
    line: int
    deferred: bool


@dataclass(frozen=True)
class Module:
    """One source file. ``folder`` is the package whose relative imports it may use."""

    name: str
    folder: str
    path: Path
    lines: int
    tree: ast.Module
    imports: tuple[Import, ...]

    def at(self, line: int) -> str:
        """Where to look, as an editor understands it."""
        return f"{self.path}:{line}"


Package = Mapping[str, Module]


def read_package(root: Path) -> Package:
    """All modules below the folder ``root``, which is the package itself, by dotted name."""
    paths = {_dotted(root, path): path for path in sorted(root.rglob("*.py"))}
    return {name: _read(name, path, paths.keys() | _folders(paths)) for name, path in paths.items()}


def _folders(names: Mapping[str, Path]) -> set[str]:
    return {name.rpartition(".")[0] for name in names} - {""}


def _dotted(root: Path, path: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(name: str, path: Path, known: set[str]) -> Module:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text, filename=str(path))
    folder = name if path.stem == "__init__" else name.rpartition(".")[0]
    imports = tuple(
        Import(target, node.lineno, deferred)
        for node, deferred in _statements(tree)
        for target in _targets(node, folder, known)
    )
    return Module(name, folder, path, text.count("\n"), tree, imports)


def _statements(
    node: ast.AST, deferred: bool = False
) -> Iterator[tuple[ast.expr | ast.stmt, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, (ast.Import, ast.ImportFrom, ast.Call)):
            yield child, deferred
        yield from _statements(child, deferred or isinstance(child, (*FUNCTIONS, ast.Lambda)))


def _targets(node: ast.AST, folder: str, known: set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        origin = _origin(node, folder)
        for alias in node.names:
            submodule = f"{origin}.{alias.name}"
            yield submodule if submodule in known else origin
    elif isinstance(node, ast.Call) and node.args:
        called = getattr(node.func, "attr", getattr(node.func, "id", ""))
        first = node.args[0]
        if called in IMPORTERS and isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield first.value


def _origin(node: ast.ImportFrom, folder: str) -> str:
    if not node.level:
        return node.module or ""
    above = folder.split(".")[: len(folder.split(".")) - node.level + 1]
    return ".".join([*above, node.module] if node.module else above)
