"""A shop whose tables change by chance, what Debezium writes of that, and what Replenit must hold in the end.

Customers and orders are rows; a product is a row of its own and rows of its variants' table. Every version of a row has
a number that is greater than all before, and it stands in what is sent: so a judge sees which is older.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    Row = dict[str, Any]

TABLES = ("customers", "orders", "products", "variants")
ENTITIES = ("customers", "orders", "products")

MAPPING = """
version: 1
customers:
  table: customers
  fields: { CustomerId: id, Name: version, GdprOptin: consent }
orders:
  table: orders
  fields:
    OrderId: id
    CustomerId: customer
    Currency: currency
    TotalQuantity: version
    OrderItems: { column: items, fields: { ProductId: product, Sku: product, Quantity: quantity, Price: price } }
products:
  table: products
  fields:
    ProductId: id
    ProductName: version
    ProductVariants: { table: variants, foreign_key: product, fields: { VariantId: id, Sku: id, Stock: version } }
"""

_HOT = 0.15
_PURGED = 60
_BAD = 0.03
_FLAWS = ("undecodable", "unconvertible", "invalid", "no_key")
_POISONED = 17
"""Of so many orders and customers the API refuses one, though the documents call it valid."""


class Key(NamedTuple):
    """What Replenit knows a document by."""

    entity: str
    id: str

    def __str__(self) -> str:
        return f"{self.entity} {self.id}"


class Place(NamedTuple):
    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


@dataclass
class Change:
    """A record of a topic. `flaw`: why it can't be brought over. `place`: once Kafka has told it."""

    at: float
    key: Key
    table: str
    row: str
    op: str
    version: int
    key_bytes: bytes | None
    value: bytes | None
    flaw: str = ""
    place: Place | None = None

    def __str__(self) -> str:
        flaw = f", {self.flaw}" if self.flaw else ""
        return (
            f"{self.op} of {self.table} {self.row} as version {self.version}{flaw} at {self.place or 'no offset yet'}"
        )


@dataclass
class History:
    """What a document went through. `gone`: versions that took it from Replenit; `told`: those that are to be there."""

    changes: list[Change] = field(default_factory=list)
    gone: list[int] = field(default_factory=list)
    items_gone: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))


class Shop:
    """The tables, and their changes, each handed to `write` with its table and partition.

    `partitions`: of each table's topic, which the caller may raise. `wall` gives UNIX seconds.
    """

    def __init__(
        self, random: Random, wall: Callable[[], float], partitions: int, write: Callable[[Change, int], None]
    ) -> None:
        self.rows: dict[str, dict[str, Row]] = {table: {} for table in TABLES}
        self.partitions = dict.fromkeys(TABLES, partitions)
        self.histories: dict[Key, History] = defaultdict(History)
        self.changes: list[Change] = []
        self.flawed: dict[tuple[str, str], Change] = {}
        self._random = random
        self._wall = wall
        self._write = write
        self._version = 0
        self._numbers = dict.fromkeys(TABLES, 0)
        self._homes: dict[tuple[str, str], int] = {}
        self._deleted: dict[str, list[str]] = {table: [] for table in TABLES}

    # What happens

    def turn(self) -> None:
        """One change, or the few that a transaction makes."""
        table = self._random.choices(TABLES, (30, 35, 12, 23))[0]
        drawn = self._random.random()
        if len(self.rows[table]) < 8 or drawn < 0.3:
            self._insert(table)
        elif drawn < 0.86:
            self._update(table, self._pick(table))
        elif drawn < 0.97:
            self._delete(table, self._random.choice([*self.rows[table]]))
        elif self._deleted[table]:
            self._insert(table, self._deleted[table].pop())

    def purge(self) -> None:
        """Delete half of the customers and orders, a few dozen at most: each takes a request."""
        for table in ("customers", "orders"):
            rows = [*self.rows[table]]
            for identifier in self._random.sample(rows, min(len(rows) // 2, _PURGED)):
                self._delete(table, identifier)

    def mend(self) -> None:
        """Write good versions of most rows whose last version was none."""
        for table, identifier in [*self.flawed]:
            if identifier in self.rows[table] and self._random.random() < 0.7:
                self._update(table, identifier, flawed=False)

    def poisoned(self, key: Key) -> bool:
        """Whether the API refuses whatever is sent of it."""
        return key.entity != "products" and crc32(key.id.encode()) % _POISONED == 0

    def _pick(self, table: str) -> str:
        rows = [*self.rows[table]]
        return rows[0] if self._random.random() < _HOT else self._random.choice(rows)

    def _insert(self, table: str, identifier: str = "") -> None:
        if not identifier:
            self._numbers[table] += 1
            identifier = f"{table[0]}{self._numbers[table]}"
        if table == "variants" and not self.rows["products"]:
            return
        self._put(table, identifier, None, self._row(table, identifier, None))
        if table == "products" and self._random.random() < 0.8:
            for _ in range(self._random.randint(1, 3)):
                self._numbers["variants"] += 1
                child = f"v{self._numbers['variants']}"
                self._put("variants", child, None, self._row("variants", child, None) | {"product": identifier})

    def _update(self, table: str, identifier: str, *, flawed: bool = True) -> None:
        before = self.rows[table][identifier]
        self._put(table, identifier, before, self._row(table, identifier, before), flawed=flawed)

    def _delete(self, table: str, identifier: str) -> None:
        if table == "products":
            for child in [key for key, row in self.rows["variants"].items() if row["product"] == identifier]:
                self._delete("variants", child)
        before = self.rows[table].pop(identifier)
        self._deleted[table].append(identifier)
        self.flawed.pop((table, identifier), None)
        change = self._change(table, identifier, "d", self._envelope(table, "d", before, None), before)
        self._note(change, before, None)
        self._emit(change)
        self._emit(self._change(table, identifier, "tombstone", None, before))

    def _row(self, table: str, identifier: str, old: Row | None) -> Row:
        chance = self._random.random()
        match table:
            case "customers":
                consent = chance < 0.9 if old is None else (old["consent"] if chance < 0.9 else not old["consent"])
                return {"id": identifier, "consent": consent}
            case "orders":
                items = [self._item() for _ in range(self._random.choice((0, 1, 1, 2, 3)))]
                if old is not None and old["items"] and chance < 0.5:
                    items = old["items"]
                return {"id": identifier, "customer": f"c{self._random.randint(1, 50)}", "items": items}
            case "products":
                return {"id": identifier}
        parent = old["product"] if old is not None and chance < 0.9 else self._random.choice([*self.rows["products"]])
        return {"id": identifier, "product": parent}

    def _item(self) -> Row:
        return {"product": f"p{self._random.randint(1, 9)}", "quantity": self._random.randint(1, 5), "price": 2.5}

    # What Debezium writes

    def _put(self, table: str, identifier: str, before: Row | None, row: Row, *, flawed: bool = True) -> None:
        if table == "orders":  # two items with one key would be merged
            row["items"] = [*{item["product"]: item for item in row["items"]}.values()]
        row = {**row, "version": self._version + 1}
        flaw = self._random.choice(_FLAWS) if flawed and self._random.random() < _BAD else ""
        if flaw == "invalid" and table != "orders":
            flaw = "unconvertible"
        if flaw and before is not None and table == "variants":
            row["product"] = before["product"]  # else two products would depend on what is bad
        if flaw and table == "orders" and not row["items"]:
            row["items"] = [self._item()]  # else nothing else of it would be looked at
        if flaw and table == "customers":  # a withdrawal that can't be read is for whoever replays dead letters
            row["consent"] = True if before is None else before["consent"]
        row["flaw"] = flaw
        op = "c" if before is None else "u"
        change = self._change(table, identifier, op, self._envelope(table, op, before, row), row)
        if flaw:
            self._spoil(change, flaw)
        self.rows[table][identifier] = row
        self.flawed.pop((table, identifier), None)
        if flaw:
            self.flawed[table, identifier] = change
        self._note(change, before, row)
        self._emit(change)

    def _change(self, table: str, identifier: str, op: str, value: bytes | None, row: Row) -> Change:
        self._version += 1
        key = Key("products", row["product"]) if table == "variants" else Key(table, identifier)
        key_bytes = json.dumps({"id": identifier}).encode()
        return Change(self._wall(), key, table, identifier, op, self._version, key_bytes, value)

    def _spoil(self, change: Change, flaw: str) -> None:
        change.flaw = flaw
        if flaw == "no_key":
            change.key_bytes = None
        elif flaw == "undecodable" and change.value is not None:
            change.value = change.value[: len(change.value) // 2]

    def _envelope(self, table: str, op: str, before: Row | None, after: Row | None) -> bytes:
        at = 1_000_000 + 10 * (self._version + 1)
        source = {
            "connector": "postgresql",
            "snapshot": "false",
            "sequence": f'["{at}","{at}"]',
            "ts_ms": int(self._wall() * 1000),
        }
        full = table in {"customers", "orders"}  # REPLICA IDENTITY FULL
        told = None if before is None else self._columns(table, before)
        if not full and told is not None:
            told = {name: told[name] if name == "id" else None for name in told} if op == "d" else None
        new = None if after is None else self._columns(table, after)
        return json.dumps({"op": op, "before": told, "after": new, "source": source}).encode()

    def _columns(self, table: str, row: Row) -> Row:
        columns = {name: value for name, value in row.items() if name != "flaw"}
        if table in {"customers", "products"}:
            columns["version"] = f"v{row['version']}"
        if table == "orders":
            columns |= {"currency": "EUR", "items": json.dumps(row["items"])}
        spoilt: dict[tuple[str, str], Row] = {
            ("customers", "unconvertible"): {"consent": "perhaps"},
            ("orders", "invalid"): {"currency": "euro"},
            ("orders", "unconvertible"): {"version": "not known"},
            ("products", "unconvertible"): {"version": [1]},
            ("variants", "unconvertible"): {"version": "not known"},
        }
        return columns | spoilt.get((table, row["flaw"]), {})

    def _emit(self, change: Change) -> None:
        self.changes.append(change)
        self.histories[change.key].changes.append(change)
        name = change.row.encode()
        home = (change.table, change.row)  # a partition that is added gets new rows: nothing orders one's old and new
        partition = self._homes.setdefault(home, crc32(name) % self.partitions[change.table])
        self._write(change, partition)

    # What Replenit must hold

    def _note(self, change: Change, before: Row | None, after: Row | None) -> None:
        """Remember which versions take something away."""
        history, key = self.histories[change.key], change.key
        if change.table == "variants":
            identifier = (after or before or {})["id"]
            if before is not None and (after is None or after["product"] != before["product"]):
                old = self.histories[Key("products", before["product"])]
                old.items_gone[identifier].append(change.version)
                if not self.children(before["product"]):
                    old.gone.append(change.version)
        elif after is None or not self._wanted(key.entity, after):
            history.gone.append(change.version)
        elif key.entity == "orders" and before is not None:
            kept = {item["product"] for item in after["items"]}
            for item in before["items"]:
                if item["product"] not in kept:
                    history.items_gone[item["product"]].append(change.version)

    def children(self, product: str) -> list[Row]:
        return [row for row in self.rows["variants"].values() if row["product"] == product]

    def _wanted(self, entity: str, row: Row) -> bool:
        match entity:
            case "customers":
                return bool(row["consent"])
            case "orders":
                return bool(row["items"])
        return bool(self.children(row["id"]))

    def expected(self) -> Iterator[tuple[Key, Row | None]]:
        """Of each key that there ever was the document that Replenit must hold, or None."""
        for key in [*self.histories]:
            row = self.rows[key.entity].get(key.id)
            yield key, self._document(key, row) if row is not None and self._wanted(key.entity, row) else None

    def excused(self, key: Key) -> bool:
        """Whether what is held need not be the newest: that could not be brought over."""
        tables = [(key.entity, key.id)]
        if key.entity == "products":
            tables += [("variants", row["id"]) for row in self.children(key.id)]
        return self.poisoned(key) or any(each in self.flawed for each in tables)

    def _document(self, key: Key, row: Row) -> Row:
        match key.entity:
            case "customers":
                return {"CustomerId": key.id, "Name": f"v{row['version']}", "GdprOptin": True}
            case "orders":
                items = [
                    {"ProductId": i["product"], "Sku": i["product"], "Quantity": i["quantity"], "Price": i["price"]}
                    for i in row["items"]
                ]
                head = {"OrderId": key.id, "CustomerId": row["customer"], "Currency": "EUR"}
                return head | {"TotalQuantity": row["version"], "OrderItems": items}
        variants = [
            {"VariantId": row["id"], "Sku": row["id"], "Stock": row["version"]} for row in self.children(key.id)
        ]
        return {"ProductId": key.id, "ProductName": f"v{row['version']}", "ProductVariants": variants}
