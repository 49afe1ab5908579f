"""Runs under all faults, by seeds that are always the same. `python -m chaos` runs for hours, by others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from chaos.play import play

if TYPE_CHECKING:
    from kafka_node import Node

pytestmark = pytest.mark.kafka


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_nor_goes_back_whatever_befalls_it(own_kafka: Node, seed: int) -> None:
    """Every fault at least once, and at the end Replenit holds what the tables say, told within the limits."""
    outcome = play(seed, 80, own_kafka)
    assert not outcome.broken, "\n\n".join([str(outcome), *outcome.broken])
