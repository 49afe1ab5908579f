"""What the store takes of the disk: what is deleted gives its room back, and the log beside the file stays small."""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.stores import ITEMS, MEANING, ORDERS

from connector.adapters.database import NAME
from connector.adapters.store import open_store
from connector.core.events import Entity, Record
from connector.core.stored import StoredRow

if TYPE_CHECKING:
    from pathlib import Path

FAMILIES = 12_000
VALUE = bytes(range(256)) * 16


def _size(folder: Path) -> int:
    return (folder / NAME).stat().st_size


def test_a_first_load_gives_its_room_back(tmp_path: Path) -> None:
    """A table that was touched and then settled: the disk has its room again, and every row is there still."""
    store = open_store(tmp_path, MEANING).store
    for number in range(FAMILIES):
        store.put(1, str(number), StoredRow(str(number), b'{"Sku":"S"}', (number, "0")))
        record = Record(*ITEMS, number, b'{"id":1}', VALUE)
        store.touch(Entity.ORDERS, str(number), record, snapshot=True, committed_ms=None)
        if number % 1000 == 0:
            store.commit()
    store.commit()
    full, log = store.sizes()["used"], store.sizes()["log"]
    while window := store.touched(Entity.ORDERS, 0, 1000):
        for touched in window:
            store.settle(Entity.ORDERS, touched.parent, touched.version)
        store.commit()
    for turn in range(200):
        store.advance(ORDERS, turn)
        store.commit()
        log = max(log, store.sizes()["log"])
    sizes = store.sizes()
    assert full > 50_000_000
    assert sizes["used"] + sizes["free"] <= max(2 * sizes["used"], 20_000_000)
    assert log < 33_554_432 + 10_000_000  # what is kept of it, and one commit of a thousand families
    for number in (0, 1, FAMILIES // 2, FAMILIES - 1):
        assert store.row(1, str(number)) == StoredRow(str(number), b'{"Sku":"S"}', (number, "0"))
    store.close()
    assert _size(tmp_path) == sizes["used"] + sizes["free"]
    opened = open_store(tmp_path, MEANING)
    assert opened.fate == "intact"
    assert len(opened.store.children(1, "7", 2)) == 1
    opened.store.close()
