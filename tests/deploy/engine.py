"""A Docker engine: the machine's own, else one that the tests start and that is gone with them."""

from __future__ import annotations

import os
import platform
import shutil
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import docker  # type: ignore[import-untyped]
from docker.errors import DockerException  # type: ignore[import-untyped]
from kafka_container import DEFAULT_ENGINE
from own_process import OwnProcess
from testcontainers.core.config import testcontainers_config
from testcontainers.core.docker_client import get_docker_host
from unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Its containers use this machine's network: no bridge, no rule of a firewall, nothing that another engine could miss.
_OPTIONS = ("--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false")
# As the first process of its own namespaces it takes all that it started, and each mount, with it when it is killed.
_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
# Nor does it read or write the machine's own engine's configuration.
_START = 'mkdir -p /etc/docker && mount -t tmpfs none /etc/docker && exec dockerd "$@"'


@contextmanager
def engine() -> Iterator[str]:
    """Give the address of an engine whose containers can share this machine's network. Raise UnavailableError."""
    address = get_docker_host() or DEFAULT_ENGINE
    if _answers(address):
        _refuse_elsewhere(address)
        yield address
        return
    process = OwnProcess("docker")
    try:
        yield _start(process)
    finally:
        process.close()


@contextmanager
def client_of(address: str) -> Iterator[Any]:
    """Give a client of an engine's whole interface."""
    with closing(docker.DockerClient(base_url=address, timeout=600)) as client:
        yield client


def _start(process: OwnProcess) -> str:
    for program, package in (("dockerd", "docker.io"), ("unshare", "util-linux")):
        if shutil.which(program) is None:
            raise UnavailableError(
                f"no Docker engine answers, and no {program} to start one: Debian's package is {package}"
            )
    if os.geteuid():
        raise UnavailableError("no Docker engine answers, and only root can start one")
    folder = process.folder
    address = f"unix://{folder}/socket"
    places = (f"--data-root={folder}/data", f"--exec-root={folder}/run", f"--pidfile={folder}/pid", f"--host={address}")
    process.start(*_APART, "sh", "-c", _START, "dockerd", *places, *_OPTIONS)
    process.wait_until(lambda: _answers(address), "the Docker engine answers")
    testcontainers_config.ryuk_disabled = True  # what it would remove is gone with the engine, and it can't be pulled
    return address


def _answers(address: str) -> bool:
    path = address.removeprefix("unix://")
    if path != address and not os.path.exists(path):  # noqa: PTH110 (its client leaves the socket open where there is none)
        return False
    try:
        with client_of(address) as client:
            return bool(client.ping())
    except (DockerException, OSError):
        return False


def _refuse_elsewhere(address: str) -> None:
    with client_of(address) as client:
        info = client.info()
    if info["Name"] != platform.node() or "name=rootless" in info["SecurityOptions"]:
        raise UnavailableError("the containers of this Docker engine are not on this machine's network")
