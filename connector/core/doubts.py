"""Records that the mapping refuses while it refuses most of their table: it may be a setting's fault, not theirs.

They are kept with their offsets, and their topics pause. From time to time some more is read; once as much is
understood as is refused, what was kept is mapped anew, and what is refused again is a dead letter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.core.consent import UNKNOWN
from connector.core.entries import Lane
from connector.core.halts import SuspendReason
from connector.core.rejections import LONGEST_DOUBT, Window, cause

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from connector.core.events import Entity, Partition, Record, Reject
    from connector.core.halts import Suspension
    from connector.core.offsets import Offsets, Ticket
    from connector.core.suspensions import Suspensions

MORE = 500
"""Records that are read to try whether rows can be mapped again."""

LONGEST_TRIAL = 10.0


@dataclass(frozen=True, slots=True)
class Kept:
    """A record in doubt. `reject`: why the mapping refused it, None where only its consent is not told."""

    record: Record
    partition: Partition
    ticket: Ticket
    reject: Reject | None


@dataclass(slots=True)
class _Doubt:
    """An entity's verdicts, and since when some record is in doubt.

    `good`: records understood since then. `read`: records read since the trial began that ends at `until`.
    """

    window: Window = field(default_factory=Window)
    kept: dict[tuple[Partition, bytes | None], list[Kept]] = field(default_factory=dict)
    count: int = 0
    weight: int = 0
    good: int = 0
    read: int = 0
    until: float | None = None
    since: float | None = None


class Doubts:
    """The mapping's verdicts on records, by entity; those on rows without a column for the consent are among them."""

    def __init__(self, offsets: Offsets, suspensions: Suspensions, entities: Collection[Entity]) -> None:
        self._offsets = offsets
        self._suspensions = suspensions
        self._doubts = {entity: _Doubt() for entity in entities}

    def accept(self, entity: Entity, record: Record, partition: Partition) -> None:
        """The record was understood. What was kept of its row is older, and done with."""
        doubt = self._doubts[entity]
        doubt.window.accept()
        if doubt.count:
            doubt.read += 1
            doubt.good += 1
            if record.key is not None:
                self._drop(doubt, doubt.kept.pop((partition, record.key), ()))

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
        """No column tells the consent, and none ever did: the record is kept, and its lane is suspended."""
        self._suspensions.begin(Lane(entity.value), SuspendReason.CONSENT_UNKNOWN, now, UNKNOWN)
        self._keep(self._doubts[entity], record, partition, None)

    def _suspend(self, entity: Entity, now: float) -> None:
        cause = self._doubts[entity].window.cause()
        self._suspensions.begin(Lane(entity.value), SuspendReason.UNMAPPABLE, now, cause)

    def _keep(self, doubt: _Doubt, record: Record, partition: Partition, reject: Reject | None) -> None:
        kept = Kept(record, partition, self._offsets.hold(partition, record.offset), reject)
        doubt.kept.setdefault((partition, record.key), []).append(kept)
        doubt.count += 1
        doubt.weight += _weight(kept)
        doubt.read += 1

    def count(self, entity: Entity) -> int:
        """How many records are kept."""
        return self._doubts[entity].count

    def weight(self, entity: Entity) -> int:
        """About the memory that they take, in bytes."""
        return self._doubts[entity].weight

    def pausing(self) -> set[Entity]:
        """The entities of which nothing is to be read now."""
        return {entity for entity, doubt in self._doubts.items() if self._reasons(entity) and doubt.until is None}

    def turn(self, now: float) -> list[tuple[Entity, Kept]]:
        """Begin and end trials as they are due. What is to be taken in anew comes back, in its order."""
        again: list[tuple[Entity, Kept]] = []
        for entity, doubt in self._doubts.items():
            reasons = self._reasons(entity)
            if not reasons:
                if doubt.count and doubt.since is not None and now - doubt.since >= LONGEST_DOUBT:
                    self._suspend(entity, now)
            elif not doubt.count and not doubt.good:  # its partitions are another process's
                self._end(entity)
            elif doubt.until is None:
                if any(suspension.probes.next_at <= now for suspension in reasons):
                    doubt.until, doubt.read = now + LONGEST_TRIAL, 0
            elif doubt.read >= MORE or now >= doubt.until:
                doubt.until = None
                if doubt.good >= doubt.count:
                    again += ((entity, kept) for kept in self._end(entity))
                else:
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
        for doubt in self._doubts.values():
            for place in [place for place in doubt.kept if place[0] in gone]:
                self._drop(doubt, doubt.kept.pop(place))
            if not doubt.count:
                doubt.good, doubt.since = 0, None

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
        kept = [one for some in doubt.kept.values() for one in some]
        self._doubts[entity] = _Doubt(doubt.window)
        return sorted(kept, key=lambda one: (one.partition, one.record.offset))

    def _drop(self, doubt: _Doubt, kept: Iterable[Kept]) -> None:
        for one in kept:
            doubt.count -= 1
            doubt.weight -= _weight(one)
            self._offsets.release(one.ticket)


def _weight(kept: Kept) -> int:
    return 300 + len(kept.record.key or b"") + len(kept.record.value or b"")
