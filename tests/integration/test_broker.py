"""The broker that the other tests rely on does what they take for granted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from kafka_broker import Committed, Raw

from connector.adapters.kafka import KafkaSource
from connector.core.events import Partition

if TYPE_CHECKING:
    from kafka_broker import Broker
    from kafka_node import Node


def test_a_record_comes_back_as_it_was_written(kafka: Broker) -> None:
    """Key, value, headers (a name twice, an empty value, none at all) and timestamp survive the round trip."""
    headers = (("trace", b"1"), ("trace", b"2"), ("empty", b""), ("null", None))
    topic = kafka.topic()
    kafka.produce(topic, Raw(b"\x00\xff", key=b"\xfe", headers=headers, timestamp_ms=1_700_000_000_123))
    [record] = kafka.read(topic)
    assert (record.key, record.value) == (b"\xfe", b"\x00\xff")
    assert record.headers == headers
    assert record.timestamp_ms == 1_700_000_000_123


def test_null_and_empty_are_told_apart(kafka: Broker) -> None:
    """A tombstone stays None, an empty value stays empty, and likewise the key."""
    topic = kafka.topic()
    kafka.produce(topic, Raw(None, key=b"k"), Raw(b"", key=b"k"), Raw(b"v"), Raw(b"v", key=b""))
    assert [(r.key, r.value) for r in kafka.read(topic)] == [(b"k", None), (b"k", b""), (None, b"v"), (b"", b"v")]


def test_records_go_to_the_partition_that_was_asked_for(kafka: Broker) -> None:
    """The same key can be written to any partition, and each keeps the order of writing."""
    topic = kafka.topic(partitions=3)
    offsets = kafka.produce(topic, *(Raw(b"%d" % n, key=b"same", partition=n % 2 * 2) for n in range(5)))
    assert offsets == [0, 0, 1, 1, 2]
    found = [(record.partition, record.offset, record.value) for record in kafka.read(topic)]
    assert found == [(0, 0, b"0"), (0, 1, b"2"), (0, 2, b"4"), (2, 0, b"1"), (2, 1, b"3")]


def test_many_records_are_read_whole(kafka: Broker) -> None:
    """More records than one fetch or the producer's queue holds arrive complete and in order."""
    topic = kafka.topic()
    assert kafka.produce(topic, *(Raw(b"%d" % n) for n in range(120_000)))[-1] == 119_999
    assert [record.value for record in kafka.read(topic)] == [b"%d" % n for n in range(120_000)]


def test_topics_with_one_name_are_different_topics(kafka: Broker) -> None:
    """Two tests that ask for the same name don't see each other's records, and a deleted topic is gone."""
    first, second = kafka.topic("orders"), kafka.topic("orders")
    kafka.produce(first, Raw(b"v"))
    assert kafka.read(second) == []
    kafka.delete_topics(first)
    assert {first, second} & set(AdminClient(kafka.client()).list_topics(timeout=10).topics) == {second}


def test_a_commit_keeps_its_metadata(kafka: Broker) -> None:
    """A group's offset is read back with the metadata beside it; a partition without a commit is not named."""
    topic = kafka.topic(partitions=2)
    group = f"group-of-{topic}"
    consumer = Consumer(kafka.client(group_id=group, enable_auto_commit=False))
    try:
        consumer.commit(offsets=[TopicPartition(topic, 1, 7, "clean")], asynchronous=False)
    finally:
        consumer.close()
    assert kafka.committed(group) == {Partition(topic, 1): Committed(7, "clean")}
    assert kafka.committed(f"no-{group}") == {}


def test_the_end_of_a_partition_is_announced(kafka: Broker) -> None:
    """With `enable.partition.eof` a consumer is told where each partition ends, an empty one included."""
    topic = kafka.topic(partitions=2)
    kafka.produce(topic, Raw(b"v", partition=1))
    consumer = Consumer(kafka.client(group_id="eof", enable_partition_eof=True, enable_auto_commit=False))
    ends: dict[int | None, int | None] = {}
    try:
        consumer.assign([TopicPartition(topic, 0, 0), TopicPartition(topic, 1, 0)])
        while len(ends) < 2:
            [message] = consumer.consume(1, 10)
            error = message.error()
            if error is not None:
                assert error.name() == "_PARTITION_EOF"
                ends[message.partition()] = message.offset()
    finally:
        consumer.close()
    assert ends == {0: 0, 1: 1}


def test_a_broker_of_ones_own_keeps_its_data(own_kafka: Node) -> None:
    """What was confirmed is there after a kill and after a stop, under the same address."""
    topic = own_kafka.broker.topic()
    own_kafka.broker.produce(topic, Raw(b"1"))
    own_kafka.kill()
    own_kafka.start()
    own_kafka.broker.produce(topic, Raw(b"2"))
    own_kafka.stop()
    own_kafka.start()
    assert [record.value for record in own_kafka.broker.read(topic)] == [b"1", b"2"]


def test_a_paused_broker_answers_nothing_until_it_is_resumed(own_kafka: Node) -> None:
    """A hung broker takes connections and gives no answer; afterwards it goes on as if nothing had been."""
    topic = own_kafka.broker.topic()
    consumer = Consumer(own_kafka.broker.client(group_id="hung"))
    try:
        own_kafka.pause()
        with pytest.raises(KafkaException):
            consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=1)
        own_kafka.resume()
        assert consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30) == (0, 0)
    finally:
        own_kafka.resume()
        consumer.close()


def test_whether_a_topic_holds_every_key_is_told(kafka: Broker) -> None:
    """Only what is compacted and nothing else: what is deleted by age as well does not."""
    policies = {"compact": True, "delete": False, "compact,delete": False}
    topics = {kafka.topic(config={"cleanup.policy": policy}): compacted for policy, compacted in policies.items()}
    source = KafkaSource(kafka.client(), "nobody", list(topics))
    assert {topic: source.compacted(topic) for topic in topics} == topics
