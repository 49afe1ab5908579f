"""The client of the ingestion API: one request in, one answer or none out."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx

from connector import __version__
from connector.adapters.deadline import Deadline
from connector.core.requests import Answer, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.core.requests import Request

MAX_ANSWER = 4_000_000
"""Bytes of an answer that are read; what is longer is no answer of the API."""


_LEAVES = "http11.send_request_headers.started"
"""What httpcore says when it has a connection and is about to write the request."""


class _StaleError(Exception):
    """The request may not leave any more."""


class Api:
    """The API of one tenant. Threads may share it. Redirects are not followed: the key would go along.

    `timeout` (seconds) bounds the whole exchange, not each of its reads. The system's certificates are trusted.
    """

    def __init__(self, base_url: str, tenant: str, timeout: float, connections: int) -> None:
        self._tenant = tenant
        self._timeout = timeout
        self._client = httpx.Client(
            base_url=base_url,
            timeout=timeout,
            follow_redirects=False,
            verify=ssl.create_default_context(),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={"user-agent": f"replenit-connector/{__version__}", "accept": "application/json"},
        )
        self._deadline = Deadline()
        self._deadline.bind(self._client)

    def send(self, request: Request, key: str, may_leave: Callable[[], bool] = lambda: True) -> Answer | NoAnswer:
        """Send and wait, for at most the time-out. Never raises for what a network or a server can do.

        `may_leave` is asked when there is a connection, right before the request is written to it.
        """

        def check(event: str, _: object) -> None:
            if event == _LEAVES and not may_leave():
                raise _StaleError

        headers = {"x-replenit-auth-key": key}
        if request.body is not None:
            headers["content-type"] = "application/json"
        try:
            with (
                self._deadline.within(self._timeout),
                self._client.stream(
                    request.method,
                    request.target(self._tenant),
                    content=request.body,
                    headers=headers,
                    extensions={"trace": check},
                ) as response,
            ):
                body = _read(response)
        except _StaleError:
            return NoAnswer("stale", ambiguous=False)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return NoAnswer("refused", ambiguous=False)
        except httpx.TimeoutException:
            return NoAnswer("timeout", ambiguous=True)
        except (httpx.TransportError, httpx.DecodingError):
            return NoAnswer("reset", ambiguous=True)
        if body is None:
            return NoAnswer("endless", ambiguous=True)
        return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)

    def close(self) -> None:
        self._client.close()


def _read(response: httpx.Response) -> bytes | None:
    """The body; None if it is longer than any answer of the API."""
    parts = bytearray()
    for part in response.iter_bytes():
        parts += part
        if len(parts) > MAX_ANSWER:
            return None
    return bytes(parts)
