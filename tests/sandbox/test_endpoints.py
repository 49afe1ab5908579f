"""The endpoints over HTTP: statuses, envelopes, error shapes, identifiers, rate-limit headers."""

from __future__ import annotations

import ast
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox.caller import Caller, Clock, Got, item, order

import connector.sandbox
from connector.sandbox.answers import ErrorShape
from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.routes import find
from connector.sandbox.rules import Contract
from connector.sandbox.server import Sandbox

OTHER_TENANT = "0b7f4d0e-7a55-4a83-8c57-3d2a0c6a9f11"


def _failure(got: Got) -> tuple[int, str]:
    assert got.body["success"] is False
    assert "data" in got.body
    return got.status, got.body["message"]


@pytest.mark.parametrize(
    ("entity", "record", "message"),
    [
        ("customers", {"CustomerId": "C-1"}, "Customers saved."),
        ("orders", order(), "Orders saved."),
        ("products", {"ProductId": "P-1"}, "Products saved."),
    ],
)
def test_upserts_are_saved_as_received(entity: str, record: dict[str, object], message: str) -> None:
    """A valid batch is answered with its count and the time, and the state holds the documents."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        got = api.post(entity, record, record | {"Language": None} if entity == "customers" else record)
        assert (got.status, got.body["success"], got.body["message"]) == (200, True, message)
        assert got.body["data"]["count"] == 2
        assert got.body["data"]["processedAt"].endswith("Z")
        assert len(sandbox.state[entity]) == 1
        assert sandbox.requests[0].endpoint == f"upsert_{entity}"


def test_deletes_of_orders_and_products() -> None:
    """Orders, items, products and variants are deleted once; the second time they are not found."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        api.post("orders", order(OrderItems=[item("P", "S"), item("P", "T")]))
        api.post("products", {"ProductId": "P", "ProductVariants": [{"VariantId": "V", "Sku": "S"}]})
        assert api.delete("orders", "/O-1/items?productId=P&sku=S").status == 200
        assert sandbox.state["orders"]["O-1"]["OrderItems"] == [item("P", "T")]
        assert _failure(api.delete("orders", "/O-1/items?productId=P&sku=S")) == (404, "Order item not found.")
        assert api.delete("orders", "/O-1").body["data"] == {"orderId": "O-1"}
        assert _failure(api.delete("orders", "/O-1")) == (404, "Order not found.")
        assert _failure(api.delete("orders", "/O-1/items?productId=P&sku=S")) == (404, "Order not found.")
        assert api.delete("products", "/P/variants/V").status == 200
        assert sandbox.state["products"]["P"]["ProductVariants"] == []
        assert _failure(api.delete("products", "/P/variants/V")) == (404, "Product variant not found.")
        assert api.delete("products", "/P").status == 200
        assert _failure(api.delete("products", "/P")) == (404, "Product not found.")
        assert _failure(api.delete("products", "/P/variants/V")) == (404, "Product not found.")
        assert sandbox.broken_promises == []


@pytest.mark.parametrize("query", ["customerId=C-1", "email=a%2Bb%40c.de"])
def test_deletes_of_customers(query: str) -> None:
    """A customer goes by id or e-mail address, and the answer is 200 whether or not there is one."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        api.post("customers", {"CustomerId": "C-1", "Email": "a+b@c.de"})
        assert api.delete("customers", f"?{query}").status == 200
        assert sandbox.state["customers"] == {}
        assert api.delete("customers", f"?{query}").status == 200


def test_queued_deletes_go_by_the_clock() -> None:
    """The delay of a customer's DELETE is measured on the sandbox's clock."""
    clock = Clock()
    with Sandbox(SandboxConfig(clock=clock, delete_delay=60, late_deletes=True)) as sandbox, Caller(sandbox) as api:
        api.delete("customers", "?customerId=C-1")
        api.post("customers", {"CustomerId": "C-1"})
        clock.now += 59
        assert "C-1" in sandbox.state["customers"]
        clock.now += 1
        assert sandbox.state["customers"] == {}


@pytest.mark.parametrize(
    ("entity", "rest", "message"),
    [
        ("customers", "", "customerId or email is required."),
        ("orders", "/", "Order ID is required."),
        ("orders", "/O-1/items?productId=P", "SKU is required."),
        ("orders", "/O-1/items?sku=S", "Product ID is required."),
        ("products", "/P/variants/", "Variant ID is required."),
    ],
)
def test_deletes_that_name_too_little(entity: str, rest: str, message: str) -> None:
    """A DELETE without one of its parameters is refused."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        assert _failure(api.delete(entity, rest)) == (400, message)


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


@pytest.mark.parametrize("key", ["a/b", "a?b=c&d", "a#b", "100%", "%2F", "a b", "a+b", "Größe-日本", "..", ";:@"])
def test_identifiers_are_percent_decoded(key: str) -> None:
    """An identifier that means something in a URL arrives as it is in the shop, in paths and in queries."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        api.post("orders", order(key, OrderItems=[item(key, key)]))
        assert api.delete("orders", f"/{_quoted(key)}/items?productId={_quoted(key)}&sku={_quoted(key)}").status == 200
        assert api.delete("orders", f"/{_quoted(key)}").status == 200
        api.post("products", {"ProductId": key, "ProductVariants": [{"VariantId": key, "Sku": "S"}]})
        assert api.delete("products", f"/{_quoted(key)}/variants/{_quoted(key)}").status == 200
        api.post("customers", {"CustomerId": key})
        assert api.delete("customers", f"?customerId={_quoted(key)}").status == 200
        assert sandbox.state["customers"] == {}
        assert sandbox.requests[1].ids == (key,)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=3, max_size=3))
@settings(max_examples=50)
def test_any_identifier_is_decoded(ids: list[str]) -> None:
    """Whatever text an identifier holds, encoding it and finding its route gives it back."""
    one, two, three = ids
    items = find("DELETE", f"/orders/t/{_quoted(one)}/items?sku={_quoted(two)}&productId={_quoted(three)}")
    assert items.parameters == {"orderId": one, "productId": three, "sku": two}
    variant = find("DELETE", f"/products/t/{_quoted(one)}/variants/{_quoted(two)}")
    assert variant.parameters == {"productId": one, "variantId": two}


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", f"/orders/{DEFAULT_TENANT}"),
        ("PUT", f"/orders/{DEFAULT_TENANT}"),
        ("POST", f"/baskets/{DEFAULT_TENANT}"),
        ("POST", f"/orders/{DEFAULT_TENANT}/O-1"),
        ("DELETE", f"/orders/{DEFAULT_TENANT}/a/b"),
        ("DELETE", f"/orders/{DEFAULT_TENANT}/.."),
        ("DELETE", f"/orders/{DEFAULT_TENANT}/%FF"),
        ("DELETE", f"/customers/{DEFAULT_TENANT}/C-1"),
    ],
)
def test_what_is_no_endpoint(method: str, target: str) -> None:
    """A request that no document knows is a 404 and a broken promise."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        assert _failure(api.call(method, target)) == (404, "Not found.")
        assert sandbox.broken_promises == ["a request that no document knows"]


@pytest.mark.parametrize(
    ("tenant", "status", "message"),
    [
        (OTHER_TENANT, 403, "The API key has no access to this tenant."),
        ("11111111-2222-3333-4444-555555555555", 404, "Tenant not found."),
        ("shop", 400, "Invalid tenant identifier."),
    ],
)
def test_tenants(tenant: str, status: int, message: str) -> None:
    """A tenant must be a GUID, known, and open to the key."""
    config = SandboxConfig(tenants=(DEFAULT_TENANT, OTHER_TENANT))
    with Sandbox(config) as sandbox, Caller(sandbox) as api:
        assert _failure(api.call("POST", f"/orders/{tenant}", b"[]")) == (status, message)
        assert _failure(api.call("DELETE", f"/orders/{tenant}/O-1")) == (status, message)


def test_tenants_are_kept_apart() -> None:
    """A key of two tenants writes into the one of the path, whatever the case of the GUID."""
    both = (DEFAULT_TENANT, OTHER_TENANT)
    with Sandbox(SandboxConfig(tenants=both, keys={DEFAULT_KEY: both})) as sandbox, Caller(sandbox) as api:
        assert api.call("POST", f"/orders/{OTHER_TENANT.upper()}", json.dumps([order()]).encode()).status == 200
        assert sandbox.state["orders"] == {}
        assert list(sandbox.state_of(OTHER_TENANT)["orders"]) == ["O-1"]


def test_keys() -> None:
    """A missing, an unknown and a revoked key are 401; a key that is allowed again works."""
    with Sandbox() as sandbox:
        with Caller(sandbox, key=None) as api:
            assert _failure(api.post("orders")) == (401, "The API key is missing.")
        with Caller(sandbox, key="no such key") as api:
            assert _failure(api.post("orders")) == (401, "The API key is invalid or was revoked.")
        with Caller(sandbox) as api:
            sandbox.revoke(DEFAULT_KEY)
            assert api.post("orders", order()).status == 401
            assert sandbox.state["orders"] == {}
            sandbox.allow(DEFAULT_KEY, DEFAULT_TENANT)
            assert api.post("orders", order()).status == 200


def test_nothing_of_a_bad_batch_is_saved() -> None:
    """One bad record keeps the others of its batch out."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        assert api.post("orders", order("A"), order("B", Currency="x"), order("C")).status == 400
        assert sandbox.state["orders"] == {}


_BATCH = (
    {"Email": "nobody"},
    {"CustomerId": "C"},
    {"Name": "N", "Phone": "1"},
)


def _errors(shape: ErrorShape, entity: str, *records: object) -> dict[str, Any]:
    with Sandbox(SandboxConfig(errors=shape)) as sandbox, Caller(sandbox) as api:
        got = api.post(entity, *records)
        assert got.status == 400
        assert isinstance(got.body, dict)
        return got.body


@pytest.mark.parametrize("shape", ErrorShape)
def test_shapes_of_model_errors(shape: ErrorShape) -> None:
    """Each shape names the bad records as its document shows it."""
    indexed = {"[0].Email", "[2].CustomerId", "[2].Phone"}
    wanted = {
        ErrorShape.INDEXED: indexed,
        ErrorShape.PROBLEM: indexed,
        ErrorShape.UNINDEXED: {"Email", "", "Phone"},
        ErrorShape.FIRST: {"[0].Email"},
    }
    body = _errors(shape, "customers", *_BATCH)
    assert set(body["errors"]) == wanted[shape]
    assert all(isinstance(each, list) and each for each in body["errors"].values())


def test_shapes_of_nested_errors() -> None:
    """An item's error carries both indexes, or in the shape without indexes none."""
    batch = (order(), order("B", OrderItems=[item(), item(Sku="x" * 51)]))
    assert set(_errors(ErrorShape.INDEXED, "orders", *batch)["errors"]) == {"[1].OrderItems[1].Sku"}
    assert set(_errors(ErrorShape.UNINDEXED, "orders", *batch)["errors"]) == {"OrderItems.Sku"}


def test_the_envelope_and_the_problem() -> None:
    """The envelope says "Validation failed"; problem details carry status, title, type and a trace id."""
    envelope = _errors(ErrorShape.INDEXED, "customers", *_BATCH)
    assert (envelope["success"], envelope["message"], envelope["data"]) == (False, "Validation failed", {})
    problem = _errors(ErrorShape.PROBLEM, "customers", *_BATCH)
    assert "success" not in problem
    assert problem["status"] == 400
    assert problem["traceId"].startswith("00-")
    assert {"type", "title"} <= set(problem)


@pytest.mark.parametrize("shape", ErrorShape)
def test_a_json_type_error_names_one_record(shape: ErrorShape) -> None:
    """Of several records with wrong JSON types the first alone is named, by the path from the root."""
    bad = order(OrderItems=[item(Quantity="1")])
    body = _errors(shape, "orders", order(), bad, bad, order(Currency="x"))
    keys = set(body["errors"]) - {"request"}
    assert keys == {"OrderItems.Quantity" if shape is ErrorShape.UNINDEXED else "$[1].OrderItems[0].Quantity"}


@pytest.mark.parametrize(
    ("body", "key"), [(b"{}", "$"), (b"[{", "$"), (b"", ""), (json.dumps([{}] * 501).encode(), "")]
)
def test_requests_that_are_wrong_as_a_whole(body: bytes, key: str) -> None:
    """No array, no JSON, no body or too many records: 400 without an index, and a broken promise."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        got = api.call("POST", f"/orders/{DEFAULT_TENANT}", body)
        assert (got.status, set(got.body["errors"])) == (400, {key})
        assert sandbox.state == {"customers": {}, "orders": {}, "products": {}}
        assert len(sandbox.broken_promises) == 1


def test_an_empty_array_is_accepted() -> None:
    """An array without records saves nothing and is no error: it tells whether key and tenant are right."""
    with Sandbox(SandboxConfig(contract=Contract.STRICT)) as sandbox, Caller(sandbox) as api:
        assert api.post("orders").body["data"]["count"] == 0
        assert sandbox.broken_promises == []


def test_bodies_that_are_too_large() -> None:
    """A body above the limit is a 413 that the client can read, on a connection that goes on."""
    with Sandbox(SandboxConfig(max_body=1000)) as sandbox, Caller(sandbox) as api:
        assert _failure(api.post("orders", *[order(str(n)) for n in range(5000)]))[0] == 413
        assert api.post("orders", order()).status == 200


def test_content_types() -> None:
    """A body of another type is refused and breaks a promise; a charset does no harm."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        assert api.call("POST", f"/orders/{DEFAULT_TENANT}", b"[]", "application/json; charset=utf-8").status == 200
        assert api.call("POST", f"/orders/{DEFAULT_TENANT}", b"[]", "text/plain").status == 415
        assert len(sandbox.broken_promises) == 1


def test_rate_limit_headers_and_the_refusal() -> None:
    """Every answer counts down; the one over the limit is a 429 with Retry-After, and a broken promise."""
    clock = Clock()
    with Sandbox(SandboxConfig(clock=clock, per_minute=3)) as sandbox, Caller(sandbox) as api:
        answers = [api.post("orders"), api.delete("orders", "/x"), api.post("orders", {})]
        assert [each.status for each in answers] == [200, 404, 400]
        assert [each.headers["x-ratelimit-remaining"] for each in answers] == ["2", "1", "0"]
        assert {each.headers["x-ratelimit-limit"] for each in answers} == {"3"}
        assert sandbox.broken_promises == []
        clock.now += 20
        over = api.post("orders", order())
        assert (over.status, over.headers["retry-after"], over.body["data"]) == (429, "40", {"retryAfter": 40})
        assert sandbox.broken_promises == ["the trailing minute holds more requests than the limit"]
        assert sandbox.fullest_minute == 4
        clock.now += 40
        assert api.post("orders", order()).status == 200
        resets = int(over.headers["x-ratelimit-reset"]) - sandbox.requests[3].time
        assert 40 <= resets <= 41


def test_the_hour_and_no_limit() -> None:
    """The hour refuses too, and is what headers state where a minute has no limit; without limits none does."""
    clock = Clock()
    with Sandbox(SandboxConfig(clock=clock, per_minute=None, per_hour=2)) as sandbox, Caller(sandbox) as api:
        assert [api.post("orders").headers["x-ratelimit-remaining"] for _ in range(2)] == ["1", "0"]
        over = api.post("orders")
        assert (over.status, over.headers["retry-after"], over.headers["x-ratelimit-limit"]) == (429, "3600", "2")
    with Sandbox(SandboxConfig(per_minute=None, per_hour=None)) as sandbox, Caller(sandbox) as api:
        assert not [name for name in api.post("orders").headers if name.startswith("x-ratelimit")]
    with Sandbox(SandboxConfig(tells_limits=False)) as sandbox, Caller(sandbox) as api:
        assert not [name for name in api.post("orders").headers if name.startswith("x-ratelimit")]


@pytest.mark.parametrize(
    "header", ["Content-Length: x", "Content-Length: -1", "Content-Length: 1e3", "Transfer-Encoding: chunked"]
)
@pytest.mark.parametrize(("key", "status"), [(DEFAULT_KEY, 411), ("wrong", 401)])
def test_a_body_of_unknown_length(header: str, key: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused like any other request, counted, and ends its connection: nobody knows where the next begins."""
    with Sandbox() as sandbox:
        host, port = sandbox.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            head = f"POST /orders/{DEFAULT_TENANT} HTTP/1.1\r\nx-replenit-auth-key: {key}\r\n"
            client.sendall(f"{head}Content-Type: application/json\r\n{header}\r\n\r\n".encode())
            answer = client.makefile("rb").read().decode()
        assert answer.startswith(f"HTTP/1.1 {status} ")
        assert "Connection: close" in answer
        assert "X-RateLimit-Remaining: 99" in answer
        assert sandbox.counts == {("upsert_orders", status): 1}
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "GET", "PATCH"])
def test_methods_that_no_document_knows(method: str) -> None:
    """They count in the windows as all requests do, and leave the connection usable."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        api.send(method, f"/orders/{DEFAULT_TENANT}")
        assert api.receive_status() == 404
        assert api.post("orders").headers["x-ratelimit-remaining"] == "98"


def test_markers() -> None:
    """Poisoned ids are refused with a message, crashing ones are a 500, skipped ones are not saved or counted."""
    with Sandbox() as sandbox, Caller(sandbox) as api:
        sandbox.faults = Faults(
            poisoned={"orders": {"bad": "I dislike it."}}, crashing={"orders": ["boom"]}, skipped={"orders": ["dull"]}
        )
        got = api.post("orders", order("good"), order("bad"), order("worse", Currency="x"))
        assert got.body["errors"]["[1].OrderId"] == ["I dislike it."]
        assert set(got.body["errors"]) == {"[1].OrderId", "[2].Currency"}
        assert api.post("orders", order("good"), order("boom")).status == 500
        assert api.post("orders", order("good"), order("dull")).body["data"]["count"] == 1
        assert list(sandbox.state["orders"]) == ["good"]
        assert sandbox.broken_promises == []


def test_the_sandbox_shares_nothing_with_the_connector() -> None:
    """The judge imports the standard library and itself only: no mistake can be made on both sides at once."""
    for file in Path(connector.sandbox.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not [each for each in names if each.startswith("connector") and ".sandbox" not in each]
