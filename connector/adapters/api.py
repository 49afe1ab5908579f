"""The client of the ingestion API: one request in, one answer or none out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.adapters.http_client import HttpClient, trusting

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.core.requests import Answer, NoAnswer, Request


class Api:
    """The API of one tenant. Threads may share it.

    `ca_path`: certificates to trust instead of the system's, in PEM. Raises ConfigurationError.
    """

    def __init__(self, base_url: str, tenant: str, timeout: float, connections: int, ca_path: str = "") -> None:
        self._tenant = tenant
        self._client = HttpClient(base_url, trusting(ca_path, "REPLENIT_CA_PATH"), timeout, connections=connections)

    def send(self, request: Request, key: str, may_leave: Callable[[], bool] = lambda: True) -> Answer | NoAnswer:
        """Send and wait, for at most the time-out. Never raises for what a network or a server can do.

        `may_leave` is asked when there is a connection, right before the request is written to it.
        """
        headers = {"x-replenit-auth-key": key}
        if request.body is not None:
            headers["content-type"] = "application/json"
        return self._client.ask(request.method, request.target(self._tenant), headers, request.body, may_leave)

    def close(self) -> None:
        self._client.close()
