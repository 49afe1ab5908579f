"""Dead letters under way: each keeps its offsets uncommitted until the broker has confirmed it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from connector import logs
from connector.adapters.dead_letters import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from connector.core.events import Entity, Record, Reject
    from connector.core.offsets import Offsets, Ticket
    from connector.metrics import Metrics

_LOG = logs.get("letters")

_MOST_ERRORS = 20
_LONGEST_ERRORS = 4000


class Topic(Protocol):
    """What `adapters.dead_letters.DeadLetterTopic` does."""

    def missing(self) -> str | None: ...
    def write(self, letter: DeadLetter, done: Callable[[str | None], None]) -> None: ...
    def serve(self, timeout: float = 0.0) -> None: ...
    def restart(self) -> None: ...
    def close(self, timeout: float) -> None: ...


class Letters:
    """Writes dead letters and releases their tickets.

    `refused` hears why the topic does not take them; those letters are kept and written again by `rewrite`.
    """

    def __init__(
        self,
        topic: Topic,
        offsets: Offsets,
        metrics: Metrics,
        wall: Callable[[], float],
        refused: Callable[[str], None],
    ) -> None:
        self._topic = topic
        self._offsets = offsets
        self._metrics = metrics
        self._wall = wall
        self._refused = refused
        self._unwritten: list[tuple[DeadLetter, list[Ticket], Entity, Reject]] = []
        self._under_way = 0

    @property
    def unconfirmed(self) -> int:
        """Letters that the broker has not confirmed."""
        return self._under_way + len(self._unwritten)

    @property
    def unwritten(self) -> int:
        """Letters that the topic has refused, to be written again."""
        return len(self._unwritten)

    def write(  # noqa: PLR0913, PLR0917 (what a dead letter tells)
        self,
        record: Record,
        tickets: Iterable[Ticket],
        entity: Entity,
        reject: Reject,
        endpoint: str = "",
        status: int | None = None,
        attempts: int = 0,
    ) -> None:
        """Write a record to the dead-letter topic, with the reason in its headers."""
        letter = DeadLetter(record, self._headers(record, entity, reject, endpoint, status, attempts))
        fields = sorted({error.path for error in reject.errors if error.path})[:_MOST_ERRORS]
        _LOG.warning(
            "dead_letter",
            f"{record.where} can't be brought to Replenit: {reject.reason}. Its record and the whole answer are in the "
            "dead-letter topic.",
            record=record.where,
            entity=entity,
            reason=reject.reason,
            fields=fields,
        )
        self._write(letter, list(tickets), entity, reject)

    def serve(self, timeout: float = 0.0) -> None:
        """Let confirmations come."""
        self._topic.serve(timeout)

    def rewrite(self) -> None:
        """Write again what the topic did not take."""
        again, self._unwritten = self._unwritten, []
        if again and not self._under_way:  # what is under way would be thrown out
            self._topic.restart()
        for letter, tickets, entity, reject in again:
            self._write(letter, tickets, entity, reject)

    def missing(self) -> str | None:
        """Why the topic can't be written to, as far as that can be told without writing."""
        return self._topic.missing()

    def flush(self, timeout: float) -> None:
        """Wait for confirmations, at most `timeout` seconds."""
        if self._under_way:
            self._topic.close(timeout)

    def _write(self, letter: DeadLetter, tickets: list[Ticket], entity: Entity, reject: Reject) -> None:
        def done(error: str | None) -> None:
            self._under_way -= 1
            if error is None:
                for ticket in tickets:
                    self._offsets.release(ticket)
                self._metrics.dead_letters.labels(entity, reject.reason).inc()
            elif any(map(self._offsets.valid, tickets)):
                self._unwritten.append((letter, tickets, entity, reject))
                self._refused(error)

        self._under_way += 1
        self._topic.write(letter, done)

    def _headers(  # noqa: PLR0913, PLR0917 (what a dead letter tells)
        self, record: Record, entity: Entity, reject: Reject, endpoint: str, status: int | None, attempts: int
    ) -> tuple[tuple[str, bytes], ...]:
        """Kafka Connect's names, which existing tools show, and the connector's own."""
        errors = "\n".join(f"{path}: {problem}" if path else problem for path, problem in reject.errors)
        time = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {
            "__connect.errors.topic": record.topic,
            "__connect.errors.partition": str(record.partition),
            "__connect.errors.offset": str(record.offset),
            "__connect.errors.exception.message": f"{reject.reason}: {errors}"[:_LONGEST_ERRORS],
            "replenit.reason": reject.reason.value,
            "replenit.entity": entity.value,
            "replenit.errors": errors[:_LONGEST_ERRORS],
            "replenit.endpoint": endpoint,
            "replenit.status": "" if status is None else str(status),
            "replenit.attempts": str(attempts),
            "replenit.time": time,
        }
        return tuple((name, value.encode("utf-8", "replace")) for name, value in told.items() if value)
