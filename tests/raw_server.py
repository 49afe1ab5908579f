"""A server that answers whatever it is told, byte for byte, and keeps what it has read."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{"success":true}'


class Server:
    """Answers every request alike, over TLS if there is a context; `read` holds the requests."""

    def __init__(self, answer: bytes, context: ssl.SSLContext | None) -> None:
        self.read: list[bytes] = []
        self._context = context
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(5)
                with contextlib.suppress(OSError), connection:
                    self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True)
        with connection:
            self.read.append(_request(connection))
            connection.sendall(self._answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)


def _request(connection: socket.socket) -> bytes:
    """A whole request; of what is none, what came first."""
    read = connection.recv(65_536)
    while read[:1].isupper() and b"\r\n\r\n" not in read and (more := connection.recv(65_536)):
        read += more
    head, _, body = read.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head.lower())
    while length and len(body) < int(length[1]) and (more := connection.recv(65_536)):
        read, body = read + more, body + more
    return read


@contextmanager
def serving(answer: bytes = OK, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server until the block ends."""
    server = Server(answer, context)
    yield server
    server.close()
