"""What is kept of the rows of one entity's tables, and which families a change of a row concerns.

Rows come by several topics, in any order between them. What a row's event does not say itself is worked out here: what
a foreign key does where the source does not log it, a primary key that changes, and what an earlier store's process may
have sent while a new one is filled.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_json

from connector.core.family_reader import Body, bad_name
from connector.core.family_tables import Role
from connector.core.intake import Taken
from connector.core.notes import BadValue
from connector.core.stored import Family, StoredRow, There

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from connector.core.assembly import Assembly
    from connector.core.events import ChangeEvent, Entity, Partition
    from connector.core.family_reader import Read, Reader
    from connector.core.stored import Store

_EVERY = 1_000_000
_GONE = b""
_NOBODYS = "\0"
_MARKS = 1_000_000
"""Numbers of tables from here on hold which rows have gone or moved, where the source does not log what follows."""

_MOST_MARKS = 20
"""The latest of one key; more are of a key that is used again and again."""

_COLUMNS = 2_000_000
"""Numbers of tables from here on hold which columns their primary keys are of."""

_REFILLS = 3_000_000
"""The number of a table that holds which partitions are read again since a store was lost."""

_PREDECESSORS = 5_000_000
"""The number of a table that holds who had sent, with a store of his own, before this one was filled."""

_AWAITED = 4_000_000
"""Numbers of tables from here on hold child rows of which an unsettled side row was read before them."""


class Change(NamedTuple):
    """What became of a record, and the families that it touches."""

    taken: Taken
    families: Collection[str] = ()


class FamilyRows:
    """The rows of one entity's tables. `readers`: of those tables, the root's first.

    `suppress`: a change of nothing that is kept touches no family.
    """

    def __init__(
        self, entity: Entity, readers: Sequence[Reader], assembly: Assembly, store: Store, *, suppress: bool
    ) -> None:
        self._entity = entity
        self._readers = {topic: reader for reader in readers for topic in reader.member.topics}
        self._all = readers
        self._root = readers[0]
        self._child = next((reader for reader in readers if reader.member.role is Role.CHILD), None)
        self._assembly = assembly
        self._store = store
        self._suppress = suppress
        self._columns: dict[int, tuple[str, ...]] = {}  # the number of a table → those of its primary key
        self._refills: dict[Partition, tuple[int, int] | None] = {}

    @property
    def topics(self) -> Collection[str]:
        return self._readers.keys()

    def unseen(self) -> dict[str, int]:
        """Columns that the mapping names, and that none of enough rows had."""
        return {column: rows for reader in self._all for column, rows in reader.unseen().items()}

    def refill(self, partition: Partition, settled_below: int, until: int) -> None:
        """An earlier store is lost, which settled what lies below this offset: that is kept, and touches no family.

        What lies below `until` its process may have sent. That is remembered for as long as it is to be read.
        """
        self._refills[partition] = (settled_below, until)
        self._store.put(_REFILLS, str(partition), StoredRow(_NOBODYS, to_json(self._refills[partition])))

    def begin_anew(self, partition: Partition) -> None:
        """Nothing in the partition's log is of an earlier store, from here on."""
        if self._refill_of(partition) is not None:
            self._refills[partition] = None
            self._store.drop(_REFILLS, str(partition))

    def succeed(self, partition: Partition, sender: str) -> None:
        """This store is filled from the topics after that one has sent."""
        self._store.put(_PREDECESSORS, str(partition), StoredRow(_NOBODYS, sender.encode()))

    def predecessor(self, partition: Partition) -> str:
        """Who sent before this store was filled; "" if nobody is known."""
        row = self._store.row(_PREDECESSORS, str(partition))
        return "" if row is None else row.body.decode()

    def settled(self, partition: Partition, offset: int) -> bool:
        """Whether an earlier store settled what lies there."""
        refill = self._refill_of(partition)
        return refill is not None and offset < refill[0]

    def _refill_of(self, partition: Partition) -> tuple[int, int] | None:
        if partition not in self._refills:
            row = self._store.row(_REFILLS, str(partition))
            self._refills[partition] = None if row is None else tuple(json.loads(row.body))
        return self._refills[partition]

    def take(
        self,
        event: ChangeEvent,
        partition: Partition,
        newer: Collection[str],
        refused: Collection[str],
        *,
        again: bool = False,
    ) -> Change:
        """Keep what an event says of a row. `newer`: rows of which newer events were read.

        `refused`: families that are sent again although nothing has changed. `again`: all are, since the event was read
        before; none newer of its row was.
        """
        reader, op = self._readers[event.record.topic], event.op.value
        if event.tombstone and not reader.is_named(event):
            return Change(Taken("tombstone", op))
        try:
            key = reader.key(event)
            self._learn_columns(reader, event)
            row = f"{reader.member.number}:{key}"
            old = self._store.row(reader.member.number, key)
            if row in newer or (old is not None and _older(event, partition, old)):
                return Change(Taken("superseded", op), self._complete(reader, event, key, old))
            read = self._moved(event, reader, reader.read(event, key, self._kept(reader, event, old)))
            if read.key != key:  # as a cascade named it that was read before it
                old = self._store.row(reader.member.number, read.key)
                if old is not None and _older(event, None, old):
                    return Change(Taken("superseded", op))
        except BadValue as bad:
            return Change(Taken("dead_letter", op, bad_name(bad)))
        if again:
            families, settled = self._change(reader, event, partition, read, old, None), False
        else:
            families, settled = self._settle_in(reader, event, partition, read, old, refused)
        if families is None:
            return Change(Taken("unchanged", op, id=row))
        if read.reject is not None:
            taken = Taken("dead_letter", op, read.reject)
        else:
            taken = Taken("stored", op, id=row, proven=True, merged_items=read.merged_items)
            taken = taken._replace(rounded=read.rounded, omitted=read.omitted)
        return Change(taken, () if settled else families)

    def _settle_in(  # noqa: PLR0913, PLR0917 (a row, before and after)
        self,
        reader: Reader,
        event: ChangeEvent,
        partition: Partition,
        read: Read,
        old: StoredRow | None,
        refused: Collection[str],
    ) -> tuple[set[str] | None, bool]:
        """Change what is kept, as `_change`; and whether an earlier store's process settled that."""
        refill, offset = self._refill_of(partition), event.record.offset
        if refill is None:
            return self._change(reader, event, partition, read, old, refused), False
        settled = offset < refill[0]
        if offset < refill[1]:
            self._recall(reader, event, read, old, settled=settled)
        else:
            self.begin_anew(partition)
        families = self._change(reader, event, partition, read, old, refused)
        if families == set() and not settled and reader.member.role is Role.CHILD_SIDE:
            self._await(read.parent)
        return families, settled and not self._is_awaited(reader, read.key)

    def _await(self, child: str | None) -> None:
        """A change is not settled, and whose it is only a row tells that comes later, and may be settled itself."""
        if child is not None:
            self._store.put(_AWAITED + self._root.member.number, child, StoredRow(_NOBODYS, _GONE))

    def _is_awaited(self, reader: Reader, key: str) -> bool:
        awaited = reader is self._child and self._store.row(_AWAITED + self._root.member.number, key) is not None
        if awaited:
            self._store.drop(_AWAITED + self._root.member.number, key)
        return awaited

    def _kept(self, reader: Reader, event: ChangeEvent, old: StoredRow | None) -> Body:
        """What was kept of the row, under its former key if that has changed."""
        if old is None and event.after is not None and (former := _header(event, "__debezium.oldkey")):
            key = reader.key_of(former)
            old = None if key is None else self._store.row(reader.member.number, key)
        return Body({}) if old is None or not old.body else Body.decode(old.body)

    def _change(  # noqa: PLR0913, PLR0917 (a row, before and after)
        self,
        reader: Reader,
        event: ChangeEvent,
        partition: Partition,
        read: Read,
        old: StoredRow | None,
        refused: Collection[str] | None,
    ) -> set[str] | None:
        """Change what is kept; the families whose row it is and was, None if nothing has changed.

        `refused`: see `take`; None: all families.
        """
        number = reader.member.number
        position = None if event.position is None else (partition.number, *event.position)
        was_kept = old is not None and bool(old.body) and old.parent != _NOBODYS
        families = set(self._families_of(reader, read.key, old.parent if old is not None and was_kept else None))
        if read.body is None or read.parent is None:
            if event.after is None:
                families |= self._follow(reader, event, read.key, old)
            unknown = not was_kept or reader.holds_parent(self._columns_of(reader))
            unlogged = event.silent_cascades and reader is not self._root and unknown
            refilled = self._refill_of(partition) is not None  # older events may be read yet, from another partition
            if reader.member.primary_key is not None or unlogged or refilled:  # what moves to this key later is older
                self._store.put(number, read.key, StoredRow(_NOBODYS, _GONE, position))
            elif old is not None:
                self._store.drop(number, read.key)
            if reader is self._root and not was_kept and self._store.family(self._entity, read.key) is None:
                families.discard(read.key)
            return families or None
        known = self._suppress and refused is not None and families.isdisjoint(refused)
        if known and old is not None and _same(old, read):
            if event.silent_cascades:  # which of them comes after it is told by its position
                self._store.put(number, read.key, old._replace(position=position))
            return None
        self._store.put(number, read.key, StoredRow(read.parent, read.body.encode(), position))
        return families | set(self._families_of(reader, read.key, read.parent))

    def _families_of(self, reader: Reader, key: str, parent: str | None) -> Iterator[str]:
        """Whose row it is: the root's own key, its parent, or that of its child row; none if that has not come yet."""
        match reader.member.role:
            case Role.ROOT:
                yield key
            case Role.CHILD | Role.ROOT_SIDE if parent is not None:
                yield parent
            case Role.CHILD_SIDE if parent is not None and self._child is not None:
                child = self._store.row(self._child.member.number, parent)
                if child is not None and child.body and child.parent != _NOBODYS:
                    yield child.parent

    # What follows from a row that has gone, or has another key

    def _follow(self, reader: Reader, event: ChangeEvent, key: str, old: StoredRow | None) -> set[str]:
        """A row has gone: the families that this concerns beside its own."""
        header = _header(event, "__debezium.newkey")
        moved = None if header is None else reader.key_of(header)
        families = set()
        if moved is not None and old is not None and old.body:
            families |= self._hand_on(reader, moved, old)
        below = self._below(reader) if event.silent_cascades else ()
        if below:
            self._mark(reader, key, event.position, moved)
            moved = self._carried(reader, moved, event.position)
            for other in below:
                self._cascade(other, event, key, moved)
        if below and moved is not None:
            families |= set(self._families_of(reader, moved, self._parent_of(reader, moved)))
        return families

    def _below(self, reader: Reader) -> Sequence[Reader]:
        """The tables whose foreign keys name rows of this one."""
        roles = {Role.ROOT: (Role.CHILD, Role.ROOT_SIDE), Role.CHILD: (Role.CHILD_SIDE,)}.get(reader.member.role, ())
        return [other for other in self._all if other.member.role in roles]

    def _above(self, reader: Reader) -> Reader | None:
        """The table whose rows this one's foreign key names."""
        above = {Role.CHILD: self._root, Role.ROOT_SIDE: self._root, Role.CHILD_SIDE: self._child}
        return above.get(reader.member.role)

    def _parent_of(self, reader: Reader, key: str) -> str | None:
        row = self._store.row(reader.member.number, key)
        return None if row is None or not row.body or row.parent == _NOBODYS else row.parent

    def _hand_on(self, reader: Reader, moved: str, old: StoredRow) -> set[str]:
        """What was kept of a row, for its events under another key, which don't repeat what has not changed.

        Those may have come before: then they are told now what they lacked.
        """
        number, body = reader.member.number, Body.decode(old.body)
        there = self._store.row(number, moved)
        if there is None:
            parent = "" if reader is self._root else _NOBODYS
            self._store.put(number, moved, StoredRow(parent, body._replace(moved=True).encode()))
            return set()
        lacking = Body.decode(there.body) if there.body else Body({})
        told = {name: body.fields[name] for name in lacking.untold if name in body.fields}
        if not told:
            return set()
        untold = tuple(name for name in lacking.untold if name not in told)
        mended = lacking._replace(fields={**lacking.fields, **told}, untold=untold)
        self._store.put(number, moved, there._replace(body=mended.encode()))
        return set(self._families_of(reader, moved, there.parent))

    def _learn_columns(self, reader: Reader, event: ChangeEvent) -> None:
        """Remember which columns the table's keys are of: where a foreign key is among them, cascades change them."""
        columns, number = reader.columns(event), reader.member.number
        if event.silent_cascades and self._columns.get(number) != columns:
            self._columns[number] = columns
            self._store.put(_COLUMNS + number, "", StoredRow(_NOBODYS, to_json(columns)))

    def _columns_of(self, reader: Reader) -> Sequence[str]:
        number = reader.member.number
        if number not in self._columns:
            row = self._store.row(_COLUMNS + number, "")
            self._columns[number] = () if row is None else tuple(json.loads(row.body))
        return self._columns[number]

    def _complete(self, reader: Reader, event: ChangeEvent, key: str, kept: StoredRow | None) -> set[str]:
        """An older event may tell what the newer one of its row, which was read before it, did not repeat."""
        if event.after is None or kept is None or not kept.body or not Body.decode(kept.body).untold:
            return set()
        read = reader.read(event, key, Body({}))
        return set() if read.body is None else self._hand_on(reader, key, StoredRow("", read.body.encode()))

    def _cascade(self, reader: Reader, event: ChangeEvent, parent: str, moved: str | None) -> None:
        """What a foreign key does to the rows of a table, of those that are not newer than the event."""
        number = reader.member.number
        for key, row in self._store.children(number, parent, _EVERY):
            if row.position is not None and event.position is not None and row.position[1:] > event.position:
                continue
            to = key if moved is None else reader.renamed(key, self._columns_of(reader), moved)
            if moved is None or to != key:
                self._store.drop(number, key)
            if moved is not None and (to == key or self._store.row(number, to) is None):
                self._store.put(number, to, row._replace(parent=moved))
            for inner in self._below(reader) if moved is None or to != key else ():
                self._cascade(inner, event, key, None if moved is None else to)

    def _moved(self, event: ChangeEvent, reader: Reader, read: Read) -> Read:
        """The row as a cascade left it that was read before it: it may be another parent's by now, or gone."""
        above, row = self._above(reader), event.after or (event.before if event.trusts_before else None)
        if not event.silent_cascades or above is None or row is None:
            return read
        former = reader.parent(row)
        parent = self._carried(above, former, event.position)
        if former is None or parent == former:
            return read
        key = read.key if parent is None else reader.renamed(read.key, self._columns_of(reader), parent)
        return read._replace(key=key, parent=None if read.parent is None else parent)

    def _marks(self, reader: Reader, key: str) -> list[tuple[tuple[int | str, ...], str | None]]:
        """When the row of a key has gone, in that order, and to which key, None where it was deleted."""
        row = self._store.row(_MARKS + reader.member.number, key)
        return [] if row is None else [(tuple(position), moved) for position, moved in json.loads(row.body)]

    def _mark(self, reader: Reader, key: str, position: tuple[int | str, ...] | None, moved: str | None) -> None:
        marks = self._marks(reader, key)
        if position is not None and (position, moved) not in marks:
            marks = sorted([*marks, (position, moved)], key=lambda mark: mark[0])[-_MOST_MARKS:]
            self._store.put(_MARKS + reader.member.number, key, StoredRow(_NOBODYS, to_json(marks)))

    def _carried(self, reader: Reader, key: str | None, position: tuple[int | str, ...] | None) -> str | None:
        """The key to which a row's cascades have carried what belonged to it at a position; None if they deleted it."""
        while key is not None and position is not None:
            after = [mark for mark in self._marks(reader, key) if mark[0] > position]
            if not after:
                break
            position, key = after[0]
        return key

    # What an earlier process may have sent

    def _recall(self, reader: Reader, event: ChangeEvent, read: Read, old: StoredRow | None, *, settled: bool) -> None:
        """While a store is filled anew: what an earlier one's process may have sent.

        `settled`: it was, and what has gone since is no longer there.
        """
        if reader is self._root:
            self._recall_root(event, read, settled=settled)
        elif reader is self._child:
            gone = read.body is None or read.parent is None
            if settled and old is not None and old.body and (gone or old.parent != read.parent):
                self._let_go(reader, read.key, old)
            if read.body is not None and (parent := self._holder(reader, event, read)) is not None:
                self._hold(parent, read.body, there=True)

    def _holder(self, child: Reader, event: ChangeEvent, read: Read) -> str | None:
        """Whose document may hold a child row: of its parent, or of one that went in a cascade that was read before."""
        if read.parent is not None or event.after is None:
            return read.parent
        parent = child.parent(event.after)
        return None if parent is None or self._store.family(self._entity, parent) is None else parent

    def _recall_root(self, event: ChangeEvent, read: Read, *, settled: bool) -> None:
        """As `_recall`, of a root row; its document's items are in it, unless they are rows of another table.

        A document may be there by each id that its row has had. Of one that was deleted at last, only its end may come.
        """
        known, body = self._store.family(self._entity, read.key), read.body
        family = known
        moved = self._root.key_of(header) if (header := _header(event, "__debezium.newkey")) else None
        if body is None and known is not None and moved is not None and event.silent_cascades:
            heir = self._store.family(self._entity, moved) or Family("", There.DOCUMENT)
            self._store.keep_family(self._entity, moved, heir._replace(held=heir.held | known.held))
        if body is not None and not body.bad:
            if known is None and not self._assembly.may_send(body):
                return
            family = self._recalled(body, known or Family(""), settled=settled)
        elif body is None and settled:
            family = None
        elif known is None:
            family = Family(self._assembly.id_told(event) if body is None else "", There.DOCUMENT)
        self._store.keep_family(self._entity, read.key, family)

    def _recalled(self, body: Body, known: Family, *, settled: bool) -> Family:
        identifier, held = self._assembly.id_of(body), known.held
        if self._child is None:
            keys = self._assembly.keys_of(body.fields)
            held = keys if settled else held | keys
        return Family(identifier, There.DOCUMENT, held, (known.retired | {known.id}) - {"", identifier})

    def _let_go(self, child: Reader, key: str, old: StoredRow) -> None:
        """An item has gone, unless another row has the same, as the row has itself under another key."""
        body = Body.decode(old.body)
        rows = self._store.children(child.member.number, old.parent, _EVERY)
        others = (Body.decode(row.body) for other, row in rows if other != key and row.body)
        item = self._assembly.key_of(body.fields)
        if all(self._assembly.key_of(other.fields) != item for other in others):
            self._hold(old.parent, body, there=False)

    def _hold(self, parent: str, body: Body, *, there: bool) -> None:
        """Note that an item may be at Replenit, or is not."""
        key = self._assembly.key_of(body.fields)
        known = self._store.family(self._entity, parent)
        if key is None or (known is None and not there):
            return
        family = known or Family("", There.DOCUMENT)
        held = family.held | {key} if there else family.held - {key}
        if held != family.held:
            self._store.keep_family(self._entity, parent, family._replace(held=held))


def _same(old: StoredRow, read: Read) -> bool:
    """Whether what is kept of the row says the same. What can't be read is a dead letter each time that it comes."""
    return read.reject is None and bool(old.body) and old.parent == read.parent and Body.decode(old.body) == read.body


def _older(event: ChangeEvent, partition: Partition | None, old: StoredRow) -> bool:
    """Whether the event is older than what is kept, as can be where a row's events lie on several partitions."""
    if event.position is None or old.position is None:
        return False
    if partition is not None and old.position[0] == partition.number:
        return False
    kept = old.position[1:]
    comparable = [type(part) for part in kept] == [type(part) for part in event.position]
    return comparable and event.position < kept


def _header(event: ChangeEvent, name: str) -> dict[str, Any] | None:
    """The key that a header of Debezium holds: bare JSON, whatever the converters are."""
    for header, value in event.record.headers:
        if header == name and value is not None:
            try:
                found = json.loads(value)
            except ValueError:
                return None
            if isinstance(found, dict):
                payload = found.get("payload", found)
                return payload if isinstance(payload, dict) else None
    return None
