"""The partitions that this process owns: taking over, reading, committing, handing over."""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Protocol

from connector import logs
from connector.adapters.kafka import Commit, End
from connector.core.events import Entity, Partition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from connector.adapters.kafka import Bounds, Owner
    from connector.core.events import Record
    from connector.core.gate import Gate, Mark
    from connector.core.lease import Lease
    from connector.core.offsets import Offsets
    from connector.core.pending import Pending
    from connector.keeping import Keeping
    from connector.metrics import Metrics
    from connector.sharing import Sharing

_LOG = logs.get("ownership")

COMMIT_INTERVAL = 1.0
ASK_INTERVAL = 1.0
LONGEST_ASK_INTERVAL = 15.0
"""Seconds between questions about offsets: each may hold the loop up for a while, so those in vain become rare."""

LEAP_INTERVAL = 10.0
"""Seconds without a gap in a partition's offsets, after which a gap is looked into."""

UNCLEAN_PAUSE = 10.0
"""Seconds without requests after a takeover from a process that did not say goodbye: its last ones may be under way."""


class Source(Protocol):
    """What `adapters.kafka.KafkaSource` does."""

    def subscribe(self, owner: Owner, committed: Callable[[Mapping[Partition, bool]], None]) -> None: ...
    def poll(self, limit: int, timeout: float) -> list[Record | End]: ...
    def bounds(self, partitions: Iterable[Partition]) -> dict[Partition, Bounds]: ...
    def high_watermark(self, partition: Partition) -> int | None: ...
    def partition_count(self, topic: str) -> int: ...
    def compacted(self, topic: str) -> bool: ...
    def commit(self, commits: Mapping[Partition, Commit], *, wait: bool) -> bool: ...
    def seek(self, partition: Partition, offset: int) -> None: ...
    def pause(self, partitions: Iterable[Partition]) -> None: ...
    def resume(self, partitions: Iterable[Partition]) -> None: ...
    def close(self) -> None: ...


class Ownership:
    """Keeps offsets, gate and pending work in step with what Kafka assigns.

    `drain` is called before partitions are handed over: it waits, within bounds, for what of them is in flight. The
    share of the budget shrinks before they are, and is told of each assignment.
    `forget` hears which are gone. `unclean` hears until when nothing may be sent since a predecessor's last requests
    may be under way. `clock` gives monotonic seconds, `wall` UNIX seconds.
    """

    def __init__(  # noqa: PLR0913 (what it keeps in step)
        self,
        source: Source,
        *,
        offsets: Offsets,
        gate: Gate,
        pending: Pending,
        topics: Mapping[Entity, Sequence[str]],
        metrics: Metrics,
        clock: Callable[[], float],
        wall: Callable[[], float],
        drain: Callable[[Sequence[Partition]], None],
        forget: Callable[[Sequence[Partition]], None],
        unclean: Callable[[float], None],
        sharing: Sharing,
        lease: Lease,
        keeping: Keeping | None = None,
    ) -> None:
        self._source = source
        self._offsets = offsets
        self._gate = gate
        self._pending = pending
        self._topics = topics
        self._metrics = metrics
        for topic in chain.from_iterable(topics.values()):
            metrics.retention_gap.labels(topic)  # from zero on
        self._clock = clock
        self._wall = wall
        self._drain = drain
        self._let_go = forget
        self._unclean = unclean
        self._sharing = sharing
        self._lease = lease
        self._keeping = keeping
        self._unplaced: set[Partition] = set()  # kept on disk, and where to read them from is not known yet
        self._placed: dict[Partition, int] = {}  # likewise, and where to read them from
        self._said: dict[Partition, tuple[int, Mark]] = {}  # what was last committed, or is being committed
        self._announced: set[Partition] = set()
        self._announcing: set[Partition] = set()
        self._doubted: set[Partition] = set()  # they may be another process's
        self._under_way: set[Partition] = set()  # a commit of theirs has no answer yet
        self._first: set[Partition] = set()  # never committed by anyone, and still to be read or held back
        self._new: set[Partition] = set()  # assigned, and not known yet
        self._grown: dict[Partition, dict[Partition, int]] = {}  # never committed: how far older ones are read before
        self._paused: set[Partition] = set()
        self._waiting: set[Partition] = set()  # for what their next record needs to be read
        self._unread: dict[Partition, int] = {}  # held back: the first offset that was not taken in
        self._leaps: dict[Partition, tuple[int, int]] = {}  # gaps in the offsets, to be explained
        self._leapt_at: dict[Partition, float] = {}
        self._ask_at = 0.0
        self._in_vain = 0  # how often in a row Kafka had no answer
        self._commit_at = 0.0
        self._announce_at = 0.0  # after a commit that failed, a pause

    @property
    def partitions(self) -> tuple[Partition, ...]:
        return self._offsets.partitions

    @property
    def paused(self) -> frozenset[Partition]:
        return frozenset(self._paused)

    def partitions_of(self, entity: Entity) -> list[Partition]:
        """The partitions of the entity's topics that this process owns."""
        return [partition for partition in self._offsets.partitions if partition.topic in self._topics[entity]]

    def has_said_unrepeated(self, partition: Partition) -> bool:
        """Whether the partition's last commit said that what is sent may not be read again, and is confirmed."""
        said = self._said.get(partition)
        return said is not None and said[1].beyond and partition not in self._under_way

    # Kafka's calls, which come within the source's poll and close

    def assigned(self, partitions: Sequence[Partition]) -> None:
        now = self._clock()
        if known := [partition for partition in partitions if partition in self._offsets.partitions]:
            self._forget(known)  # no client tells so; what was read of them would hold no offset back any more
        for partition in partitions:
            self._offsets.assign(partition)
            self._gate.assign(partition, now)
            if self._keeping is not None and self._keeping.keeps(partition):
                self._unplaced.add(partition)
        self._new.update(partitions)
        self._ask_at = now
        self._sharing.assigned()
        if self._keeping is not None:
            self._keeping.assigned()
        self._moved("assigned", partitions)

    def revoked(self, partitions: Sequence[Partition]) -> None:
        """Hand over: finish what is in flight, commit, and say whether anything of it may still be at the server."""
        self._drain(partitions)
        now = self._clock()
        locked, beyond = self._pending.locked(now), self._pending.repeats()
        farewells = {}
        for partition in partitions:
            offset = self._offsets.committable(partition)
            if offset is not None and partition not in self._gate.unknown:
                mark = self._gate.farewell(partition, now, locked=partition in locked, beyond=partition in beyond)
                farewells[partition] = Commit(offset, mark)
        self._source.commit(farewells, wait=True)
        self._forget(partitions)
        self._sharing.gone(self.partitions, now)
        self._moved("revoked", partitions)

    def lost(self, partitions: Sequence[Partition]) -> None:
        """Another process owns them already: drop everything."""
        self._lease.end()
        self._forget(partitions)
        self._sharing.gone(self.partitions, self._clock())
        self._moved("lost", partitions)

    def doubt(self) -> None:
        """Another process may own all by now: nothing of it is sent until Kafka has accepted a commit of ours."""
        sources = {topic for topics in self._topics.values() for topic in topics}
        self._doubted.update(partition for partition in self.partitions if partition.topic in sources)
        self._announced.clear()
        self._announcing.clear()
        if self._doubted:
            _LOG.warning(
                "lapsed",
                "The process stood still for so long that Kafka may have given its partitions to another: nothing is "
                "sent until Kafka has confirmed them. Was it stopped, or has it too little CPU?",
            )

    def committed(self, outcome: Mapping[Partition, bool]) -> None:
        """An asynchronous commit has ended."""
        for partition, succeeded in outcome.items():
            if not succeeded:
                self._said.pop(partition, None)
                self._announce_at = self._clock() + COMMIT_INTERVAL
            elif partition in self._announcing:
                self._announced.add(partition)
                self._doubted.discard(partition)
            self._announcing.discard(partition)
            self._under_way.discard(partition)

    def _forget(self, partitions: Sequence[Partition]) -> None:
        self._pending.forget(partitions)
        self._let_go(partitions)
        self._gate.revoke(partitions)
        self._offsets.revoke(partitions)
        for partition in partitions:
            self._said.pop(partition, None)
            self._unread.pop(partition, None)
            self._leaps.pop(partition, None)
            self._leapt_at.pop(partition, None)
            self._placed.pop(partition, None)
            self._grown.pop(partition, None)
            for kept in (
                self._announced,
                self._announcing,
                self._doubted,
                self._under_way,
                self._first,
                self._new,
                self._paused,
                self._waiting,
                self._unplaced,
            ):
                kept.discard(partition)

    def _moved(self, event: str, partitions: Sequence[Partition]) -> None:
        if partitions:
            self._metrics.rebalances.inc()
            names = ", ".join(map(str, sorted(partitions)))
            _LOG.info(event, f"Partitions {event}: {names}", partitions=[str(partition) for partition in partitions])

    # Each step of the loop

    def learn(self, now: float) -> bool:
        """Ask for what is not known yet of new partitions; True if something was learnt."""
        if self._sharing.learn(self.partitions, now):
            self.read_on()  # a record without a key may wait for it
            if self._keeping is not None:
                self._keeping.assigned()
        unknown = set(self._gate.unknown)
        if not (unknown or self._leaps) or now < self._ask_at:
            return False
        topics = {partition.topic for partition in self._new}
        older = {each for each in self._offsets.partitions if each.topic in topics and each not in unknown}
        found = self._ask(unknown | self._leaps.keys() | older)
        lacking = {each.topic for each in older - found.keys()}
        for partition, bounds in found.items():
            if partition in self._leaps:
                before, after = self._leaps.pop(partition)
                self._missed(partition, min(bounds.low, after) - before)
            if partition not in unknown or partition.topic in lacking:
                continue
            self._gate.know(partition, bounds.high, bounds.mark, self._wall())
            self._source.resume([partition])
            self._paused.discard(partition)
            if bounds.committed is None and partition in self._new:
                self._grown[partition] = {each: found[each].high for each in older if each.topic == partition.topic}
            self._new.discard(partition)
            self._begin(partition, bounds, now)
        return not unknown.isdisjoint(found)

    def _ask(self, partitions: set[Partition]) -> dict[Partition, Bounds]:
        """Ask Kafka, and remember when to ask again.

        One partition without a leader can leave all without an answer: then one topic at a time is asked for.
        """
        if self._in_vain:
            topics = sorted({partition.topic for partition in partitions})
            topic = topics[self._in_vain % len(topics)]
            partitions = {partition for partition in partitions if partition.topic == topic}
        found = self._source.bounds(sorted(partitions))
        self._in_vain = 0 if found else self._in_vain + 1
        self._ask_at = self._clock() + min(ASK_INTERVAL * max(1, self._in_vain), LONGEST_ASK_INTERVAL)
        return found

    def _begin(self, partition: Partition, bounds: Bounds, now: float) -> None:
        kept = self._keeping if partition in self._unplaced else None
        if bounds.committed is None:
            self._first.add(partition)
        if kept is not None:
            self._missed(partition, kept.missed(partition, bounds))
        elif bounds.committed is not None:
            self._missed(partition, bounds.low - bounds.committed)
        if partition in self._unplaced and self._keeping is not None:
            self._placed[partition] = start = self._keeping.place(partition, bounds)
            self._offsets.advance(partition, start)
        elif self._offsets.position(partition) is None:
            start = max(bounds.low, bounds.committed or 0)
            self._offsets.advance(partition, start)
        self._passes(partition, self._offsets.position(partition) or 0)
        wait = self._gate.wait_until(partition) - now
        if bounds.mark is not None and not bounds.mark.clean:
            self._unclean(now + UNCLEAN_PAUSE)
            _LOG.info(
                "gate_waiting",
                f"The last owner of {partition} may have left requests at the API: "
                f"what was read before waits {max(wait, 0):.0f} s.",
                partition=str(partition),
                seconds=round(max(wait, 0.0), 1),
            )

    def _missed(self, partition: Partition, records: int) -> None:
        """So many records were deleted by the topic's retention before they were read; none if that is not positive.

        Replays that are deleted change nothing: their dead letters are open again.
        """
        if records <= 0 or not any(partition.topic in topics for topics in self._topics.values()):
            return
        self._metrics.retention_gap.labels(partition.topic).inc(records)
        _LOG.error(
            "retention_gap",
            f"{records} records of {partition} were deleted before they were read: their changes are missed. "
            "Take a new snapshot of the table, and give the topic a longer retention.",
            partition=str(partition),
            records=records,
        )

    def admit(self, items: Iterable[Record | End]) -> Iterator[tuple[Partition, Record | End]]:
        """Note how far partitions have been read; give what is to be taken in.

        That is not so for a partition of another process's, and for one that is new to its topic while older ones have
        not been read up to their watermarks, where a key's older changes may be: it is read again, then (`rewind`).
        """
        held_back = self._held_back()
        for item in items:
            if (self._waiting or self._unplaced) and self._waits(item):
                continue
            if isinstance(item, End):
                partition, position = item.partition, item.position
            else:
                partition, position = Partition(item.topic, item.partition), item.offset + 1
                if partition in held_back:
                    self._unread.setdefault(partition, item.offset)
                    continue
                known = self._offsets.position(partition)
                if known is not None and item.offset != known:
                    if item.offset > known:
                        self._leapt(partition, known, item.offset)
                    else:
                        earlier = self._begin_anew(partition, item)
                        held_back = self._held_back() | earlier
            if partition not in held_back and self._offsets.advance(partition, position):
                yield partition, item

    def _waits(self, item: Record | End) -> bool:
        """Whether the item is of a partition that can't be read on: then it is read again."""
        if isinstance(item, End):
            return item.partition in self._waiting or item.partition in self._unplaced
        partition = Partition(item.topic, item.partition)
        if partition in self._waiting:
            self._unread.setdefault(partition, item.offset)
        return partition in self._waiting or partition in self._unplaced

    def hold_back(self, partition: Partition, offset: int) -> None:
        """Read the partition again from this offset, which was not taken in, once `read_on` is called."""
        self._offsets.advance(partition, offset)
        self._unread[partition] = offset
        self._waiting.add(partition)

    def read_on(self) -> None:
        """What partitions waited for may be there."""
        self._waiting.clear()

    def rewind(self) -> None:
        """Let Kafka deliver again, later, what was not taken in of partitions that are held back."""
        if self._placed:
            self._unread.update(self._placed)
            self._unplaced -= self._placed.keys()
            self._placed.clear()
        if self._unread:
            self._source.pause(self._unread)
            for partition, offset in self._unread.items():
                self._source.seek(partition, offset)
            self._paused |= self._unread.keys()
            self._unread.clear()

    def _leapt(self, partition: Partition, position: int, offset: int) -> None:
        """No record between position and offset: compaction, a transaction's marker, or retention during a long halt.

        Kafka is asked, but not for each gap of a compacted topic: what retention deletes unread goes while nothing is
        read for long.
        """
        now = self._clock()
        if now - self._leapt_at.get(partition, -math.inf) > LEAP_INTERVAL:
            self._leaps[partition] = (position, offset)
        self._leapt_at[partition] = now

    def _begin_anew(self, partition: Partition, record: Record) -> set[Partition]:
        """The partition is read again from an earlier offset: it was truncated, or its topic is another one now.

        What was read before and is not settled is dropped, so all of it is to be read again. The partition comes back
        if that begins before this record.
        """
        settled = self._offsets.committable(partition)
        _LOG.warning(
            "rewound",
            f"{partition} goes on at offset {record.offset}, which had been read: what was read from it is dropped, "
            "and read again.",
            partition=str(partition),
            offset=record.offset,
        )
        self._forget([partition])
        self._offsets.assign(partition)
        self._gate.assign(partition, self._clock())
        if self._keeping is not None and self._keeping.keeps(partition):
            self._keeping.cut(partition, record.offset)
            self._unplaced.add(partition)
            return {partition}
        if settled is None or settled >= record.offset:
            return set()
        self._unread[partition] = settled
        return {partition}

    def passes(self, partition: Partition) -> None:
        """Let the partition through the gate if it has been read far enough; after its records were taken in."""
        position = self._offsets.position(partition)
        if position is not None:
            self._passes(partition, position)

    def _passes(self, partition: Partition, position: int) -> None:
        if self._gate.read(partition, position):
            until = self._gate.wait_until(partition)
            if until:
                self._pending.put_off(partition, until)
                if self._keeping is not None:
                    self._keeping.put_off(partition, until)
            _LOG.debug("gate_opened", f"{partition} has been read up to its high watermark.", partition=str(partition))

    def open(self, now: float, full: Iterable[Entity]) -> list[Entity]:
        """The entities of which something may be sent, if there is anything: read far enough, and sending announced.

        The commits that announce it are asked for here, and only where something waits to be sent.
        """
        ready = []
        for entity, topics in self._topics.items():
            if not self._gate.open(topics, now) and entity not in full:
                continue
            if self._keeping is not None and not self._keeping.whole(entity, now):
                continue
            owned = self.partitions_of(entity) if self._pending.entries(entity) or self._doubted else []
            unsaid = [partition for partition in owned if partition not in self._announced]
            if now >= self._announce_at:
                self._announce([partition for partition in unsaid if partition not in self._under_way])
            if not unsaid:
                ready.append(entity)
        return ready

    def _announce(self, partitions: Sequence[Partition]) -> None:
        commits = {}
        for partition in partitions:
            offset = self._offsets.committable(partition)
            if offset is not None and partition not in self._gate.unknown:
                kept = self._keeping is not None and self._keeping.keeps(partition)
                self._gate.sending(partition, self._keeping.name if self._keeping is not None and kept else "")
                commits[partition] = Commit(offset, self._gate.mark(partition))
        self._announcing.update(commits)
        self._commit(commits)

    def hold(self, *, stopped: bool, full: Iterable[Entity]) -> None:
        """Pause what must not be read now, and resume the rest.

        A partition before its watermark is read on, whatever is stopped: no gate would open else. Partitions that are
        new to their topic wait until the older ones have been read: a key's older changes may be there.
        """
        full_topics = {topic for entity in full for topic in self._topics[entity]}
        held_back = self._held_back()
        wanted = set()
        for partition in self._offsets.partitions:
            halted = stopped and self._gate.passed(partition)
            if halted or partition.topic in full_topics or partition in held_back:
                wanted.add(partition)
        wanted |= self._waiting | self._unplaced
        if new := wanted - self._paused:
            self._source.pause(new)
        if old := self._paused - wanted:
            self._source.resume(old)
        self._paused = wanted
        self._metrics.paused.set(len(wanted))

    def _held_back(self) -> set[Partition]:
        """The partitions that are new to their topic, or may be, while older ones of it are still to be read."""
        if not (self._first or self._new):
            return set()
        older = [each for each in self._offsets.partitions if each not in self._first and each not in self._new]
        unread = {partition.topic for partition in older if not self._gate.reached(partition)}
        held_back = {partition for partition in self._first if partition.topic in unread or self._waits_for(partition)}
        self._first = {each for each in self._first if each in held_back or not self._gate.reached(each)}
        topics = {partition.topic for partition in self._offsets.partitions if partition not in self._new}
        return held_back | {partition for partition in self._new if partition.topic in topics}

    def _waits_for(self, partition: Partition) -> bool:
        """Whether older partitions are not yet read as far as they went when this one, a new one, was found."""
        targets = self._grown.get(partition, {})
        for older, target in list(targets.items()):
            position = self._offsets.position(older)
            if position is None or position >= target:  # or it is another process's by now
                del targets[older]
        return bool(targets)

    def commit(self, now: float) -> None:
        """Commit what is settled, once a second."""
        if now < self._commit_at:
            return
        self._commit_at = now + COMMIT_INTERVAL
        unknown = set(self._gate.unknown)
        commits = {}
        for partition in self._offsets.partitions:
            offset = self._offsets.committable(partition)
            if offset is not None and partition not in unknown and partition not in self._under_way:
                commit = Commit(offset, self._gate.mark(partition))
                if self._said.get(partition) != (commit.offset, commit.mark):
                    commits[partition] = commit
        self._commit(commits)

    def _commit(self, commits: Mapping[Partition, Commit]) -> None:
        self._under_way.update(commits)
        self._said.update({partition: (commit.offset, commit.mark) for partition, commit in commits.items()})
        if commits and not self._source.commit(commits, wait=False):
            self.committed(dict.fromkeys(commits, False))
