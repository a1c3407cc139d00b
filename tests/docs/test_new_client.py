"""A client is whole: ``docs/new-client.md`` names the files, this says which one was forgotten."""

import sys
from pathlib import Path

import pytest

from tests.clients.apis import APIS
from tests.docs.forgotten import forgotten_of_client, unregistered_clients
from touchdown.clients.registry import CLIENTS
from touchdown.runtime.arming import load_object

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REPOSITORY = Path(__file__).parents[2]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DEMO = PROJECT["optional-dependencies"]["demo"]
TESTED = {api.vendor for api in APIS}


def test_every_client_is_registered() -> None:
    assert unregistered_clients(REPOSITORY, CLIENTS) == []


@pytest.mark.parametrize("name", CLIENTS)
def test_nothing_of_a_client_is_forgotten(name: str) -> None:
    supports = load_object(CLIENTS[name]).supports  # type: ignore[attr-defined]
    assert supports.startswith(name)
    told = "docs/new-client.md says what goes there"
    assert list(forgotten_of_client(REPOSITORY, supports, DEMO, TESTED)) == [], told


def test_what_is_forgotten_is_found(tmp_path: Path) -> None:
    for name, text in {
        "touchdown/clients/acme/patch.py": "",
        "touchdown/clients/acme/reader.py": "READERS = {}\n",
        "ci/envs/low-sdks.in": "acme==1.1.0\n",
        "README.md": "| acme 1.x | elsewhere |\n\n## What is captured\n\n| openai |\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert unregistered_clients(tmp_path, {"other": ""}) == [
        "touchdown/clients/registry.py: no line for acme",
        "touchdown/clients/other/patch.py",
    ]
    missing = list(forgotten_of_client(tmp_path, "acme>=1.2,<3", ["acme>=1,<3"], {"openai"}))
    assert [part.partition(":")[0] for part in missing] == [
        "touchdown/clients/acme/reader.py",
        "pyproject.toml, extra demo",
        "ci/envs/low-sdks.in",
        "tests/clients/apis.py",
        "README.md",
    ]
    (tmp_path / "touchdown/clients/acme/reader.py").write_text(
        "READERS: dict = {}\nNOT_CAPTURED = {}\n"
    )
    (tmp_path / "ci/envs/low-sdks.in").write_text("# lowest\nacme==1.2.0\n")
    (tmp_path / "README.md").write_text("x\n## What is captured\n\n| acme 1.x |\n")
    assert list(forgotten_of_client(tmp_path, "acme>=1.2,<3", ["acme>=1.2,<3"], {"acme"})) == []
