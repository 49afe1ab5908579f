"""The consumer: the one place that knows librdkafka's consumer and its admin client.

All calls come from one thread. Callbacks run within `poll` and `close`; an exception of theirs would cost records, so
it is kept and raised once librdkafka has returned.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from confluent_kafka import (
    OFFSET_INVALID,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec, ResourceType  # type: ignore[attr-defined] # exported all the same

from connector import logs
from connector.core.events import Partition, Record
from connector.core.gate import Mark
from connector.errors import ConfigurationError, PlatformError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

_LOG = logs.get("kafka")
LIBRDKAFKA = logging.getLogger("librdkafka")

QUIET = {"log_level": "2"}
"""librdkafka's own lines repeat what its callbacks tell, several times a second while a broker is away."""

_DEFAULTS = {
    **QUIET,
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": "10000",
    # A queue of 16 MB, beyond which goes one answer of each broker. Its bytes are compressed: a table's rows, which are
    # much alike, are ten times as long and more.
    "queued.max.messages.kbytes": "16384",
    "fetch.max.bytes": "2097152",
    "max.partition.fetch.bytes": "1048576",
}
_NOT_WITH_THE_CONSUMER_PROTOCOL = ("partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms")
_LOCKED = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "earliest",
    "enable.partition.eof": "true",
    "allow.auto.create.topics": "false",
}
_CONSUMER_ONLY = (
    "auto.",
    "check.crcs",
    "consume.",
    "coordinator.",
    "enable.auto",
    "enable.partition",
    "fetch.",
    "group.",
    "heartbeat.",
    "isolation.",
    "max.partition",
    "max.poll",
    "offset.",
    "partition.assignment",
    "queued.",
    "session.",
)

_OF_PRODUCERS = "message.max.bytes"
"""A consumer writes none, and is refused where it would fetch less than that at once."""

COUNT_INTERVAL = 240.0
"""Seconds for which it is taken for true how many partitions there are, if nothing is assigned."""

REQUEST_TIMEOUT = 2.0
"""Seconds that the loop waits for one answer of Kafka's before it goes on and asks again. What it asks for in one turn
must take less than the lease, or it would never send."""

ONCE_TIMEOUT = 5.0
"""Seconds for what is asked once, and can't be done without."""


@dataclass(frozen=True, slots=True)
class End:
    """A partition has been read to its end; `position` is the offset of its next record."""

    partition: Partition
    position: int


_Offsets: TypeAlias = "Mapping[TopicPartition, Future[Any]]"


@dataclass(frozen=True, slots=True)
class Bounds:
    """A partition as an owner finds it: its log's ends, and what was committed of it (None: nothing ever)."""

    low: int
    high: int
    committed: int | None
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Commit:
    """An offset to commit, and what its metadata says."""

    offset: int
    mark: Mark


class Owner(Protocol):
    """Who is told of assignments. The calls come within `poll` or `close` and may commit."""

    def assigned(self, partitions: Sequence[Partition]) -> None: ...
    def revoked(self, partitions: Sequence[Partition]) -> None: ...
    def lost(self, partitions: Sequence[Partition]) -> None: ...


def common_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """Those of the user's properties that are not for consumers alone."""
    return {name: value for name, value in properties.items() if not name.startswith(_CONSUMER_ONLY)}


def consumer_properties(properties: Mapping[str, str], group_id: str) -> dict[str, str]:
    """The user's properties over the connector's defaults, under what its safety depends on."""
    defaults = dict(_DEFAULTS)
    if properties.get("group.protocol") == "consumer":
        for name in _NOT_WITH_THE_CONSUMER_PROTOCOL:
            defaults.pop(name, None)
    own = {name: value for name, value in properties.items() if name != _OF_PRODUCERS}
    return {**defaults, **own, **_LOCKED, "group.id": group_id}


def session_timeout(properties: Mapping[str, str]) -> float:
    """Seconds after which the group takes a silent process for dead; infinite where the broker decides."""
    told = consumer_properties(properties, "").get("session.timeout.ms", "")
    return int(told) / 1000 if told.isdigit() else math.inf


@contextmanager
def wrong_properties() -> Iterator[None]:
    """Turn librdkafka's refusal of its properties into a mistake of the settings. Its words name no value."""
    try:
        yield
    except KafkaException as error:
        words = error.args[0].str().split(" = ")[0]
        raise ConfigurationError(
            [f"KAFKA_*: {words}; the name of a librdkafka property in upper case, dots as _; e.g. KAFKA_SASL_USERNAME"]
        ) from None


class KafkaSource:
    """The records of the subscribed topics, by the partitions that the group's protocol gives to this process.

    `optional`: a topic that is read once it exists, and need not.
    """

    def __init__(self, properties: Mapping[str, str], group_id: str, topics: Sequence[str], optional: str = "") -> None:
        self._topics = [*topics, optional] if optional else list(topics)
        self._optional = optional
        self._failure: BaseException | None = None
        self._partition_counts: dict[str, int] = {}
        self._count_at = 0.0
        self._repeats = logs.Repeats()
        self._committed: Callable[[Mapping[Partition, bool]], None] = lambda _: None
        own = {"error_cb": self._error, "on_commit": self._on_commit}
        with wrong_properties():
            self._consumer = Consumer({**consumer_properties(properties, group_id), **own}, logger=LIBRDKAFKA)
        self._admin = AdminClient({**QUIET, **common_properties(properties)}, logger=LIBRDKAFKA)

    def subscribe(self, owner: Owner, committed: Callable[[Mapping[Partition, bool]], None]) -> None:
        """Join the group. `committed` hears of every asynchronous commit: partition → whether it succeeded."""
        self._committed = committed
        self._consumer.subscribe(
            self._topics,
            on_assign=self._guarded(self._recounting(owner.assigned)),
            on_revoke=self._guarded(owner.revoked),
            on_lost=self._guarded(owner.lost),
        )

    def poll(self, limit: int, timeout: float) -> list[Record | End]:
        """Up to `limit` records, waiting at most `timeout` seconds for them."""
        messages = self._consumer.consume(limit, timeout)
        self._raise_failure()
        return [item for message in messages if (item := self._item(message)) is not None]

    def bounds(self, partitions: Iterable[Partition]) -> dict[Partition, Bounds]:
        """What is known of the partitions; those for which Kafka has no answer now are missing."""
        asked = {partition: TopicPartition(partition.topic, partition.number) for partition in partitions}
        if not asked:
            return {}
        try:
            committed = self._consumer.committed(list(asked.values()), timeout=REQUEST_TIMEOUT)
            asking = [self._ask_offsets(asked, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest())]  # type: ignore[no-untyped-call]
            low, high = map(self._offsets, asking)
        except KafkaException as error:
            self._warn("no answer about offsets", error.args[0].str())
            return {}
        found = {}
        for place in committed:
            partition = Partition(place.topic, place.partition)
            if place.error is not None:
                self._warn("no answer about offsets", place.error.str())
            elif partition in low and partition in high:
                known = place.offset != OFFSET_INVALID
                found[partition] = Bounds(
                    low[partition],
                    high[partition],
                    place.offset if known else None,
                    Mark.decode(place.metadata) if known else None,
                )
        return found

    def _ask_offsets(self, asked: Mapping[Partition, TopicPartition], spec: OffsetSpec) -> _Offsets:
        return self._admin.list_offsets(
            dict.fromkeys(asked.values(), spec),
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=REQUEST_TIMEOUT,
        )

    def _offsets(self, futures: _Offsets) -> dict[Partition, int]:
        found = {}
        for place, future in futures.items():
            try:
                found[Partition(place.topic, place.partition)] = future.result(REQUEST_TIMEOUT).offset
            except KafkaException as error:
                self._warn("no answer about offsets", error.args[0].str())
            except TimeoutError:
                self._warn("no answer about offsets", f"{place.topic} has not told within {REQUEST_TIMEOUT:g} s")
        return found

    def high_watermark(self, partition: Partition) -> int | None:
        """The log's end as the last fetch told it, None before any."""
        try:
            _, high = self._consumer.get_watermark_offsets(
                TopicPartition(partition.topic, partition.number), cached=True
            )
        except KafkaException:
            return None
        return high if high >= 0 else None

    def partition_count(self, topic: str) -> int:
        """How many partitions the topic has, as Kafka said since it assigned last, and not long ago if it can be had.

        0 if there is no such topic. Raises PlatformError if Kafka does not answer.
        """
        try:
            self._count_partitions([topic])
            return self._partition_counts[topic]
        except (KafkaException, KeyError) as error:
            self._warn("no answer about partitions", f"it does not say how many partitions {topic} has")
            raise PlatformError(f"Kafka does not say how many partitions {topic} has") from error

    def compacted(self, topic: str) -> bool:
        """Whether the topic keeps the newest record of every key. Raises PlatformError if Kafka does not answer."""
        asked = ConfigResource(ResourceType.TOPIC, topic)
        try:
            answer = self._admin.describe_configs([asked], request_timeout=ONCE_TIMEOUT)[asked]
            policy = answer.result(ONCE_TIMEOUT)["cleanup.policy"].value
        except (KafkaException, KeyError, TimeoutError) as error:
            raise PlatformError(f"Kafka does not say how {topic} is cleaned up") from error
        return bool(policy == "compact")

    def _count_partitions(self, topics: Iterable[str]) -> None:
        now, known_all = time.monotonic(), self._partition_counts.keys() >= set(topics)
        if not known_all or now >= self._count_at:
            self._count_at = now + COUNT_INTERVAL
            try:
                known = self._admin.list_topics(timeout=REQUEST_TIMEOUT).topics
            except KafkaException:
                if known_all:
                    return
                raise
            self._partition_counts.update(dict.fromkeys(self._topics, 0))
            self._partition_counts.update({name: len(topic.partitions) for name, topic in known.items()})
            for name in [name for name, topic in known.items() if topic.error is not None]:
                del self._partition_counts[name]

    def commit(self, commits: Mapping[Partition, Commit], *, wait: bool) -> bool:
        """Commit. Without `wait` the outcome comes to the callback; with it the answer is whether all succeeded."""
        if not commits:
            return True
        places = [
            TopicPartition(partition.topic, partition.number, commit.offset, commit.mark.encode())
            for partition, commit in commits.items()
        ]
        try:
            if not wait:
                self._consumer.commit(offsets=places, asynchronous=True)
                return True
            answer = self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as error:
            _LOG.warning("commit_failed", f"Offsets were not committed: {error}. What they cover will be read again.")
            return False
        return all(place.error is None for place in answer or [])

    def seek(self, partition: Partition, offset: int) -> None:
        """Deliver the partition from this offset on, of which records have been delivered before."""
        self._consumer.seek(TopicPartition(partition.topic, partition.number, offset))

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._consumer.pause(_places(partitions))

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._consumer.resume(_places(partitions))

    def close(self) -> None:
        """Leave the group; what is owned is revoked first."""
        self._consumer.close()
        self._raise_failure()

    def _item(self, message: Message) -> Record | End | None:
        error = message.error()
        if error is None:
            return record_of(message)
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 (the library's public name for it)
            topic, number, offset = message.topic(), message.partition(), message.offset()
            assert topic is not None
            assert number is not None
            assert offset is not None
            return End(Partition(topic, number), offset)
        if error.fatal():
            raise PlatformError(f"Kafka: {error.str()}. The process must start anew.")
        if message.topic() != self._optional:
            self._warn(f"{error.name()} {message.topic()}", error.str())
        return None

    def _error(self, error: KafkaError) -> None:
        if error.fatal():
            self._failure = PlatformError(f"Kafka: {error.str()}. The process must start anew.")
        else:
            self._warn(error.name(), error.str())

    def _warn(self, kind: str, words: str) -> None:
        """Say what Kafka does not do, once a minute for each kind of it."""
        if times := self._repeats.admit("kafka_error", kind, time.monotonic()):
            _LOG.warning("kafka_error", f"Kafka: {words}. It is tried again.", kind=kind, times=times)

    def _on_commit(self, error: KafkaError | None, places: list[TopicPartition]) -> None:
        failed = error is not None
        outcome = {Partition(place.topic, place.partition): not failed and place.error is None for place in places}
        if not all(outcome.values()):
            words = error.str() if error is not None else "; ".join(str(p.error) for p in places if p.error)
            if self._repeats.admit("commit_failed", "", time.monotonic()):
                _LOG.warning("commit_failed", f"Offsets were not committed: {words}. It is tried again.")
        self._guard(lambda: self._committed(outcome))

    def _recounting(self, assigned: Callable[[Sequence[Partition]], None]) -> Callable[[Sequence[Partition]], None]:
        """Each assignment may be that of partitions that were added, here or elsewhere."""

        def recounting(partitions: Sequence[Partition]) -> None:
            self._partition_counts.clear()
            assigned(partitions)

        return recounting

    def _guarded(self, call: Callable[[Sequence[Partition]], None]) -> Callable[[Consumer, list[TopicPartition]], None]:
        def guarded(_: Consumer, places: list[TopicPartition]) -> None:
            self._guard(lambda: call([Partition(place.topic, place.partition) for place in places]))

        return guarded

    def _guard(self, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 (raised again outside librdkafka)
            self._failure = self._failure or error

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def record_of(message: Message) -> Record:
    """The record that a message without an error holds."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    assert topic is not None
    assert partition is not None
    assert offset is not None
    kind, timestamp = message.timestamp()
    headers: Any = message.headers()  # what is consumed has pairs of a text and bytes, whatever may be produced
    return Record(
        topic,
        partition,
        offset,
        message.key(),
        message.value(),
        tuple(headers) if headers else (),
        timestamp if kind else None,
    )


def _places(partitions: Iterable[Partition]) -> list[TopicPartition]:
    return [TopicPartition(partition.topic, partition.number) for partition in partitions]
