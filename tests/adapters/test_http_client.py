"""What a server, or a record's identifier, could do to a request and its answer."""

from __future__ import annotations

import gzip
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from raw_server import Server, serving
from registry_server import serving as registry_serving

from connector.adapters.api import Api
from connector.adapters.registry import Access, Registry
from connector.core.avro_wire import IdKind, SchemaId
from connector.core.outcomes import Suspect, classify
from connector.core.requests import Answer, Endpoint, NoAnswer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "c2VjcmV0"
TENANT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
UPSERT = Request(Endpoint.UPSERT_CUSTOMERS, body=b"[]")

HOSTILE = [
    "../../orders/other",
    "..",
    "%2f..%2F",
    "a?b=c&d",
    "a#b",
    "a b",
    "a\r\nx-other: b\r\n\r\nDELETE /other HTTP/1.1",
    "\0",
    "\ufeff\u202e\u2028é",
    "//evil.com/",
    "\\",
    "@evil.com",
    "a;b=c",
    "x" * 9000,
]
IDS = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def answer(head: str, body: bytes) -> bytes:
    lines = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return lines.encode() + body


def ask(server: Server, request: Request = UPSERT) -> Answer | NoAnswer:
    api = Api(server.url, TENANT, 5.0, 1)
    try:
        return api.send(request, KEY)
    finally:
        api.close()


@pytest.fixture(scope="module")
def listening() -> Iterator[Server]:
    """One server for all examples."""
    with serving(answer("", b"{}")) as server:
        yield server


@pytest.fixture(scope="module")
def api(listening: Server) -> Iterator[Api]:
    """One client for all examples."""
    api = Api(listening.url, TENANT, 5.0, 1)
    yield api
    api.close()


@settings(deadline=None, max_examples=60)
@given(IDS, IDS, IDS)
@example(*HOSTILE[:3])
def test_an_identifier_reaches_the_server_as_itself_and_as_nothing_else(
    listening: Server, api: Api, first: str, second: str, third: str
) -> None:
    """One request of one line, its path and query as the API's reference has them; one key, and no other header."""
    for endpoint, ids in (
        (Endpoint.DELETE_CUSTOMER, (first,)),
        (Endpoint.DELETE_ORDER, (first,)),
        (Endpoint.DELETE_PRODUCT_VARIANT, (first, second)),
        (Endpoint.DELETE_ORDER_ITEM, (first, second, third)),
    ):
        listening.read.clear()
        assert isinstance(api.send(Request(endpoint, ids), KEY), Answer)
        [raw] = listening.read
        head, _, body = raw.partition(b"\r\n\r\n")
        line, *headers = head.decode("ascii").split("\r\n")
        method, target, version = line.split(" ")
        assert (method, version, body) == ("DELETE", "HTTP/1.1", b"")
        names = [header.partition(":")[0].lower() for header in headers]
        assert sorted(names) == ["accept", "accept-encoding", "connection", "host", "user-agent", "x-replenit-auth-key"]
        url = urlsplit(target)
        assert not url.netloc
        parts = [unquote(part) for part in url.path.split("/")]
        query = dict(parse_qsl(url.query, keep_blank_values=True, strict_parsing=True)) if url.query else {}
        assert (parts, query) == {
            Endpoint.DELETE_CUSTOMER: (["", "customers", TENANT], {"customerId": first}),
            Endpoint.DELETE_ORDER: (["", "orders", TENANT, first], {}),
            Endpoint.DELETE_PRODUCT_VARIANT: (["", "products", TENANT, first, "variants", second], {}),
            Endpoint.DELETE_ORDER_ITEM: (["", "orders", TENANT, first, "items"], {"productId": second, "sku": third}),
        }[endpoint]


def test_an_identifier_beyond_any_address_is_its_records_fault(listening: Server) -> None:
    """It is not sent, and answered as a server would that refuses its length: a dead letter, and not a try for ever."""
    listening.read.clear()
    for identifier in ("x" * 70_000, "\u00e9" * 30_000):
        request = Request(Endpoint.DELETE_ORDER, (identifier,))
        reply = ask(listening, request)
        assert isinstance(classify(request, 1, reply), Suspect)
    assert not listening.read


@pytest.mark.parametrize("encodings", ["gzip", "gzip, gzip", "br", "zstd", "deflate", "GZIP", "x-unknown"])
def test_what_is_packed_is_not_unpacked(encodings: str) -> None:
    """Nobody asked for it: a few bytes could become any number."""
    bomb = gzip.compress(bytes(10_000_000))
    with serving(answer(f"Content-Encoding: {encodings}\r\n", bomb)) as server:
        assert ask(server) == NoAnswer("encoded", ambiguous=True)
        assert b"accept-encoding: identity\r\n" in server.read[0].lower()


def test_an_answer_that_says_that_it_is_not_packed_is_read() -> None:
    """Which changes nothing."""
    with serving(answer("Content-Encoding: identity\r\n", b'{"success":true}')) as server:
        reply = ask(server)
    assert isinstance(reply, Answer)
    assert reply.body == b'{"success":true}'


def test_a_head_without_end_is_no_answer() -> None:
    """Nor is it kept."""
    with serving(b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 100_000) as server:
        assert ask(server) == NoAnswer("reset", ambiguous=True)


def test_plain_http_goes_through_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is for this machine only would pass through another one, the key with it."""
    with serving() as proxy, serving() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert isinstance(ask(server), Answer)
        assert not proxy.read


def _first_word(caplog: pytest.LogCaptureFixture, registry: Registry) -> str:
    """What the registry's client says of a schema that it does not get."""
    assert registry.get(SchemaId(IdKind.ID, "7")) is None
    waiting = threading.Event()
    for _ in range(200):
        if caplog.records:
            break
        waiting.wait(0.05)
    registry.close()
    return " ".join(record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_registrys_password_follows_no_redirection(status: int, caplog: pytest.LogCaptureFixture) -> None:
    """The records wait, and the line tells the status."""
    with registry_serving() as elsewhere:
        head = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere.url}/schemas/ids/7\r\nContent-Length: 0\r\n\r\n"
        with serving(head.encode()) as server:
            told = _first_word(caplog, Registry(Access(server.url, "ana", "hunter2")))
            assert b"authorization: basic" in server.read[0].lower()
        assert f"it answers {status}" in told
        assert "hunter2" not in told
        assert not elsewhere.asked


@pytest.mark.parametrize(
    ("head", "body", "why"),
    [
        ("", b'"' + b"x" * 5_000_000 + b'"', "endless"),
        ("Content-Encoding: gzip\r\n", gzip.compress(bytes(10_000_000)), "encoded"),
        ("", b"[" * 3_000_000, "no JSON"),
        ("", b"9" * 3_000_000, "no JSON"),
        ("", b'{"schema":"' + b"[" * 3_000_000 + b'"}', "no JSON"),
    ],
    ids=["endless", "packed", "deep", "long", "deep within"],
)
def test_a_registry_that_answers_anything_is_waited_for(
    head: str, body: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is read no further than an answer may be long, and its thread goes on."""
    with serving(answer(head, body)) as server:
        assert why in _first_word(caplog, Registry(Access(server.url)))
