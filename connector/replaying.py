"""Replays as they are taken in: the newest records of rows that are dead letters, or whose delete was missed.

`dead-letters replay` and `reconcile` write them into a topic of their own, to which the service listens. It knows what
it has read since the command looked, so that it can tell whether a record is still its row's newest. If it can't, the
replay goes back among the dead letters: nothing is sent that might be older than what Replenit holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector import logs
from connector.core.events import Partition
from connector.core.intake import Taken
from connector.core.replays import Replay

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from connector.core.events import Entity, Record
    from connector.core.families import Families
    from connector.core.gate import Gate
    from connector.core.intake import Intake
    from connector.core.offsets import Offsets, Ticket
    from connector.core.pending import Pending
    from connector.core.replays import Memory
    from connector.letters import Letters
    from connector.ownership import Ownership
    from connector.taking import Taking
    from connector.unrepeated import Unrepeated

_LOG = logs.get("replaying")

RETRY_INTERVAL = 1.0
_WHY = {
    "elsewhere": "another replica reads its topic's partition",
    "scan_again": "more has been read since the command looked than is remembered",
    "superseded": "what was read since does not tell all that it left",
    "unnamed": "nothing names its row",
}


class NotYet(Exception):  # noqa: N818 (it names what is lacking)
    """The replay can't be judged or taken in now: it is to be read again."""


class Parts(NamedTuple):
    """What replays are taken in by. `topics`: the sources of each entity."""

    intake: Intake
    taking: Taking
    letters: Letters
    ownership: Ownership
    offsets: Offsets
    gate: Gate
    pending: Pending
    memory: Memory
    unrepeated: Unrepeated
    topics: Mapping[Entity, Sequence[str]]
    kept: Mapping[Entity, Families]


class Replaying:
    """The topic of replays, as far as it is this process's. `parts.kept`: what keeps rows on disk.

    A replay is only taken in by the owner of its row's partition, so nobody else can have a newer state of the row in
    flight; once the gate is open, so all that a predecessor can have sent was read; and if none of the row's events was
    seen beyond the ends up to which the command looked.
    """

    def __init__(self, topic: str, group: str, parts: Parts) -> None:
        self.topic = topic
        self._group = group
        self._parts = parts
        self._entities = {topic: entity for entity, topics in parts.topics.items() for topic in topics}
        self._repeats = logs.Repeats()
        self._waits = False
        self._retry_at = 0.0
        self._sent: dict[Ticket, Families] = {}  # the places of families that are being sent
        parts.unrepeated.also = lambda: bool(self._sent)

    def turn(self, now: float) -> bool:
        """Remember rows while the topic is read; whether what could not be taken in is to be tried again."""
        offsets = self._parts.offsets
        places = [partition for partition in offsets.partitions if partition.topic == self.topic]
        self._parts.memory.active = bool(places)
        for partition in offsets.partitions if places else ():
            if (position := offsets.position(partition)) is not None:
                self._parts.memory.begin(partition, position)
        if now < self._retry_at:
            return False
        self._retry_at = now + RETRY_INTERVAL
        waited, self._waits = self._waits, False
        return waited

    def take(self, carrier: Record, place: Partition, now: float, full: Collection[Entity]) -> Taken:
        """Take in what a record of the topic asks for. `full`: entities of which nothing more may be taken in.

        Raises NotYet and SchemaMissing, and then nothing is known of it.
        """
        if self._parts.offsets.held(place, carrier.offset):
            return Taken("pending")  # it was read again for another's sake
        replay = Replay.read(carrier)
        if replay is None:
            self._tell("unreadable", carrier.where, "is no replay that this version can read: it is passed over", now)
            return Taken("unreadable")
        if replay.group != self._group:  # the dead-letter topic is another service's too
            return Taken("other_group")
        return self._take(replay, carrier, place, now, full)

    def _take(self, replay: Replay, carrier: Record, place: Partition, now: float, full: Collection[Entity]) -> Taken:
        parts, record = self._parts, replay.record
        source, entity = Partition(record.topic, record.partition), self._entities.get(record.topic)
        if entity is None or source not in parts.offsets.partitions:
            return self._give_back(replay, carrier, "elsewhere", now)
        if entity in full or not parts.gate.open(parts.topics[entity], now):
            self._waits = True
            raise NotYet
        family, kept = replay.family and parts.kept.get(entity), entity in parts.kept
        outcome = "" if family else self._outdated(replay, parts.offsets.position(source) or 0)
        if outcome == "superseded" and not replay.leftovers.items:
            return Taken(outcome)
        if outcome:
            return self._give_back(replay, carrier, outcome, now)
        if (family or not kept) and not parts.unrepeated.may_go(source, now):  # a row that is kept waits on disk
            self._waits = True
            raise NotYet
        if family:
            self._send(family, replay, parts.offsets.hold(place, carrier.offset), now)
            return Taken("stored")
        return parts.taking.replay(record, source, (place, carrier.offset), replay.leftovers.items, now)

    def _send(self, families: Families, replay: Replay, ticket: Ticket, now: float) -> None:
        """Send a family. Its replay keeps its place until nothing of it is owed: the store may go with its disk."""
        self._sent[ticket] = families

        def settled() -> None:
            self._sent.pop(ticket, None)
            self._parts.offsets.release(ticket)

        families.send(replay.family, replay.record, replay.leftovers, settled, now)

    def forget(self, partitions: Collection[Partition]) -> None:
        """The partitions are another process's, or are read anew. Replays of their rows are to be read again."""
        parts = self._parts
        parts.memory.forget(partitions)
        topics = {partition.topic for partition in partitions}
        sent = [ticket for ticket, families in self._sent.items() if not topics.isdisjoint(families.rows.topics)]
        for ticket in sent:
            del self._sent[ticket]
        for ticket in filter(parts.offsets.valid, [*parts.pending.lost_replays(), *sent]):
            place, position = ticket.partition, parts.offsets.position(ticket.partition)
            if place not in partitions and position is not None and ticket.offset < position:
                parts.ownership.hold_back(place, ticket.offset)
                self._waits = True
            parts.offsets.release(ticket)

    def _outdated(self, replay: Replay, position: int) -> str:
        """Why the record need not or must not be sent; "" if it is its row's newest of all that was read.

        `position`: of its partition, the next to be read.
        """
        record, offsets, memory = replay.record, self._parts.offsets, self._parts.memory
        if position <= record.offset:
            return "superseded"  # it is read in its place
        name = self._parts.intake.name(record)
        if name is None:
            return "unnamed"
        for partition in [each for each in offsets.partitions if each.topic == record.topic]:
            end = replay.ends.get(partition.number, 0)
            if memory.reach(partition, offsets.position(partition) or 0) > end:
                return "scan_again"
            if memory.last(partition, name) >= end:
                return "superseded"
        return ""

    def _give_back(self, replay: Replay, carrier: Record, outcome: str, now: float) -> Taken:
        """Put a replay back among the dead letters, if it stands for one; its place is kept until it is there."""
        again = "replay it again" if replay.reject is not None else "run `reconcile` again"
        self._tell(outcome, replay.record.where, f"is not sent: {_WHY[outcome]}; {again}", now)
        if replay.reject is not None:
            ticket = self._parts.offsets.hold(Partition(carrier.topic, carrier.partition), carrier.offset)
            families = [replay.family] if replay.family else []
            self._parts.letters.write(
                replay.record, [ticket], replay.entity, replay.reject, families=families, leftovers=replay.leftovers
            )
        return Taken(outcome)

    def _tell(self, outcome: str, where: str, what: str, now: float) -> None:
        if times := self._repeats.admit("replay_refused", outcome, now):
            _LOG.warning("replay_refused", f"The replay of {where} {what}.", record=where, outcome=outcome, times=times)
