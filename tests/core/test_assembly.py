"""Assembly: what is not sent, and why, where the rows of a family are too many or not the only ones."""

from __future__ import annotations

from typing import Any

import pytest
from memory_store import MemoryStore

from connector.core.assembly import INCOMPLETE, MOST_ITEMS, Assembly, Judged, Keep, Send
from connector.core.events import Entity, Reason, Reject
from connector.core.family_reader import Body, readers_of
from connector.core.family_tables import members
from connector.core.mapping import Options
from connector.core.mapping_text import read
from connector.core.stored import StoredRow

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
PRODUCT, TEXT, VARIANT = range(3)


class Kept:
    """A product, and what is kept of its rows."""

    def __init__(self) -> None:
        specs = read(MAPPING)
        assert isinstance(specs, dict), specs
        spec = specs[Entity.PRODUCTS]
        tables = members(Entity.PRODUCTS, spec, ["shop.products"])
        self.numbers = [table.number for table in tables]
        self.store = MemoryStore()
        readers = readers_of(Entity.PRODUCTS, spec, tables, Options())
        self._assembly = Assembly(Entity.PRODUCTS, spec, readers, Options(), self.store)
        self.keep(PRODUCT, "1", "", ProductId="1")
        self.keep(TEXT, "10", "1", ProductName="Tea")
        self.keep(VARIANT, "100", "1", VariantId="100", Sku="a")

    def keep(self, table: int, key: str, parent: str, **fields: Any) -> None:  # noqa: ANN401 (fields of the API)
        self.store.put(self.numbers[table], key, StoredRow(parent, Body(fields).encode()))

    def judge(self) -> Judged:
        return self._assembly.judge("1", None)


@pytest.fixture
def kept() -> Kept:
    return Kept()


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
    kept.keep(TEXT, "11", "1", ProductName="Thé")
    assert kept.judge() == Keep(INCOMPLETE)
    kept.store.drop(kept.numbers[TEXT], "10")
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
