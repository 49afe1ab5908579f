"""A Kafka Connect worker of the tests' own, with Debezium's connector for PostgreSQL and Confluent's AvroConverter."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

import httpx
from kafka_jars import JVM, SLF4J
from kafka_node import free_port
from own_process import OwnProcess
from packages import archive, jars, java, wheel_files
from unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VERSION = "4.3.1"
DEBEZIUM = "3.7.0.Final"
AVRO = "7.0.16"

_JARS = [f"org.apache.kafka:{name}:{VERSION}" for name in ("connect-runtime", "connect-json", "connect-transforms")]
_AVRO_JARS = (
    *(f"{name}-{AVRO}.jar" for name in ("common-utils", "kafka-avro-serializer", "kafka-connect-avro-converter")),
    *(f"kafka-{name}-{AVRO}.jar" for name in ("connect-avro-data", "schema-registry-client", "schema-serializer")),
    "avro-1.11.3.jar",
    "commons-compress-1.26.1.jar",
    "failureaccess-1.0.2.jar",
    "guava-24.1.1-jre.jar",
    "jackson-annotations-2.21.jar",
    "jackson-core-2.21.2.jar",
    "jackson-databind-2.21.2.jar",
    "swagger-annotations-1.6.12.jar",
)
_CONVERTER = "io.confluent.connect.avro.AvroConverter"
_CONVERTER_SERVICE = "META-INF/services/org.apache.kafka.connect.storage.Converter"


class Connect:
    """A running worker without connectors."""

    def __init__(self, bootstrap_servers: str) -> None:
        """Start it; `wait_until_ready` is the caller's to call. Raise UnavailableError where it can't be had."""
        requirements = Path(__file__).with_name("avro-converter.txt")
        worker = jars(f"connect-{VERSION}", *_JARS, SLF4J)
        debezium = archive(f"debezium-{DEBEZIUM}", "io.debezium", "debezium-connector-postgres", DEBEZIUM, "plugin")
        avro = wheel_files(f"avro-converter-{AVRO}", requirements, _AVRO_JARS)
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process = OwnProcess("connect")
        plugins = self._process.folder / "plugins"
        plugins.mkdir()
        (plugins / "debezium").symlink_to(debezium, target_is_directory=True)
        (plugins / "avro").mkdir()
        for jar in avro.iterdir():
            (plugins / "avro" / jar.name).symlink_to(jar)
        with ZipFile(plugins / "avro" / "service.jar", "w") as service:  # it is older than the worker's fast discovery
            service.writestr(_CONVERTER_SERVICE, _CONVERTER)
        properties = {
            "bootstrap.servers": bootstrap_servers,
            "key.converter": "org.apache.kafka.connect.json.JsonConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "offset.storage.file.filename": self._process.folder / "offsets",
            "offset.flush.interval.ms": 500,
            "plugin.path": plugins,
            "plugin.discovery": "service_load",
            "listeners": self.url,
        }
        lines = "".join(f"{name}={value}\n" for name, value in properties.items())
        (self._process.folder / "worker.properties").write_text(lines)
        main = "org.apache.kafka.connect.cli.ConnectStandalone"
        self._process.start(java(), "-Xmx512m", *JVM, "-cp", f"{worker}/*", main, "worker.properties")

    def wait_until_ready(self) -> None:
        self._process.wait_until(lambda: self._get("/connectors") is not None, "the worker serves")

    def add(self, name: str, configuration: Mapping[str, str]) -> None:
        """Start a connector. Raise UnavailableError with the worker's words if it refuses the configuration."""
        answer = httpx.put(f"{self.url}/connectors/{name}/config", json=configuration, timeout=60, trust_env=False)
        if answer.is_error:
            raise UnavailableError(f"connector {name}: {answer.text}")

    def wait_until_running(self, name: str) -> None:
        """Wait until a connector's task runs. Raise UnavailableError with its trace if it fails."""
        self._process.wait_until(lambda: self._runs(name), f"connector {name} runs")

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait while the worker runs."""
        self._process.wait_until(holds, what)

    def close(self) -> None:
        """End it in good order, so that the database has no client any more; remove its offsets."""
        try:
            self._process.end(signal.SIGTERM)
        finally:
            self._process.close()

    def _runs(self, name: str) -> bool:
        answer = self._get(f"/connectors/{name}/status")
        tasks = answer.json()["tasks"] if answer else []
        for task in tasks:
            if task["state"] == "FAILED":
                raise UnavailableError(f"connector {name}: {task['trace']}")
        return bool(tasks) and all(task["state"] == "RUNNING" for task in tasks)

    def _get(self, path: str) -> httpx.Response | None:
        try:
            answer = httpx.get(f"{self.url}{path}", trust_env=False)
        except httpx.HTTPError:
            return None
        return answer if answer.is_success else None
