"""Tables without a key on a topic of one partition, while Kafka does not say how many partitions there are."""

from __future__ import annotations

from dataclasses import replace

from simulation import TOPICS, World

from connector.core.events import Partition

ORDERS = Partition(TOPICS["orders"], 0)


def _world() -> World:
    world = World(1)
    for partition in [each for each in world.log if each.topic == ORDERS.topic and each != ORDERS]:
        del world.log[partition]
    world.moved_to = {"o1": 0}
    return world


def _write(world: World) -> None:
    """Write an order's row, in a record without a key."""
    world.write("orders", "o1")
    world.log[ORDERS][-1] = replace(world.log[ORDERS][-1], key=None)


def test_a_record_without_a_key_waits_until_the_partitions_are_counted() -> None:
    """It is neither refused nor taken in before, and what is behind it comes after it."""
    world = _world()
    world.counts_known_at = world.now + 20
    _write(world)
    _write(world)
    service = world.service()
    assert not world.run(service, 19, lambda: bool(world.letters))
    assert service.settled() == 0
    assert not world.server.state
    assert world.run(service, 60, world.settled)
    assert world.letters == []
    assert world.server.broken + world.differences() == []


def test_a_rebalance_that_is_not_followed_by_a_count_ends_nothing() -> None:
    """What was known of the topic is taken for true meanwhile: no more can be sent than before it is counted again."""
    world = _world()
    _write(world)
    service = world.service()
    assert world.run(service, 60, world.settled)
    world.counts_known_at = world.now + 20
    [moved, *_] = [partition for partition in world.log if partition != ORDERS]
    world.committed.setdefault(moved, replace(world.committed[ORDERS], offset=0))
    world.sources[-1].take_away([moved])
    world.sources[-1].give_back([moved])
    sent = len(world.server.arrivals)
    _write(world)
    world.run(service, 19)
    assert len(world.server.arrivals) == sent
    assert world.run(service, 60, world.settled)
    assert world.letters == []
    assert world.server.broken + world.differences() == []
