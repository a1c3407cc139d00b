"""An engine is whole: ``docs/new-engine.md`` names the files, this says which one was forgotten."""

from pathlib import Path

import pytest

from tests.docs.forgotten import forgotten_of_engine, unregistered_engines
from touchdown.engines.engine import Engine
from touchdown.engines.registry import ENGINES
from touchdown.engines.vllm import Vllm

REPOSITORY = Path(__file__).parents[2]


def test_every_engine_is_registered() -> None:
    assert unregistered_engines(REPOSITORY, ENGINES) == []
    assert len({engine.id for engine in ENGINES}) == len(ENGINES)


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.id)
def test_nothing_of_an_engine_is_forgotten(engine: Engine) -> None:
    told = "docs/new-engine.md says what goes there"
    assert list(forgotten_of_engine(REPOSITORY, engine)) == [], told


def test_what_is_forgotten_is_found(tmp_path: Path) -> None:
    for name, text in {
        "touchdown/engines/vllm.py": "class A:\n    def recognises(self): ...\n",
        "touchdown/engines/new.py": "class A:\n    def recognises(self): ...\n",
        "touchdown/engines/engine.py": "class A:\n    def recognises(self): ...\n",
        "touchdown/engines/named.py": "def recognises(): ...\n",
        "tests/engines/test_texts.py": "from touchdown.engines.vllm import Vllm\n",
        "docs/engines.md": "| Figure | vLLM |\n| x | m |\n",
        "README.md": "Engines: vLLM\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert unregistered_engines(tmp_path, [Vllm()]) == [
        "touchdown/engines/registry.py: no line for new"
    ]
    assert list(forgotten_of_engine(tmp_path, Vllm())) == []
    new = Vllm(id="new", title="New")
    assert [part.partition(":")[0] for part in forgotten_of_engine(tmp_path, new)] == [
        "touchdown/engines/new.py",
        "tests/engines",
        "docs/engines.md",
        "README.md",
    ]
