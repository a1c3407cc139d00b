"""Clients of the real SDKs, pointed at a loopback provider."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import anthropic
import openai
import pytest

from touchdown.testing.provider import Provider, Script

Serve = Callable[[Script], Provider]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts providers, and closes them after the test."""
    with ExitStack() as stack:
        yield lambda script: stack.enter_context(Provider(script))


@pytest.fixture
def claude() -> Iterator[Callable[..., anthropic.Anthropic]]:
    """Makes Anthropic clients."""
    with ExitStack() as stack:

        def make(provider: Provider, **options: object) -> anthropic.Anthropic:
            given = {"api_key": "test", "max_retries": 0, **options}
            return stack.enter_context(anthropic.Anthropic(base_url=provider.url, **given))

        yield make


@pytest.fixture
def gpt() -> Iterator[Callable[..., openai.OpenAI]]:
    """Makes OpenAI clients."""
    with ExitStack() as stack:

        def make(provider: Provider, **options: object) -> openai.OpenAI:
            given = {"api_key": "test", "max_retries": 0, **options}
            return stack.enter_context(openai.OpenAI(base_url=provider.openai_url, **given))

        yield make


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded exchanges with the real APIs."""
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("TOUCHDOWN_TEST_DATA") or default) / "recordings"
    if not folder.is_dir():
        pytest.skip("no recordings: set TOUCHDOWN_TEST_DATA to a folder that has them")
    return folder
