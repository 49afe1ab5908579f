"""The store against a model in plain dictionaries, through commits, stops and crashes."""

from __future__ import annotations

import tempfile
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from adapters.stores import MEANING, ORDERS, fill, read_all, record
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.adapters.database import NAME
from connector.adapters.state_folder import Fate, open_database
from connector.adapters.store import Store, open_store
from connector.adapters.store_tables import COUNTS, LAYOUT, PROGRESS
from connector.core.events import Entity, Partition, Record
from connector.core.stored import Family, StoredRow, There, Touched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from connector.adapters.database import Database

PARTITIONS = (Partition("shop", 0), Partition("shop", 1))
SOURCES = (0, 1)
KEYS = ("", "9", "10", "ünïcode\x00\U0001f600")
IDS = ("a", "b")

keys = st.sampled_from(KEYS)
parents = st.sampled_from(KEYS[1:])
sources = st.sampled_from(SOURCES)
entities = st.sampled_from((Entity.ORDERS, Entity.CUSTOMERS))
who = st.sampled_from(((Entity.ORDERS, "9"), (Entity.ORDERS, "10"), (Entity.CUSTOMERS, "9")))
partitions = st.sampled_from(PARTITIONS)
positions = st.none() | st.tuples(st.integers(0, 2**64), st.text(max_size=3))
rows = st.builds(StoredRow, keys, st.binary(max_size=20), positions)
families = st.builds(
    Family,
    st.sampled_from(IDS),
    st.sampled_from(There),
    st.frozensets(st.tuples(st.text(max_size=3), st.text(max_size=3))),
    st.frozensets(st.sampled_from(IDS)),
)
headers = st.lists(st.tuples(st.text(max_size=3), st.none() | st.binary(max_size=3)), max_size=2).map(tuple)
contents = st.none() | st.binary(max_size=20)
times = st.none() | st.integers(0, 2**62)
records = st.builds(Record, st.just("shop"), st.sampled_from((0, 1)), st.just(0), contents, contents, headers, times)


@dataclass
class Dirty:
    """A dirty family: the events that are not settled, as (version, partition, offset)."""

    events: list[tuple[int, Partition, int]]
    record: Record
    snapshot: bool
    committed_ms: int | None
    taken: int | None = None

    @property
    def version(self) -> int:
        return self.events[-1][0]

    def firsts(self) -> dict[Partition, int]:
        held = {partition for _, partition, _ in self.events}
        return {one: min(offset for _, partition, offset in self.events if partition == one) for one in held}


@dataclass
class Model:
    """What the store holds; dirty families in the order of their first touch."""

    rows: dict[tuple[int, str], StoredRow] = field(default_factory=dict)
    families: dict[tuple[Entity, str], Family] = field(default_factory=dict)
    dirty: dict[tuple[Entity, str], Dirty] = field(default_factory=dict)
    progress: dict[Partition, int] = field(default_factory=dict)


class StoreMachine(RuleBasedStateMachine):
    """Whatever is done, the store tells what the model tells; after a crash, what the model was at the last commit."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = open_store(Path(self.folder.name), MEANING).store
        self.id = self.store.id
        self.model, self.committed = Model(), Model()

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()

    @rule(source=sources, key=keys, row=rows)
    def put(self, source: int, key: str, row: StoredRow) -> None:
        self.store.put(source, key, row)
        self.model.rows[source, key] = row

    @rule(source=sources, key=keys)
    def drop(self, source: int, key: str) -> None:
        self.store.drop(source, key)
        self.model.rows.pop((source, key), None)

    @rule(entity=entities, parent=parents, family=st.none() | families)
    def keep(self, entity: Entity, parent: str, family: Family | None) -> None:
        self.store.keep_family(entity, parent, family)
        if family is None:
            self.model.families.pop((entity, parent), None)
        else:
            self.model.families[entity, parent] = family

    @rule(
        key=who,
        newest=records,
        skipped=st.integers(0, 2),
        snapshot=st.booleans(),
        committed_ms=st.none() | st.integers(0, 9),
    )
    def read(
        self,
        key: tuple[Entity, str],
        *,
        newest: Record,
        skipped: int,
        snapshot: bool,
        committed_ms: int | None,
    ) -> None:
        """An event of a family is read, and the partition's position goes on."""
        partition = Partition(newest.topic, newest.partition)
        offset = self.model.progress.get(partition, 0) + skipped
        newest = replace(newest, offset=offset)
        version = self.store.touch(*key, newest, snapshot=snapshot, committed_ms=committed_ms)
        self.store.advance(partition, offset + 1)
        self.model.progress[partition] = offset + 1
        known = self.model.dirty.get(key)
        if known is None:
            self.model.dirty[key] = Dirty([(version, partition, offset)], newest, snapshot, committed_ms)
            return
        assert version > known.version
        known.events.append((version, partition, offset))
        known.record = newest
        known.snapshot = known.snapshot and snapshot
        known.committed_ms = committed_ms if known.committed_ms is None else known.committed_ms

    @rule(key=who)
    def take(self, key: tuple[Entity, str]) -> None:
        known = self.model.dirty.get(key)
        assert self.store.take(*key) == (None if known is None else known.version)
        if known is not None:
            known.taken = known.version
            known.committed_ms = None

    @rule(key=who, back=st.integers(0, 2))
    def settle(self, key: tuple[Entity, str], back: int) -> None:
        """Settle one of the last three versions, often one that is not the newest."""
        known = self.model.dirty.get(key)
        if known is None:
            assert self.store.settle(*key, 1)
        else:
            self.settle_version(key, known, known.events[-1 - min(back, len(known.events) - 1)][0])

    @precondition(lambda self: any(one.taken for one in self.model.dirty.values()))
    @rule(data=st.data())
    def settle_what_was_taken(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from([key for key, one in self.model.dirty.items() if one.taken]))
        known = self.model.dirty[key]
        assert known.taken is not None
        self.settle_version(key, known, known.taken)

    def settle_version(self, key: tuple[Entity, str], known: Dirty, version: int) -> None:
        assert self.store.settle(*key, version) == (version == known.version)
        if version == known.version:
            del self.model.dirty[key]
        elif version == known.taken:
            known.events = [event for event in known.events if event[0] > version]
            known.taken = None

    @rule(partition=partitions, position=st.integers(0, 5))
    def rewind(self, partition: Partition, position: int) -> None:
        self.store.rewind(partition, position)
        self.model.progress[partition] = position
        for one in self.model.dirty.values():
            one.events = [(v, p, min(o, position) if p == partition else o) for v, p, o in one.events]

    @rule()
    def commit(self) -> None:
        self.store.commit()
        self.committed = deepcopy(self.model)

    @rule()
    def crash(self) -> None:
        """What was not committed is gone; nothing is under way any more."""
        self.store.close()
        self.store, fate, *_ = open_store(Path(self.folder.name), MEANING)
        assert (fate, self.store.id) == (Fate.INTACT, self.id)
        self.model = deepcopy(self.committed)
        for one in self.model.dirty.values():
            one.taken = None

    @invariant()
    def rows_agree(self) -> None:
        for source in SOURCES:
            for key in KEYS:
                assert self.store.row(source, key) == self.model.rows.get((source, key))
                children = {
                    own: row for (table, own), row in self.model.rows.items() if (table, row.parent) == (source, key)
                }
                found = self.store.children(source, key, 9)
                assert dict(found) == children
                assert [own for own, _ in found] == sorted(children, key=lambda own: (len(own), own))

    @invariant()
    def families_agree(self) -> None:
        known = self.model.families
        for entity in Entity:
            for parent in KEYS:
                assert self.store.family(entity, parent) == known.get((entity, parent))
            for id_ in IDS:
                expected = sorted(own for (of, own), family in known.items() if (of, family.id) == (entity, id_))
                assert self.store.parents_of(entity, id_, 9) == expected
                assert self.store.parents_of(entity, id_, 1) == expected[:1]

    @invariant()
    def dirty_agree(self) -> None:
        for entity in Entity:
            expected = [(parent, one) for (of, parent), one in self.model.dirty.items() if of == entity]
            found = list(self.walk(entity))
            assert self.store.due(entity, 0, 99) == [(touched.ordinal, touched.parent) for touched in found]
            assert self.store.dirty(entity) == len(expected)
            assert [touched.ordinal for touched in found] == sorted({touched.ordinal for touched in found})
            assert [touched[1:] for touched in found] == [
                (entity, parent, one.firsts(), one.record, one.snapshot, one.committed_ms, one.version)
                for parent, one in expected
            ]

    def walk(self, entity: Entity) -> Iterator[Touched]:
        """All dirty families, one a window."""
        after = 0
        while window := self.store.touched(entity, after, 1):
            yield from window
            after = window[-1].ordinal

    @invariant()
    def offsets_agree(self) -> None:
        assert self.store.progress() == self.model.progress
        for partition in (*PARTITIONS, Partition("unknown", 0)):
            firsts = [one.firsts()[partition] for one in self.model.dirty.values() if partition in one.firsts()]
            assert self.store.floor(partition) == min(firsts, default=None)


TestStore = StoreMachine.TestCase
TestStore.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)


def test_items_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """Line items of a table with a serial key are sent as the shop made them, in whatever order they were read."""
    store = open_store(tmp_path, MEANING).store
    for key in ("11", "2", "100", "1", "10", "9"):
        store.put(1, key, StoredRow("A", b"{}"))
    assert [key for key, _ in store.children(1, "A", 9)] == ["1", "2", "9", "10", "11", "100"]
    assert len(store.children(1, "A", 3)) == 3
    store.close()


def touch(store: Store, *offsets: int) -> int:
    """Events of one family; returns its version."""
    return [
        store.touch(Entity.ORDERS, "1", record(ORDERS, offset), snapshot=False, committed_ms=None) for offset in offsets
    ][-1]


def take(store: Store) -> int:
    version = store.take(Entity.ORDERS, "1")
    assert version is not None
    return version


def test_a_family_that_is_never_at_rest_does_not_hold_commits_back(tmp_path: Path) -> None:
    """A hot row is touched during each of its sendings: what was sent and acknowledged is settled all the same."""
    store = open_store(tmp_path, MEANING).store
    touch(store, 0)
    for offset in range(10, 100, 10):
        version = take(store)
        touch(store, offset, offset + 1, offset + 2)
        assert not store.settle(Entity.ORDERS, "1", version)
        assert store.floor(ORDERS) == offset
    store.close()


def test_a_sending_that_fails_settles_nothing(tmp_path: Path) -> None:
    """Taken anew, it covers what came in the meantime too; its first offset is held until one succeeds."""
    store = open_store(tmp_path, MEANING).store
    touch(store, 3)
    failed = take(store)
    touch(store, 5)
    version = take(store)
    touch(store, 8)
    assert not store.settle(Entity.ORDERS, "1", failed)
    assert store.floor(ORDERS) == 3
    assert not store.settle(Entity.ORDERS, "1", version)
    assert store.floor(ORDERS) == 8
    store.close()


def test_a_topic_that_is_read_anew_during_a_sending(tmp_path: Path) -> None:
    """Its offsets begin again: neither what waits nor what came during the sending holds commits beyond the start."""
    store = open_store(tmp_path, MEANING).store
    touch(store, 500)
    version = take(store)
    touch(store, 501)
    store.rewind(ORDERS, 7)
    assert store.floor(ORDERS) == 7
    assert not store.settle(Entity.ORDERS, "1", version)
    assert store.floor(ORDERS) == 7
    assert store.progress() == {ORDERS: 7}
    store.close()


def test_versions_grow_over_a_restart(tmp_path: Path) -> None:
    """A version of before is never given again, or an old state's success would settle a newer one."""
    store = open_store(tmp_path, MEANING).store
    before = touch(store, 1, 2, 3, 4)
    store.commit()
    store.close()
    store = open_store(tmp_path, MEANING).store
    assert touch(store, 5) > before
    store.close()


def test_a_clock_that_is_beyond_all_measure_is_cut(tmp_path: Path) -> None:
    """A record with an absurd commit time must not end the process at each of its starts."""
    store = open_store(tmp_path, MEANING).store
    store.touch(Entity.ORDERS, "1", record(ORDERS, 0), snapshot=False, committed_ms=2**64 - 1)
    assert [touched.committed_ms for touched in store.touched(Entity.ORDERS, 0, 1)] == [2**63 - 1]
    store.close()


def test_what_was_deleted_makes_room(tmp_path: Path) -> None:
    """Families that come and go use the same room in the file, and leave nothing behind in it."""
    store = open_store(tmp_path, MEANING).store
    sizes = []
    for _ in range(4):
        fill(store, 300)
        for number in range(300):
            order = str(number)
            store.drop(0, order)
            for key, _row in store.children(1, order, 9):
                store.drop(1, key)
            store.keep_family(Entity.ORDERS, order, None)
        for touched in store.touched(Entity.ORDERS, 0, 300):
            assert store.settle(Entity.ORDERS, touched.parent, touched.version)
        store.commit()
        store.close()
        sizes.append((tmp_path / NAME).stat().st_size)
        store = open_store(tmp_path, MEANING).store
    store.close()
    assert sizes[-1] <= sizes[0] * 1.1
    assert b"OrderId" not in (tmp_path / NAME).read_bytes()


class Spy:
    """Passes everything on to a database, and asks it how it goes about each statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.id = database.id
        self.plans: dict[str, str] = {}

    def read(self, make: Callable[..., object], sql: str, values: tuple[object, ...] = ()) -> list[object]:
        self._explain(sql, values)
        return self._database.read(make, sql, values)

    def run(self, sql: str, values: tuple[object, ...] = ()) -> None:
        self._explain(sql, values)
        self._database.run(sql, values)

    def commit(self) -> None:
        self._database.commit()

    def _explain(self, sql: str, values: tuple[object, ...]) -> None:
        steps = self._database.read(lambda *columns: str(columns[-1]), f"EXPLAIN QUERY PLAN {sql}", values)
        self.plans[sql] = "; ".join(steps)


def test_no_statement_looks_at_all_rows(tmp_path: Path) -> None:
    """Each finds what it needs by a key or an index, in the order that is wanted: the store may grow."""
    database = open_database(tmp_path, LAYOUT, MEANING).database
    spy = Spy(database)
    store = Store(cast("Database", spy))
    for _ in range(2):
        fill(store, 2)
    read_all(store, 2)
    store.take(Entity.ORDERS, "0")
    store.touch(Entity.ORDERS, "0", record(ORDERS, 9), snapshot=False, committed_ms=None)
    store.rewind(ORDERS, 0)
    store.drop(0, "0")
    store.keep_family(Entity.ORDERS, "0", None)
    for touched in store.touched(Entity.ORDERS, 0, 9):
        store.settle(Entity.ORDERS, touched.parent, touched.version - 1)
        store.settle(Entity.ORDERS, touched.parent, touched.version)
    database.close()
    slow = {sql for sql, plan in spy.plans.items() if "SCAN" in plan or "TEMP" in plan}
    assert slow == {PROGRESS, COUNTS}  # read once, at the start: one row a partition; an index
    assert len(spy.plans) > 20


def test_a_turn_in_which_nothing_was_read_writes_nothing(tmp_path: Path) -> None:
    """The loop commits several times a second, be there work or not: a quiet shop leaves the disk alone."""
    store = open_store(tmp_path, MEANING).store
    touch(store, 3)
    store.advance(ORDERS, 4)
    store.commit()
    log = tmp_path / f"{NAME}-wal"
    before = log.stat()
    for _ in range(3):
        store.advance(ORDERS, 4)
        store.commit()
    assert (log.stat().st_size, log.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    store.advance(ORDERS, 5)
    store.commit()
    assert log.stat().st_mtime_ns > before.st_mtime_ns
    store.close()


def test_what_was_taken_no_longer_says_since_when_a_family_waits(tmp_path: Path) -> None:
    """A family touched during each of its sendings is as old as what came since; a snapshot's rows have no age."""

    def come(parent: str, offset: int, committed_ms: int | None) -> None:
        told = record(ORDERS, offset)
        store.touch(Entity.ORDERS, parent, told, snapshot=committed_ms is None, committed_ms=committed_ms)

    store = open_store(tmp_path, MEANING).store
    assert store.oldest_commit_ms(Entity.ORDERS) is None
    come("snapshot", 0, None)
    come("1", 1, 1000)
    come("1", 2, 2000)
    assert store.oldest_commit_ms(Entity.ORDERS) == 1000
    take(store)
    assert store.oldest_commit_ms(Entity.ORDERS) is None
    come("1", 3, 3000)
    come("2", 4, 2500)
    assert store.oldest_commit_ms(Entity.ORDERS) == 2500
    assert [each.committed_ms for each in store.touched(Entity.ORDERS, 0, 9)] == [None, 3000, 2500]
    store.close()
