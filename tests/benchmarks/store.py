"""What the store costs, against SQLite alone: both write the same rows in the same transactions, in one run.

From the project's folder: `PYTHONPATH=tests python -m benchmarks.store`. Each side has a process of its own, for its
memory; both write to one folder, given with `--folder`: the disk is what is measured, too.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from connector.adapters.database import NAME, connect
from connector.adapters.store import open_store
from connector.adapters.store_tables import PUT, to_position
from connector.core.events import Entity, Partition, Record
from connector.core.stored import StoredRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from connector.adapters.store import Store

ITEMS = 5
"""Rows of a family."""

STEP = 1000
"""Events of a turn of the loop."""

WINDOW = 500
LOOKED_UP = 10_000
SOURCE = 1
PARTITION = Partition("shop.order_items", 0)
BODY = json.dumps(
    {
        "ProductId": "P-012345",
        "Sku": "SKU-0123-RED-XL",
        "Name": "A shirt made of linen, with long sleeves",
        "Quantity": 2,
        "Price": 12.3,
        "OriginalPrice": 15.9,
        "Categories": ["Shirts", "Linen"],
        "Url": "https://shop.example/products/012345",
    },
    separators=(",", ":"),
).encode()
VALUE = b'{"before":null,"after":%s,"source":{"connector":"postgresql"},"op":"c"}' % (BODY * 4)
HEADERS = (
    ("__debezium.context.connectorLogicalName", b"shop"),
    ("__debezium.context.taskId", b"0"),
    ("__debezium.context.connectorName", b"postgresql"),
)

Figures = dict[str, float]


def key(row: int) -> str:
    return str(5_000_000 + row)


def parent(row: int) -> str:
    return str(100_000 + row // ITEMS)


def position(row: int) -> tuple[int, int]:
    return 26_856_920, row


def order(rows: int, *, shuffled: bool) -> Sequence[int]:
    """The rows as they arrive: a family's side by side, or all in disorder, as with random keys."""
    return random.Random(1).sample(range(rows), rows) if shuffled else range(rows)


def steps(numbers: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(numbers), STEP):
        yield numbers[start : start + STEP]


def plain(folder: Path, numbers: Sequence[int]) -> Figures:
    """SQLite alone: the statement that puts a row, many at a time, under the store's settings."""
    open_store(folder, "").store.close()
    connection = connect(folder / NAME)

    def write() -> None:
        for step in steps(numbers):
            rows = [(SOURCE, parent(row), key(row), BODY, to_position(position(row))) for row in step]
            connection.execute("BEGIN")
            connection.executemany(PUT, rows)
            connection.execute("COMMIT")

    seconds, cpu = timed(write)
    connection.close()
    return {"rows/s": len(numbers) / seconds, "cpu us/row": cpu / len(numbers) * 1e6, **sizes(folder)}


def rows_alone(folder: Path, numbers: Sequence[int]) -> Figures:
    """The store's `put` and nothing else."""
    store = open_store(folder, "").store

    def write() -> None:
        for step in steps(numbers):
            for row in step:
                store.put(SOURCE, key(row), StoredRow(parent(row), BODY, position(row)))
            store.commit()

    seconds, cpu = timed(write)
    store.close()
    return {"rows/s": len(numbers) / seconds, "cpu us/row": cpu / len(numbers) * 1e6, **sizes(folder)}


def whole(folder: Path, numbers: Sequence[int]) -> Figures:
    """All that the store does for an event, then what it does for a family that is sent."""
    store = open_store(folder, "").store
    seconds, cpu = timed(lambda: take_in(store, numbers))
    figures = {"rows/s": len(numbers) / seconds, "cpu us/row": cpu / len(numbers) * 1e6}
    figures["children/s"] = LOOKED_UP / timed(lambda: look_up(store, len(numbers)))[0]
    figures["log MB"] = (folder / f"{NAME}-wal").stat().st_size / 1e6
    store.close()
    figures |= sizes(folder)
    connection = sqlite3.connect(folder / NAME)
    for check in ("quick_check", "integrity_check"):
        figures[f"{check} s"] = timed(partial(connection.executescript, f"PRAGMA {check}"))[0]
    connection.close()
    began = time.perf_counter()
    store = open_store(folder, "").store
    figures["open s"] = time.perf_counter() - began
    figures["families"] = store.dirty(Entity.ORDERS)
    figures["settled/s"] = figures["families"] / timed(lambda: send(store))[0]
    store.close()
    return figures


def take_in(store: Store, numbers: Sequence[int]) -> None:
    offset = 0
    for step in steps(numbers):
        for row in step:
            record = Record(*PARTITION, offset, b'{"id":%d}' % row, VALUE, HEADERS, 1_700_000_000_000 + offset)
            store.put(SOURCE, key(row), StoredRow(parent(row), BODY, position(row)))
            store.touch(Entity.ORDERS, parent(row), record, snapshot=False, committed_ms=record.timestamp_ms)
            offset += 1
            store.advance(PARTITION, offset)
        store.commit()


def look_up(store: Store, rows: int) -> None:
    chance = random.Random(2)
    for _ in range(LOOKED_UP):
        assert len(store.children(SOURCE, parent(chance.randrange(rows)), ITEMS + 1)) == ITEMS


def send(store: Store) -> None:
    """Settle all families, a window at a time: two commits each, as before and after a request."""
    while window := store.touched(Entity.ORDERS, 0, WINDOW):
        for touched in window:
            store.take(touched.entity, touched.parent)
            store.children(SOURCE, touched.parent, ITEMS + 1)
        store.commit()
        for touched in window:
            assert store.settle(touched.entity, touched.parent, touched.version)
        store.commit()


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def sizes(folder: Path) -> Figures:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"file MB": (folder / NAME).stat().st_size / 1e6, "peak RSS MiB": peak}


SIDES = {"plain": plain, "rows": rows_alone, "whole": whole}


def measure(side: str, arguments: argparse.Namespace) -> Figures:
    """The figures of a side, in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.store", str(arguments.rows), "--side", side]
    command += ["--shuffled"] if arguments.shuffled else []
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        done = subprocess.run([*command, "--folder", folder], check=True, stdout=subprocess.PIPE)
    figures: Figures = json.loads(done.stdout)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int, nargs="?", default=1_000_000, help=f"{ITEMS} make a family")
    parser.add_argument("--shuffled", action="store_true", help="rows arrive in disorder")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--side", choices=SIDES, help="measure one side here, and print its figures as JSON")
    arguments = parser.parse_args()
    if arguments.side:
        figures = SIDES[arguments.side](arguments.folder, order(arguments.rows, shuffled=arguments.shuffled))
        print(json.dumps(figures))  # noqa: T201 (a command's output is what it is for)
        return
    for side in SIDES:
        cells = (f"{name} {value:,.2f}" for name, value in measure(side, arguments).items())
        print(f"{side:<8}", ", ".join(cells), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
