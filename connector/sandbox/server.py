"""The sandbox as an HTTP server on a local port, and the handle that a test or command holds."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING, Any, Self

from connector.sandbox.answers import Reply, failed
from connector.sandbox.api import Api
from connector.sandbox.config import SandboxConfig
from connector.sandbox.control import PREFIX, control
from connector.sandbox.faults import Dealer, Faults

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from types import TracebackType

    from connector.sandbox.journal import Seen
    from connector.sandbox.rules import Document
    from connector.sandbox.state import State

_CHUNK = 65_536


class Sandbox:
    """The ingestion API on a local port while the `with` block lasts.

    `observe` hears of every request once it is done, in the thread that served it, before the client gets the answer.
    """

    def __init__(self, config: SandboxConfig | None = None, observe: Callable[[Seen], None] | None = None) -> None:
        self.config = config or SandboxConfig()
        self._stopping = threading.Event()
        self._api = Api(self.config, self._stopping, observe)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Listen. Raises OSError if the address is taken."""
        self._server = _Server((self.config.host, self.config.port), self._api)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="sandbox", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the port and every connection; what was waited for goes on at once. State and records stay readable."""
        assert self._server
        assert self._thread
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.close_connections()
        self._thread.join()

    @property
    def url(self) -> str:
        assert self._server, "the sandbox listens inside its `with` block"
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    @property
    def state(self) -> dict[str, dict[str, Document]]:
        """The documents of the first tenant as they are now: entity → id → document."""
        return self._api.documents(self.config.tenants[0])

    def state_of(self, tenant: str) -> dict[str, dict[str, Document]]:
        """The documents of one tenant. Raises KeyError if it is unknown."""
        return self._api.documents(tenant)

    def keeper(self) -> State:
        """What keeps the documents of the first tenant, for whoever had it made (`SandboxConfig.state`)."""
        return self._api.states[self.config.tenants[0].lower()]

    @property
    def epoch(self) -> float:
        """The UNIX time of the clock's zero, to tell by the clock when a request came."""
        return self._api.epoch

    @property
    def faults(self) -> Faults:
        return self._api.dealer.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        with self._api.lock:
            self._api.dealer = Dealer(faults)

    @property
    def requests(self) -> list[Seen]:
        """The last 100,000 requests that are done, in the order in which they ended."""
        with self._api.lock:
            return self._api.journal.requests

    @property
    def counts(self) -> Counter[tuple[str, int]]:
        """How many requests are done, by endpoint and status; 0 is the status of those without an answer."""
        with self._api.lock:
            return self._api.journal.counts.copy()

    @property
    def in_flight(self) -> int:
        """How many requests are worked on now, also for clients that have gone."""
        return len(self._api.journal.in_flight)

    @property
    def broken_promises(self) -> list[str]:
        """A sentence for each promise that a request broke, the last 100,000 of them."""
        with self._api.lock:
            return list(self._api.journal.broken_promises)

    @property
    def fullest_minute(self) -> int:
        return self._api.limits.fullest_minute

    @property
    def fullest_hour(self) -> int:
        return self._api.limits.fullest_hour

    def allow(self, key: str, *tenants: str) -> None:
        """Let a key access these tenants and no other."""
        self._api.allow(key, tenants)

    def revoke(self, key: str) -> None:
        self._api.allow(key, None)

    def reset(self) -> None:
        """Everything as it was at the start: documents, records, windows, faults, keys."""
        self._api.reset()


class _Server(ThreadingTCPServer):
    """A thread a connection. Its connections are known, so that closing it leaves no thread behind."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], api: Api) -> None:
        self.api = api
        self._open: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 # as the base class
        thread = threading.Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        with self._lock:
            self._open[request] = thread
        thread.start()

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 # as the base class
        """Close without the base class's farewell: it would turn a reset into an orderly end."""
        with self._lock:
            self._open.pop(request, None)
        self.close_request(request)

    def close_connections(self) -> None:
        with self._lock:
            connections = list(self._open.items())
        for connection, thread in connections:
            with contextlib.suppress(OSError):  # the client may have been faster
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(5)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 # as the base class
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "sandbox"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        if self.path.startswith(PREFIX):
            body = self._body()
            self._send(control(self.server.api, self.command, self.path, body) if isinstance(body, bytes) else body)
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = self.server.api.serve(self.command, self.path, headers, self._body)
            self._send(reply) if reply else self._reset()

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815 # the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # as the base class
        """Say nothing: the base class would log targets, and they hold identifiers."""

    def _body(self) -> bytes | Reply:
        """The body, or what a request is refused with whose body can't be had.

        One that is too large is read past, since only then can the client read the answer.
        """
        declared = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,18}", declared):
            self.close_connection = True  # where the next request begins can't be known
            return failed(411, "Content-Length is required.")
        length = int(declared)
        if length <= self.server.api.config.max_body:
            return self._exactly(length)
        while length > 0:
            length -= len(self._exactly(min(length, _CHUNK)))
        return failed(413, "The request body is too large.")

    def _exactly(self, length: int) -> bytes:
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            raise ConnectionResetError("the client went away within its request")
        return body

    def _send(self, reply: Reply) -> None:
        if isinstance(reply.body, str):
            kind, payload = "text/html", reply.body.encode()
        else:
            kind, payload = "application/json", json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", **reply.headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(payload)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
