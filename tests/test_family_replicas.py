"""Replicas and documents of several tables: one that owns all partitions of their topics sends them, or none does."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from family_shop import Dialect
from family_world import FamilyWorld
from group_simulation import Group
from memory_store import MemoryStore

from connector.core.entries import Lane
from connector.core.events import Entity, Partition
from connector.core.halts import SuspendReason
from connector.errors import PlatformError
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from connector.service import Service

FAMILIES = {Lane.CUSTOMERS, Lane.ORDERS, Lane.PRODUCTS}


class Replicas:
    """Two replicas, each with a disk of its own."""

    def __init__(self, world: FamilyWorld) -> None:
        self.world = world
        self.group = Group(world.world)
        self.disks: dict[str, MemoryStore] = {}
        self.running: dict[str, Service] = {}

    def start(self, name: str) -> None:
        disk = self.disks[name].crash() if name in self.disks and not self.disks[name].condemned else MemoryStore()
        self.disks[name] = disk
        self.world.use(disk)
        self.running[name], _ = self.group.service(self.world.settings, store=disk)

    def stop(self, name: str, *, kill: bool) -> None:
        service = self.running.pop(name)
        if not kill:
            service.stop()

    def turn(self, seconds: float) -> None:
        end = self.world.world.now + seconds
        while self.world.world.now < end:
            for name, service in [*self.running.items()]:
                try:
                    service.step()
                except PlatformError:  # its store was overtaken
                    self.start(name)

    def settled(self, name: str) -> bool:
        return self.world.world.settled() and not any(map(self.disks[name].dirty, Entity))

    def suspended(self, name: str) -> set[Lane]:
        found = self.running[name]._suspensions  # noqa: SLF001
        return {each.lane for each in found if each.reason is SuspendReason.PARTITIONS_ELSEWHERE}


@pytest.mark.parametrize(
    ("seed", "dialect", "reading"),
    [(0, Dialect.FULL, Upsert.REPLACE), (1, Dialect.MYSQL, Upsert.MERGE), (2, Dialect.FULL, Upsert.MERGE)],
)
def test_documents_are_sent_by_whoever_owns_all_partitions(seed: int, dialect: Dialect, reading: Upsert) -> None:
    """Replicas come and go, in good order or not, each with what its own disk knew when it went: it converges."""
    chance = random.Random(seed)
    world = FamilyWorld(seed, dialect, reading)
    replicas = Replicas(world)
    world.life(20)
    replicas.start("a")
    replicas.turn(30)
    for leaving, coming in (("a", "b"), ("b", "a"), ("a", "b")):
        replicas.start(coming)
        replicas.turn(chance.uniform(0, 3))
        world.life(5)
        replicas.turn(30)
        assert replicas.suspended(leaving) | replicas.suspended(coming) == FAMILIES
        sent = len(world.server.requests)
        world.life(5)
        replicas.turn(30)
        assert len(world.server.requests) == sent
        replicas.stop(leaving, kill=chance.random() < 0.5)
        world.life(5)
        replicas.turn(chance.choice([1, 15, 100]))
    for _ in range(20):
        replicas.turn(100)
        if replicas.settled("b"):
            break
    assert replicas.suspended("b") == set()
    assert world.differences() == []


@pytest.mark.parametrize("seed", range(6))
def test_a_store_that_another_process_has_overtaken_is_not_used(seed: int) -> None:
    """Two disks take turns, and what one's process has sent the other does not know: it is filled anew."""
    chance = random.Random(seed)
    world = FamilyWorld(seed, chance.choice([*Dialect]), chance.choice([*Upsert]))
    replicas = Replicas(world)
    world.faults.fails, world.faults.loses_answer = 0.1, 0.1
    for turn in range(8):
        name = "ab"[turn % 2]
        world.life(8)
        replicas.start(name)
        replicas.turn(chance.choice([3, 20, 60]))
        world.life(8)
        replicas.turn(chance.choice([0.2, 2, 20]))
        replicas.stop(name, kill=chance.random() < 0.7)
    world.faults.fails = world.faults.loses_answer = 0.0
    replicas.start("a")
    for _ in range(20):
        replicas.turn(100)
        if replicas.settled("a"):
            break
    assert world.differences() == []


def test_replicas_that_wait_for_each_other_need_no_count_anew() -> None:
    """Kafka may not answer for a while: what it said before still holds, and ends no process."""
    world = FamilyWorld(3, Dialect.FULL, Upsert.REPLACE)
    replicas = Replicas(world)
    world.life(10)
    replicas.start("a")
    replicas.start("b")
    replicas.turn(30)
    world.world.counts_known_at = world.world.now + 10
    for _ in range(100):
        replicas.running["a"].step()
    assert replicas.suspended("a") == FAMILIES


def test_a_partition_that_is_added_elsewhere_stops_the_lane() -> None:
    """However long this process owned all there was, and though it loses none."""
    world = FamilyWorld(4, Dialect.FULL, Upsert.REPLACE)
    replicas = Replicas(world)
    world.life(10)
    replicas.start("a")
    replicas.turn(60)
    assert replicas.suspended("a") == set()
    added = Partition("shop.order_items", 9)
    world.world.log[added], world.world.low[added] = [], 0
    other = MemoryStore()
    _, member = replicas.group.service(world.settings, store=other)
    replicas.group.target = dict.fromkeys(world.world.log, replicas.group.members[0]) | {added: member}
    replicas.group.free.add(added)
    member.poll(1, 0.01)
    replicas.turn(5)
    assert member.owned == [added]
    assert replicas.suspended("a") == {Lane.ORDERS}
