"""The benchmark measures what it says: both sides see every record, and the whole path brings each to its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from benchmarks.changes import newest
from benchmarks.path import consume_and_decode, deliver, prepare

from connector.core.gate import Mark

if TYPE_CHECKING:
    from kafka_broker import Broker

pytestmark = pytest.mark.kafka

COUNT = 5000


def test_both_sides_see_every_record(kafka: Broker) -> None:
    """One side understands each change; the other leaves each customer's newest state at the API, all committed."""
    topics = prepare(kafka, COUNT)
    assert consume_and_decode(topics).events == COUNT
    delivered = deliver(topics, f"whole.{topics.changes}")
    assert delivered.held == newest(COUNT)
    assert delivered.committed.offset == COUNT
    assert Mark.decode(delivered.committed.metadata).clean
    assert kafka.read(topics.letters) == []
