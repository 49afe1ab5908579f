"""Rows that come into the mapping's filter and leave it, in the simulated world: what passes is at Replenit."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from simulation import World

from connector.mapping_setting import DEFAULT_MAPPING

if TYPE_CHECKING:
    from connector.service import Service

MAPPING = DEFAULT_MAPPING.read_text(encoding="utf-8").replace(
    "\norders:\n", "\norders:\n  when: { state: { not: [cart, draft] } }\n"
)


def service(world: World) -> Service:
    return world.service(MAPPING=MAPPING)


def shop(world: World, steps: int, *, keys: int = 15) -> None:
    """So many changes of orders; some tell what the row was."""
    for _ in range(steps):
        identifier = f"o{world.random.randrange(keys)}"
        if world.random.random() < 0.15:
            world.delete("orders", identifier, tombstone=world.random.random() < 0.5)
        else:
            state = world.random.choice(["cart", "draft", "paid", "sent"])
            world.write("orders", identifier, with_before=world.random.random() < 0.3, state=state)


def wrong(world: World) -> list[str]:
    """Orders that are not as the table has them, and promises that were broken."""
    passing = {name: row for name, row in world.tables["orders"].items() if row["state"] not in ("cart", "draft")}
    expected = {name: world.versions["orders", name] for name in passing}
    actual = {name: document["TotalQuantity"] for name, document in world.server.state["orders"].items()}
    differ = sorted(name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name))
    return [f"{name}: expected {expected.get(name)}, found {actual.get(name)}" for name in differ] + world.server.broken


@pytest.mark.parametrize("seed", range(4))
def test_rows_that_come_and_go_converge(seed: int) -> None:
    """With faults, kills at any moment and snapshots in between."""
    world = World(seed)
    world.faults.fails = 0.1
    world.faults.loses_answer = 0.05
    world.faults.latency = (0.05, 2.0)
    chance = random.Random(seed)
    for _ in range(6):
        running = service(world)
        for _ in range(chance.randrange(1, 20)):
            shop(world, 4)
            if chance.random() < 0.1:
                world.snapshot()
            world.run(running, chance.uniform(0, 4))
        if chance.random() < 0.3:
            running.stop()
        world.advance(chance.choice([0, 1, 8]))
    assert world.run(service(world), 3600, world.settled)
    assert wrong(world) == []


def test_carts_cost_nothing() -> None:
    """A thousand changes of carts that are never bought; after a restart, one DELETE each."""
    world = World(7)
    running = service(world)
    world.run(running, 60)
    for turn in range(200):
        for number in range(5):
            world.write("orders", f"o{number}", state="cart", note=turn)
        world.run(running, 1)
    assert world.run(running, 60, world.settled)
    assert not world.server.arrivals
    running.stop()
    again = service(world)
    for turn in range(20):
        for number in range(5):
            world.write("orders", f"o{number}", state="cart", note=turn)
        world.run(again, 20)
    assert world.run(again, 600, world.settled)
    assert len(world.server.arrivals) == 5
    assert wrong(world) == []


def test_a_delete_that_the_api_refuses_is_a_dead_letter_and_tried_again_by_the_next_change() -> None:
    """Nothing that came after it hides it."""
    world = World(8)
    running = service(world)
    world.write("orders", "o1", state="paid")
    assert world.run(running, 120, world.settled)
    world.faults.deletes = 422
    world.write("orders", "o1", with_before=True, state="cart")
    for _ in range(30):
        world.write("orders", "o1", with_before=True, state="cart", note=world.now)
        world.run(running, 0.5)
    assert world.run(running, 600, world.settled)
    assert len(world.letters) >= 1
    world.faults.deletes = 200
    world.write("orders", "o1", state="draft")
    assert world.run(running, 600, world.settled)
    assert wrong(world) == []
