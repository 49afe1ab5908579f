"""What waits to be sent: one entry a key, the newest state wins, and a key in flight is never sent a second time.

An entry *waits* (in a line, put off to a later time, or as a member of a group that is being isolated) or it *flies*
(part of a request whose outcome is not known). While a key flies, what happens to its row gathers in a second entry.
"""

from __future__ import annotations

from heapq import nlargest, nsmallest
from itertools import accumulate, chain
from typing import TYPE_CHECKING, Protocol

from connector.core.entries import QUEUES, Entry, Line
from connector.core.events import Entity, Partition
from connector.core.states import GONE, NOTHING, State, combine, item_keys

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from connector.core.entries import Queue
    from connector.core.offsets import Offsets, Ticket
    from connector.core.states import Change, ItemKey, Key


BATCH_BYTES = 8_000_000


class Origin(Protocol):
    """Who is told what becomes of entries that were made of families."""

    def delivered(self, entry: Entry) -> None: ...
    def item_deleted(self, entry: Entry, item: ItemKey) -> None: ...
    def settled(self, entry: Entry) -> None: ...


class Pending:
    """All unfinished work. Tickets are taken and released here, but for those of dead letters under way.

    `removals`: items that an upsert no longer holds are deleted one by one, as far as they are known. `batch_bytes`: of
    the documents that fly together; a larger one flies alone. `origins`: of the entities that are kept as families.
    """

    def __init__(self, offsets: Offsets, *, removals: bool = True, batch_bytes: int = BATCH_BYTES) -> None:
        self._offsets = offsets
        self._batch_bytes = batch_bytes
        self.origins: dict[Entity, Origin] = {}
        self._removals = removals
        self._waiting: dict[Key, Entry] = {}
        self._flying: dict[Key, Entry] = {}
        self._lines = {queue: Line() for queue in QUEUES}
        self._put_off = Line()
        self._bytes = dict.fromkeys(Entity, 0)
        self._entries = dict.fromkeys(Entity, 0)
        self._lost_replays: list[Ticket] = []

    # What comes in

    def put(self, change: Change, now: float) -> bool:
        """Take a change in; False if work of its key was waiting, with which it was merged.

        A ticket covers its offset from here on, unless nothing is left to do.
        """
        if change.state.stale and not self._removals:
            change = change._replace(state=change.state._replace(stale=frozenset()))
        waiting = self._waiting.get(change.key)
        if waiting is not None:
            self._merge(waiting, change)
            return False
        flying = change.key in self._flying
        if flying or not change.state.nothing:
            entry = Entry(
                key=change.key,
                state=change.state,
                record=change.record,
                since=now,
                snapshot=change.snapshot,
                created=change.created and not flying,
                committed_ms=change.committed_ms,
                origins=dict([change.origin]) if change.origin is not None else {},
                author="" if change.origin is None else change.origin[0],
            )
            self._cover(entry, change)
            self._wait(entry)
        return True

    def _merge(self, waiting: Entry, change: Change) -> None:
        if change.origin is not None:
            waiting.origins[change.origin[0]] = change.origin[1]
            waiting.author = waiting.author if change.state.document is None else change.origin[0]
        unsent = waiting.created and (change.state == GONE or change.state.retracts)
        state = combine(waiting.state, change.state, change.key.entity, removals=self._removals)
        if state.nothing and waiting.exposed:  # what must not be sent may be there: take it back
            state = GONE
        if unsent or (state.nothing and change.key not in self._flying):
            self._discard(waiting)
            return
        waiting.state = state
        waiting.record = change.record
        waiting.snapshot = waiting.snapshot and change.snapshot
        waiting.failures = 0
        waiting.isolating = waiting.judged = waiting.doubted = False
        if waiting.committed_ms is None:
            waiting.committed_ms = change.committed_ms
        self._cover(waiting, change)
        self._wait(waiting)

    def _cover(self, entry: Entry, change: Change) -> None:
        partition = change.partition
        if change.replay is not None:
            entry.tickets.setdefault(partition, self._offsets.token(partition))
            self._hold_replay(entry, self._offsets.hold(*change.replay))
        elif change.repeated:
            for each in (partition, *change.others):
                entry.tickets[each] = self._offsets.token(each)
        elif partition not in entry.tickets or not entry.tickets[partition].holds:
            entry.tickets[partition] = self._offsets.hold(partition, change.record.offset)

    def _hold_replay(self, entry: Entry, ticket: Ticket) -> None:
        """Let the entry keep a replay's place; one is enough, if it is of the present tenure."""
        if entry.replay is not None and self._offsets.valid(entry.replay):
            self._offsets.release(ticket)
        else:
            entry.replay = ticket

    # What is known

    def idle(self, key: Key) -> bool:
        """Nothing of the key waits or flies."""
        return key not in self._waiting and key not in self._flying

    def exposed(self, key: Key) -> bool:
        """Whether something of the key may be on its way or there, although it is not known to be."""
        waiting, flying = self._waiting.get(key), self._flying.get(key)
        upserted = flying is not None and (flying.state.document is not None or flying.exposed)
        return upserted or (waiting is not None and waiting.exposed)

    def owes_delete(self, key: Key) -> bool:
        """Whether a DELETE of the key waits that no request has carried."""
        waiting = self._waiting.get(key)
        return waiting is not None and waiting.state.delete

    def hand_over(self, key: Key) -> None:
        """What waits of the key takes the place of something that may be there."""
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.created = False

    def author(self, key: Key) -> str | None:
        """The family whose document of the key is under way, the newest; None if there is none."""
        for entry in (self._waiting.get(key), self._flying.get(key)):
            if entry is not None and entry.state.document is not None:
                return entry.author
        return None

    def claimants(self, key: Key) -> set[str]:
        """The families whose documents of the key are under way, or were, before another's took their place."""
        return {name for entry in (self._waiting.get(key), self._flying.get(key)) if entry for name in entry.origins}

    def superseded(self, entry: Entry) -> bool:
        """Whether something newer waits than what flies."""
        return entry.key in self._waiting

    def any_waits(self, queues: Collection[Queue]) -> bool:
        """Whether something of the queues waits, in line or not. It looks at all entries."""
        return any(entry.queue in queues for entry in self._waiting.values())

    def repeats(self) -> set[Partition]:
        """The partitions of which something may be at the server whose record was settled before.

        It looks at all entries, as `locked` does.
        """
        entries = chain(self._flying.values(), (entry for entry in self._waiting.values() if entry.exposed))
        return {partition for entry in entries for partition, ticket in entry.tickets.items() if not ticket.holds}

    def unrepeated(self, partitions: Collection[Partition]) -> bool:
        """Whether something of the partitions waits or flies that is not read again. It looks at all entries."""
        tickets = (
            ticket for place in (self._waiting, self._flying) for entry in place.values() for ticket in entry.places
        )
        return any(not ticket.holds and ticket.partition in partitions for ticket in tickets)

    def document(self, key: Key) -> bytes | None:
        """The newest unsettled document of the key: what a field that the event lacks is filled from."""
        entry = self._waiting.get(key) or self._flying.get(key)
        return None if entry is None else entry.state.document

    def entries(self, entity: Entity) -> int:
        """Entries that wait or fly."""
        return self._entries[entity]

    def bytes(self, entity: Entity) -> int:
        """About the memory that they take."""
        return self._bytes[entity]

    def ready(self) -> bool:
        """Whether anything could go now."""
        return any(self._lines.values())

    def length(self, queue: Queue) -> int:
        """Entries that could go now."""
        return len(self._lines[queue])

    def first(self, queue: Queue) -> Entry | None:
        """The entry that would go first."""
        first = self._lines[queue].first()
        return None if first is None else first[1]

    def oldest(self, queue: Queue) -> float | None:
        """`since` of the entry that would go first."""
        first = self._lines[queue].first()
        return None if first is None else first[0]

    def oldest_commits_ms(self) -> dict[Entity, int]:
        """The source's commit time of each entity's oldest live event that is not settled. It looks at every entry."""
        oldest: dict[Entity, int] = {}
        for place in (self._waiting, self._flying):
            for entry in place.values():
                if entry.committed_ms is not None:
                    entity = entry.key.entity
                    oldest[entity] = min(entry.committed_ms, oldest.get(entity, entry.committed_ms))
        return oldest

    # What goes out

    def take(self, queues: Iterable[Queue], limit: int) -> list[Entry]:
        """Let up to `limit` entries fly: the queues in their order, each oldest first."""
        taken: list[Entry] = []
        room = self._batch_bytes
        for queue in queues:
            line = self._lines[queue]
            while len(taken) < limit and (first := line.first()) is not None:
                room -= _size(first[1])
                if taken and room < 0:
                    return taken
                self._fly(first[1])
                taken.append(first[1])
        return taken

    def take_group(self, members: Iterable[Entry], group: int) -> list[Entry]:
        """Let the entries fly that are still members of the group."""
        taken = [entry for entry in members if self.in_group(entry, group)]
        for entry in taken:
            self._fly(entry)
        return taken

    def take_sample(self, queues: Iterable[Queue], oldest: int, newest: int, but: Collection[Key] = ()) -> list[Entry]:
        """Let the newest and the oldest of the queues' entries fly, the newest first. It looks at all of them."""
        entries = [entry for queue in queues for entry in self._lines[queue].entries() if entry.key not in but]
        first = nlargest(newest, entries, key=lambda entry: (entry.since, entry.place))
        chosen = set(map(id, first))
        rest = (entry for entry in entries if id(entry) not in chosen)
        sample = self._fitting(first + nsmallest(oldest, rest, key=lambda entry: (entry.since, entry.place)))
        for entry in sample:
            self._fly(entry)
        return sample

    def take_least_failed(self, queues: Iterable[Queue], limit: int) -> list[Entry]:
        """Let up to `limit` of the queues' entries fly, those that failed the fewest times. It looks at all of them."""
        entries = [entry for queue in queues for entry in self._lines[queue].entries()]
        chosen = nsmallest(limit, entries, key=lambda entry: (entry.failures, entry.since, entry.place))
        chosen = self._fitting(chosen)
        for entry in chosen:
            self._fly(entry)
        return chosen

    def _fitting(self, entries: list[Entry]) -> list[Entry]:
        """As many of the first as may fly together."""
        sizes = accumulate(map(_size, entries))
        return [
            entry
            for place, (entry, size) in enumerate(zip(entries, sizes, strict=True))
            if not place or size <= self._batch_bytes
        ]

    def in_group(self, entry: Entry, group: int) -> bool:
        """Whether the entry waits as a member of the group. A newer state ends that, and the loss of its partition."""
        return entry.group == group and self._waiting.get(entry.key) is entry

    def advance(self, now: float) -> None:
        """Queue what was put off until now."""
        while (first := self._put_off.first()) is not None and first[0] <= now:
            entry = first[1]
            entry.not_before = 0.0
            self._enqueue(entry)

    def next_put_off(self) -> float | None:
        """When the next entry that was put off may go."""
        first = self._put_off.first()
        return None if first is None else first[0]

    def _fly(self, entry: Entry) -> None:
        self._leave(entry)
        del self._waiting[entry.key]
        entry.created = False
        self._flying[entry.key] = entry

    # What comes back

    def delivered(self, entry: Entry) -> bool:
        """The request for the entry's first debt succeeded; False if more is owed."""
        state = entry.state
        if entry.origins:
            self.origins[entry.key.entity].delivered(entry)
        rest = NOTHING
        if state.delete:
            rest = State(document=state.document)
        elif state.document is not None and state.stale:
            rest = State(stale=state.stale - item_keys(entry.key.entity, state.document))
        return self._paid(entry, rest)

    def item_deleted(self, entry: Entry, item: ItemKey) -> bool:
        """One stale item is gone; False if more is owed."""
        if entry.origins:
            self.origins[entry.key.entity].item_deleted(entry, item)
        return self._paid(entry, State(stale=entry.state.stale - {item}))

    def _paid(self, entry: Entry, rest: State) -> bool:
        entry.failures = 0
        entry.isolating = False
        if rest.nothing:
            self._settle(entry)
        else:
            self._return(entry, rest)
        return rest.nothing

    def failed(self, entry: Entry, *, retry_at: float = 0.0, locked_until: float = 0.0) -> None:
        """The entry's request failed: the entry goes again, with what has come meanwhile, not before `retry_at`.

        `locked_until` > 0: the request may have been applied, and the server may be working on it until then.
        """
        entry.not_before = max(retry_at, locked_until)
        entry.locked_until = locked_until
        entry.exposed = entry.exposed or locked_until > 0
        owed = entry.state
        if locked_until and owed.document is not None and not owed.delete and self._removals:
            owed = owed._replace(stale=owed.stale | item_keys(entry.key.entity, owed.document))
        self._return(entry, owed)

    def doubt(self, entry: Entry) -> None:
        """The API refuses the entry's state, and perhaps not for its own sake: it waits on, unless newer work does.

        It stands in no line until it is lined up again.
        """
        entry.doubted = True
        self._return(entry, entry.state)
        if self.in_doubt(entry):
            self._leave(entry)

    def in_doubt(self, entry: Entry) -> bool:
        """Whether the entry waits with a state that was refused in doubt."""
        return entry.doubted and self._waiting.get(entry.key) is entry

    def line_up(self, entry: Entry, since: float) -> None:
        """Let an entry that was in doubt wait for its turn, as if since then."""
        entry.since = since
        self._enqueue(entry)

    def condemn(self, entry: Entry) -> None:
        """The refusal of an entry in doubt is final: it is a dead letter, and the caller's as by `rejected`."""
        self._leave(entry)
        del self._waiting[entry.key]
        self._unmeasure(entry)

    def rejected(self, entry: Entry) -> bool:
        """The API refuses the entry's state. True: it is the newest, and a dead letter.

        The caller then owes its record to the dead-letter topic, and `release` once it is there. A state that something
        newer supersedes, or whose partition is another process's, is dropped, but not the items that it would have
        deleted: those are the newer state's debt now.
        """
        waiting = self._waiting.get(entry.key)
        if waiting is not None and waiting.state.nothing and entry.state.delete:
            self._discard(waiting)  # that nothing is to be sent does not make up for what should have been deleted
        superseded = entry.key in self._waiting
        dead = not superseded and bool(entry.tickets)
        if dead:
            del self._flying[entry.key]
            self._unmeasure(entry)
        elif superseded and entry.state.stale:
            self._return(entry, State(stale=entry.state.stale))
        else:
            self._settle(entry)
        return dead

    def release(self, entry: Entry) -> None:
        """Release the tickets of an entry that is settled."""
        if entry.origins:
            self.origins[entry.key.entity].settled(entry)
        for ticket in entry.places:
            self._offsets.release(ticket)

    def _settle(self, entry: Entry) -> None:
        del self._flying[entry.key]
        self._unmeasure(entry)
        self.release(entry)
        waiting = self._waiting.get(entry.key)
        if waiting is not None and waiting.state.nothing:
            self._discard(waiting)
        elif waiting is not None:
            self._enqueue(waiting)

    def _return(self, entry: Entry, owed: State) -> None:
        """A flying entry, of which `owed` is left, waits again; newer work of its key absorbs it."""
        del self._flying[entry.key]
        waiting = self._waiting.get(entry.key)
        if waiting is not None:
            self._absorb(entry, waiting, owed)
        elif entry.tickets:
            entry.state = owed
            self._wait(entry)
        else:  # all its partitions are another process's by now
            self._unmeasure(entry)

    def _absorb(self, older: Entry, waiting: Entry, owed: State) -> None:
        self._unmeasure(older)
        entity = older.key.entity
        if waiting.state.document is None:
            waiting.author = older.author
        waiting.state = combine(owed, waiting.state, entity, removals=self._removals)
        waiting.exposed = waiting.exposed or older.exposed
        if waiting.state.nothing and waiting.exposed:  # what must not be sent may be there: take it back
            waiting.state = GONE
        waiting.since = min(waiting.since, older.since)
        waiting.snapshot = waiting.snapshot and older.snapshot
        waiting.not_before = max(waiting.not_before, older.not_before)
        waiting.locked_until = max(waiting.locked_until, older.locked_until)
        waiting.committed_ms = older.committed_ms or waiting.committed_ms
        waiting.origins = {**older.origins, **waiting.origins}
        for partition, ticket in older.tickets.items():
            newer = waiting.tickets.get(partition)
            waiting.tickets[partition] = ticket if newer is None else min(ticket, newer)
            if newer is not None:
                self._offsets.release(max(ticket, newer))
        if older.replay is not None:
            self._hold_replay(waiting, older.replay)
        if waiting.state.nothing:
            self._discard(waiting)
        else:
            self._wait(waiting)

    # Where an entry waits

    def group(self, entries: Iterable[Entry], group: int) -> None:
        """Take those of the entries that still wait out of line, as members of a group."""
        for entry in entries:
            if self._waiting.get(entry.key) is entry:
                self._leave(entry)
                entry.group = group

    def ungroup(self, entry: Entry) -> None:
        """Let a member of a group wait in line again."""
        self._enqueue(entry)

    def put_off(self, partition: Partition, until: float) -> None:
        """Keep back whatever of the partition waits."""
        for entry in self._waiting.values():
            if partition in entry.tickets:
                entry.not_before = max(entry.not_before, until)
                self._enqueue(entry)

    def _wait(self, entry: Entry) -> None:
        self._measure(entry)
        self._waiting[entry.key] = entry
        self._enqueue(entry)

    def _enqueue(self, entry: Entry) -> None:
        """Line a waiting entry up, or put it off; while its key flies it stands nowhere."""
        self._leave(entry)
        if entry.key in self._flying:
            return
        if entry.not_before:
            self._put_off.push(entry, entry.not_before)
        else:
            self._lines[entry.queue].push(entry, entry.since)

    @staticmethod
    def _leave(entry: Entry) -> None:
        entry.group = 0
        if entry.line is not None:
            entry.line.leave(entry)

    # Partitions that go, and sizes

    def forget(self, partitions: Iterable[Partition]) -> None:
        """The partitions are another process's: drop what was read from them alone.

        What flies stays, as a lock on its key, until its outcome is known.
        """
        gone = set(partitions)
        for entry in [*self._flying.values(), *self._waiting.values()]:
            for partition in gone & entry.tickets.keys():
                del entry.tickets[partition]
            if not entry.tickets and entry.replay is not None:
                self._lost_replays.append(entry.replay)
                entry.replay = None
            if not entry.tickets and self._waiting.get(entry.key) is entry:
                entry.origins.clear()  # they are not settled
                self._discard(entry)

    def lost_replays(self) -> list[Ticket]:
        """The places of replays whose rows became another process's, once each: they are the caller's to release."""
        lost, self._lost_replays = self._lost_replays, []
        return lost

    def drop_waiting(self, entity: Entity) -> None:
        """Drop what waits of an entity that is kept as families: it will be made anew."""
        for entry in [entry for key, entry in self._waiting.items() if key.entity is entity]:
            entry.origins.clear()
            self._discard(entry)
        for key, entry in self._flying.items():
            if key.entity is entity:
                entry.origins.clear()
                entry.tickets.clear()

    def flying(self, partition: Partition) -> bool:
        """Whether a request in flight carries something of the partition."""
        return any(partition in entry.tickets for entry in self._flying.values())

    def locked(self, now: float) -> set[Partition]:
        """The partitions of which the server may be working on something whose request has no outcome or failed."""
        locked = (entry for entry in self._waiting.values() if entry.locked_until > now)
        return {partition for entry in chain(self._flying.values(), locked) for partition in entry.tickets}

    def _discard(self, entry: Entry) -> None:
        self._leave(entry)
        del self._waiting[entry.key]
        self._unmeasure(entry)
        self.release(entry)

    def _measure(self, entry: Entry) -> None:
        if not entry.size:
            self._entries[entry.key.entity] += 1
        weight = entry.weight()
        self._bytes[entry.key.entity] += weight - entry.size
        entry.size = weight

    def _unmeasure(self, entry: Entry) -> None:
        self._entries[entry.key.entity] -= 1
        self._bytes[entry.key.entity] -= entry.size
        entry.size = 0


def _size(entry: Entry) -> int:
    """What the entry's document takes in a request, with the comma after it."""
    return len(entry.state.document or b"") + 1
