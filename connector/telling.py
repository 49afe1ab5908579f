"""What the loop says to whoever reads its log: stops and resumptions, once each, and failures, once a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector import logs
from connector.core.halts import REMEDIES, SuspendReason
from connector.core.outcomes import HaltReason, Refused, Throttled, Transient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connector.core.dispatch import Consequences
    from connector.core.events import Entity
    from connector.core.halts import Halt, Suspension
    from connector.metrics import Metrics

_LOG = logs.get("service")

_UNTRIED = (HaltReason.KEY_MISSING, HaltReason.TRUNCATED)
"""Halts that end by what is seen, and not by a try."""


_BY_ASSIGNMENT = (
    SuspendReason.PARTITIONS_ELSEWHERE,
    SuspendReason.TOPIC_MISSING,
    SuspendReason.TOO_MANY_REPLICAS,
)
"""Suspensions that end once the partitions are assigned otherwise, and not by a try."""


class Teller:
    """Tells, and counts what is told."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._repeats = logs.Repeats()
        self._unseen: set[tuple[Entity, str]] = set()
        self._several: set[tuple[Entity, str]] = set()

    def halted(self, halt: Halt | None) -> None:
        if halt is not None:
            wait = round(halt.probes.next_at - halt.probes.since)
            told = [f"Nothing is sent. {REMEDIES[halt.reason]}", halt.detail, "Everything keeps its place."]
            if halt.reason not in _UNTRIED:
                told.append(f"It is tried again in {wait} s.")
            _LOG.error("halted", " ".join(filter(None, told)), reason=halt.reason, next_try_in=wait)

    def recovered(self, halt: Halt | None, now: float) -> None:
        if halt is not None:
            _LOG.info("recovered", "Sending goes on.", reason=halt.reason, after=round(now - halt.probes.since))

    def suspensions(self, changes: Iterable[tuple[Suspension, bool]], now: float) -> None:
        """Those that began (True) and those that ended."""
        for suspension, begun in changes:
            lane, reason, probes = suspension.lane, suspension.reason, suspension.probes
            if begun:
                wait = round(probes.next_at - now)
                all_lanes = reason is SuspendReason.TOO_MANY_REPLICAS
                tried = "" if reason in _BY_ASSIGNMENT else f"; the lane is tried in {wait} s"
                told = [
                    f"Nothing more is sent of {lane}{'' if all_lanes else ', the other lanes go on'}.",
                    suspension.detail,
                    REMEDIES[reason],
                    f"What waits keeps its place{tried}.",
                ]
                _LOG.error("suspended", " ".join(filter(None, told)), lane=lane, reason=reason, next_try_in=wait)
            else:
                after = round(now - probes.since)
                _LOG.info("lane_resumed", f"{lane} go on.", lane=lane, reason=reason, after=after)

    def paused(self, entity: Entity, entries: int) -> None:
        _LOG.warning("paused", f"{entries} {entity} wait: their topics pause.", entity=entity, entries=entries)

    def resumed(self, entity: Entity, entries: int) -> None:
        _LOG.info("resumed", f"{entries} {entity} wait: their topics go on.", entity=entity, entries=entries)

    def held_back(self, *, at_once: bool = False) -> None:
        """How many lines were too many to write, each minute; `at_once`: since the process ends."""
        for event, kind, lines in logs.held_back(at_once=at_once):
            self._metrics.lines_held_back.labels(event).inc(lines)
            _LOG.warning(
                "lines_held_back",
                f"{lines} more lines of {event} ({kind}) within a minute were not written.",
                of=event,
                kind=kind,
                lines=lines,
            )

    def unseen(self, entity: Entity, columns: Mapping[str, int]) -> None:
        """Columns that the mapping names and that no row has had yet, each with the number of rows."""
        for column, rows in columns.items():
            self._metrics.columns_missing.labels(entity, column).set(rows)
            if (entity, column) not in self._unseen:
                self._unseen.add((entity, column))
                _LOG.warning(
                    "column_missing",
                    f"{entity}: none of {rows} rows had the column {column}, which the mapping names. Correct its "
                    "name, or say `optional: true`.",
                    entity=entity,
                    column=column,
                    rows=rows,
                )
        for found in [each for each in self._unseen if each[0] is entity and each[1] not in columns]:
            self._unseen.discard(found)
            self._metrics.columns_missing.remove(*found)

    def several(self, entity: Entity, tables: Iterable[str]) -> None:
        """Side tables with several rows for one document, once each."""
        for table in tables:
            if (entity, table) not in self._several:
                self._several.add((entity, table))
                _LOG.warning(
                    "side_table_ambiguous",
                    f"{entity}: {table} has several rows where the mapping expects one. Such documents are "
                    "withheld: choose the row by `when`, or delete what is left of a truncated table.",
                    entity=entity,
                    table=table,
                )

    def answered(self, follows: Consequences, endpoint: str, code: str, now: float) -> None:
        """What came of a request, as far as it needs attention."""
        if follows.short:
            self._metrics.fewer_accepted.labels(endpoint).inc(follows.short)
            if self._repeats.admit("fewer_accepted", endpoint, now):
                _LOG.warning("fewer_accepted", f"{endpoint}: the API counted {follows.short} records less than sent.")
        match follows.outcome:
            case Transient(reason):
                self._metrics.retries.labels(reason).inc()
                if times := self._repeats.admit("request_failed", f"{endpoint} {code}", now):
                    sentence = f"{endpoint}: {code}. It goes again."
                    _LOG.warning("request_failed", sentence, endpoint=endpoint, reason=reason, times=times)
            case Throttled(seconds):
                self._metrics.retries.labels("throttled").inc()
                if times := self._repeats.admit("rate_limited", "", now):
                    _LOG.warning(
                        "rate_limited",
                        "The API says that its limit was reached: does another process use the key? Then divide "
                        "RATE_LIMIT_PER_MINUTE and RATE_LIMIT_PER_HOUR among them.",
                        retry_after=seconds,
                        times=times,
                    )
            case Refused():
                self._metrics.retries.labels("refused").inc()
            case _:
                pass

    def other_limit(self, limit: int | None) -> None:
        """The API's headers state a limit that is not the setting's; None: they do not."""
        if limit is not None:
            _LOG.warning(
                "rate_limit_headers_ignored",
                f"The API's headers speak of a limit of {limit}, which is not RATE_LIMIT_PER_MINUTE: they are ignored.",
                limit=limit,
            )
