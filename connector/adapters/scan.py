"""Topics as the commands read them, from some offset to the end and outside of any group; and what they write."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from confluent_kafka import (
    Consumer,
    ConsumerGroupState,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient

from connector.adapters.dead_letters import producer_properties
from connector.adapters.kafka import (
    LIBRDKAFKA,
    QUIET,
    common_properties,
    consumer_properties,
    record_of,
    wrong_properties,
)
from connector.core.events import Partition, Record
from connector.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

PATIENCE = 10.0
"""Seconds without a word from Kafka after which a command gives up."""

_AT_ONCE = 5000
_POLL = 0.1


class Scan:
    """Reads for a command. Nothing is committed, and no group is joined. Raises PlatformError, from every method."""

    def __init__(self, properties: Mapping[str, str], group_id: str) -> None:
        self._group_id = group_id
        self._properties = dict(properties)
        self._trouble = ""
        own = {"error_cb": self._error, "fetch.wait.max.ms": "10"}  # the end is an empty answer, which is waited for
        with wrong_properties():
            self._consumer = Consumer({**consumer_properties(properties, group_id), **own}, logger=LIBRDKAFKA)
        self._admin = AdminClient({**QUIET, **common_properties(properties)}, logger=LIBRDKAFKA)

    def _error(self, error: KafkaError) -> None:
        self._trouble = error.str()

    def bounds(self, topic: str) -> dict[Partition, tuple[int, int]] | None:
        """The first offset and the end of each partition; None if there is no such topic, or it may not be seen."""
        with self._told():
            found = self._consumer.list_topics(topic, timeout=PATIENCE).topics[topic]
            if found.error is not None:
                if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                    return None
                raise KafkaException(found.error)
            places = [TopicPartition(topic, number) for number in found.partitions]
            marks = {place: self._consumer.get_watermark_offsets(place, timeout=PATIENCE) for place in places}
            return {Partition(topic, place.partition): mark for place, mark in marks.items()}

    def read(self, starts: Mapping[Partition, int]) -> Iterator[tuple[Record | None, Partition, int]]:
        """Every record from these offsets on; and when a partition's end comes, None, with the partition and the end.

        Those of a partition come in their order.
        """
        if not starts:
            return
        with self._told():
            self._consumer.assign([TopicPartition(each.topic, each.number, at) for each, at in starts.items()])
            left, silent = set(starts), 0.0
            while left and silent < PATIENCE:
                messages = self._consumer.consume(_AT_ONCE, _POLL)
                silent = 0.0 if messages else silent + _POLL
                for message in messages:
                    record, partition, offset = _item(message)
                    if partition in left:  # what comes after its end is another look's
                        yield record, partition, offset
                    if record is None:
                        left.discard(partition)
            self._consumer.unassign()
            if left:
                raise PlatformError(f"Kafka gives no records of {min(left)}: {self._trouble or 'it does not answer'}")

    def first_after(self, topic: str, moment_ms: int) -> dict[Partition, int]:
        """Of each partition the offset of the first record that is not older; the end, if all are."""
        with self._told():
            numbers = self._consumer.list_topics(topic, timeout=PATIENCE).topics[topic].partitions
            asked = [TopicPartition(topic, number, max(moment_ms, 0)) for number in numbers]
            found = self._consumer.offsets_for_times(asked, timeout=PATIENCE)
            bounds = self.bounds(topic) or {}
            ends = {place: high for place, (_, high) in bounds.items()}
            return {
                (place := Partition(topic, each.partition)): each.offset if each.offset >= 0 else ends[place]
                for each in found
            }

    def committed(self, places: Iterable[Partition]) -> dict[Partition, int]:
        """What the service's group has committed; 0 where it has not."""
        with self._told():
            asked = [TopicPartition(place.topic, place.number) for place in places]
            found = self._consumer.committed(asked, timeout=PATIENCE) if asked else []
            return {Partition(each.topic, each.partition): max(each.offset, 0) for each in found}

    def owners(self) -> dict[Partition, str]:
        """Which member of the service's group reads which partition; nothing while it has none."""
        with self._told():
            asked = self._admin.describe_consumer_groups([self._group_id], request_timeout=PATIENCE)
            group = asked[self._group_id].result(PATIENCE)
            if group.state is not ConsumerGroupState.STABLE:
                return {}
            return {
                Partition(place.topic, place.partition): member.member_id
                for member in group.members
                for place in member.assignment.topic_partitions
            }

    def write(self, topic: str, records: Iterable[tuple[int, Record]]) -> int:
        """Write records, each into the partition that is told; how many, once the broker has confirmed all."""
        failed: list[str] = []

        def done(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                failed.append(error.str())

        with self._told(), wrong_properties():
            producer = Producer({**producer_properties(self._properties)}, logger=LIBRDKAFKA)
        written = 0
        with self._told():
            for number, record in records:
                while not failed:
                    try:
                        producer.produce(
                            topic,
                            key=record.key,
                            value=record.value,
                            partition=number,
                            headers=list(record.headers),
                            on_delivery=done,
                        )
                    except BufferError:
                        producer.poll(_POLL)
                    else:
                        written += 1
                        break
                producer.poll(0)
            left = producer.flush(PATIENCE)
        if left or failed:
            raise PlatformError(f"{topic} does not take records: {failed[0] if failed else 'it does not answer'}")
        return written

    def close(self) -> None:
        self._consumer.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what Kafka refuses in words that help."""
        try:
            yield
        except (KafkaException, TimeoutError) as error:
            cause = error.args[0] if error.args else None
            words = cause.str() if isinstance(cause, KafkaError) else "it does not answer"
            remedy = "" if not isinstance(cause, KafkaError) else _REMEDIES.get(cause.code(), "")
            raise PlatformError(f"Kafka: {words}{remedy}") from error


_REMEDIES = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: ": grant Read and Describe on the dead-letter topic and the sources, and "
    "Write as well on the topic of replays",
    KafkaError.GROUP_AUTHORIZATION_FAILED: ": grant Read and Describe on the group KAFKA_GROUP_ID",
    KafkaError._TRANSPORT: ": check KAFKA_BOOTSTRAP_SERVERS",  # noqa: SLF001 (the library's public name for it)
    KafkaError._TIMED_OUT: ": check KAFKA_BOOTSTRAP_SERVERS",  # noqa: SLF001 (likewise)
}


def _item(message: Message) -> tuple[Record | None, Partition, int]:
    topic, number, offset, error = message.topic(), message.partition(), message.offset(), message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 (the library's public name for it)
        raise KafkaException(error)
    assert topic is not None
    assert number is not None
    assert offset is not None
    return None if error is not None else record_of(message), Partition(topic, number), offset
