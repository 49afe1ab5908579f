"""A Kafka broker within the process: librdkafka's mock cluster, which needs nothing and keeps everything in memory."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from connector.sandbox.shop import PARTITIONS, Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka import Message

    from connector.sandbox.shop import Change

MOST_BYTES = 4_000_000
"""Of a partition. The mock cluster drops a partition's oldest records beyond 5 MB, and tells nobody."""

_WAIT = 20.0
_OVERHEAD = 70  # bytes of a record beside its key and value, at the most


class Broker:
    """A broker that lives as long as this object. Topics have the four partitions that the mock cluster gives them."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._cluster = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 0})
        known = self._cluster.list_topics(timeout=_WAIT).brokers.values()
        self.address = ",".join(str(broker).rpartition("/")[0] for broker in known)
        for topic in topics:
            self._cluster.list_topics(topic, timeout=_WAIT)  # which creates it
        self._producer = Producer({"bootstrap.servers": self.address, "linger.ms": 2, "log_level": 0, "acks": "all"})
        self._sizes: Counter[tuple[str, int]] = Counter()
        self._failures: list[str] = []

    def write(self, change: Change) -> None:
        """Write soon. Raises ValueError for more than a partition holds."""
        place, key, value = change
        self._sizes[place.topic, place.partition] += len(key or b"") + len(value or b"") + _OVERHEAD
        if self._sizes[place.topic, place.partition] > MOST_BYTES:
            raise ValueError(f"partition {place.partition} of {place.topic} would hold more than the broker keeps")

        def written(error: KafkaError | None, message: Message) -> None:
            if error is not None or message.offset() != place.offset:
                self._failures.append(f"{place.topic}-{place.partition}@{place.offset} was not written there")

        self._producer.produce(place.topic, value, key, place.partition, written)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until all is written. Raises RuntimeError if it is not, or not where it should be."""
        if self._producer.flush(_WAIT) or self._failures:
            raise RuntimeError(f"the embedded broker failed: {(self._failures or ['it does not answer'])[0]}")

    def letters(self, topic: str) -> dict[Place, str]:
        """The dead letters: where each one's record was, and the reason."""
        reader = Consumer(
            {"bootstrap.servers": self.address, "group.id": "reader", "enable.partition.eof": True, "log_level": 0}
        )
        reader.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
        found, ended = {}, 0
        while ended < PARTITIONS:
            for message in reader.consume(1000, 0.1):
                if message.error() is None:
                    place, reason = _letter(message)
                    found[place] = reason
                ended += message.error() is not None
        reader.close()
        return found


def _letter(message: Message) -> tuple[Place, str]:
    given: Any = message.headers()  # what is consumed has pairs of a text and bytes, whatever may be produced
    headers = {name: value.decode() for name, value in given}
    topic, partition, offset = (headers[f"__connect.errors.{name}"] for name in ("topic", "partition", "offset"))
    return Place(topic, int(partition), int(offset)), headers["replenit.reason"]
