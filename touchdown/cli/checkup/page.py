"""The diagnosis as a person reads it."""

from collections.abc import Iterator

from touchdown.cli.checkup.diagnosis import (
    AddOn,
    Diagnosis,
    Double,
    Reach,
    Sdk,
    ServingHost,
    Setting,
)
from touchdown.report.format import count
from touchdown.report.layout import WIDTH, Line, Span, Style, labelled, paragraph, section, two_ends
from touchdown.report.render import Statement, plain
from touchdown.report.text import clean, pad
from touchdown.runtime.losses import in_words
from touchdown.telemetry.destinations import Destination

LABEL = 12
MOST_LABEL = 24
ABOVE = "(see above)"

STATES: dict[str, tuple[str, Style]] = {
    "patched": ("patched when your program imports it", "good"),
    "not_installed": ("not installed", "faint"),
    "refused": (f"not patched {ABOVE}", "bad"),
    "off": ("not patched: touchdown is off", "bad"),
}

DOUBLED = (
    "Where both are at work, a call has two spans, and a backend that adds up tokens counts it twice. "
    "The bill counts it once."
)

SIGNALS = {"traces": "spans", "metrics": "metrics"}


class Page:
    """The diagnosis, to be shown like a receipt."""

    def __init__(self, found: Diagnosis) -> None:
        self._found = found

    def __str__(self) -> str:
        """Plain text of 80 columns."""
        return plain(lines(self._found, WIDTH))

    def __rich__(self) -> Statement:
        """What rich shows on a terminal."""
        return Statement(lambda width: lines(self._found, width))


def lines(found: Diagnosis, width: int) -> list[Line]:
    """The whole page."""
    title = Span(f"touchdown {found.touchdown}, Python {found.python}", "strong")
    parts = (
        ("to mend", _numbered(found.problems, width)),
        ("captured", _captured(found, width)),
        ("sent to", _sent(found, width)),
        ("self-hosted engines", _serving(found, width)),
        ("settings", _settings(found, width)),
        ("prices", _prices(found, width)),
        ("not seen, so in no bill", _unseen(found, width)),
        ("who else traces these calls", _doubles(found, width)),
        ("lost by this process", _lost(found, width)),
    )
    page = [two_ends(title, _verdict(found), width)]
    for heading, body in parts:
        page += section(heading, list(body))
    return page


def _verdict(found: Diagnosis) -> Span:
    states = {sdk.state for sdk in found.sdks}
    if found.problems:
        return Span(f"{count(len(found.problems), 'thing')} to mend", "bad")
    if "off" in states:
        return Span("touchdown is off", "bad")
    if states == {"not_installed"}:
        return Span("nothing to capture", "bad")
    return Span("all well", "good")


def _row(
    label: str, text: str, width: int, style: Style = "plain", size: int = LABEL
) -> list[Line]:
    return labelled(pad(clean(label), size + 1), clean(text), width, style, most=6)


def _numbered(problems: list[str], width: int) -> Iterator[Line]:
    for number, problem in enumerate(problems, 1):
        yield from _row(f"{number}.", problem, width, "bad", size=1)


def _captured(found: Diagnosis, width: int) -> Iterator[Line]:
    hosts: list[Sdk | AddOn] = [*found.sdks, *found.integrations]
    size = max(LABEL, *(len(_named(host)) for host in hosts))
    for host in hosts:
        text, style = STATES[host.state]
        yield from _row(_named(host), text, width, style, size)
    if not found.integrations:
        yield from _row("integrations", "none installed", width, "faint", size)


def _named(host: Sdk | AddOn) -> str:
    name = host.name if isinstance(host, Sdk) else host.distribution
    return f"{name} {host.version}" if host.version else name


def _sent(found: Diagnosis, width: int) -> Iterator[Line]:
    export = found.export
    if export.disabled:
        yield from _row(
            "nowhere", "OTEL_SDK_DISABLED=true: no spans, no metrics; bills go on", width
        )
        return
    hints: set[str] = set()
    for signal, label in SIGNALS.items():
        each = [one for one in export.destinations if one.signal == signal]
        if not each:
            yield from _row(label, "nowhere, unless your program sets a provider", width)
        for destination in each:
            yield from _destination(label, destination, export.reached, width)
            hints.add(destination.hint)
    if not export.destinations:
        yield from _row("", "to send them: OTEL_EXPORTER_OTLP_ENDPOINT", width, "faint")
    for note in (*sorted(filter(None, hints)), *export.notes):
        yield from _row("", note, width, "faint")


def _destination(
    label: str, destination: Destination, reached: tuple[Reach, ...] | None, width: int
) -> Iterator[Line]:
    parts = [destination.url or destination.exporter, destination.protocol or ""]
    parts += ["with headers"] if destination.headers else []
    told = ", ".join(filter(None, parts))
    if destination.problem:
        yield from _row(label, f"{told}: does not work {ABOVE}", width, "bad")
        return
    yield from _row(label, told, width)
    for reach in reached or ():
        if (reach.host, reach.port) == (destination.host, destination.port):
            told = "somebody listens there" if reach.answers else f"nobody listens there {ABOVE}"
            yield from _row("", told, width, "good" if reach.answers else "bad")


def _serving(found: Diagnosis, width: int) -> Iterator[Line]:
    size = max((len(host.url) for host in found.serving), default=LABEL)
    for host in found.serving:
        text, style = _engine(host)
        yield from _row(host.url, text, width, style, size)
        if host.lacks:
            yield from _row(
                "", f"not in its metrics: {', '.join(host.lacks)}", width, "faint", size
            )


def _engine(host: ServingHost) -> tuple[str, Style]:
    if not host.looked:
        told = "" if host.kind == "auto" else f"{host.kind}, "
        return f"{told}named in {host.place}; --connect asks it who it is", "faint"
    told = host.engine or "not recognised"
    if host.problem:
        return f"{told} {ABOVE}", "bad"
    block = f", cache blocks of {count(host.block_tokens, 'token')}" if host.block_tokens else ""
    return told + block, "plain"


def _settings(found: Diagnosis, width: int) -> Iterator[Line]:
    names = [setting.name for setting in found.settings]
    size = max(len(name) for name in names if len(name) <= MOST_LABEL)
    for setting in found.settings:
        text, style = _effect(setting)
        label = setting.name
        if len(label) > size:
            yield from _row(label, "", width, size=len(label))
            label = ""
        yield from _row(label, text, width, style, size)


def _effect(setting: Setting) -> tuple[str, Style]:
    if setting.problem:
        return f"set: does not work {ABOVE}", "bad"
    if not setting.set:
        return f"not set: {setting.effect}", "faint"
    return f"set: {setting.effect}", "plain"


def _prices(found: Diagnosis, width: int) -> Iterator[Line]:
    prices = found.prices
    if prices.problem:
        yield from _row("book", f"cannot be read {ABOVE}", width, "bad")
    else:
        days = prices.age_days
        age = f", {count(max(days, 0), 'day')} ago" if days is not None else ""
        yield from _row("book", prices.book + age, width)
    if prices.config is None:
        yield from _row("your own", "none: no touchdown.toml here or above", width, "faint")
        return
    own = count(prices.own_prices, "price")
    yield from _row("your own", f"{own} in {prices.config}", width)
    if prices.config_problems:
        yield from _row("", f"not all of it can be used {ABOVE}", width, "bad")


def _unseen(found: Diagnosis, width: int) -> Iterator[Line]:
    for sdk in found.sdks:
        if sdk.state == "not_installed":
            continue
        by_reason: dict[str, list[str]] = {}
        for what, reason in sdk.not_captured.items():
            by_reason.setdefault(reason, []).append(what)
        label = sdk.name
        for reason, calls in by_reason.items():
            yield from _row(label, f"{', '.join(calls)}: {reason}", width)
            label = ""
    for library in found.unseen:
        yield from _row(library.distribution, library.reason, width)


def _doubles(found: Diagnosis, width: int) -> Iterator[Line]:
    if not found.doubles and not found.own_tracing:
        yield from _row(
            "nobody", "no other instrumentor of these SDKs is installed", width, "faint"
        )
    if found.doubles:
        yield from paragraph(DOUBLED, width)
    by_mend: dict[str, list[Double]] = {}
    for double in found.doubles:
        by_mend.setdefault(double.mend, []).append(double)
    for mend, doubles in by_mend.items():
        for double in doubles:
            state = "at work here" if double.active else "installed"
            label = f"{double.distribution} {double.version}"
            style: Style = "bad" if double.active else "plain"
            told = f"{state}, for {' and '.join(double.sdks)}"
            yield from _row(label, told, width, style, len(label))
        yield from _below(f"to end it: {mend}", width)
    for variable, effect in found.own_tracing.items():
        yield from _row(variable, "set", width, size=len(variable))
        yield from _below(effect, width)


def _lost(found: Diagnosis, width: int) -> Iterator[Line]:
    for told in in_words(found.lost):
        yield from _row("", told, width, "bad")


def _below(text: str, width: int) -> list[Line]:
    return paragraph(clean(text), width, "faint", indent="    ")
