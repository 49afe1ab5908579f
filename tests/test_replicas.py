"""Several replicas on one group and one key: no window over its limit, nothing lost, no key that goes back."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from group_simulation import SESSION, Group
from simulation import World

from connector.core.entries import Lane
from connector.core.events import Partition
from connector.core.halts import SuspendReason

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.service import Service

SINGLY = {f"BATCH_MAX_{entity}": "1" for entity in ("CUSTOMERS", "ORDERS", "PRODUCTS")}


def _touch(world: World, rows: int, keys: int = 40) -> None:
    for _ in range(rows):
        entity = world.random.choice(["customers", "orders", "products"])
        world.write(entity, f"{entity[0]}{world.random.randrange(keys)}")


def _turn(world: World, services: list[Service], seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
    end = world.now + seconds
    while world.now < end and not until():
        for service in services:
            service.step()
    return until()


def _verdict(world: World) -> list[str]:
    fullest = [world.server.fullest(60), world.server.fullest(3600)]
    over = [f"{most} requests in a window" for most, limit in zip(fullest, (100, 5000), strict=True) if most > limit]
    return world.server.broken + world.differences() + over


@pytest.mark.parametrize("seed", range(2))
def test_replicas_that_come_and_go_keep_the_limits(seed: int) -> None:
    """Under a backlog replicas join, leave, die, and stand still; the server counts what all of them send."""
    world = World(seed)
    world.faults.latency = (0.05, 3.0)
    world.faults.loses_answer = 0.02
    group, chance = Group(world), random.Random(seed)
    running = [group.service(SINGLY)]
    for _ in range(14):
        _touch(world, 40)
        _turn(world, [service for service, _ in running], chance.uniform(5, 30))
        match chance.choice(["join", "join", "leave", "die", "stand still"]):
            case "join" if len(running) < 4:
                running.append(group.service(SINGLY))
            case "leave" if len(running) > 1:
                service, _ = running.pop(chance.randrange(len(running)))
                service.stop()
            case "die" if len(running) > 1:
                running.pop(chance.randrange(len(running)))
            case "stand still" if len(running) > 1:
                still = running.pop(chance.randrange(len(running)))
                _turn(world, [service for service, _ in running], chance.uniform(5, 40))
                running.append(still)
    assert _turn(world, [service for service, _ in running], 1800, world.settled)
    assert _verdict(world) == []
    assert world.server.fullest(60) > 60


def test_the_share_is_the_part_of_the_partitions() -> None:
    """It shrinks with the revocation, grows empty, and a dead replica's comes back; who owns nothing sends nothing."""
    world = World(1)
    group = Group(world)
    (first, one), (second, other) = group.service(), group.service()
    budgets = [service._budget for service in (first, second)]  # noqa: SLF001
    assert [budget.share for budget in budgets] == [0, 0]
    _turn(world, [first, second], 120)
    assert [budget.share for budget in budgets] == [len(one.owned) / 9, len(other.owned) / 9]
    assert sum(budget.share for budget in budgets) == 1
    before = budgets[0].tokens(world.now)
    _turn(world, [first], SESSION + 1, lambda: budgets[0].share == 1)
    assert budgets[0].share == 1
    assert budgets[0].tokens(world.now) <= before + 1
    third, _ = group.service()
    shares = []
    while budgets[0].share == 1:
        shares.append(third._budget.share)  # noqa: SLF001
        first.step()
        third.step()
    assert set(shares) == {0}
    first.stop()
    assert budgets[0].share == 0
    _turn(world, [third], 5)
    assert third._budget.share == 1  # noqa: SLF001


def test_replicas_notice_partitions_that_are_added() -> None:
    """Whoever keeps what he had owns a smaller part of them all."""
    world = World(1)
    group = Group(world)
    first, one = group.service()
    _turn(world, [first], 1)
    world.log[Partition("shop.orders", 3)] = []
    world.low[Partition("shop.orders", 3)] = 0
    second, other = group.service()
    group.free.add(Partition("shop.orders", 3))
    _turn(world, [first, second], 5)
    assert [each._budget.share for each in (first, second)] == [len(one.owned) / 10, len(other.owned) / 10]  # noqa: SLF001


def test_partitions_that_are_added_without_a_word_are_noticed_in_time() -> None:
    """Not every protocol of a group tells those whose partitions stay."""
    world = World(1)
    first, _ = Group(world).service()
    _turn(world, [first], 1)
    for number in range(3, 12):
        world.log[Partition("shop.orders", number)] = []
    _turn(world, [first], 310)
    assert first._budget.share == 0.5  # noqa: SLF001


def test_too_many_replicas_suspend_those_whose_part_is_no_request() -> None:
    """Their lanes say so, and what to do; once there are fewer they go on."""
    world = World(1)
    group = Group(world)
    few = {"RATE_LIMIT_PER_MINUTE": "25", "RATE_LIMIT_PER_HOUR": "1000"}
    (first, _), (second, _) = (group.service(few) for _ in range(2))
    _touch(world, 30)
    services = [first, second]
    reason = SuspendReason.TOO_MANY_REPLICAS
    assert _turn(world, services, 600, world.settled)
    services += [group.service(few)[0] for _ in range(3)]
    sent = len(world.server.arrivals)
    _turn(world, services, 60)
    _touch(world, 30)
    _turn(world, services, 60)
    assert len(world.server.arrivals) == sent
    for service in services:
        suspensions = service._suspensions  # noqa: SLF001
        assert {each.lane for each in suspensions if each.reason is reason} == set(Lane)
        assert service.status["suspended"]
        assert service._metrics.registry.get_sample_value(  # noqa: SLF001
            "connector_suspended", {"lane": "orders", "reason": "too_many_replicas"}
        )
    for service in services[1:]:
        service.stop()
    assert _turn(world, [first], 600, world.settled)
    assert list(first._suspensions) == []  # noqa: SLF001
    assert _verdict(world) == []


def test_a_replica_that_owns_nothing_any_more_is_not_halted_for_ever() -> None:
    """It can't try whether the key works again; whoever owns its partitions does."""
    world = World(1)
    world.faults.unauthorized = True
    group = Group(world)
    first, member = group.service()
    _touch(world, 5)
    _turn(world, [first], 60)
    halted = first._dispatch.halting  # noqa: SLF001
    assert halted.halt is not None
    second, other = group.service()
    group.target = dict.fromkeys(world.log, other)
    _turn(world, [first, second], 60)
    assert member.owned == []
    assert halted.halt is None
    assert second._dispatch.halting.halt is not None  # noqa: SLF001
    world.faults.unauthorized = False
    assert _turn(world, [first, second], 1800, world.settled)
    assert _verdict(world) == []


@pytest.mark.parametrize("lease", [True, False])
def test_a_process_that_stood_still_sends_nothing_before_it_knows_what_it_owns(lease: bool) -> None:
    """What it had read is another's by now, and newer there: without the lease it takes keys back."""
    world = World(7)
    group = Group(world)
    (first, _), (second, _) = group.service(SINGLY, lease=lease), group.service(SINGLY, lease=lease)
    _turn(world, [first, second], 60)
    for stands_still in (False, True):
        for number in range(100):
            world.write("orders", f"o{number}")
        _turn(world, [second] if stands_still else [first, second], 20)
        assert _turn(world, [second], 600, world.settled)
    _turn(world, [first, second], 30)
    assert _turn(world, [first, second], 600, world.settled)
    wrong = _verdict(world)
    assert (wrong == []) is lease
    assert any("went back" in each for each in wrong) is not lease
