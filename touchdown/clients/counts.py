"""Counts that contradict themselves, in the words both readers use."""

NEGATIVE = "contradictory usage: a negative token count"


def known(*counts: int | None) -> list[int]:
    """Those that were reported; 0 when none was."""
    return [count for count in counts if count is not None] or [0]


def too_much_reasoning(reasoning: int | None, output: int | None) -> tuple[str, ...]:
    """What is wrong when the reasoning inside the output is more than the output."""
    if reasoning is None or output is None or reasoning <= output:
        return ()
    return (f"contradictory usage: {reasoning} reasoning of {output} output tokens",)
