"""The page of all taxes: ``python -m touchdown.report.tax_table > docs/taxes.md``."""

import sys

from touchdown.accounting.taxes.registry import TAXES, file_of
from touchdown.accounting.taxes.tax import Tax

HEAD = """\
# The taxes

<!-- Written by python -m touchdown.report.tax_table > docs/taxes.md; change the registry, not this page. -->

Each tax is one question about where a task's money or time went. An `account` tax is part of the bill, a
`memo` stands beside it and is never summed. Without what it needs, a tax is *not observable*, never 0.
Ids are stable.

| Tax | The question it answers | Kind | Needs | Measured in |
|---|---|---|---|---|
"""


def page_text() -> str:
    """The page as it is published."""
    return HEAD + "".join(map(_row, TAXES))


def _row(tax: Tax) -> str:
    measured = f"`touchdown/{file_of(tax)}`"
    return f"| `{tax.id}` | {tax.question} | {tax.kind} | {tax.needs} | {measured} |\n"


if __name__ == "__main__":
    sys.stdout.write(page_text())
