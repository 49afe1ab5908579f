"""The HTTP client that everything asked over HTTP is asked with: verified, bounded, never led elsewhere."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx

from connector import __version__
from connector.adapters.deadline import Deadline
from connector.core.requests import UNTRUSTED, Answer, NoAnswer
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MAX_ANSWER = 4_000_000
"""Bytes of an answer that are read; what is longer is no answer of an API."""

_URI_TOO_LONG = 414
_PLAIN = ("", "identity")
_BROKE_OFF = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError)  # what a connection does without TLS, too


def trusting(ca_path: str, setting: str) -> ssl.SSLContext:
    """What verifies a server: by the system's certificates, or those of a file in PEM. Raises ConfigurationError."""
    try:
        return ssl.create_default_context(cafile=ca_path or None)
    except OSError as error:
        raise ConfigurationError(
            [f"{setting}: names no readable file with certificates in PEM ({type(error).__name__})"]
        ) from None


_LEAVES = "http11.send_request_headers.started"
"""What httpcore says when it has a connection and is about to write the request."""


class _StaleError(Exception):
    """The request may not leave any more."""


class HttpClient:
    """One server's client. Threads may share it. Redirections are not followed: what authorizes would go along.

    `timeout` (seconds) bounds the whole exchange, not each of its reads. A plain `http://` address is reached without
    a proxy, which would read what is meant for this machine.
    """

    def __init__(
        self,
        base_url: str,
        trusted: ssl.SSLContext,
        timeout: float,
        *,
        connections: int = 1,
        auth: tuple[str, str] | None = None,
    ) -> None:
        self._timeout = timeout
        self._client = httpx.Client(
            base_url=base_url,
            timeout=timeout,
            follow_redirects=False,
            verify=trusted,
            auth=auth,
            trust_env=base_url.lower().startswith("https://"),
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            headers={
                "user-agent": f"replenit-connector/{__version__}",
                "accept": "application/json",
                "accept-encoding": "identity",  # a few bytes could unpack into any number
            },
        )
        self._deadline = Deadline()
        self._deadline.bind(self._client)

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        may_leave: Callable[[], bool] = lambda: True,
    ) -> Answer | NoAnswer:
        """Send and wait, for at most the time-out. Never raises for what a network or a server can do.

        `may_leave` is asked when there is a connection, right before the request is written to it.
        """

        def check(event: str, _: object) -> None:
            if event == _LEAVES and not may_leave():
                raise _StaleError

        watched = {"trace": check}
        try:
            with (
                self._deadline.within(self._timeout),
                self._client.stream(method, target, content=body, headers=headers, extensions=watched) as response,
            ):
                return _answer(response)
        except _StaleError:
            return NoAnswer("stale", ambiguous=False)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            why = _untrusted(error)
            return NoAnswer(UNTRUSTED if why else "refused", ambiguous=False, detail=why)
        except httpx.TimeoutException:
            return NoAnswer("timeout", ambiguous=True)
        except httpx.TransportError:
            return NoAnswer("reset", ambiguous=True)
        except httpx.InvalidURL:  # longer than any server reads: what it would answer
            return Answer(_URI_TOO_LONG, {}, b"")

    def close(self) -> None:
        self._client.close()


def _answer(response: httpx.Response) -> Answer | NoAnswer:
    if response.headers.get("content-encoding", "").strip().lower() not in _PLAIN:
        return NoAnswer("encoded", ambiguous=True)
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > MAX_ANSWER:
            return NoAnswer("endless", ambiguous=True)
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, bytes(body))


def _untrusted(error: BaseException | None) -> str:
    """Why TLS did not trust the server, in OpenSSL's words, which name no more than the host; "" for another error."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        if isinstance(error, ssl.SSLError) and not isinstance(error, _BROKE_OFF):
            return (error.reason or "TLS failed").replace("_", " ").lower()
        error = error.__cause__ or error.__context__
    return ""
