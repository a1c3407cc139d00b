"""The canary: a word that is planted wherever content can live, and looked for in everything that leaves."""

MARK = "qzxw"
"""No hex digit, no word: it stands nowhere by chance."""


def canary(where: str = "", times: int = 12) -> str:
    """Text that cannot be cut into pieces of 12 characters without a whole mark in each."""
    return " ".join([MARK] * times) + (f" ({where})" if where else "")


def finds(text: str | bytes) -> list[str]:
    """Where the mark stands in what left: each with a few characters around it."""
    whole = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    lower, found, at = whole.lower(), [], 0
    while (at := lower.find(MARK, at)) >= 0:
        found.append(whole[max(0, at - 80) : at + 40])
        at += 40
    return found
