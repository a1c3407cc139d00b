"""From paths to sources: files, folders and globs, each file recognised by its content."""

import glob
import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from touchdown.sessions.files import packed_with
from touchdown.sessions.readers import recognise
from touchdown.sessions.source import LONG_HEAD_BYTES, Found, Problems, Source, read_head

UTF_16 = (b"\xff\xfe", b"\xfe\xff")
WILDCARDS = "*?["
JSON_BEGINS = (b"{", b"[")
JSON_NAMES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
SIDECAR = ".meta.json"
"""A small file beside a session that its reader opens by itself."""

_Key = tuple[str, str]
"""The name of a reader and a group."""
_File = tuple[str, int, Found]


def standard_places(environment: Mapping[str, str]) -> list[Path]:
    """Where Claude Code, Codex and Gemini CLI keep their sessions: the folders of these that are there."""
    return [place for place in possible_places(environment) if place.is_dir()]


def possible_places(environment: Mapping[str, str]) -> list[Path]:
    """Where they keep them, whether such a folder is there or not.

    Source: the vendors' documentation as of 2026-08; ``CLAUDE_CONFIG_DIR``, ``CODEX_HOME`` and
    ``GEMINI_CLI_HOME`` move them. A shell leaves a ``~`` behind a comma as it is.
    """

    def place(path: str) -> Path:
        return Path(os.path.expanduser(path))

    own = [part.strip() for part in environment.get("CLAUDE_CONFIG_DIR", "").split(",")]
    claude = [place(part) for part in own if part] or [
        place("~/.claude"),
        place("~/.config/claude"),
    ]
    codex = place(environment.get("CODEX_HOME", "") or "~/.codex")
    gemini = place(environment.get("GEMINI_CLI_HOME", "") or "~") / ".gemini"
    places = [*(part / "projects" for part in claude), codex / "sessions"]
    return [*places, codex / "archived_sessions", gemini / "tmp"]


def find_sources(paths: Iterable[str], problems: Problems) -> list[Source]:
    """The sources that these files, folders and globs hold, in the order in which they are to be read.

    A file that was named and cannot be used is told to ``problems``; of a folder only how many files
    were no sessions.
    """
    groups: defaultdict[_Key, list[_File]] = defaultdict(list)
    seen: set[str] = set()
    for path in paths:
        strangers: list[str] = []
        for file, named in _files(path, problems):
            real = os.path.realpath(file)
            if real in seen:
                continue
            seen.add(real)
            told = problems.told
            known = _recognised(file, named, problems)
            if known is not None:
                reader, size, found = known
                groups[reader, found.group or real].append((file, size, found))
            elif not named and file.endswith(JSON_NAMES) and problems.told == told:
                strangers.append(file)
        if strangers:
            problems.add(path, _said_of(strangers, path))
    sources = (_source(*key, files) for key, files in _joined(groups).items())
    return sorted(sources, key=_order)


def _said_of(strangers: Sequence[str], folder: str) -> str:
    first = os.path.relpath(strangers[0], folder) if os.path.isdir(folder) else strangers[0]
    if len(strangers) == 1:
        return f"1 JSON file in it is no session that can be read: {first}"
    return (
        f"{len(strangers):,} JSON files in it are no sessions that can be read, the first: {first}"
    )


def _joined(groups: Mapping[_Key, list[_File]]) -> dict[_Key, list[_File]]:
    """The groups, each with those that are part of it, however deep they lie."""
    parents = {
        (reader, name): (reader, found.within)
        for (reader, name), files in groups.items()
        for _, _, found in files
        if found.within
    }
    joined: defaultdict[_Key, list[_File]] = defaultdict(list)
    for key, files in groups.items():
        root, seen = key, {key}
        while (above := parents.get(root)) is not None and above not in seen:
            seen.add(above)
            root = above
        joined[root] += files
    return joined


def _source(reader: str, group: str, files: list[_File]) -> Source:
    files = sorted(files, key=lambda file: (file[2].side, file[2].started, file[0]))
    return Source(
        reader=reader,
        paths=tuple(path for path, _, _ in files),
        size=sum(size for _, size, _ in files),
        group=group if any(found.group for _, _, found in files) else "",
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
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            if named:
                problems.add(path, "is no file")
            return None
        head = read_head(path)
        known = recognise(head)
        if known is None and head.size > len(head.data) and head.data.lstrip()[:1] in JSON_BEGINS:
            head = read_head(path, LONG_HEAD_BYTES)
            known = recognise(head)
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            problems.add(path, "there is no such file or folder")
        else:
            problems.refused(path, error)
        return None
    if known is not None:
        return known[0].name, status.st_size, known[1]
    if named or _is_session_unread(path, head.data):
        problems.add(path, *_why_unknown(head.data))
    return None


def _is_session_unread(path: str, data: bytes) -> bool:
    """Whether a file of a folder may well be a session, in a form that is not read."""
    json = path.endswith(JSON_NAMES)
    return (json and data.startswith(UTF_16)) or (".json" in path and bool(packed_with(data)))


def _why_unknown(data: bytes) -> tuple[str, str]:
    if not data.strip():
        return "is empty", ""
    if data.startswith(UTF_16):
        return "is text in UTF-16, not UTF-8", "convert it with iconv"
    if packed := packed_with(data):
        return f"is compressed with {packed}", "unpack it first; only gzip is read as it is"
    return "is no session that touchdown can read", "docs/new-source.md lists those it can"
