"""The tables of families: how they are named, and what is read of their rows."""

from __future__ import annotations

from family_shop import MAPPING

from connector.core.events import Entity
from connector.core.family_tables import members
from connector.core.mapping_text import read


def test_no_two_tables_of_a_file_have_one_number() -> None:
    """The store keeps the rows of all entities side by side: a number names one table among all of them."""
    specs = read(MAPPING)
    assert isinstance(specs, dict), specs
    numbers = [table.number for entity in Entity for table in members(entity, specs[entity], [f"shop.{entity}"])]
    assert len(numbers) == 10
    assert len(set(numbers)) == 10
