"""Add up pytest's closing lines in the logs given, and close with one of the same kind."""

import re
import sys
from collections import Counter
from pathlib import Path

CLOSING = re.compile(r"^=* ?(?=\d)(.* in [\d.]+s.*?) ?=*$", re.MULTILINE)
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)")


def tally(logs: list[Path]) -> Counter[str]:
    """How many tests passed, failed and were skipped in all the logs; an error is a failure."""
    counts: Counter[str] = Counter()
    for log in logs:
        for closing in CLOSING.findall(log.read_text(encoding="utf-8", errors="replace")):
            for number, word in COUNT.findall(closing):
                counts["failed" if word.startswith("error") else word] += int(number)
    return counts


if __name__ == "__main__":
    total = tally([Path(name) for name in sys.argv[1:]])
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped")
