"""The threads that send: what may not leave any more does not, and its reply says so."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from connector.adapters.api import Api
from connector.adapters.sender import Sender
from connector.core.budget import Slot
from connector.core.dispatch import Batch
from connector.core.lease import Lease
from connector.core.requests import Answer, Endpoint, NoAnswer, Purpose, Request
from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

UPSERT = Batch(Request(Endpoint.UPSERT_CUSTOMERS, body=b'[{"CustomerId":"c"}]'), Purpose.FRESH, Slot(0, 1, 1))


@contextmanager
def sender(sandbox: Sandbox, lease: Lease, threads: int = 1) -> Iterator[Sender]:
    found = Sender(Api(sandbox.url, DEFAULT_TENANT, 10, threads), threads, lease)
    yield found
    found.close()


@pytest.mark.parametrize("how", ["the time is over", "another term", "lost"])
def test_a_stale_request_does_not_leave(how: str) -> None:
    """The server never sees it, nothing is ambiguous about it, and the next one leaves over the same client."""
    now = [0.0]
    lease = Lease(10, lambda: now[0])
    with (
        Sandbox(SandboxConfig(faults=Faults(slow=1.0, slow_seconds=0.5))) as sandbox,
        sender(sandbox, lease) as sending,
    ):
        sending.send(UPSERT, DEFAULT_KEY)  # keeps the only thread busy
        sending.send(UPSERT, DEFAULT_KEY)
        while not sandbox.in_flight:
            threading.Event().wait(0.01)
        match how:
            case "the time is over":
                now[0] = 10.1
            case "another term":
                now[0] = 10.1
                lease.renew()
            case "lost":
                lease.end()
        first, second = [*sending.replies(5), *sending.replies(5)][:2]
        assert isinstance(first.reply, Answer)
        assert second.reply == NoAnswer("stale", ambiguous=False)
        lease.renew()
        sending.send(UPSERT, DEFAULT_KEY)
        [third] = sending.replies(5)
        assert isinstance(third.reply, Answer)
        assert len(sandbox.requests) == 2


def test_it_is_asked_when_there_is_a_connection() -> None:
    """To connect may take long: what is said before that is no longer true."""
    asked = []
    with Sandbox() as sandbox:
        api = Api(sandbox.url, DEFAULT_TENANT, 10, 1)

        def may_leave() -> bool:
            pool = api._client._client._transport._pool  # type: ignore[attr-defined] # noqa: SLF001
            asked.append(len(pool.connections))
            return False

        assert api.send(UPSERT.request, DEFAULT_KEY, may_leave) == NoAnswer("stale", ambiguous=False)
        api.close()
        assert asked == [1]
        assert sandbox.requests == []
