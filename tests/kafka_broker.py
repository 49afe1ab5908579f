"""What a test does to a real Kafka besides running the connector against it: topics, raw records, committed offsets."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from connector.core.events import Partition, Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds until a helper gives up and raises TimeoutError: far more than any of them needs."""


@dataclass(frozen=True, slots=True)
class Raw:
    """A record to write. Without `timestamp_ms` it gets the time at which it is written."""

    value: bytes | None
    key: bytes | None = None
    partition: int = 0
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int = 0


class Committed(NamedTuple):
    """A group's committed offset of a partition, and the metadata beside it."""

    offset: int
    metadata: str | None


@dataclass(frozen=True, slots=True)
class Broker:
    """A Kafka cluster as its clients see it. Each call makes a client of its own: no connection outlives a restart."""

    bootstrap_servers: str
    topics: list[str] = field(default_factory=list)

    def client(self, **settings: str | float) -> dict[str, Any]:
        """Give the settings of a client; a property's dots are underscores: `enable_partition_eof=True`."""
        # librdkafka reports each lost connection on standard error, and tests lose them on purpose.
        own = {"bootstrap.servers": self.bootstrap_servers, "log_level": 0}
        return own | {name.replace("_", "."): value for name, value in settings.items()}

    def topic(
        self, name: str = "topic", partitions: int = 1, config: Mapping[str, str] | None = None, prefix: str = ""
    ) -> str:
        """Create a topic and return its name, which starts with `name` and is like no other, or is `prefix.name`."""
        unique = f"{prefix}.{name}" if prefix else f"{name}.{uuid.uuid4().hex[:12]}"
        admin = AdminClient(self.client())
        new = NewTopic(unique, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        admin.create_topics([new])[unique].result(PATIENCE)
        self.topics.append(unique)
        for _ in _until_deadline(f"no leader for {unique}"):
            found = admin.list_topics(unique, timeout=PATIENCE).topics[unique]
            if len(found.partitions) == partitions and all(p.leader >= 0 for p in found.partitions.values()):
                break
            admin.poll(0.02)
        return unique

    def delete_topics(self, *names: str) -> None:
        """Delete topics; return once nobody sees them any more."""
        if not names:
            return
        admin = AdminClient(self.client())
        for deleted in admin.delete_topics(list(names)).values():
            deleted.result(PATIENCE)
        self.topics[:] = [topic for topic in self.topics if topic not in names]
        for _ in _until_deadline("the topics are still there"):
            if not set(names) & set(admin.list_topics(timeout=PATIENCE).topics):
                break
            admin.poll(0.02)

    def produce(self, topic: str, *records: Raw, **settings: str | float) -> list[int]:
        """Write the records in their order and return their offsets, all of them confirmed by the broker."""
        producer = Producer(self.client(acks="all", max_in_flight=1, linger_ms=1, **settings))
        offsets: dict[int, int | KafkaError] = {}
        for number, record in enumerate(records):
            _produce(producer, topic, record, partial(_note, offsets, number))
        if producer.flush(PATIENCE):
            raise TimeoutError(f"{len(records) - len(offsets)} of {len(records)} records unconfirmed")
        return [_confirmed(offsets[number]) for number in range(len(records))]

    def read(self, topic: str) -> list[Record]:
        """Read the whole topic: its committed records by partition and offset."""
        # The end of a partition is an empty answer, and those are held back for as long as a client allows.
        settings = self.client(
            group_id="reader", enable_auto_commit=False, enable_partition_eof=True, fetch_wait_max_ms=10
        )
        consumer = Consumer(settings)
        try:
            partitions = consumer.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
            consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
            return sorted(_read_to_end(consumer, len(partitions)), key=lambda record: (record.partition, record.offset))
        finally:
            consumer.close()

    def ends(self, topic: str) -> dict[Partition, int]:
        """Say at which offset the next record of each partition will be written."""
        consumer = Consumer(self.client(group_id="reader"))
        try:
            found = consumer.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
            marks = {n: consumer.get_watermark_offsets(TopicPartition(topic, n), timeout=PATIENCE) for n in found}
            return {Partition(topic, number): high for number, (_, high) in marks.items()}
        finally:
            consumer.close()

    def committed(self, group: str) -> dict[Partition, Committed]:
        """Say what a group has committed, whether or not it has members."""
        admin = AdminClient(self.client())  # named, since without a name it would end before it answers
        asked = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])
        found = asked[group].result(PATIENCE).topic_partitions
        return {Partition(at.topic, at.partition): Committed(at.offset, at.metadata) for at in found}


def _produce(
    producer: Producer, topic: str, record: Raw, on_delivery: Callable[[KafkaError | None, Message], None]
) -> None:
    for _ in _until_deadline("the producer's queue stays full"):
        try:
            producer.produce(
                topic,
                value=record.value,
                key=record.key,
                partition=record.partition,
                headers=list(record.headers),
                timestamp=record.timestamp_ms,
                on_delivery=on_delivery,
            )
        except BufferError:
            producer.poll(0.05)
        else:
            return


def _note(offsets: dict[int, int | KafkaError], number: int, error: KafkaError | None, message: Message) -> None:
    offsets[number] = error or _known(message.offset())


def _confirmed(answer: int | KafkaError) -> int:
    if isinstance(answer, KafkaError):
        raise KafkaException(answer)
    return answer


def _read_to_end(consumer: Consumer, partitions: int) -> Iterator[Record]:
    ended: set[int | None] = set()
    for _ in _until_deadline("the topic has no end"):
        for message in consumer.consume(1000, 0.05):
            error = message.error()
            if error is None:
                yield record_of(message)
            elif error.name() == "_PARTITION_EOF":
                ended.add(message.partition())
            else:
                raise KafkaException(error)
        if len(ended) == partitions:
            return


def record_of(message: Message) -> Record:
    """Turn what a client delivers into a value that tests can compare."""
    kind, timestamp = message.timestamp()
    headers = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return Record(
        topic=_known(message.topic()),
        partition=_known(message.partition()),
        offset=_known(message.offset()),
        key=message.key(),
        value=message.value(),
        headers=tuple(headers),
        timestamp_ms=timestamp if kind else None,
    )


def _known(value: T | None) -> T:
    assert value is not None
    return value


def _until_deadline(problem: str) -> Iterator[None]:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        yield
    raise TimeoutError(f"{problem} after {PATIENCE:.0f} s")
