"""Kafka out of its jars, on the Java runtime of a Python package: needs neither Docker nor an installed Java."""

from __future__ import annotations

import signal
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING

from kafka_broker import Broker
from kafka_node import KAFKA_VERSION, free_port, serves, settings
from own_process import OwnProcess
from packages import jars, java

if TYPE_CHECKING:
    from collections.abc import Callable

SLF4J = "org.slf4j:slf4j-simple:1.7.36"  # without it nothing is logged
JVM = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)
CLUSTER = urlsafe_b64encode(b"replenit's tests").decode().rstrip("=")  # one that starts with - is taken for an option


class JarNode:
    """A `kafka_node.Node` that is a process of ours."""

    def __init__(self, change: Callable[[dict[str, str]], None] = lambda _: None) -> None:
        """Prepare and start it, with properties changed. Raise UnavailableError where Java or jars can't be had."""
        folder = jars(f"kafka-{KAFKA_VERSION}", f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", SLF4J)
        self._java = (java(), "-Xmx256m", *JVM, "-cp", f"{folder}/*")
        self._process = OwnProcess("kafka")
        self.broker = Broker(f"127.0.0.1:{free_port()}")
        try:
            self._format(change)
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        self._process.start(*self._java, "kafka.Kafka", "server.properties")
        self._process.wait_until(lambda: serves(self.broker), "clients are served")

    def stop(self) -> None:
        self._process.end(signal.SIGTERM)

    def kill(self) -> None:
        self._process.end(signal.SIGKILL)

    def pause(self) -> None:
        self._process.send(signal.SIGSTOP)

    def resume(self) -> None:
        self._process.send(signal.SIGCONT)

    def close(self) -> None:
        self._process.close()

    def _format(self, change: Callable[[dict[str, str]], None]) -> None:
        data = self._process.folder / "data"
        properties = settings(self.broker.bootstrap_servers, "127.0.0.1", free_port(), str(data))
        change(properties)
        lines = "".join(f"{name}={value}\n" for name, value in properties.items())
        (self._process.folder / "server.properties").write_text(lines)
        self._process.run(*self._java, "kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", "server.properties")
