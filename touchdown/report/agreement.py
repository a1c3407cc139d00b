"""The line that tells how a provider's verdicts on its cache compare with ours."""

from touchdown.accounting.account import Agreement
from touchdown.report.format import count
from touchdown.report.layout import Line, labelled
from touchdown.report.text import clean


def agreement_lines(found: Agreement | None, width: int) -> list[Line]:
    """How often both name the same cause; nothing where no provider was asked."""
    if found is None:
        return []
    parts = [
        f"asked at {count(found.asked, 'call')}",
        *_counted(found),
        *(
            f"{clean(reason).replace('_', ' ')} at {number:,}"
            for reason, number in found.undecided.items()
        ),
    ]
    return labelled("the provider's own verdicts:", "; ".join(parts), width)


def _counted(found: Agreement) -> list[str]:
    told = {
        "same cause": "agree",
        "another cause": "differ",
        "a cause that we do not name": "provider_only",
        "a cause that only we name": "ours_only",
    }
    parts = [f"nothing changed, by both, at {found.unchanged:,}"] if found.unchanged else []
    for words, side in told.items():
        by_cause = {cause: getattr(one, side) for cause, one in found.causes.items()}
        named = ", ".join(
            f"{clean(cause)} {number:,}" for cause, number in by_cause.items() if number
        )
        parts += [f"{words}: {named}"] if named else []
    return parts
