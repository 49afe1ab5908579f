"""Replays in the simulated world: no key goes back in time, whatever is between the look and the sending."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from replayed_world import REPLAYS, ReplayedWorld

from connector.core.events import Entity, Partition
from connector.core.replays import Memory
from connector.sandbox.state import State, Upsert

if TYPE_CHECKING:
    from connector.service import Service

SEEDS = range(6)
KEYS = 25
BROKEN = """
version: 1
orders:
  fields:
    OrderId: order_id
    CustomerId: customer_id
    Currency: { column: currency, values: { pound: GBP } }
    OrderItems: { column: order_items, fields: { ProductId: product_id, Sku: sku, Quantity: quantity, Price: price } }
"""


def _change(world: ReplayedWorld, steps: int) -> None:
    for _ in range(steps):
        entity = world.random.choice(["customers", "orders", "products"])
        identifier = f"{entity[0]}{world.random.randrange(KEYS)}"
        if world.random.random() < 0.15:
            world.delete(entity, identifier)
        else:
            world.write(entity, identifier)


def _poison(world: ReplayedWorld, share: float) -> None:
    keys = [(entity, f"{entity[0]}{n}") for entity in ("customers", "orders", "products") for n in range(KEYS)]
    world.faults.poisoned = {key for key in keys if world.random.random() < share}


def _mend(world: ReplayedWorld, service: Service) -> list[str]:
    """Replay until nothing is open; what is wrong then."""
    world.faults.poisoned = set()
    world.faults.down = False
    for _ in range(20):
        assert world.run(service, 3600, world.settled)
        if not world.open_letters():
            return world.server.broken + world.differences()
        world.write_replays(world.ask())
    return ["it never ends"]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_replay_sends_the_newest_state_of_what_was_refused(seed: int) -> None:
    """Once what refused them is mended, one replay makes Replenit hold what the tables say, and leaves none open."""
    world = ReplayedWorld(seed)
    _poison(world, 0.2)
    service = world.service()
    for _ in range(10):
        _change(world, 20)
        world.run(service, 20)
    assert world.run(service, 600, world.settled)
    assert world.open_letters()
    world.faults.poisoned = set()
    world.write_replays(world.ask())
    assert world.run(service, 600, world.settled)
    assert world.open_letters() == []
    assert world.server.broken + world.differences() == []


@pytest.mark.parametrize("seed", SEEDS)
def test_replays_among_changes_kills_and_faults_turn_nothing_back(seed: int) -> None:
    """What is looked for now and written later, between changes, kills and lost answers: all converges."""
    world = ReplayedWorld(seed)
    chance = random.Random(seed)
    world.faults.loses_answer = 0.05
    world.faults.latency = (0.05, 2.0)
    world.faults.straggles = 0.05
    world.interleaves = True
    asked = []
    for _ in range(8):
        service = world.service()
        for _ in range(chance.randrange(2, 20)):
            _poison(world, chance.choice([0, 0, 0.15]))
            _change(world, chance.choice([0, 1, 5]))
            world.faults.down = chance.random() < 0.2
            world.run(service, chance.choice([0.2, 1, 4, 15]))
            if chance.random() < 0.4:
                asked.append(world.ask())
            if asked and chance.random() < 0.5:
                world.write_replays(asked.pop(chance.randrange(len(asked))))
        if chance.random() < 0.3:
            service.stop()
        world.advance(chance.choice([0, 1, 8]))
    assert _mend(world, world.service()) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_partitions_that_go_and_come_back_lose_no_replay(seed: int) -> None:
    """Of a partition that another process takes over nothing is replayed here, and its letters are open again."""
    world = ReplayedWorld(seed)
    chance = random.Random(seed)
    world.faults.latency = (0.05, 2.0)
    service = world.service()
    source = world.sources[-1]
    places = [partition for partition in world.log if partition != REPLAYS]
    for _ in range(25):
        _poison(world, chance.choice([0, 0.2]))
        _change(world, 4)
        world.faults.down = chance.random() < 0.3
        world.run(service, chance.choice([0.2, 1, 4]))
        world.write_replays(world.ask())
        world.run(service, chance.choice([1, 3, 6]))
        gone = chance.sample(places, 3) + ([REPLAYS] if chance.random() < 0.2 else [])
        source.take_away(gone)
        world.run(service, chance.choice([0, 1, 6]))
        source.give_back(gone)
    assert _mend(world, service) == []


def test_a_replay_waits_until_the_gate_is_open() -> None:
    """What is sent must not be older than what a predecessor sent, who may have read further."""
    world = ReplayedWorld(1)
    world.faults.poisoned = {("orders", "o1")}
    world.write("orders", "o1")
    service = world.service()
    assert world.run(service, 60, lambda: len(world.letters) == 1)
    service.stop()
    world.faults.poisoned = set()
    world.write_replays(world.ask())
    world.bounds_known_at = world.now + 20
    service = world.service()
    world.run(service, 15)
    assert service._pending.entries(Entity.ORDERS) == 0  # noqa: SLF001 (it must not even wait there)
    assert world.run(service, 60, world.settled)
    assert world.differences() == []


def test_more_changes_than_are_remembered_put_a_replay_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the memory does not reach back to where the command looked, nothing is sent and the letter is open."""
    monkeypatch.setattr(Memory, "most", 50)
    world = ReplayedWorld(2)
    world.faults.poisoned = {("orders", "o1")}
    world.write("orders", "o1")
    service = world.service()
    assert world.run(service, 60, lambda: len(world.letters) == 1)
    world.faults.poisoned = set()
    replays = world.ask()
    for number in range(200):
        world.write("orders", f"o{number + 2}")
    world.run(service, 60)
    world.write_replays(replays)
    assert world.run(service, 60, world.settled)
    assert "o1" not in world.server.state["orders"]
    assert [letter.reason for letter in world.open_letters()] == ["rejected"]
    world.write_replays(world.ask())
    assert world.run(service, 60, world.settled)
    assert world.differences() == []
    assert world.open_letters() == []


def test_a_row_that_was_deleted_meanwhile_is_deleted() -> None:
    """The newest record of a dead letter's row may be its delete, or the tombstone behind it."""
    world = ReplayedWorld(3)
    world.write("orders", "o1")
    service = world.service()
    assert world.run(service, 60, world.settled)
    world.faults.poisoned = {("orders", "o1")}
    world.write("orders", "o1")
    assert world.run(service, 60, lambda: len(world.letters) == 1)
    world.faults.poisoned = set()
    world.faults.deletes = 400  # and the delete is refused as well
    world.delete("orders", "o1")
    assert world.run(service, 60, lambda: len(world.letters) == 2)
    world.faults.deletes = 200
    world.write_replays(world.ask())
    assert world.run(service, 60, world.settled)
    assert world.differences() == []
    assert world.open_letters() == []


def test_a_delete_that_was_missed_is_made_up_for() -> None:
    """A tombstone of `reconcile` deletes the row, unless something newer of it was read."""
    world = ReplayedWorld(4)
    for identifier in ("o1", "o2"):
        world.write("orders", identifier)
    service = world.service()
    assert world.run(service, 60, world.settled)
    del world.tables["orders"]["o1"]  # and the log never tells
    records = {record.key: record for log in world.log.values() for record in log}
    missed = {
        ("orders", identifier): replace(records[f'{{"order_id": "{identifier}"}}'.encode()], value=None)
        for identifier in ("o1", "o2")
    }
    replays = world.ask(missed=missed)
    world.write("orders", "o2")
    assert world.run(service, 60, world.settled)
    world.write_replays(replays)
    assert world.run(service, 60, world.settled)
    assert world.differences() == []


def _refused(world: ReplayedWorld) -> Service:
    """An order whose first state was refused; a service that has settled it, and what refused it is mended."""
    world.faults.poisoned = {("orders", "o1")}
    world.write("orders", "o1")
    service = world.service()
    assert world.run(service, 60, lambda: len(world.letters) == 1)
    assert world.run(service, 60, world.settled)
    world.faults.poisoned = set()
    return service


def test_a_replay_whose_partition_goes_is_a_letter_again() -> None:
    """What was waiting to be sent is dropped with its partition, and not forgotten."""
    world = ReplayedWorld(5)
    service = _refused(world)
    world.faults.down = True
    world.write_replays(world.ask())
    assert world.run(service, 60, lambda: service._pending.entries(Entity.ORDERS) == 1)  # noqa: SLF001 (it is under way)
    orders = [partition for partition in world.log if partition.topic == "shop.orders"]
    world.sources[-1].take_away(orders)
    world.faults.down = False
    assert world.run(service, 60, lambda: len(world.open_letters()) == 1)
    assert not world.server.state["orders"]
    world.sources[-1].give_back(orders)
    assert _mend(world, service) == []


@pytest.mark.parametrize("seed", range(5))
def test_a_replay_in_flight_at_a_kill_does_not_come_after_a_newer_state(seed: int) -> None:
    """The server may apply it after the process is gone: what its successor reads of the row waits for that."""
    world = ReplayedWorld(seed)
    service = _refused(world)
    world.faults.loses_answer = 1.0
    sent = len(world.server.arrivals) + world.server.purposes.total()
    world.write_replays(world.ask())
    assert world.run(service, 60, lambda: len(world.server.arrivals) + world.server.purposes.total() > sent)
    world.faults.loses_answer = 0.0
    service = world.service()
    world.run(service, 2)  # from here on what is read need not wait, but for what the last owner said
    world.write("orders", "o1")
    assert _mend(world, service) == []


def test_who_keeps_replays_alone_is_not_halted_for_ever() -> None:
    """He has nothing with which to try whether the key works again; he is free once the tables are his again."""
    world = ReplayedWorld(7)
    world.faults.unauthorized = True
    world.write("orders", "o1")
    service = world.service()
    halting = service._dispatch.halting  # noqa: SLF001
    assert world.run(service, 60, lambda: halting.halt is not None)
    tables = [partition for partition in world.log if partition != REPLAYS]
    world.sources[-1].take_away(tables[1:])
    assert not world.run(service, 60, lambda: halting.halt is None)
    world.sources[-1].take_away(tables[:1])
    assert world.run(service, 5, lambda: halting.halt is None)
    assert service._ownership.partitions == (REPLAYS,)  # noqa: SLF001
    world.faults.unauthorized = False
    world.sources[-1].give_back(tables)
    assert _mend(world, service) == []


def test_what_another_service_is_asked_for_is_left_to_it() -> None:
    """Two services may share a dead-letter topic: neither sends the other's rows, nor gives them back."""
    world = ReplayedWorld(6)
    service = _refused(world)
    world.write_replays([replace(replay, group="another") for replay in world.ask()])
    assert world.run(service, 60, world.settled)
    assert not world.server.state["orders"]
    assert len(world.letters) == 1


def _write_items(world: ReplayedWorld, before: str, after: str) -> None:
    """An order whose items are these letters, as MySQL logs its change."""

    def row(skus: str) -> dict[str, object]:
        items = json.dumps([{"product_id": "p", "sku": sku, "quantity": 1, "price": 2} for sku in skus])
        return {"order_id": "o1", "customer_id": "c", "currency": "EUR", "order_items": items}

    position = len(world.log[Partition("shop.orders", 0)])
    source = {"connector": "mysql", "snapshot": "false", "file": "binlog.1", "pos": position, "row": 0, "ts_ms": 1}
    value = {"before": row(before), "after": row(after), "op": "u", "source": source}
    world.emit_raw("orders", 0, json.dumps({"order_id": "o1"}).encode(), json.dumps(value).encode())


def _skus(world: ReplayedWorld) -> list[str]:
    assert world.server.holds is not None
    return [item["Sku"] for item in world.server.holds.documents("orders")["o1"]["OrderItems"]]


def _removal_refused(how: str = "the API") -> ReplayedWorld:
    """Of the items a, b and c the last two are removed, which is refused; the process has ended since."""
    world = ReplayedWorld(5)
    world.server.holds = State(Upsert.MERGE, 0.0, late_deletes=False)
    alone = {"MAPPING": BROKEN, "TOPIC_CUSTOMERS": "", "TOPIC_PRODUCTS": ""}
    service = world.service()
    _write_items(world, "ab", "abc")
    assert world.run(service, 60, world.settled)
    world.faults.poisoned = {("orders", "o1")} if how == "the API" else set()
    service = world.service(**(alone if how == "the mapping" else {}))
    _write_items(world, "abc", "a")
    assert world.run(service, 200, lambda: len(world.letters) == 1)
    assert world.run(service, 60, world.settled)
    world.faults.poisoned = set()
    return world


@pytest.mark.parametrize("how", ["the mapping", "the API"])
def test_items_that_a_refused_change_removed_go_with_its_replay(how: str) -> None:
    """Neither the row's later change nor a process that did not read the refused one knows of them: the letter does."""
    world = _removal_refused(how)
    service = world.service()
    _write_items(world, "a", "ad")
    assert world.run(service, 120, world.settled)
    assert _skus(world) == ["a", "b", "c", "d"]
    world.write_replays(world.ask())
    assert world.run(service, 120, world.settled)
    assert _skus(world) == ["a", "d"]
    assert world.open_letters() == []


def test_a_replay_that_is_superseded_does_not_lose_them() -> None:
    """The change that came since the look tells nothing of them, so the letter is open again."""
    world = _removal_refused()
    service = world.service()
    assert world.run(service, 120, world.settled)
    asked = world.ask()
    _write_items(world, "a", "ad")
    world.write_replays(asked)
    assert world.run(service, 120, lambda: len(world.letters) == 2)
    assert _mend_items(world, service) == ["a", "d"]


def test_a_letter_stays_open_whose_items_a_replay_does_not_tell() -> None:
    """As one does that was asked for with a filter which the row's other letters do not pass."""
    world = _removal_refused()
    world.faults.poisoned = {("orders", "o1")}
    service = world.service()
    _write_items(world, "a", "ad")
    assert world.run(service, 200, lambda: len(world.letters) == 2)
    world.faults.poisoned = set()
    [removal, change] = world.open_letters()
    world.write_replays([replace(replay, leftovers=change.leftovers) for replay in world.ask()])
    assert world.run(service, 120, world.settled)
    assert world.open_letters() == [removal]
    assert _mend_items(world, service) == ["a", "d"]


def _mend_items(world: ReplayedWorld, service: Service) -> list[str]:
    world.write_replays(world.ask())
    assert world.run(service, 120, world.settled)
    assert world.open_letters() == []
    return _skus(world)
