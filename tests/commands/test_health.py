"""The health command: what a container's health check sees."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from connector.adapters.status import STALE_HEARTBEAT, Pages, StatusServer
from connector.commands import health
from connector.settings import describe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Serve = Callable[..., int]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what would reach the command from outside; a proxy must not matter."""
    for name in ("HTTP_HOST", "HTTP_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a status server with a heartbeat of some age, and give its port."""
    servers: list[StatusServer] = []

    def start(age: float, host: str = "127.0.0.1") -> int:
        server = StatusServer(host, 0, Pages(lambda: b"", lambda: age, lambda: False, dict))
        server.start()
        servers.append(server)
        return server.port

    yield start
    for server in servers:
        server.stop()


def test_a_loop_that_turns_is_healthy(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 0 and one line, though the service is not ready yet."""
    assert health.run(["--port", str(serve(1.0))]) == 0
    assert capsys.readouterr().out == "the loop turns\n"


def test_a_loop_that_stands_still_is_not(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status 1 and one line."""
    assert health.run(["--port", str(serve(STALE_HEARTBEAT))]) == 1
    assert capsys.readouterr().out == "the loop stands still\n"


def test_the_port_and_the_address_come_from_the_environment(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the service are those of its health check; an address for all means this machine."""
    monkeypatch.setenv("HTTP_PORT", str(serve(1.0, "127.0.0.2")))
    assert health.run([]) == 1
    monkeypatch.setenv("HTTP_HOST", "127.0.0.2")
    assert health.run([]) == 0
    monkeypatch.setenv("HTTP_PORT", str(serve(1.0)))
    for host in ("0.0.0.0", "::", ""):
        monkeypatch.setenv("HTTP_HOST", host)
        assert health.run([]) == 0


def test_nobody_there_is_unhealthy(capsys: pytest.CaptureFixture[str]) -> None:
    """A port where nothing listens, and one that can't be, give exit status 1 and one line."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for port in (unused.getsockname()[1], 0, 99999):
            assert health.run(["--port", str(port)]) == 1
            assert capsys.readouterr().out == f"port {port} does not answer: ConnectError\n"


def test_without_a_port_the_default_of_the_service_is_asked(capsys: pytest.CaptureFixture[str]) -> None:
    """The command's default is the setting's; who answers there, or whether, is not this test's business."""
    health.run([])
    default = next(row.default for row in describe() if row.name == "HTTP_PORT")
    out = capsys.readouterr().out
    assert out in {"the loop turns\n", "the loop stands still\n"} or out.startswith(f"port {default} ")
