"""The dead-letter topic: records that can't be delivered, byte for byte, with the reason in their headers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient

from connector import logs
from connector.adapters.kafka import LIBRDKAFKA, ONCE_TIMEOUT, QUIET, common_properties, wrong_properties

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connector.core.events import Record

_LOG = logs.get("dead_letters")

_DEFAULTS = {
    **QUIET,
    "message.max.bytes": "20971520",
    "compression.type": "lz4",
    "linger.ms": "5",
    "message.timeout.ms": "30000",
}
_LOCKED = {"enable.idempotence": "true", "acks": "all"}
_REMEDIES = {
    KafkaError.MSG_SIZE_TOO_LARGE: "raise the topic's max.message.bytes, or a broker's message.max.bytes",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "grant Write and Describe on the topic",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "grant IdempotentWrite",
    KafkaError._MSG_TIMED_OUT: "it is full, its brokers are away, or too few of its replicas are in sync",  # noqa: SLF001
}


def producer_properties(properties: Mapping[str, str]) -> dict[str, str]:
    """The user's properties over the connector's defaults, under what its safety depends on."""
    return {**_DEFAULTS, **common_properties(properties), **_LOCKED}


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record and why it can't be delivered. `headers` are added to the record's own."""

    record: Record
    headers: tuple[tuple[str, bytes], ...]


class DeadLetterTopic:
    """The producer of the dead-letter topic. Calls come from one thread; outcomes come within `serve`."""

    def __init__(self, properties: Mapping[str, str], topic: str) -> None:
        common = common_properties(properties)
        self._topic = topic
        self._properties = producer_properties(properties)
        self._producer = self._start()
        self._admin = AdminClient({**QUIET, **common}, logger=LIBRDKAFKA)

    def _start(self) -> Producer:
        with wrong_properties():
            return Producer({**self._properties}, logger=LIBRDKAFKA)

    def missing(self) -> str | None:
        """Why the topic can't be written to as far as can be told without writing; None if nothing speaks against it.

        The topic is never created: its partitions and retention are for its owner to choose.
        """
        try:
            topics = self._admin.list_topics(timeout=ONCE_TIMEOUT).topics
        except KafkaException as error:
            return f"Kafka does not answer: {error.args[0].str()}"
        if self._topic not in topics:
            return (
                f"topic {self._topic} does not exist, or may not be seen: create it, grant Describe and Write on it, "
                "or set DEAD_LETTER_TOPIC to another"
            )
        return None

    def write(self, letter: DeadLetter, done: Callable[[str | None], None]) -> None:
        """Write. `done` hears None once the broker has confirmed, else why it will not; the caller may write again."""

        def delivered(error: KafkaError | None, _: Message) -> None:
            done(None if error is None else _told(error))

        record = letter.record
        try:
            self._producer.produce(
                self._topic,
                key=record.key,
                value=record.value,
                headers=[*record.headers, *letter.headers],
                on_delivery=delivered,
            )
        except (KafkaException, BufferError) as error:
            done(error.args[0].str() if isinstance(error, KafkaException) else "the producer's queue is full")

    def serve(self, timeout: float = 0.0) -> None:
        """Let outcomes come, waiting at most `timeout` seconds for one."""
        self._producer.poll(timeout)

    def restart(self) -> None:
        """Replace a producer that has failed for good: an idempotent one does not recover from some errors."""
        self._producer.purge()
        self._producer.poll(0)
        self._producer = self._start()

    def close(self, timeout: float) -> None:
        """Wait for what is under way, at most `timeout` seconds."""
        left = self._producer.flush(timeout)
        if left:
            _LOG.warning(
                "dead_letter_unconfirmed", f"{left} dead letters are not confirmed; they will be written again"
            )


def _told(error: KafkaError) -> str:
    """Kafka's words, and what to do where that is known."""
    remedy = _REMEDIES.get(error.code())
    return error.str() if remedy is None else f"{error.str()}: {remedy}"
