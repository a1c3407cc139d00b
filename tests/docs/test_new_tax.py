"""A tax is whole: ``docs/new-tax.md`` names the files, this says which one was forgotten."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.docs.forgotten import forgotten_of_tax, unregistered_taxes
from touchdown.accounting.taxes.registry import TAXES
from touchdown.accounting.taxes.retries import Retries
from touchdown.accounting.taxes.tax import Tax
from touchdown.report.tax_table import page_text

REPOSITORY = Path(__file__).parents[2]


def test_every_tax_is_registered() -> None:
    assert unregistered_taxes(REPOSITORY, TAXES) == []
    assert len({tax.id for tax in TAXES}) == len(TAXES)


@pytest.mark.parametrize("tax", TAXES, ids=lambda tax: tax.id)
def test_nothing_of_a_tax_is_forgotten(tax: Tax) -> None:
    told = "docs/new-tax.md says what goes there"
    assert list(forgotten_of_tax(REPOSITORY, tax)) == [], told


def test_the_published_table_is_fresh() -> None:
    told = "run: python -m touchdown.report.tax_table > docs/taxes.md"
    assert (REPOSITORY / "docs" / "taxes.md").read_text(encoding="utf-8") == page_text(), told


def test_the_table_has_a_row_for_every_tax() -> None:
    rows = [line for line in page_text().splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [tax.id for tax in TAXES]
    for row in rows:
        assert (REPOSITORY / row.split("`")[-2]).is_file()


def test_what_is_forgotten_is_found(tmp_path: Path) -> None:
    for name, text in {
        "touchdown/accounting/taxes/retries.py": "class A:\n    def claims(self): ...\n",
        "touchdown/accounting/taxes/new.py": "class A:\n    def claims(self): ...\n",
        "touchdown/accounting/taxes/shared.py": "def claims(): ...\n",
        "tests/accounting/test_claims.py": 'assert "retries"\n',
        "docs/glossary.md": "| taxes | `retries` |\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert unregistered_taxes(tmp_path, [Retries()]) == [
        "touchdown/accounting/taxes/registry.py: no line for new"
    ]
    assert list(forgotten_of_tax(tmp_path, Retries())) == []
    new = replace(Retries(), id="new")
    assert [part.partition(":")[0] for part in forgotten_of_tax(tmp_path, new)] == [
        "docs/glossary.md",
        "touchdown/accounting/taxes/new.py",
        "tests/accounting",
    ]
