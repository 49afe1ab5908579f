"""Which part of the budget is this process's: as much of it as it owns of all the source partitions.

Replicas know nothing of each other but this: no partition has two owners. So their parts sum to 1 at most. A part
shrinks before a partition goes to another replica, and grows empty once one has come. Nothing is sent from an
assignment on until Kafka has said how many partitions there are: where some have been added, all replicas are told by
an assignment, if an empty one. Under `group.protocol=consumer` they are not, so they ask every five minutes; until then
the parts may sum to more than 1 by as much as partitions have been added. So they do for a second or two where a
replica is taken for dead and does not know yet: its successor sends nothing for ten.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from connector import logs
from connector.core.entries import Lane
from connector.core.halts import SuspendReason
from connector.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from connector.core.budget import Budget
    from connector.core.events import Entity, Partition
    from connector.core.suspensions import Suspensions

_LOG = logs.get("sharing")

ASK_INTERVAL = 1.0
COUNT_INTERVAL = 300.0
"""Seconds after which Kafka is asked again how many partitions there are, as its client looks for new ones itself."""


class Sharing:
    """Keeps the budget's share in step with what is owned. `topics` are all sources; times are monotonic seconds."""

    def __init__(
        self,
        budget: Budget,
        suspensions: Suspensions,
        entities: Iterable[Entity],
        topics: Collection[str],
        partition_count: Callable[[str], int],
    ) -> None:
        self._budget = budget
        self._suspensions = suspensions
        self._lanes = (*(Lane(entity.value) for entity in entities), Lane.DELETES)
        self._topics = topics
        self._partition_count = partition_count
        self._counts: dict[str, int] = {}
        self._ask_at = math.inf
        self.counted = True
        """Whether the number of partitions is that of the last assignment; nothing may be sent else."""

    def count(self, topic: str) -> int:
        """How many partitions the source has, as Kafka said last; 0: it has not, or there is no such topic."""
        return self._counts.get(topic, 0)

    def assigned(self) -> None:
        """Kafka has assigned anew, perhaps more partitions, here or elsewhere."""
        self.counted = False
        self._ask_at = 0.0

    def gone(self, owned: Collection[Partition], now: float) -> None:
        """Partitions are to go, or have gone: `owned` are left. No share grows by that."""
        self._set(min(self._budget.share, self._part(owned)), owned, now)

    def learn(self, owned: Collection[Partition], now: float) -> bool:
        """Take the share that is due, once Kafka says of how many partitions; whether some topic has others now."""
        if now < self._ask_at:
            return False
        self._ask_at = now + ASK_INTERVAL
        try:
            counts = {topic: self._partition_count(topic) for topic in self._topics}
        except PlatformError:
            return False
        self._ask_at = now + COUNT_INTERVAL
        self.counted = True
        before, others = self._budget.share, counts != self._counts
        self._counts = counts
        self._set(self._part(owned), owned, now)
        if self._budget.share != before:
            sources = self._sources(owned)
            _LOG.info(
                "share",
                f"This replica owns {sources} of {self._total} partitions: that is its part of the request budget.",
                owned=sources,
                partitions=self._total,
            )
        return others

    @property
    def _total(self) -> int:
        return sum(self._counts.values())

    def _part(self, owned: Collection[Partition]) -> float:
        """At most 1, whatever Kafka says: a topic may be new to the broker that was asked."""
        sources = self._sources(owned)
        return sources / max(self._total, sources, 1)

    def _sources(self, owned: Collection[Partition]) -> int:
        """How many of them are of source topics: that of the replays gives no part of the budget."""
        return sum(partition.topic in self._topics for partition in owned)

    def _set(self, share: float, owned: Collection[Partition], now: float) -> None:
        if share != self._budget.share:
            self._budget.set_share(share, now)
        sources = self._sources(owned)
        for lane in self._lanes:
            if sources and self._budget.starved:
                detail = f"This replica owns {sources} of {self._total} partitions."
                self._suspensions.begin(lane, SuspendReason.TOO_MANY_REPLICAS, now, detail)
            else:
                self._suspensions.end(lane, SuspendReason.TOO_MANY_REPLICAS)
