"""From a record to what it changes in the pending work: decode, understand, map, judge."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, assert_never

from pydantic_core import to_json

from connector.core import debezium
from connector.core.absences import Absences
from connector.core.consent import NO_CONSENT, UNKNOWN
from connector.core.decoded import Undecodable
from connector.core.events import ChangeEvent, Entity, FieldError, Op, Partition, Reason, Record, Reject, Skip
from connector.core.mapping import FILTERED
from connector.core.remembered import Remembered
from connector.core.states import GONE, NOTHING, Change, Key, State
from connector.core.verdicts import Delete, Refused, Unchanged, Unfed, Upsert, Withhold

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from collections.abc import Mapping as Table

    from connector.core.families import Families
    from connector.core.gate import Gate
    from connector.core.mapping import Mapping
    from connector.core.pending import Pending
    from connector.core.replays import Memory
    from connector.core.second_sendings import SecondSendings
    from connector.core.states import ItemKey
    from connector.core.wire import Wire

_NO_KEY = FieldError(
    "",
    "has no key, and its topic has several partitions, so that its changes have no order: give the table a primary key,"
    " or set Debezium's message.key.columns",
)

_NO_ITEMS: frozenset[ItemKey] = frozenset()
_MOST_REFUSED = 100_000
_FEWEST_UNFED = 20  # rows in a row without a column for the consent; fewer are single odd ones


class Uncounted(Exception):  # noqa: N818 (it names what is lacking)
    """Nobody knows yet whether the record's partition is its topic's only one: it is to be read again."""


class Taken(NamedTuple):
    """What became of a record. `outcome` and `op` are the labels of its counter.

    `reject`: it was refused, and is the caller's. `unfed`: no column of its table tells the consent: likewise.
    `withheld`: why it is kept back. `retracts`: a consent is taken back. `id`: of the document that it is about, if it
    was taken in. `proven`: all columns were converted, so that the mapping is known to work.
    """

    outcome: str
    op: str = ""
    reject: Reject | None = None
    withheld: str | None = None
    merged_items: int = 0
    rounded: int = 0
    omitted: int = 0
    unfed: bool = False
    retracts: bool = False
    id: str = ""
    proven: bool = False


class Intake:
    """Takes records in, in the order of their partitions.

    `entities`: topic → what its rows are. `partition_count`: topic → how many partitions it has, 0 if that is not
    known; records without a key have an order in a single one only. `suppress`: an update that changes nothing of what
    is sent is settled unseen. `second` hears which keys have changed. `families`: of the entities that are made of
    several tables. `memory` notes which rows' events were taken in.
    """

    def __init__(  # noqa: PLR0913 (what it takes in by)
        self,
        wire: Wire,
        mappings: Table[Entity, Mapping],
        entities: Table[str, Entity],
        pending: Pending,
        gate: Gate,
        *,
        partition_count: Callable[[str], int],
        suppress: bool,
        second: SecondSendings,
        families: Table[Entity, Families] | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._wire = wire
        self._mappings = mappings
        self._entities = entities
        self._pending = pending
        self._gate = gate
        self._partition_count = partition_count
        self._suppress = suppress
        self._second = second
        self._families = families or {}
        self._memory = memory
        self._absences = Absences()
        # Rows whose newest state is a dead letter: the partition, and their key.
        self._refused: Remembered[tuple[Partition, bytes | None], frozenset[ItemKey]] = Remembered(
            _MOST_REFUSED, _weight
        )
        self._unfed = _FEWEST_UNFED  # rows in a row of which no column told the consent
        self._newer: Collection[str] = ()
        self._replay: tuple[Partition, int] | None = None
        self._deleted: dict[Partition, bytes | None] = {}  # the key of a partition's last record, if that was a delete

    def take_again(self, record: Record, partition: Partition, now: float, newer: Collection[str]) -> Taken:
        """Take in a record that was kept in doubt, unless its document is among those of which newer was read since."""
        self._newer = newer
        try:
            return self.take(record, partition, now, again=True)
        finally:
            self._newer = ()

    def replay(
        self, record: Record, partition: Partition, place: tuple[Partition, int], items: frozenset[ItemKey], now: float
    ) -> Taken:
        """Take a record in that was read before and is its row's newest, as a replay at this place says.

        It changes nothing but what is sent. `items`: those that may be at Replenit. Raises SchemaMissing.
        """
        event = self._understand(record, partition, again=True)
        if isinstance(event, Taken):
            return event
        entity = self._entities[record.topic]
        families = self._families.get(entity)
        if families is not None:
            return families.take(event, partition, now, (), again=True)
        if event.tombstone and self._mappings[entity].names_rows_otherwise(event):
            return Taken("tombstone", event.op.value)
        self._replay = place
        if items:
            self.refused(record, partition, held=items)
        try:
            return self._take_event(event, partition, now, fresh=False, again=True)
        finally:
            self._replay = None

    def name(self, record: Record) -> str | None:
        """What names the record's row; None if nothing does. Raises SchemaMissing."""
        return None if self._memory is None else self._memory.names.read(record, self._wire)

    def take(self, record: Record, partition: Partition, now: float, *, again: bool = False) -> Taken:
        """Take a record of the partition in. `again`: it was kept in doubt, and later ones have been read since.

        Raises SchemaMissing and Uncounted, and then knows nothing of the record.
        """
        event = self._understand(record, partition, again=again)
        if isinstance(event, Taken):
            return event
        taken = self._judge(event, partition, now, again=again)
        if self._memory is not None and not again and taken.outcome != "unchanged":  # that sends nothing a replay could
            self._memory.note(event, partition)
        return taken

    def _judge(self, event: ChangeEvent, partition: Partition, now: float, *, again: bool) -> Taken:
        fresh = not again and self._gate.see(partition, event.position, now)
        entity = self._entities[event.record.topic]
        families = self._families.get(entity)
        if families is not None:
            return families.take(event, partition, now, self._newer)
        if event.tombstone and self._mappings[entity].names_rows_otherwise(event):
            return Taken("tombstone", event.op.value)
        return self._take_event(event, partition, now, fresh=fresh, again=again)

    def _understand(self, record: Record, partition: Partition, *, again: bool) -> ChangeEvent | Taken:
        """The change that a record tells; what became of it, if it tells none that can be taken in."""
        deleted = None if again else self._deleted.get(partition)
        if record.value is None and record.key is not None and deleted == record.key:
            del self._deleted[partition]
            return Taken("tombstone", Op.DELETE.value)
        try:
            event = debezium.parse(record, self._wire.key(record), self._wire.value(record))
        except Undecodable as error:
            event = Reject(Reason.UNDECODABLE, (FieldError("", str(error)),))
        if deleted is not None:
            del self._deleted[partition]
        if isinstance(event, Skip):
            return Taken(event.kind)
        if isinstance(event, Reject):
            return Taken("dead_letter", reject=event)
        if event.key is None and not self._ordered(partition, again=again):
            return Taken("dead_letter", event.op.value, Reject(Reason.NO_KEY, (_NO_KEY,)))
        if event.op is Op.DELETE and not event.tombstone and not again:
            self._deleted[partition] = record.key
        return event

    def _ordered(self, partition: Partition, *, again: bool) -> bool:
        """Whether it is the topic's only partition. Raises Uncounted, but for what was judged before."""
        count = self._partition_count(partition.topic)
        if not (count or partition.number or again):
            raise Uncounted
        return count == 1 and not partition.number

    def settled(self, record: Record, partition: Partition) -> bool:
        """Whether the record was settled before, and is read again because a store is filled anew."""
        families = self._families.get(self._entities[record.topic])
        return families is not None and families.rows.settled(partition, record.offset)

    def refused(
        self, record: Record, partition: Partition, key: Key | None = None, held: frozenset[ItemKey] = _NO_ITEMS
    ) -> frozenset[ItemKey]:
        """The record is a dead letter: what changes nothing of its row must be sent all the same, if it can be.

        `key`: of the document, if it was on its way. `held`: items of the row before, which may be at Replenit: those
        that the next document of the row lacks are to be deleted. Returns all such items of the row.
        """
        if key is not None:
            self._absences.drop(key)
        row = (partition, record.key)
        items = (self._refused.get(row) or _NO_ITEMS) | held
        self._refused.put(row, items)
        return items

    def forget(self, partition: Partition) -> None:
        """The partition is another process's."""
        self._deleted.pop(partition, None)
        self._absences.forget(partition)
        self._refused.forget(lambda place, _: place[0] == partition)

    def _take_event(self, event: ChangeEvent, partition: Partition, now: float, *, fresh: bool, again: bool) -> Taken:
        entity = self._entities[event.record.topic]
        mapping = self._mappings[entity]
        verdict = mapping.map(event, suppress=self._suppress and self._replay is None)
        if isinstance(verdict, Unchanged):
            sent = (partition, event.record.key) not in self._refused
            if sent and self._gate.passed(partition) and self._pending.idle(Key(entity, verdict.id)):
                return Taken("unchanged", event.op.value)
            verdict = mapping.map(event, suppress=False)
        match verdict:
            case Upsert():
                return self._upsert(event, partition, entity, verdict, now, fresh=fresh)
            case Delete(id=identifier, doubtful=doubtful):
                return self._delete(event, partition, Key(entity, identifier), now, doubtful=doubtful)
            case Withhold(id=identifier, reason=reason):
                key = Key(entity, identifier)
                if reason == FILTERED and fresh and event.op is Op.CREATE:
                    self._absences.note(key, partition)
                return self._withhold(event, partition, key, reason, now)
            case Unfed(id=identifier):
                self._unfed += not again
                told = again or self._unfed < _FEWEST_UNFED  # else the place of all is kept, until a column tells
                unfed = Taken("in_doubt", event.op.value, unfed=True)
                return self._withhold(event, partition, Key(entity, identifier), UNKNOWN, now) if told else unfed
            case Refused(reject=reject, held=held):
                self.refused(event.record, partition, held=held)
                return Taken("dead_letter", event.op.value, reject)
            case Unchanged():
                raise AssertionError("a mapping that may not suppress says Unchanged")
            case _:
                assert_never(verdict)

    def _upsert(  # noqa: PLR0913 (an event taken apart)
        self, event: ChangeEvent, partition: Partition, entity: Entity, upsert: Upsert, now: float, *, fresh: bool
    ) -> Taken:
        key = Key(entity, upsert.id)
        if entity is Entity.CUSTOMERS:
            self._unfed = 0
        judged = self._mappings[entity].check(upsert, self._known(key) if upsert.unavailable else {})
        if isinstance(judged, Reject):
            self.refused(event.record, partition, held=upsert.held)
            return Taken("dead_letter", event.op.value, judged)
        document = encode(judged)
        state = State(document=document, stale=upsert.held, retracts=upsert.retracts)
        created, proven = fresh and event.op is Op.CREATE, not upsert.retracts
        taken = self._put(event, partition, key, state, now, created=created, proven=proven)
        if upsert.merged_items or upsert.rounded or upsert.omitted:
            return taken._replace(merged_items=upsert.merged_items, rounded=upsert.rounded, omitted=upsert.omitted)
        return taken._replace(retracts=True) if upsert.retracts else taken

    def _delete(self, event: ChangeEvent, partition: Partition, key: Key, now: float, *, doubtful: bool) -> Taken:
        """Delete the document. What is not known to have been there, and known to be absent, costs no request."""
        if doubtful and key in self._absences and self._pending.idle(key):
            return self._withhold(event, partition, key, FILTERED, now)
        taken = self._put(event, partition, key, GONE, now)
        if doubtful and taken.outcome != "superseded":
            self._absences.note(key, partition)
        return taken

    def _withhold(self, event: ChangeEvent, partition: Partition, key: Key, reason: str, now: float) -> Taken:
        """Keep the row back. Where a customer's consent is gone and something of him is on its way, take it back."""
        consentless = reason in {NO_CONSENT, UNKNOWN}
        if reason == NO_CONSENT:
            self._unfed = 0
        if consentless and self._pending.exposed(key):
            retraction = self._mappings[key.entity].retraction(key.id)
            return self._upsert(event, partition, key.entity, retraction, now, fresh=False)
        self._put(event, partition, key, NOTHING, now)
        return Taken("withheld", event.op.value, withheld=reason, id=key.id)

    def _known(self, key: Key) -> dict[str, Any]:
        document = self._pending.document(key)
        known: dict[str, Any] = {} if document is None else json.loads(document)
        return known

    def _put(  # noqa: PLR0913 (an event taken apart)
        self,
        event: ChangeEvent,
        partition: Partition,
        key: Key,
        state: State,
        now: float,
        *,
        created: bool = False,
        proven: bool = False,
    ) -> Taken:
        if key.id in self._newer:
            return Taken("superseded", event.op.value)
        self._second.changed(key)
        if state.document is not None:
            self._absences.drop(key)
        if self._refused and (held := self._refused.pop((partition, event.record.key))):
            if state.document is not None:
                state = state._replace(stale=state.stale | held)
            elif not state.delete:  # withheld: the next document of the row is the first to know
                self._refused.put((partition, event.record.key), held)
        committed_ms = None if event.snapshot else event.committed_ms
        change = Change(key, state, event.record, partition, event.snapshot, created, committed_ms)
        if self._replay is not None:
            change = change._replace(replay=self._replay, committed_ms=None, snapshot=True)
        outcome = "pending" if self._pending.put(change, now) else "coalesced"
        return Taken(outcome, event.op.value, id=key.id, proven=proven)


def _weight(place: tuple[Partition, bytes | None], held: frozenset[ItemKey]) -> int:
    return len(place[1] or b"") + sum(100 + sum(map(len, item)) for item in held)


def encode(document: object) -> bytes:
    """The document as compact UTF-8 JSON. What is no Unicode text can't come here: the wire refuses it."""
    return to_json(document)
