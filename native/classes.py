"""Data classes for the compiler: the same classes with an ``__init__`` of their own.

mypyc compiles the methods of a data class but leaves its ``__init__`` to the ``dataclasses`` module, which
makes it at run time, as Python: making an object would take longer than in plain Python. So the text of each
class gets its ``__init__`` before it is compiled; ``records.quick`` does the same at run time. Everything
else (``fields``, ``replace``, equality, ``FrozenInstanceError``) stays what it was.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

IMPORTS = (
    "from typing import TYPE_CHECKING as _CHECKING, Any as _Any",
    "if _CHECKING:",
    "    from mypy_extensions import mypyc_attr",
    "_FACTORY: _Any = object()",
)
"""What the added text refers to, put behind the module's own imports."""

OPEN_TO_NEW = "@mypyc_attr(allow_interpreted_subclasses=True)"
"""So that ``__new__`` makes an empty object, as msgspec and ``copy`` want it; else it asks for the fields."""

MADE_OF = {"dict": "{}", "list": "[]"}


@dataclass
class _Edit:
    """Lines ``first`` to ``last`` are replaced."""

    first: int
    last: int
    lines: list[str] = field(default_factory=list)


def with_inits(text: str) -> str:
    """The text of a module, its data classes rewritten.

    Errors: ``ValueError`` for a data class whose form is not known here.
    """
    tree = ast.parse(text)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    edits = [edit for node in classes for edit in _edits(node)]
    if not edits:
        return text
    behind = max(node.end_lineno or 0 for node in tree.body if isinstance(node, ast.ImportFrom))
    edits.append(_Edit(behind + 1, behind, list(IMPORTS)))
    lines = text.split("\n")
    for edit in sorted(edits, key=lambda edit: (edit.first, edit.last), reverse=True):
        lines[edit.first - 1 : edit.last] = edit.lines
    return "\n".join(lines)


def _edits(node: ast.ClassDef) -> Iterator[_Edit]:
    decorators = {_name(found): found for found in node.decorator_list}
    found = decorators.get("dataclass")
    if found is None:
        return
    if node.bases or _has(node, "__init__"):
        raise ValueError(f"{node.name}: a data class with bases or an __init__ of its own")
    indent = " " * node.col_offset
    options = found.keywords if isinstance(found, ast.Call) else []
    kept = [f"{one.arg}={ast.unparse(one.value)}" for one in options if one.arg != "slots"]
    line = f"{indent}@dataclass({', '.join([*kept, 'init=False'])})"
    yield _Edit(found.lineno, found.end_lineno or 0, [f"{indent}{OPEN_TO_NEW}", line])
    if (quick := decorators.get("quick")) is not None:
        yield _Edit(quick.lineno, quick.end_lineno or 0)
    end = node.end_lineno or 0
    yield _Edit(end + 1, end, [f"{indent}    {line}".rstrip() for line in _methods(node)])


def _methods(node: ast.ClassDef) -> Iterator[str]:
    parameters, names, body = ["self"], [], []
    for name, parameter, lines in _fields(node):
        parameters.append(parameter)
        names.append(f"self.{name}, ")
        body += lines
    if _has(node, "__post_init__"):
        body.append("self.__post_init__()")
    yield from ("", f"def __init__({', '.join(parameters)}) -> None:")
    yield from (f"    {line}" for line in body or ["pass"])
    # What a compiled object holds is nowhere that pickle looks.
    yield from ("", "def __reduce__(self) -> _Any:")
    yield f"    return type(self), ({''.join(names)})"


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, str, list[str]]]:
    """Of each field that is given: its name, its parameter, and the lines that set it."""
    for found in node.body:
        if not isinstance(found, ast.AnnAssign) or not isinstance(found.target, ast.Name):
            continue
        name, kind, value = found.target.id, ast.unparse(found.annotation), found.value
        how = {}
        if isinstance(value, ast.Call) and _name(value) == "field":
            how = {one.arg: one.value for one in value.keywords}
            value = how.get("default")
        if "init" in how:
            continue
        setting = f"self.{name} = %s  # type: ignore[misc]"
        if "default_factory" in how:
            factory = ast.unparse(how["default_factory"])
            made = MADE_OF.get(factory, f"{factory}()")
            lines = [f"if {name} is _FACTORY:", f"    {setting % made}"]
            lines += ["else:", f"    {setting % name}"]
            yield name, f"{name}: _Any = _FACTORY", lines
        else:
            default = "" if value is None else f" = {ast.unparse(value)}"
            yield name, f"{name}: {kind}{default}", [setting % name]


def _name(node: ast.expr) -> str:
    node = node.func if isinstance(node, ast.Call) else node
    return node.id if isinstance(node, ast.Name) else ""


def _has(node: ast.ClassDef, name: str) -> bool:
    return any(isinstance(part, ast.FunctionDef) and part.name == name for part in node.body)
