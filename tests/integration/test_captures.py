"""Real Debezium's bytes through a real broker and the connector's own process: Replenit ends as the tables did."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest
from connector_process import Connector, connector
from kafka_broker import Raw
from oracle import difference, expected
from shop_captures import DIALECTS, PARTITIONS, TABLES, CapturedRecord, records

from connector.core.events import Partition
from connector.sandbox.config import DEFAULT_KEY, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kafka_broker import Broker

pytestmark = pytest.mark.kafka

_FEWEST = 20  # refusals that can suspend a lane


class Shop:
    """The captured topics of one dialect on a broker, and what the connector needs to read them."""

    def __init__(self, kafka: Broker, dialect: str) -> None:
        self.kafka = kafka
        self.topics = {entity: kafka.topic(entity, PARTITIONS) for entity in TABLES}
        self.letters = kafka.topic("dead-letters")
        self.group = self.letters.replace("dead-letters", "group")
        self._entities = {table: entity for entity, table in TABLES.items()}
        self._captured = records(dialect)
        self._ends: Counter[Partition] = Counter()

    @property
    def records(self) -> tuple[CapturedRecord, ...]:
        return self._captured

    def produce(self, captured: Iterable[CapturedRecord]) -> None:
        """Write records, each to the partition that it was captured from."""
        for entity, topic in self.topics.items():
            own = [each for each in captured if self._entities[each.table] == entity]
            self.kafka.produce(topic, *(Raw(e.value, e.key, e.partition, e.headers, e.timestamp) for e in own))
            self._ends.update(Partition(topic, each.partition) for each in own)

    def settled_by(self, *processes: Connector, but: str = "") -> bool:
        """Everything that was written is settled, as the processes say; `but` what was written of one entity."""
        told = {name: place for each in processes for name, place in each.status().get("partitions", {}).items()}
        return all(told.get(str(place), {}).get("committable") == end for place, end in self._written(but))

    def committed(self, but: str = "") -> bool:
        """Everything that was written is committed, as the broker says; `but` what was written of one entity."""
        committed = self.kafka.committed(self.group)
        return all(committed[place].offset == end for place, end in self._written(but))

    def _written(self, but: str) -> list[tuple[Partition, int]]:
        return [(place, end) for place, end in self._ends.items() if place.topic != self.topics.get(but)]

    def settings(self, **changes: str) -> dict[str, str]:
        topics = {f"TOPIC_{entity.upper()}": topic for entity, topic in self.topics.items()}
        return {"KAFKA_GROUP_ID": self.group, "DEAD_LETTER_TOPIC": self.letters, **topics, **changes}

    def dead(self) -> Counter[tuple[str, str, bytes | None, bytes | None]]:
        """The dead letters: entity, reason, and the record's own bytes."""
        found: Counter[tuple[str, str, bytes | None, bytes | None]] = Counter()
        for letter in self.kafka.read(self.letters):
            told = {name: value for name, value in letter.headers if value is not None}
            found[told["replenit.entity"].decode(), told["replenit.reason"].decode(), letter.key, letter.value] += 1
        return found


def _ended_well(process: Connector) -> None:
    assert process.stop() == 0, process.lines()
    for nobodys in ("crashed", "@example.com", "+1555", '"C-0', "O-90", DEFAULT_KEY):  # no failure, no data, no secret
        assert nobodys not in process.lines()


def _excepted_died(shop: Shop, excepted: Mapping[str, Mapping[str, str]]) -> None:
    """Every record in the dead-letter topic is one of the shop's, byte for byte, and each expected reason is there."""
    written = {(each.key, each.value) for each in shop.records}
    dead = shop.dead()
    assert {(key, value) for _, _, key, value in dead} <= written
    reasons = {(entity, reason) for entity, reason, _, _ in dead}
    for entity, rows in excepted.items():
        for reason in {reason.removeprefix("dead:") for reason in rows.values() if reason.startswith("dead:")}:
            assert (entity, reason) in reasons


@pytest.mark.parametrize("upsert", list(Upsert))
@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_captured_shop_converges(kafka: Broker, dialect: str, upsert: Upsert) -> None:
    """In each dialect, and whether an upsert replaces or merges, the API holds what the tables hold, and no more.

    Each of the policies that a shop with a column for the consent may choose is in one half of the cases. Where no
    order can be mapped, as its decimals have no scale, the orders are suspended, and keep their place.
    """
    consent: Literal["enforce", "forward"] = "enforce" if upsert is Upsert.MERGE else "forward"
    wanted = expected(dialect, consent=consent)
    reasons = Counter(wanted.excepted["orders"].values())
    refused = "orders" if reasons["dead:scale_unknown"] >= _FEWEST else ""
    shop = Shop(kafka, dialect)
    shop.produce(shop.records)
    with (
        Sandbox(SandboxConfig(upsert=upsert, per_minute=None, per_hour=None)) as sandbox,
        connector(kafka.bootstrap_servers, sandbox.url, shop.settings(CONSENT_POLICY=consent)) as process,
    ):
        process.wait_until(lambda: shop.settled_by(process, but=refused), "everything settled")
        suspended = {(each["lane"], each["reason"]) for each in process.status()["suspended"]}
        assert suspended == ({(refused, "unmappable")} if refused else set())
        _ended_well(process)
        wrong = difference(wanted, sandbox.state)
        assert [line for line in wrong if not (refused and line.startswith(refused) and line.endswith("missing"))] == []
        assert sandbox.broken_promises == []
    assert shop.committed(but=refused)
    assert sum(entity == refused for entity, *_ in shop.dead().elements()) < _FEWEST
    _excepted_died(shop, wanted.excepted)


def test_killed_midway_it_goes_on_where_it_was(kafka: Broker) -> None:
    """SIGKILL with requests in flight, a new start, and the shop converges; nothing is sent at the wrong time."""
    shop = Shop(kafka, "json-strings")
    middle = len(shop.records) // 2
    shop.produce(shop.records[:middle])
    settings = shop.settings(HTTP_TIMEOUT="2")
    slow = Faults(slow=1.0, slow_seconds=1.0)
    with Sandbox(SandboxConfig(per_minute=None, per_hour=None, faults=slow)) as sandbox:
        with connector(kafka.bootstrap_servers, sandbox.url, settings) as process:
            process.wait_until(lambda: sandbox.in_flight > 1, "requests in flight")
            process.kill()
        shop.produce(shop.records[middle:])
        sandbox.faults = replace(slow, slow=0.0)
        with connector(kafka.bootstrap_servers, sandbox.url, settings) as process:
            process.wait_until(lambda: shop.settled_by(process), "everything settled")
            _ended_well(process)
        assert difference(expected("json-strings", consent="enforce"), sandbox.state) == []
        assert sandbox.broken_promises == []


def test_partitions_move_between_two_processes_with_requests_in_flight(kafka: Broker) -> None:
    """A second process comes while requests are in flight, and the first one leaves: it converges all the same."""
    shop = Shop(kafka, "json-connect")
    third = len(shop.records) // 3
    settings = shop.settings(RATE_LIMIT_PER_MINUTE="2500", RATE_LIMIT_PER_HOUR="50000")
    slow = Faults(slow=0.5, slow_seconds=0.5)
    shop.produce(shop.records[:third])
    with (
        Sandbox(SandboxConfig(per_minute=None, per_hour=None, faults=slow)) as sandbox,
        connector(kafka.bootstrap_servers, sandbox.url, settings) as first,
    ):
        first.wait_until(lambda: sandbox.in_flight > 0, "a request in flight")
        with connector(kafka.bootstrap_servers, sandbox.url, settings) as second:
            shop.produce(shop.records[third : 2 * third])
            second.wait_until(lambda: bool(second.status().get("partitions")), "partitions have moved")
            shop.produce(shop.records[2 * third :])
            second.wait_until(lambda: sandbox.in_flight > 0, "a request in flight")
            _ended_well(first)
            second.wait_until(lambda: shop.settled_by(second), "everything settled")
            _ended_well(second)
        assert difference(expected("json-connect", consent="enforce"), sandbox.state) == []
        assert sandbox.broken_promises == []
