"""Whether this process is to collect, and at which port: the option, the variable, the file."""

from collections.abc import Mapping

from touchdown.prices.config import load_config
from touchdown.prices.location import find_config
from touchdown.runtime.collecting import DEFAULT_PORT, MOST_PORT, port_of

VARIABLE = "TOUCHDOWN_COLLECT"
LOOPBACK = "127.0.0.1"
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")
HINT = "write true, or a port"


def port_of_text(text: str) -> int | None:
    """The same of a variable, in which 0 is no and ``free`` any port that is free.

    Errors: ``ValueError``.
    """
    word = text.strip().lower()
    if word in _NO:
        return None
    if word in _YES:
        return DEFAULT_PORT
    if word == "free":
        return 0
    if word.isascii() and word.isdigit() and int(word) <= MOST_PORT:
        return int(word)
    raise ValueError(f"{text!r} is no port: {HINT}")


def configured_port(environment: Mapping[str, str]) -> tuple[int | None, str]:
    """What the variable says, else ``collect`` in ``touchdown.toml``; and what is wrong with it."""
    told = environment.get(VARIABLE)
    if told is not None:
        try:
            return port_of_text(told), ""
        except ValueError as error:
            return None, f"{VARIABLE}: {error}"
    path = find_config()
    asked = load_config(path)[0].get("collect") if path is not None else None
    try:
        return port_of(asked), ""
    except ValueError:
        return None, f"{path}: collect = {asked!r} is no port: {HINT}"
