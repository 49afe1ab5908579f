"""What is kept on disk, between the loop and Kafka: where a partition is read from, what is committed, who owns all."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from connector import logs
from connector.core.assembly import Assembly
from connector.core.entries import Lane
from connector.core.events import Entity
from connector.core.families import MOST_FAMILIES, Families
from connector.core.family_reader import readers_of
from connector.core.family_rows import FamilyRows
from connector.core.halts import SuspendReason
from connector.core.offsets import NOWHERE
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from connector.adapters.kafka import Bounds
    from connector.core.entries import Entry
    from connector.core.events import Partition
    from connector.core.offsets import Offsets
    from connector.core.pending import Pending
    from connector.core.second_sendings import SecondSendings
    from connector.core.stored import Store
    from connector.core.suspensions import Suspensions
    from connector.settings import Settings

_LOG = logs.get("keeping")


class Keeping:
    """The families of all entities that have some, over one store.

    `partition_count`: topic → how many partitions it has. `compacted`: topic → whether it keeps every key.
    """

    def __init__(  # noqa: PLR0913 (what it stands between)
        self,
        store: Store,
        families: Mapping[Entity, Families],
        offsets: Offsets,
        suspensions: Suspensions,
        *,
        partition_count: Callable[[str], int],
        compacted: Callable[[str], bool],
    ) -> None:
        self.families = families
        self._store = store
        self._offsets = offsets
        self._suspensions = suspensions
        self._partition_count = partition_count
        self._compacted = compacted
        self._entities = {topic: entity for entity, each in families.items() for topic in each.rows.topics}
        self._time = secrets.token_hex(4)
        self._placed: set[Partition] = set()
        self._whole: set[Entity] = set()
        self._cut: set[Partition] = set()
        offsets.floor = self._floor

    def _floor(self, partition: Partition) -> int | None:
        if not self.keeps(partition):
            return None
        floor = self._store.floor(partition)
        return NOWHERE if floor is None else floor

    def assigned(self) -> None:
        """Kafka has assigned anew, or there are more partitions: some may be another process's."""
        self._whole.clear()

    @property
    def name(self) -> str:
        """What names this store, and this process's time with it."""
        return f"{self._store.id}/{self._time}"

    def keeps(self, partition: Partition) -> bool:
        """Whether what is read from the partition is kept."""
        return partition.topic in self._entities

    def place(self, partition: Partition, bounds: Bounds) -> int:
        """Where to read a partition from, which is this process's now.

        Raises ConfigurationError where the store lacks what the topic no longer holds, PlatformError where another
        process has sent since with a store of its own: what may be at Replenit now is not written down in this one.
        """
        known = self._store.progress().get(partition)
        committed = bounds.committed
        self._placed.add(partition)
        families = self.families[self._entities[partition.topic]]
        sender = "" if bounds.mark is None else bounds.mark.sender
        if sender and not sender.startswith(self._store.id) and families.rows.predecessor(partition) != sender:
            if known is not None:
                raise self._store.overtaken()
            families.rows.succeed(partition, sender)
        if known is not None and known > bounds.high:  # the topic is another one of that name
            families.rows.begin_anew(partition)
            self._store.rewind(partition, bounds.low)
            return bounds.low
        if known is not None and partition in self._cut:  # below the offset that was committed are other records now
            families.rows.begin_anew(partition)
            self._cut.discard(partition)
            return max(known, bounds.low)
        start = bounds.low if known is None else known
        lacking = bounds.low > 0 if known is None else known < bounds.low
        if committed is not None:
            self._offsets.settled_below(partition, min(committed, bounds.high))
        if committed is None or (known is not None and start >= committed):
            return max(start, bounds.low)
        if lacking and not self._compacted(partition.topic):
            raise ConfigurationError([_cannot_refill(partition)])
        families.rows.refill(partition, committed, bounds.high)
        if start < committed:
            _LOG.warning(
                "store_refilled",
                f"{partition} is read again from offset {max(start, bounds.low)}: the store in STATE_DIR does not hold "
                f"its rows. What was settled before offset {committed} is not sent again.",
                partition=str(partition),
                start=max(start, bounds.low),
                settled=committed,
            )
        return max(start, bounds.low)

    def cut(self, partition: Partition, offset: int) -> None:
        """The partition's log goes on at this offset, which had been read: from there on it holds other records."""
        known = self._store.progress().get(partition)
        if known is not None and known > offset:
            self._store.rewind(partition, offset)
        self._cut.add(partition)

    def missed(self, partition: Partition, bounds: Bounds) -> int:
        """How many records were deleted that neither were settled nor are kept."""
        known = self._store.progress().get(partition)
        if known is None and bounds.committed is None:
            return 0
        return bounds.low - max(known or 0, bounds.committed or 0)

    def whole(self, entity: Entity, now: float) -> bool:
        """Whether the entity may be sent: one without families, or one of which this process owns every partition."""
        families = self.families.get(entity)
        if families is None or entity in self._whole:
            return True
        owned = {partition for partition in self._placed if partition.topic in families.rows.topics}
        lane = Lane(entity.value)
        if not owned:  # none was assigned yet, or nothing is this process's to send
            return False
        counts = {topic: self._partition_count(topic) for topic in families.rows.topics}
        if missing := sorted(topic for topic, count in counts.items() if not count):
            self._suspensions.begin(lane, SuspendReason.TOPIC_MISSING, now, f"There is no {', '.join(missing)}.")
            return False
        self._suspensions.end(lane, SuspendReason.TOPIC_MISSING)
        if len(owned) == sum(counts.values()):
            self._whole.add(entity)
            self._suspensions.end(lane, SuspendReason.PARTITIONS_ELSEWHERE)
            return True
        self._suspensions.begin(lane, SuspendReason.PARTITIONS_ELSEWHERE, now, "")
        return False

    def touched(self, entity: Entity) -> int:
        """How many families wait to be sent, be it on disk or on their way."""
        return self._store.dirty(entity) if self._owns_some(entity) else 0

    def oldest_commit_ms(self, entity: Entity) -> int | None:
        """The source's earliest commit time of the live changes that wait on disk; None if there are none."""
        return self._store.oldest_commit_ms(entity) if self._owns_some(entity) else None

    def _owns_some(self, entity: Entity) -> bool:
        """Else what was touched here is another process's to send."""
        return any(self._entities[partition.topic] is entity for partition in self._placed)

    def put_off(self, partition: Partition, until: float) -> None:
        """A predecessor may have requests at the server: what is touched by now waits until those are done."""
        if self.keeps(partition):
            self.families[self._entities[partition.topic]].put_off(until)

    def leaving(self, entries: Iterable[Entry]) -> None:
        """A request is about to leave with these entries: what it may leave there is made durable first."""
        kept = [entry for entry in entries if entry.origins]
        for entry in kept:
            self.families[entry.key.entity].leaving(entry)
        if kept:
            self._store.commit()

    def commit(self) -> None:
        """Make durable what the loop has done, before Kafka hears of it."""
        for partition in self._placed:
            position = self._offsets.taken_in(partition)
            if position is not None:
                self._store.advance(partition, position)
        self._store.commit()

    def sizes(self) -> dict[str, int]:
        """Bytes on disk, by what they are."""
        return self._store.sizes()

    def forget(self, partitions: Iterable[Partition]) -> None:
        """The partitions are another process's, or are read anew."""
        for partition in partitions:
            if self.keeps(partition):
                entity = self._entities[partition.topic]
                self._placed.discard(partition)
                self._whole.discard(entity)
                self.families[entity].forget()


def families_of(
    settings: Settings, store: Store, pending: Pending, suspensions: Suspensions, second: SecondSendings
) -> dict[Entity, Families]:
    """The families of each entity that has some, over the store. They hear what becomes of what they make pending."""
    found = {}
    for entity, tables in settings.families.items():
        spec, options = settings.mapping[entity], settings.options(entity)
        readers = readers_of(entity, spec, tables, options)
        by_email = (entity, settings.customer_identifier) == (Entity.CUSTOMERS, "Email")
        assembly = Assembly(entity, spec, readers, options, store, by_email=by_email)
        rows = FamilyRows(entity, readers, assembly, store, suppress=settings.suppress_unchanged)
        most = min(MOST_FAMILIES, settings.pending_max_keys // 2)
        removals = settings.removals == "each"
        bounds = {"most": most, "most_bytes": settings.pending_max_bytes // 2}
        families = Families(entity, rows, assembly, store, pending, suspensions, second, removals=removals, **bounds)
        found[entity] = pending.origins[entity] = families
    return found


def _cannot_refill(partition: Partition) -> str:
    return (
        f"STATE_DIR: has no store with the rows of {partition.topic}, and the topic lacks some by now; the folder that "
        "the connector had before, or a new snapshot under a new topic and KAFKA_GROUP_ID; e.g. one volume for ever"
    )
