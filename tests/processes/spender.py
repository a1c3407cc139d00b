"""Makes model calls until a budget stops it; prints how many were sent and what stopped it."""

import multiprocessing
import sys

import openai

import touchdown

if __name__ == "__main__" or multiprocessing.parent_process() is not None:
    touchdown.instrument()  # not in the tests' own process, which takes a function from here


def spend(most: int) -> int:
    """How many calls were sent."""
    with openai.OpenAI() as client:
        for sent in range(most):
            try:
                client.chat.completions.create(
                    model="gpt-5.4",
                    max_tokens=10,
                    messages=[{"role": "user", "content": f"call {sent}"}],
                )
            except touchdown.BudgetExceeded as exceeded:
                print(exceeded.unit, exceeded.limit, exceeded.budget, flush=True)
                return sent
    return most


if __name__ == "__main__":
    spend(int(sys.argv[1]))
