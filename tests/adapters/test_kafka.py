"""The consumer's properties: what is read ahead is bounded, and whatever else is set for Kafka does not break that."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer

from connector.adapters.kafka import consumer_properties


@pytest.mark.parametrize(
    ("properties", "fetched"),
    [
        ({}, "2097152"),
        ({"message.max.bytes": "104857600"}, "2097152"),  # for the dead letters' producer
        ({"max.partition.fetch.bytes": "20000000"}, "2097152"),
        ({"fetch.max.bytes": "60000000"}, "60000000"),
        ({"group.protocol": "consumer"}, "2097152"),
    ],
)
def test_librdkafka_takes_the_bounds_beside_what_a_user_sets(properties: dict[str, str], fetched: str) -> None:
    """A larger message for the producer does not make the consumer fetch more, nor refuse to start."""
    given = consumer_properties({"bootstrap.servers": "127.0.0.1:1", "log_level": "0", **properties}, "group")
    assert given["fetch.max.bytes"] == fetched
    assert given["queued.max.messages.kbytes"] == "16384"
    Consumer({**given}).close()
