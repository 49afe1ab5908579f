"""Records that the mapping refuses while it refuses most of their table: it may be a setting's fault, not theirs.

They are kept with their offsets, and reading goes on, as far as memory allows: rows that were mended are further on in
their topics. Once what is read can be understood again, what was kept is mapped anew, and what is refused again is a
dead letter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.core.entries import Lane
from connector.core.halts import SuspendReason
from connector.core.rejections import LONGEST_DOUBT, Window, cause

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from connector.core.events import Entity, Partition, Record, Reject
    from connector.core.halts import Suspension
    from connector.core.offsets import Offsets, Ticket
    from connector.core.suspensions import Suspensions

RECENT = 40
"""Of so many records, the last that were read, half must have been understood to show that the mapping works again."""

MORE = 500
"""Records that may be read beyond a full memory, for each look that showed nothing mended."""

_OVERHEAD = 700
"""About the bytes that a record in doubt takes beside itself."""

_OF_A_NAME = 120
"""Of the name of a document of which something newer was taken in."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A record in doubt. `reject`: why the mapping refused it, None where only its consent is not told.

    `since_ms`: when the row's first record in doubt was written to Kafka.
    """

    record: Record
    partition: Partition
    ticket: Ticket
    reject: Reject | None
    since_ms: int | None


@dataclass(slots=True)
class _Doubt:
    """An entity's verdicts, and since when some record is in doubt.

    `good`: records understood since then. `recent`: whether each of the last ones was.
    """

    window: Window = field(default_factory=Window)
    kept: dict[tuple[Partition, bytes | int], Kept] = field(default_factory=dict)
    newer: set[str] = field(default_factory=set)  # documents of which something was taken in since
    allowance: int = 0
    weight: int = 0
    good: int = 0
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT))
    since: float | None = None


class Doubts:
    """The mapping's verdicts on records, by entity; those on rows without a column for the consent are among them."""

    def __init__(self, offsets: Offsets, suspensions: Suspensions, entities: Collection[Entity]) -> None:
        self._offsets = offsets
        self._suspensions = suspensions
        self._doubts = {entity: _Doubt() for entity in entities}

    def accept(self, entity: Entity, record: Record, partition: Partition, document: str, *, proven: bool) -> None:
        """The record was taken in. What was kept of its row is older, and done with.

        Only what is `proven` says something of the mapping: that all of a row's columns could be converted.
        """
        doubt = self._doubts[entity]
        if proven:
            doubt.window.accept()
        if doubt.kept:
            if document not in doubt.newer:
                doubt.newer.add(document)
                doubt.weight += _OF_A_NAME + len(document)
            if proven:
                doubt.good += 1
                doubt.recent.append(True)
            if record.key is not None:
                self._drop(doubt, (partition, record.key))

    def refuse(self, entity: Entity, record: Record, partition: Partition, reject: Reject, now: float) -> bool:
        """The record was refused. True: it is a dead letter; else it is kept, and its lane may be suspended."""
        doubt, lane = self._doubts[entity], Lane(entity.value)
        doubt.window.refuse(cause(reject))
        if self._suspensions.get(lane, SuspendReason.UNMAPPABLE) is None and not doubt.window.doubtful:
            return True
        self._keep(doubt, record, partition, reject)
        doubt.since = now if doubt.since is None else doubt.since
        if doubt.window.broken:
            self._suspend(entity, now)
        return False

    def unfed(self, entity: Entity, record: Record, partition: Partition, now: float) -> None:
        """No column of the table tells the consent: the record is kept, and its lane is suspended."""
        self._suspensions.begin(Lane(entity.value), SuspendReason.CONSENT_UNKNOWN, now, "")
        self._keep(self._doubts[entity], record, partition, None)

    def _suspend(self, entity: Entity, now: float) -> None:
        cause = self._doubts[entity].window.cause()
        self._suspensions.begin(Lane(entity.value), SuspendReason.UNMAPPABLE, now, cause)

    def _keep(self, doubt: _Doubt, record: Record, partition: Partition, reject: Reject | None) -> None:
        """Keep the newest record of a row, and the offset of the first: a hot row takes the room of one."""
        place = (partition, record.offset if record.key is None else record.key)
        older = doubt.kept.pop(place, None)
        ticket = self._offsets.hold(partition, record.offset) if older is None else older.ticket
        doubt.weight -= 0 if older is None else _weight(older)
        since_ms = record.timestamp_ms if older is None else older.since_ms
        doubt.kept[place] = kept = Kept(record, partition, ticket, reject, since_ms)
        doubt.weight += _weight(kept)
        doubt.recent.append(False)

    def count(self, entity: Entity) -> int:
        """How many records are kept."""
        return len(self._doubts[entity].kept)

    def oldest_ms(self, entity: Entity) -> int | None:
        """When the oldest of them was written to Kafka, None if there is none. It looks at every record."""
        kept = self._doubts[entity].kept.values()
        return min((each.since_ms for each in kept if each.since_ms is not None), default=None)

    def weight(self, entity: Entity) -> int:
        """About the memory that they take, in bytes."""
        return self._doubts[entity].weight

    def allowance(self, entity: Entity) -> int:
        """How many more records may wait than else."""
        return self._doubts[entity].allowance

    def turn(self, now: float, full: Collection[Entity] = ()) -> list[tuple[Entity, list[Kept], set[str]]]:
        """Try, as it is due, whether rows can be mapped again: what is to be taken in anew comes back, in its order.

        With it comes of which documents something newer was taken in: what was kept of those is done with. Of a `full`
        entity more may be read then: where memory is full of what is refused, what was mended is further on.
        """
        again: list[tuple[Entity, list[Kept], set[str]]] = []
        for entity, doubt in self._doubts.items():
            reasons = self._reasons(entity)
            if not reasons:
                if doubt.kept and doubt.since is not None and now - doubt.since >= LONGEST_DOUBT:
                    self._suspend(entity, now)
            elif min(suspension.probes.next_at for suspension in reasons) <= now:
                if doubt.good >= len(doubt.kept) or 2 * sum(doubt.recent) >= RECENT:
                    newer = doubt.newer
                    again.append((entity, self._end(entity), newer))
                else:
                    doubt.allowance += MORE if entity in full else 0
                    for suspension in reasons:
                        suspension.probes.postpone(now)
        return again

    def condemned(self) -> list[tuple[Entity, Kept]]:
        """The refusals that were in doubt and are no longer, since good records followed: dead letters."""
        return [
            (entity, kept)
            for entity, doubt in self._doubts.items()
            if doubt.since is not None and not self._reasons(entity) and not doubt.window.doubtful
            for kept in self._empty(entity)
        ]

    def forget(self, partitions: Iterable[Partition]) -> None:
        """The partitions are another process's: what was kept of them is, too."""
        gone = set(partitions)
        for entity, doubt in self._doubts.items():
            places = [place for place in doubt.kept if place[0] in gone]
            for place in places:
                self._drop(doubt, place)
            if places and not doubt.kept:
                self._end(entity)

    def _reasons(self, entity: Entity) -> list[Suspension]:
        lane = Lane(entity.value)
        reasons = (SuspendReason.UNMAPPABLE, SuspendReason.CONSENT_UNKNOWN)
        return [found for reason in reasons if (found := self._suspensions.get(lane, reason)) is not None]

    def _end(self, entity: Entity) -> list[Kept]:
        """End the entity's suspensions, with a new window; what was kept, in its order."""
        for suspension in self._reasons(entity):
            self._suspensions.end(suspension.lane, suspension.reason)
        self._doubts[entity].window = Window()
        return self._empty(entity)

    def _empty(self, entity: Entity) -> list[Kept]:
        """All that is kept, in its order; it is kept no longer."""
        doubt = self._doubts[entity]
        kept = list(doubt.kept.values())
        self._doubts[entity] = _Doubt(doubt.window)
        return sorted(kept, key=lambda one: (one.partition, one.record.offset))

    def _drop(self, doubt: _Doubt, place: tuple[Partition, bytes | int]) -> None:
        kept = doubt.kept.pop(place, None)
        if kept is not None:
            doubt.weight -= _weight(kept)
            self._offsets.release(kept.ticket)


def _weight(kept: Kept) -> int:
    errors = () if kept.reject is None else kept.reject.errors
    return _OVERHEAD + kept.record.weight + sum(len(error.path) + len(error.problem) for error in errors)
