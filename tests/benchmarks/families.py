"""What families cost: a store that is filled from the topics' rows, and documents assembled from it.

From the project's folder: `PYTHONPATH=tests python -m benchmarks.families`, with `--orders`. Each has five items, in
a topic of their own. SQLite alone writes the same number of rows in the same transactions first, in the same run.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.store import plain

from connector.adapters.store import open_store
from connector.core.assembly import Assembly, Send
from connector.core.debezium import parse
from connector.core.events import ChangeEvent, Entity, Partition, Record
from connector.core.family_reader import readers_of
from connector.core.family_rows import FamilyRows
from connector.core.family_tables import members
from connector.core.mapping import Options
from connector.core.mapping_text import read
from connector.core.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from connector.core.stored import Store

ITEMS = 5
STEP = 1000
MAPPING = """
version: 1
orders:
  fields:
    OrderId: id
    CustomerId: customer_id
    Currency: currency
    OrderItems:
      table: order_items
      foreign_key: order_id
      fields: { ProductId: product_id, Sku: sku, Quantity: quantity, Price: price }
"""
_ORDERS = Partition("shop.orders", 0)
_LINES = Partition("shop.order_items", 0)


def rows(orders: int) -> Iterator[Record]:
    """The snapshot of both tables, the orders first."""
    for number in range(orders):
        yield _record(_ORDERS, number, {"id": number, "customer_id": f"C-{number % 999}", "currency": "EUR"})
    for number in range(orders * ITEMS):
        line = {"product_id": f"P-{number % 4999}", "sku": f"SKU-{number % 9999}", "quantity": 2, "price": "12.50"}
        yield _record(_LINES, number, {"id": number, "order_id": number // ITEMS, **line})


def _record(partition: Partition, offset: int, row: dict[str, Any]) -> Record:
    source = {"connector": "postgresql", "snapshot": "true", "sequence": '[null,"7"]', "ts_ms": 1}
    value = json.dumps({"op": "r", "before": None, "after": row, "source": source}).encode()
    return Record(*partition, offset, json.dumps({"id": row["id"]}).encode(), value)


class Kept:
    """The rows of the orders' tables, and what is made of them."""

    def __init__(self, store: Store) -> None:
        specs = read(MAPPING)
        assert isinstance(specs, dict)
        spec = specs[Entity.ORDERS]
        readers = readers_of(Entity.ORDERS, spec, members(Entity.ORDERS, spec, ["shop.orders"]), Options())
        self.store = store
        self.assembly = Assembly(Entity.ORDERS, spec, readers, Options(), store)
        self.rows = FamilyRows(Entity.ORDERS, readers, self.assembly, store, suppress=True)
        self._wire = Wire()

    def take(self, record: Record) -> None:
        """Keep a row, and mark its family as touched."""
        event = parse(record, self._wire.key(record), self._wire.value(record))
        assert isinstance(event, ChangeEvent)
        partition = Partition(record.topic, record.partition)
        for parent in self.rows.take(event, partition, (), ()).families:
            self.store.touch(Entity.ORDERS, parent, record, snapshot=True, committed_ms=None)
        self.store.advance(partition, record.offset + 1)

    def assemble(self, orders: int) -> int:
        """Judge every order; how many would be sent."""
        return sum(isinstance(self.assembly.judge(str(number), None), Send) for number in range(orders))


def fill(folder: Path, orders: int) -> tuple[Kept, int]:
    """Take in all rows, a commit a thousand; how many there were."""
    kept = Kept(open_store(folder, "").store)
    count = 0
    for count, record in enumerate(rows(orders), 1):
        kept.take(record)
        if count % STEP == 0:
            kept.store.commit()
    kept.store.commit()
    return kept, count


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=200_000)
    orders = parser.parse_args(arguments).orders
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        alone = plain(Path(one), range(orders * (ITEMS + 1)))
        print(f"SQLite alone       {alone['rows/s']:>10,.0f} rows/s {alone['cpu us/row']:>7.1f} us of CPU a row")  # noqa: T201
        began, cpu = time.perf_counter(), time.process_time()
        kept, count = fill(Path(other), orders)
        took, cpu = time.perf_counter() - began, time.process_time() - cpu
        disk = sum(file.stat().st_size for file in Path(other).iterdir()) / 1e6
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"read, kept, touched{count / took:>10,.0f} rows/s {cpu / count * 1e6:>7.1f} us of CPU a row")  # noqa: T201
        print(f"{count:,} rows in {took:.0f} s, {disk:,.0f} MB of disk, {memory:.0f} MiB of memory at most")  # noqa: T201
        began = time.perf_counter()
        sent = kept.assemble(orders)
        took = time.perf_counter() - began
        print(f"assembled, judged  {sent / took:>10,.0f} documents/s of {ITEMS} items")  # noqa: T201


if __name__ == "__main__":
    main()
