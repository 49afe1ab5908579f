"""The fuzzer's targets over their seeds, and over what a fixed chance makes of these."""

from __future__ import annotations

from functools import cache
from random import Random

import pytest
from fuzz import seeds
from fuzz.targets import TARGETS

MUTATIONS = 1000


@cache
def corpus(target: str) -> list[bytes]:
    return list(seeds.of(target))


def mutated(data: bytes, others: list[bytes], chance: Random) -> bytes:
    """The data with a few bytes changed, taken out, repeated, or come from elsewhere."""
    octets = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(octets) + 1)
        to = min(len(octets), at + chance.randrange(1, 20))
        match chance.randrange(5):
            case 0 if octets:
                octets[min(at, len(octets) - 1)] = chance.randrange(256)
            case 1:
                del octets[at:to]
            case 2:
                octets[at:at] = octets[at:to] * chance.randrange(1, 5)
            case 3:
                other = chance.choice(others)
                start = chance.randrange(len(other) + 1)
                octets[at:at] = other[start : start + chance.randrange(1, 40)]
            case _:
                octets[at:to] = chance.choice(
                    [b"null", b"-1", b"1e999", b'""', b"[]", b"{}", b"\xff", b"\0", b"'", b": "]
                )
    return bytes(octets)


@pytest.mark.parametrize("target", TARGETS)
def test_every_seed_ends_as_documented(target: str) -> None:
    """What Debezium and the API write, and what is hostile: nothing is raised."""
    assert len(corpus(target)) > 10
    for data in corpus(target):
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_what_chance_makes_of_a_seed_ends_as_documented(target: str) -> None:
    """Always the same chance; `python -m fuzz.run` looks further, for as long as one likes."""
    chance = Random(target)
    for _ in range(MUTATIONS):
        data = mutated(chance.choice(corpus(target)), corpus(target), chance)
        try:
            TARGETS[target](data)
        except Exception as error:
            raise AssertionError(f"{target} fails with {data!r}") from error
