"""The receipt that README shows, and the one that the demo prints, as paragraphs that can be compared."""

import re
from collections.abc import Iterator

LEFT_OUT = ("time", "tokens", "models", "tools", "not observable")
"""How the paragraphs of a receipt begin that README does not show."""

_BLOCK = re.compile(r"^## A receipt\n.*?^```\n(?P<receipt>.*?)^```", re.M | re.S)
_BARS = re.compile(r"[█▉▊▋▌▍▎▏]+")
_VARYING = (
    # Money and tokens follow the words of the Python that runs the agent's tests, durations the machine.
    (re.compile(r"~?\$[\d.,]+"), "$"),
    (re.compile(r"[\d.]+%"), "%"),
    (re.compile(r"[\d,]+ tokens\b"), "n tokens"),
    (re.compile(r"\btoken \d+"), "token n"),
    (re.compile(r"[\d.]+ m?s\b"), "time"),
)


_OF_TIME_ALONE = re.compile(r"^  [a-z_]+  [^$\n]*\n(?:    .*\n?)*", re.M)
"""A finding without money: which waits are long enough to be told, the machine decides."""
_MORE = re.compile(r"^  and \d+ findings? more .*$", re.M)


def in_readme(text: str) -> str:
    """The receipt of the page, as it is pasted there."""
    found = _BLOCK.search(text)
    assert found is not None, "README has no block under 'A receipt'"
    return found["receipt"]


def for_readme(printed: str) -> str:
    """What of the demo's output belongs into README: its first receipt, less what is left out."""
    receipt = printed.partition("\nwhat could have been saved\n")[0]
    kept = [part for part in receipt.strip("\n").split("\n\n") if not _is_left_out(part)]
    return "\n\n".join(kept) + "\n"


def form(receipt: str) -> Iterator[list[str]]:
    """Each paragraph as its words, without bars, line ends and the figures that vary."""
    for part in receipt.strip("\n").split("\n\n"):
        text = _BARS.sub("", part)
        if text.startswith("what to mend"):
            text = _MORE.sub("", _OF_TIME_ALONE.sub("", text))
        for varying, shown in _VARYING:
            text = varying.sub(shown, text)
        yield text.split()


def _is_left_out(part: str) -> bool:
    return part.strip().startswith(LEFT_OUT)
