"""Records as they are taken in: into the pending work, into the dead-letter topic, or into doubt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from connector import logs
from connector.core.leftovers import Leftovers

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from connector.core.doubts import Doubts, Kept
    from connector.core.events import Entity, Partition, Record, Reject
    from connector.core.families import Told
    from connector.core.intake import Intake, Taken
    from connector.core.offsets import Offsets, Ticket
    from connector.core.states import ItemKey
    from connector.letters import Letters
    from connector.metrics import Metrics

_LOG = logs.get("taking")


class Taking:
    """Between the intake, which understands a record, and what keeps it. `entities`: topic → what its rows are.

    `halts` hears where a table was truncated, if that halts; else it is told and passed over.
    """

    def __init__(  # noqa: PLR0913 (what it stands between)
        self,
        intake: Intake,
        doubts: Doubts,
        *,
        offsets: Offsets,
        letters: Letters,
        metrics: Metrics,
        entities: Mapping[str, Entity],
        halts: Callable[[str], None] | None,
    ) -> None:
        self._intake = intake
        self._doubts = doubts
        self._offsets = offsets
        self._letters = letters
        self._metrics = metrics
        self._entities = entities
        self._halts = halts

    def take(self, record: Record, partition: Partition, now: float) -> Taken:
        """Take a record in. Raises SchemaMissing, and then nothing is known of it."""
        entity = self._entities[record.topic]
        taken = self._intake.take(record, partition, now)
        if taken.reject is not None and self._intake.settled(record, partition):  # its dead letter is there
            taken = taken._replace(outcome="superseded", reject=None)
        if taken.reject is not None:
            if not self._doubts.refuse(entity, record, partition, taken.reject, now):
                self._intake.refused(record, partition)
                return taken._replace(outcome="in_doubt")
            self._bury(entity, record, partition, taken.reject)
        elif taken.unfed:
            self._intake.refused(record, partition)
            self._doubts.unfed(entity, record, partition, now)
        elif taken.outcome == "truncate":
            self._truncated(record, partition)
        elif taken.id:
            self._doubts.accept(entity, record, partition, taken.id, proven=taken.proven)
        self._count(entity, taken)
        return taken

    def replay(
        self, record: Record, partition: Partition, place: tuple[Partition, int], items: frozenset[ItemKey], now: float
    ) -> Taken:
        """Take a record in once more, as `Intake.replay`; what is refused again is a dead letter again."""
        entity = self._entities[record.topic]
        taken = self._intake.replay(record, partition, place, items, now)
        if taken.reject is not None:
            self._bury(entity, record, partition, taken.reject, self._offsets.hold(*place))
        self._count(entity, taken)
        return taken

    def turn(self, now: float, full: Collection[Entity]) -> None:
        """Decide on what was kept in doubt, as far as it can be decided by now. `full`: of these nothing is read."""
        for entity, kept in self._doubts.condemned():
            self._condemn(entity, kept)
        for entity, all_kept, newer in self._doubts.turn(now, full):
            for kept in all_kept:
                self._take_again(entity, kept, newer, now)

    def assembled(self, entity: Entity, told: Iterable[Told], buried: Callable[[str, int], None]) -> None:
        """Count what became of families, and write their dead letters. `buried` hears when one is confirmed."""
        for each in told:
            if each.reject is not None:
                confirmed = partial(buried, each.parent, each.version)
                self._letters.write(
                    each.record,
                    (),
                    entity,
                    each.reject,
                    confirmed=confirmed,
                    families=(each.parent,),
                    leftovers=each.leftovers,
                )
            elif each.withheld:
                self._metrics.withheld.labels(entity, each.withheld).inc()
            if each.retracts:
                self._metrics.retracted.inc()
            if each.merged_items:
                self._metrics.merged_items.labels(entity).inc(each.merged_items)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """The partitions are another process's, or are read anew."""
        self._doubts.forget(partitions)
        for partition in partitions:
            self._intake.forget(partition)

    def _truncated(self, record: Record, partition: Partition) -> None:
        """Which rows were there is not told; if that halts, the record's place is kept for the next start."""
        if self._halts is not None:
            self._offsets.hold(partition, record.offset)
            self._halts(f"{record.where}.")
        else:
            _LOG.warning(
                "truncated",
                f"{record.where}: the table was truncated. Its rows stay at Replenit: delete them there.",
                record=record.where,
            )

    def _take_again(self, entity: Entity, kept: Kept, newer: set[str], now: float) -> None:
        """Take in what was kept in doubt; what is refused again is a dead letter."""
        record, partition = kept.record, kept.partition
        self._offsets.release(kept.ticket)
        taken = self._intake.take_again(record, partition, now, newer)
        if taken.reject is not None:
            self._bury(entity, record, partition, taken.reject)
        self._metrics.events.labels(record.topic, taken.op, taken.outcome).inc()
        self._count(entity, taken)

    def _condemn(self, entity: Entity, kept: Kept) -> None:
        assert kept.reject is not None
        self._metrics.events.labels(kept.record.topic, "", "dead_letter").inc()
        self._bury(entity, kept.record, kept.partition, kept.reject, kept.ticket)

    def _bury(
        self, entity: Entity, record: Record, partition: Partition, reject: Reject, ticket: Ticket | None = None
    ) -> None:
        """Write a dead letter. `ticket`: the record's, if it has one already."""
        items = self._intake.refused(record, partition)
        held = self._offsets.hold(partition, record.offset) if ticket is None else ticket
        self._letters.write(record, [held], entity, reject, leftovers=Leftovers(items=items))

    def _count(self, entity: Entity, taken: Taken) -> None:
        if taken.outcome == "coalesced":
            self._metrics.coalesced.labels(entity).inc()
        elif taken.withheld is not None:
            self._metrics.withheld.labels(entity, taken.withheld).inc()
        if taken.retracts:
            self._metrics.retracted.inc()
        if taken.merged_items:
            self._metrics.merged_items.labels(entity).inc(taken.merged_items)
        if taken.omitted:
            self._metrics.omitted.labels(entity).inc(taken.omitted)
        if taken.rounded:
            self._metrics.rounded.labels(entity).inc(taken.rounded)
