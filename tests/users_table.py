"""A table of users, what Debezium writes of it to a real broker, and mappings that refuse and take its rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from connector_process import command, environment_of
from kafka_broker import Raw

if TYPE_CHECKING:
    from connector_process import Connector
    from kafka_broker import Broker

    from connector.sandbox.server import Sandbox

BROKEN = """
version: 1
customers:
  table: users
  fields:
    CustomerId: id
    Email: mail
    Name: name
    GdprOptin: { constant: true }
    Language: { column: lang, values: { 1: de-DE } }
"""
MENDED = BROKEN.replace("1: de-DE", "1: de-DE, 2: en-GB")


class Users:
    """A table of users and its topic of two partitions."""

    def __init__(self, kafka: Broker) -> None:
        self.kafka = kafka
        self.letters = kafka.topic("dead-letters")
        self.topic = kafka.topic("users", partitions=2, prefix=f"of.{self.letters}")
        self.position = 0
        self.unwritten: list[Raw] = []
        self.rows: dict[int, dict[str, object]] = {}
        self.settings = {
            "TOPIC_CUSTOMERS": self.topic,
            "DEAD_LETTER_TOPIC": self.letters,
            "KAFKA_GROUP_ID": f"group.{self.topic}",
            "KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS": "1000",
        }

    def write(self, number: int, *, lang: int = 1, name: str = "Ana", snapshot: str = "false") -> None:
        row: dict[str, object] = {"id": number, "mail": f"user.{number}@example.com", "name": name, "lang": lang}
        op = "r" if snapshot != "false" else ("u" if number in self.rows else "c")
        self.rows[number] = row
        self._emit(number, {"before": None, "after": row, "op": op}, snapshot)

    def delete(self, number: int) -> None:
        del self.rows[number]
        self._emit(number, {"before": {"id": number}, "after": None, "op": "d"})
        self._emit(number, None)

    def snapshot(self) -> None:
        """Debezium reads the table again, and knows of no delete."""
        self.position += 1
        rows = list(self.rows.items())
        for index, (number, row) in enumerate(rows):
            marker = {0: "first", len(rows) - 1: "last"}.get(index, "true")
            self._emit(number, {"before": None, "after": row, "op": "r"}, marker)

    def _emit(self, number: int, body: dict[str, object] | None, snapshot: str = "false") -> None:
        self.position += snapshot == "false"
        sequence = json.dumps([None if snapshot != "false" else str(self.position), str(self.position)])
        source = {"connector": "postgresql", "snapshot": snapshot, "sequence": sequence, "ts_ms": 1}
        value = None if body is None else json.dumps({**body, "source": source}).encode()
        self.unwritten.append(Raw(value, json.dumps({"id": number}).encode(), number % 2))

    def run(self, *words: str, status: int = 0, **changes: str) -> str:
        settings = {**self.settings, "MAPPING": MENDED, **changes}
        return command(
            environment_of(self.kafka.bootstrap_servers, "http://127.0.0.1:9", settings), *words, status=status
        )

    def open(self) -> int:
        listed: dict[str, Any] = json.loads(self.run("dead-letters", "list", "--json"))
        return len(listed["letters"])

    def settled(self, process: Connector) -> bool:
        """Write what the table has to tell; whether everything is settled."""
        if self.unwritten:
            self.kafka.produce(self.topic, *self.unwritten)
            self.unwritten.clear()
        ends = self.kafka.ends(self.topic)
        places = process.status().get("partitions", {})
        return all(places.get(str(partition), {}).get("committable") == end for partition, end in ends.items())

    def differences(self, sandbox: Sandbox) -> set[object]:
        """What Replenit holds and the table does not, and the other way round."""
        held = {
            (each["CustomerId"], each["Name"], each.get("Language")) for each in sandbox.state["customers"].values()
        }
        languages = {1: "de-DE", 2: "en-GB"}
        return held ^ {
            (str(number), row["name"], languages[int(str(row["lang"]))]) for number, row in self.rows.items()
        }
