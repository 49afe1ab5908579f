"""Kafka in a container, where a Docker engine answers and has the image or can pull it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import uuid
from typing import Any

from docker.errors import DockerException  # type: ignore[import-untyped]
from kafka_broker import Broker
from kafka_node import KAFKA_VERSION, free_port, settings, wait_until_ready
from testcontainers.core.docker_client import DockerClient, get_docker_host
from unavailable import UnavailableError

REPOSITORY = "apache/kafka"
DEFAULT_ENGINE = "unix:///var/run/docker.sock"
ENGINE_PATIENCE = 60
PULL_PATIENCE = 180.0

# Removes the container once its standard input ends, however the process that held the other end was ended.
WATCHDOG = """
import sys
from testcontainers.core.docker_client import DockerClient
sys.stdin.read()
for container in DockerClient().client.containers.list(all=True, filters={"name": sys.argv[1]}):
    container.remove(force=True, v=True)
"""


class ContainerNode:
    """A `kafka_node.Node` in a container of ours."""

    def __init__(self) -> None:
        """Prepare and start it. Raise UnavailableError where the engine or the image can't be had."""
        _knock(get_docker_host() or DEFAULT_ENGINE)
        name = f"kafka-{uuid.uuid4().hex}"
        try:
            engine = DockerClient(timeout=ENGINE_PATIENCE)
        except (DockerException, OSError) as error:
            raise UnavailableError(f"no Docker engine: {_first_line(error)}") from error
        self._client: Any = engine.client
        # In a session of its own it outlives a signal to the whole group, such as a terminal's Ctrl-C.
        command = [sys.executable, "-c", WATCHDOG, name]
        self._watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        try:
            _pull(self._client)
            port = free_port()
            # Nothing else listens in the container: the controller's port can be any but the broker's.
            self.broker = Broker(f"{engine.host().replace('localhost', '127.0.0.1')}:{port}")
            properties = settings(self.broker.bootstrap_servers, "0.0.0.0", port + 1, "/tmp/kafka-logs")
            self._container = self._client.containers.create(
                f"{REPOSITORY}:{KAFKA_VERSION}",
                name=name,
                ports={f"{port}/tcp": port},
                environment={"KAFKA_" + key.upper().replace(".", "_"): value for key, value in properties.items()}
                | {"KAFKA_HEAP_OPTS": "-Xmx256m"},
            )
            self.start()
        except BaseException as error:
            self.close()
            if isinstance(error, DockerException | OSError):
                raise UnavailableError(f"no container: {_first_line(error)}") from error
            raise

    def start(self) -> None:
        self._container.start()
        try:
            wait_until_ready(self.broker, lambda: self._is("exited"))
        except UnavailableError as error:
            log = self._container.logs(tail=1).decode(errors="replace").strip()
            raise UnavailableError(f"{error}; its last line: {log or 'none'}") from error

    def stop(self) -> None:
        self.resume()
        self._container.stop(timeout=30)

    def kill(self) -> None:
        self.resume()
        if self._is("running"):
            self._container.kill()
            self._container.wait()

    def pause(self) -> None:
        if self._is("running"):
            self._container.pause()

    def resume(self) -> None:
        if self._is("paused"):
            self._container.unpause()

    def close(self) -> None:
        self._client.close()
        self._watchdog.communicate()

    def _is(self, status: str) -> bool:
        self._container.reload()
        return bool(self._container.status == status)


def _knock(engine: str) -> None:
    """Raise UnavailableError if the engine's socket has no listener: there the client would leave its own end open."""
    if engine.startswith("unix://"):
        path = engine.removeprefix("unix://")
        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(ENGINE_PATIENCE)
            try:
                knock.connect(path)
            except OSError as error:
                raise UnavailableError(f"no Docker engine: {path}: {error.strerror}") from error


def _pull(client: Any) -> None:  # noqa: ANN401 (the Docker package has no types)
    image = f"{REPOSITORY}:{KAFKA_VERSION}"
    if client.images.list(name=image):
        return
    deadline = time.monotonic() + PULL_PATIENCE
    for progress in client.api.pull(REPOSITORY, KAFKA_VERSION, stream=True, decode=True):
        if "error" in progress:
            raise UnavailableError(f"no image {image}: {progress['error']}")
        if time.monotonic() > deadline:
            raise UnavailableError(f"no image {image}: not pulled in {PULL_PATIENCE:.0f} s")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
