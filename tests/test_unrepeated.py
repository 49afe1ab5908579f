"""What is sent and not read again after a crash, in the simulated world."""

from __future__ import annotations

import pytest
from simulation import World


@pytest.mark.parametrize("seed", range(4))
def test_a_second_sending_in_flight_at_a_kill_does_not_come_after_a_newer_state(seed: int) -> None:
    """The server may apply it after the process is gone, and nothing that is read again tells of it."""
    world = World(seed)
    service = world.service(CUSTOMER_DELETE_SETTLE="60")
    world.write("customers", "c1")
    world.run(service, 20)
    world.delete("customers", "c1")
    world.run(service, 20)
    world.write("customers", "c1")
    world.run(service, 20)
    sent = world.server.purposes.total()
    world.faults.loses_answer = 1.0
    assert world.run(service, 120, lambda: world.server.purposes.total() > sent)
    world.faults.loses_answer = 0.0
    service = world.service(CUSTOMER_DELETE_SETTLE="60")
    world.run(service, 2)
    world.write("customers", "c1")
    assert world.run(service, 600, world.settled)
    world.advance(60)
    assert world.server.broken + world.differences() == []


def test_commits_say_again_that_all_is_read_again() -> None:
    """Half a minute after the last such thing a kill costs its successor no more than any other."""
    world = World(1)
    service = world.service(CUSTOMER_DELETE_SETTLE="60")
    world.write("customers", "c1")
    world.run(service, 20)
    world.delete("customers", "c1")
    world.run(service, 20)
    world.write("customers", "c1")
    assert world.run(service, 120, lambda: any(commit.mark.beyond for commit in world.committed.values()))
    assert world.run(service, 60, lambda: not any(commit.mark.beyond for commit in world.committed.values()))
