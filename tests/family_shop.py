"""A shop's database of several tables for each entity, and what Debezium writes of it, in three dialects.

Rows are Python dictionaries; every change appends the records that a real Debezium would write, with its gaps: no
before-image, or one that is made up; large columns that are not repeated; cascades that are not told.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from zlib import crc32

from connector.core.events import Partition, Record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simulation import World

    Row = dict[str, Any]
    RowKey = tuple[Any, ...]

PARTITIONS = 2
UNAVAILABLE = "__debezium_unavailable_value"


class Dialect(StrEnum):
    """What the source logs: of PostgreSQL by its tables' REPLICA IDENTITY."""

    DEFAULT = "default"
    FULL = "full"
    MYSQL = "mysql"


@dataclass(frozen=True)
class Table:
    """`key`: the primary key. `parent` and `foreign_key`: whose rows these are. `large`: its TOASTed column."""

    name: str
    key: tuple[str, ...]
    parent: str = ""
    foreign_key: str = ""
    large: str = ""

    @property
    def topic(self) -> str:
        return f"shop.{self.name}"


TABLES = {
    table.name: table
    for table in (
        Table("customers", ("id",), large="bio"),
        Table("consents", ("customer_id",), "customers", "customer_id"),
        Table("profiles", ("id",), "customers", "customer_id"),
        Table("orders", ("id",)),
        Table("order_items", ("id",), "orders", "order_id", large="brand"),
        Table("item_prices", ("item_id",), "order_items", "item_id"),
        Table("products", ("id",)),
        Table("product_texts", ("product_id", "language"), "products", "product_id"),
        Table("product_variants", ("id",), "products", "product_id", large="image"),
        Table("variant_stocks", ("id",), "product_variants", "variant_id"),
    )
}
CHILDREN = {name: [table for table in TABLES.values() if table.parent == name] for name in TABLES}

MAPPING = """
version: 1
customers:
  side_tables:
    consent: { table: consents, foreign_key: customer_id }
    profile: { table: profiles, foreign_key: customer_id }
  fields:
    CustomerId: code
    Name: tag
    Username: bio
    Surname: profile.surname
    GdprOptin: consent.given
orders:
  when: { state: [placed, paid] }
  fields:
    OrderId: number
    CustomerId: tag
    Currency: currency
    TotalRevenue: revenue
    OrderItems:
      table: order_items
      foreign_key: order_id
      side_tables:
        prices: { table: item_prices, foreign_key: item_id }
      fields: { ProductId: product, Sku: sku, Quantity: quantity, Brand: brand, Price: prices.price }
products:
  side_tables:
    texts:
      { table: product_texts, foreign_key: product_id, primary_key: [product_id, language], when: { language: en } }
  fields:
    ProductId: code
    Taxonomy: { column: tag, split: ">" }
    ProductName: texts.title
    ProductVariants:
      table: product_variants
      foreign_key: product_id
      side_tables:
        stock: { table: variant_stocks, foreign_key: variant_id }
      fields: { VariantId: id, Sku: sku, Image: image, Stock: stock.quantity }
"""


class Shop:
    """The tables, and the log of their changes. `items_by_order`: message.key.columns names the order of an item."""

    def __init__(self, world: World, dialect: Dialect, *, items_by_order: bool = False) -> None:
        self._world = world
        self.dialect = dialect
        self.items_by_order = items_by_order
        self.rows: dict[str, dict[RowKey, Row]] = {name: {} for name in TABLES}
        self.bad: dict[tuple[str, RowKey], tuple[str, int, int]] = {}  # a row that can't be read → its record's place
        self._position = 0
        self._committed = 0
        world.log.clear()
        for table in TABLES.values():
            world.log |= {Partition(table.topic, number): [] for number in range(PARTITIONS)}
        world.low = dict.fromkeys(world.log, 0)
        self.log = world.log

    @property
    def mapping(self) -> str:
        """The mapping file; it names what the message key does not."""
        if not self.items_by_order:
            return MAPPING
        return MAPPING.replace("      table: order_items\n", "      table: order_items\n      primary_key: id\n")

    # What the shop does. Each is a statement; `commit` ends a transaction.

    def insert(self, name: str, **row: Any) -> None:  # noqa: ANN401 (a column's value)
        table = TABLES[name]
        self.rows[name][_key(table, row)] = row
        self._change(table, "c", None, row)

    def update(self, name: str, key: RowKey, **columns: Any) -> None:  # noqa: ANN401 (likewise)
        table, old = TABLES[name], self.rows[name][key]
        new = self.rows[name][key] = old | columns
        self._change(table, "u", old, new)

    def delete(self, name: str, key: RowKey, *, told: bool = True) -> None:
        """Delete a row, and what belongs to it by cascade."""
        table, old = TABLES[name], self.rows[name].pop(key)
        if told:
            self._change(table, "d", old, None)
        else:
            self.bad.pop((name, key), None)
        for child in CHILDREN[name]:
            for inner in self.of(child.name, key[0]):
                self.delete(child.name, inner, told=told and self.dialect is not Dialect.MYSQL)

    def delete_flattened(self, name: str, key: RowKey) -> None:
        """Delete a row as ExtractNewRecordState tells it: by a tombstone."""
        self._append(TABLES[name], self.rows[name].pop(key), None)

    def change_key(self, name: str, key: RowKey, new: Any) -> None:  # noqa: ANN401 (likewise)
        """Change the first column of a primary key; what belongs to the row follows by cascade."""
        table = TABLES[name]
        self._rename(name, key, (new, *key[1:]), table.key[0], told=True)

    def _rename(self, name: str, key: RowKey, to: RowKey, column: str, *, told: bool) -> None:
        table = TABLES[name]
        old = self.rows[name].pop(key)
        new = self.rows[name][to] = old | {column: to[table.key.index(column)]}
        if told:
            self._change(table, "d", old, None, to=new)
            self._change(table, "c", None, new, former=old)
        elif (name, key) in self.bad:
            self.bad[name, to] = self.bad.pop((name, key))
        told = told and self.dialect is not Dialect.MYSQL
        for child in CHILDREN[name]:
            for inner in self.of(child.name, key[0]):
                if child.foreign_key in child.key:
                    self._rename(child.name, inner, (to[0], *inner[1:]), child.foreign_key, told=told)
                elif told:
                    self.update(child.name, inner, **{child.foreign_key: to[0]})
                else:
                    self.rows[child.name][inner] |= {child.foreign_key: to[0]}

    def of(self, name: str, parent: Any) -> list[RowKey]:  # noqa: ANN401 (likewise)
        """The keys of a table's rows that belong to a parent."""
        column = TABLES[name].foreign_key
        return [key for key, row in self.rows[name].items() if row[column] == parent]

    def commit(self) -> None:
        self._committed = self._position

    # What Debezium does

    def snapshot(self) -> None:
        """Read all tables, as it does at first, and after it has lost its offsets."""
        self._position += 1
        for name, rows in self.rows.items():
            for row in list(rows.values()):
                self._append(TABLES[name], row, self._event(TABLES[name], "r", None, row))

    def send_again(self, records: int) -> None:
        """What it does after a crash: the last records of the log come a second time."""
        last = sorted(
            (record for log in self._world.log.values() for record in log), key=lambda record: record.timestamp_ms or 0
        )[-records:]
        for record in last:
            log = self._world.log[Partition(record.topic, record.partition)]
            log.append(
                Record(record.topic, record.partition, len(log), record.key, record.value, record.headers, self._tick())
            )

    def _change(
        self,
        table: Table,
        op: str,
        old: Row | None,
        new: Row | None,
        *,
        to: Row | None = None,
        former: Row | None = None,
    ) -> None:
        self._position += 1
        headers = []
        if to is not None:
            headers = [("__debezium.newkey", json.dumps({each: to[each] for each in table.key}).encode())]
        if former is not None:
            headers = [("__debezium.oldkey", json.dumps({each: former[each] for each in table.key}).encode())]
        row = new or old
        assert row is not None
        keyed = row
        if op == "d" and self._by_order(table) and self.dialect is Dialect.DEFAULT:
            keyed = {"order_id": 0}
        self._append(table, keyed, self._event(table, op, old, new, renamed=former is not None), headers)
        place = (table.name, _key(table, row))
        self.bad.pop(place, None)
        if new is not None and _is_bad(new):
            log = self._world.log[self._partition(table, keyed)]
            self.bad[place] = (table.topic, log[-1].partition, log[-1].offset)
        if op == "d":
            self._append(table, keyed, None, headers)

    def _event(self, table: Table, op: str, old: Row | None, new: Row | None, *, renamed: bool = False) -> Row:
        shown = None if new is None else dict(new)
        large = table.large
        unchanged = renamed or (
            old is not None and new is not None and old[large or table.key[0]] == new[large or table.key[0]]
        )
        if (
            self.dialect is not Dialect.MYSQL
            and shown is not None
            and large
            and op in "uc"
            and unchanged
            and shown[large]
        ):
            shown[large] = UNAVAILABLE
        before = old
        if self.dialect is Dialect.DEFAULT and old is not None:
            made_up = {column: value if column in table.key else _zero(value) for column, value in old.items()}
            before = made_up if op == "d" else None
        return {"before": before, "after": shown, "source": self._source(op), "op": op}

    def _source(self, op: str) -> Row:
        common = {"snapshot": "true" if op == "r" else "false", "ts_ms": int(self._world.now * 1000)}
        if self.dialect is Dialect.MYSQL:
            return common | {
                "connector": "mysql",
                "file": "binlog.000007",
                "pos": self._position,
                "row": 0,
                "server_id": 1,
            }
        committed = None if op == "r" else str(self._committed)
        return common | {"connector": "postgresql", "sequence": json.dumps([committed, str(self._position)])}

    def _append(self, table: Table, row: Row, value: Row | None, headers: Any = ()) -> None:  # noqa: ANN401 (pairs)
        partition = self._partition(table, row)
        log = self._world.log[partition]
        body = None if value is None else json.dumps(value).encode()
        key = self._message_key(table, row)
        log.append(Record(table.topic, partition.number, len(log), key, body, tuple(headers), self._tick()))

    def partition(self, name: str, key: Any) -> Partition:  # noqa: ANN401 (a column's value)
        """Where the events of a row are, by its primary key of one column."""
        return self._partition(TABLES[name], {TABLES[name].key[0]: key, "order_id": key})

    def _partition(self, table: Table, row: Row) -> Partition:
        return Partition(table.topic, crc32(self._message_key(table, row)) % PARTITIONS)

    def _message_key(self, table: Table, row: Row) -> bytes:
        columns = ("order_id",) if self._by_order(table) else table.key
        return json.dumps({column: row[column] for column in columns}).encode()

    def _by_order(self, table: Table) -> bool:
        return self.items_by_order and table.name == "order_items"

    def _tick(self) -> int:
        self._ticks = getattr(self, "_ticks", 0) + 1
        return self._ticks

    def keys(self, name: str) -> Iterator[RowKey]:
        return iter(list(self.rows[name]))


def _key(table: Table, row: Row) -> RowKey:
    return tuple(row[column] for column in table.key)


def _zero(value: Any) -> Any:  # noqa: ANN401 (a column's value)
    return None if value is None else type(value)()


SOLD = ("placed", "paid")
"""The states of orders that are sent; others are carts."""

BAD = "many"
"""What stands in a column of numbers that can't be read."""


def _is_bad(row: Row) -> bool:
    filtered = "state" in row and row["state"] not in SOLD
    return not filtered and BAD in (row.get("quantity"), row.get("price"), row.get("revenue"))
