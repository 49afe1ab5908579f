"""What is at fault is a setting or the platform: sending stops, or one lane does; nothing is lost, and it goes on."""

from __future__ import annotations

import json
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # exported all the same
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourcePatternType,
    ResourceType,
)
from connector_process import Connector, connector
from kafka_broker import Raw

from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from kafka_broker import Broker

pytestmark = pytest.mark.kafka

FREE = SandboxConfig(per_minute=None, per_hour=None)
OTHER_KEY = "b3RoZXIta2V5"
IDS = {"customers": "customer_id", "orders": "order_id", "products": "product_id"}


def _event(entity: str, number: int, **columns: object) -> Raw:
    identifier = f"{entity[0]}{number}"
    rows: dict[str, dict[str, object]] = {
        "customers": {"email": f"someone.{number}@example.com", "gdpr_optin": True},
        "orders": {
            "customer_id": "c1",
            "currency": "EUR",
            "order_items": json.dumps([{"product_id": "p", "sku": "s", "quantity": 1, "price": 2}]),
        },
        "products": {"product_name": "A", "product_variants": json.dumps([{"variant_id": "v", "sku": "s"}])},
    }
    key = {IDS[entity]: identifier}
    after = {name: value for name, value in {**key, **rows[entity], **columns}.items() if value is not ...}
    source = {"connector": "postgresql", "snapshot": "false", "sequence": f'["{number}","{number}"]', "ts_ms": 1}
    event = {"before": None, "after": after, "source": source, "op": "c"}
    return Raw(json.dumps(event).encode(), json.dumps(key).encode())


class Shop:
    """Topics of one partition for each entity, and what the connector needs to read them."""

    def __init__(self, kafka: Broker, **letters: str) -> None:
        self.kafka = kafka
        self.topics = {entity: kafka.topic(entity) for entity in IDS}
        self.letters = kafka.topic("dead-letters", config={name.replace("_", "."): v for name, v in letters.items()})
        self.settings = {
            **{f"TOPIC_{entity.upper()}": topic for entity, topic in self.topics.items()},
            "DEAD_LETTER_TOPIC": self.letters,
            "KAFKA_GROUP_ID": f"group.{self.letters}",
        }
        self._ends = dict.fromkeys(IDS, 0)

    def write(self, entity: str, numbers: Iterable[int], **columns: object) -> None:
        events = [_event(entity, number, **columns) for number in numbers]
        self.kafka.produce(self.topics[entity], *events)
        self._ends[entity] += len(events)

    def settled(self, process: Connector, *entities: str) -> bool:
        """Whether all that was written of the entities is settled."""
        places = process.status().get("partitions", {})
        return all(
            places.get(f"{self.topics[entity]}-0", {}).get("committable") == self._ends[entity]
            for entity in entities or IDS
        )

    def dead(self) -> int:
        return len(self.kafka.read(self.letters))


def _suspended(process: Connector) -> list[tuple[str, str]]:
    return [(each["lane"], each["reason"]) for each in process.status().get("suspended", [])]


def _metric(process: Connector, sample: str) -> str:
    page = process.page("/metrics")
    assert page is not None
    return next(line.rpartition(" ")[2] for line in page.text.splitlines() if line.startswith(sample))


def test_what_the_api_mostly_refuses_suspends_its_lane(kafka: Broker, tmp_path: Path) -> None:
    """The others go on, health is untouched, and what stands in the status names the field; a new key tries at once."""
    shop = Shop(kafka)
    key = tmp_path / "key"
    key.write_text(DEFAULT_KEY)
    refused = {"customers": {f"c{number}": "The field Email is not valid." for number in range(60)}}
    shop.write("customers", range(60))
    shop.write("orders", range(3))
    settings = {**shop.settings, "REPLENIT_API_KEY": "", "REPLENIT_API_KEY_FILE": str(key)}
    config = SandboxConfig(
        per_minute=None,
        per_hour=None,
        keys={DEFAULT_KEY: (DEFAULT_TENANT,), OTHER_KEY: (DEFAULT_TENANT,)},
        faults=Faults(poisoned=refused),
    )
    with Sandbox(config) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, settings) as process:
        process.wait_until(lambda: _suspended(process) == [("customers", "rejected")], "the lane is suspended")
        process.wait_until(lambda: shop.settled(process, "orders", "products"), "the others go on")
        assert len(sandbox.state["orders"]) == 3
        assert shop.dead() == 0
        assert _metric(process, 'connector_suspended{lane="customers",reason="rejected"}') == "1.0"
        assert "rejected:" in process.status()["suspended"][0]["detail"]
        for page in ("/livez", "/readyz"):
            answer = process.page(page)
            assert answer is not None
            assert answer.status_code == 200
        sandbox.faults = Faults()
        key.write_text(OTHER_KEY)
        process.wait_until(lambda: shop.settled(process), "everything settled")
        assert _suspended(process) == []
        assert process.stop() == 0, process.lines()
        assert len(sandbox.state["customers"]) == 60
        assert [process.lines().count(f'"event": "{event}"') for event in ("suspended", "lane_resumed")] == [1, 1]
        assert "@example.com" not in process.lines()


def test_a_cluster_of_bad_rows_suspends_nothing(kafka: Broker) -> None:
    """Thirty bad rows in a row among good ones are thirty dead letters."""
    shop = Shop(kafka)
    shop.write("orders", range(100))
    shop.write("orders", range(100, 130), currency="euros")
    shop.write("orders", range(130, 200))
    with Sandbox(FREE) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, shop.settings) as process:
        process.wait_until(lambda: shop.settled(process), "everything settled")
        assert process.stop() == 0, process.lines()
        assert len(sandbox.state["orders"]) == 170
        assert '"event": "suspended"' not in process.lines()
    assert shop.dead() == 30


def test_without_a_column_for_the_consent_the_customers_wait(kafka: Broker) -> None:
    """Nothing of them leaves; orders and products go on, and the line says what to do."""
    shop = Shop(kafka)
    shop.write("customers", range(5), gdpr_optin=...)
    shop.write("orders", range(5))
    shop.write("products", range(5))
    with Sandbox(FREE) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, shop.settings) as process:
        process.wait_until(lambda: _suspended(process) == [("customers", "consent_unknown")], "suspended")
        process.wait_until(lambda: shop.settled(process, "orders", "products"), "the others go on")
        assert "CONSENT_POLICY" in process.status()["suspended"][0]["remedy"]
        assert process.stop() == 0, process.lines()
        assert {entity: len(held) for entity, held in sandbox.state.items() if held} == {"orders": 5, "products": 5}
        assumed = {**shop.settings, "CONSENT_POLICY": "assume"}
        with connector(kafka.bootstrap_servers, sandbox.url, assumed) as second:
            second.wait_until(lambda: shop.settled(second), "everything settled")
            assert "consent_assumed" in second.lines()
            assert second.stop() == 0, second.lines()
        assert [customer["GdprOptin"] for customer in sandbox.state["customers"].values()] == [True] * 5
    assert shop.dead() == 0


def test_a_key_file_that_is_wrong_empty_or_gone_halts_until_it_is_right(kafka: Broker, tmp_path: Path) -> None:
    """The old key is not used again, whatever comes; the new one is used at once."""
    shop = Shop(kafka)
    key = tmp_path / "key"
    key.write_text(DEFAULT_KEY)
    settings = {**shop.settings, "REPLENIT_API_KEY": "", "REPLENIT_API_KEY_FILE": str(key)}
    keys = {DEFAULT_KEY: (DEFAULT_TENANT,), OTHER_KEY: (DEFAULT_TENANT,)}
    config = SandboxConfig(per_minute=None, per_hour=None, keys=keys)
    with Sandbox(config) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, settings) as process:

        def halted() -> str | None:
            told = process.status().get("halted")
            return None if told is None else str(told["reason"])

        shop.write("orders", range(3))
        process.wait_until(lambda: shop.settled(process), "everything settled")
        key.write_text("d3Jvbmc=")
        shop.write("orders", range(3, 6))
        process.wait_until(lambda: halted() == "unauthorized", "the wrong key halts")
        accepted = len(sandbox.state["orders"])
        key.write_text("")
        shop.write("orders", range(6, 9))
        key.unlink()
        process.wait_until(lambda: process.status()["partitions"][f"{shop.topics['orders']}-0"]["paused"], "paused")
        assert len(sandbox.state["orders"]) == accepted == 3
        assert halted() is not None
        key.write_text(OTHER_KEY)
        process.wait_until(lambda: shop.settled(process), "everything settled")
        assert halted() is None
        key.unlink()
        process.wait_until(lambda: halted() == "key_missing", "a key that is gone halts by itself")
        key.write_text(OTHER_KEY)
        process.wait_until(lambda: halted() is None, "it goes on")
        assert process.stop() == 0, process.lines()
        assert len(sandbox.state["orders"]) == 9
    assert shop.dead() == 0


def test_a_dead_letter_topic_that_takes_nothing_halts_until_it_does(kafka: Broker) -> None:
    """Too small for a record, or no permission: nothing is committed past it, nor lost."""
    small, denied = Shop(kafka, max_message_bytes="1000"), Shop(kafka)
    admin = AdminClient(kafka.client())
    topic = (ResourceType.TOPIC, denied.letters, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*")
    may_read = [
        AclBinding(*topic, operation, AclPermissionType.ALLOW)
        for operation in (AclOperation.DESCRIBE, AclOperation.READ, AclOperation.DELETE)
    ]
    for created in admin.create_acls(may_read).values():
        created.result(30)
    shops = {"max.message.bytes": small, "Write": denied}
    for shop in shops.values():
        shop.write("orders", range(2), currency=Random(1).randbytes(5000).hex())  # no compression makes it fit
    with Sandbox(FREE) as sandbox, ExitStack() as stack:
        running = [
            (shop, stack.enter_context(connector(kafka.bootstrap_servers, sandbox.url, shop.settings)))
            for shop in shops.values()
        ]
        for remedy, (shop, process) in zip(shops, running, strict=True):
            process.wait_until(lambda p=process: bool(p.status().get("halted")), "sending has stopped")  # type: ignore[misc]
            told = process.status()["halted"]
            assert told["reason"] == "dead_letter_topic"
            assert remedy in told["detail"]
            assert process.status()["partitions"][f"{shop.topics['orders']}-0"]["committable"] == 0
        entry = ConfigEntry("max.message.bytes", "1000000", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, small.letters, incremental_configs=[entry])
        for altered in admin.incremental_alter_configs([resource]).values():
            altered.result(30)
        may_write = AclBinding(*topic, AclOperation.WRITE, AclPermissionType.ALLOW)
        for created in admin.create_acls([may_write]).values():
            created.result(30)
        for shop, process in running:
            process.wait_until(lambda p=process, s=shop: s.settled(p), "everything settled")  # type: ignore[misc]
            assert process.stop() == 0, process.lines()
    assert [shop.dead() for shop in shops.values()] == [2, 2]
