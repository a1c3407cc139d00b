"""The figures of all peers as one table of Markdown."""

import datetime
import os
import platform
from typing import Any

Result = dict[str, Any]
WHO = (("caller", "caller's thread"), ("process", "whole process"))


def rows(results: dict[str, Result]) -> dict[str, dict[str, str]]:
    """By figure and peer, the cells of the table."""
    table: dict[str, dict[str, str]] = {}
    for peer, found in results.items():
        for who, title in WHO:
            for name, counted in found.get("instructions", {}).items():
                row = table.setdefault(f"{name}, {title}, thousand instructions", {})
                row[peer] = f"{counted[who] / 1000:,.1f}"
        for who, title in WHO:
            for name, figures in found.get("calls", {}).items():
                spread = (figures[who]["high"] - figures[who]["low"]) / 2
                text = f"{figures[who]['median']:.1f} ± {spread:.1f}"
                table.setdefault(f"{name}, {title}, µs", {})[peer] = text
        for name, value in found.get("kept", {}).items():
            table.setdefault(f"kept, {name}", {})[peer] = f"{value:.1f}"
        if "start" in found:
            start = found["start"]
            table.setdefault("import and switching on, s of CPU", {})[peer] = f"{start['s']:.2f}"
            table.setdefault("import and switching on, MB", {})[peer] = f"{start['MB']:.1f}"
    return table


def print_table(results: dict[str, Result]) -> None:
    """The result, with what it was measured with."""
    print(f"{datetime.date.today()}, Python {platform.python_version()}, {platform.system()},")
    print(f"{os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    peers = [peer for peer, found in results.items() if "error" not in found]
    print("| added by | " + " | ".join(peers) + " |")
    print("|---|" + "---:|" * len(peers))
    for name, cells in sorted(rows(results).items(), key=_place):
        print(f"| {name} | " + " | ".join(cells.get(peer, "–") for peer in peers) + " |")
    print()
    for peer, found in results.items():
        versions = {**found.get("sdks", {}), **found.get("versions", {})}
        named = ", ".join(f"{name} {version}" for name, version in versions.items())
        print(f"* {peer}: {found.get('error', named)}")


def _place(row: tuple[str, object]) -> tuple[int, ...]:
    name = row[0]
    kinds = ("large", "tiny", "chunk")
    kind = next((n for n, each in enumerate(kinds) if each in name.split(",")[0]), 0)
    groups = ("instructions", "µs", "kept", "import")
    group = next(n for n, each in enumerate(groups) if each in name)
    return group, "process" in name, name.startswith("openai"), kind
