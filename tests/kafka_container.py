"""Kafka in a container, where a Docker engine answers and has the image or can pull it."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress

from docker.errors import DockerException  # type: ignore[import-untyped]
from kafka_broker import Broker
from kafka_node import KAFKA_VERSION, UnavailableError, free_port, settings, wait_until_ready
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient, get_docker_host

IMAGE = f"apache/kafka:{KAFKA_VERSION}"
DEFAULT_ENGINE = "unix:///var/run/docker.sock"
ENGINE_PATIENCE = 10
PULL_PATIENCE = 180.0


class ContainerNode:
    """A `kafka_node.Node` in a container of ours."""

    def __init__(self) -> None:
        """Prepare and start it. Raise UnavailableError where the engine or the image can't be had."""
        host = _prepare_engine()
        port = free_port()
        self.broker = Broker(f"{host}:{port}")
        self._container = DockerContainer(IMAGE).with_bind_ports(port, port).with_env("KAFKA_HEAP_OPTS", "-Xmx256m")
        # The container's own ports are its own: the controller's can be any but the broker's.
        for name, value in settings(host, port, port + 1, "/tmp/kafka-logs").items():
            self._container.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
        try:
            self._container.start()
            self._wait()
        except BaseException as error:
            self.close()
            if isinstance(error, (DockerException, OSError)):
                raise UnavailableError(f"no container: {_first_line(error)}") from error
            raise

    def start(self) -> None:
        self._container.get_wrapped_container().start()
        self._wait()

    def stop(self) -> None:
        self._container.get_wrapped_container().stop(timeout=30)

    def kill(self) -> None:
        self._container.get_wrapped_container().kill()

    def pause(self) -> None:
        self._container.get_wrapped_container().pause()

    def resume(self) -> None:
        self._container.get_wrapped_container().unpause()

    def close(self) -> None:
        if self._container._container is not None:  # noqa: SLF001
            self._container.stop()

    def _wait(self) -> None:
        wait_until_ready(self.broker, self._ended)

    def _ended(self, seconds: float) -> bool:
        threading.Event().wait(seconds)
        container = self._container.get_wrapped_container()
        container.reload()
        return bool(container.status == "exited")


def _prepare_engine() -> str:
    """Find the engine and the image; return the host on which published ports appear."""
    try:
        _knock(get_docker_host() or DEFAULT_ENGINE)
        client = DockerClient(timeout=ENGINE_PATIENCE)
    except (DockerException, OSError) as error:
        raise UnavailableError(f"no Docker engine: {_first_line(error)}") from error
    try:
        _pull(client, IMAGE)
        if "TESTCONTAINERS_RYUK_DISABLED" not in os.environ:
            # The reaper removes containers of a killed run, but it is an image too; without it the run itself does.
            with suppress(UnavailableError):
                testcontainers_config.ryuk_disabled = True
                _pull(client, testcontainers_config.ryuk_image)
                testcontainers_config.ryuk_disabled = False
        return str(client.host())
    finally:
        client.client.close()


def _knock(engine: str) -> None:
    """Raise OSError if nothing listens on the engine's socket: the client would leave its own end of it unclosed."""
    if engine.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as knock:
            knock.settimeout(ENGINE_PATIENCE)
            knock.connect(engine.removeprefix("unix://"))


def _pull(client: DockerClient, image: str) -> None:
    deadline = time.monotonic() + PULL_PATIENCE
    try:
        if client.client.images.list(name=image):
            return
        for progress in client.client.api.pull(*image.split(":"), stream=True, decode=True):
            if "error" in progress:
                raise UnavailableError(f"no image {image}: {progress['error']}")
            if time.monotonic() > deadline:
                raise UnavailableError(f"no image {image}: not pulled in {PULL_PATIENCE:.0f} s")
    except (DockerException, OSError) as error:
        raise UnavailableError(f"no image {image}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
