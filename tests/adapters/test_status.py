"""The status server: its pages, and that no client and no page can keep it from answering probes."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from connector.adapters.status import STALE_HEARTBEAT, Pages, StatusServer
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TIMEOUT = 0.2  # of a request, far below the tests' own patience
PATIENCE = 5.0


class Service:
    """What a service publishes, to be changed by a test."""

    def __init__(self) -> None:
        self.age = 0.0
        self.ready = True
        self.status: Callable[[], Mapping[str, object]] = lambda: {"halted": None}

    def pages(self) -> Pages:
        return Pages(lambda: b"up 1\n", lambda: self.age, lambda: self.ready, self.snapshot)

    def snapshot(self) -> Mapping[str, object]:
        return self.status()


class Running:
    """A server in operation, and the way to ask it."""

    def __init__(self, host: str, timeout: float = TIMEOUT) -> None:
        self.service = Service()
        self.server = StatusServer(host, 0, self.service.pages(), timeout)
        self.server.start()
        self.host = host

    def ask(self, path: str, method: str = "GET") -> httpx.Response:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return httpx.request(method, f"http://{host}:{self.server.port}{path}", timeout=PATIENCE, trust_env=False)

    def connect(self) -> socket.socket:
        return socket.create_connection((self.host, self.server.port), timeout=PATIENCE)


@pytest.fixture
def running() -> Iterator[Running]:
    running = Running("127.0.0.1")
    yield running
    running.server.stop()


def test_metrics_are_served_as_prometheus_reads_them(running: Running) -> None:
    """The exposition comes with the type of the text format."""
    answer = running.ask("/metrics")
    assert (answer.status_code, answer.content) == (200, b"up 1\n")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_liveness_is_the_age_of_the_heartbeat(running: Running) -> None:
    """Alive while the loop has turned within a minute; afterwards not, and the answer says since when."""
    running.service.age = STALE_HEARTBEAT - 0.1
    assert running.ask("/livez").status_code == 200
    running.service.age = STALE_HEARTBEAT
    answer = running.ask("/livez")
    assert (answer.status_code, answer.json()) == (503, {"heartbeat_age": STALE_HEARTBEAT})


def test_readiness_is_what_the_service_declares(running: Running) -> None:
    """Ready is 200, not yet is 503, whatever the heartbeat."""
    running.service.age = 1000.0
    assert running.ask("/readyz").status_code == 200
    running.service.ready = False
    assert running.ask("/readyz").status_code == 503


def test_status_is_what_the_service_tells(running: Running) -> None:
    """The snapshot is served as JSON; what JSON doesn't know becomes text."""
    running.service.status = lambda: {"halted": None, "error": ValueError("x")}
    answer = running.ask("/status?pretty")
    assert answer.json() == {"halted": None, "error": "x"}
    assert answer.headers["content-type"] == "application/json"


def test_a_page_that_fails_is_an_error_and_the_others_go_on(running: Running) -> None:
    """The answer names the type alone, for a text may quote a value."""
    secrets: dict[str, Any] = {}
    running.service.status = lambda: secrets["jane@example.com"]
    answer = running.ask("/status")
    assert (answer.status_code, answer.json()) == (500, {"error": "KeyError"})
    assert running.ask("/livez").status_code == 200


@pytest.mark.parametrize("path", ["/", "/livez/", "/metrics2", "/../etc/passwd"])
def test_other_paths_are_not_found(running: Running, path: str) -> None:
    """There is nothing else, and the answer says what there is."""
    answer = running.ask(path)
    assert answer.status_code == 404
    assert "/livez" in answer.json()["pages"]


def test_head_has_no_body_and_nothing_can_be_changed(running: Running) -> None:
    """HEAD gives the headers of GET; other methods are refused."""
    answer = running.ask("/metrics", "HEAD")
    assert (answer.status_code, answer.content, answer.headers["content-length"]) == (200, b"", "5")
    for method in ("POST", "PUT", "DELETE"):
        assert running.ask("/status", method).status_code == 501


def test_it_does_not_tell_what_it_runs_on(running: Running) -> None:
    """Only the program's name is announced, not Python's version."""
    assert running.ask("/").headers["server"].strip() == "replenit-connector"


def test_nothing_is_logged_for_a_request(running: Running, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither probes nor clients that go away write to standard output or error."""
    running.ask("/livez")
    running.ask("/status", "POST")
    running.connect().close()
    running.ask("/livez")
    assert capfd.readouterr() == ("", "")


def test_a_client_that_drips_is_cut_off(running: Running) -> None:
    """A byte now and then does not extend the time that a request has."""
    with running.connect() as client:
        deadline = time.monotonic() + PATIENCE
        client.settimeout(0.02)
        closed = False
        while not closed and time.monotonic() < deadline:
            try:
                client.sendall(b"G")
                closed = client.recv(1) == b""
            except TimeoutError:
                pass  # still waiting for the rest of the line
            except OSError:
                closed = True
        assert closed


def test_slow_clients_keep_no_probe_out() -> None:
    """However many connections drip, each probe is answered at once, and the threads that serve them are few."""
    flood = Running("127.0.0.1", timeout=30.0)
    threads = threading.active_count()
    clients = []
    for _ in range(200):
        client = flood.connect()
        client.sendall(b"GET /livez HTTP/1.1\r\nX-Slow: ")
        clients.append(client)
        if len(clients) % 20 == 0:
            assert flood.ask("/livez").status_code == 200
        assert threading.active_count() - threads <= 32
    for client in clients:
        client.close()
    flood.server.stop()


def test_idle_clients_can_not_keep_probes_out_for_long(running: Running) -> None:
    """More connections than are served at once end with their time, and then a probe is answered."""
    clients = [running.connect() for _ in range(40)]
    for client in clients:
        assert client.recv(1) == b""  # cut off or turned away
        client.close()
    assert running.ask("/livez").status_code == 200


def test_many_at_once_are_answered_or_turned_away(running: Running) -> None:
    """While as many pages as may be are being made, one more connection is closed at once."""
    busy, go_on = threading.Barrier(17), threading.Event()

    def slow() -> Mapping[str, object]:
        busy.wait(PATIENCE)
        go_on.wait(PATIENCE)
        return {}

    running.service.status = slow
    clients = [running.connect() for _ in range(16)]
    for client in clients:
        client.sendall(b"GET /status HTTP/1.0\r\n\r\n")
    busy.wait(PATIENCE)
    with running.connect() as late:
        assert late.recv(1) == b""
    go_on.set()
    for client in clients:
        client.close()


def test_a_port_in_use_is_a_mistake_of_the_configuration(running: Running) -> None:
    """It is named with its variable, and not the platform's failure."""
    with pytest.raises(ConfigurationError, match=r"^HTTP_PORT: .* in use.*; e\.g\. ") as caught:
        StatusServer("127.0.0.1", running.server.port, running.service.pages())
    assert len(caught.value.problems) == 1


def test_stopping_frees_the_port(running: Running) -> None:
    """Once stopped, another server takes the port; a second stop and a stop before the start do no harm."""
    running.server.stop()
    running.server.stop()
    other = StatusServer("127.0.0.1", running.server.port, running.service.pages())
    assert other.port == running.server.port
    other.stop()


def test_it_serves_ipv6() -> None:
    """An IPv6 address is listened on as such."""
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("this machine has no IPv6")
    running = Running("::1")
    assert json.loads(running.ask("/readyz").content) == {"ready": True}
    running.server.stop()
