"""The benchmark runs: both sides see every record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from benchmarks.path import measure

if TYPE_CHECKING:
    from kafka_broker import Broker

pytestmark = pytest.mark.kafka


def test_the_benchmark_measures_both_sides(kafka: Broker) -> None:
    """A small run ends, which it does once everything is settled, and both sides took some time."""
    found = measure(kafka, 2000)
    assert found["decode"] > 0
    assert found["whole"] > 0
