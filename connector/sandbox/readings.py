"""What the demo's screen shows, read from the connector's status and metrics, and from what the sandbox saw."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from connector.sandbox.screen import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from prometheus_client import CollectorRegistry, Metric

    from connector.sandbox.journal import Seen

    Buckets = dict[float, float]

RECENT = 120.0
"""Seconds of the demo's clock over which freshness is told while it runs."""

_FAILED = 500


class Watch:
    """Hears of every request, in the sandbox's threads: when it came, and how those for each entity fare."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.arrivals: list[float] = []
        self.statuses: dict[str, int] = {}
        self._clock = clock

    def __call__(self, seen: Seen) -> None:
        self.arrivals.append(self._clock() - seen.seconds)
        if seen.records:
            self.statuses[seen.endpoint.partition("_")[2]] = seen.status

    def within(self, seconds: float) -> int:
        """How many requests came in the last seconds."""
        since = self._clock() - seconds
        return sum(arrival > since for arrival in self.arrivals)


class Readings:
    """The connector's figures. `topics`: entity → topic."""

    def __init__(self, registry: CollectorRegistry, topics: Mapping[str, str], watch: Watch) -> None:
        self._registry = registry
        self._topics = topics
        self._watch = watch
        self._metrics: dict[str, Metric] = {}
        self._past: deque[tuple[float, Buckets]] = deque()

    def take(self, now: float) -> None:
        """Read the metrics."""
        self._metrics = {metric.name: metric for metric in self._registry.collect()}
        self._past.append((now, self._buckets()))
        while len(self._past) > 1 and self._past[1][0] <= now - RECENT:
            self._past.popleft()

    def counts(self, name: str, label: str) -> Counter[str]:
        """A counter's samples, summed by one of its labels."""
        found: Counter[str] = Counter()
        for sample in self._samples(name):
            found[sample.labels[label]] += int(sample.value)
        return +found

    def freshness(self, *, recent: bool) -> tuple[float, float] | None:
        """The median and the 99th percentile of the seconds from a change to its answer; None: nothing to tell."""
        before = self._past[0][1] if recent else {}
        buckets = {bound: count - before.get(bound, 0) for bound, count in self._past[-1][1].items()}
        if not any(buckets.values()):
            return None
        return _quantile(buckets, 0.5), _quantile(buckets, 0.99)

    def lanes(self, status: Mapping[str, Any]) -> list[Lane]:
        read = self.counts("connector_events", "topic")
        known = status.get("lanes", {})
        return [
            Lane(entity, read[topic], known.get(entity, {}).get("waiting", 0), self._state(entity, status))
            for entity, topic in self._topics.items()
        ]

    def _state(self, entity: str, status: Mapping[str, Any]) -> str:
        lane = status.get("lanes", {}).get(entity)
        if lane is None or not lane["partitions"]:
            return "joining"
        if status["halted"]:
            return "stopped"
        if any(suspension["lane"] == entity for suspension in status["suspended"]):
            return "suspended"
        if not lane["gate_open"]:
            return "reading"
        if self._watch.statuses.get(entity, 0) >= _FAILED:
            return "retrying"
        return "sending" if lane.get("waiting", 0) else "up to date"

    def _samples(self, name: str) -> list[Any]:
        metric = self._metrics.get(name)
        return [] if metric is None else list(metric.samples)

    def _buckets(self) -> Buckets:
        samples = self._samples("connector_source_to_ack_seconds")
        return {float(each.labels["le"]): each.value for each in samples if "le" in each.labels}


def _quantile(buckets: Buckets, share: float) -> float:
    """Between the bounds of its bucket in proportion, as Prometheus does; beyond the last bound: that."""
    bounds = sorted(buckets)
    rank = share * buckets[bounds[-1]]
    lower, below = 0.0, 0.0
    for bound in bounds:
        count = buckets[bound]
        if count >= rank:
            return lower if bound == float("inf") else lower + (bound - lower) * (rank - below) / max(count - below, 1)
        lower, below = bound, count
    return lower
