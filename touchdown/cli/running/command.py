"""What can be told from a command line: a name for it, and whether its Python shuts touchdown out."""

import os
import re
import shutil
from collections.abc import Sequence

_PYTHON = re.compile(r"(python|pypy)[0-9.]*t?w?(\.exe)?", re.IGNORECASE)
_SHUTTING_OUT = "IES"
_WITH_VALUE = "WX"


def name_of(command: Sequence[str]) -> str:
    """A name without arguments, which may hold prompts and keys: ``mini``, ``python agent.py``."""
    program = os.path.basename(command[0])
    if not _is_python(command[0]):
        return program
    options, rest = _split(command[1:])
    if options.endswith("m"):
        return f"{program} -m {rest[0]}" if rest else program
    if options.endswith("c"):
        return f"{program} -c"
    return f"{program} {os.path.basename(rest[0])}" if rest else program


def shut_out_by(command: Sequence[str]) -> str:
    """The Python and the option (``-I``, ``-E``, ``-S``) that keep touchdown out; empty when none does."""
    if not _is_python(command[0]):
        command = _interpreter(command[0])
    if not command or not _is_python(command[0]):
        return ""
    options, _ = _split(command[1:])
    found = next((letter for letter in _SHUTTING_OUT if letter in options), "")
    return f"{os.path.basename(command[0])} -{found}" if found else ""


def _is_python(program: str) -> bool:
    return _PYTHON.fullmatch(os.path.basename(program)) is not None


def _split(arguments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The letters of Python's own options, up to ``-c`` or ``-m``, and what follows them."""
    letters = ""
    rest = list(arguments)
    while rest and len(rest[0]) > 1 and rest[0].startswith("-"):
        option = rest.pop(0)
        if option.startswith("--"):
            continue
        for at, letter in enumerate(option[1:], 2):
            letters += letter
            if letter in "cm":
                return letters, ([option[at:]] if option[at:] else rest)
            if letter in _WITH_VALUE:
                if not option[at:]:
                    rest = rest[1:]
                break
    return letters, rest


def _interpreter(program: str) -> list[str]:
    """The words of the first line ``#!...`` of a script; ``env`` itself left out."""
    try:
        with open(shutil.which(program) or program, "rb") as script:
            first = script.readline(256)
    except OSError:
        return []
    if not first.startswith(b"#!"):
        return []
    words = first[2:].decode("utf-8", "replace").split()
    if words and os.path.basename(words[0]) == "env":
        words = [word for word in words[1:] if word != "-S"]
    return words
