"""A consumer group in the simulated world: several services, each a member, that turn one after the other.

Partitions move as with Kafka's cooperative protocol: who has one hands it over within his poll, and only then another
gets it. A member that does not poll for the session time-out is expelled, and hears of it in his second poll after.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from simulation import SimulatedSender, SimulatedSource, SimulatedTopic, settings

from connector.core.lease import Lease
from connector.metrics import Metrics
from connector.service import Clocks, Service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simulation import World

    from connector.adapters.kafka import Commit, End
    from connector.core.events import Partition, Record
    from connector.core.stored import Store

SESSION = 10.0


class Member(SimulatedSource):
    """One member's view of Kafka."""

    def __init__(self, world: World, group: Group) -> None:
        super().__init__(world)
        self._group = group
        self._generation = 0
        self._notices = False
        self.heard_at = world.now
        self.expelled = False

    @property
    def owned(self) -> list[Partition]:
        return list(self._positions)

    def poll(self, limit: int, timeout: float) -> list[Record | End]:
        assert self._owner is not None
        self._group.expel_the_silent(but=self)
        self.heard_at = self._world.now
        if self.expelled and not self._notices:  # the client finds out about now: the application hears it next time
            self._notices = True
            return []
        if self.expelled:
            self._owner.lost(self.owned)
            self._drop(self.owned)
            self.expelled = self._notices = False
            self._group.join(self)
        else:
            self._rebalance()
        outcomes, self._outcomes = self._outcomes, []
        for outcome in outcomes:
            self._hears(outcome)
        found = list(self._fetch(limit))
        self._world.advance(0.001 if len(found) >= limit else timeout)
        return found

    def _rebalance(self) -> None:
        """Hand over what is another's now, and take what nobody has any more."""
        if self._generation == self._group.generation and not self._group.moving:
            return
        group, committed = self._group, self._world.committed
        if away := [partition for partition in self.owned if group.target[partition] is not self]:
            assert self._owner is not None
            self._owner.revoked(away)
            self._drop(away)
            group.free.update(away)
        gained = [partition for partition in sorted(group.free) if group.target[partition] is self]
        group.free.difference_update(gained)
        for partition in gained:
            self._positions[partition] = committed[partition].offset if partition in committed else 0
        if gained or self._generation != group.generation:
            self._generation = group.generation
            assert self._owner is not None
            self._owner.assigned(gained)

    def _drop(self, partitions: list[Partition]) -> None:
        for partition in partitions:
            del self._positions[partition]
            self._ended.pop(partition, None)
            self._paused.discard(partition)

    def commit(self, commits: Mapping[Partition, Commit], *, wait: bool) -> bool:
        if not self.expelled:
            return super().commit(commits, wait=wait)
        if not wait:
            self._outcomes.append(dict.fromkeys(commits, False))
        return not wait

    def close(self) -> None:
        assert self._owner is not None
        self._owner.revoked(self.owned)
        self._group.leave(self)


class Group:
    """Who owns what. `target` is what the partitions' owners are to be, `free` what no member has at present."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.members: list[Member] = []
        self.free: set[Partition] = set(world.log)
        self.target: dict[Partition, Member] = {}
        self.generation = 0

    @property
    def moving(self) -> bool:
        return bool(self.free) or any(self.target.get(p) is not m for m in self.members for p in m.owned)

    def service(
        self, changes: Mapping[str, str] | None = None, *, lease: bool = True, store: Store | None = None
    ) -> tuple[Service, Member]:
        """A new process, which joins. `lease`: whether it knows for how long it may take what it owns for its own."""
        world, member = self.world, Member(self.world, self)
        service = Service(
            settings(**(changes or {})),
            member,
            SimulatedSender(world),
            SimulatedTopic(world),
            None,
            store,
            metrics=Metrics(),
            clocks=Clocks(lambda: world.now, lambda: world.now),
            lease=Lease(SESSION if lease else math.inf, lambda: world.now),
        )
        service.start()
        self.join(member)
        return service, member

    def join(self, member: Member) -> None:
        member.heard_at = self.world.now
        self.members.append(member)
        self.assign()

    def leave(self, member: Member) -> None:
        if member in self.members:  # else it was expelled, and what it had is others' by now
            self.members.remove(member)
            self.free.update(member.owned)
            self.assign()

    def expel_the_silent(self, but: Member) -> None:
        for member in [each for each in self.members if each is not but]:
            if self.world.now - member.heard_at > SESSION:
                member.expelled = True
                self.leave(member)

    def assign(self) -> None:
        """Deal the partitions out."""
        self.generation += 1
        partitions = sorted(self.world.log)
        if self.members:
            self.target = {each: self.members[n % len(self.members)] for n, each in enumerate(partitions)}
