"""A shop that exists nowhere: its tables, the changes that Debezium makes of them, and what Replenit should hold."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from random import Random
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from connector.sandbox.rows import IDS, RESERVED, Rows, document, items, lacks, spoil

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.sandbox.rows import Row
    from connector.sandbox.rules import Document

PARTITIONS = 4
TOPICS = {entity: f"shop.public.{entity}" for entity in IDS}
REFUSED = {"customers": ("2", "3"), "orders": ("2", "3", "4")}
"""Rows that are right by the documents, and that the API refuses all the same."""

_EMPTY = {"products": "no_variants", "orders": "no_items"}
_NO_CONSENT = "no_consent"
WITHHELD = frozenset({_NO_CONSENT, *_EMPTY.values()})
"""Why a row is kept back on purpose."""

FLAWED = 0.02
"""The share of changes that can't be brought to Replenit."""

_HOT = 1
_BROKEN = "eur "


class Place(NamedTuple):
    """Where a change stands in Kafka."""

    topic: str
    partition: int
    offset: int


class Change(NamedTuple):
    """A record of a topic."""

    place: Place
    key: bytes | None
    value: bytes | None


class Flaw(NamedTuple):
    """A change that can't be brought to Replenit, and the reason that its dead letter must give."""

    entity: str
    id: str
    reason: str


class Shop:
    """Three tables. The same seed and calls give the same changes; each is handed to `write`.

    `wall` gives UNIX seconds. `expected`: entity → id → document that Replenit should hold; `fates`: why it does not
    hold a row's newest version; `gone`: what it must have been told to delete, as `removed` for an order's items.
    Customers without consent are not to be sent, and of those who withdraw it nothing is to be left but that.
    """

    def __init__(self, seed: int, wall: Callable[[], float], write: Callable[[Change], None]) -> None:
        self.tables: dict[str, dict[int, Row]] = {entity: {} for entity in TOPICS}
        self.expected: dict[str, dict[str, Document]] = {entity: {} for entity in TOPICS}
        self.fates: dict[str, dict[str, str]] = {entity: {} for entity in TOPICS}
        self.gone: dict[str, set[str]] = {entity: set() for entity in TOPICS}
        self.removed: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self.flaws: dict[Place, Flaw] = {}
        self.newest: dict[tuple[str, str], Place] = {}
        self.written = 0
        self._random = Random(seed)  # noqa: S311 # repeatable chance, no secret
        self._rows = Rows(self._random, wall)
        self._wall = wall
        self._write = write
        self._ends: Counter[tuple[str, int]] = Counter()
        self._live: dict[str, list[int]] = {entity: [] for entity in TOPICS}
        self._deleted: dict[str, list[int]] = {entity: [] for entity in TOPICS}
        self._young: set[int] = set()

    # What happens

    def load(self, entity: str) -> None:
        """A row that was there before the day began, as Debezium's snapshot reads it."""
        self._insert(entity, "r")

    def insert(self, entity: str) -> None:
        self._insert(entity, "c")

    def update(self, entity: str) -> None:
        """Change a row; one change in eight is of nothing that Replenit has a field for."""
        number = self._random.choice(self._live[entity])
        before = self.tables[entity][number]
        if self._rows.chance(1 / 8) and str(number) not in self.fates[entity]:
            self._put(entity, "u", before, self._rows.touched(before))
            return
        after = self._rows.row(entity, number, before)
        if entity == "customers" and number in self._young:
            # Withdrawn before it was sent, a new customer's consent leaves nothing, and later a trace: either is right.
            after["gdpr_optin"] = before["gdpr_optin"] or after["gdpr_optin"]
        self._change(entity, "u", before, after)

    def reprice(self) -> None:
        """The hot product costs something else again."""
        before = self.tables["products"][_HOT]
        self._put("products", "u", before, self._rows.repriced(before))

    def delete(self, entity: str) -> None:
        live = self._live[entity]
        number = live.pop(self._random.randrange(len(live)))
        self._deleted[entity].append(number)
        self._put(entity, "d", self.tables[entity][number], None)
        self._emit(entity, number, self._key(entity, number), None)

    def reinsert(self, entity: str) -> None:
        """The row that was deleted last comes back as another."""
        if self._deleted[entity]:
            self._insert(entity, "c", self._deleted[entity].pop())

    def spoil(self) -> None:
        """From now on every new version of an order has a currency that is none."""
        self._rows.currency = _BROKEN

    def mend(self) -> None:
        """Orders get their currency again, those that were spoilt included."""
        self._rows.currency = "EUR"
        for row in [row for row in self.tables["orders"].values() if row["currency"] == _BROKEN]:
            self._put("orders", "u", row, {**row, "currency": "EUR"})

    # Changes

    def _insert(self, entity: str, op: str, number: int = 0) -> None:
        if not number:
            self._rows.last[entity] += 1
            number = self._rows.last[entity]
        if number >= RESERVED:
            self._live[entity].append(number)
        if entity == "customers" and op == "c":
            self._young.add(number)
        self._change(entity, op, None, self._rows.row(entity, number, None))

    def _change(self, entity: str, op: str, before: Row | None, after: Row) -> None:
        number = after[IDS[entity]]
        flaw = "rejected" if str(number) in REFUSED.get(entity, ()) else ""
        if number >= RESERVED and self._may_be_flawed(entity, before, after) and self._rows.chance(FLAWED):
            flaw = self._random.choice(("invalid", "unconvertible", "undecodable", "no_key"))
            spoil(entity, after, flaw)
        self._put(entity, op, before, after, flaw)

    def _may_be_flawed(self, entity: str, before: Row | None, after: Row) -> bool:
        """Not where more than the row decides what becomes of it: consent withdrawn, a list emptied, a flaw before."""
        known = [row for row in (before, after) if row is not None]
        whole = all(row.get("gdpr_optin", True) and not lacks(entity, row) for row in known)
        return whole and after.get("currency") != _BROKEN and str(after[IDS[entity]]) not in self.fates[entity]

    def _put(self, entity: str, op: str, before: Row | None, after: Row | None, flaw: str = "") -> None:
        """Change the table, write the change, and work out what Replenit should hold from now on."""
        row = after or before or {}
        number: int = row[IDS[entity]]
        if after is None:
            del self.tables[entity][number]
        else:
            self.tables[entity][number] = after
            if after.get("currency") == _BROKEN and not lacks(entity, after):  # one without items is not looked at
                flaw = "invalid"
        value = json.dumps(self._envelope(op, before, after), separators=(",", ":")).encode()
        key = None if flaw == "no_key" else self._key(entity, number)
        place = self._emit(entity, number, key, value[: len(value) // 2] if flaw == "undecodable" else value)
        if flaw:
            self.flaws[place] = Flaw(entity, str(number), flaw)
            self.fates[entity][str(number)] = flaw
        else:
            self._expect(entity, str(number), op, before, after)

    def _expect(self, entity: str, identifier: str, op: str, before: Row | None, after: Row | None) -> None:
        self.fates[entity].pop(identifier, None)
        if after is None:
            self._forget(entity, identifier)
        elif entity == "customers" and not after["gdpr_optin"]:
            self.fates[entity][identifier] = _NO_CONSENT
            if before is not None and before["gdpr_optin"]:
                self._keep(entity, identifier, {"CustomerId": identifier, "GdprOptin": False})
        elif lacks(entity, after):
            self.fates[entity][identifier] = _EMPTY[entity]
            if before is not None and not lacks(entity, before):
                self._forget(entity, identifier)
        else:
            self._keep(entity, identifier, document(after))
            if entity == "orders" and op == "u" and before is not None:
                self.removed[identifier] |= items(before) - items(after)

    def _keep(self, entity: str, identifier: str, wanted: Document) -> None:
        self.expected[entity][identifier] = wanted
        self.gone[entity].discard(identifier)

    def _forget(self, entity: str, identifier: str) -> None:
        if self.expected[entity].pop(identifier, None) is not None:
            self.gone[entity].add(identifier)
        if entity == "orders":
            self.removed.pop(identifier, None)

    def _envelope(self, op: str, before: Row | None, after: Row | None) -> Row:
        position = 26_000_000 + 56 * self.written
        source = {
            "connector": "postgresql",
            "ts_ms": int(self._wall() * 1000),
            "snapshot": "true" if op == "r" else "false",
            "sequence": f'["{position}","{position}"]',
        }
        return {"op": op, "before": before, "after": after, "source": source}

    def _key(self, entity: str, number: int) -> bytes:
        return json.dumps({IDS[entity]: number}).encode()

    def _emit(self, entity: str, number: int, key: bytes | None, value: bytes | None) -> Place:
        partition = crc32(str(number).encode()) % PARTITIONS
        place = Place(TOPICS[entity], partition, self._ends[entity, partition])
        self._ends[entity, partition] += 1
        self.newest[entity, str(number)] = place
        self.written += 1
        self._write(Change(place, key, value))
        return place
