"""Families in the simulated world: a shop of several tables for each entity, its topics in any order, under faults."""

from __future__ import annotations

import random
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest
from family_shop import Dialect
from family_world import FamilyWorld
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connector.adapters.store import open_store
from connector.core.entries import Lane
from connector.core.events import Entity, Partition
from connector.core.halts import SuspendReason
from connector.errors import ConfigurationError
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from pathlib import Path

    from connector.service import Service

KINDS = [(dialect, reading) for dialect in Dialect for reading in Upsert]
SEEDS = range(3)
SCRIPT = ("trade", "trade", "trade", "read", "read", "wait", "kill", "stop", "stall", "fail")


def _world(seed: int, dialect: Dialect, reading: Upsert) -> FamilyWorld:
    by_order = seed % 3 == 0 and dialect is not Dialect.MYSQL
    return FamilyWorld(seed, dialect, reading, items_by_order=by_order)


def _stall(world: FamilyWorld, chance: random.Random) -> None:
    for partition in chance.sample(list(world.shop.log), 3):
        world.world.stalled[partition] = world.world.now + chance.choice([0, 1, 6])


def _orders(world: FamilyWorld, count: int) -> None:
    """So many orders of one item, a transaction each."""
    for number in range(1, count + 1):
        world.shop.insert(
            "orders", id=number, number=f"o{number}", tag=f"{number}:1", state="paid", currency="EUR", revenue=1
        )
        world.shop.insert("order_items", id=number, order_id=number, product="p", sku="s", quantity=1, brand=None)
        world.shop.insert("item_prices", item_id=number, price=1)
        world.shop.commit()


def _end(world: FamilyWorld, service: Service) -> None:
    """The faults are over: everything arrives."""
    world.world.stalled.clear()
    world.faults.fails = world.faults.loses_answer = world.faults.refuses_connection = world.faults.straggles = 0.0
    world.server.throttles = 0.0
    assert world.run(service, 3600)
    assert world.differences() == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("dialect", "reading"), KINDS)
def test_a_shop_arrives_whatever_order_its_topics_are_read_in(seed: int, dialect: Dialect, reading: Upsert) -> None:
    """Every way in which rows come, change keys, families and identifiers, and go; snapshots and repeats among them."""
    world = _world(seed, dialect, reading)
    world.life(30)
    service = world.service()
    for turn in range(10):
        world.run(service, world.world.random.uniform(0, 6))
        world.life(6)
        if turn == 5:
            world.shop.snapshot()
        if turn == 7:
            world.shop.send_again(15)
    _end(world, service)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("dialect", "reading"), KINDS)
def test_kills_and_faults_of_the_api_lose_nothing(seed: int, dialect: Dialect, reading: Upsert) -> None:
    """Killed at any step, again and again, with answers that get lost, whether their requests were applied or not."""
    chance = random.Random(seed)
    world = _world(seed, dialect, reading)
    world.faults.fails, world.faults.loses_answer, world.faults.refuses_connection = 0.1, 0.1, 0.05
    world.faults.straggles, world.server.throttles, world.faults.latency = 0.1, 0.05, (0.05, 2.0)
    world.life(20, bad=0.03)
    service = world.service()
    for _ in range(8):
        _stall(world, chance)
        world.run(service, chance.choice([0.3, 1, 6, 12]))
        world.life(4, bad=0.03)
        if chance.random() < 0.3:
            service.stop()
            service = world.service()
        for _ in range(chance.choice([0, 1, 1, 3])):
            world.kill()
            world.world.advance(chance.choice([0, 0, 1, 8]))
            service = world.service()
            for _ in range(chance.randrange(30)):
                service.step()
    _end(world, service)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("dialect", "reading"), KINDS)
def test_a_lost_disk_is_filled_anew(seed: int, dialect: Dialect, reading: Upsert) -> None:
    """What was settled is kept and not sent again; what was not is, and what vanishes later is still deleted."""
    world = FamilyWorld(seed + 100, dialect, reading)
    world.life(25)
    service = world.service()
    world.run(service, 60)
    world.kill(disk=True)
    service = world.service()
    assert world.run(service, 200)
    requests = len(world.server.requests)
    world.kill(disk=True)
    service = world.service()
    world.world.run(service, 200)
    assert len(world.server.requests) == requests
    world.life(25)
    _end(world, service)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(
    kind=st.sampled_from(KINDS),
    seed=st.integers(0, 1000),
    chance=st.randoms(use_true_random=False),
    script=st.lists(st.sampled_from(SCRIPT), max_size=16),
)
def test_any_interleaving_and_any_crash_converges(
    kind: tuple[Dialect, Upsert], seed: int, chance: random.Random, script: list[str]
) -> None:
    """What the shop does and where the process ends are drawn: the least story that goes wrong is shown.

    At every request what is there, and what is sent, is written down; at the end Replenit holds what the tables do.
    """
    world = FamilyWorld(seed, *kind, chance=chance)
    service = world.service()
    for what in script:
        match what:
            case "trade":
                world.life(chance.randint(1, 3))
            case "read":
                world.run(service, chance.choice([0.1, 0.6, 2]))
            case "wait":
                world.run(service, 30)
            case "kill":
                world.kill()
                service = world.service()
            case "stop":
                service.stop()
                service = world.service()
            case "stall":
                _stall(world, chance)
            case "fail":
                world.faults.fails = world.faults.loses_answer = 0.2
    _end(world, service)


@pytest.mark.parametrize("dialect", Dialect)
def test_a_quiet_shop_costs_nothing_after_a_restart(dialect: Dialect) -> None:
    """Neither after a stop nor after a kill, nor for a snapshot, is anything sent that is there."""
    world = FamilyWorld(7, dialect, Upsert.REPLACE)
    world.life(40)
    service = world.service()
    assert world.run(service, 300)
    requests = len(world.server.requests)
    service.stop()
    world.world.run(world.service(), 120)
    world.kill()
    world.shop.snapshot()
    service = world.service()
    assert world.run(service, 200)
    assert len(world.server.requests) == requests


@pytest.mark.parametrize("dialect", Dialect)
def test_a_shop_arrives_over_a_store_on_disk(dialect: Dialect, tmp_path: Path) -> None:
    """Killed again and again, and opened anew: the real store keeps what the one in memory does."""
    world = FamilyWorld(11, dialect, Upsert.MERGE)
    world.faults.loses_answer = 0.1
    chance = random.Random(11)
    for _ in range(6):
        store = open_store(tmp_path, "a mapping").store
        world.use(store)
        service = world.service()
        for _ in range(chance.randrange(20, 150)):
            service.step()
        world.life(8, bad=0.03)
        store.close()
    store = open_store(tmp_path, "a mapping").store
    world.use(store)
    service = world.service()
    _end(world, service)
    registry = service._metrics.registry  # noqa: SLF001
    told = {
        part: registry.get_sample_value("connector_store_bytes", {"part": part}) for part in ("used", "free", "log")
    }
    assert all(size is not None for size in told.values())
    assert told["used"] == store.sizes()["used"] > 10_000
    store.close()


def test_what_a_backlog_costs() -> None:
    """A load of new families costs about as many requests as full batches, and no DELETE."""
    world = FamilyWorld(3, Dialect.DEFAULT, Upsert.MERGE)
    _orders(world, 900)
    world.world.interleaves = False
    assert world.run(world.service(), 300)
    assert world.differences() == []
    assert len(world.server.requests) <= 900 / 200 + 2


def test_what_waits_on_disk_is_counted() -> None:
    """Few documents are in memory at a time; the metrics tell of all that waits, since when, and what it takes."""
    world = FamilyWorld(3, Dialect.DEFAULT, Upsert.MERGE)
    _orders(world, 600)
    world.world.faults.down = True
    service = world.service(PENDING_MAX_KEYS="100")
    world.world.run(service, 60)

    def metric(name: str, **labels: str) -> float:
        return service._metrics.registry.get_sample_value(f"connector_{name}", labels) or 0.0  # noqa: SLF001

    assert service._pending.entries(Entity.ORDERS) <= 50  # noqa: SLF001
    assert metric("pending_records", entity="orders") == 600
    assert metric("backlog_drain_seconds") > 2
    assert 0 < metric("oldest_unacked_timestamp_seconds", entity="orders") <= world.world.now
    world.world.faults.down = False
    _end(world, service)
    world.world.run(service, 10)
    assert metric("pending_records", entity="orders") == metric("backlog_drain_seconds") == 0


def test_what_is_in_memory_is_bounded_by_bytes() -> None:
    """Documents wait on disk once half of PENDING_MAX_BYTES is taken, and no topic pauses; all are sent in the end."""
    world = FamilyWorld(3, Dialect.DEFAULT, Upsert.MERGE)
    _orders(world, 1200)
    world.world.faults.down = True
    service = world.service(PENDING_MAX_BYTES="1MB")
    fullest = 0
    for _ in range(60):
        world.world.run(service, 1)
        fullest = max(fullest, service._pending.bytes(Entity.ORDERS))  # noqa: SLF001
    assert 450_000 < fullest < 510_000
    assert service.status["lanes"]["orders"]["waiting"] == 1200  # type: ignore[index]
    assert not service._ownership.paused  # noqa: SLF001
    world.world.faults.down = False
    _end(world, service)


def test_a_lost_disk_is_refused_where_the_topics_have_lost_rows() -> None:
    """Retention has deleted what was kept: only a compacted topic holds every key still."""
    world = FamilyWorld(1, Dialect.FULL, Upsert.REPLACE)
    world.life(30)
    service = world.service()
    assert world.run(service, 300)
    for partition, log in world.shop.log.items():
        world.world.low[partition] = min(1, len(log))
    world.kill(disk=True)
    with pytest.raises(ConfigurationError, match="STATE_DIR"):
        world.world.run(world.service(), 30)


def test_what_retention_deletes_after_it_was_kept_is_not_missed() -> None:
    """An intact store has the rows: nothing is told to be missed, be it sent or not, and all of it is sent."""
    world = FamilyWorld(2, Dialect.FULL, Upsert.REPLACE)
    world.life(30)
    service = world.service()
    assert world.run(service, 300)
    world.faults.down = True
    world.life(30)
    world.world.run(service, 60)
    service.stop()
    world.faults.down = False
    for partition, log in world.shop.log.items():
        world.world.low[partition] = len(log)
    service = world.service()
    world.life(30)
    _end(world, service)
    for partition in world.shop.log:
        assert not service._metrics.registry.get_sample_value(  # noqa: SLF001
            "connector_retention_gap_records_total", {"topic": partition.topic}
        )


def test_what_retention_deletes_while_the_group_is_forgotten_is_told() -> None:
    """The store knows how far it has read, although Kafka has let the group's offsets expire."""
    world = FamilyWorld(2, Dialect.FULL, Upsert.REPLACE)
    world.life(30)
    service = world.service()
    assert world.run(service, 300)
    service.stop()
    read = {partition: len(log) for partition, log in world.shop.log.items()}
    world.life(30)
    for partition, log in world.shop.log.items():
        world.world.low[partition] = len(log)
    world.world.committed.clear()
    service = world.service()
    world.world.run(service, 300)
    lost = Counter[str]()
    for partition, log in world.shop.log.items():
        lost[partition.topic] += len(log) - read[partition]
    assert lost.total()
    for topic, records in lost.items():
        told = service._metrics.registry.get_sample_value("connector_retention_gap_records_total", {"topic": topic})  # noqa: SLF001
        assert (told or 0) == records


def test_a_log_that_was_cut_goes_on_with_other_records() -> None:
    """An unclean leader has lost the end of a log: what comes at its offsets was never read, and is not settled."""
    world = FamilyWorld(5, Dialect.FULL, Upsert.REPLACE)
    _orders(world, 8)
    service = world.service()
    assert world.run(service, 300)
    partition, log = next((place, log) for place, log in world.shop.log.items() if place.topic == "shop.orders" and log)
    del log[-2:]
    end = len(log)
    there = [number for number in range(1, 9) if world.shop.partition("orders", number) == partition]
    for number in [there[0], there[0], *[there[1]] * 4]:
        world.touch("orders", (number,))
    service._source.seek(partition, end)  # noqa: SLF001 (Kafka's part is played here)
    world.world.run(service, 60)
    assert world.run(service, 300)
    assert [each for each in world.differences() if "commit back" not in each] == []


def test_a_table_without_a_topic_stops_its_lane_alone() -> None:
    """It says which topic is missing, the process and the other lanes go on; once it is there, everything arrives."""
    world = FamilyWorld(4, Dialect.FULL, Upsert.REPLACE)
    world.life(20)
    _orders(world, 3)
    missing = {place: log for place, log in world.world.log.items() if place.topic == "shop.item_prices"}
    for place in missing:
        del world.world.log[place]
    service = world.service()
    world.world.run(service, 60)
    suspended = service._suspensions.get(Lane.ORDERS, SuspendReason.TOPIC_MISSING)  # noqa: SLF001
    assert suspended is not None
    assert "shop.item_prices" in suspended.detail
    endpoints = {batch.request.endpoint.value for _, batch in world.server.requests}
    assert "upsert_products" in endpoints
    assert not any("order" in endpoint for endpoint in endpoints)
    world.world.log.update(missing)
    source = service._source  # noqa: SLF001 (Kafka's part is played here)
    source._positions.update(dict.fromkeys(missing, 0))  # type: ignore[attr-defined] # noqa: SLF001 (likewise)
    source._owner.assigned(list(missing))  # type: ignore[attr-defined] # noqa: SLF001 (likewise)
    _end(world, service)
    assert service._suspensions.get(Lane.ORDERS, SuspendReason.TOPIC_MISSING) is None  # noqa: SLF001


def test_nothing_is_sent_while_another_process_has_some_of_the_partitions() -> None:
    """Its lane is suspended and says so; once they are back what was missed is read first."""
    world = FamilyWorld(4, Dialect.FULL, Upsert.REPLACE)
    _orders(world, 8)
    service = world.service()
    assert world.run(service, 300)
    elsewhere = [Partition("shop.order_items", 1)]
    source = service._source  # noqa: SLF001 (Kafka's part is played here)
    source.take_away(elsewhere)  # type: ignore[attr-defined] # it is a simulated one
    requests = len(world.server.requests)
    for number in range(1, 9):
        world.shop.update("orders", (number,), revenue=2)
        world.shop.update("order_items", (number,), quantity=60)
        world.shop.commit()
    world.world.run(service, 60)
    orders = [batch for _, batch in world.server.requests[requests:] if "order" in batch.request.endpoint]
    assert orders == []
    suspended = service._suspensions  # noqa: SLF001
    assert suspended.get(Lane.ORDERS, SuspendReason.PARTITIONS_ELSEWHERE) is not None
    waiting = partial(service._metrics.registry.get_sample_value, "connector_pending_records", {"entity": "orders"})  # noqa: SLF001
    assert waiting() == 8
    topics = {"shop.orders", "shop.order_items", "shop.item_prices"}
    rest = [each for each in world.shop.log if each.topic in topics and each not in elsewhere]
    source.take_away(rest)  # type: ignore[attr-defined] # likewise
    world.world.run(service, 10)
    assert waiting() == 0, "they are another process's to send"
    source.give_back(rest)  # type: ignore[attr-defined] # likewise
    source.give_back(elsewhere)  # type: ignore[attr-defined] # likewise
    world.world.run(service, 60)
    _end(world, service)
    assert suspended.get(Lane.ORDERS, SuspendReason.PARTITIONS_ELSEWHERE) is None
