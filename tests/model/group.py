"""Kafka for several members of a group, in virtual time: who owns which partitions, and whose commits count.

Members learn of changes when they poll. One that is not heard of for the session's time-out loses its partitions, and
learns of it late.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from connector.adapters.kafka import Bounds, Commit, End

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from simulation import World

    from connector.adapters.kafka import Owner
    from connector.core.events import Partition, Record

SESSION = 10.0
"""Seconds without a heartbeat after which a member's partitions are given to others."""


class Group:
    """The coordinator.

    `rotation` is what the assignment depends on beside the members, so that it can be changed. `first`: the partitions
    that there were at first. `moved_at`: when a process last lost some.

    `commit_faults`: what becomes of the next commits: they `fail`, are `lost` (they count, and are said to have
    failed), or are `slow` to be answered. `judge` sees each commit before it counts.
    """

    def __init__(self, world: World, judge: Callable[[Member, Partition, Commit], None]) -> None:
        self.world = world
        self.first = frozenset(world.log)
        self.members: list[Member] = []
        self.owners: dict[Partition, Member] = {}
        self.rotation = 0
        self.moved_at = -math.inf
        self.commit_faults: list[str] = []
        self.judge = judge

    def wanted(self, member: Member) -> set[Partition]:
        """What the member is to own."""
        place, members = self.members.index(member), len(self.members)
        numbered = enumerate(sorted(self.world.log), self.rotation)
        return {partition for number, partition in numbered if number % members == place}

    def evict(self, member: Member) -> None:
        """The member is not heard of any more, or has left: what it owned is free."""
        self.moved_at = self.world.now
        if member in self.members:
            self.members.remove(member)
            self.owners = {partition: owner for partition, owner in self.owners.items() if owner is not member}

    def silent(self, member: Member, seconds: float) -> None:
        """The member sends no heartbeat for so long, or never again."""
        if seconds > SESSION:
            self.world.at(self.world.now + SESSION, lambda: self.evict(member))


class Member:
    """The source of one process. `stopped_within`: its next poll takes so long, and what happens meanwhile happens."""

    def __init__(self, group: Group, name: str) -> None:
        self._group = group
        self._world = group.world
        self._owner: Owner | None = None
        self._hears: Callable[[Mapping[Partition, bool]], None] = lambda _: None
        self._positions: dict[Partition, int] = {}
        self._ended: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._outcomes: list[tuple[float, dict[Partition, bool]]] = []
        self.name = name
        self.least_wait = 0.0
        self.stopped_within: Callable[[], None] | None = None

    # What a process asks of it

    def subscribe(self, owner: Owner, committed: Callable[[Mapping[Partition, bool]], None]) -> None:
        self._owner, self._hears = owner, committed
        self._group.members.append(self)

    def poll(self, limit: int, timeout: float) -> list[Record | End]:
        self._rebalance()
        due = [each for each in self._outcomes if each[0] <= self._world.now]
        self._outcomes = [each for each in self._outcomes if each[0] > self._world.now]
        for _, outcome in due:
            self._hears(outcome)
        found = list(self._fetch(limit))
        self._world.advance(0.001 if found else max(timeout, self.least_wait))
        if self.stopped_within is not None:
            meanwhile, self.stopped_within = self.stopped_within, None
            meanwhile()
        return found

    def bounds(self, partitions: Iterable[Partition]) -> dict[Partition, Bounds]:
        world = self._world
        if world.now < world.bounds_known_at:
            return {}
        return {
            partition: Bounds(
                world.low[partition],
                len(world.log[partition]),
                world.committed[partition].offset if partition in world.committed else None,
                world.committed[partition].mark if partition in world.committed else None,
            )
            for partition in partitions
        }

    def high_watermark(self, partition: Partition) -> int | None:
        return len(self._world.log[partition])

    def compacted(self, topic: str) -> bool:
        return self._world.compacted

    def partition_count(self, topic: str) -> int:
        return sum(partition.topic == topic for partition in self._world.log)

    def commit(self, commits: Mapping[Partition, Commit], *, wait: bool) -> bool:
        faults = self._group.commit_faults
        fault = faults.pop() if faults and commits else ""
        counts = self in self._group.members and fault != "fail"
        if counts:
            for partition, commit in commits.items():
                self._group.judge(self, partition, commit)
                self._world.committed[partition] = commit
        succeeds = counts and fault != "lost"
        if not wait:
            answered = self._world.now + (7.0 if fault == "slow" else 0.0)
            self._outcomes.append((answered, dict.fromkeys(commits, succeeds)))
            return True
        return succeeds

    def seek(self, partition: Partition, offset: int) -> None:
        self._positions[partition] = offset
        self._ended.pop(partition, None)

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused.difference_update(partitions)

    def close(self) -> None:
        """Leave in good order; of what was lost before nothing is handed over."""
        if self in self._group.members:
            self._revoke(set(self._positions))
            self._group.evict(self)

    # What is asked of it by the model

    def delivered(self, partition: Partition) -> int:
        """The offset up to which this process has been given the partition's records."""
        return self._positions.get(partition, 0)

    def owns(self, partition: Partition) -> bool:
        return self._group.owners.get(partition) is self

    # Rebalances

    def _rebalance(self) -> None:
        assert self._owner is not None
        group = self._group
        if self not in group.members:
            lost, self._positions = list(self._positions), {}
            self._ended.clear()
            self._owner.lost(lost)
            group.members.append(self)
        wanted = group.wanted(self)
        self._revoke(self._positions.keys() - wanted)
        gained = sorted(partition for partition in wanted - self._positions.keys() if partition not in group.owners)
        for partition in gained:
            committed = self._world.committed.get(partition)
            group.owners[partition] = self
            self._positions[partition] = committed.offset if committed else 0
        if gained:
            self._owner.assigned(gained)

    def _revoke(self, partitions: set[Partition]) -> None:
        assert self._owner is not None
        if not partitions:
            return
        self._group.moved_at = self._world.now
        self._owner.revoked(sorted(partitions))
        for partition in partitions:
            del self._positions[partition]
            self._ended.pop(partition, None)
            self._paused.discard(partition)
            self._group.owners.pop(partition, None)

    # Records

    def _fetch(self, limit: int) -> Iterator[Record | End]:
        world, left = self._world, limit
        positions = list(self._positions.items())
        if world.interleaves:
            world.random.shuffle(positions)
        for partition, position in positions:
            if partition in self._paused or world.stalled.get(partition, 0.0) > world.now:
                continue
            log = world.log[partition]
            start = max(position, world.low[partition])
            few = world.random.choice([0, 1, 3, left]) if world.interleaves else left
            records = log[start : start + min(few, left)]
            self._positions[partition] = start + len(records)
            left -= len(records)
            yield from records
            if self._positions[partition] == len(log) and self._ended.get(partition) != len(log):
                self._ended[partition] = len(log)
                yield End(partition, len(log))
