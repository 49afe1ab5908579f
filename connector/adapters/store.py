"""What a family's rows are, which families are to be sent, and how far the topics were read: on disk, changed as one.

The loop commits once a turn. Whatever happens to the process, what is read on the next start is what one commit left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from connector.adapters import store_tables as tables
from connector.adapters.database import DamagedError
from connector.adapters.state_folder import open_database
from connector.core.events import Entity, Partition, Record
from connector.core.stored import Family, StoredRow, Touched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from connector.adapters.database import Database
    from connector.adapters.state_folder import Fate
    from connector.errors import PlatformError


_GREATEST = 2**63 - 1
"""What a column can hold. A source's clock that is as wrong as that is not worth a failure."""


class Opened(NamedTuple):
    """A store, and what became of the one that was there: `moved_to` and `why` tell if it was not intact."""

    store: Store
    fate: Fate
    moved_to: Path | None
    why: str


def open_store(folder: Path, meaning: str, stopping: Callable[[], bool] = lambda: False) -> Opened:
    """Open the folder's store, or begin a new one. It belongs to this process until it is closed.

    `meaning` is a digest of what decides what is stored: the mapping, and the release's way to read it.
    `stopping`: whether there is no more use in it. The check of a large store takes a while.
    Raises ConfigurationError for a folder that can't be used, PlatformError, Stopped.
    """
    try:
        return _open(folder, meaning, stopping)
    except DamagedError:  # it passed the check and can't be read all the same; it is set aside now
        return _open(folder, meaning, stopping)


def _open(folder: Path, meaning: str, stopping: Callable[[], bool]) -> Opened:
    opening = open_database(folder, tables.LAYOUT, meaning, stopping)
    return Opened(Store(opening.database), opening.fate, opening.moved_to, opening.why)


class Store:
    """The families of one process. Nothing lasts before `commit`; every call may raise PlatformError.

    After that error the store is closed, and its next opening finds the last commit. `id` is random and names this
    disk.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._partitions: dict[Partition, int] = {}
        self._names: dict[int, Partition] = {}
        self._progress: dict[Partition, int] = {}
        self._moved: set[Partition] = set()
        for number, partition, position in database.read(tables.place, tables.PROGRESS):
            self._partitions[partition], self._names[number] = number, partition
            if position is not None:
                self._progress[partition] = position
        self._dirty = dict.fromkeys(Entity, 0) | dict(database.read(tables.count, tables.COUNTS))
        [self._clock] = database.read(int, "SELECT coalesce(max(ordinal), 0) FROM dirty")
        self._under_way: dict[int, int] = {}  # ordinal → the version that was taken

    @property
    def id(self) -> str:
        return self._database.id

    def overtaken(self) -> PlatformError:
        """Another process has sent since, with a store of its own: the next start makes this one anew."""
        return self._database.overtaken()

    # Rows. `source` is a small number that stands for a table.

    def row(self, source: int, key: str) -> StoredRow | None:
        query = "SELECT parent, body, position FROM rows WHERE source = ? AND key = ?"
        return next(iter(self._database.read(tables.row, query, (source, key))), None)

    def put(self, source: int, key: str, row: StoredRow) -> None:
        """Keep a row in place of the one with its key, whichever family that belonged to."""
        self._database.run(tables.PUT, (source, row.parent, key, row.body, tables.to_position(row.position)))

    def drop(self, source: int, key: str) -> None:
        self._database.run("DELETE FROM rows WHERE source = ? AND key = ?", (source, key))

    def children(self, source: int, parent: str, limit: int) -> list[tuple[str, StoredRow]]:
        """The table's rows of a family, shorter keys first: numbers come in their own order, however often rebuilt.

        At most `limit`: a caller that must have them all asks for one more than it can use.
        """
        children = self._database.read(tables.child, tables.CHILDREN, (source, parent, limit))
        return sorted(children, key=lambda child: (len(child[0]), child[0]))

    # What Replenit may hold

    def family(self, entity: Entity, parent: str) -> Family | None:
        query = "SELECT id, there, held, retired FROM parents WHERE entity = ? AND parent = ?"
        return next(iter(self._database.read(tables.family, query, (entity.value, parent))), None)

    def keep_family(self, entity: Entity, parent: str, family: Family | None) -> None:
        """Note what may be there; None forgets."""
        if family is None:
            self._database.run("DELETE FROM parents WHERE entity = ? AND parent = ?", (entity.value, parent))
        else:
            told = (family.id, family.there, tables.to_held(family.held), tables.to_retired(family.retired))
            self._database.run(tables.KEEP, (entity.value, parent, *told))

    def parents_of(self, entity: Entity, document: str, limit: int) -> list[str]:
        """The families whose document has this id, at most `limit`, in the order of their keys."""
        query = "SELECT parent FROM parents WHERE entity = ? AND id = ? ORDER BY parent LIMIT ?"
        return self._database.read(str, query, (entity.value, document, limit))

    # Who is to be sent

    def touch(self, entity: Entity, parent: str, record: Record, *, snapshot: bool, committed_ms: int | None) -> int:
        """An event of the family was read: it is dirty. Returns its version."""
        self._clock += 1
        number = self._number(Partition(record.topic, record.partition))
        headers = tables.to_headers(record.headers)
        committed_ms = None if committed_ms is None else min(committed_ms, _GREATEST)
        newest = (number, record.offset, record.key, record.value, headers, record.timestamp_ms, snapshot, committed_ms)
        ordinal, version = self._state(entity, parent) or (self._clock, 0)
        if version:
            version = max(version + 1, self._clock)
            self._database.run(tables.SOIL_AGAIN, (version, *newest, ordinal))
        else:
            version = ordinal
            self._database.run(tables.SOIL, (ordinal, entity.value, parent, version, *newest))
            self._dirty[entity] += 1
        if ordinal in self._under_way:
            self._database.run(tables.COVER_LATER, (ordinal, number, record.offset, record.offset))
        else:
            self._database.run(tables.COVER, (ordinal, number, record.offset))
        return version

    @property
    def clock(self) -> int:
        """The newest version, and at least the newest ordinal."""
        return self._clock

    def one_touched(self, entity: Entity, parent: str) -> Touched | None:
        """The family, if it is dirty."""
        found = self._database.read(
            lambda *columns: self._touched(entity, *columns), tables.ONE_TOUCHED, (entity.value, parent)
        )
        return found[0] if found else None

    def touched(self, entity: Entity, after: int, limit: int) -> list[Touched]:
        """The dirty families whose ordinal is greater than `after`, the oldest `limit` of them, oldest first."""
        return self._database.read(
            lambda *columns: self._touched(entity, *columns), tables.TOUCHED, (entity.value, after, limit)
        )

    def due(self, entity: Entity, after: int, limit: int) -> list[tuple[int, str]]:
        """As `touched`, but ordinal and parent alone: records may be large."""
        return self._database.read(tables.named, tables.DUE, (entity.value, after, limit))

    def take(self, entity: Entity, parent: str) -> int | None:
        """What is known of the family now goes out. Returns the version to settle, None if it is not dirty."""
        state = self._state(entity, parent)
        if state is None:
            return None
        ordinal, version = state
        self._database.run("UPDATE firsts SET later = NULL WHERE ordinal = ? AND later IS NOT NULL", (ordinal,))
        self._database.run("UPDATE dirty SET committed_ms = NULL WHERE ordinal = ?", (ordinal,))
        self._under_way[ordinal] = version
        return version

    def settle(self, entity: Entity, parent: str, version: int) -> bool:
        """The family's state of that version is delivered, rejected or withheld. False: touched since, it stays dirty.

        If the version was taken, its offsets hold nothing back any more, though the family is never at rest.
        """
        state = self._state(entity, parent)
        if state is None:
            return True
        ordinal, newest = state
        taken = self._under_way.get(ordinal)
        if version == newest:
            self._under_way.pop(ordinal, None)
            self._clean(entity, ordinal)
        elif version == taken:
            del self._under_way[ordinal]
            self._database.run("DELETE FROM firsts WHERE ordinal = ? AND later IS NULL", (ordinal,))
            self._database.run("UPDATE firsts SET first = later, later = NULL WHERE ordinal = ?", (ordinal,))
        return version == newest

    def dirty(self, entity: Entity) -> int:
        """How many families are dirty."""
        return self._dirty[entity]

    def oldest_commit_ms(self, entity: Entity) -> int | None:
        """The earliest commit time of a dirty family that was not taken since, None if there is none."""
        [oldest] = self._database.read(tables.first, tables.OLDEST, (entity.value,))
        return oldest

    def floor(self, partition: Partition) -> int | None:
        """The first offset that is not settled, None if all are: Kafka's commits must not pass it."""
        query = "SELECT min(first) FROM firsts WHERE partition = ?"
        [first] = self._database.read(tables.first, query, (self._partitions.get(partition),))
        return first

    # How far the topics were read

    def progress(self) -> dict[Partition, int]:
        """The next offset to read of each partition that was read."""
        return dict(self._progress)

    def advance(self, partition: Partition, position: int) -> None:
        """All before `position` is in the store."""
        if self._progress.get(partition) != position:  # a turn in which nothing is read writes nothing
            self._progress[partition] = position
            self._moved.add(partition)

    def rewind(self, partition: Partition, position: int) -> None:
        """The partition is read anew from `position`; what is dirty holds its commits back to there, not beyond.

        For a topic that was created anew, whose offsets begin again.
        """
        self.advance(partition, position)
        values = (position, position, self._number(partition))
        self._database.run("UPDATE firsts SET first = min(first, ?), later = min(later, ?) WHERE partition = ?", values)

    # The transaction

    def commit(self) -> None:
        """Make everything since the last commit durable, as one."""
        for partition in self._moved:
            values = (self._progress[partition], self._number(partition))
            self._database.run("UPDATE progress SET position = ? WHERE partition = ?", values)
        self._moved.clear()
        self._database.commit()

    def sizes(self) -> dict[str, int]:
        """Bytes on disk: `used`, `free` for what comes, and the `log` of what was committed last."""
        return self._database.sizes()

    def close(self) -> None:
        """Let the folder go; what was not committed is undone."""
        self._database.close()

    def _state(self, entity: Entity, parent: str) -> tuple[int, int] | None:
        """Ordinal and version of a dirty family."""
        query = "SELECT ordinal, version FROM dirty WHERE entity = ? AND parent = ?"
        return next(iter(self._database.read(tables.pair, query, (entity.value, parent))), None)

    def _clean(self, entity: Entity, ordinal: int) -> None:
        self._database.run("DELETE FROM dirty WHERE ordinal = ?", (ordinal,))
        self._database.run("DELETE FROM firsts WHERE ordinal = ?", (ordinal,))
        self._dirty[entity] -= 1

    def _number(self, partition: Partition) -> int:
        """The small number that stands for a partition in the tables."""
        number = self._partitions.get(partition)
        if number is None:
            number = max(self._names, default=0) + 1
            self._partitions[partition], self._names[number] = number, partition
            insert = "INSERT INTO progress (partition, topic, number) VALUES (?, ?, ?)"
            self._database.run(insert, (number, *partition))
        return number

    def _name(self, number: int) -> Partition:
        if number not in self._names:
            raise ValueError(number)
        return self._names[number]

    def _touched(self, entity: Entity, ordinal: int, parent: str, version: int, *newest: Any) -> Touched:  # noqa: ANN401
        number, offset, key, value, headers, timestamp_ms, snapshot, committed_ms = newest
        query = "SELECT partition, first FROM firsts WHERE ordinal = ?"
        firsts = {self._name(place): first for place, first in self._database.read(tables.pair, query, (ordinal,))}
        record = Record(*self._name(number), offset, key, value, tables.headers(headers), timestamp_ms)
        return Touched(ordinal, entity, parent, firsts, record, bool(snapshot), committed_ms, version)
