"""A container of the image, with no right but to use the network."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
from deploy.engine import client_of
from kafka_node import free_port
from testcontainers.core.container import DockerContainer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.image import Built

USER = 65532
STATE = "/var/lib/replenit-connector"
RESTRICTED: dict[str, Any] = {
    "read_only": True,
    "cap_drop": ["ALL"],
    "user": str(USER),
    "security_opt": ["no-new-privileges"],
}
GRACE = 60
PATIENCE = 120.0


class Running:
    """A container of the image."""

    def __init__(self, container: DockerContainer, port: int) -> None:
        self.wrapped = container.get_wrapped_container()
        self._port = port

    def page(self, path: str) -> httpx.Response | None:
        try:
            return httpx.get(f"http://127.0.0.1:{self._port}{path}", trust_env=False)
        except httpx.HTTPError:
            return None

    def answers(self, path: str) -> bool:
        page = self.page(path)
        return page is not None and page.is_success

    def state(self) -> dict[str, Any]:
        self.wrapped.reload()
        state: dict[str, Any] = self.wrapped.attrs["State"]
        return state

    def lines(self) -> str:
        return str(self.wrapped.logs().decode())

    def does(self, *command: str) -> int:
        """Run a command in it, and return its exit status."""
        return int(self.wrapped.exec_run([*command]).exit_code)

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        pause = threading.Event()  # that never comes
        deadline = time.monotonic() + PATIENCE
        while not holds():
            pause.wait(0.05)
            if not self.state()["Running"] or time.monotonic() > deadline:
                raise TimeoutError(f"ended, or not within {PATIENCE:.0f} s: {what}\n{self.lines()}")

    def stop(self) -> float:
        """Ask it to stop as a platform does, and return how many seconds it took. It must end well, and by itself."""
        asked = time.monotonic()
        self.wrapped.stop(timeout=GRACE)
        assert self.state()["ExitCode"] == 0, self.lines()
        return time.monotonic() - asked


@contextmanager
def running(built: Built, environment: dict[str, str], mounts: dict[str, str] | None = None) -> Iterator[Running]:
    """Start a container with no right but to use the network, and remove it. `mounts`: what is mounted → where."""
    port = free_port()
    client = {"environment": {"DOCKER_HOST": built.engine}, "timeout": 120}
    given = {"HTTP_PORT": str(port), "HTTP_HOST": "127.0.0.1", **environment}
    container = DockerContainer(built.image, docker_client_kw=client, env=given, network_mode="host", **RESTRICTED)
    for what, where in (mounts or {}).items():
        container.with_volume_mapping(what, where, "ro" if what.startswith("/") else "rw")
    with container:
        yield Running(container, port)


@contextmanager
def volume(built: Built) -> Iterator[str]:
    """Give the name of a new volume."""
    with client_of(built.engine) as client:
        made = client.volumes.create()
        yield str(made.name)
        made.remove()
