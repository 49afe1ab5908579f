"""The HTTP port: metrics, health and status, for Prometheus, the platform and people."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from connector.errors import ConfigurationError

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

STALE_HEARTBEAT = 60.0
"""Seconds without a turn of the loop after which the process counts as stuck."""

_REQUEST_TIMEOUT = 5.0
_MOST_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Pages:
    """What is served. The callables are called from other threads than the loop's: they read what it has published."""

    metrics: Callable[[], bytes]
    heartbeat_age: Callable[[], float]
    ready: Callable[[], bool]
    status: Callable[[], Mapping[str, object]]


class StatusServer:
    """Serves `/metrics`, `/livez`, `/readyz` and `/status`. Port 0 takes any free one; `port` tells which.

    Neither health path depends on Kafka, the API or a halt: a restart would not mend those.
    """

    def __init__(self, host: str, port: int, pages: Pages) -> None:
        try:
            self._server = _Server((host, port), pages)
        except OSError as error:
            raise ConfigurationError(
                [f"HTTP_PORT: {port} can't be served on {host} ({error.strerror}); choose a free port; e.g. 8080"]
            ) from error
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="status", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 32

    def __init__(self, address: tuple[str, int], pages: Pages) -> None:
        self.pages = pages
        self._places = threading.BoundedSemaphore(_MOST_AT_ONCE)
        super().__init__(address, _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Serve in a thread of its own, as long as there are few: what comes beyond is turned away."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _REQUEST_TIMEOUT
    server_version = "replenit-connector"
    sys_version = ""

    def do_GET(self) -> None:
        status, kind, body = self._page()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_GET  # noqa: N815 (http.server's name)

    def _page(self) -> tuple[HTTPStatus, str, bytes]:
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
    return status, "application/json", json.dumps(content, indent=1).encode() + b"\n"
