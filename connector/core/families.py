"""Families: entities whose documents are made of the rows of several tables, which are kept on disk.

Each row that comes changes what is kept, and marks its family as touched; all of a turn of the loop is one commit. What
is touched is assembled once it has been quiet for a moment, and what comes of it goes the way of every document. What
Replenit may hold is written down before a request leaves, so that what vanishes from a family can be deleted there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import to_json

from connector.core.assembly import INCOMPLETE, Keep, Remove, Send
from connector.core.entries import Lane
from connector.core.events import Partition, Reject
from connector.core.family_tables import Body, Role, bad_name
from connector.core.halts import SuspendReason
from connector.core.intake import Taken
from connector.core.notes import BadValue
from connector.core.rejections import Window, cause
from connector.core.states import GONE, NOTHING, Change, Key, State, item_keys
from connector.core.stored import Family, StoredRow, There

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from connector.core.assembly import Assembly, Judged
    from connector.core.entries import Entry
    from connector.core.events import ChangeEvent, Entity, Record
    from connector.core.family_tables import Read, Reader
    from connector.core.pending import Pending
    from connector.core.second_sendings import SecondSendings
    from connector.core.states import ItemKey
    from connector.core.stored import Store, Touched
    from connector.core.suspensions import Suspensions

QUIET = 0.5
"""Seconds without an event after which a family is taken to be whole for now."""

LATEST = 5.0
"""Seconds after its first event in which it is assembled all the same; after its last item has gone, deleted."""

MOST_FAMILIES = 5_000
"""Documents of families in memory at a time; the others wait on disk."""

_MOST_HOT = 20_000
_AT_ONCE = 500
_MOST_REFUSED = 100_000
_MOST_SHARING = 100  # families with one id, such as an e-mail address
_GONE = b""
_ALL = 2**62
_NOBODYS = "\0"


class Told(NamedTuple):
    """What became of a family that was assembled, for counting. `reject`: a dead letter, which is the caller's."""

    outcome: str
    record: Record
    withheld: str = ""
    merged_items: int = 0
    retracts: bool = False
    reject: Reject | None = None
    parent: str = ""
    version: int = 0


@dataclass(slots=True)
class _Out:
    """A version of a family under way: the documents that it waits for; `former`: those of the version before it."""

    version: int
    keys: set[Key] = field(default_factory=set)
    former: frozenset[Key] = frozenset()


class Families:
    """One entity's families. `readers`: those of its tables, the root's first."""

    def __init__(  # noqa: PLR0913, PLR0917 (what they stand between)
        self,
        entity: Entity,
        readers: Sequence[Reader],
        assembly: Assembly,
        store: Store,
        pending: Pending,
        suspensions: Suspensions,
        second: SecondSendings,
        *,
        suppress: bool,
        removals: bool,
        most: int = MOST_FAMILIES,
    ) -> None:
        self.entity = entity
        self._readers = {topic: reader for reader in readers for topic in reader.member.topics}
        self._root = readers[0]
        self._child = next((reader for reader in readers if reader.member.role is Role.CHILD), None)
        self._all = readers
        self._assembly = assembly
        self._store = store
        self._pending = pending
        self._suspensions = suspensions
        self._second = second
        self._suppress = suppress
        self._removals = removals
        self._most = most
        self._settled_below: dict[Partition, int] = {}
        self._hot: dict[str, tuple[float, float]] = {}  # a touched family → when first, and when last
        self._due: list[tuple[float, str]] = []
        self._emptied: dict[str, float] = {}  # a family whose last item has gone → when it is deleted
        self._out: dict[str, _Out] = {}
        self._parked: list[tuple[Told, Reject]] = []
        self._refused: dict[str, None] = {}
        self._window = Window()
        self._suspended = False
        self._after = 0
        self._put_off = (0, 0.0)

    @property
    def topics(self) -> Collection[str]:
        return self._readers.keys()

    def unseen(self) -> dict[str, int]:
        """Columns that the mapping names, and that none of enough rows had."""
        return {column: rows for reader in self._all for column, rows in reader.unseen().items()}

    # What comes in

    def refill(self, partition: Partition, settled_below: int) -> None:
        """What the partition holds below this offset an earlier store settled: it is kept, and not sent again."""
        self._settled_below[partition] = settled_below

    def put_off(self, until: float) -> None:
        """Whatever is touched by now waits until then; where families share ids, all do."""
        self._put_off = (_ALL if self._assembly.shares_ids else self._store.clock, max(until, self._put_off[1]))

    def take(  # noqa: PLR0911 (each way that a row can take)
        self, event: ChangeEvent, partition: Partition, now: float, newer: Collection[str], *, passed: bool
    ) -> Taken:
        """Keep what an event says of a row. `newer`: rows of which newer events were read.

        `passed`: nothing that is read now can have been read by another process before.
        """
        reader = self._readers[event.record.topic]
        op = event.op.value
        if event.tombstone and reader.member.primary_key is not None:
            return Taken("tombstone", op)
        try:
            key = reader.key(event)
            row = f"{reader.member.number}:{key}"
            if row in newer:
                return Taken("superseded", op)
            old = self._store.row(reader.member.number, key)
            if old is not None and _older(event, partition, old):
                return Taken("superseded", op)
            read = reader.read(event, key, self._kept(reader, event, old))
        except BadValue as bad:
            return Taken("dead_letter", op, bad_name(bad))
        families = self._change(reader, event, partition, read, old)
        if families is None:
            return Taken("unchanged", op, id=row)
        below = self._settled_below.get(partition, 0)
        settled = event.record.offset < below
        if below and not passed:
            self._recall(reader, read, old, settled=settled)
        if not settled:
            for parent in families:
                self._touch(parent, event, now)
        if read.reject is not None:
            return Taken("dead_letter", op, read.reject)
        taken = Taken("stored", op, id=row, proven=True, merged_items=read.merged_items)
        return taken._replace(rounded=read.rounded, omitted=read.omitted)

    def _kept(self, reader: Reader, event: ChangeEvent, old: StoredRow | None) -> Body:
        """What was kept of the row, under its former key if that has changed."""
        if old is None and event.after is not None and (former := _header(event, "__debezium.oldkey")):
            key = reader.key_of(former)
            old = None if key is None else self._store.row(reader.member.number, key)
        return Body({}) if old is None or not old.body else Body.decode(old.body)

    def _change(
        self, reader: Reader, event: ChangeEvent, partition: Partition, read: Read, old: StoredRow | None
    ) -> set[str] | None:
        """Change what is kept; the families whose row it is and was, None if nothing has changed."""
        number = reader.member.number
        position = None if event.position is None else (partition.number, *event.position)
        families = set(self._families_of(reader, read.key, None if old is None or not old.body else old.parent))
        if read.body is None or read.parent is None:
            if reader is self._root and event.after is None:
                self._follow_root(event, read.key)
            if reader.member.primary_key is not None:
                self._store.put(number, read.key, StoredRow(_NOBODYS, _GONE, position))
            elif old is not None:
                self._store.drop(number, read.key)
            return families if old is not None and old.body else self._unless_known(families, read.key, reader)
        if self._suppress and old is not None and _same(old, read) and self._refused.keys().isdisjoint(families):
            return None
        self._store.put(number, read.key, StoredRow(read.parent, read.body.encode(), position))
        return families | set(self._families_of(reader, read.key, read.parent))

    def _unless_known(self, families: set[str], key: str, reader: Reader) -> set[str] | None:
        """A row that was not kept has gone: its document may be there all the same, where it is the root's."""
        if reader is self._root and self._store.family(self.entity, key) is not None:
            return {key}
        return families or None

    def _families_of(self, reader: Reader, key: str, parent: str | None) -> Iterator[str]:
        """Whose row it is: the root's own key, its parent, or that of its child row; none if that has not come yet."""
        match reader.member.role:
            case Role.ROOT:
                yield key
            case Role.CHILD | Role.ROOT_SIDE if parent is not None:
                yield parent
            case Role.CHILD_SIDE if parent is not None and self._child is not None:
                child = self._store.row(self._child.member.number, parent)
                if child is not None and child.body:
                    yield child.parent

    def _follow_root(self, event: ChangeEvent, key: str) -> None:
        """The root row has gone, or has another key: its rows follow it, where the source does not say so itself."""
        former = _header(event, "__debezium.newkey")
        moved = None if former is None else self._root.key_of(former)
        number = self._root.member.number
        row = self._store.row(number, key)
        if moved is not None and row is not None and row.body and self._store.row(number, moved) is None:
            self._store.put(number, moved, StoredRow("", Body.decode(row.body)._replace(moved=True).encode()))
        if not event.silent_cascades:
            return
        for reader in self._all:
            if reader.member.role in (Role.CHILD, Role.ROOT_SIDE):
                self._cascade(reader, event, key, moved)

    def _cascade(self, reader: Reader, event: ChangeEvent, parent: str, moved: str | None) -> None:
        """What a foreign key does to the rows of a table, of those that are not newer than the event."""
        number = reader.member.number
        for key, row in self._store.children(number, parent, _EVERY):
            if row.position is not None and event.position is not None and row.position[1:] > event.position:
                continue
            if moved is not None:
                self._store.put(number, key, row._replace(parent=moved))
                continue
            self._store.drop(number, key)
            for inner in self._all if reader is self._child else ():
                if inner.member.role is Role.CHILD_SIDE:
                    self._cascade(inner, event, key, None)

    def _recall(self, reader: Reader, read: Read, old: StoredRow | None, *, settled: bool) -> None:
        """While a store is filled anew: what an earlier one's process may have sent.

        `settled`: it was, and what has gone since is no longer there.
        """
        if reader is self._root:
            known = self._store.family(self.entity, read.key)
            if read.body is not None and not read.body.bad:
                family = (known or Family(""))._replace(id=self._assembly.id_of(read.body), there=There.DOCUMENT)
                self._store.keep_family(self.entity, read.key, family)
            elif settled and read.body is None:
                self._store.keep_family(self.entity, read.key, None)
        elif reader is self._child:
            if settled and old is not None and old.body and old.parent != read.parent:
                self._hold(old.parent, Body.decode(old.body), there=False)
            if read.parent is not None and read.body is not None:
                self._hold(read.parent, read.body, there=True)
            elif settled and old is not None and old.body:
                self._hold(old.parent, Body.decode(old.body), there=False)

    def _hold(self, parent: str, body: Body, *, there: bool) -> None:
        """Note that an item may be at Replenit, or is not."""
        key = self._assembly.key_of(body.fields)
        known = self._store.family(self.entity, parent)
        if key is None or (known is None and not there):
            return
        family = known or Family("", There.DOCUMENT)
        held = family.held | {key} if there else family.held - {key}
        if held != family.held:
            self._store.keep_family(self.entity, parent, family._replace(held=held))

    def _touch(self, parent: str, event: ChangeEvent, now: float) -> None:
        committed_ms = None if event.snapshot else event.committed_ms
        self._store.touch(self.entity, parent, event.record, snapshot=event.snapshot, committed_ms=committed_ms)
        self._heat(parent, now)

    def _heat(self, parent: str, now: float) -> None:
        known = self._hot.get(parent)
        if known is not None:
            self._hot[parent] = (known[0], now)
        elif len(self._hot) < _MOST_HOT:
            self._hot[parent] = (now, now)
            heappush(self._due, (now + QUIET, parent))

    # What goes out

    def turn(self, now: float) -> list[Told]:
        """Assemble what is due, as far as there is room for it."""
        lane = Lane(self.entity.value)
        suspended = self._suspensions.get(lane, SuspendReason.UNMAPPABLE) is not None
        if self._suspended and not suspended:
            self._window = Window()
        self._suspended = suspended
        if suspended:
            return []
        told = []
        for parent in self._next(now):
            told += self._assemble(parent, now)
            if self._window.broken:
                self._suspensions.begin(lane, SuspendReason.UNMAPPABLE, now, self._window.cause())
                self._drop_parked()
                self._suspended = True
                break
        if self._parked and not self._window.doubtful:
            told += [each for each, _ in self._parked]
            self._parked.clear()
        return told

    def _next(self, now: float) -> list[str]:
        """The families that are due: those that have been quiet, and those that were touched before there was room."""
        room = min(self._most - self._pending.entries(self.entity), _AT_ONCE)
        chosen: dict[str, None] = {}
        while self._due and self._due[0][0] <= now and len(chosen) < room:
            _, parent = heappop(self._due)
            times = self._hot.get(parent)
            if times is None:
                continue
            when = self._emptied.get(parent, min(times[1] + QUIET, times[0] + LATEST))
            if when > now:
                heappush(self._due, (when, parent))
            else:
                chosen[parent] = None
        left = self._store.dirty(self.entity) - len(self._hot) - len(self._out) - len(self._parked)
        if left > 0 and len(chosen) < room:
            latest, until = self._put_off
            after = self._after if now >= until else max(self._after, latest)
            found = self._store.touched(self.entity, after, room)
            self._after = found[-1].ordinal if found else 0
            parked = {told.parent for told, _ in self._parked}
            for touched in found:
                if not (touched.parent in self._hot or touched.parent in self._out or touched.parent in parked):
                    chosen[touched.parent] = None
        return list(chosen)

    def _assemble(self, parent: str, now: float) -> list[Told]:
        touched = self._store.one_touched(self.entity, parent)
        if touched is None:
            self._cool(parent)
            return []
        latest, until = self._put_off
        if touched.ordinal <= latest and now < until:
            if parent in self._hot:
                heappush(self._due, (until, parent))
            return []
        family = self._store.family(self.entity, parent)
        judged = self._assembly.judge(parent, family)
        if isinstance(judged, Remove) and judged.emptied and parent not in self._emptied:
            self._emptied[parent] = now + LATEST
            self._hot[parent] = (now, now)
            heappush(self._due, (now + LATEST, parent))
            return []
        self._cool(parent)
        version = self._store.take(self.entity, parent)
        assert version is not None
        told = self._judged(parent, version, touched, family, judged, now)
        out = self._out.get(parent)
        if out is not None and out.version == version and not out.keys and told.reject is None:
            self._settle(parent, version)
        return [] if told.reject is not None and self._in_doubt(told) else [told]

    def _cool(self, parent: str) -> None:
        self._hot.pop(parent, None)
        self._emptied.pop(parent, None)

    def _judged(  # noqa: PLR0913, PLR0917 (a family, and what is to become of it)
        self, parent: str, version: int, touched: Touched, family: Family | None, judged: Judged, now: float
    ) -> Told:
        before = self._out.get(parent)
        out = self._out[parent] = _Out(version, former=frozenset() if before is None else frozenset(before.keys))
        record = touched.record
        match judged:
            case Send():
                self._window.accept()
                self._refused.pop(parent, None)
                self._upsert(parent, out, touched, family, judged, now)
                self._take_back(parent, out, touched, now)
                return Told(
                    "assembled", record, merged_items=judged.merged_items, retracts=judged.retracts, parent=parent
                )
            case Remove():
                assert family is not None
                gone = self._retire(parent, out, touched, {family.id, *family.retired} - {""}, now)
                left = family._replace(id="", retired=gone) if gone else None
                self._store.keep_family(self.entity, parent, left)
                self._take_back(parent, out, touched, now)
                return Told("removed", record, parent=parent)
            case Keep(reason=reason):
                if family is not None and family.retired:
                    gone = self._retire(parent, out, touched, family.retired, now)
                    self._store.keep_family(self.entity, parent, family._replace(retired=gone))
                if reason != INCOMPLETE:
                    self._take_back(parent, out, touched, now)
                return Told("withheld", record, withheld=reason, parent=parent)
            case Reject():
                return Told("dead_letter", record, reject=judged, parent=parent, version=version)

    def _upsert(  # noqa: PLR0913, PLR0917 (as `_judged`)
        self, parent: str, out: _Out, touched: Touched, family: Family | None, send: Send, now: float
    ) -> None:
        known = family or Family("")
        keys = self._assembly.keys_of(send.document)
        stale = known.held - keys if self._removals else frozenset()
        state = State(document=to_json(send.document), stale=stale, retracts=send.retracts)
        key = Key(self.entity, send.id)
        if known.id != send.id and self._pending.owes_delete(key):  # another family's, which the upsert replaces
            known = known._replace(retired=known.retired | {send.id})
            self._store.keep_family(self.entity, parent, known)
        created = known.there is There.NOTHING and send.id not in known.retired
        former = {known.id, *known.retired} - {"", send.id} if known.there else set(known.retired) - {send.id}
        self._put(out, parent, touched, key, state, now, created=created)
        self._retire(parent, out, touched, former, now)

    def _retire(
        self, parent: str, out: _Out, touched: Touched, identifiers: Collection[str], now: float
    ) -> frozenset[str]:
        """Delete the documents of ids that the family has no longer, and return those ids.

        Of one that another family has, what that one says is sent anew: it may not have been the last to say it.
        """
        gone = set()
        for identifier in sorted(identifiers):
            key = Key(self.entity, identifier)
            author = self._pending.author(key)
            if author is not None and author != parent:  # it takes the document over, and deletes it when it leaves it
                self._pending.hand_over(key)
                heir = self._store.family(self.entity, author) or Family("")
                self._store.keep_family(self.entity, author, heir._replace(retired=heir.retired | {identifier}))
                continue
            others = self._others(identifier, parent)
            for other in others:
                self._touch_again(other, touched, now)
            if not others:
                gone.add(identifier)
                self._put(out, parent, touched, key, GONE, now)
        return frozenset(gone)

    def _take_back(self, parent: str, out: _Out, touched: Touched, now: float) -> None:
        """What waits of the version before, under another id or although nothing is to be sent now, must not go out."""
        for key in out.former - out.keys:
            if self._pending.author(key) in (None, parent):
                self._put(out, parent, touched, key, NOTHING, now)

    def _others(self, identifier: str, parent: str) -> list[str]:
        """The other families whose document may be there by this id."""
        parents = self._store.parents_of(self.entity, identifier, _MOST_SHARING)
        return [other for other in parents if other != parent]

    def _touch_again(self, parent: str, touched: Touched, now: float) -> None:
        record = touched.record
        self._store.touch(self.entity, parent, record, snapshot=True, committed_ms=touched.committed_ms)
        self._heat(parent, now)

    def _put(  # noqa: PLR0913, PLR0917 (a change taken apart)
        self, out: _Out, parent: str, touched: Touched, key: Key, state: State, now: float, *, created: bool = False
    ) -> None:
        others = tuple(partition for partition in touched.firsts if partition != _partition(touched.record))
        self._second.changed(key)
        out.keys.add(key)
        change = Change(
            key,
            state,
            touched.record,
            _partition(touched.record),
            touched.snapshot,
            created,
            touched.committed_ms,
            repeated=True,
            others=others,
            origin=(parent, out.version),
        )
        self._pending.put(change, now)
        if self._pending.idle(key):
            out.keys.discard(key)

    def _in_doubt(self, told: Told) -> bool:
        """Whether the refusal is kept in doubt, and its family touched; a dead letter else."""
        assert told.reject is not None
        self._window.refuse(cause(told.reject))
        self._refused[told.parent] = None
        if len(self._refused) > _MOST_REFUSED:
            del self._refused[next(iter(self._refused))]
        if not self._window.doubtful:
            return False
        self._parked.append((told, told.reject))
        return True

    def _drop_parked(self) -> None:
        """They stay touched, and come again."""
        for told, _ in self._parked:
            self._out.pop(told.parent, None)
        self._parked.clear()
        self._after = 0

    # What comes back

    def leaving(self, entry: Entry) -> None:
        """A request carries the entry's document: from here on it may be there, with all of its items."""
        if entry.state.document is None or entry.state.delete:
            return
        parent, identifier = entry.author, entry.key.id
        family = self._store.family(self.entity, parent) or Family(identifier)
        retired = family.retired - {identifier}
        if family.there and family.id not in ("", identifier) and not self._others(family.id, parent):
            retired |= {family.id}
        keys = item_keys(self.entity, entry.state.document)
        there = max(family.there, There.RETRACTED) if entry.state.retracts else There.DOCUMENT
        now = Family(identifier, there, family.held | keys, retired)
        if now != family:
            self._store.keep_family(self.entity, parent, now)

    def delivered(self, entry: Entry) -> None:
        """The request for the entry's first debt succeeded."""
        if entry.state.delete:
            for parent in entry.origins:
                self._deleted(parent, entry.key.id)
        elif entry.state.retracts and (family := self._store.family(self.entity, entry.author)) is not None:
            self._store.keep_family(self.entity, entry.author, family._replace(there=There.RETRACTED))

    def _deleted(self, parent: str, identifier: str) -> None:
        """Nothing is there by this id."""
        family = self._store.family(self.entity, parent)
        if family is not None:
            retired = family.retired - {identifier}
            named = "" if family.id == identifier else family.id
            left = family._replace(id=named, retired=retired) if named or retired else None
            self._store.keep_family(self.entity, parent, left)

    def item_deleted(self, entry: Entry, item: ItemKey) -> None:
        """An item that had vanished from its family is no longer there."""
        for parent in entry.origins:
            family = self._store.family(self.entity, parent)
            if family is not None:
                self._store.keep_family(self.entity, parent, family._replace(held=family.held - {item}))

    def settled(self, entry: Entry) -> None:
        """Nothing more is owed of the entry, be it delivered, superseded, or a dead letter that is confirmed."""
        for parent, version in entry.origins.items():
            out = self._out.get(parent)
            if out is None or out.version != version:
                continue
            out.keys.discard(entry.key)
            if not out.keys:
                self._settle(parent, version)

    def buried(self, parent: str, version: int) -> None:
        """The dead letter of a family that could not be sent is confirmed."""
        self._settle(parent, version)

    def refused(self, entry: Entry) -> None:
        """The API refuses the entry: what changes nothing of its family must be sent all the same, if it can be."""
        for parent in entry.origins:
            self._refused[parent] = None

    def _settle(self, parent: str, version: int) -> None:
        out = self._out.get(parent)
        if out is not None and out.version == version:
            del self._out[parent]
        self._store.settle(self.entity, parent, version)

    def forget(self) -> None:
        """Some of the partitions are another process's: what is touched stays so, and waits for all of them."""
        self._hot.clear()
        self._due.clear()
        self._emptied.clear()
        self._out.clear()
        self._parked.clear()
        self._after = 0
        self._pending.drop_waiting(self.entity)


_EVERY = 1_000_000


def _partition(record: Record) -> Partition:
    return Partition(record.topic, record.partition)


def _same(old: StoredRow, read: Read) -> bool:
    """Whether what is kept of the row says the same."""
    return bool(old.body) and old.parent == read.parent and Body.decode(old.body) == read.body


def _older(event: ChangeEvent, partition: Partition, old: StoredRow) -> bool:
    """Whether the event is older than what is kept, as can be where a row's events lie on several partitions."""
    if event.position is None or old.position is None or old.position[0] == partition.number:
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
