"""The misbehaviour, one kind at a time, and requests that are in flight together."""

from __future__ import annotations

import http.client
import json
import socket
import struct
import threading

import pytest
from sandbox.caller import Caller, Clock, order, until

from connector.sandbox.answers import ErrorShape
from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Dealer, Fault, Faults
from connector.sandbox.server import Sandbox

_BROKEN = (ConnectionError, http.client.RemoteDisconnected)


@pytest.mark.parametrize(
    ("faults", "status"),
    [
        (Faults(error=1), 500),
        (Faults(too_many=1, retry_after=7), 429),
        (Faults(html=1), 502),
        (Faults(html=1, html_status=200), 200),
        (Faults(html=1, html_status=403), 403),
        (Faults(unsuccessful=1), 200),
        (Faults(redirect=1), 302),
        (Faults(revoked=True), 401),
        (Faults(down=True), 503),
    ],
)
def test_faulty_answers(faults: Faults, status: int) -> None:
    """Each fault gives its status on all endpoints, saves nothing, and ends when it is switched off."""
    with Sandbox(SandboxConfig(faults=faults)) as sandbox, Caller(sandbox) as api:
        got = api.post("orders", order())
        assert got.status == status
        assert api.delete("orders", "/O-1").status == status
        assert isinstance(got.body, str) == bool(faults.html or faults.redirect)
        if isinstance(got.body, dict):
            assert got.body["success"] is False
        assert got.headers.get("retry-after") == ("7" if status == 429 else None)
        assert ("location" in got.headers) == (status == 302)
        assert "x-ratelimit-remaining" in got.headers
        assert sandbox.state["orders"] == {}
        sandbox.faults = Faults()
        assert api.post("orders", order()).status == 200


@pytest.mark.parametrize(("faults", "applied"), [(Faults(reset=1), False), (Faults(lost=1), True)])
def test_broken_connections(faults: Faults, applied: bool) -> None:
    """The client sees a broken connection in both cases; only a lost answer was applied."""
    with Sandbox(SandboxConfig(faults=faults)) as sandbox, Caller(sandbox) as api:
        with pytest.raises(_BROKEN):
            api.post("orders", order())
        assert bool(sandbox.state["orders"]) == applied
        assert [each.status for each in sandbox.requests] == [0]


def test_a_lost_answer_is_a_reset_on_the_wire() -> None:
    """The connection is torn down rather than ended: no client can take it for an orderly close."""
    with Sandbox(SandboxConfig(faults=Faults(lost=1))) as sandbox:
        host, port = sandbox.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.sendall(f"DELETE /orders/{DEFAULT_TENANT}/O-1 HTTP/1.1\r\n\r\n".encode())
            with pytest.raises(ConnectionResetError):
                client.recv(100)


def test_a_reset_of_a_large_body() -> None:
    """The connection breaks before a large body was read, and nothing of it is kept."""
    with Sandbox(SandboxConfig(faults=Faults(reset=1))) as sandbox, Caller(sandbox) as api:
        with pytest.raises(_BROKEN):
            api.post("orders", *[order(str(n), Email="a" * 10_000) for n in range(500)])
        until(lambda: len(sandbox.requests) == 1)
        assert sandbox.state["orders"] == {}


def test_slow_answers_go_by_the_clock() -> None:
    """A slow request is worked on when its seconds have passed on the sandbox's clock."""
    clock = Clock()
    config = SandboxConfig(clock=clock, faults=Faults(slow=1, slow_seconds=40))
    with Sandbox(config) as sandbox, Caller(sandbox) as api:
        api.send("POST", f"/orders/{DEFAULT_TENANT}", json.dumps([order()]).encode())
        until(lambda: sandbox.in_flight == 1)
        clock.now += 39
        assert sandbox.state["orders"] == {}
        clock.now += 1
        assert api.receive().status == 200
        assert sandbox.requests[0].seconds == 40
        assert sandbox.requests[0].fault == "slow"


def test_a_hang_ends_without_an_answer() -> None:
    """A request that hangs is never applied and never answered."""
    clock = Clock()
    config = SandboxConfig(clock=clock, faults=Faults(hang=1, hang_seconds=60))
    with Sandbox(config) as sandbox, Caller(sandbox) as api:
        api.send("POST", f"/orders/{DEFAULT_TENANT}", json.dumps([order()]).encode())
        until(lambda: sandbox.in_flight == 1)
        clock.now += 60
        with pytest.raises(_BROKEN):
            api.receive()
        assert sandbox.state["orders"] == {}


def test_faults_that_change_meanwhile() -> None:
    """A request meets the faults of its arrival: what is slow stays slow when the faults are switched off."""
    clock = Clock()
    config = SandboxConfig(clock=clock, faults=Faults(slow=1, slow_seconds=40, crashing={"orders": ["O-1"]}))
    with Sandbox(config) as sandbox, Caller(sandbox) as slow, Caller(sandbox) as fast:
        slow.send("POST", f"/orders/{DEFAULT_TENANT}", json.dumps([order()]).encode())
        until(lambda: sandbox.in_flight == 1)
        sandbox.faults = Faults()
        clock.now += 39
        assert fast.post("orders", order("O-2")).status == 200
        assert sandbox.in_flight == 1
        clock.now += 1
        assert slow.receive().status == 500


def test_a_client_that_resets_its_connection(capsys: pytest.CaptureFixture[str]) -> None:
    """An answer that nobody reads any more leaves no message and no thread behind, and what it answers is applied."""
    before = set(threading.enumerate())
    clock = Clock()
    config = SandboxConfig(clock=clock, errors=ErrorShape.INDEXED, faults=Faults(slow=1, slow_seconds=9, times=1))
    with Sandbox(config) as sandbox, Caller(sandbox) as idle:
        host, port = sandbox.url.removeprefix("http://").split(":")
        body = json.dumps([{"OrderId": ""}] * 500).encode()
        with socket.create_connection((host, int(port)), timeout=10) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            head = f"POST /orders/{DEFAULT_TENANT} HTTP/1.1\r\nx-replenit-auth-key: {DEFAULT_KEY}\r\n"
            client.sendall(
                f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            until(lambda: sandbox.in_flight == 1)
        clock.now += 9
        until(lambda: len(sandbox.requests) == 1)
        assert idle.post("orders", order()).status == 200
        assert [each.status for each in sandbox.requests] == [400, 200]
        until(lambda: len(set(threading.enumerate()) - before) == 2)  # the listener, and the idle connection's
    assert set(threading.enumerate()) <= before
    assert capsys.readouterr().err == ""


def test_stopping_ends_what_hangs() -> None:
    """A sandbox that stops does not wait for what hangs in it."""
    clock = Clock()
    with Sandbox(SandboxConfig(clock=clock, faults=Faults(hang=1))) as sandbox, Caller(sandbox) as api:
        api.send("POST", f"/orders/{DEFAULT_TENANT}", b"[]")
        until(lambda: sandbox.in_flight == 1)
    assert sandbox.in_flight == 0


def test_two_states_of_one_key_in_flight_are_seen() -> None:
    """Two requests that touch one key at one moment break a promise; a third, of another key, does not."""
    clock = Clock()
    config = SandboxConfig(clock=clock, faults=Faults(slow=1, slow_seconds=10))
    with Sandbox(config) as sandbox, Caller(sandbox) as one, Caller(sandbox) as two, Caller(sandbox) as three:
        one.send("POST", f"/orders/{DEFAULT_TENANT}", json.dumps([order("A"), order("B")]).encode())
        until(lambda: sandbox.in_flight == 1)
        two.send("DELETE", f"/orders/{DEFAULT_TENANT}/B/items?productId=P&sku=S")
        until(lambda: sandbox.in_flight == 2)
        three.send("POST", f"/products/{DEFAULT_TENANT}", json.dumps([{"ProductId": "A"}]).encode())
        until(lambda: sandbox.in_flight == 3)
        clock.now += 10
        assert [each.receive().status for each in (one, three)] == [200, 200]
        two.receive()
        assert sandbox.broken_promises == ["two requests in flight for one key of orders: #1 and #2"]


def test_a_request_whose_client_gave_up_is_still_in_flight() -> None:
    """A newer state that overtakes a slow older one is caught, and is undone by it when that is applied at last."""
    clock = Clock()
    config = SandboxConfig(clock=clock, faults=Faults(slow=1, slow_seconds=40, times=1))
    with Sandbox(config) as sandbox, Caller(sandbox) as impatient, Caller(sandbox) as hasty:
        impatient.send("POST", f"/orders/{DEFAULT_TENANT}", json.dumps([order(TotalQuantity=1)]).encode())
        until(lambda: sandbox.in_flight == 1)
        impatient.close()
        assert hasty.post("orders", order(TotalQuantity=2)).status == 200
        assert len(sandbox.broken_promises) == 1
        clock.now += 40
        until(lambda: sandbox.in_flight == 0)
        assert sandbox.state["orders"]["O-1"]["TotalQuantity"] == 1


def test_a_key_stays_in_flight_until_the_last_request_for_it_ends() -> None:
    """Of two overlapping requests one ends; a third still overlaps with the other."""
    clock = Clock()
    config = SandboxConfig(clock=clock, faults=Faults(slow=1, slow_seconds=40, times=1))
    with Sandbox(config) as sandbox, Caller(sandbox) as slow, Caller(sandbox) as fast:
        slow.send("DELETE", f"/orders/{DEFAULT_TENANT}/A")
        until(lambda: sandbox.in_flight == 1)
        fast.delete("orders", "/A")
        fast.delete("orders", "/A")
        clock.now += 40
        slow.receive()
        fast.delete("orders", "/A")
        overlaps = [f"two requests in flight for one key of orders: #1 and #{number}" for number in (2, 3)]
        assert sandbox.broken_promises == overlaps


def test_one_request_after_the_other_is_no_overlap() -> None:
    """A client that waits for each answer is never accused, on however many connections."""
    config = SandboxConfig(per_minute=None)
    with Sandbox(config) as sandbox, Caller(sandbox) as one, Caller(sandbox) as two:
        for number in range(300):
            (one, two)[number % 2].post("orders", order(TotalQuantity=number))
        assert sandbox.broken_promises == []


def test_two_states_of_one_key_in_a_batch_are_seen() -> None:
    """A batch that holds a key twice breaks a promise, once, however often it holds it."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        assert api.post("orders", order(), order(), order()).status == 200
        assert sandbox.broken_promises == ["two states of one key of orders in one request: #1"]


def _dealt(faults: Faults, entity: str = "orders", count: int = 2000) -> list[tuple[Fault | None, bool]]:
    dealer = Dealer(faults)
    return [dealer.deal(entity, f"upsert_{entity}") for _ in range(count)]


def test_shares_are_kept_and_repeatable() -> None:
    """Shares come out as asked within chance, and one seed deals the same hand twice."""
    faults = Faults(error=0.2, lost=0.1, slow=0.5, seed=3)
    dealt = _dealt(faults)
    assert 330 < sum(fault is Fault.ERROR for fault, _ in dealt) < 470
    assert 140 < sum(fault is Fault.LOST for fault, _ in dealt) < 260
    assert 900 < sum(slow for _, slow in dealt) < 1100
    assert {fault for fault, _ in dealt} == {None, Fault.ERROR, Fault.LOST}
    assert dealt == _dealt(faults)


def test_after_times_and_only() -> None:
    """Faults spare the first requests, end after so many, and hit the entity or endpoint that is named."""
    faults = Faults(error=1, after=2, times=3, only="orders")
    assert [fault for fault, _ in _dealt(faults, count=7)] == [None] * 2 + [Fault.ERROR] * 3 + [None] * 2
    assert _dealt(faults, "products", 7) == [(None, False)] * 7
    assert _dealt(Faults(error=1, only="upsert_products"), "products", 1) == [(Fault.ERROR, False)]


@pytest.mark.parametrize(
    "values",
    [
        {"error": 1.5},
        {"error": 0.6, "lost": 0.6},
        {"slow": -1},
        {"eror": 1},
        {"error": "1"},
        {"down": 1},
        {"after": 1.5},
        {"times": "x"},
        {"poisoned": {"orders": ["O"]}},
        {"crashing": ["O"]},
        {"crashing": {"orders": [1]}},
        {"poisoned": {"orders": {"O": 1}}},
        {"skipped": {"order": ["O"]}},
        {"only": "order"},
        [],
    ],
)
def test_faults_that_make_no_sense(values: object) -> None:
    """Unknown names, wrong types and impossible shares are refused rather than ignored."""
    with pytest.raises(ValueError, match=r"\w"):
        Faults.parse(values)


def test_faults_from_json() -> None:
    """JSON names the fields that are on; the others are off."""
    values = {"error": 1, "times": 2, "poisoned": {"orders": {"O": "no"}}, "crashing": {"orders": ["P"]}}
    assert Faults.parse(values) == Faults(
        error=1, times=2, poisoned={"orders": {"O": "no"}}, crashing={"orders": ["P"]}
    )
