"""What to mend first: where a tax was paid, why, and what mending it would save."""

from collections.abc import Sequence
from decimal import Decimal

from touchdown.accounting.account import Finding
from touchdown.report.bill import mark
from touchdown.report.format import count, duration, usd
from touchdown.report.layout import INDENT, Line, Span, labelled, line, section
from touchdown.report.text import clean

MOST_FINDINGS = 4


def finding_lines(findings: Sequence[Finding], width: int) -> list[Line]:
    """The findings that save most, each with its reason and its mend."""
    ranked = sorted(findings, key=_worth, reverse=True)
    body = [part for finding in ranked[:MOST_FINDINGS] for part in _finding(finding, width)]
    left = len(ranked) - MOST_FINDINGS
    if left > 0:
        body.append(line(f"{INDENT}and {count(left, 'finding')} more in the JSON report", "faint"))
    return section("what to mend", body)


def _worth(finding: Finding) -> tuple[Decimal, Decimal, float]:
    nothing = Decimal(0)
    return finding.saves_usd or nothing, finding.usd or nothing, finding.seconds or 0.0


def _finding(finding: Finding, width: int) -> list[Line]:
    paid = [mark(usd(finding.usd), finding.basis) if finding.usd is not None else ""]
    paid.append(count(finding.tokens, "token") if finding.tokens else "")
    paid.append(duration(finding.seconds) if finding.seconds else "")
    head = " · ".join(part for part in paid if part)
    saves = f"  saves {mark(usd(finding.saves_usd), finding.basis)}" if finding.saves_usd else ""
    return [
        (Span(INDENT + clean(finding.tax), "tax"), Span(f"  {head}"), Span(saves, "good")),
        *labelled("  why: ", clean(finding.why), width),
        *(labelled("  mend:", clean(finding.fix), width) if finding.fix else []),
    ]
