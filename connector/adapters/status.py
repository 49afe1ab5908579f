"""The HTTP port: metrics, health and status, for Prometheus, the platform and people."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING

from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STALE_HEARTBEAT = 60.0
"""Seconds without a turn of the loop after which the process counts as stuck."""

_REQUEST_TIMEOUT = 5.0
_MOST_AT_ONCE = 16
_TURN = 0.1  # seconds between two looks at what takes too long, or at a stop


@dataclass(frozen=True, slots=True)
class Pages:
    """What is served. The callables are called from other threads than the loop's: they read what it has published."""

    metrics: Callable[[], bytes]
    heartbeat_age: Callable[[], float]
    ready: Callable[[], bool]
    status: Callable[[], Mapping[str, object]]


class StatusServer:
    """Serves `/metrics`, `/livez`, `/readyz` and `/status`. Port 0 takes any free one; `port` tells which.

    Neither health path depends on Kafka, the API or a halt: a restart would not mend those. A request has
    `request_timeout` seconds, however slowly it comes in, and few are served at once: one that has not come in makes
    room for a newer one, so that slow clients don't keep a probe out.
    """

    def __init__(self, host: str, port: int, pages: Pages, request_timeout: float = _REQUEST_TIMEOUT) -> None:
        try:
            self._server = _Server((host, port), pages, request_timeout)
        except OSError as error:
            raise ConfigurationError(
                [f"HTTP_PORT: {port} can't be served on {host} ({error.strerror}); choose a free port; e.g. 8080"]
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._serve, name="status", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Free the port. Requests that are being served are not waited for."""
        if self._thread.is_alive():
            self._server.shutdown()
        self._server.server_close()

    def _serve(self) -> None:
        self._server.serve_forever(_TURN)


_Socket = socket.socket | tuple[bytes, socket.socket]  # socketserver's type; the second is for UDP


class _Server(ThreadingTCPServer):
    """Not `ThreadingHTTPServer`, which asks the DNS for the host's name before it listens."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], pages: Pages, request_timeout: float) -> None:
        self.pages = pages
        self._request_timeout = request_timeout
        self._served: dict[_Socket, float] = {}  # since when; the accepting thread adds, the serving ones remove
        self.reading: dict[_Socket, None] = {}  # those of them whose request has not come in, the oldest first
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def verify_request(self, request: _Socket, client_address: object) -> bool:  # noqa: ARG002 (socketserver's signature)
        """Turn away what comes while as many as may be are being served, or cut the slowest client off for it."""
        if len(self._served) < _MOST_AT_ONCE:
            return True
        slowest = next(iter(list(self.reading)), None)
        if slowest is not None:
            self.reading.pop(slowest, None)
            _cut_off(slowest)
        return slowest is not None and len(self._served) < 2 * _MOST_AT_ONCE  # its thread takes a moment to end

    def process_request(self, request: _Socket, client_address: object) -> None:
        self._served[request] = time.monotonic()
        self.reading[request] = None
        super().process_request(request, client_address)

    def shutdown_request(self, request: _Socket) -> None:
        self._served.pop(request, None)
        self.reading.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off what takes too long: a client that sends a byte now and then never runs into a socket's timeout."""
        for request, since in list(self._served.items()):
            if time.monotonic() - since > self._request_timeout:
                _cut_off(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no event."""


def _cut_off(request: _Socket) -> None:
    if isinstance(request, socket.socket):
        with contextlib.suppress(OSError):
            request.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "replenit-connector"
    sys_version = ""

    def do_GET(self) -> None:
        self.server.reading.pop(self.request, None)
        try:
            status, kind, body = self._page()
        except Exception as error:  # noqa: BLE001 (whatever it is, the probes must still be answered; its text stays here)
            status, kind, body = _json(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": type(error).__name__})
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 (http.server's name)

    def _page(self) -> tuple[HTTPStatus, str, bytes]:
        """Status, type and body of what was asked for."""
        pages = self.server.pages
        match self.path.partition("?")[0]:
            case "/metrics":
                return HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", pages.metrics()
            case "/livez":
                age = pages.heartbeat_age()
                return _json(HTTPStatus.OK if age < STALE_HEARTBEAT else _UNAVAILABLE, {"heartbeat_age": round(age, 1)})
            case "/readyz":
                ready = pages.ready()
                return _json(HTTPStatus.OK if ready else _UNAVAILABLE, {"ready": ready})
            case "/status":
                return _json(HTTPStatus.OK, pages.status())
            case _:
                return _json(HTTPStatus.NOT_FOUND, {"pages": ["/metrics", "/livez", "/readyz", "/status"]})

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Probes every few seconds are no news."""


_UNAVAILABLE = HTTPStatus.SERVICE_UNAVAILABLE


def _json(status: HTTPStatus, content: object) -> tuple[HTTPStatus, str, bytes]:
    return status, "application/json", json.dumps(content, indent=1, default=str).encode() + b"\n"
