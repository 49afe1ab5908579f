"""The benchmark of the dialects measures what it says: both sides see every record."""

from __future__ import annotations

import pytest
from benchmarks.dialects import captured, parsing, taking
from shop_captures import ALL_DIALECTS


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_both_sides_see_every_record(dialect: str) -> None:
    """One side parses each key and value, the other understands each record as a change."""
    halves = [data for record in captured(dialect) for data in (record.key, record.value) if data]
    assert parsing(dialect)() == len(halves)
    assert taking(dialect)() == len(captured(dialect))
