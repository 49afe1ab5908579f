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


class Refused:
    """A shop of which an order's newest state, revenue 77, was refused, and what refused it is mended."""

    def __init__(self, seed: int, reading: Upsert = Upsert.REPLACE, *, one_item_less: bool = False) -> None:
        self.world, self.commands = _begin(seed, Dialect.FULL, reading)
        shop, server = self.world.shop, self.world.server
        self.world.life(30)
        service = self.world.service()
        self.world.run(service, 200)
        documents = server.state.documents("orders")
        least = 2 if one_item_less else 1
        self.id = min(each for each, document in documents.items() if len(document["OrderItems"]) >= least)
        self.key = next(key for key, row in shop.rows["orders"].items() if str(row["number"]) == self.id)
        server.poisoned = {self.id}
        if one_item_less:
            shop.delete("order_items", shop.of("order_items", self.key[0])[0])
        self.world.touch("orders", self.key, revenue=77)
        assert self.world.run(service, 200)
        assert self.commands.open_letters()
        server.poisoned = set()
        self.service = service

    def kill(self) -> None:
        """The process goes with its store, and another one comes."""
        self.world.kill(disk=True)
        self.service = self.world.service()

    def mend(self) -> list[str]:
        """Replay until nothing is open; what is wrong then."""
        for _ in range(6):
            assert self.world.run(self.service, 3600)
            if not self.commands.open_letters():
                return self.world.differences()
            self.commands.write(self.commands.ask())
        return ["it never ends"]


def test_a_replay_that_was_not_sent_yet_outlives_the_store() -> None:
    """Its place is kept until the document has gone: the next process begins with another store."""
    refused = Refused(1)
    refused.world.faults.down = True
    refused.commands.write(refused.commands.ask())
    refused.world.run(refused.service, 60)
    refused.kill()
    refused.world.faults.down = False
    assert refused.mend() == []


@pytest.mark.parametrize("seed", [1, 5, 6])
def test_a_replay_in_flight_does_not_come_after_a_newer_state(seed: int) -> None:
    """The server may be at work on it after the process has gone with its store."""
    refused = Refused(seed)
    world = refused.world
    world.faults.loses_answer = 1.0
    sent = len(world.server.requests)
    refused.commands.write(refused.commands.ask())
    assert world.world.run(refused.service, 60, lambda: len(world.server.requests) > sent)
    world.faults.loses_answer = 0.0
    refused.kill()
    world.world.run(refused.service, 13)
    world.touch("orders", refused.key, revenue=78)
    assert refused.mend() == []


@pytest.mark.parametrize("seed", [1, 5])
def test_items_that_a_refused_document_lacks_are_deleted_by_another_store(seed: int) -> None:
    """The letter tells what may be there: a store that was filled anew since takes it for settled."""
    refused = Refused(seed, Upsert.MERGE, one_item_less=True)
    refused.kill()
    assert refused.world.run(refused.service, 300)
    assert refused.mend() == []


def test_a_document_whose_delete_was_refused_is_deleted_by_another_store() -> None:
    """As above, of a whole document."""
    world, commands = _begin(1, Dialect.FULL, Upsert.REPLACE)
    world.life(30)
    service = world.service()
    world.run(service, 200)
    identifier = min(world.server.state.documents("orders"))
    key = next(key for key, row in world.shop.rows["orders"].items() if str(row["number"]) == identifier)
    world.server.kept = {identifier}
    world.shop.delete("orders", key)
    world.shop.commit()
    assert world.run(service, 300)
    assert len(commands.open_letters()) == 1
    world.server.kept = set()
    world.kill(disk=True)
    service = world.service()
    assert world.run(service, 300)
    commands.write(commands.ask())
    assert world.run(service, 3600)
    assert commands.open_letters() == []
    assert world.differences() == []


def _begin(seed: int, dialect: Dialect, reading: Upsert) -> tuple[FamilyWorld, Commands]:
    """A shop with a topic of replays."""
    world = FamilyWorld(seed, dialect, reading)
    shop = world.world
    topics = {f"TOPIC_{entity.upper()}": f"shop.{entity}" for entity in ("customers", "orders", "products")}
    commands = Commands(shop, settings(MAPPING=world.shop.mapping, STATE_DIR="/state", **topics))
    world.shop.log = {partition: log for partition, log in shop.log.items() if partition.topic.startswith("shop.")}
    return world, commands


def _differences(seed: int, dialect: Dialect) -> list[str]:
    """Let a shop live with an API that refuses half of its documents, and replay; what is wrong in the end."""
    world, commands = _begin(seed, dialect, Upsert.REPLACE)
    chance = random.Random(seed)
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
