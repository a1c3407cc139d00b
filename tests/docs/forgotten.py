"""What a newcomer may have forgotten: each function lists it, in the words of ``docs/new-*.md``."""

import ast
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement

from touchdown.accounting.taxes.tax import Tax
from touchdown.engines.engine import Engine


def unregistered_clients(repository: Path, registered: Mapping[str, str]) -> list[str]:
    """Folders of clients without a line in the registry, and lines without a folder."""
    folders = {path.parent.name for path in (repository / "touchdown/clients").glob("*/patch.py")}
    return [
        *(f"touchdown/clients/registry.py: no line for {name}" for name in folders - {*registered}),
        *(f"touchdown/clients/{name}/patch.py" for name in registered.keys() - folders),
    ]


def forgotten_of_client(
    repository: Path, supports: str, demo: Iterable[str], tested: Collection[str]
) -> Iterator[str]:
    """Parts of a client that are missing. ``demo``: the requirements of that extra; ``tested``: vendors."""
    wanted = Requirement(supports)
    name = wanted.name
    reader = repository / "touchdown/clients" / name / "reader.py"
    if not reader.exists() or not {"READERS", "NOT_CAPTURED"} <= _assigned(reader):
        yield f"touchdown/clients/{name}/reader.py: READERS and NOT_CAPTURED"
    if supports not in demo:
        yield f"pyproject.toml, extra demo: {supports}"
    lowest = [each.version for each in wanted.specifier if each.operator == ">="]
    pins = (repository / "ci/envs/low-sdks.in").read_text(encoding="utf-8").splitlines()
    if not any(_pinned(line, name, lowest) for line in pins):
        yield f"ci/envs/low-sdks.in: {name} at its lowest version"
    if name not in tested:
        yield f"tests/clients/apis.py: a row for {name}"
    readme = (repository / "README.md").read_text(encoding="utf-8")
    captured = readme.partition("\n## What is captured\n")[2].partition("\n## ")[0]
    if f"\n| {name} " not in captured:
        yield f"README.md: a row for {name} in the table of 'What is captured'"


def unregistered_taxes(repository: Path, registered: Iterable[Tax]) -> list[str]:
    """Files that hold a tax which is not in the registry."""
    known = {tax.id for tax in registered} | {"tax", "timed"}
    return [
        f"touchdown/accounting/taxes/registry.py: no line for {path.stem}"
        for path in sorted((repository / "touchdown/accounting/taxes").glob("*.py"))
        if path.stem not in known and _has_method(path, "claims")
    ]


def forgotten_of_tax(repository: Path, tax: Tax) -> Iterator[str]:
    """Parts of a tax that are missing."""
    if f"`{tax.id}`" not in (repository / "docs/glossary.md").read_text(encoding="utf-8"):
        yield f"docs/glossary.md: {tax.id} in the row 'taxes'"
    if type(tax).__module__ != f"touchdown.accounting.taxes.{tax.id}":
        yield f"touchdown/accounting/taxes/{tax.id}.py"
    tests = (repository / "tests/accounting").glob("test_*.py")
    if not any(f'"{tax.id}"' in path.read_text(encoding="utf-8") for path in tests):
        yield f"tests/accounting: a test that names {tax.id}"


def unregistered_engines(repository: Path, registered: Iterable[Engine]) -> list[str]:
    """Files that hold an engine which is not in the registry."""
    known = {engine.id for engine in registered} | {"engine"}
    return [
        f"touchdown/engines/registry.py: no line for {path.stem}"
        for path in sorted((repository / "touchdown/engines").glob("*.py"))
        if path.stem not in known and _has_method(path, "recognises")
    ]


def forgotten_of_engine(repository: Path, engine: Engine) -> Iterator[str]:
    """Parts of an engine that are missing."""
    if type(engine).__module__ != f"touchdown.engines.{engine.id}":
        yield f"touchdown/engines/{engine.id}.py"
    tests = (repository / "tests/engines").glob("test_*.py")
    if not any(f".{engine.id} " in text or f'"{engine.id}"' in text for text in map(_text, tests)):
        yield f"tests/engines: a test that reads what {engine.title} says"
    table = _text(repository / "docs/engines.md").partition("| Figure |")[2]
    if f" {engine.title} |" not in table.partition("\n")[0]:
        yield f"docs/engines.md: a column for {engine.title}"
    if engine.title not in _text(repository / "README.md"):
        yield f"README.md: {engine.title} among the serving engines"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _pinned(line: str, name: str, lowest: list[str]) -> bool:
    """``1.2`` is pinned by ``==1.2.0``: trailing zeros do not matter."""
    if not line.startswith(f"{name}=="):
        return False
    (pin,) = Requirement(line).specifier
    return any(pin.contains(version) for version in lowest)


def _assigned(path: Path) -> set[str]:
    """Names that a module gives a value to."""
    names: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def _has_method(path: Path, name: str) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return any(
        isinstance(node, ast.FunctionDef) and node.name == name
        for cls in classes
        for node in cls.body
    )
