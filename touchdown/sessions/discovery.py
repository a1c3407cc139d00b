"""From paths to sources: files, folders and globs, each file recognised by its content."""

import glob
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from touchdown.sessions.readers import recognise
from touchdown.sessions.source import Found, Problems, Source, read_head

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
WILDCARDS = "*?["
JSON_NAMES = (".json", ".jsonl")
SIDECAR = ".meta.json"
"""A small file beside a session that its reader opens by itself."""


def standard_places(environment: Mapping[str, str]) -> list[Path]:
    """Where Claude Code and Codex keep their sessions: the folders of these that are there.

    Source: the vendors' documentation as of 2026-08; ``CLAUDE_CONFIG_DIR`` and ``CODEX_HOME`` move them.
    """
    home = Path(os.path.expanduser("~"))
    own = [Path(part.strip()) for part in environment.get("CLAUDE_CONFIG_DIR", "").split(",")]
    claude = [part for part in own if part.parts] or [home / ".claude", home / ".config" / "claude"]
    codex = Path(environment.get("CODEX_HOME", "") or home / ".codex")
    places = [*(part / "projects" for part in claude), codex / "sessions"]
    return [place for place in places if place.is_dir()]


def find_sources(paths: Iterable[str], problems: Problems) -> list[Source]:
    """The sources that these files, folders and globs hold, in the order in which they are to be read.

    A file that was named and cannot be used is told to ``problems``; of a folder only how many files
    were no sessions.
    """
    groups: defaultdict[tuple[str, str], list[tuple[str, int, Found]]] = defaultdict(list)
    seen: set[str] = set()
    for path in paths:
        strangers = 0
        for file, named in _files(path, problems):
            real = os.path.realpath(file)
            if real in seen:
                continue
            seen.add(real)
            known = _recognised(file, named, problems)
            if known is not None:
                reader, size, found = known
                groups[reader, found.group or real].append((file, size, found))
            elif not named and file.endswith(JSON_NAMES):
                strangers += 1
        if strangers:
            noun = (
                "JSON file in it is no session"
                if strangers == 1
                else "JSON files in it are no sessions"
            )
            problems.add(path, f"{strangers} {noun} that can be read")
    return sorted((_source(reader, files) for (reader, _), files in groups.items()), key=_order)


def _source(reader: str, files: list[tuple[str, int, Found]]) -> Source:
    files = sorted(files, key=lambda file: (file[2].side, file[2].started, file[0]))
    return Source(
        reader=reader,
        paths=tuple(path for path, _, _ in files),
        size=sum(size for _, size, _ in files),
        group=files[0][2].group,
        started=min((found.started for _, _, found in files if found.started), default=""),
        copy=all(found.copy for _, _, found in files),
    )


def _order(source: Source) -> tuple[bool, str, float, tuple[str, ...]]:
    try:
        changed = os.stat(source.paths[0]).st_mtime
    except OSError:
        changed = 0.0
    return source.copy, source.started, changed, source.paths


def _files(path: str, problems: Problems) -> Iterator[tuple[str, bool]]:
    """The files that a path stands for, and whether each was named by the user."""
    path = os.path.expanduser(path)
    if os.path.isdir(path):
        yield from ((file, False) for file in _below(path, problems))
    elif os.path.lexists(path) or not any(sign in path for sign in WILDCARDS):
        yield path, True
    else:
        matched = sorted(glob.glob(path, recursive=True))
        if not matched:
            problems.add(path, "nothing matches")
        for one in matched:
            inside = _below(one, problems) if os.path.isdir(one) else [one]
            yield from ((file, False) for file in inside)


def _below(folder: str, problems: Problems) -> Iterator[str]:
    def refused(error: OSError) -> None:
        problems.refused(str(error.filename or folder), error)

    for at, folders, files in os.walk(folder, onerror=refused):
        folders.sort()
        yield from (os.path.join(at, name) for name in sorted(files) if not name.endswith(SIDECAR))


def _recognised(path: str, named: bool, problems: Problems) -> tuple[str, int, Found] | None:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            if named:
                problems.add(path, "is no file")
            return None
        head = read_head(path)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            problems.add(path, "there is no such file or folder")
        else:
            problems.refused(path, error)
        return None
    known = recognise(head)
    if known is not None:
        return known[0].name, head.size, known[1]
    if named:
        problems.add(path, *_why_unknown(head.data))
    return None


def _why_unknown(data: bytes) -> tuple[str, str]:
    if not data.strip():
        return "is empty", ""
    if data.startswith(UTF_16):
        return "is text in UTF-16, not UTF-8", "convert it with iconv"
    return "is no session that touchdown can read", "docs/new-source.md lists those it can"
