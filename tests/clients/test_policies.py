"""The user's policies, from ``touchdown.toml`` and from code, in the account of a real call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.apis import MESSAGES, Api
from touchdown.accounting.account import TaskAccount
from touchdown.runtime.guard import forget_warnings
from touchdown.testing import capture

POLICY = """
[[policy.oversized_model]]
model = "{model}"
cheaper = "claude-haiku-4-5"
"""


def account_with(client: Any, **options: Any) -> TaskAccount:
    with capture(**options) as seen:
        MESSAGES.of(client).create(**MESSAGES.ask)
        return seen.account


def test_a_policy_of_the_file_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client_of: Callable[[Api], Any]
) -> None:
    path = tmp_path / "touchdown.toml"
    path.write_text(POLICY.format(model=MESSAGES.ask["model"]))
    client = client_of(MESSAGES)
    before = account_with(client)
    monkeypatch.setenv("TOUCHDOWN_CONFIG", str(path))
    account = account_with(client)

    assert "oversized_model" in before.not_observable
    assert account.money.memo["oversized_model_usd"]
    assert account.policies["oversized_model"].startswith("claude-haiku-4-5 would do for ")
    assert account.money.total_usd == before.money.total_usd


def test_a_policy_given_in_code_comes_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client_of: Callable[[Api], Any]
) -> None:
    path = tmp_path / "touchdown.toml"
    path.write_text(POLICY.format(model="nobody's"))
    monkeypatch.setenv("TOUCHDOWN_CONFIG", str(path))
    row = {"model": MESSAGES.ask["model"], "cheaper": "claude-haiku-4-5"}
    account = account_with(client_of(MESSAGES), policies={"oversized_model": row})

    assert account.money.memo["oversized_model_usd"]


def test_a_policy_that_cannot_be_used_is_said_once_and_nothing_fails(
    client_of: Callable[[Api], Any], caplog: pytest.LogCaptureFixture
) -> None:
    forget_warnings()
    account = account_with(client_of(MESSAGES), policies={"oversized_model": {"model": "x"}})

    assert account.model_calls == 1
    assert "two model ids are needed" in caplog.text
