"""What each lane could send: a batch, a delete, or a group of suspects; the scheduler chooses among them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from connector.core.entries import Lane, Queue
from connector.core.events import Entity
from connector.core.isolation import Isolation
from connector.core.lanes import Health
from connector.core.scheduler import Candidate, Load

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from connector.core.isolation import Group
    from connector.core.pending import Pending
    from connector.core.suspensions import Suspensions


class Candidates:
    """The lanes over the pending work: their `health`, and the `isolations` of those that carry upserts."""

    def __init__(
        self,
        pending: Pending,
        suspensions: Suspensions,
        entities: Collection[Entity],
        batch_max: Mapping[Entity, int],
    ) -> None:
        self.health = {lane: Health() for lane in Lane}
        self.isolations = {Lane(entity.value): Isolation(pending) for entity in entities}
        self._pending = pending
        self._suspensions = suspensions
        self._entities = entities
        self._batch_max = batch_max

    def at(
        self, now: float, open_entities: Collection[Entity], *, isolating: bool
    ) -> Iterator[tuple[Candidate, Group | list[Queue]]]:
        """Each candidate, and what it would carry. While one group of suspects is under way no other is tried."""
        for lane, isolation in self.isolations.items():
            health = self.health[lane]
            if Entity(lane.value) not in open_entities or lane in self._suspensions or not health.may_send(now):
                continue
            if not isolating and (group := isolation.ready(now)) is not None:
                since = min(entry.since for entry in group.members)
                yield Candidate(lane, Load.ISOLATION, since, health.served), group
            queues = self._queues(lane, [Entity(lane.value)], open_entities)
            if (oldest := self._oldest(queues)) is not None:
                yield Candidate(lane, self._load(Entity(lane.value), queues), oldest, health.served), queues
        health = self.health[Lane.DELETES]
        if health.may_send(now) and Lane.DELETES not in self._suspensions:
            queues = self._queues(Lane.DELETES, open_entities, open_entities)
            queues.sort(key=lambda queue: (queue.snapshot, self._pending.oldest(queue) or math.inf))
            if (oldest := self._oldest(queues)) is not None:
                yield Candidate(Lane.DELETES, Load.DELETE, oldest, health.served), queues

    def _load(self, entity: Entity, queues: Sequence[Queue]) -> Load:
        """What a lane's next batch is: what was left over of a refused one does not linger a second time."""
        first = self._pending.first(queues[0])
        if first is not None and first.isolating:
            return Load.ISOLATION
        full = sum(map(self._pending.length, queues)) >= self._batch_max[entity]
        return Load.FULL if full else Load.LIGHT

    def _queues(self, lane: Lane, entities: Collection[Entity], open_entities: Collection[Entity]) -> list[Queue]:
        """The lane's queues with something in them: live entries before those of a snapshot.

        A snapshot's orders wait for its customers and products, to which they refer, while those can be sent.
        """
        queues = [Queue(lane, entity, snapshot) for snapshot in (False, True) for entity in entities]
        if lane is Lane.ORDERS and self._referents_wait(open_entities):
            queues = [queue for queue in queues if not queue.snapshot]
        return [queue for queue in queues if self._pending.length(queue)]

    def _referents_wait(self, open_entities: Collection[Entity]) -> bool:
        for lane in (Lane.CUSTOMERS, Lane.PRODUCTS):
            entity = Entity(lane.value)
            healthy = not self.health[lane].failures and lane not in self._suspensions
            waiting = self._pending.length(Queue(lane, entity, snapshot=True)) > 0
            if entity in self._entities and healthy and (waiting or entity not in open_entities):
                return True
        return False

    def _oldest(self, queues: Sequence[Queue]) -> float | None:
        moments = [moment for queue in queues if (moment := self._pending.oldest(queue)) is not None]
        return min(moments, default=None)
