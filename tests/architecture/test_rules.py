"""Each rule, held against a tiny made-up package that breaks it: a rule that cannot fail is none."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.fresh_process import loaded_by_import, shadowed_names
from tests.architecture.source import Package, read_package

LAYERS = (("low",), ("left", "right"), ("__init__",), ("top",))

Make = Callable[[Mapping[str, str]], Package]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write the files of a package named ``shop`` and read it."""

    def write(files: Mapping[str, str]) -> Package:
        for name, text in {"__init__.py": "", **files}.items():
            path = tmp_path / "shop" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return read_package(tmp_path / "shop")

    return write


def test_imports_from_below_are_fine(make: Make) -> None:
    package = make(
        {
            "low/__init__.py": "from shop.low.part import x\n",
            "low/part.py": "import json\nx = 1\n",
            "left.py": "import shop.low\n",
            "top.py": "from shop import left, right\n",
            "right.py": "def f():\n    from shop.low import part\n",
        }
    )
    assert rules.unplaced_modules(package, LAYERS) == []
    assert rules.upward_imports(package, LAYERS) == []
    assert rules.import_cycles(package) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("low.py", "import shop.top\n"),
        ("low.py", "from shop import top\n"),
        ("low.py", "from shop.top.stall import apples\n"),
        ("low.py", "from .top import apples\n"),
        ("low.py", "import shop\n"),
        ("low/part/deep.py", "from ...top import apples\n"),
        ("left.py", "from shop import right\n"),
        ("left.py", "def f():\n    def g():\n        from shop import right\n"),
        ("left.py", "if TYPE_CHECKING:\n    from shop import right\n"),
        ("left.py", "f = lambda: import_module('shop.right')\n"),
        ("left.py", "importlib.import_module('shop.top.stall')\n"),
    ],
)
def test_upward_and_sideways_imports_are_found(make: Make, name: str, text: str) -> None:
    package = make({"low.py": "", "right.py": "", "top/stall.py": "", name: text})
    (breach,) = rules.upward_imports(package, LAYERS)
    assert "imports shop" in breach


def test_a_module_outside_the_table_is_found(make: Make) -> None:
    package = make({"low.py": "", "cellar/wine.py": ""})
    (breach,) = rules.unplaced_modules(package, LAYERS)
    assert "shop.cellar.wine" in breach


def test_a_cycle_is_found_inside_one_layer(make: Make) -> None:
    package = make({"low/a.py": "import shop.low.b\n", "low/b.py": "from shop.low import a\n"})
    (breach,) = rules.import_cycles(package)
    assert "shop.low.a" in breach
    assert "shop.low.b" in breach


def test_a_cycle_through_the_packages_own_file_is_found(make: Make) -> None:
    package = make(
        {"low/__init__.py": "from shop.low.a import x\n", "low/a.py": "from shop.low import y\n"}
    )
    assert len(rules.import_cycles(package)) == 1


def test_an_import_outside_its_places_is_found(make: Make) -> None:
    package = make(
        {
            "low.py": "def f():\n    from opentelemetry.sdk import trace\n",
            "left/spans.py": "import opentelemetry\n",
            "right.py": "import opentelemetry_like\n",
        }
    )
    (breach,) = rules.imports_outside(package, "opentelemetry", ["shop.left"])
    assert "shop.low" in breach


def test_an_import_of_the_own_package_is_found(make: Make) -> None:
    package = make(
        {"left/a.py": "import json\nfrom shop.left import b\n", "left/b.py": "import shop.low\n"}
    )
    (breach,) = rules.imports_of_own_package(package, "shop.left")
    assert "shop.left.b imports shop.low" in breach


@pytest.mark.parametrize("name", ["low/utils.py", "low/_helpers.py", "common/thing.py"])
def test_vague_names_are_found(make: Make, name: str) -> None:
    package = make({name: "", "low/baseline.py": ""})
    assert len(rules.vague_modules(package)) == 1


def test_sizes_are_counted_to_the_line(make: Make) -> None:
    exact = "def f():\n" + "    x = 1\n" * 4
    package = make({"low.py": exact, "left.py": exact + "    y = 2\n"})
    (breach,) = rules.long_functions(package, 5)
    assert "f has 6 lines" in breach
    (breach,) = rules.long_files(package, 5)
    assert "left.py: 6 lines" in breach


def test_long_methods_and_inner_functions_are_found(make: Make) -> None:
    package = make(
        {
            "low.py": "class C:\n    async def f(self):\n        def g():\n            a\n            b\n"
        }
    )
    assert len(rules.long_functions(package, 2)) == 2


def test_the_packages_of_integrations_are_found(tmp_path: Path) -> None:
    for name in (
        "host/pyproject.toml",
        "host/touchdown_host/a.py",
        "host/.venv/b.py",
        "notes/c/d.py",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")
    assert rules.packages_below(tmp_path) == [tmp_path / "host" / "touchdown_host"]


def test_a_submodule_that_replaces_a_function_is_found(make: Make, tmp_path: Path) -> None:
    lazy = "def __getattr__(name):\n    from shop.low import task\n    return task\n"
    files = {"__init__.py": f"__all__ = ['task']\n{lazy}", "low.py": "def task(): ...\n"}
    make(files)
    assert shadowed_names("shop", tmp_path) == []
    make(files | {"task.py": ""})
    assert shadowed_names("shop", tmp_path) == ["task is a module"]


def test_a_public_name_that_changes_is_found(make: Make, tmp_path: Path) -> None:
    make({"__init__.py": "__all__ = ['task']\ndef __getattr__(name):\n    return object()\n"})
    assert shadowed_names("shop", tmp_path) == ["task is another object when read again"]


def test_only_a_missing_extra_excuses_a_submodule(make: Make, tmp_path: Path) -> None:
    make({"__init__.py": "__all__ = []\n", "low.py": "import no_such_extra.part\n"})
    assert shadowed_names("shop", tmp_path, ["no_such_extra"]) == []
    with pytest.raises(AssertionError, match="no_such_extra"):
        shadowed_names("shop", tmp_path)


def test_what_an_import_brings_is_found(make: Make, tmp_path: Path) -> None:
    make({"__init__.py": "import shop.low\n", "low.py": "import colorsys\n"})
    assert loaded_by_import("shop", tmp_path, ["colorsys", "sndhdr"]) == ["colorsys"]
