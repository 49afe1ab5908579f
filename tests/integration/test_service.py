"""The connector's own process against a real broker and the sandbox, when things are not as they should be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined] # exported all the same
from connector_process import Connector, connector
from kafka_broker import Raw

from connector.core.events import Partition
from connector.core.gate import Mark
from connector.sandbox.config import DEFAULT_KEY, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from kafka_broker import Broker
    from kafka_node import Node

pytestmark = pytest.mark.kafka

FREE = SandboxConfig(per_minute=None, per_hour=None)


def _customer(number: int, partition: int = 0, **columns: object) -> Raw:
    row = {"customer_id": f"c{number}", "email": f"someone.{number}@example.com", "gdpr_optin": True, **columns}
    source = {"connector": "postgresql", "snapshot": "false", "sequence": f'["{number}","{number}"]', "ts_ms": 1}
    event = {"before": None, "after": row, "source": source, "op": "c"}
    return Raw(json.dumps(event).encode(), json.dumps({"customer_id": f"c{number}"}).encode(), partition)


class Customers:
    """A topic of customers with one partition, and what the connector needs to read it."""

    def __init__(self, kafka: Broker) -> None:
        self.kafka = kafka
        self.topic = kafka.topic("customers")
        self.letters = kafka.topic("dead-letters")
        self.settings = {
            "TOPIC_CUSTOMERS": self.topic,
            "DEAD_LETTER_TOPIC": self.letters,
            "KAFKA_GROUP_ID": f"group.{self.topic}",
        }

    def with_key(self, file: Path, key: str) -> dict[str, str]:
        """The settings, with a key from a file."""
        file.write_text(key)
        return {**self.settings, "REPLENIT_API_KEY": "", "REPLENIT_API_KEY_FILE": str(file)}

    def settled(self, process: Connector, *ends: int) -> bool:
        """Whether each partition is settled up to its end."""
        places = process.status().get("partitions", {})
        told = [places.get(f"{self.topic}-{number}", {}).get("committable") for number in range(len(ends))]
        return told == list(ends)


def test_a_change_in_the_database_reaches_replenit(kafka: Broker) -> None:
    """One customer's event, from a real broker to the API, is delivered and committed, and shown by the metrics."""
    shop = Customers(kafka)
    kafka.produce(shop.topic, _customer(1))
    with Sandbox(FREE) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, shop.settings) as process:
        process.wait_until(lambda: shop.settled(process, 1), "the event settled")
        expected = {"CustomerId": "c1", "Email": "someone.1@example.com", "GdprOptin": True}
        assert sandbox.state["customers"] == {"c1": expected}
        page = process.page("/metrics")
        assert page is not None
        assert f'connector_events_total{{op="c",outcome="pending",topic="{shop.topic}"}} 1.0' in page.text
        assert 'code="200",endpoint="upsert_customers",purpose="fresh"' in page.text
        assert process.stop() == 0, process.lines()
        assert "someone" not in process.lines()
    committed = kafka.committed(shop.settings["KAFKA_GROUP_ID"])[Partition(shop.topic, 0)]
    assert committed.offset == 1
    assert Mark.decode(committed.metadata).clean


def test_what_cannot_be_brought_becomes_a_dead_letter_and_the_next_goes_on(kafka: Broker) -> None:
    """Each kind of bad record ends in the dead-letter topic byte for byte, with its reason, and costs no request."""
    shop = Customers(kafka)
    headers = (("traceparent", b"00-1-2-01"), ("odd", None))
    bad = {
        "undecodable": Raw(b'{"op":"c","sour', b'{"customer_id":"c9"}', headers=headers),
        "no_key": Raw(_customer(2).value, b'{"other":"c2"}'),
        "fabricated_id": Raw(None, b'{"customer_id":""}'),
        "unconvertible": _customer(3, gdpr_optin=7),
        "invalid": _customer(4, email="nobody", phone="555"),
    }
    skipped = [Raw(None, None), Raw(b'{"ts_ms":1}', b'{"serverName":"shop"}')]
    kafka.produce(shop.topic, *bad.values(), *skipped, _customer(5))
    with Sandbox(FREE) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, shop.settings) as process:
        process.wait_until(lambda: shop.settled(process, 8), "everything settled")
        assert process.stop() == 0, process.lines()
        assert list(sandbox.state["customers"]) == ["c5"]
        assert len(sandbox.requests) == 1
    letters = {dict(each.headers)["replenit.reason"]: each for each in kafka.read(shop.letters)}
    assert {reason.decode(): (each.key, each.value) for reason, each in letters.items() if reason} == {
        reason: (raw.key, raw.value) for reason, raw in bad.items()
    }
    assert letters[b"undecodable"].headers[:2] == headers
    told = dict(letters[b"invalid"].headers)
    assert {b"Email", b"Phone"} <= {line.partition(b":")[0] for line in (told["replenit.errors"] or b"").split(b"\n")}
    assert told["__connect.errors.offset"] == b"4"


def test_a_revoked_key_stops_sending_until_its_file_holds_another(kafka: Broker, tmp_path: Path) -> None:
    """After a 401 nothing is lost and nothing but probes is sent; a new key in the file is used at once."""
    shop = Customers(kafka)
    key = tmp_path / "key"
    settings = shop.with_key(key, "cmV2b2tlZA==\n")
    kafka.produce(shop.topic, *map(_customer, range(20)))
    with Sandbox(FREE) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, settings) as process:
        process.wait_until(lambda: bool(process.status().get("halted")), "sending has stopped")
        halted = process.status()["halted"]
        assert halted["reason"] == "unauthorized"
        assert "REPLENIT_API_KEY" in halted["remedy"]
        key.unlink()
        key.write_text(DEFAULT_KEY)
        process.wait_until(lambda: shop.settled(process, 20), "everything settled")
        assert process.status()["halted"] is None
        assert process.stop() == 0, process.lines()
        assert len(sandbox.state["customers"]) == 20
        assert DEFAULT_KEY not in process.lines()


def test_an_api_that_is_down_is_waited_for(kafka: Broker) -> None:
    """While the API answers 503 everything waits, visible in the metrics; then it is delivered."""
    shop = Customers(kafka)
    kafka.produce(shop.topic, *map(_customer, range(5)))
    with (
        Sandbox(replace(FREE, faults=Faults(down=True))) as sandbox,
        connector(kafka.bootstrap_servers, sandbox.url, shop.settings) as process,
    ):
        process.wait_until(lambda: len(sandbox.requests) > 1, "a second attempt")
        page = process.page("/metrics")
        assert page is not None
        assert 'connector_api_retries_total{reason="http_503"}' in page.text
        sandbox.faults = Faults()
        process.wait_until(lambda: shop.settled(process, 5), "everything settled")
        assert process.stop() == 0, process.lines()


def test_a_broker_that_is_down_is_waited_for(own_kafka: Node) -> None:
    """Started before its broker, and with the broker restarted under it, it delivers everything all the same."""
    shop = Customers(own_kafka.broker)
    own_kafka.broker.produce(shop.topic, *map(_customer, range(5)))
    own_kafka.stop()
    with Sandbox(FREE) as sandbox, connector(own_kafka.broker.bootstrap_servers, sandbox.url, shop.settings) as process:
        process.wait_until(lambda: "ready" in process.status(), "the status page")
        process.wait_until(lambda: "kafka_error" in process.lines(), "the fault is told")
        assert not sandbox.requests
        own_kafka.start()
        process.wait_until(lambda: shop.settled(process, 5), "everything settled")
        own_kafka.kill()
        own_kafka.start()
        own_kafka.broker.produce(shop.topic, *map(_customer, range(5, 9)))
        process.wait_until(lambda: shop.settled(process, 9), "everything settled")
        assert process.stop() == 0, process.lines()
        assert len(sandbox.state["customers"]) == 9
        assert sandbox.broken_promises == []
        told = [line for line in process.lines().splitlines() if "kafka_error" in line or '"library"' in line]
        assert len(told) <= 6, told  # not once a second, for each client and broker


def test_a_missing_dead_letter_topic_halts_at_once(kafka: Broker) -> None:
    """Without the topic nothing is sent and nothing committed, and the status says what to do; it is not created."""
    shop = Customers(kafka)
    kafka.produce(shop.topic, _customer(1))
    settings = {**shop.settings, "DEAD_LETTER_TOPIC": f"missing.{shop.topic}"}
    with Sandbox(FREE) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, settings) as process:
        process.wait_until(lambda: bool(process.status().get("halted")), "sending has stopped")
        assert process.status()["halted"]["reason"] == "dead_letter_topic"
        assert process.stop() == 0, process.lines()
        assert not sandbox.requests


def test_records_that_were_deleted_unread_are_told(kafka: Broker) -> None:
    """If the topic's start lies beyond the committed offset, changes were missed: counted, and said with the remedy."""
    shop = Customers(kafka)
    kafka.produce(shop.topic, *map(_customer, range(3)))
    with Sandbox(FREE) as sandbox:
        with connector(kafka.bootstrap_servers, sandbox.url, shop.settings) as process:
            process.wait_until(lambda: shop.settled(process, 3), "everything settled")
            assert process.stop() == 0, process.lines()
        kafka.produce(shop.topic, *map(_customer, range(3, 8)))
        admin = AdminClient(kafka.client())
        [deleted] = admin.delete_records([TopicPartition(shop.topic, 0, 7)]).values()
        deleted.result(30)
        with connector(kafka.bootstrap_servers, sandbox.url, shop.settings) as process:
            process.wait_until(lambda: shop.settled(process, 8), "everything settled")
            page = process.page("/metrics")
            assert page is not None
            assert f'connector_retention_gap_records_total{{topic="{shop.topic}"}} 4.0' in page.text
            assert "snapshot" in process.lines()
            assert process.stop() == 0, process.lines()


def test_records_that_were_deleted_during_a_halt_are_told(kafka: Broker, tmp_path: Path) -> None:
    """A halt that outlasts the topic's retention: what was deleted unread is counted, and the rest delivered."""
    shop = Customers(kafka)
    key = tmp_path / "key"
    settings = shop.with_key(key, "cmV2b2tlZA==\n")
    kafka.produce(shop.topic, *map(_customer, range(5)))
    with Sandbox(FREE) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, settings) as process:
        process.wait_until(lambda: bool(process.status().get("halted")), "sending has stopped")
        kafka.produce(shop.topic, *map(_customer, range(5, 12)))
        admin = AdminClient(kafka.client())
        [deleted] = admin.delete_records([TopicPartition(shop.topic, 0, 9)]).values()
        deleted.result(30)
        key.write_text(DEFAULT_KEY)
        counted = f'connector_retention_gap_records_total{{topic="{shop.topic}"}} 4.0'
        process.wait_until(lambda: shop.settled(process, 12), "everything settled")
        process.wait_until(lambda: (page := process.page("/metrics")) is not None and counted in page.text, "told")
        assert process.stop() == 0, process.lines()
        assert len(sandbox.state["customers"]) == 8


def test_a_topic_that_has_grown_keeps_the_order_of_its_keys(kafka: Broker) -> None:
    """A key's older changes in an older partition are read before its newer ones in a new partition."""
    shop = Customers(kafka)
    kafka.produce(shop.topic, *map(_customer, range(20)))
    with Sandbox(FREE) as sandbox:
        with connector(kafka.bootstrap_servers, sandbox.url, shop.settings) as process:
            process.wait_until(lambda: shop.settled(process, 20), "everything settled")
            assert process.stop() == 0, process.lines()
        admin = AdminClient(kafka.client())
        admin.create_partitions([NewPartitions(shop.topic, 2)])[shop.topic].result(30)
        kafka.produce(shop.topic, *(_customer(number, name="older") for number in range(20)))
        kafka.produce(shop.topic, *(_customer(number, 1, name="newer") for number in range(20)))
        with connector(kafka.bootstrap_servers, sandbox.url, shop.settings) as process:
            process.wait_until(lambda: shop.settled(process, 40, 20), "everything settled")
            assert process.stop() == 0, process.lines()
        assert {customer["Name"] for customer in sandbox.state["customers"].values()} == {"newer"}
