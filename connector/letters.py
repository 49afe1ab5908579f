"""Dead letters under way: each keeps its offsets uncommitted until the broker has confirmed it."""

from __future__ import annotations

import json
from collections import Counter, deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from connector import logs
from connector.adapters.dead_letters import DeadLetter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from connector.core.events import Entity, Record, Reject
    from connector.core.leftovers import Leftovers
    from connector.core.offsets import Offsets, Ticket
    from connector.metrics import Metrics

_LOG = logs.get("letters")

FORMAT = "1"
"""The format of the headers, which they tell. Before they told it there was none, with the same names as 1."""

_MOST_UNDER_WAY = 1000
_MOST_BYTES_UNDER_WAY = 16_000_000
_MOST_ERRORS = 20
_LONGEST_ERRORS = 4000
_OVERHEAD = 3000
"""About the bytes that a letter takes beside its record and its headers."""


class Topic(Protocol):
    """What `adapters.dead_letters.DeadLetterTopic` does."""

    def missing(self) -> str | None: ...
    def write(self, letter: DeadLetter, done: Callable[[str | None], None]) -> None: ...
    def serve(self, timeout: float = 0.0) -> None: ...
    def restart(self) -> None: ...
    def close(self, timeout: float) -> None: ...


@dataclass(frozen=True, slots=True)
class _Owed:
    """A dead letter that the broker has not confirmed, and the offsets that wait for it."""

    letter: DeadLetter
    tickets: tuple[Ticket, ...]
    entity: Entity
    reject: Reject
    confirmed: Callable[[], None] | None

    @property
    def size(self) -> int:
        """About the memory that it takes, in bytes."""
        headers = sum(len(name) + len(value) for name, value in self.letter.headers)
        return _OVERHEAD + self.letter.record.weight + headers


class Letters:
    """Writes dead letters, a few at a time and in their order, and releases their tickets.

    `refused` hears why the topic does not take them; what it refused is kept, and written again by `rewrite`. What is
    not confirmed counts as waiting work of its entity (`count`, `weight`), so that its topics pause where it piles up.
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
        self._waiting: deque[_Owed] = deque()
        self._unwritten: list[_Owed] = []
        self._under_way = 0
        self._bytes_under_way = 0
        self._entries: Counter[Entity] = Counter()
        self._bytes: Counter[Entity] = Counter()

    @property
    def unconfirmed(self) -> int:
        """Letters that the broker has not confirmed."""
        return self._entries.total()

    @property
    def unwritten(self) -> int:
        """Letters that the topic has refused, to be written again."""
        return len(self._unwritten)

    def count(self, entity: Entity) -> int:
        """Letters of an entity that the broker has not confirmed."""
        return self._entries[entity]

    def weight(self, entity: Entity) -> int:
        """The bytes of their records."""
        return self._bytes[entity]

    def write(  # noqa: PLR0913, PLR0917 (what a dead letter tells)
        self,
        record: Record,
        tickets: Iterable[Ticket],
        entity: Entity,
        reject: Reject,
        endpoint: str = "",
        status: int | None = None,
        attempts: int = 0,
        confirmed: Callable[[], None] | None = None,
        families: Collection[str] = (),
        leftovers: Leftovers | None = None,
    ) -> None:
        """Write a record to the dead-letter topic, with the reason in its headers.

        `confirmed` is called once the broker has it, for work that no ticket holds. `families`: whose document it is.
        """
        told = self._headers(record, entity, reject, endpoint, status, attempts)
        told["replenit.families"] = json.dumps([*families], ensure_ascii=False) if families else ""
        told["replenit.leftovers"] = "" if leftovers is None else leftovers.header()
        headers = tuple((name, value.encode("utf-8", "replace")) for name, value in told.items() if value)
        letter = DeadLetter(record, headers)
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
        owed = _Owed(letter, tuple(tickets), entity, reject, confirmed)
        self._entries[entity] += 1
        self._bytes[entity] += owed.size
        self._waiting.append(owed)
        self._write_waiting()

    def serve(self, timeout: float = 0.0) -> None:
        """Let confirmations come, and write what waited for them."""
        self._topic.serve(timeout)
        self._write_waiting()

    def rewrite(self) -> None:
        """Write again what the topic did not take."""
        if self._unwritten and not self._under_way:  # what is under way would be thrown out
            self._topic.restart()
        self._waiting.extendleft(reversed(self._unwritten))
        self._unwritten.clear()
        self._write_waiting()

    def missing(self) -> str | None:
        """Why the topic can't be written to, as far as that can be told without writing."""
        return self._topic.missing()

    def flush(self, timeout: float) -> None:
        """Wait for the confirmation of what is under way, at most `timeout` seconds."""
        if self._under_way:
            self._topic.close(timeout)

    def _write_waiting(self) -> None:
        """Write until enough is under way; what was refused goes before all else, once `rewrite` is called."""
        while self._waiting and not self._unwritten and self._has_room():
            self._write(self._waiting.popleft())

    def _has_room(self) -> bool:
        return self._under_way < _MOST_UNDER_WAY and self._bytes_under_way < _MOST_BYTES_UNDER_WAY

    def _write(self, owed: _Owed) -> None:
        def done(error: str | None) -> None:
            self._under_way -= 1
            self._bytes_under_way -= owed.size
            if error is not None and (owed.confirmed or any(map(self._offsets.valid, owed.tickets))):
                self._unwritten.append(owed)
                self._refused(error)
                return
            self._entries[owed.entity] -= 1
            self._bytes[owed.entity] -= owed.size
            if error is None:
                for ticket in owed.tickets:
                    self._offsets.release(ticket)
                if owed.confirmed is not None:
                    owed.confirmed()
                self._metrics.dead_letters.labels(owed.entity, owed.reject.reason).inc()

        self._under_way += 1
        self._bytes_under_way += owed.size
        self._topic.write(owed.letter, done)

    def _headers(  # noqa: PLR0913, PLR0917 (what a dead letter tells)
        self, record: Record, entity: Entity, reject: Reject, endpoint: str, status: int | None, attempts: int
    ) -> dict[str, str]:
        """Kafka Connect's names, which existing tools show, and the connector's own."""
        errors = "\n".join(f"{path}: {problem}" if path else problem for path, problem in reject.errors)
        time = datetime.fromtimestamp(self._wall(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "__connect.errors.topic": record.topic,
            "__connect.errors.partition": str(record.partition),
            "__connect.errors.offset": str(record.offset),
            "__connect.errors.exception.message": f"{reject.reason}: {errors}"[:_LONGEST_ERRORS],
            "replenit.format": FORMAT,
            "replenit.reason": reject.reason.value,
            "replenit.entity": entity.value,
            "replenit.errors": errors[:_LONGEST_ERRORS],
            "replenit.endpoint": endpoint,
            "replenit.status": "" if status is None else str(status),
            "replenit.attempts": str(attempts),
            "replenit.time": time,
        }
