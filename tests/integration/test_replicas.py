"""Several processes of the connector in one group: they come and go, are killed, stand still, and are replaced."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined] # exported all the same
from connector_process import Connector, connector
from kafka_broker import Raw

from connector.sandbox.config import SandboxConfig
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kafka_broker import Broker

    from connector.sandbox.journal import Seen

pytestmark = pytest.mark.kafka

PARTITIONS = 6
QUICK = {"KAFKA_SESSION_TIMEOUT_MS": "3000", "KAFKA_HEARTBEAT_INTERVAL_MS": "500", "HTTP_TIMEOUT": "1"}


def _customer(number: int, version: int) -> Raw:
    email = f"someone.{number}@example.com"
    row = {"customer_id": f"c{number}", "email": email, "name": f"{version:06}", "gdpr_optin": True}
    source = {"connector": "postgresql", "snapshot": "false", "sequence": f'["{version}","{version}"]', "ts_ms": 1}
    event = {"before": None, "after": row, "source": source, "op": "u"}
    return Raw(json.dumps(event).encode(), json.dumps({"customer_id": f"c{number}"}).encode(), number % PARTITIONS)


class Shop:
    """A table of customers on six partitions, the processes that read it, and a judge of what they bring."""

    def __init__(self, kafka: Broker, config: SandboxConfig, **settings: str) -> None:
        self.kafka = kafka
        self.topic = kafka.topic("customers", PARTITIONS)
        letters = kafka.topic("dead-letters")
        own = {"TOPIC_CUSTOMERS": self.topic, "DEAD_LETTER_TOPIC": letters, "KAFKA_GROUP_ID": f"group.{self.topic}"}
        self.settings = {**own, **QUICK, **settings}
        self.sandbox = Sandbox(config, self._observe)
        self.versions: dict[str, int] = {}
        self.went_back: list[str] = []
        self._ends = [0] * PARTITIONS
        self._seen: dict[str, str] = {}

    def _observe(self, seen: Seen) -> None:
        state = self.sandbox.state["customers"]
        for each in seen.ids:
            version = state[each]["Name"] if each in state else ""
            if version < self._seen.get(each, ""):
                self.went_back.append(f"{each} from {self._seen[each]} to {version}")
            self._seen[each] = version

    @contextmanager
    def open(self) -> Iterator[ExitStack]:
        with self.sandbox, ExitStack() as stack:
            yield stack

    def start(self, stack: ExitStack, url: str = "", **changes: str) -> Connector:
        url, settings = url or self.sandbox.url, {**self.settings, **changes}
        return stack.enter_context(connector(self.kafka.bootstrap_servers, url, settings))

    def write(self, numbers: Iterable[int]) -> None:
        changed = list(numbers)
        for number in changed:
            self.versions[f"c{number}"] = self.versions.get(f"c{number}", 0) + 1
            self._ends[number % PARTITIONS] += 1
        self.kafka.produce(self.topic, *(_customer(number, self.versions[f"c{number}"]) for number in changed))

    def settled(self, *processes: Connector) -> bool:
        told = {name: place for each in processes for name, place in each.status().get("partitions", {}).items()}
        ends = {f"{self.topic}-{number}": end for number, end in enumerate(self._ends)}
        return all(told.get(name, {}).get("committable") == end for name, end in ends.items())

    def verdict(self) -> list[str]:
        customers = self.sandbox.state["customers"].values()
        held = {each["CustomerId"]: int(each["Name"]) for each in customers}
        wrong = [
            f"{each}: {held.get(each)} for {wanted}"
            for each, wanted in self.versions.items()
            if held.get(each) != wanted
        ]
        return wrong + self.went_back + self.sandbox.broken_promises


class Door:
    """An address at which connections hang until it is opened; then they lead to a server."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self._address = self._listener.getsockname()
        self._waiting = [socket.socket() for _ in range(2)]  # as many fill the queue: who comes now is not answered
        for each in self._waiting:
            each.setblocking(False)
            each.connect_ex(self._address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._address[1]}"

    def open(self, url: str) -> None:
        for each in self._waiting:
            each.close()
        host, _, port = url.removeprefix("http://").rpartition(":")
        threading.Thread(target=self._serve, args=((host, int(port)),), daemon=True).start()

    def _serve(self, server: tuple[str, int]) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                inner = socket.create_connection(server)
                for pair in ((client, inner), (inner, client)):
                    threading.Thread(target=_pass_on, args=pair, daemon=True).start()

    def close(self) -> None:
        self._listener.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError), source, target:
        while data := source.recv(65_536):
            target.sendall(data)


def _share(process: Connector) -> float:
    told = process.status().get("budget", {}).get("share", 0.0)
    assert isinstance(told, float)
    return told


def _owned(process: Connector) -> int:
    return len(process.status().get("partitions", {}))


def test_replicas_share_the_budget_and_one_that_stood_still_turns_nothing_back(kafka: Broker) -> None:
    """One of three is killed, another stopped for longer than its session, just before a request of its leaves.

    Meanwhile the third brings newer states of all. What the stopped one had at hand must not leave when it goes on.
    """
    config = SandboxConfig(per_minute=100, per_hour=5000)
    limits = {"RATE_LIMIT_PER_MINUTE": "100", "RATE_LIMIT_PER_HOUR": "5000", "BATCH_MAX_CUSTOMERS": "10"}
    shop, door = Shop(kafka, config, **limits), Door()
    with shop.open() as stack:
        stack.callback(door.close)
        first = shop.start(stack)
        first.wait_until(lambda: _share(first) == 1, "the only one has all")
        second, third = shop.start(stack, door.url, HTTP_TIMEOUT="60"), shop.start(stack)
        replicas = (first, second, third)
        third.wait_until(lambda: [_share(each) for each in replicas] == [0.3333] * 3, "each has a third")
        shop.write(range(240))
        second.wait_until(lambda: second.status()["requests_in_flight"] > 0, "a request is about to leave")
        first.wait_until(lambda: len(shop.sandbox.requests) > 2, "the others are sending")
        os.kill(second.process.pid, signal.SIGSTOP)
        first.kill()
        door.open(shop.sandbox.url)
        third.wait_until(lambda: _share(third) == 1, "a dead one's part comes back")
        shop.write(range(240))
        third.wait_until(lambda: shop.settled(third), "everything settled")
        os.kill(second.process.pid, signal.SIGCONT)
        second.wait_until(lambda: _owned(second) == 3, "it is given partitions again")
        second.wait_until(lambda: second.status()["requests_in_flight"] == 0, "what it had at hand has ended")
        assert second.stop() == 0, second.lines()
        assert '"lost"' in second.lines()
        third.wait_until(lambda: _share(third) == 1, "the part of the one that left is free")
        assert third.stop() == 0, third.lines()
        assert shop.verdict() == []
        assert shop.sandbox.fullest_minute > 10


def test_rolling_the_replicas_loses_nothing(kafka: Broker) -> None:
    """Under load one after the other is stopped in good order and started anew; then the topic grows."""
    soon = {"KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS": "500"}
    shop = Shop(kafka, SandboxConfig(per_minute=None, per_hour=None), BATCH_MAX_CUSTOMERS="20", **soon)
    with shop.open() as stack:
        running = [shop.start(stack) for _ in range(2)]
        running[0].wait_until(lambda: [_owned(each) for each in running] == [3, 3], "both have partitions")
        for place in (0, 1):
            shop.write(range(600))
            running[0].wait_until(lambda before=5 * place: len(shop.sandbox.requests) > before, "they are sending")  # type: ignore[misc]
            assert running[place].stop() == 0, running[place].lines()
            shop.write(range(0, 600, 2))
            running[place] = shop.start(stack)
            running[place].wait_until(lambda: [_owned(each) for each in running] == [3, 3], "it has partitions")
        shop.write(range(0, 600, 3))
        running[0].wait_until(lambda: shop.settled(*running), "everything settled")
        assert all("gate_waiting" not in each.lines() for each in running), (
            "whoever left in good order is not waited for"
        )
        admin = AdminClient(kafka.client())
        admin.create_partitions([NewPartitions(shop.topic, 7)])[shop.topic].result(30)
        running[0].wait_until(lambda: sorted(map(_share, running)) == [0.4286, 0.5714], "both know of the new one")
        for each in running:
            assert each.stop() == 0, each.lines()
        assert shop.verdict() == []


def test_customers_by_email_are_one_replicas(kafka: Broker, tmp_path: Path) -> None:
    """Two share the partitions, so neither sends, and both say so; the one that stays has all again and goes on."""
    shop = Shop(kafka, SandboxConfig(per_minute=None, per_hour=None, customers_by="Email"), CUSTOMER_IDENTIFIER="Email")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    with shop.open() as stack:
        first = shop.start(stack, STATE_DIR=str(tmp_path / "first"))
        shop.write(range(20))
        first.wait_until(lambda: shop.settled(first), "everything settled")
        second = shop.start(stack, STATE_DIR=str(tmp_path / "second"))
        second.wait_until(lambda: [_owned(each) for each in (first, second)] == [3, 3], "each has half")
        shop.write(range(20))
        for each in (first, second):
            each.wait_until(lambda p=each: bool(p.status()["suspended"]), "neither sends")  # type: ignore[misc]
            assert each.status()["suspended"][0]["reason"] == "partitions_elsewhere"
        requests = len(shop.sandbox.requests)
        assert first.stop() == 0, first.lines()
        assert len(shop.sandbox.requests) == requests
        second.wait_until(lambda: shop.settled(second), "everything settled")
        assert second.status()["suspended"] == []
        assert second.stop() == 0, second.lines()
        assert shop.verdict() == []
