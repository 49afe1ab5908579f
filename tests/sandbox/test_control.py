"""The sandbox's own endpoints, and its command."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from typing import Any

import pytest
from sandbox.caller import Address, Caller, Clock, order, until

from connector.commands.sandbox import run
from connector.errors import ConfigurationError, PlatformError
from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox


def _put(api: Caller, name: str, value: object) -> int:
    return api.call("PUT", f"/_sandbox/{name}", json.dumps(value).encode()).status


def test_state_and_requests_are_served() -> None:
    """Documents, counts, windows, promises and requests are to be had over HTTP, and asking for them counts nowhere."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        api.post("orders", order(), order())
        api.delete("orders", "/x")
        assert api.call("GET", "/_sandbox/state").body == {"customers": {}, "orders": {"O-1": order()}, "products": {}}
        summary = api.call("GET", "/_sandbox/requests").body
        assert summary["counts"] == {"delete_order": {"404": 1}, "upsert_orders": {"200": 1}}
        assert (summary["fullest_minute"], summary["fullest_hour"]) == (2, 2)
        assert summary["broken_promises"] == sandbox.broken_promises != []
        assert [(each["number"], each["records"], each["ids"]) for each in summary["requests"]] == [
            (1, 2, ["O-1", "O-1"]),
            (2, 1, ["x"]),
        ]
        assert sandbox.fullest_minute == 2


def test_faults_keys_and_reset() -> None:
    """Faults and keys are switched over HTTP; a reset brings back the start, the configured faults included."""
    with Sandbox(SandboxConfig(faults=Faults(skipped={"orders": ["x"]}))) as sandbox, Caller(sandbox) as api:
        assert api.post("orders", order("x"), order()).body["data"]["count"] == 1
        assert _put(api, "faults", {"down": True}) == 200
        assert sandbox.faults == Faults(down=True)
        assert api.call("GET", "/_sandbox/faults").body["down"] is True
        assert api.post("orders").status == 503
        assert _put(api, "faults", {}) == 200
        assert _put(api, "keys", {DEFAULT_KEY: None, "other": [DEFAULT_TENANT], "poor": []}) == 200
        assert [_status(sandbox, key) for key in (DEFAULT_KEY, "other", "poor")] == [401, 200, 403]
        assert api.call("POST", "/_sandbox/reset").status == 200
        assert sandbox.faults.skipped == {"orders": ["x"]}
        assert (sandbox.requests, sandbox.state["orders"], sandbox.fullest_hour) == ([], {}, 0)
        assert [_status(sandbox, key) for key in (DEFAULT_KEY, "other")] == [200, 401]


def test_a_reset_cuts_off_what_is_in_flight() -> None:
    """A request from before a reset is neither applied nor recorded after it, and its client gets no answer."""
    clock = Clock()
    config = SandboxConfig(clock=clock, faults=Faults(slow=1, slow_seconds=40, times=1))
    with Sandbox(config) as sandbox, Caller(sandbox) as slow, Caller(sandbox) as api:
        slow.send("POST", f"/orders/{DEFAULT_TENANT}", json.dumps([order()]).encode())
        until(lambda: sandbox.in_flight == 1)
        assert api.call("POST", "/_sandbox/reset").status == 200
        clock.now += 40
        with pytest.raises(ConnectionError):
            slow.receive()
        assert (sandbox.state["orders"], sandbox.requests, sandbox.broken_promises) == ({}, [], [])


def test_the_state_of_another_tenant() -> None:
    """Each tenant's documents are to be had by its id."""
    other = "0b7f4d0e-7a55-4a83-8c57-3d2a0c6a9f11"
    both = (DEFAULT_TENANT, other)
    with Sandbox(SandboxConfig(tenants=both, keys={DEFAULT_KEY: both})) as sandbox, Caller(sandbox) as api:
        api.call("POST", f"/orders/{other}", json.dumps([order()]).encode())
        assert api.call("GET", "/_sandbox/state").body["orders"] == {}
        assert api.call("GET", f"/_sandbox/state?tenant={other}").body == sandbox.state_of(other)
        assert list(sandbox.state_of(other)["orders"]) == ["O-1"]


def _status(sandbox: Sandbox, key: str) -> int:
    with Caller(sandbox, key) as api:
        return api.post("orders").status


@pytest.mark.parametrize(
    ("method", "target", "body", "status"),
    [
        ("PUT", "faults", b"{", 400),
        ("PUT", "faults", b'{"nope": 1}', 400),
        ("PUT", "keys", b'{"a": 1}', 400),
        ("GET", "state?tenant=x", None, 404),
        ("GET", "nothing", None, 404),
    ],
)
def test_controls_that_make_no_sense(method: str, target: str, body: bytes | None, status: int) -> None:
    """A control that can't be followed is refused with a reason, and changes nothing."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        got = api.call(method, f"/_sandbox/{target}", body)
        assert got.status == status
        assert got.body["error"]
        assert sandbox.faults == Faults()


def test_a_client_that_goes_away_within_its_request() -> None:
    """Half a body is applied to nothing, recorded without a status, and leaves the server whole."""
    with Sandbox() as sandbox:
        host, port = sandbox.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            head = f"POST /orders/{DEFAULT_TENANT} HTTP/1.1\r\nx-replenit-auth-key: {DEFAULT_KEY}\r\n"
            client.sendall(f"{head}Content-Length: 100\r\n\r\n[".encode())
        until(lambda: len(sandbox.requests) == 1)
        assert (sandbox.requests[0].status, sandbox.requests[0].records) == (0, 0)
        assert _status(sandbox, DEFAULT_KEY) == 200


_RUN = "import sys; from connector.commands.sandbox import run; sys.exit(run(sys.argv[1:]))"


def _start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _RUN, "--port", "0", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_how_to_connect_and_stops_cleanly(number: signal.Signals) -> None:
    """The command prints settings that work, one line a request without identifiers, and ends with 0 on a signal."""
    with _start("--per-minute", "0", "--errors", "problem", "--fault", "error=1", "--fault", "times=1") as process:
        assert process.stdout
        lines = iter(process.stdout.readline, "")
        settings: dict[str, Any] = {}
        for line in lines:
            if "REPLENIT_" in line:
                name, _, value = line.strip().partition("=")
                settings[name] = value
            if "Ctrl-C" in line:
                break
        try:
            with Caller(Address(settings["REPLENIT_BASE_URL"]), settings["REPLENIT_API_KEY"]) as api:
                target = f"/customers/{settings['REPLENIT_TENANT_ID']}"
                body = b'[{"Email": "jane@example.com"}, {"Email": "jane@example.com"}]'
                assert [api.call("POST", target, body).status for _ in range(2)] == [500, 200]
        finally:
            process.send_signal(number)
        rest = process.stdout.read()
        assert process.wait(10) == 0
    assert "500" in rest
    assert "2 records" in rest
    assert "stopped after 2 requests" in rest
    assert "broken promise" in rest
    assert "jane" not in rest


@pytest.mark.parametrize("fault", ["error=2", "error", "nope=1", "down=yes"])
def test_the_command_refuses_wrong_faults(fault: str) -> None:
    """A fault that makes no sense is an error of the configuration that names the option."""
    with pytest.raises(ConfigurationError, match="--fault"):
        run(["--port", "0", "--fault", fault])


def test_the_command_lists_all_that_is_wrong() -> None:
    """Every option that makes no sense is named at once, before anything listens."""
    wrong = ["--tenant", "shop", "--port", "65536", "--per-hour", "-1", "--delete-delay", "nan", "--fault", "x=1"]
    with pytest.raises(ConfigurationError) as caught:
        run(wrong)
    named = ["--tenant", "--port", "--per-minute", "--delete-delay", "--fault"]
    assert [each.split()[0].rstrip(":") for each in caught.value.problems] == named


def test_the_command_reports_a_port_that_is_taken() -> None:
    """A port that is in use is the platform's fault, and named; signals then mean what they meant before."""
    before = signal.getsignal(signal.SIGTERM)
    with Sandbox() as sandbox, pytest.raises(PlatformError, match=r"cannot listen on 127\.0\.0\.1"):
        run(["--port", sandbox.url.rpartition(":")[2]])
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("given", ["environment", "option"])
def test_a_key_that_was_given_is_not_printed(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key from the environment or an option stays where it is."""
    secret = "dG9wLXNlY3JldA=="
    if given == "environment":
        monkeypatch.setenv("REPLENIT_API_KEY", secret)
    with _start(*(["--key", secret] if given == "option" else [])) as process:
        assert process.stdout
        line = ""
        printed = []
        while "Ctrl-C" not in line:
            line = process.stdout.readline()
            assert line
            printed.append(line)
        process.terminate()
        assert process.wait(10) == 0
    assert secret not in "".join(printed)
