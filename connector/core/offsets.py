"""Tickets: which offsets may be committed while keys are delivered in another order than they were read.

A ticket stands for the first offset that some unfinished work covers. The offset to commit of a partition is its least
live ticket, else its position: nothing at or above it is lost by a crash. A key that changes a thousand times during an
outage holds one ticket, not a thousand.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from connector.core.events import Partition

_SLACK = 1000
NOWHERE = sys.maxsize
"""Beyond every offset."""


class Ticket(NamedTuple):
    """The right to hold a partition's commits back at `offset`; void once the partition has another epoch."""

    partition: Partition
    epoch: int
    offset: int

    @property
    def holds(self) -> bool:
        """Whether it holds anything back."""
        return self.offset != NOWHERE


@dataclass(slots=True)
class _Tenure:
    """A partition from its assignment to its loss.

    Released offsets leave the heap when they come to its top, or all at once when they are most of it: one record that
    waits for an hour must not make the heap grow with the traffic.
    """

    epoch: int
    position: int | None = None
    settled: int = 0
    live: set[int] = field(default_factory=set)
    heap: list[int] = field(default_factory=list)

    def committable(self) -> int | None:
        while self.heap and self.heap[0] not in self.live:
            heappop(self.heap)
        if not self.heap:
            return self.position
        first = self.heap[0]  # which reading may have gone back behind
        return first if self.position is None else min(first, self.position)


class Offsets:
    """The offsets of the partitions that this process owns."""

    def __init__(self) -> None:
        self.floor: Callable[[Partition], int | None] = lambda _: None
        """The first offset that is unsettled although it has no ticket, as it is kept elsewhere.

        NOWHERE if none is; None for a partition of which nothing is kept.
        """
        self._tenures: dict[Partition, _Tenure] = {}
        self._epoch = 0

    def assign(self, partition: Partition) -> int:
        """Begin a tenure, with no ticket and no position; return its epoch."""
        self._epoch += 1
        self._tenures[partition] = _Tenure(self._epoch)
        return self._epoch

    def revoke(self, partitions: Iterable[Partition]) -> None:
        """End the tenures. Their tickets are void: releasing one later changes nothing."""
        for partition in partitions:
            self._tenures.pop(partition, None)

    @property
    def partitions(self) -> tuple[Partition, ...]:
        return tuple(self._tenures)

    def advance(self, partition: Partition, position: int) -> bool:
        """The next record to read is `position`; False for a partition without a tenure.

        Gaps are legal, and so is reading something again.
        """
        tenure = self._tenures.get(partition)
        if tenure is not None:
            tenure.position = position
        return tenure is not None

    def settled_below(self, partition: Partition, offset: int) -> None:
        """All below is settled, although it is read again: commits don't go back behind it."""
        self._tenures[partition].settled = offset

    def position(self, partition: Partition) -> int | None:
        """Return the next offset to read, None before anything is known."""
        tenure = self._tenures.get(partition)
        return tenure.position if tenure else None

    def hold(self, partition: Partition, offset: int) -> Ticket:
        """Keep the partition's commits at or below `offset` until the ticket is released. One ticket an offset."""
        tenure = self._tenures[partition]
        if offset in tenure.live:
            message = f"{partition}@{offset} has a ticket already"
            raise ValueError(message)
        tenure.live.add(offset)
        if len(tenure.heap) > 2 * len(tenure.live) + _SLACK:
            tenure.heap = sorted(tenure.live)
        else:
            heappush(tenure.heap, offset)
        return Ticket(partition, tenure.epoch, offset)

    def held(self, partition: Partition, offset: int) -> bool:
        """Whether the offset has a live ticket."""
        tenure = self._tenures.get(partition)
        return tenure is not None and offset in tenure.live

    def token(self, partition: Partition) -> Ticket:
        """A ticket that shares the fate of the partition's tenure, and holds nothing back."""
        return Ticket(partition, self._tenures[partition].epoch, NOWHERE)

    def release(self, ticket: Ticket) -> None:
        """The work is settled; of a tenure that has ended, or twice: nothing happens."""
        tenure = self._tenures.get(ticket.partition)
        if tenure is not None and tenure.epoch == ticket.epoch:
            tenure.live.discard(ticket.offset)

    def valid(self, ticket: Ticket) -> bool:
        """Whether the ticket's tenure is the present one."""
        tenure = self._tenures.get(ticket.partition)
        return tenure is not None and tenure.epoch == ticket.epoch

    def committable(self, partition: Partition) -> int | None:
        """Return the offset to commit, None before a position is known."""
        tenure, floor = self._tenures[partition], self.floor(partition)
        taken_in = tenure.committable()
        if taken_in is None:
            return None
        if floor is not None:  # what is kept may be touched anew by an old record: it is not lost for that
            taken_in = tenure.settled = max(tenure.settled, min(taken_in, floor))
        return max(tenure.settled, taken_in)

    def taken_in(self, partition: Partition) -> int | None:
        """Return the offset below which no ticket is live, None before a position is known."""
        return self._tenures[partition].committable()

    def outstanding(self) -> int:
        """Return the number of live tickets."""
        return sum(len(tenure.live) for tenure in self._tenures.values())
