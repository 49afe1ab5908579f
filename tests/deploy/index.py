"""A package index that asks for a password, as a company's own does, in front of the one that this machine uses."""

from __future__ import annotations

import os
from base64 import b64encode
from collections import Counter
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

from pip._internal.models.index import PyPI

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "builder"
PASSWORD = "never-in-an-image"
_AUTHORIZATION = "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class Index(ThreadingHTTPServer):
    """Sends those who know the password on. `asked`: whom, by the first word of their User-Agent."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = (os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("PIP_INDEX_URL") or PyPI.simple_url).rstrip(
            "/"
        )
        self.asked: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://{USER}:{PASSWORD}@127.0.0.1:{self.server_address[1]}/simple"


@contextmanager
def index() -> Iterator[Index]:
    with Index() as server:
        thread = Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        if self.headers["Authorization"] == _AUTHORIZATION:
            self.server.asked[self.headers["User-Agent"].partition("/")[0]] += 1
            self.send_response(302)
            self.send_header("Location", self.server.behind + self.path.removeprefix("/simple"))
        else:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="packages"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET  # noqa: N815 (http.server's name)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Who asked stands in `asked`."""
