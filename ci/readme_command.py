"""Print the line of README.md's code blocks that ends as told, so that CI runs what readers run."""

import re
import sys
from pathlib import Path

BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def command_ending_in(ending: str, readme: str) -> str:
    """The one line of any code block that installs something and then runs ``ending``."""
    lines: list[str] = [
        line.strip() for block in BLOCK.findall(readme) for line in block.splitlines()
    ]
    found = {
        line for line in lines if line.startswith("pip install") and line.endswith(f"&& {ending}")
    }
    if len(found) != 1:
        raise SystemExit(
            f"README.md has {len(found)} different commands ending in '&& {ending}', not 1"
        )
    return found.pop()


if __name__ == "__main__":
    print(command_ending_in(sys.argv[1], Path("README.md").read_text(encoding="utf-8")))
