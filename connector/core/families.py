"""Families: entities whose documents are made of the rows of several tables, which are kept on disk.

Each row that comes changes what is kept, and marks its family as touched; all of a turn of the loop is one commit. What
is touched is assembled once it has been quiet for a moment, and what comes of it goes the way of every document. What
Replenit may hold is written down before a request leaves, so that what vanishes from a family can be deleted there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

from pydantic_core import to_json

from connector.core.assembly import INCOMPLETE, Keep, Remove, Send
from connector.core.entries import Lane
from connector.core.events import Entity, Partition, Reject
from connector.core.halts import SuspendReason
from connector.core.leftovers import NONE_LEFT, Leftovers
from connector.core.rejections import LONGEST_DOUBT, Window, cause
from connector.core.remembered import Remembered
from connector.core.states import GONE, NOTHING, Change, Key, State, item_keys
from connector.core.stored import Family, There

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from connector.core.assembly import Assembly, Judged
    from connector.core.entries import Entry
    from connector.core.events import ChangeEvent, Record
    from connector.core.family_rows import FamilyRows
    from connector.core.intake import Taken
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

MOST_BYTES = 128_000_000
"""Memory that they may take. One that is assembled may be beyond it."""

_MOST_HOT = 20_000
_AT_ONCE = 500
_MOST_REFUSED = 100_000
_MOST_SHARING = 100  # families with one id, such as an e-mail address
_ALL = 2**62


class Told(NamedTuple):
    """What became of a family that was assembled, for counting. `reject`: a dead letter, which is the caller's.

    Once that is confirmed, `parent` and `version` name what is settled. `leftovers`: of it, as of a replay.
    """

    record: Record
    withheld: str = ""
    merged_items: int = 0
    retracts: bool = False
    reject: Reject | None = None
    parent: str = ""
    version: int = 0
    leftovers: Leftovers = NONE_LEFT


@dataclass(slots=True)
class _Out:
    """A version of a family under way: the documents that it waits for; `former`: those of the version before it."""

    version: int
    keys: set[Key] = field(default_factory=set)
    former: frozenset[Key] = frozenset()


class Families:
    """One entity's families, over the rows that are kept."""

    def __init__(  # noqa: PLR0913, PLR0917 (what they stand between)
        self,
        entity: Entity,
        rows: FamilyRows,
        assembly: Assembly,
        store: Store,
        pending: Pending,
        suspensions: Suspensions,
        second: SecondSendings,
        *,
        removals: bool,
        most: int = MOST_FAMILIES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.entity = entity
        self.rows = rows
        self._assembly = assembly
        self._store = store
        self._pending = pending
        self._suspensions = suspensions
        self._second = second
        self._removals = removals
        self._most = most
        self._most_bytes = most_bytes
        self._hot: dict[str, tuple[float, float]] = {}  # a touched family → when first, and when last
        self._due: list[tuple[float, str]] = []
        self._urgent: dict[str, None] = {}  # whose document waits, and must not go out
        self._emptied: dict[str, float] = {}  # a family whose last item has gone → when it is deleted
        self._out: dict[str, _Out] = {}
        self._left: dict[str, set[Key]] = {}  # documents under way of a family whose newest version can't be sent
        self._parked: list[tuple[Told, Reject]] = []
        self._refused: Remembered[str, str] = Remembered(_MOST_REFUSED, lambda parent, _: len(parent))
        self._window = Window()
        self._suspended = False
        self._more = self._found = True  # families on disk may wait for nothing here; some were found, or may have come
        self._after = 0
        self._parked_since = 0.0
        self._asked: dict[str, list[Callable[[], None]]] = {}  # of replays: who is told once nothing of it is owed
        self._put_off = (0, 0.0)

    # What comes in

    def several(self) -> Collection[str]:
        """Side tables that were found to have several rows where one was expected."""
        return self._assembly.several

    def put_off(self, until: float) -> None:
        """Whatever is touched by now waits until then; where families share ids, all do."""
        self._put_off = (_ALL if self._assembly.shares_ids else self._store.clock, max(until, self._put_off[1]))

    def take(
        self, event: ChangeEvent, partition: Partition, now: float, newer: Collection[str], *, again: bool = False
    ) -> Taken:
        """Take a row's change in. For `newer` and `again` see `FamilyRows.take`."""
        change = self.rows.take(event, partition, newer, self._refused, again=again)
        for parent in change.families:
            self._touch(parent, event, now)
            if self.entity is Entity.CUSTOMERS and self._is_under_way(parent) and not self._may_be_sent(parent):
                self._urgent[parent] = None
        return change.taken

    def send(self, parent: str, record: Record, leftovers: Leftovers, settled: Callable[[], None], now: float) -> None:
        """Send a family as it is now, although nothing has come. `record`: some record of its rows.

        `leftovers`: what may be there of it, which a store that was made anew does not know. `settled` is called once
        nothing of the family is owed, unless `forget` comes before.
        """
        family = self._store.family(self.entity, parent)
        if family is None and leftovers.ids:
            family = Family(leftovers.ids[0], There.DOCUMENT)
        if family is not None:
            retired = family.retired | (frozenset(leftovers.ids) - {family.id})
            self._store.keep_family(
                self.entity, parent, family._replace(held=family.held | leftovers.items, retired=retired)
            )
        self._asked.setdefault(parent, []).append(settled)
        self._store.touch(self.entity, parent, record, snapshot=True, committed_ms=None)
        self._heat(parent, now)

    def _is_under_way(self, parent: str) -> bool:
        return parent in self._out or parent in self._left

    def _may_be_sent(self, parent: str) -> bool:
        """Whether the family's document may go out as it is now."""
        judged = self._assembly.judge(parent, self._store.family(self.entity, parent))
        return isinstance(judged, Send) and not judged.retracts

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
        else:
            self._look_for_more()

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
        urgent = set(self._urgent)
        for parent in (due := deque(self._next(now))).copy():
            if self._is_full() and parent not in urgent:
                self._put_back(due)
                break
            due.popleft()
            told += self._assemble(parent, now)
            if self._window.broken:
                self._suspend(lane, now, due)
                break
        if self._parked and not self._window.doubtful:
            told += [each for each, _ in self._parked]
            self._parked.clear()
        elif self._parked and now - self._parked_since >= LONGEST_DOUBT:
            self._suspend(lane, now, ())
        return told

    def _suspend(self, lane: Lane, now: float, due: Iterable[str]) -> None:
        """Refusals are a setting's fault: those that are in doubt, and those that were `due`, come again."""
        self._suspensions.begin(lane, SuspendReason.UNMAPPABLE, now, self._window.cause())
        self._suspended = True
        self._put_back(due)
        for told, _ in self._parked:
            self._out.pop(told.parent, None)
        self._parked.clear()

    def _put_back(self, due: Iterable[str]) -> None:
        """They are due, and must wait: on disk they are touched still."""
        for parent in due:
            self._cool(parent)
        self._look_for_more()

    def _is_full(self) -> bool:
        return self._pending.bytes(self.entity) >= self._most_bytes

    def _next(self, now: float) -> list[str]:
        """The families that are due: those that have been quiet, and those that were touched before there was room."""
        room = 0 if self._is_full() else min(self._most - self._pending.entries(self.entity), _AT_ONCE)
        chosen, self._urgent = self._urgent, {}
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
        if self._more and len(chosen) < room:
            chosen |= self._look(room, now)
        return list(chosen)

    def _look(self, room: int, now: float) -> dict[str, None]:
        """The next families on disk that are touched and wait for nothing here, until a look at all finds none."""
        latest, until = self._put_off
        put_off = now < until
        found = self._store.due(self.entity, max(self._after, latest) if put_off else self._after, room)
        chosen = {parent: None for _, parent in found if not (parent in self._hot or parent in self._out)}
        self._found = self._found or bool(chosen) or put_off
        self._after = found[-1][0] if found else 0
        if not found:
            self._more, self._found = self._found, False
        return chosen

    def _look_for_more(self) -> None:
        """Families on disk may be touched that wait for nothing here."""
        self._more = self._found = True

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
            self.settle(parent, version)
        return [] if told.reject is not None and self._in_doubt(told, now) else [told]

    def _cool(self, parent: str) -> None:
        self._hot.pop(parent, None)
        self._emptied.pop(parent, None)

    def _judged(  # noqa: PLR0913, PLR0917 (a family, and what is to become of it)
        self, parent: str, version: int, touched: Touched, family: Family | None, judged: Judged, now: float
    ) -> Told:
        before = self._out.get(parent)
        waiting = self._left.pop(parent, set()) | (set() if before is None else before.keys)
        out = self._out[parent] = _Out(version, former=frozenset(waiting))
        record = touched.record
        match judged:
            case Send():
                self._window.accept()
                self._refused.pop(parent)
                self._upsert(parent, out, touched, family, judged, now)
                self._take_back(parent, out, touched, now)
                return Told(record, merged_items=judged.merged_items, retracts=judged.retracts)
            case Remove():
                assert family is not None
                gone = self._retire(parent, out, touched, {family.id, *family.retired} - {""}, now)
                left = family._replace(id="", there=There.NOTHING, retired=gone) if gone else None
                self._store.keep_family(self.entity, parent, left)
                self._take_back(parent, out, touched, now)
                return Told(record)
            case Keep(reason=reason):
                if family is not None and family.retired:
                    gone = self._retire(parent, out, touched, family.retired, now)
                    self._store.keep_family(self.entity, parent, family._replace(retired=gone))
                if reason != INCOMPLETE:
                    self._take_back(parent, out, touched, now)
                elif waiting:
                    self._left[parent] = waiting
                return Told(record, withheld=reason)
            case Reject():
                if waiting:
                    self._left[parent] = waiting
                return Told(record, reject=judged, parent=parent, version=version, leftovers=self._leftovers([parent]))

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
        left = former - self._retire(parent, out, touched, former, now)
        if left & known.retired:
            self._store.keep_family(self.entity, parent, known._replace(retired=known.retired - left))

    def _retire(
        self, parent: str, out: _Out, touched: Touched, identifiers: Collection[str], now: float
    ) -> frozenset[str]:
        """Delete the documents of ids that the family has no longer, and return those ids.

        Of one that another family has, what that one says is sent anew: it may not have been the last to say it. What
        may be there of this family is that one's to delete then.
        """
        gone = set()
        family = self._store.family(self.entity, parent) or Family("")
        for identifier in sorted(identifiers):
            key = Key(self.entity, identifier)
            author = self._pending.author(key)
            if author is not None and author != parent:  # it takes the document over, and deletes it when it leaves it
                self._pending.hand_over(key)
                heir = self._store.family(self.entity, author) or Family("")
                heir = heir._replace(retired=heir.retired | {identifier}, held=heir.held | family.held)
                self._store.keep_family(self.entity, author, heir)
                if family.held:
                    self._touch_again(author, touched, now)
                continue
            claimants = {*self._others(identifier, parent), *self._pending.claimants(key)} - {parent}
            heirs = [other for other in sorted(claimants) if self._sends(other, identifier)]
            for other in heirs:
                heir = self._store.family(self.entity, other) or Family("")
                if heir.id == identifier:
                    heir = heir._replace(there=max(heir.there, family.there))
                else:
                    heir = heir._replace(retired=heir.retired | {identifier})
                self._store.keep_family(self.entity, other, heir._replace(held=heir.held | family.held))
                self._touch_again(other, touched, now)
            if not heirs:
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

    def _sends(self, parent: str, identifier: str) -> bool:
        """Whether the family's document is to be there by this id, so that it takes the place of another's."""
        judged = self._assembly.judge(parent, self._store.family(self.entity, parent))
        return isinstance(judged, Send) and judged.id == identifier

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

    def _in_doubt(self, told: Told, now: float) -> bool:
        """Whether the refusal is kept in doubt, and its family touched; a dead letter else."""
        assert told.reject is not None
        self._window.refuse(cause(told.reject))
        self._refused.put(told.parent, told.parent)
        if not self._window.doubtful:
            return False
        self._parked_since = self._parked_since if self._parked else now
        self._parked.append((told, told.reject))
        return True

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
            left: Family | None = family._replace(retired=retired)
            if family.id in ("", identifier):
                left = Family("", held=family.held, retired=retired) if retired else None
            self._store.keep_family(self.entity, parent, left)

    def item_deleted(self, entry: Entry, item: ItemKey) -> None:
        """An item that had vanished from its family is no longer there. It may be in another family's document."""
        family = self._store.family(self.entity, entry.author)
        if family is not None:
            self._store.keep_family(self.entity, entry.author, family._replace(held=family.held - {item}))

    def settled(self, entry: Entry) -> None:
        """Nothing more is owed of the entry, be it delivered, superseded, or a dead letter that is confirmed."""
        for parent, version in entry.origins.items():
            left = self._left.get(parent, set())
            left.discard(entry.key)
            if not left:
                self._left.pop(parent, None)
            out = self._out.get(parent)
            if out is None or out.version != version:
                continue
            out.keys.discard(entry.key)
            if not out.keys:
                self.settle(parent, version)

    def refused(self, entry: Entry) -> Leftovers:
        """The API refuses the entry: what changes nothing of its family must be sent all the same, if it can be.

        Returns what may be there of its families, for a replay by a process that has another store.
        """
        for parent in entry.origins:
            self._refused.put(parent, parent)
        return self._leftovers([entry.author, *entry.origins])

    def _leftovers(self, parents: Iterable[str]) -> Leftovers:
        families = [self._store.family(self.entity, parent) for parent in dict.fromkeys(parents)]
        found = NONE_LEFT
        for family in filter(None, families):
            ids = (family.id, *sorted(family.retired)) if family.there else tuple(sorted(family.retired))
            found |= Leftovers(tuple(filter(None, ids)), family.held)
        return found

    def settle(self, parent: str, version: int) -> None:
        """Nothing more is owed of this version of the family: it was sent, withheld, or is a dead letter, confirmed."""
        out = self._out.get(parent)
        if out is not None and out.version == version:
            del self._out[parent]
        if self._store.settle(self.entity, parent, version):
            for settled in self._asked.pop(parent, ()):
                settled()

    def forget(self) -> None:
        """Some of the partitions are another process's: what is touched stays so, and waits for all of them."""
        self._hot.clear()
        self._due.clear()
        self._urgent.clear()
        self._emptied.clear()
        self._out.clear()
        self._left.clear()
        self._parked.clear()
        self._asked.clear()
        self._look_for_more()
        self._pending.drop_waiting(self.entity)


def _partition(record: Record) -> Partition:
    return Partition(record.topic, record.partition)
