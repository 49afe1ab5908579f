"""Replays of documents that are made of several tables: the family is sent as it is kept."""

from __future__ import annotations

import random

import pytest
from family_shop import Dialect
from family_world import FamilyWorld
from replayed_world import Commands
from simulation import settings

from connector.core.events import Entity
from connector.sandbox.state import Upsert


@pytest.mark.parametrize("seed", [1, 2, 4, 8])
@pytest.mark.parametrize("dialect", Dialect)
def test_replays_of_families_among_changes_and_kills_converge(seed: int, dialect: Dialect) -> None:
    """What the API refused for a while is there in the end as the tables say, and no letter is left."""
    assert _differences(seed, dialect) == []


def _differences(seed: int, dialect: Dialect) -> list[str]:
    """Let a shop live with an API that refuses half of its documents, and replay; what is wrong in the end."""
    world = FamilyWorld(seed, dialect, Upsert.REPLACE)
    shop, chance = world.world, random.Random(seed)
    topics = {f"TOPIC_{entity.upper()}": f"shop.{entity}" for entity in ("customers", "orders", "products")}
    commands = Commands(shop, settings(MAPPING=world.shop.mapping, STATE_DIR="/state", **topics))
    world.shop.log = {partition: log for partition, log in shop.log.items() if partition.topic.startswith("shop.")}
    world.life(30)
    service = world.service()
    refused = 0
    for turn in range(12):
        there = [identifier for entity in Entity for identifier in world.server.state.documents(entity.value)]
        world.server.poisoned = {each for each in there if chance.random() < 0.5}
        world.life(10)
        world.run(service, chance.choice([20, 40, 120]))
        refused += len(commands.open_letters())
        if chance.random() < 0.5:
            commands.write(commands.ask())
            world.run(service, chance.choice([0, 1, 4]))
        if turn % 4 == 3:
            world.kill()
            service = world.service()
    assert refused
    world.server.poisoned = set()
    for _ in range(10):
        assert world.run(service, 3600)
        if not commands.open_letters():
            break
        commands.write(commands.ask())
    assert commands.open_letters() == []
    return world.differences()
