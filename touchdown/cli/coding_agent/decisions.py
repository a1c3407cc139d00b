"""What the scripted model decides, looking at how far the conversation is. Everything else is real."""

from touchdown.cli.coding_agent.repository import BUGGY_LINE, FIXED_LINE
from touchdown.testing import Fault, Reply, Request, ToolUse

DIFF = f"--- shop/cart.py\n-{BUGGY_LINE}\n+{FIXED_LINE}\n"

Step = tuple[str, ToolUse]

SEARCH: list[Step] = [
    ("I look at what there is.", ToolUse("list_files", {})),
    ("The cart, then.", ToolUse("read_file", {"path": "cart.py"})),
    ("It lies in the package.", ToolUse("read_file", {"path": "shop/cart.py"})),
    ("Which test fails?", ToolUse("run_tests", {})),
    ("What does that test ask for?", ToolUse("read_file", {"path": "tests/test_cart.py"})),
    (
        "Each line is discounted, and then the sum is again: the second one goes.",
        ToolUse("edit_file", {"path": "shop/cart.py", "old": BUGGY_LINE, "new": FIXED_LINE}),
    ),
    ("Does it hold?", ToolUse("run_tests", {})),
    ("A second pair of eyes.", ToolUse("ask_review", {"diff": DIFF})),
]
FAILED_STEP = 1
"""The step that reads a path that does not exist."""
LIMITED_STEP = 4
"""Before this step the provider once answers 429."""


class Decisions:
    """The replies of one run. The mended agent knows where files lie and is not rate limited."""

    def __init__(self, *, mended: bool) -> None:
        self._steps = [step for n, step in enumerate(SEARCH) if not mended or n != FAILED_STEP]
        self._limited = mended

    def __call__(self, request: Request) -> Reply | Fault:
        """The reply to one request."""
        if request.api != "anthropic.messages":
            return Reply(
                "The discount is now taken once, on each line. The change is right; merge it."
            )
        done = len(request.tool_results)
        if done == LIMITED_STEP and not self._limited:
            self._limited = True
            return Fault(429, headers={"retry-after": "0.2"})
        if done >= len(self._steps):
            return Reply("The discount was taken twice. It is taken once now, and all tests pass.")
        text, use = self._steps[done]
        return Reply(text, tool_uses=[use])
