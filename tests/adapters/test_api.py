"""The client: one request, one answer, within the time-out whatever the server does."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from connector.adapters.api import Api
from connector.adapters.http_client import MAX_ANSWER
from connector.core.requests import Answer, Endpoint, NoAnswer, Request
from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

UPSERT = Request(Endpoint.UPSERT_CUSTOMERS, body=b'[{"CustomerId":"c"}]')


@contextmanager
def server(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that does with each connection what it is told, until the event is set."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                serve(connection, over)

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        thread.join()


def _send(url: str, request: Request = UPSERT, timeout: float = 1.0) -> tuple[Answer | NoAnswer, float]:
    api = Api(url, DEFAULT_TENANT, timeout, 2)
    began = time.monotonic()
    try:
        return api.send(request, DEFAULT_KEY), time.monotonic() - began
    finally:
        api.close()


def _drip(text: bytes) -> Callable[[socket.socket, threading.Event], None]:
    def serve(connection: socket.socket, over: threading.Event) -> None:
        try:
            for byte in text * 1000:
                if over.wait(0.05):
                    return
                connection.sendall(bytes([byte]))
        except OSError:
            return

    return serve


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"], ids=["head", "body"]
)
def test_a_server_that_drips_its_answer_is_cut_off(head: bytes) -> None:
    """A byte now and then does not prolong the exchange beyond the time-out, in the head or in the body."""

    def serve(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(head)
        _drip(b"x")(connection, over)

    with server(serve) as url:
        reply, took = _send(url)
    assert reply == NoAnswer("timeout", ambiguous=True)
    assert took < 2


def test_a_server_that_does_not_read_is_cut_off() -> None:
    """A large body that is not taken in times out as a whole."""

    def serve(_: socket.socket, over: threading.Event) -> None:
        over.wait()

    with server(serve) as url:
        reply, took = _send(url, Request(Endpoint.UPSERT_CUSTOMERS, body=b"x" * 50_000_000))
    assert reply == NoAnswer("timeout", ambiguous=True)
    assert took < 2


def test_an_endless_answer_is_no_answer() -> None:
    """More than any answer of the API is not kept in memory."""

    def serve(connection: socket.socket, _: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            for _slice in range(2 * MAX_ANSWER // 65_536):
                connection.sendall(b" " * 65_536)
        except OSError:
            return

    with server(serve) as url:
        assert _send(url, timeout=20)[0] == NoAnswer("endless", ambiguous=True)


def test_where_nobody_listens_nothing_was_sent() -> None:
    """A refused connection is not ambiguous."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    assert _send(url)[0] == NoAnswer("refused", ambiguous=False)


def test_a_broken_connection_may_have_been_a_delivery() -> None:
    """The request had left: nobody knows."""
    with Sandbox(SandboxConfig(faults=Faults(lost=1.0))) as sandbox:
        assert _send(sandbox.url, timeout=5)[0] == NoAnswer("reset", ambiguous=True)
        assert list(sandbox.state["customers"]) == ["c"]


@pytest.mark.parametrize("identifier", ["a/b?c#d %é&+", "..", ".", "%2F", "ü" * 30])
def test_identifiers_arrive_as_they_are(identifier: str) -> None:
    """Whatever means something in an address is encoded, and decoded to the same at the other end."""
    with Sandbox() as sandbox:
        reply, _ = _send(sandbox.url, Request(Endpoint.DELETE_ORDER, (identifier,)), 5)
        assert isinstance(reply, Answer)
        assert reply.status == 404
        assert b"Order not found" in reply.body
        assert sandbox.requests[-1].ids == (identifier,)


def test_a_redirection_is_not_followed() -> None:
    """The key would go along."""
    with Sandbox(SandboxConfig(faults=Faults(redirect=1.0))) as sandbox:
        reply, _ = _send(sandbox.url, timeout=5)
        assert isinstance(reply, Answer)
        assert reply.status == 302
        assert len(sandbox.requests) == 1
