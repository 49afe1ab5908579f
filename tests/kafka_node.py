"""What a broker for tests is, wherever it runs: one node in KRaft mode, its settings, its port, when it is ready."""

from __future__ import annotations

import random
import socket
import threading
import time
from typing import TYPE_CHECKING, Protocol

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from kafka_broker import Broker

KAFKA_VERSION = "4.4.0"
START_PATIENCE = 120.0


class Node(Protocol):
    """A broker that the tests own. Its address and its data survive everything but `close`."""

    @property
    def broker(self) -> Broker: ...

    def start(self) -> None:
        """Start what was stopped or killed; return once clients are served."""

    def stop(self) -> None:
        """Shut down in good order; return when it is gone."""

    def kill(self) -> None:
        """End at once, as a power cut would."""

    def pause(self) -> None:
        """Hang: connections stay open and nothing answers."""

    def resume(self) -> None:
        """Go on after `pause`."""

    def close(self) -> None:
        """End it for good, in whatever state it is, and remove its data."""


def settings(address: str, interface: str, controller_port: int, log_dirs: str) -> dict[str, str]:
    """Return the properties of a node that listens on an interface, at the port of the address that clients come to."""
    port = address.rpartition(":")[2]
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "listeners": f"PLAINTEXT://{interface}:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{address}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": log_dirs,
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # A topic that is missing stays missing, as in production.
        "auto.create.topics.enable": "false",
        # Everybody may do what no rule forbids.
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
        "super.users": "User:nobody",
        # What takes a broker minutes happens within a test.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        "broker.session.timeout.ms": "3000",  # until then a killed broker may not come back
        "broker.heartbeat.interval.ms": "500",
        "log.cleaner.backoff.ms": "500",
        "log.retention.check.interval.ms": "500",
        "log.retention.ms": "-1",  # a record may bear any time; a topic may have a retention of its own
    }


def free_port() -> int:
    """Find a port below the ephemeral ones.

    A client that tries to reach a stopped broker on an ephemeral port may be given that very port for its own end,
    connect to itself, and keep the broker from coming back.
    """
    for port in random.sample(range(10_000, 32_000), 100):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise UnavailableError("no free port")


def wait_until_ready(broker: Broker, ended: Callable[[], bool]) -> None:
    """Wait until the broker serves clients; raise UnavailableError if it ends or takes too long."""
    pause = threading.Event()  # that never comes
    deadline = time.monotonic() + START_PATIENCE
    while time.monotonic() < deadline:
        if ended():
            raise UnavailableError("it ended while starting")
        if serves(broker):
            return
        pause.wait(0.05)
    raise UnavailableError(f"not ready after {START_PATIENCE:.0f} s")


def serves(broker: Broker) -> bool:
    """Whether the broker serves clients."""
    host, _, port = broker.bootstrap_servers.rpartition(":")
    return _listens(host, int(port)) and _answers(broker)


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(broker: Broker) -> bool:
    try:
        return bool(AdminClient(broker.client()).list_topics(timeout=2).brokers)
    except KafkaException:
        return False
