"""Entries of unfinished work, and the lines in which they wait for their turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from connector.core.events import Entity

if TYPE_CHECKING:
    from connector.core.events import Partition, Record
    from connector.core.offsets import Ticket
    from connector.core.states import Key, State

_OVERHEAD = 1000
"""About the bytes that an entry takes beside its record and its document."""

_OF_AN_ITEM = 300
"""Of the key of an item that is to be deleted."""

_SLACK = 1000


class Lane(StrEnum):
    """What is scheduled as one: the upserts of an entity, and all deletes."""

    CUSTOMERS = "customers"
    ORDERS = "orders"
    PRODUCTS = "products"
    DELETES = "deletes"


class Queue(NamedTuple):
    """Entries of one lane, entity and priority."""

    lane: Lane
    entity: Entity
    snapshot: bool


QUEUES = tuple(
    Queue(lane, entity, snapshot)
    for entity in Entity
    for lane in (Lane(entity.value), Lane.DELETES)
    for snapshot in (False, True)
)

_QUEUE_OF = {(queue.entity, queue.lane is not Lane.DELETES, queue.snapshot): queue for queue in QUEUES}


@dataclass(slots=True, eq=False)
class Entry:
    """A key's unfinished work.

    Times are monotonic seconds. `since`: when its oldest event came; retries keep it. `record`: its newest event's.
    `committed_ms`: the source's commit time of its oldest live event. `created`: see `Change`. `not_before`: it is kept
    back until then. `locked_until`: the server may be working on a former request for the key until then. `failures`
    since the last success, the first of them at `failing_since`. `isolating`: it was part of a batch that was refused.
    `judged`: the API has found nothing wrong with its state, although it was not saved. `doubted`: the API refused its
    state while it refused most. `exposed`: a state of it may be at the server although no answer said so. `group`: the
    group of suspects that it goes with, 0 for none. `origins`: the
    families that it was made of, with their versions; `author`: the one whose document it is.
    `replay`: what keeps the place of the replay that asked for it. `line` and `place`: where it stands, if anywhere.
    """

    key: Key
    state: State
    record: Record
    since: float
    snapshot: bool
    created: bool
    committed_ms: int | None
    tickets: dict[Partition, Ticket] = field(default_factory=dict)
    origins: dict[str, int] = field(default_factory=dict)
    author: str = ""
    replay: Ticket | None = None
    not_before: float = 0.0
    locked_until: float = 0.0
    failures: int = 0
    failing_since: float = 0.0
    isolating: bool = False
    judged: bool = False
    doubted: bool = False
    exposed: bool = False
    group: int = 0
    line: Line | None = None
    place: int = 0
    size: int = 0

    @property
    def queue(self) -> Queue:
        upsert = self.state.document is not None and not self.state.delete
        return _QUEUE_OF[self.key.entity, upsert, self.snapshot]

    @property
    def places(self) -> tuple[Ticket, ...]:
        """All that waits for the entry to be settled."""
        return (*self.tickets.values(), *([self.replay] if self.replay is not None else ()))

    def weight(self) -> int:
        """About the memory that the entry takes, in bytes."""
        document, stale = self.state.document, self.state.stale
        return _OVERHEAD + self.record.weight + len(document or b"") + _OF_AN_ITEM * len(stale)


class Line:
    """Entries by a moment, the earliest first. What leaves before its turn is passed over when its turn comes."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Entry]] = []
        self._places = count(1)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def push(self, entry: Entry, moment: float) -> None:
        entry.line, entry.place = self, next(self._places)
        heappush(self._heap, (moment, entry.place, entry))
        self._length += 1

    def leave(self, entry: Entry) -> None:
        """Leave the line: the heap is rebuilt once most of it is gone."""
        entry.line, entry.place = None, 0
        self._length -= 1
        if len(self._heap) > 2 * self._length + _SLACK:
            self._heap = [item for item in self._heap if self._stands(item)]
            heapify(self._heap)

    def first(self) -> tuple[float, Entry] | None:
        """The entry whose turn it is, with its moment."""
        while self._heap and not self._stands(self._heap[0]):
            heappop(self._heap)
        return (self._heap[0][0], self._heap[0][2]) if self._heap else None

    def entries(self) -> list[Entry]:
        """All that stand in it, in no order."""
        return [item[2] for item in self._heap if self._stands(item)]

    def _stands(self, item: tuple[float, int, Entry]) -> bool:
        return item[2].line is self and item[2].place == item[1]
