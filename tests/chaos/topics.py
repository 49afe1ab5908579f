"""The shop's topics and the dead-letter topic, and what befalls them."""

from __future__ import annotations

from contextlib import suppress
from time import sleep
from typing import TYPE_CHECKING, Any

from chaos.shop import TABLES, Change, Place
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # exported all the same
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from connector.core.events import Partition

if TYPE_CHECKING:
    from concurrent.futures import Future

    from confluent_kafka import KafkaError, Message
    from kafka_broker import Broker

    from connector.core.events import Record

PARTITIONS = 3
MOST_PARTITIONS = 6
_PATIENCE = 60.0


class Topics:
    """Topics of a broker that is the run's own. `failed`: what the shop's own producer could not write.

    `unconfirmed`: how many changes Kafka has not confirmed; `ends`: the offsets after those that it has.
    """

    def __init__(self, broker: Broker) -> None:
        self.names = {table: broker.topic(table, PARTITIONS, prefix="shop") for table in TABLES}
        self.letters = broker.topic("dead-letters", prefix="shop")
        self.failed: list[str] = []
        self.unconfirmed = 0
        self.ends: dict[Partition, int] = {}
        self._broker = broker
        self._kept: list[Record] = []
        self._producer = Producer(
            broker.client(
                enable_idempotence=True,
                linger_ms=2,
                message_timeout_ms=300_000,
                reconnect_backoff_max_ms=500,
                topic_metadata_refresh_interval_ms=500,
            )
        )

    def write(self, change: Change, partition: int) -> None:
        """Write soon, in the order of the calls; the change learns its place."""

        def confirmed(error: KafkaError | None, message: Message) -> None:
            offset = message.offset()
            if error is not None or offset is None:
                self.failed.append(f"the shop's own producer failed: {error}")
            else:
                change.place = Place(self.names[change.table], partition, offset)
                self.unconfirmed -= 1
                self.ends[Partition(self.names[change.table], partition)] = offset + 1

        self.unconfirmed += 1
        while True:
            with suppress(KafkaException):  # a partition that the producer does not know yet
                self._producer.produce(
                    self.names[change.table], change.value, change.key_bytes, partition=partition, on_delivery=confirmed
                )
                break
            self._producer.poll(0.05)
        self._producer.poll(0)

    def serve(self, timeout: float) -> None:
        """Let confirmations come."""
        self._producer.poll(timeout)

    def add_partition(self, table: str, count: int) -> None:
        name = self.names[table]
        admin = self._admin()
        _wait(admin.create_partitions([NewPartitions(name, count)]))
        while len(self._producer.list_topics(name, timeout=_PATIENCE).topics[name].partitions) < count:
            sleep(0.05)

    def limit_letters(self, most: int) -> None:
        """Let the dead-letter topic take no records of more bytes."""
        entry = ConfigEntry("max.message.bytes", str(most), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, self.letters, incremental_configs=[entry])
        admin = self._admin()
        _wait(admin.incremental_alter_configs([resource]))

    def deny_letters(self) -> None:
        """Let nobody write dead letters. What a rule names once, others must allow for the rest."""
        operations = (AclOperation.DESCRIBE, AclOperation.READ, AclOperation.DELETE)
        admin = self._admin()
        _wait(admin.create_acls([AclBinding(*self._rule(each, AclPermissionType.ALLOW)) for each in operations]))

    def allow_letters(self) -> None:
        admin = self._admin()
        _wait(admin.delete_acls([AclBindingFilter(*self._rule(AclOperation.ANY, AclPermissionType.ANY))]))

    def remove_letters(self) -> None:
        """Delete the dead-letter topic; what is in it is kept for the judge, and nothing comes while it is read."""
        self.deny_letters()
        before, found = -1, self._broker.read(self.letters)
        while len(found) > before:  # until the broker heeds that
            sleep(0.5)
            before, found = len(found), self._broker.read(self.letters)
        self._kept += found
        self._broker.delete_topics(self.letters)
        self.allow_letters()

    def create_letters(self) -> None:
        admin = self._admin()
        _wait(admin.create_topics([NewTopic(self.letters, num_partitions=1, replication_factor=1)]))

    def all_letters(self) -> list[Record]:
        """All that ever were written."""
        return self._kept + self._broker.read(self.letters)

    def _rule(self, operation: AclOperation, permission: AclPermissionType) -> Any:  # noqa: ANN401 (a rule's parts)
        literal = ResourcePatternType.LITERAL
        return ResourceType.TOPIC, self.letters, literal, "User:ANONYMOUS", "*", operation, permission

    def _admin(self) -> AdminClient:
        """A client that lives until its caller has its answers."""
        return AdminClient(self._broker.client())


def _wait(answers: dict[Any, Future[Any]]) -> None:
    for answer in answers.values():
        answer.result(_PATIENCE)
