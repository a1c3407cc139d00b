"""The agent: a loop on the anthropic SDK with a reviewer on the openai SDK, as people write them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import touchdown
from touchdown.cli.coding_agent.repository import create, run_suite
from touchdown.cli.coding_agent.tools import REVIEW, SCHEMAS, Tool, make_tools

MODEL, REVIEW_MODEL = "claude-sonnet-5", "gpt-5.4-mini"
CACHED = {"type": "ephemeral"}
MOST_STEPS = 20

RULES = "\n".join(
    f"Rule {n}: {text}"
    for n, text in enumerate(
        [
            "Look before you change anything, and read the test that fails before the code that it tests.",
            "Change as little as mends the fault, and leave the style of the file as it is.",
            "Never edit a test to make it pass; if a test is wrong, say so and stop.",
            "Run the whole suite after each change, and read its output to the end.",
            "Name the cause in one sentence before you mend it, and the evidence in the next.",
            "Amounts of money are whole cents; a float in them is a fault of its own.",
            "A discount applies once, to one amount, and half a cent goes to the customer.",
            "Public functions have a docstring that says what they give back, with its unit.",
            "Nothing is printed by library code, and nothing is read from the environment.",
            "An error message names the value that was wrong and what would have been right.",
            "Ask the reviewer before you finish, and mend what is found in a step of its own.",
            "The last message says what was wrong, what was changed, and that the suite passes.",
        ]
        * 6,
        start=1,
    )
)
SYSTEM = "You are a careful engineer who mends faults in a small Python repository.\n" + RULES


@dataclass
class Agent:
    """One agent on one repository; ``mended`` keeps the system prompt and tools the same on every call."""

    root: Path
    anthropic: Any
    openai: Any
    mended: bool
    say: Callable[[str], None]

    def solve(self, goal: str) -> bool:
        """Work on `goal` until the model asks for nothing more; true when the suite then passes."""
        create(self.root)
        tools = make_tools(self.root, self.review)
        messages: list[dict[str, Any]] = [{"role": "user", "content": goal}]
        for step in range(MOST_STEPS):
            answer = self.anthropic.messages.create(
                model=MODEL,
                max_tokens=1000,
                system=[{"type": "text", "text": self.system(step), "cache_control": CACHED}],
                tools=self.tools(step),
                messages=_with_breakpoint(messages),
            )
            messages.append({"role": "assistant", "content": answer.content})
            results = [
                self.use(tools, block) for block in answer.content if block.type == "tool_use"
            ]
            if not results:
                break
            messages.append({"role": "user", "content": results})
        return run_suite(self.root).returncode == 0

    def system(self, step: int) -> str:
        """The system prompt; as written it begins with the time, which is another one on some calls."""
        if self.mended:
            return SYSTEM
        return f"It is 09:{step // 3:02d}.\n{SYSTEM}"

    def tools(self, step: int) -> list[dict[str, Any]]:
        """The tool definitions; as written the review is only offered late."""
        return [*SCHEMAS, REVIEW] if self.mended or step >= 7 else SCHEMAS

    def use(self, tools: dict[str, Tool], block: Any) -> dict[str, Any]:
        """Run one tool the model asked for, and answer with its result or its error."""
        self.say(f"{block.name} {block.input.get('path', '')}".strip())
        result: dict[str, Any] = {"type": "tool_result", "tool_use_id": block.id}
        try:
            return {**result, "content": tools[block.name](**block.input)}
        except Exception as error:
            self.say(f"  failed: {error}")
            return {**result, "content": f"{type(error).__name__}: {error}", "is_error": True}

    @touchdown.agent("reviewer")
    def review(self, diff: str) -> str:
        """The sub-agent: another model, a context of its own."""
        answer = self.openai.responses.create(
            model=REVIEW_MODEL,
            instructions="You review changes. Say whether the change is right, in two sentences.\n"
            + RULES,
            input=f"Review this change:\n{diff}",
        )
        return str(answer.output_text)


def _with_breakpoint(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The conversation with a cache breakpoint on its last block."""
    last = messages[-1]
    content = last["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    blocks[-1] = {**blocks[-1], "cache_control": CACHED}
    return [*messages[:-1], {**last, "content": blocks}]


def progress(text: str) -> None:
    """One line of progress, on stderr."""
    print(f"  {text}", file=sys.stderr, flush=True)
