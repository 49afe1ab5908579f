"""A simulated run is the same each time, whatever Python's hashes are: what a seed finds can be looked at again."""

from __future__ import annotations

import os
import subprocess
import sys

from group_simulation import Group
from simulation import World

FREE = {"RATE_LIMIT_PER_MINUTE": "2000", "RATE_LIMIT_PER_HOUR": "100000"}


def _live(late: float) -> None:
    """Let a shop live with two replicas, of which one dies or leaves now and then, and print each request that arrives.

    `late`: seconds after which Kafka knows the offsets.
    """
    world = World(1)
    world.interleaves = True
    world.faults.latency, world.faults.loses_answer = (0.05, 2.0), 0.05
    world.server.watch = lambda batch: print(f"{world.now:.3f} {batch.request}")  # noqa: T201 (the test reads it)
    group = Group(world)
    running = [group.service(FREE)[0]]
    for turn in range(4):
        running.append(group.service(FREE)[0])
        world.bounds_known_at = world.now + late
        for _ in range(60):
            entity = world.random.choice(["customers", "orders", "products"])
            change = world.random.choice([world.write, world.write, world.delete])
            change(entity, f"{entity[0]}{world.random.randrange(40)}")
        for _ in range(200):
            for service in running:
                service.step()
        old = running.pop(0)
        if turn % 2:
            old.stop()


def test_a_run_is_the_same_with_other_hashes() -> None:
    """What is sent, and when, follows no set's order."""
    path = os.pathsep.join(filter(None, sys.path))
    runs = [
        subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2", "3")
    ]
    [first, *others] = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert first.count("\n") > 80
    assert others == [first, first]


if __name__ == "__main__":
    for late in (0.0, 2.0):
        _live(late)
