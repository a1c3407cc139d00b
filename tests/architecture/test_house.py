"""The rules of the house, held against touchdown itself."""

import inspect
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.fresh_process import loaded_by_import, shadowed_names
from tests.architecture.source import Package, read_package

REPOSITORY = Path(__file__).parents[2]

LAYERS = (
    ("records",),
    ("prices", "context"),
    ("accounting",),
    ("runtime",),
    ("integration",),
    ("clients", "tasks", "engines"),
    ("live", "telemetry"),
    ("sessions", "report", "collect", "servers"),
    ("wiring",),
    ("api",),
    ("testing",),  # capture() is the wiring with a fresh accountant
    ("__init__",),
    ("cli",),
    ("__main__",),
)

PUBLIC_NAMES = {
    "AsgiMiddleware",
    "BudgetExceeded",
    "EngineHost",
    "Instrumentation",
    "SpanProcessor",
    "Task",
    "WsgiMiddleware",
    "__version__",
    "agent",
    "capacity",
    "current_task",
    "engine",
    "flush",
    "headers",
    "hourly_price",
    "instrument",
    "joined",
    "on_update",
    "outcome",
    "summary",
    "task",
    "tool",
    "uninstrument",
}

OPENTELEMETRY_ROOMS = (
    "touchdown.telemetry",
    "touchdown.collect",
    "touchdown.api",
    "touchdown.testing",
)

HEAVY = (
    "anthropic",
    "genai_prices",
    "msgspec",
    "openai",
    "opentelemetry.sdk",
    "pydantic",
    "rich",
)

FROM_EXTRAS = ("openai", "anthropic", "grpc", "textual", "zmq", "pytest")

MOST_LINES_OF_A_FILE = 300
MOST_LINES_OF_A_FUNCTION = 60


@pytest.fixture(scope="module")
def touchdown_package() -> Package:
    return read_package(REPOSITORY / "touchdown")


@pytest.fixture(scope="module")
def shipped(touchdown_package: Package) -> Package:
    """touchdown and every integration."""
    together = dict(touchdown_package)
    for folder in rules.packages_below(REPOSITORY / "integrations"):
        together |= {f"{folder.parent.name}/{name}": m for name, m in read_package(folder).items()}
    return together


def test_every_module_stands_in_a_layer(touchdown_package: Package) -> None:
    assert rules.unplaced_modules(touchdown_package, LAYERS) == []


def test_a_layer_imports_only_from_below(touchdown_package: Package) -> None:
    assert rules.upward_imports(touchdown_package, LAYERS) == []


def test_no_module_level_import_cycle(touchdown_package: Package) -> None:
    assert rules.import_cycles(touchdown_package) == []


def test_opentelemetry_is_imported_only_where_it_is_spoken(touchdown_package: Package) -> None:
    found = rules.imports_outside(touchdown_package, "opentelemetry", OPENTELEMETRY_ROOMS)
    assert found == []


def test_the_loopback_provider_knows_nothing_of_touchdown(touchdown_package: Package) -> None:
    assert rules.imports_of_own_package(touchdown_package, "touchdown.testing.provider") == []


def test_module_names_say_what_is_inside(shipped: Package) -> None:
    assert rules.vague_modules(shipped) == []


def test_files_are_short(shipped: Package) -> None:
    assert rules.long_files(shipped, MOST_LINES_OF_A_FILE) == []


def test_functions_are_short(shipped: Package) -> None:
    assert rules.long_functions(shipped, MOST_LINES_OF_A_FUNCTION) == []


def test_the_public_names_are_these() -> None:
    import touchdown

    assert set(touchdown.__all__) == PUBLIC_NAMES
    assert len(touchdown.__all__) == len(PUBLIC_NAMES)


def test_every_public_name_says_what_it_means() -> None:
    import touchdown

    silent = [name for name in touchdown.__all__ if not inspect.getdoc(getattr(touchdown, name))]
    assert silent == []


def test_no_submodule_replaces_a_public_name() -> None:
    assert shadowed_names("touchdown", REPOSITORY, FROM_EXTRAS) == []


def test_importing_touchdown_brings_nothing_heavy() -> None:
    assert loaded_by_import("touchdown", REPOSITORY, HEAVY) == []
