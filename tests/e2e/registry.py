"""A schema registry of the tests' own: Apicurio's, which answers Confluent's requests too."""

from __future__ import annotations

import httpx
from kafka_node import free_port
from own_process import OwnProcess
from packages import archive, java

VERSION = "3.3.3"


class Registry:
    """A running registry; what it is told is kept in memory."""

    def __init__(self) -> None:
        """Start it; `wait_until_ready` is the caller's to call. Raise UnavailableError where it can't be had."""
        folder = archive(f"apicurio-{VERSION}", "io.apicurio", "apicurio-registry-app", VERSION, "all")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/apis/ccompat/v7"
        """Where Confluent's clients find it."""

        options = {
            "quarkus.http.host": "127.0.0.1",
            "quarkus.http.port": port,
            "quarkus.management.host": "127.0.0.1",
            "quarkus.management.port": free_port(),
        }
        self._process = OwnProcess("registry")
        given = [f"-D{name}={value}" for name, value in options.items()]
        memory = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        self._process.start(java(), *memory, *given, "-jar", folder / "quarkus-run.jar")

    def wait_until_ready(self) -> None:
        self._process.wait_until(self._serves, "the registry serves")

    def close(self) -> None:
        self._process.close()

    def _serves(self) -> bool:
        try:
            return httpx.get(f"{self.url}/subjects", trust_env=False).is_success
        except httpx.HTTPError:
            return False
