"""A store of families in memory, which keeps after a crash what its last commit left."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

from connector.core.events import Partition
from connector.core.stored import Family, StoredRow, Touched
from connector.errors import PlatformError

if TYPE_CHECKING:
    from connector.core.events import Entity, Record


@dataclass
class _Content:
    rows: dict[tuple[int, str], StoredRow] = field(default_factory=dict)
    families: dict[tuple[Entity, str], Family] = field(default_factory=dict)
    dirty: dict[tuple[Entity, str], Touched] = field(default_factory=dict)
    later: dict[tuple[Entity, str], dict[Partition, int]] = field(default_factory=dict)
    progress: dict[Partition, int] = field(default_factory=dict)
    clock: int = 0

    def copy(self) -> _Content:
        later = {key: dict(firsts) for key, firsts in self.later.items()}
        return _Content(dict(self.rows), dict(self.families), dict(self.dirty), later, dict(self.progress), self.clock)


class MemoryStore:
    """See `connector.core.stored.Store`."""

    _numbers = count(1)

    def __init__(self) -> None:
        self.id = f"store-{next(self._numbers)}"
        self.condemned = False
        self.content = _Content()
        self._durable = self.content.copy()
        self._under_way: dict[tuple[Entity, str], int] = {}

    def overtaken(self) -> PlatformError:
        self.condemned = True
        return PlatformError("another process has sent since")

    def durable_families(self, entity: Entity) -> list[Family]:
        """What would be known after a crash of what may be at the API."""
        return [family for (of, _), family in self._durable.families.items() if of is entity]

    @property
    def durable(self) -> _Content:
        """What the next process would find."""
        return self._durable

    def crash(self) -> MemoryStore:
        """The store as the next process finds it."""
        self.content = self._durable.copy()
        self._under_way = {}
        for key, first in self.content.later.items():
            touched = self.content.dirty[key]
            self.content.dirty[key] = touched._replace(firsts={**first, **touched.firsts})
        self.content.later = {}
        return self

    def row(self, source: int, key: str) -> StoredRow | None:
        return self.content.rows.get((source, key))

    def put(self, source: int, key: str, row: StoredRow) -> None:
        self.content.rows[source, key] = row

    def drop(self, source: int, key: str) -> None:
        self.content.rows.pop((source, key), None)

    def children(self, source: int, parent: str, limit: int) -> list[tuple[str, StoredRow]]:
        found = [(key, row) for (of, key), row in self.content.rows.items() if of == source and row.parent == parent]
        return sorted(found, key=lambda each: (len(each[0]), each[0]))[:limit]

    def family(self, entity: Entity, parent: str) -> Family | None:
        return self.content.families.get((entity, parent))

    def keep_family(self, entity: Entity, parent: str, family: Family | None) -> None:
        self.content.families.pop((entity, parent), None)
        if family is not None:
            self.content.families[entity, parent] = family

    def parents_of(self, entity: Entity, document: str, limit: int) -> list[str]:
        families = self.content.families.items()
        return sorted(parent for (of, parent), family in families if of is entity and family.id == document)[:limit]

    def touch(
        self,
        entity: Entity,
        parent: str,
        record: Record,
        *,
        snapshot: bool,
        committed_ms: int | None,
    ) -> int:
        partition = Partition(record.topic, record.partition)
        self.content.clock += 1
        key, clock = (entity, parent), self.content.clock
        known = self.content.dirty.get(key)
        if known is None:
            firsts = {partition: record.offset}
            self.content.dirty[key] = Touched(clock, entity, parent, firsts, record, snapshot, committed_ms, clock)
            return clock
        if key in self._under_way:
            self.content.later.setdefault(key, {}).setdefault(partition, record.offset)
        firsts = {partition: record.offset, **known.firsts}
        self.content.dirty[key] = known._replace(
            firsts=firsts,
            record=record,
            snapshot=known.snapshot and snapshot,
            committed_ms=known.committed_ms if known.committed_ms is not None else committed_ms,
            version=clock,
        )
        return clock

    @property
    def clock(self) -> int:
        return self.content.clock

    def touched(self, entity: Entity, after: int, limit: int) -> list[Touched]:
        found = [each for each in self.content.dirty.values() if each.entity is entity and each.ordinal > after]
        return sorted(found, key=lambda each: each.ordinal)[:limit]

    def due(self, entity: Entity, after: int, limit: int) -> list[tuple[int, str]]:
        return [(each.ordinal, each.parent) for each in self.touched(entity, after, limit)]

    def one_touched(self, entity: Entity, parent: str) -> Touched | None:
        return self.content.dirty.get((entity, parent))

    def take(self, entity: Entity, parent: str) -> int | None:
        touched = self.content.dirty.get((entity, parent))
        if touched is None:
            return None
        self.content.later.pop((entity, parent), None)
        self.content.dirty[entity, parent] = touched._replace(committed_ms=None)
        self._under_way[entity, parent] = touched.version
        return touched.version

    def settle(self, entity: Entity, parent: str, version: int) -> bool:
        key = (entity, parent)
        touched = self.content.dirty.get(key)
        if touched is None:
            return True
        taken = self._under_way.get(key)
        if touched.version == version:
            del self.content.dirty[key]
            self._under_way.pop(key, None)
            self.content.later.pop(key, None)
        elif taken == version:
            del self._under_way[key]
            self.content.dirty[key] = touched._replace(firsts=self.content.later.pop(key, touched.firsts))
        return touched.version == version

    def dirty(self, entity: Entity) -> int:
        return sum(of is entity for of, _ in self.content.dirty)

    def oldest_commit_ms(self, entity: Entity) -> int | None:
        times = (each.committed_ms for each in self.content.dirty.values() if each.entity is entity)
        return min((time for time in times if time is not None), default=None)

    def floor(self, partition: Partition) -> int | None:
        firsts = [each.firsts[partition] for each in self.content.dirty.values() if partition in each.firsts]
        return min(firsts, default=None)

    def progress(self) -> dict[Partition, int]:
        return dict(self.content.progress)

    def advance(self, partition: Partition, position: int) -> None:
        self.content.progress[partition] = position

    def rewind(self, partition: Partition, position: int) -> None:
        self.advance(partition, position)
        for key, touched in self.content.dirty.items():
            if partition in touched.firsts:
                firsts = {**touched.firsts, partition: min(touched.firsts[partition], position)}
                self.content.dirty[key] = touched._replace(firsts=firsts)

    def sizes(self) -> dict[str, int]:
        return {}

    def commit(self) -> None:
        self._durable = self.content.copy()
