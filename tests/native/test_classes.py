"""The text that is compiled: the same classes, their ``__init__`` written out."""

import ast
import importlib
import inspect
import pickle
import sys
from collections.abc import Iterator
from types import ModuleType

import pytest

from native.build import MODULES, ROOT
from native.classes import with_inits

OPEN = '''"""A module."""

from dataclasses import dataclass, field

from touchdown.records.quick import quick


@dataclass(slots=True)
class Sum:
    """Numbers and their sum."""

    name: str
    numbers: list[int] = field(default_factory=list)
    total: int = field(init=False)

    def __post_init__(self) -> None:
        self.total = sum(self.numbers)


@quick
@dataclass(frozen=True, slots=True)
class Closed:
    """A frozen one."""

    number: int
'''


@pytest.fixture
def rewritten() -> Iterator[ModuleType]:
    """``OPEN`` as it is compiled, run as Python."""
    module = ModuleType("rewritten")
    sys.modules[module.__name__] = module
    vars(module)["mypyc_attr"] = lambda **_: lambda cls: cls  # the compiler's own
    exec(compile(with_inits(OPEN), "rewritten.py", "exec"), vars(module))
    yield module
    del sys.modules[module.__name__]


def test_a_rewritten_class_does_what_it_did(rewritten: ModuleType) -> None:
    first, second = rewritten.Sum("a"), rewritten.Sum("b", [1, 2])
    assert (first.numbers, first.total, second.total) == ([], 0, 3)
    first.numbers.append(1)
    assert rewritten.Sum("c").numbers == []
    assert pickle.loads(pickle.dumps(second)) == second


def test_no_class_is_made_by_quick_and_by_the_compiler() -> None:
    tree = ast.parse(with_inits(OPEN))
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    given = [ast.unparse(decorator) for node in classes for decorator in node.decorator_list]
    shown = [decorator for decorator in given if not decorator.startswith("mypyc_attr")]
    assert shown == ["dataclass(init=False)", "dataclass(frozen=True, init=False)"]


@pytest.mark.parametrize("name", MODULES)
def test_every_compiled_class_takes_what_it_took(name: str) -> None:
    module = importlib.import_module(name.removesuffix(".py").replace("/", "."))
    tree = ast.parse(with_inits((ROOT / name).read_text(encoding="utf-8")))
    for node in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        made = [d for d in node.decorator_list if ast.unparse(d).startswith("dataclass")]
        if not made:
            continue
        (init,) = (f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__")
        taken = inspect.signature(vars(module)[node.name])
        assert [one.arg for one in init.args.args[1:]] == list(taken.parameters)
        optional = [p for p in taken.parameters.values() if p.default is not p.empty]
        assert len(init.args.defaults) == len(optional)


@pytest.mark.parametrize(
    "text",
    [
        "from dataclasses import dataclass\n@dataclass\nclass A(B):\n    x: int\n",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    def __init__(self): ...\n",
    ],
)
def test_a_class_of_an_unknown_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="A: a data class with bases"):
        with_inits(text)
