"""What others see of the loop: metrics and the content of `/status`, made anew once a second."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from connector import __version__
from connector.core.entries import QUEUES, Lane
from connector.core.halts import REMEDIES, Probes, SuspendReason
from connector.core.outcomes import HaltReason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from connector.core.budget import Budget
    from connector.core.dispatch import Dispatch
    from connector.core.doubts import Doubts
    from connector.core.events import Entity, Partition
    from connector.core.gate import Gate
    from connector.core.offsets import Offsets
    from connector.core.pending import Pending
    from connector.keeping import Keeping
    from connector.letters import Letters
    from connector.metrics import Metrics
    from connector.ownership import Ownership, Source
    from connector.settings import Settings

OLDEST_INTERVAL = 5.0
"""Seconds between looks at every waiting entry for the oldest: with 250,000 of them one takes 50 ms."""


class Report:
    """Reads the loop's state and changes none of it. `wall` gives UNIX seconds."""

    def __init__(  # noqa: PLR0913 (all that is reported)
        self,
        settings: Settings,
        source: Source,
        metrics: Metrics,
        *,
        offsets: Offsets,
        gate: Gate,
        pending: Pending,
        budget: Budget,
        dispatch: Dispatch,
        ownership: Ownership,
        letters: Letters,
        doubts: Doubts,
        keeping: Keeping | None,
        wall: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._source = source
        self._metrics = metrics
        self._offsets = offsets
        self._gate = gate
        self._pending = pending
        self._budget = budget
        self._dispatch = dispatch
        self._ownership = ownership
        self._letters = letters
        self._doubts = doubts
        self._keeping = keeping
        self._lanes = (*(Lane(entity.value) for entity in settings.topics), Lane.DELETES)
        self._wall = wall
        self._progress_at = wall()
        self._lagging: set[Partition] = set()
        self._oldest: dict[Entity, float] = {}
        self._look_at = 0.0

    def progressed(self) -> None:
        """Something was settled."""
        self._progress_at = self._wall()

    def publish(self, now: float, *, stopping: bool, full: Collection[Entity]) -> dict[str, object]:
        """Set the metrics that are states, and return the content of `/status`."""
        if now >= self._look_at:
            self._look_at = now + OLDEST_INTERVAL
            self._oldest = {entity: ms / 1000 for entity, ms in self._oldest_commits_ms().items()}
        oldest = {entity: at for entity, at in self._oldest.items() if self._unsettled(entity)}
        self._publish_metrics(now, oldest)
        self._publish_lag()
        self._publish_sizes()
        return self._describe(now, oldest, stopping=stopping, full=full)

    def _waiting(self, entity: Entity) -> int:
        """How much is unsettled of an entity. Of families most may wait on disk."""
        touched = 0 if self._keeping is None else self._keeping.touched(entity)
        return max(self._pending.entries(entity), touched)

    def _unsettled(self, entity: Entity) -> int:
        """That, and what the mapping has refused in doubt."""
        return self._waiting(entity) + self._doubts.count(entity)

    def _oldest_commits_ms(self) -> dict[Entity, int]:
        """Of what is in doubt the commit time is not known: when it came to Kafka stands for it."""
        oldest = self._pending.oldest_commits_ms()
        for entity in self._settings.topics:
            kept = None
            if self._keeping is not None and entity in self._settings.families:
                kept = self._keeping.oldest_commit_ms(entity)
            for at in (kept, self._doubts.oldest_ms(entity)):
                if at is not None:
                    oldest[entity] = min(at, oldest.get(entity, at))
        return oldest

    def _publish_metrics(self, now: float, oldest: Mapping[Entity, float]) -> None:
        metrics = self._metrics
        for entity in self._settings.topics:
            metrics.pending_records.labels(entity).set(self._waiting(entity))
            metrics.pending_bytes.labels(entity).set(self._pending.bytes(entity))
            metrics.oldest_unacked.labels(entity).set(oldest.get(entity, 0))
        if not any(map(self._waiting, self._settings.topics)):
            self._progress_at = self._wall()
        halt = self._dispatch.halting.halt
        for reason in HaltReason:
            metrics.halted.labels(reason).set(halt is not None and halt.reason is reason)
        suspended = {(suspension.lane, suspension.reason) for suspension in self._dispatch.suspensions}
        for lane in self._lanes:
            for why in SuspendReason:
                metrics.suspended.labels(lane, why).set((lane, why) in suspended)
        metrics.last_progress.set(self._progress_at)
        metrics.backlog_drain.set(self._drain_seconds())
        metrics.tokens.labels("bucket").set(self._budget.tokens(now))
        metrics.capacity.labels("bucket").set(self._budget.burst * self._budget.share)
        limits = {"minute": self._settings.rate_limit_per_minute, "hour": self._settings.rate_limit_per_hour}
        for window, free in self._budget.free(now).items():
            metrics.tokens.labels(window).set(free)
            metrics.capacity.labels(window).set(limits[window] * self._budget.share)

    def _publish_lag(self) -> None:
        """The lag of what this process owns; of what it has handed over there is none to tell."""
        owned = set(self._ownership.partitions)
        for partition in self._lagging - owned:
            self._metrics.consumer_lag.remove(partition.topic, str(partition.number))
        self._lagging &= owned
        unsettled = dict.fromkeys((topic for topics in self._settings.topics.values() for topic in topics), 0)
        for partition in owned:
            position, settled = self._offsets.position(partition), self._offsets.committable(partition)
            if position is not None and settled is not None:
                unsettled.setdefault(partition.topic, 0)  # that of the replays is no source
                unsettled[partition.topic] += position - settled
        for topic, records in unsettled.items():
            self._metrics.unsettled.labels(topic).set(records)
        for partition in owned:
            high, settled = self._source.high_watermark(partition), self._offsets.committable(partition)
            if high is not None and settled is not None:
                lag = self._metrics.consumer_lag.labels(partition.topic, str(partition.number))
                lag.set(max(0, high - settled))
                self._lagging.add(partition)

    def _publish_sizes(self) -> None:
        """What a process and its disk take, beside what Prometheus' client measures itself."""
        for part, size in {} if self._keeping is None else self._keeping.sizes().items():
            self._metrics.store_bytes.labels(part).set(size)
        self._metrics.threads.set(_threads())

    def _drain_seconds(self) -> float:
        """How long the budget takes to send what waits."""
        requests = 0.0
        for queue in QUEUES:
            each = 1 if queue.lane is Lane.DELETES else self._settings.batch_max[queue.entity]
            requests += math.ceil(self._pending.length(queue) / each)
        for entity in self._settings.families:
            requests += (self._waiting(entity) - self._pending.entries(entity)) / self._settings.batch_max[entity]
        pace = self._budget.rate * self._budget.share
        return requests / pace if pace else math.inf if requests else 0.0

    def _describe(
        self, now: float, oldest: Mapping[Entity, float], *, stopping: bool, full: Collection[Entity]
    ) -> dict[str, object]:
        halt, drain = self._dispatch.halting.halt, self._drain_seconds()
        return {
            "version": __version__,
            "ready": True,
            "stopping": stopping,
            "halted": None
            if halt is None
            else {
                "reason": halt.reason,
                "detail": halt.detail,
                "remedy": REMEDIES[halt.reason],
                **_tries(halt.probes, now),
            },
            "suspended": [
                {
                    "lane": suspension.lane,
                    "reason": suspension.reason,
                    "detail": suspension.detail,
                    "remedy": REMEDIES[suspension.reason],
                    **_tries(suspension.probes, now),
                }
                for suspension in self._dispatch.suspensions
            ],
            "lanes": {
                entity: {
                    "partitions": len(self._ownership.partitions_of(entity)),
                    "gate_open": self._gate.open(topics, now),
                    "paused": entity in full,
                    "waiting": self._unsettled(entity),
                    "in_doubt": self._doubts.count(entity) + self._dispatch.trials.count(Lane(entity.value)),
                    "bytes": self._pending.bytes(entity),
                    "oldest_change": oldest.get(entity),
                }
                for entity, topics in self._settings.topics.items()
            },
            "partitions": {
                str(partition): {
                    "position": self._offsets.position(partition),
                    "committable": self._offsets.committable(partition),
                    "high_watermark": self._source.high_watermark(partition),
                    "paused": partition in self._ownership.paused,
                }
                for partition in self._ownership.partitions
            },
            "requests_in_flight": self._dispatch.flying,
            "dead_letters_unconfirmed": self._letters.unconfirmed,
            "budget": {
                "tokens": round(self._budget.tokens(now), 2),
                **{f"free_{window}": round(free, 2) for window, free in self._budget.free(now).items()},
                "share": round(self._budget.share, 4),
                "seconds_to_drain": round(drain) if math.isfinite(drain) else None,
            },
        }


def _threads() -> int:
    """Python knows its own alone; Linux knows librdkafka's too."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return threading.active_count()


def _tries(probes: Probes, now: float) -> dict[str, int]:
    return {
        "for_seconds": round(now - probes.since),
        "next_try_in_seconds": max(0, round(probes.next_at - now)),
    }
