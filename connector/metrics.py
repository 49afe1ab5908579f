"""Every metric, declared once. The service sets them; nothing in `core` knows of them.

`python -m connector.metrics README.md` writes the table that documents them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from connector import __version__
from connector.core.events import Entity, Reason
from connector.core.outcomes import HaltReason
from connector.core.requests import UPSERTS, Endpoint, Purpose
from connector.settings import with_section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics import MetricWrapperBase

M = TypeVar("M", bound="MetricWrapperBase")

_SECONDS_TO_ACK = (0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600)
_RECORDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_SECONDS_OF_A_REQUEST = (0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One process's metrics, in a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry(auto_describe=True)
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self.registry.register(collector)
        self._declared: list[MetricWrapperBase] = []
        self.build_info = self._gauge("build_info", "The version that runs; always 1.", "version")
        self.events = self._counter("events", "Records read, by what became of them.", "topic", "op", "outcome")
        self.consumer_lag = self._gauge(
            "consumer_lag_messages", "Records between the committed offset and the log's end.", "topic", "partition"
        )
        self.source_to_ack = self._histogram(
            "source_to_ack_seconds",
            "From the commit at the source to Replenit's answer, live changes.",
            _SECONDS_TO_ACK,
        )
        self.oldest_unacked = self._gauge(
            "oldest_unacked_timestamp_seconds", "Commit time of the oldest unsettled live change; 0: none.", "entity"
        )
        self.last_progress = self._gauge(
            "last_progress_timestamp_seconds", "When something was last settled or nothing was left to do."
        )
        self.batch_records = self._histogram("batch_records", "Records in an upsert.", _RECORDS, "endpoint")
        self.coalesced = self._counter("coalesced_events", "Changes merged into one that was waiting.", "entity")
        self.requests = self._counter(
            "api_requests",
            "Requests, by status (or why there was no answer) and purpose.",
            "endpoint",
            "code",
            "purpose",
        )
        self.request_duration = self._histogram(
            "api_request_duration_seconds", "Time of a request.", _SECONDS_OF_A_REQUEST, "endpoint"
        )
        self.retries = self._counter("api_retries", "Requests that failed and go again, by cause.", "reason")
        self.tokens = self._gauge(
            "rate_limit_tokens", "What may be sent at once: `bucket`, `minute`, `hour`.", "window"
        )
        self.capacity = self._gauge("rate_limit_capacity_tokens", "The most that may be sent at once.", "window")
        self.rate_limit_wait = self._counter(
            "rate_limit_wait_seconds", "Time in which work waited for the budget alone."
        )
        self.pending_records = self._gauge(
            "pending_records", "Keys with unfinished work, also of those kept on disk.", "entity"
        )
        self.pending_bytes = self._gauge(
            "pending_bytes", "About the bytes of memory that an entity's pending records take.", "entity"
        )
        self.inflight = self._gauge("inflight_requests", "Requests without an answer yet.")
        self.backlog_drain = self._gauge("backlog_drain_seconds", "How long the budget takes to send what waits.")
        self.dead_letters = self._counter(
            "dead_letters", "Records confirmed in the dead-letter topic.", "entity", "reason"
        )
        self.halted = self._gauge("halted", "1 while nothing is sent, for this reason.", "reason")
        self.schemas_missing = self._gauge("schemas_missing", "Schemas that the registry has not given yet.")
        self.suspended = self._gauge("suspended", "1 while a lane is not sent, for this reason.", "lane", "reason")
        self.retracted = self._counter("retracted_consents", "Customers whose consent was taken back at Replenit.")
        self.withheld = self._counter("withheld", "Changes kept back on purpose.", "entity", "reason")
        self.columns_missing = self._gauge(
            "mapping_missing_column_rows",
            "Rows read, none of which had this column of the mapping.",
            "entity",
            "column",
        )
        self.retention_gap = self._counter(
            "retention_gap_records", "Records deleted from a topic before they were read: changes were missed.", "topic"
        )
        self.rebalances = self._counter("rebalances", "Assignments, handovers and losses of partitions.")
        self.paused = self._gauge("paused_partitions", "Partitions that are not read for now.")
        self.merged_items = self._counter("merged_items", "Line items merged into one with the same key.", "entity")
        self.rounded = self._counter("rounded_values", "Decimals with more digits than a JSON number holds.", "entity")
        self.omitted = self._counter(
            "omitted_values", "Values left out since the API would refuse them, as the mapping says.", "entity"
        )
        self.fewer_accepted = self._counter(
            "fewer_accepted_records", "Records that the API did not count in an answer of success.", "endpoint"
        )
        self.store_bytes = self._gauge(
            "store_bytes", "Disk taken in STATE_DIR: `used` and `free` of the file, and the `log` beside it.", "part"
        )
        self.unsettled = self._gauge(
            "unsettled_messages", "Records read beyond the committed offset: a restart reads them again.", "topic"
        )
        self.threads = self._gauge("threads", "Threads of the process, those of libraries included.")
        self.lines_held_back = self._counter(
            "log_lines_held_back", "Log lines that were too many to write, or that could not be written.", "event"
        )
        self.build_info.labels(__version__).set(1)
        self._start_from_zero()

    def exposition(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self.registry)

    def table(self) -> str:
        """The README's table."""
        return "\n".join(["| Metric | Labels | Meaning |", "|---|---|---|", *self._rows()])

    def _rows(self) -> Iterator[str]:
        for metric in self._declared:
            [described] = metric.describe()
            name = described.name + ("_total" if described.type == "counter" else "")
            labels = ", ".join(f"`{label}`" for label in metric._labelnames)  # noqa: SLF001 (it has no public name)
            yield f"| `{name}` | {labels} | {described.documentation} |"

    def _start_from_zero(self) -> None:
        """A rate over a counter that appears with its first increase misses that increase."""
        for entity in Entity:
            self.coalesced.labels(entity)
            self.merged_items.labels(entity)
            self.rounded.labels(entity)
            self.omitted.labels(entity)
            for reason in Reason:
                self.dead_letters.labels(entity, reason)
        for halt in HaltReason:
            self.halted.labels(halt).set(0)
        for endpoint in Endpoint:
            for purpose in Purpose:
                self.requests.labels(endpoint, "200", purpose)
        for upsert in UPSERTS.values():
            self.fewer_accepted.labels(upsert)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return self._declare(Counter(f"connector_{name}", meaning, labels, registry=self.registry))

    def _gauge(self, name: str, meaning: str, *labels: str) -> Gauge:
        return self._declare(Gauge(f"connector_{name}", meaning, labels, registry=self.registry))

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return self._declare(Histogram(f"connector_{name}", meaning, labels, registry=self.registry, buckets=buckets))

    def _declare(self, metric: M) -> M:
        self._declared.append(metric)
        return metric


def main(paths: list[str]) -> None:
    """Write the table into Markdown files."""
    for path in map(Path, paths):
        path.write_text(with_section(path.read_text(), "metrics", Metrics().table()))


if __name__ == "__main__":
    main(sys.argv[1:])
