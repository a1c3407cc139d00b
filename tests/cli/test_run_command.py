"""What `touchdown run` reads off a command line."""

from pathlib import Path

import pytest

from touchdown.cli.running.command import name_of, shut_out_by


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("/opt/bin/mini --task secret", "mini"),
        ("python agents/fix.py --key secret", "python fix.py"),
        ("/usr/bin/python3.12 -u -W error -m my.agent secret", "python3.12 -m my.agent"),
        ("python -Xdev -mmy.agent secret", "python -m my.agent"),
        ("python -uc secret", "python -c"),
        ("python", "python"),
        ("pythonic secret", "pythonic"),
    ],
)
def test_a_name_tells_no_arguments(command: str, name: str) -> None:
    assert name_of(command.split()) == name


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("python -I agent.py", "python -I"),
        ("/usr/bin/python3 -sE agent.py", "python3 -E"),
        ("python -u -S -m agent", "python -S"),
        ("python agent.py -I", ""),
        ("python -m agent -S", ""),
        ("python -W IES agent.py", ""),
        ("python -c 'print(1)' -E", ""),
        ("env -S", ""),
        ("nowhere -I", ""),
    ],
)
def test_options_that_shut_touchdown_out(command: str, found: str) -> None:
    assert shut_out_by(command.split()) == found


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ("#!/usr/bin/python3 -I", "python3 -I"),
        ("#!/usr/bin/env -S python3 -E", "python3 -E"),
        ("#!/usr/bin/env python3", ""),
        ("#!/bin/sh -e", ""),
        ("\x7fELF", ""),
    ],
)
def test_those_of_a_scripts_first_line_too(first: str, found: str, tmp_path: Path) -> None:
    script = tmp_path / "agent"
    script.write_text(f"{first}\n")
    assert shut_out_by([str(script)]) == found
