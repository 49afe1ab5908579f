"""What breaks a real connector makes one alert arrive at whoever is paged: through Prometheus and Alertmanager.

The rules are followed sixty times as fast as they stand (`hurried_rules`), the processes run at their real pace.
"""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import Producer
from connector_process import connector
from deploy.hurried_rules import SCRAPE_INTERVAL, hurried_rules
from deploy.monitoring import Alertmanager, Prometheus, Receiver
from deploy.rules import ALERTS
from kafka_node import free_port

from connector.sandbox.config import DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from connector_process import Connector
    from kafka_node import Node

pytestmark = pytest.mark.kafka

FIRST, SECOND, THIRD = "Zmlyc3Q=", "c2Vjb25k", "dGhpcmQ="


class Shop:
    """Writes a customer at each look, and orders when it is told to."""

    def __init__(self, kafka: Node) -> None:
        self.topics = {name: kafka.broker.topic(name) for name in ("customers", "orders")}
        self.settings = {
            **{f"TOPIC_{name.upper()}": topic for name, topic in self.topics.items()},
            "DEAD_LETTER_TOPIC": kafka.broker.topic("dead-letters"),
            "KAFKA_GROUP_ID": "watched",
            "KAFKA_SESSION_TIMEOUT_MS": "6000",
        }
        self._producer = Producer(kafka.broker.client())
        self._customers = 0

    def customer(self) -> None:
        self._customers += 1
        identifier = {"customer_id": f"c{self._customers}"}
        row = {**identifier, "email": f"someone.{self._customers}@example.com", "gdpr_optin": True}
        self._write("customers", identifier, row, ts_ms=round(time.time() * 1000))

    def orders(self, count: int) -> None:
        """Orders whose source tells no time of its commit: they do not count as late."""
        items = json.dumps([{"product_id": "p", "sku": "s", "quantity": 1, "price": 2}])
        for number in range(count):
            identifier = {"order_id": f"o{number}"}
            self._write(
                "orders", identifier, {**identifier, "customer_id": "c1", "currency": "EUR", "order_items": items}
            )

    def write_nonsense(self) -> None:
        self._producer.produce(self.topics["orders"], b"{", b'{"order_id":"o"}')
        self._producer.poll(0)

    def _write(self, entity: str, key: object, row: object, **source: object) -> None:
        event = {
            "before": None,
            "after": row,
            "op": "c",
            "source": {"connector": "postgresql", "snapshot": "false", **source},
        }
        self._producer.produce(self.topics[entity], json.dumps(event), json.dumps(key))
        self._producer.poll(0)


class Watch:
    """What watches the connector, from its metrics to the receiver of its alerts, and what has been told."""

    def __init__(self, shop: Shop, process: Connector, port: int, stack: ExitStack) -> None:
        self._shop = shop
        self._process = process
        self.receiver = stack.enter_context(Receiver())
        alertmanager = stack.enter_context(Alertmanager(self.receiver))
        self._prometheus = stack.enter_context(Prometheus(f"127.0.0.1:{port}", SCRAPE_INTERVAL, alertmanager))
        self._prometheus.follow(hurried_rules())
        self._began = time.time()

    def tells(self, alert: str, breaks: Callable[[], object], mends: Callable[[], object] | None = None) -> None:
        """Whoever is paged hears of this alert alone, and hears when it is over."""
        since = len(self.receiver.alerts)
        breaks()
        self._wait(lambda: alert in self.receiver.firing(since), f"{alert} arrives")
        if mends is not None:
            mends()
            self._wait(lambda: alert in self.receiver.resolved(since), f"{alert} is over")
        assert self.receiver.firing(since) == {alert}

    def misses(self, alert: str) -> None:
        """The process has ended, and this alert alone arrives."""
        since = len(self.receiver.alerts)
        self._prometheus.wait_until(
            lambda: alert in self.receiver.firing(since) and alert in self.fired(), f"{alert} arrives"
        )
        assert self.receiver.firing(since) == {alert}

    def fired(self) -> set[str]:
        """All that has fired since the beginning."""
        found = self._prometheus.series('ALERTS{alertstate="firing"}', self._began, time.time(), 0.25)
        return {each["metric"]["alertname"] for each in found}

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        def turn() -> bool:
            self._shop.customer()
            return holds()

        self._process.wait_until(turn, what)


def test_each_thing_that_breaks_is_told_and_nothing_else(own_kafka: Node, tmp_path: Path) -> None:
    """A revoked key, an API that is down, a flood of refusals, Kafka down, a bad record, a stopped process."""
    shop, key, port = Shop(own_kafka), tmp_path / "key", free_port()
    key.write_text(FIRST)
    settings = {**shop.settings, "REPLENIT_API_KEY": "", "REPLENIT_API_KEY_FILE": str(key), "HTTP_PORT": str(port)}
    with ExitStack() as stack:
        keys = dict.fromkeys((FIRST, SECOND, THIRD), (DEFAULT_TENANT,))
        sandbox = stack.enter_context(Sandbox(SandboxConfig(per_minute=None, per_hour=None, keys=keys)))
        process = stack.enter_context(connector(own_kafka.broker.bootstrap_servers, sandbox.url, settings))
        process.wait_until(lambda: len(process.status().get("partitions", {})) == 2, "partitions are read")
        watch = Watch(shop, process, port, stack)

        def refuse_orders() -> None:
            poisoned = {f"o{number}": "Is refused." for number in range(100)}
            sandbox.faults = Faults(poisoned={"orders": poisoned})
            shop.orders(100)

        def go_down() -> None:
            sandbox.faults = Faults(down=True)

        def recover() -> None:
            sandbox.faults = Faults()

        def accept_orders() -> None:
            recover()
            key.write_text(THIRD)  # with which a lane is tried at once

        watch.tells("ConnectorHalted", lambda: sandbox.revoke(FIRST), lambda: key.write_text(SECOND))
        watch.tells("ConnectorStalled", go_down, recover)
        watch.tells("ConnectorSuspended", refuse_orders, accept_orders)
        watch.tells("ConnectorNotReading", own_kafka.stop, own_kafka.start)
        watch.tells("ConnectorDeadLettersGrowing", shop.write_nonsense)
        assert process.stop() == 0, process.lines()
        watch.misses("ConnectorAbsent")
        expected = ("Halted", "Stalled", "Suspended", "NotReading", "DeadLettersGrowing", "Absent")
        assert watch.fired() == {f"Connector{name}" for name in expected}
    for alert in watch.receiver.alerts:
        told = alert["annotations"]
        assert "shop" in told["summary"]
        assert not re.search(r"<no value>|{{|error|NaN", " ".join(told.values()))
        assert told["runbook_url"] == ALERTS[alert["labels"]["alertname"]]["annotations"]["runbook_url"]
