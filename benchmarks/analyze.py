"""How fast `touchdown analyze` reads a Claude Code folder, beside ccusage on the same folder.

Run ``python benchmarks/analyze.py [--mb 1024] [--ccusage PATH] [--folder FOLDER]``. Without ``--folder`` one
is made in the shapes of real transcripts: an API message over several lines, tool results with their
structured twin, sub-agents in files of their own, attachments, compaction, and copies by resume. Both
programs then read it in turn. CPU time is that of all processes of a program; peak memory is the sum
over its processes of what only they hold and their part of what they share (Linux).

``--ccusage`` names the program of ``npm install ccusage@20 @ccusage/ccusage-linux-x64``; without it only
ours runs.
"""

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

MB = 10**6
START = datetime(2026, 6, 1, 8, tzinfo=timezone.utc)
WORDS = ("context", "return", "def", "import", "self", "error", "test", "value", "for", "in", "the",
         "path", "if", "None", "assert", "build", "request", "token", "cache", "agent", "\n    ", "\t", '"',
         "/src/app/main.py", "0x7f", "1024", "→", "=", "(", ")")  # fmt: skip
COMPACT_AT = 150_000
"""Tokens of context at which a session is compacted."""


class Writer:
    """Writes one session: lines in the shapes of Claude Code 2.1."""

    def __init__(self, random_numbers: random.Random, session: str, pool: str) -> None:
        self.numbers = random_numbers
        self.session = session
        self.pool = pool
        self.at = START + timedelta(minutes=random_numbers.randrange(60 * 24 * 60))
        self.parent: str | None = None
        self.agent: str | None = None
        self.tokens = 18_000
        self.cached = 0

    def text(self, size: int) -> str:
        """Text as code and logs are, different each time."""
        begin = self.numbers.randrange(max(len(self.pool) - size, 1))
        return self.pool[begin : begin + size]

    def id(self, prefix: str = "") -> str:
        return f"{prefix}{self.numbers.getrandbits(96):024x}"

    def line(self, kind: str, seconds: float, **fields: Any) -> bytes:
        self.at += timedelta(seconds=seconds)
        uuid = self.id()
        value = {
            "parentUuid": self.parent, "isSidechain": self.agent is not None, "userType": "external",
            "cwd": "/workspace/project", "sessionId": self.session, "version": "2.1.157", "gitBranch": "main",
            **({"agentId": self.agent} if self.agent else {}),
            "type": kind, **fields, "uuid": uuid,
            "timestamp": self.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }  # fmt: skip
        self.parent = uuid
        return encoded(value)

    def prompt(self) -> Iterator[bytes]:
        """What a user types, and the reminder that comes with it."""
        said = {"role": "user", "content": self.text(self.numbers.randrange(40, 900))}
        yield self.line("user", 30 * self.numbers.random(), message=said)
        content = {"type": "skill_listing", "content": self.text(600), "isInitial": False}
        yield self.line("attachment", 0, attachment=content)

    def turn(self, last: bool) -> Iterator[bytes]:
        """One API message over its lines, then the results it asked for."""
        size = max(int(self.numbers.lognormvariate(7.6, 1.1)), 60)
        call = self.id("toolu_")
        blocks: list[dict[str, Any]] = []
        if self.numbers.random() < 0.5:
            blocks.append({"type": "thinking", "thinking": "", "signature": self.text(700)})
        if self.numbers.random() < 0.5 or last:
            blocks.append({"type": "text", "text": self.text(self.numbers.randrange(80, 1600))})
        if not last:
            asked = {
                "command": self.text(self.numbers.randrange(40, 900)),
                "description": self.text(40),
            }
            blocks.append({"type": "tool_use", "id": call, "name": "Bash", "input": asked})
        output = sum(len(json.dumps(block)) for block in blocks) // 4
        yield from self.answer(blocks, output, "end_turn" if last else "tool_use")
        if not last:
            yield self.result(call, min(size, 60_000))
        self.tokens += output

    def answer(self, blocks: Sequence[dict[str, Any]], output: int, stop: str) -> Iterator[bytes]:
        new = self.tokens - self.cached
        usage = {
            "input_tokens": 4, "cache_creation_input_tokens": new, "cache_read_input_tokens": self.cached,
            "output_tokens": output, "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
            "service_tier": "standard",
            "cache_creation": {"ephemeral_1h_input_tokens": 0, "ephemeral_5m_input_tokens": new},
            "inference_geo": "not_available", "iterations": [], "speed": "standard",
        }  # fmt: skip
        self.cached = self.tokens
        model = "claude-haiku-4-5-20251001" if self.agent else "claude-opus-4-8"
        name, request = self.id("msg_"), self.id("req_")
        for block in blocks:
            message = {
                "model": model, "id": name, "type": "message", "role": "assistant", "content": [block],
                "stop_reason": stop, "stop_sequence": None, "usage": usage,
            }  # fmt: skip
            yield self.line("assistant", 1.5, requestId=request, message=message)

    def result(self, call: str, size: int) -> bytes:
        text = self.text(size)
        failed = self.numbers.random() < 0.05
        block = {"tool_use_id": call, "type": "tool_result", "content": text, "is_error": failed}
        twin = {"stdout": text, "stderr": "", "interrupted": False, "isImage": False}
        self.tokens += size // 4
        said = {"role": "user", "content": [block]}
        return self.line("user", 2.0, message=said, toolUseResult=twin)

    def compact(self) -> Iterator[bytes]:
        """History replaced by a summary."""
        self.parent = None
        meta = {"trigger": "auto", "preTokens": self.tokens}
        yield self.line(
            "system", 5, subtype="compact_boundary", compactMetadata=meta, content="compacted"
        )
        said = {"role": "user", "content": self.text(8000)}
        yield self.line("user", 1, isCompactSummary=True, message=said)
        self.tokens, self.cached = 20_000, 16_000


def encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def make_folder(folder: Path, size: int, seed: int = 4) -> int:
    """Sessions below ``folder`` until it holds ``size`` bytes; how many it holds."""
    numbers = random.Random(seed)
    pool = " ".join(numbers.choices(WORDS, k=200_000))
    written, sessions = 0, 0
    while written < size:
        sessions += 1
        session = f"{numbers.getrandbits(128):032x}"
        project = folder / "projects" / f"-workspace-project-{sessions % 7}"
        limit = min(int(numbers.lognormvariate(14.6, 0.8)), 40 * MB, max(size - written, 200_000))
        whole = write_session(project, Writer(numbers, session, pool), limit)
        written += whole
        if sessions % 20 == 0 and whole < 8 * MB:
            written += copy_session(project, session, f"{numbers.getrandbits(128):032x}")
    return written


def write_session(project: Path, writer: Writer, limit: int) -> int:
    """One session of about ``limit`` bytes, with sub-agents in files of their own."""
    project.mkdir(parents=True, exist_ok=True)
    written, turns = 0, 0
    with open(project / f"{writer.session}.jsonl", "wb") as file:
        while written < limit:
            lines = [*writer.prompt()]
            for number in range(12):
                lines += writer.turn(last=number == 11)
                if writer.tokens > COMPACT_AT:
                    lines += writer.compact()
            written += sum(map(len, lines))
            file.writelines(lines)
            turns += 1
            if turns % 5 == 0:
                written += write_agent(project / writer.session / "subagents", writer)
    return written


def write_agent(folder: Path, parent: Writer) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(parent.numbers, parent.session, parent.pool)
    writer.at, writer.agent, writer.tokens = parent.at, parent.id()[:17], 9_000
    lines = [*writer.prompt()]
    for number in range(15):
        lines += writer.turn(last=number == 14)
    data = b"".join(lines)
    (folder / f"agent-{writer.agent}.jsonl").write_bytes(data)
    return len(data)


def copy_session(project: Path, session: str, name: str) -> int:
    """A resumed copy: the same messages in a file of another session."""
    data = (project / f"{session}.jsonl").read_bytes().replace(session.encode(), name.encode())
    (project / f"{name}.jsonl").write_bytes(data)
    return len(data)


@dataclass
class Run:
    """One run of a program. Units: seconds, bytes."""

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    output: str = ""
    calls: int | None = None
    usd: Decimal = Decimal(0)
    tokens: dict[str, int] = field(default_factory=dict)


def run(command: Sequence[str], **environment: str) -> Run:
    """Run a program to its end and measure it with all its children."""
    done = Run()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
    )
    ended = threading.Event()
    watch = threading.Thread(target=watch_memory, args=(process.pid, done, ended))
    watch.start()
    done.output, _ = process.communicate()
    done.wall_s = time.perf_counter() - began
    ended.set()
    watch.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    done.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}")
    return done


def watch_memory(root: int, done: Run, ended: threading.Event) -> None:
    while not ended.wait(0.1):
        done.peak_bytes = max(done.peak_bytes, sum(map(held_by, family(root))))


def family(root: int) -> list[int]:
    found = [root]
    for pid in found:
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def held_by(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(
        (int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:")), 0
    )


def ours(folder: Path) -> Run:
    """`touchdown analyze` as people run it; totals from a second run as JSON, not measured."""
    command = [sys.executable, "-m", "touchdown", "analyze", str(folder)]
    done = run(command)
    found = json.loads(run([*command, "--by", "month", "--json"]).output)
    usage = [group["usage"] for group in found["analysis"]["groups"]]
    done.calls = sum(group["model_calls"] for group in found["analysis"]["groups"])
    done.usd = Decimal(found["summary"]["total_usd"])
    done.tokens = {
        "input": sum(part["uncached_input"] for part in usage),
        "cache write": sum(sum((part["cache_write"] or {}).values()) for part in usage),
        "cache read": sum(part["cache_read"] for part in usage),
        "output": sum(part["output"] for part in usage),
    }
    return done


def theirs(program: str, folder: Path) -> Run:
    """ccusage on the same folder."""
    command = [program, "claude", "monthly", "--json", "--offline"]
    done = run(command, CLAUDE_CONFIG_DIR=str(folder))
    found = json.loads(done.output)["totals"]
    done.usd = Decimal(str(found["totalCost"]))
    names = ("inputTokens", "cacheCreationTokens", "cacheReadTokens", "outputTokens")
    done.tokens = {
        name: found[key]
        for name, key in zip(("input", "cache write", "cache read", "output"), names, strict=True)
    }
    return done


def report(size: int, files: int, runs: dict[str, Run]) -> None:
    print(f"{size / MB:,.0f} MB in {files:,} files, {len(os.sched_getaffinity(0))} cores\n")
    print(
        f"{'':12}{'MB/s':>8}{'wall s':>9}{'CPU s':>8}{'MB/CPU s':>10}{'peak MB':>9}{'calls':>9}{'USD':>14}"
    )
    for name, done in runs.items():
        calls = f"{done.calls:,}" if done.calls is not None else "-"
        print(
            f"{name:12}{size / MB / done.wall_s:8.0f}{done.wall_s:9.2f}{done.cpu_s:8.2f}"
            f"{size / MB / done.cpu_s:10.0f}{done.peak_bytes / MB:9.0f}{calls:>9}{done.usd:14,.4f}"
        )
    if len(runs) == 2:
        compare(*runs.values())


def compare(mine: Run, other: Run) -> None:
    print(f"\nspeed beside ccusage: {other.wall_s / mine.wall_s:.2f} by the clock, "
          f"{other.cpu_s / mine.cpu_s:.2f} by CPU time")  # fmt: skip
    print(f"\n{'tokens':12}{'touchdown':>18}{'ccusage':>18}{'difference':>14}")
    for name, tokens in mine.tokens.items():
        print(f"{name:12}{tokens:18,}{other.tokens[name]:18,}{tokens - other.tokens[name]:14,}")
    print(f"{'USD':12}{mine.usd:18,.4f}{other.usd:18,.4f}{mine.usd - other.usd:14,.4f}\n")
    for rule in RULES if mine.tokens != other.tokens or abs(mine.usd - other.usd) > 0.01 else SAME:
        print(f"  - {rule}")


SAME = (
    "no difference: every message has a requestId and one usage, and both price it by the same list",
)
RULES = (
    "a message without requestId: ccusage counts each of its lines, touchdown the message once",
    "JSON with spaces behind its colons: ccusage sees no usage in it, touchdown reads it",
    "a model that no list names: both give it no price, touchdown says the total is incomplete",
)
"""Where the two rules differ; tests/sessions/test_ccusage.py holds each with its figures."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--mb", type=int, default=1024, help="size of the folder to make (default: 1024)"
    )
    parser.add_argument(
        "--folder", type=Path, help="read this folder (it holds `projects`) instead"
    )
    parser.add_argument(
        "--ccusage", default=shutil.which("ccusage"), help="the program to run beside"
    )
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = args.folder or Path(made)
        if args.folder is None:
            make_folder(folder, args.mb * MB)
        paths = list(folder.rglob("*.jsonl"))
        runs = {"touchdown": ours(folder)}
        if args.ccusage:
            runs["ccusage"] = theirs(args.ccusage, folder)
        report(sum(path.stat().st_size for path in paths), len(paths), runs)


if __name__ == "__main__":
    main()
