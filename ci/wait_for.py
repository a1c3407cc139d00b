"""Wait until a URL answers 200: wait_for.py URL SECONDS."""

import sys
import time
from urllib.error import URLError
from urllib.request import urlopen


def answers(url: str) -> bool:
    """True when the URL answers now."""
    try:
        with urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    url, patience_s = sys.argv[1], float(sys.argv[2])
    began = time.monotonic()
    while not answers(url):
        if time.monotonic() - began > patience_s:
            raise SystemExit(f"{url} did not answer within {patience_s:g} s")
        time.sleep(0.25)
    print(f"{url} answered after {time.monotonic() - began:.1f} s")
