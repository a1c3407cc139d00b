"""The table of engines and taxes is what the readers make of all that the engines can say."""

from pathlib import Path

from tests.engines.tax_table import FIELDS, page_text, sources
from touchdown.accounting.taxes.registry import TAXES
from touchdown.accounting.taxes.timed import EngineTold
from touchdown.engines.registry import ENGINES

PAGE = Path(__file__).parents[2] / "docs" / "engine-taxes.md"


def test_the_published_table_is_fresh() -> None:
    told = "run: python -m tests.engines.tax_table > docs/engine-taxes.md"
    assert PAGE.read_text(encoding="utf-8") == page_text(), told


def test_every_engine_and_every_tax_that_engines_tell_of_stands_in_it() -> None:
    assert sources().keys() == {engine.id for engine in ENGINES}
    assert FIELDS.keys() >= {tax.id for tax in TAXES if isinstance(tax, EngineTold)}
    assert FIELDS.keys() <= {tax.id for tax in TAXES}
