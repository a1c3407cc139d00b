"""What it costs to fold one more call, by how long its history is.

Run ``python benchmarks/fold.py [--json]``. A session of one agent grows to 1,000 messages: at each call the
model asks for a tool and one result comes back, so that a call has two new messages and everything before
is repeated. Calls are folded by a ledger one after another, as live; the figure is the median of
``time.thread_time`` per fold near 10, 100 and 1,000 messages, of the best of several runs per call. What is
claimed is the ratio of the last to the first: folding costs what is new, not what was there before.
"""

import argparse
import gc
import json
import statistics
import time

from touchdown.accounting.ledger import Ledger
from touchdown.context.blocks import Block, RequestView
from touchdown.context.tracker import ContextTracker
from touchdown.prices.book import PriceBook
from touchdown.records import ContextShape, ModelCall, Output, ToolRequest, Usage

MESSAGES = (10, 100, 1_000)
NEAR = 8
RUNS = 5
MODEL = "claude-sonnet-5"


def record_session(messages: int) -> list[ModelCall]:
    """The model calls of one agent whose every request is the one before and two messages more."""
    tracker = ContextTracker(b"key")
    blocks = [
        Block("tools", {"name": "read_file", "description": "Reads a file. " * 20}),
        Block("system", "You work on a repository. " * 80, "system"),
        Block("user", "Make the tests pass.", "user"),
    ]
    calls: list[ModelCall] = []
    tokens = read = 900
    for number in range(messages // 2):
        if number:
            blocks = [*blocks, *_new_messages(number)]
            tokens += 600
        shape = tracker.shape(f"call-{number}", RequestView(list(blocks), caching="explicit"))
        calls.append(_call(number, shape, tokens, read if number else 0))
        read = tokens
    return calls


def _new_messages(number: int) -> list[Block]:
    call_id, name = f"toolu_{number}", "read_file"
    asked = {"type": "tool_use", "id": call_id, "name": name, "input": {"path": f"{number}.py"}}
    lines = f"    total_{number} = price(usage, rates[{number}]) + fee\n" * 25
    found = {"type": "tool_result", "tool_use_id": call_id, "content": lines}
    return [
        Block("tool_use", asked, "assistant", call_id, name),
        Block("tool_result", found, "user", call_id, name, result_text=lines),
    ]


def _call(number: int, shape: ContextShape, tokens: int, read: int) -> ModelCall:
    return ModelCall(
        id=f"call-{number}",
        task_id="task",
        agent_id="agent",
        api="messages",
        operation="chat",
        provider="anthropic",
        vendor="anthropic",
        sent_at_ns=number * 5 * 10**9,
        duration_ns=2 * 10**9,
        usage=Usage(
            uncached=0,
            cache_read=read,
            cache_write={"5m": tokens - read},
            output=60,
            completeness="full",
        ),
        context=shape,
        host="api.anthropic.com",
        model=MODEL,
        output=Output(0, 0, (ToolRequest(f"toolu_{number + 1}", "read_file", 20),)),
    )


def measure() -> dict[int, float]:
    """Microseconds per fold, by the messages in the call's request."""
    calls = record_session(max(MESSAGES) + 2 * NEAR)
    prices = PriceBook()
    best = [float("inf")] * len(calls)
    for _ in range(RUNS):
        ledger = Ledger(prices)
        gc.collect()
        gc.disable()
        for number, call in enumerate(calls):
            began = time.thread_time()
            ledger.add(call)
            best[number] = min(best[number], time.thread_time() - began)
        gc.enable()
    found = {}
    for messages in MESSAGES:
        middle = messages // 2
        near = best[max(middle - NEAR // 2, 1) : middle + NEAR // 2]
        found[messages] = statistics.median(near) * 1e6
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What it costs to fold one more call.")
    parser.add_argument("--json", action="store_true", help="figures as JSON")
    asked = parser.parse_args()
    found = measure()
    ratio = found[MESSAGES[-1]] / found[MESSAGES[0]]
    if asked.json:
        print(json.dumps({"microseconds": found, "ratio": round(ratio, 2)}))
        return
    print("messages in the request   microseconds to fold the call")
    for messages, cost in found.items():
        print(f"{messages:>23,}   {cost:>29.0f}")
    print(f"\n{MESSAGES[-1]:,} messages against {MESSAGES[0]}: {ratio:.2f} x (to stay within 2 x)")


if __name__ == "__main__":
    main()
