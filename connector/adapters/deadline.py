"""A deadline for a whole HTTP exchange: httpx's own time-outs bound each step, and a server can make many of them."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable, Iterator

_SLICE = 65_536
_LEAST = 0.001
"""Seconds that the last step gets: 0 would mean not to wait at all, which is no time-out to a socket."""


class Deadline:
    """The present exchange's end, for each thread its own; steps beyond it time out.

    Looking up the server's name is the one step that can't be bounded: the system does it.
    """

    def __init__(self) -> None:
        self._of_thread = threading.local()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Bound what this thread does within the block."""
        self._of_thread.end = time.monotonic() + seconds
        try:
            yield
        finally:
            self._of_thread.end = None

    def cut(self, timeout: float | None) -> float | None:
        """The time-out of a step, cut to what is left."""
        end: float | None = getattr(self._of_thread, "end", None)
        if end is None:
            return timeout
        left = max(end - time.monotonic(), _LEAST)
        return left if timeout is None else min(timeout, left)

    def bind(self, client: httpx.Client) -> None:
        """Make all connections of the client heed it, those through a proxy too."""
        # httpx has no public way to set the network that its pools use.
        transports = [client._transport, *client._mounts.values()]  # noqa: SLF001
        for transport in transports:
            if isinstance(transport, httpx.HTTPTransport):
                transport._pool._network_backend = _Network(self)  # noqa: SLF001


class _Network(httpcore.SyncBackend):
    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        stream = super().connect_tcp(host, port, self._deadline.cut(timeout), local_address, socket_options)
        return _Stream(stream, self._deadline)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.cut(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _SLICE):
            self._stream.write(buffer[start : start + _SLICE], self._deadline.cut(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._deadline.cut(timeout))
        return _Stream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 (the library's contract)
        return self._stream.get_extra_info(info)
