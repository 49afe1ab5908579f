"""What is kept on disk of tables whose rows together make one document: its root row, its child rows, its side rows.

Such rows are a *family*; the root row's primary key names it, and is called the *parent* of all of its rows.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.core.events import Entity, Partition, Record
    from connector.core.states import ItemKey


class StoredRow(NamedTuple):
    """The newest state of a row.

    `parent`: the family that it belongs to, "" for a root row. `body`: what the mapping made of it. `position`: the
    partition of the event that wrote it and the source's position, None where the source gives none.
    """

    parent: str
    body: bytes
    position: tuple[int | str, ...] | None = None


class There(IntEnum):
    """What Replenit may hold of a document: nothing, a consent that was taken back, or all of it."""

    NOTHING = 0
    RETRACTED = 1
    DOCUMENT = 2


class Family(NamedTuple):
    """What Replenit may hold of a family; it is written before anything is sent.

    `id`: the document's. `held`: the keys of items that may be there. `retired`: ids that it had before, and that are
    still to be deleted.
    """

    id: str
    there: There = There.NOTHING
    held: frozenset[ItemKey] = frozenset()
    retired: frozenset[str] = frozenset()


class Touched(NamedTuple):
    """A family with events that are not settled: it is to be judged, and sent.

    `ordinal` orders families by their first such event and stays while the family is dirty. `firsts`: the first such
    offset of each partition. `record`: the newest. `snapshot`: all of them are from a snapshot. `committed_ms`: when
    the source committed the first that has a time, of those since it was taken last. `version` grows with each event
    of the family.
    """

    ordinal: int
    entity: Entity
    parent: str
    firsts: Mapping[Partition, int]
    record: Record
    snapshot: bool
    committed_ms: int | None
    version: int


class Store(Protocol):
    """What `adapters.store.Store` does: rows, what may be there, who is to be sent, how far was read; in one commit.

    `clock`: the newest version, and at least the newest ordinal. `id`: names this store among all others.
    `overtaken`: close it, so that the next start begins a new one; the error to end the process with.
    """

    @property
    def id(self) -> str: ...
    def overtaken(self) -> Exception: ...

    def row(self, source: int, key: str) -> StoredRow | None: ...
    def put(self, source: int, key: str, row: StoredRow) -> None: ...
    def drop(self, source: int, key: str) -> None: ...
    def children(self, source: int, parent: str, limit: int) -> list[tuple[str, StoredRow]]: ...
    def family(self, entity: Entity, parent: str) -> Family | None: ...
    def keep_family(self, entity: Entity, parent: str, family: Family | None) -> None: ...
    def parents_of(self, entity: Entity, document: str, limit: int) -> list[str]: ...
    def touch(
        self, entity: Entity, parent: str, record: Record, *, snapshot: bool, committed_ms: int | None
    ) -> int: ...
    @property
    def clock(self) -> int: ...
    def touched(self, entity: Entity, after: int, limit: int) -> list[Touched]: ...
    def due(self, entity: Entity, after: int, limit: int) -> list[tuple[int, str]]: ...
    def one_touched(self, entity: Entity, parent: str) -> Touched | None: ...
    def take(self, entity: Entity, parent: str) -> int | None: ...
    def settle(self, entity: Entity, parent: str, version: int) -> bool: ...
    def dirty(self, entity: Entity) -> int: ...
    def oldest_commit_ms(self, entity: Entity) -> int | None: ...
    def floor(self, partition: Partition) -> int | None: ...
    def progress(self) -> dict[Partition, int]: ...
    def advance(self, partition: Partition, position: int) -> None: ...
    def rewind(self, partition: Partition, position: int) -> None: ...
    def commit(self) -> None: ...
    def sizes(self) -> dict[str, int]: ...
