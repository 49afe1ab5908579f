"""A wall clock that jumps: everything is timed by the monotonic one, and what a successor reads of it can only wait."""

from __future__ import annotations

import random

import pytest
from simulation import SimulatedSender, SimulatedSource, SimulatedTopic, World, settings

from connector.metrics import Metrics
from connector.service import Clocks, Service

DAY = 86_400.0


class Jumping(World):
    """A world in which the wall clock is `ahead` of time by so many seconds."""

    ahead = 0.0

    def jumping_service(self) -> Service:
        service = Service(
            settings(),
            SimulatedSource(self),
            SimulatedSender(self),
            SimulatedTopic(self),
            metrics=Metrics(),
            clocks=Clocks(lambda: self.now, lambda: self.now + self.ahead),
        )
        service.start()
        return service


@pytest.mark.parametrize("seed", range(3))
def test_jumps_lose_nothing_and_delay_a_takeover_by_a_minute_at_most(seed: int) -> None:
    """Days forward and back, within a life and between a kill and its successor, with requests in flight."""
    world = Jumping(seed)
    world.faults.loses_answer = 0.05
    chance = random.Random(seed)
    for _ in range(10):
        world.ahead = chance.choice([0.0, DAY, -DAY, 40 * DAY, -1.0])
        service = world.jumping_service()
        for _ in range(chance.randrange(2, 12)):
            for number in range(4):
                world.write("orders", f"o{chance.randrange(20) + number}")
            world.run(service, chance.uniform(0, 4))
            world.ahead += chance.choice([0.0, 0.0, DAY, -2 * DAY])
    world.ahead = -DAY
    world.faults.loses_answer = 0.0
    began, service = world.now, world.jumping_service()
    assert world.run(service, 600, world.settled)
    assert world.now - began < 60 + 45
    assert world.server.broken == world.differences() == []
    assert world.server.fullest(60) <= 100
