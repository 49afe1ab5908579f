"""The benchmark of families measures what it says: every order can be sent, and none without its items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.families import ITEMS, fill

from connector.core.assembly import Send

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 300


def test_every_order_is_assembled_with_its_items(tmp_path: Path) -> None:
    """All rows are taken in, and all orders are whole afterwards."""
    kept, count = fill(tmp_path, COUNT)
    assert count == COUNT * (ITEMS + 1)
    assert kept.assemble(COUNT) == COUNT
    first = kept.assembly.judge("0", None)
    assert isinstance(first, Send)
    assert len(first.document["OrderItems"]) == ITEMS
