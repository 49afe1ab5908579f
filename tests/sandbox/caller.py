"""A client of the sandbox that knows nothing of the connector, and a clock that stands still until it is moved."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.sandbox.server import Sandbox

JSON = "application/json"


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class Got:
    """An answer; `body` is parsed where it is JSON, text where it is not."""

    status: int
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True, slots=True)
class Address:
    """A sandbox in another process."""

    url: str


class Caller:
    """One connection, kept alive."""

    def __init__(self, sandbox: Sandbox | Address, key: str | None = DEFAULT_KEY) -> None:
        self._connection = http.client.HTTPConnection(sandbox.url.removeprefix("http://"), timeout=30)
        self._headers = {} if key is None else {"x-replenit-auth-key": key}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def send(self, method: str, target: str, body: bytes | None = None, content_type: str = JSON) -> None:
        headers = self._headers if body is None else {**self._headers, "Content-Type": content_type}
        self._connection.request(method, target, body, headers)

    def receive(self) -> Got:
        answer = self._connection.getresponse()
        raw = answer.read()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        is_json = "json" in headers.get("content-type", "")
        return Got(answer.status, headers, json.loads(raw) if is_json else raw.decode())

    def receive_status(self) -> int:
        """Read an answer whose body does not matter, or that has none."""
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def call(self, method: str, target: str, body: bytes | None = None, content_type: str = JSON) -> Got:
        self.send(method, target, body, content_type)
        return self.receive()

    def post(self, entity: str, *records: object) -> Got:
        return self.call("POST", f"/{entity}/{DEFAULT_TENANT}", json.dumps(records).encode())

    def delete(self, entity: str, rest: str) -> Got:
        return self.call("DELETE", f"/{entity}/{DEFAULT_TENANT}{rest}")


def until(holds: Callable[[], bool]) -> None:
    """Return once it holds; fail after 10 seconds."""
    never = threading.Event()
    for _ in range(5000):
        if holds():
            return
        never.wait(0.002)
    raise AssertionError("it never came true")


def order(key: str = "O-1", **fields: object) -> dict[str, object]:
    return {"OrderId": key, "CustomerId": "C-1", "Currency": "EUR", **fields}


def item(product: str = "P-1", sku: str = "S-1", **fields: object) -> dict[str, object]:
    return {"ProductId": product, "Sku": sku, "Quantity": 1, "Price": 9.5, **fields}
