"""A store with something in it, and how all of it is read: for the tests of the store and of its folder."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from connector.core.events import Entity, Partition, Record
from connector.core.stored import Family, StoredRow, There

if TYPE_CHECKING:
    from pathlib import Path

    from connector.adapters.store import Store

MEANING = "d41d8cd9"
ORDERS, ITEMS = Partition("shop.orders", 0), Partition("shop.order_items", 1)
HEADERS = (("__debezium.context.taskId", b"\x00\xff"), ("empty", None))

SLOW = "CREATE TABLE slow (size INTEGER CHECK (length(hex(zeroblob(size))) > 0))"
"""A table of which each row takes a tenth of a second to check, if `slow_down` has put it there."""


def slow_down(file: Path, rows: int) -> None:
    """Have so many rows in that table."""
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("DELETE FROM slow")
        connection.executemany("INSERT INTO slow VALUES (?)", [(20_000_000,)] * rows)


def record(partition: Partition, offset: int, value: bytes = b'{"id":1}') -> Record:
    return Record(*partition, offset, b'{"id":1}', value, HEADERS, 1_700_000_000_000 + offset)


def fill(store: Store, families: int, items: int = 3) -> None:
    """Put families of orders with items, all dirty, and commit."""
    for number in range(families):
        order = str(number)
        store.put(0, order, StoredRow("", b'{"OrderId":"%d"}' % number, (number, "0000")))
        for item in range(items):
            store.put(1, str(number * items + item), StoredRow(order, b'{"Sku":"S-%d"}' % item, (number, "0001")))
        store.keep_family(Entity.ORDERS, order, Family(order, There.DOCUMENT, frozenset({("P-1", "S-1")})))
        store.touch(Entity.ORDERS, order, record(ORDERS, number), snapshot=False, committed_ms=number)
        store.advance(ORDERS, number + 1)
    store.commit()


def read_all(store: Store, families: int, items: int = 3) -> list[object]:
    """Everything that `fill` put, as the store has it now."""
    found: list[object] = [store.progress(), store.floor(ORDERS), store.floor(ITEMS)]
    found += [store.dirty(entity) for entity in Entity]
    found += store.touched(Entity.ORDERS, 0, families + 1)
    for number in range(families):
        order = str(number)
        found += [store.row(0, order), store.family(Entity.ORDERS, order), store.parents_of(Entity.ORDERS, order, 9)]
        found += store.children(1, order, items + 1)
        found += [store.row(1, str(number * items + item)) for item in range(items)]
    return found
