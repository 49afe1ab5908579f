"""Debezium's side of a dialect: a connector that reads the shop's tables into topics of its own."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from e2e.postgres import DATABASE

from deploy.compose import debezium

if TYPE_CHECKING:
    from collections.abc import Mapping

    from e2e.connect import Connect
    from e2e.postgres import Postgres
    from kafka_broker import Broker

TABLES = ("customers", "orders", "order_items", "products", "product_variants", "pulse")
DIALECT = ("key.converter", "value.converter", "decimal.handling.mode")
"""How the properties begin that say how records are written."""

COMMON = {name: value for name, value in debezium().items() if not name.startswith(DIALECT)}
"""What `deploy/compose` says too."""


@dataclass(frozen=True, slots=True)
class Capture:
    """A connector of Debezium's, the same but for its `dialect`: the properties that say how it writes records."""

    dialect: Mapping[str, str]
    name: str = field(default_factory=lambda: f"shop_{uuid.uuid4().hex[:12]}")

    def topic(self, table: str) -> str:
        return f"{self.name}.shop.{table}"

    def start(self, connect: Connect, postgres: Postgres, kafka: Broker) -> None:
        """Let it read the tables, and the changes from then on."""
        kafka.topics.extend(self.topic(table) for table in TABLES)
        own = {
            "database.hostname": "127.0.0.1",
            "database.port": str(postgres.port),
            "database.password": "none",
            "database.dbname": DATABASE,
            "slot.name": self.name,
            "publication.name": self.name,
            "table.include.list": ",".join(f"shop.{table}" for table in TABLES),
            "topic.prefix": self.name,
        }
        connect.add(self.name, {**COMMON, **own, **self.dialect})


def wait_until_streaming(connect: Connect, postgres: Postgres, *captures: Capture) -> None:
    """Wait until the tables as they were have been read, and the log is being read."""
    for capture in captures:
        connect.wait_until_running(capture.name)
    active = f"SELECT count(*) = {len(captures)} FROM pg_replication_slots WHERE active AND {_of(captures)}"
    connect.wait_until(lambda: postgres.execute(active) == "t\n", "the database's log is read")


def wait_until_delivered(connect: Connect, postgres: Postgres, *captures: Capture) -> None:
    """Wait until all that was committed so far is in Kafka.

    Debezium confirms to the database where a transaction ended once the broker has confirmed all records up to it, and
    those of the next transaction.
    """
    position = postgres.execute("SELECT pg_current_wal_insert_lsn()").strip()
    for _ in range(2):
        postgres.execute("UPDATE shop.pulse SET beat = beat + 1")
    confirmed = f"confirmed_flush_lsn >= '{position}' AND {_of(captures)}"
    query = f"SELECT count(*) = {len(captures)} FROM pg_replication_slots WHERE {confirmed}"
    connect.wait_until(lambda: postgres.execute(query) == "t\n", "all changes are delivered")


def _of(captures: tuple[Capture, ...]) -> str:
    names = ", ".join(f"'{capture.name}'" for capture in captures)
    return f"slot_name IN ({names})"
