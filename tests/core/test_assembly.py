"""Assembly: what is not sent, and why, where the rows of a family are too many or not the only ones."""

from __future__ import annotations

from typing import Any

import pytest
from memory_store import MemoryStore

from connector.core.assembly import INCOMPLETE, MOST_ITEMS, Assembly, Judged, Keep, Remove, Send
from connector.core.events import Entity, Reason, Reject
from connector.core.family_reader import Body, readers_of
from connector.core.family_tables import members
from connector.core.mapping import Options
from connector.core.mapping_text import read
from connector.core.stored import Family, StoredRow, There

MAPPING = """
version: 1
products:
  side_tables:
    text: { table: texts, foreign_key: product_id, when: { language: en } }
  fields:
    ProductId: id
    ProductName: text.title
    ProductVariants:
      table: variants
      foreign_key: product_id
      fields: { VariantId: id, Sku: sku, Stock: { column: stock, default: 0 } }
"""
ROOT, SIDE, VARIANT = range(3)


class Kept:
    """A family, named 1, and what is kept of its rows."""

    def __init__(self, entity: Entity, mapping: str) -> None:
        specs = read(mapping)
        assert isinstance(specs, dict), specs
        tables = members(entity, specs[entity], [f"shop.{entity}"])
        self.numbers = [table.number for table in tables]
        self.store = MemoryStore()
        readers = readers_of(entity, specs[entity], tables, Options())
        self.assembly = Assembly(entity, specs[entity], readers, Options(), self.store)

    def keep(self, table: int, key: str, parent: str, **fields: Any) -> None:  # noqa: ANN401 (fields of the API)
        self.store.put(self.numbers[table], key, StoredRow(parent, Body(fields).encode()))

    def judge(self, family: Family | None = None) -> Judged:
        return self.assembly.judge("1", family)


@pytest.fixture
def kept() -> Kept:
    """Give a product with a text and a variant."""
    product = Kept(Entity.PRODUCTS, MAPPING)
    product.keep(ROOT, "1", "", ProductId="1")
    product.keep(SIDE, "10", "1", ProductName="Tea")
    product.keep(VARIANT, "100", "1", VariantId="100", Sku="a")
    return product


def test_a_product_of_three_tables(kept: Kept) -> None:
    """Its own row, that of its texts, and its variants."""
    judged = kept.judge()
    assert isinstance(judged, Send)
    assert judged.document == {
        "ProductId": "1",
        "ProductName": "Tea",
        "ProductVariants": [{"VariantId": "100", "Sku": "a"}],
    }


def test_two_rows_of_a_side_table_are_not_chosen_from(kept: Kept) -> None:
    """Which of them is meant nobody knows: nothing is sent until one is left."""
    kept.keep(SIDE, "11", "1", ProductName="Thé")
    assert kept.judge() == Keep(INCOMPLETE)
    kept.store.drop(kept.numbers[SIDE], "10")
    judged = kept.judge()
    assert isinstance(judged, Send)
    assert judged.document["ProductName"] == "Thé"


def test_a_product_of_too_many_rows_is_not_sent_in_part(kept: Kept) -> None:
    """What was left out would count as removed: it is a dead letter that says what to do."""
    for number in range(MOST_ITEMS - 1):
        kept.keep(VARIANT, f"v{number}", "1", VariantId=f"v{number}", Sku="b")
    judged = kept.judge()
    assert isinstance(judged, Send)
    assert len(judged.document["ProductVariants"]) == MOST_ITEMS
    kept.keep(VARIANT, "102", "1", VariantId="102", Sku="c")
    judged = kept.judge()
    assert isinstance(judged, Reject)
    assert judged.reason is Reason.TOO_LARGE
    assert [error.path for error in judged.errors] == ["ProductVariants"]
    assert "`when`" in judged.errors[0].problem


CONSENT = """
version: 1
customers:
  side_tables:
    consent: { table: consents, foreign_key: customer_id }
  fields: { CustomerId: id, Email: email, GdprOptin: consent.given }
"""


@pytest.mark.parametrize(("given", "expected"), [((True, True), None), ((True, False), False), ((False, False), False)])
def test_one_of_several_consents_may_be_a_withdrawal(given: tuple[bool, ...], expected: bool | None) -> None:
    """A customer with two rows is withheld, and retracted where he is there, unless all of them consent."""
    kept = Kept(Entity.CUSTOMERS, CONSENT)
    kept.keep(ROOT, "1", "", CustomerId="1", Email="a@example.com")
    for number, each in enumerate(given):
        kept.keep(SIDE, f"c{number}", "1", GdprOptin=each)
    assert kept.judge() == Keep(INCOMPLETE if expected is None else "no_consent")
    there = kept.judge(Family("1", There.DOCUMENT))
    if expected is None:
        assert there == Keep(INCOMPLETE)
    else:
        assert isinstance(there, Send)
        assert there.retracts
    assert kept.assembly.several == {"consents"}


def test_a_product_without_variants_goes_whatever_else_can_not_be_told(kept: Kept) -> None:
    """That its last variant has gone is certain, although its texts are not."""
    kept.keep(SIDE, "11", "1", ProductName="Thé")
    there = Family("1", There.DOCUMENT)
    assert kept.judge(there) == Keep(INCOMPLETE)
    kept.store.drop(kept.numbers[VARIANT], "100")
    assert kept.judge(there) == Remove(emptied=True)
    assert kept.judge() == Keep(INCOMPLETE)
