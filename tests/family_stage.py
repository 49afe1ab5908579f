"""Families without a service: a shop's records are read table by table, in whatever order, and what waits is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from family_shop import TABLES, Dialect, Shop
from memory_store import MemoryStore
from simulation import World

from connector.core.assembly import Assembly
from connector.core.entries import QUEUES
from connector.core.events import Entity, Partition
from connector.core.families import Families, Told
from connector.core.family_reader import readers_of
from connector.core.family_rows import FamilyRows
from connector.core.family_tables import members
from connector.core.gate import Gate
from connector.core.intake import Intake, Taken
from connector.core.mapping import Options
from connector.core.mapping_text import read
from connector.core.offsets import Offsets
from connector.core.pending import Pending
from connector.core.second_sendings import SecondSendings
from connector.core.suspensions import Suspensions
from connector.core.wire import Wire

if TYPE_CHECKING:
    from connector.core.entries import Entry
    from connector.core.stored import Family


class Stage:
    """One entity's families over a store in memory. `sent`: what went out, in its order, as `say` tells it."""

    def __init__(
        self,
        entity: Entity,
        dialect: Dialect = Dialect.FULL,
        *,
        removals: bool = True,
        items_by_order: bool = False,
        store: MemoryStore | None = None,
    ) -> None:
        self.now = 1000.0
        self.entity = entity
        self.shop = Shop(World(0), dialect, items_by_order=items_by_order)
        self.sent: list[str] = []
        self.documents: dict[str, dict[str, Any]] = {}  # what was posted last
        self._log = self.shop.log
        self._read = dict.fromkeys(self._log, 0)
        self.start(store or MemoryStore(), removals=removals)

    def start(self, store: MemoryStore, *, removals: bool = True) -> None:
        """A process begins, with what is in the store."""
        self.store = store
        self.suspensions = Suspensions()
        self.offsets = Offsets()
        self.gate = Gate(60.0)
        self.pending = Pending(self.offsets, removals=removals)
        specs = read(self.shop.mapping)
        assert isinstance(specs, dict), specs
        spec = specs[self.entity]
        tables = members(self.entity, spec, [f"shop.{self.entity}"])
        readers = readers_of(self.entity, spec, tables, Options())
        second = SecondSendings(900.0)
        assembly = Assembly(self.entity, spec, readers, Options(), store)
        rows = FamilyRows(self.entity, readers, assembly, store, suppress=True)
        self.families = Families(
            self.entity, rows, assembly, store, self.pending, self.suspensions, second, removals=removals
        )
        self.pending.origins[self.entity] = self.families
        for partition in self._log:
            self.offsets.assign(partition)
            self.gate.assign(partition, self.now)
            self.gate.know(partition, 0, None, 0.0)
            self.gate.read(partition, 0)
        self.intake = Intake(
            Wire(None),
            {},
            dict.fromkeys(self.families.rows.topics, self.entity),
            self.pending,
            self.gate,
            partition_count=lambda _: 2,
            suppress=True,
            second=second,
            families={self.entity: self.families},
        )

    def read(self, *tables: str, key: Any = None, order: Any = None) -> list[Taken]:  # noqa: ANN401 (a column's value)
        """Take in what was not read yet of these tables, or of all that the entity has, in the order of the log.

        `key`: only of the partition of the row with this key. `order`: of the items of this order.
        """
        topics = {TABLES[name].topic for name in tables} or set(self.families.rows.topics)
        records = [
            record
            for partition, log in self._log.items()
            if partition.topic in topics
            and (key is None or partition == self.shop.partition(tables[0], key))
            and (order is None or partition == self.shop.partition("order_items", order))
            for record in log[self._read[partition] :]
        ]
        taken = []
        for record in sorted(records, key=lambda record: record.timestamp_ms or 0):
            partition = Partition(record.topic, record.partition)
            taken.append(self.intake.take(record, partition, self.now))
            self._read[partition] = record.offset + 1
        return taken

    def turn(self, seconds: float = 1.0) -> list[Told]:
        """Let time pass, and assemble what is due then."""
        self.now += seconds
        return self.families.turn(self.now)

    def fly(self) -> list[Entry]:
        """Everything that may go leaves."""
        self.pending.advance(self.now)
        entries = self.pending.take(QUEUES, 1000)
        for entry in entries:
            self.families.leaving(entry)
            self.sent.append(say(entry))
            if entry.state.document is not None and not entry.state.delete:
                self.documents[entry.key.id] = json.loads(entry.state.document)
        return entries

    def arrive(self, entries: list[Entry]) -> None:
        """Their requests have succeeded."""
        for entry in entries:
            if entry.state.delete or entry.state.document is not None:
                self.pending.delivered(entry)
            else:
                self.pending.item_deleted(entry, min(entry.state.stale))

    def settle(self) -> list[str]:
        """Read, assemble and send until nothing is left; what was sent."""
        before = len(self.sent)
        self.read()
        for _ in range(20):
            self.turn(6.0)
            while entries := self.fly():
                self.arrive(entries)
        assert not self.store.dirty(self.entity)
        return self.sent[before:]

    def family(self, parent: str) -> Family | None:
        return self.store.family(self.entity, parent)

    def crash(self) -> None:
        """The process ends, all but the last commit is lost, and another one begins."""
        self.start(self.store.crash())
        self._read = {partition: self.store.content.progress.get(partition, 0) for partition in self._log}

    def commit(self) -> None:
        for partition, position in self._read.items():
            self.store.advance(partition, position)
        self.store.commit()


def say(entry: Entry) -> str:
    """A request in a few words."""
    state = entry.state
    if state.delete:
        return f"delete {entry.key.id}"
    if state.document is None:
        return f"delete {' '.join(min(state.stale))} of {entry.key.id}"
    document: dict[str, Any] = json.loads(state.document)
    if state.retracts:
        return f"retract {entry.key.id}"
    parts = document.get("OrderItems") or document.get("ProductVariants") or ()
    held = " ".join(str(part.get("Sku")) for part in parts)
    return f"post {entry.key.id}{' with ' + held if held else ''}"
