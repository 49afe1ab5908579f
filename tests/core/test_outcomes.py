"""What each answer of the API means: the rows of its documents, and garbage."""

from __future__ import annotations

import json
from time import perf_counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.events import FieldError
from connector.core.outcomes import (
    MAX_ERRORS,
    MAX_PAUSE,
    MAX_PROBLEM,
    Delivered,
    HaltReason,
    Outcome,
    Refused,
    Stopped,
    Suspect,
    Throttled,
    TooLarge,
    Transient,
    Unclear,
    classify,
    retry_after,
)
from connector.core.requests import Answer, Endpoint, NoAnswer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

POST = Request(Endpoint.UPSERT_ORDERS, body=b"[]")
DELETE = Request(Endpoint.DELETE_ORDER, ids=("1",))
HTML = b"<html><body>Request blocked. Ray ID: 0</body></html>"
REQUIRED = "The field is required."

UNAUTHORIZED = Stopped(HaltReason.UNAUTHORIZED)
FORBIDDEN = Stopped(HaltReason.FORBIDDEN)
TENANT_UNKNOWN = Stopped(HaltReason.TENANT_UNKNOWN)
REDIRECTED = Stopped(HaltReason.REDIRECTED)


def says(message: str, **more: object) -> dict[str, object]:
    """The API's own shape of a failure."""
    return {"success": False, "message": message, "data": {}, **more}


def problem(errors: object) -> dict[str, object]:
    """The problem details that the framework makes of a request which it does not even pass on."""
    return {"title": "One or more validation errors occurred.", "status": 400, "traceId": "00-0", "errors": errors}


def bad(paths: dict[int, str], *, complete: bool = True) -> Refused:
    """Records that are refused for one field each."""
    return Refused({index: (FieldError(path, REQUIRED),) for index, path in paths.items()}, complete)


def outcome(request: Request, status: int, body: object, sent: int = 5, **headers: str) -> Outcome:
    """Classify an answer; a body that is no bytes is sent as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return classify(request, sent if request is POST else 1, Answer(status, headers, raw))


SAVED = {"success": True, "message": "Orders saved.", "data": {"count": 5, "processedAt": "2025-08-22T21:00:00.000Z"}}


@pytest.mark.parametrize(
    ("request_", "status", "body", "expected"),
    [
        (POST, 200, SAVED, Delivered(5)),
        (POST, 200, SAVED | {"data": {"count": 3}}, Delivered(3)),
        (POST, 200, {"success": True}, Delivered(None)),
        (POST, 200, {"success": True, "data": {"count": True}}, Delivered(None)),
        (DELETE, 200, {"success": True, "message": "Order deleted.", "data": {"orderId": "1"}}, Delivered(None)),
        (DELETE, 202, b"", Delivered(None)),
        (DELETE, 204, b"", Delivered(None)),
        (POST, 200, b"", Transient("not_json", ambiguous=True)),
        (POST, 200, HTML, Transient("not_json", ambiguous=True)),
        (POST, 202, HTML, Transient("not_json", ambiguous=True)),
        (POST, 200, [], Transient("not_json", ambiguous=True)),
        (POST, 200, says("Storage failure."), Transient("not_successful", ambiguous=False)),
        (POST, 200, {"success": "true"}, Transient("not_successful", ambiguous=False)),
        (POST, 200, {}, Transient("not_successful", ambiguous=True)),
        (POST, 200, says("Tenant not found."), TENANT_UNKNOWN),
        (DELETE, 200, says("Tenant not found."), TENANT_UNKNOWN),
        (DELETE, 200, says("Order not found."), Delivered(None)),
        (POST, 200, says("Order not found."), Transient("not_successful", ambiguous=False)),
        (POST, 200, says("Invalid", errors={"[1].Email": [REQUIRED]}), bad({1: "Email"})),
        (POST, 200, says("Invalid", errors={"": [REQUIRED]}), Suspect((FieldError("", REQUIRED),), 200)),
    ],
)
def test_success(request_: Request, status: int, body: object, expected: Outcome) -> None:
    """Only `success` makes an answer a delivery; the rest of the 2xx are read by their words."""
    assert outcome(request_, status, body) == expected


@pytest.mark.parametrize("shape", [lambda errors: says("Validation failed", errors=errors), problem])
@pytest.mark.parametrize("status", [400, 422, 409])
@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ({"[3].Email": [REQUIRED]}, bad({3: "Email"})),
        ({"[3].OrderItems[1].Sku": [REQUIRED]}, bad({3: "OrderItems[1].Sku"})),
        ({"$[3].Price": [REQUIRED]}, bad({3: "Price"}, complete=False)),
        ({"$[3]": [REQUIRED]}, bad({3: ""}, complete=False)),
        ({"[3]": [REQUIRED]}, bad({3: ""})),
        ({"[0].Email": [REQUIRED], "[4].OrderId": [REQUIRED]}, bad({0: "Email", 4: "OrderId"})),
        ({"[0].Email": [REQUIRED], "": [REQUIRED], "orders": [REQUIRED]}, bad({0: "Email"})),
        ({"[0].Email": [REQUIRED], "[5].Email": [REQUIRED]}, bad({0: "Email"})),
        ({"[0].Email": REQUIRED}, bad({0: "Email"})),
        ({"[2].what a customer wrote": [REQUIRED]}, bad({2: ""})),
        ({"$[1].Price": [REQUIRED], "orders": [REQUIRED]}, bad({1: "Price"}, complete=False)),
    ],
)
def test_indexed_errors(
    shape: Callable[[object], dict[str, object]], status: int, errors: dict[str, object], expected: Outcome
) -> None:
    """Errors that name records by index, in each documented form, refuse those records and no other."""
    assert outcome(POST, status, shape(errors)) == expected


@pytest.mark.parametrize(
    ("request_", "status", "body", "expected"),
    [
        (POST, 400, problem({"OrderId": [REQUIRED]}), (FieldError("OrderId", REQUIRED),)),
        (POST, 400, problem({"": [REQUIRED]}), (FieldError("", REQUIRED),)),
        (POST, 400, problem({"$": [REQUIRED]}), (FieldError("", REQUIRED),)),
        (POST, 400, problem({"OrderItems[1].Sku": [REQUIRED]}), (FieldError("OrderItems[1].Sku", REQUIRED),)),
        (POST, 400, says("Bad", errors=[REQUIRED]), (FieldError("", REQUIRED),)),
        (POST, 400, says("Bad", errors=REQUIRED), (FieldError("", REQUIRED),)),
        (POST, 400, says("Bad", errors={"Sku": [3]}), (FieldError("Sku", ""),)),
        (POST, 400, says("Order ID is required."), (FieldError("", "Order ID is required."),)),
        (POST, 400, says("Missing Email in tenant 1."), (FieldError("", "Missing Email in tenant 1."),)),
        (POST, 400, says("Product not found."), (FieldError("", "Product not found."),)),
        (POST, 400, {"title": "Bad Request", "detail": "Why."}, (FieldError("", "Why."),)),
        (POST, 400, {}, ()),
        (POST, 400, b"", ()),
        (POST, 400, HTML, (FieldError("", HTML.decode()),)),
        (POST, 403, HTML, (FieldError("", HTML.decode()),)),
        (POST, 406, HTML, (FieldError("", HTML.decode()),)),
        (POST, 405, b"", ()),
        (POST, 422, says("No."), (FieldError("", "No."),)),
        (DELETE, 400, says("Order ID is required."), (FieldError("", "Order ID is required."),)),
        (DELETE, 403, HTML, (FieldError("", HTML.decode()),)),
        (DELETE, 414, b"", ()),
    ],
)
def test_errors_without_index(request_: Request, status: int, body: object, expected: tuple[FieldError, ...]) -> None:
    """A refusal that names no record makes all of them suspect, with the API's words."""
    assert outcome(request_, status, body) == Suspect(expected, status)


def test_errors_that_name_only_records_outside_the_batch() -> None:
    """Indexes that the batch does not have name nobody: all are suspect, and the words about the batch remain."""
    answer = problem({"[5].Email": [REQUIRED], "$[99999999]": [REQUIRED], "": ["odd"]})
    assert outcome(POST, 400, answer) == Suspect((FieldError("", "odd"),), 400)


@pytest.mark.parametrize(
    ("request_", "sent", "status", "body", "expected"),
    [
        (POST, 5, 401, says("Unauthorized"), UNAUTHORIZED),
        (POST, 5, 401, b"", UNAUTHORIZED),
        (DELETE, 1, 401, HTML, UNAUTHORIZED),
        (POST, 5, 403, says("Forbidden"), FORBIDDEN),
        (POST, 5, 403, b"", FORBIDDEN),
        (POST, 5, 403, b" \r\n", FORBIDDEN),
        (POST, 0, 403, HTML, FORBIDDEN),
        (DELETE, 1, 403, says("Forbidden"), FORBIDDEN),
        (POST, 5, 404, says("Tenant not found."), TENANT_UNKNOWN),
        (POST, 5, 404, HTML, TENANT_UNKNOWN),
        (POST, 0, 404, b"", TENANT_UNKNOWN),
        (DELETE, 1, 404, says("Tenant not found."), TENANT_UNKNOWN),
        (DELETE, 1, 404, says("Tenant does not exist in our system"), TENANT_UNKNOWN),
        (POST, 5, 400, says("Invalid or missing tenant identifier"), TENANT_UNKNOWN),
        (POST, 5, 400, says("Tenant not found."), TENANT_UNKNOWN),
        (POST, 5, 400, problem({"tenantId": ["The value is not valid."]}), TENANT_UNKNOWN),
        (POST, 5, 301, b"", REDIRECTED),
        (DELETE, 1, 308, HTML, REDIRECTED),
    ],
)
def test_halts(request_: Request, sent: int, status: int, body: object, expected: Outcome) -> None:
    """What only a repaired setting can change stops everything, whatever was sent."""
    assert outcome(request_, status, body, sent) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (says("Order not found."), Delivered(None)),
        (says("Customer with id 12.5 was not found"), Delivered(None)),
        (says("Variant does not exist."), Delivered(None)),
        (says("ORDER ITEM NOT FOUND"), Delivered(None)),
        (says("Order not found for tenant 1."), Delivered(None)),
        (says("Tenant not found for order 1."), TENANT_UNKNOWN),
        (says("Order of an unknown tenant not found."), Unclear()),
        (says("Not found."), Unclear()),
        ({"title": "Not Found", "status": 404}, Unclear()),
        ({"message": 3}, Unclear()),
        (HTML, Unclear()),
        (b"", Unclear()),
    ],
)
def test_a_delete_that_meets_404(body: object, expected: Outcome) -> None:
    """A record that is gone is deleted; an unknown tenant stops; anything else says neither."""
    assert outcome(DELETE, 404, body) == expected


@pytest.mark.parametrize(
    ("status", "ambiguous"),
    [
        *((408, True), (425, False), (500, False), (501, False), (503, False), (502, True), (504, True)),
        *((520, True), (524, True), (529, True), (530, False), (599, False), (100, False), (999, False)),
    ],
)
@pytest.mark.parametrize("body", [says("Internal server error"), HTML, b""])
def test_transient(status: int, ambiguous: bool, body: object) -> None:
    """The server's own troubles are retried; where a gateway lost sight of the request it may still take effect."""
    assert outcome(POST, status, body) == Transient(f"http_{status}", ambiguous)


@pytest.mark.parametrize(("reason", "ambiguous"), [("timeout", True), ("reset", True), ("refused", False)])
def test_no_answer(reason: str, ambiguous: bool) -> None:
    """A broken connection is retried; the adapter knows whether the request may have arrived."""
    assert classify(POST, 5, NoAnswer(reason, ambiguous)) == Transient(reason, ambiguous)


def test_too_large() -> None:
    """A 413 is about the batch's size, whoever says it."""
    assert outcome(POST, 413, HTML) == outcome(POST, 413, says("Too large")) == TooLarge()


@pytest.mark.parametrize(
    ("header", "data", "expected"),
    [
        ("30", {}, 30.0),
        ("1.5", {"retryAfter": 9}, 1.5),
        (None, {"retryAfter": 9}, 9.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", {"retryAfter": 9}, 9.0),
        (None, {}, None),
        (None, {"retryAfter": "9"}, None),
        (None, {"retryAfter": True}, None),
        (None, {"retryAfter": -1}, None),
        (None, None, None),
        ("-1", {}, None),
        ("nan", {}, None),
        ("inf", {}, MAX_PAUSE),
        ("1" * 400, {}, MAX_PAUSE),
        (None, {"retryAfter": 10**400}, MAX_PAUSE),
    ],
)
def test_throttled(header: str | None, data: object, expected: float | None) -> None:
    """A 429 tells its pause by header or body; what is no sensible number of seconds counts as missing."""
    headers = {} if header is None else {"retry-after": header}
    reply = Answer(429, headers, json.dumps({"success": False, "data": data}).encode())
    assert classify(POST, 5, reply) == Throttled(expected)
    assert retry_after(headers) == (expected if header and header[0] in "1i3" else None)


def test_words_are_bounded() -> None:
    """However much an answer says, few and short messages of each record are kept."""
    errors = {f"[{index % 2}].F{index}": ["x" * 1000] * 50 for index in range(200)}
    match outcome(POST, 400, problem(errors)):
        case Refused(kept):
            assert {len(each) for each in kept.values()} == {MAX_ERRORS}
            assert {len(error.problem) for each in kept.values() for error in each} == {MAX_PROBLEM}
        case other:
            pytest.fail(f"{other}")


STATUSES = st.one_of(st.integers(100, 599), st.sampled_from([200, 400, 403, 404, 422, 429]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["[0]", "$[1].A", "[2].B"]), inner),
)
ANSWERS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("success", "errors", "data", "message", "title", "detail"), JSON)
)


def check(found: Outcome, sent: int) -> None:
    """What holds of each outcome."""
    match found:
        case Refused(errors):
            assert errors
            assert all(0 <= index < sent and each for index, each in errors.items())
            words = [error for each in errors.values() for error in each]
        case Suspect(errors):
            words = list(errors)
        case _:
            words = []
    for path, text in words:
        assert len(path) <= 100
        assert path.isascii()
        assert len(text.encode("utf-8")) <= 4 * MAX_PROBLEM


@given(st.sampled_from([POST, DELETE]), STATUSES, st.binary() | ANSWERS | JSON, st.integers(0, 3))
@example(POST, 400, b'{"errors": {"[0]": ["\\ud800"], "\\ud800": null}}', 1)
@example(POST, 200, b'{"data": {"count": ' + b"9" * 5000 + b"}}", 1)
@example(POST, 400, b"\xff\xfe{\x00}\x00", 1)
def test_any_answer_has_a_meaning(request_: Request, status: int, body: object, sent: int) -> None:
    """Nothing that a server can send raises, or yields words that no header can carry."""
    check(outcome(request_, status, body, sent), sent if request_ is POST else 1)


MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"[" * MEGABYTE, id="nested arrays"),
        pytest.param(b'{"a":' * (MEGABYTE // 5), id="nested objects"),
        pytest.param(b'{"errors": {"x": 1' + b"0" * MEGABYTE + b"}}", id="one long integer"),
        pytest.param(b'{"errors": {"x": 0.' + b"1" * MEGABYTE + b"}}", id="one long fraction"),
        pytest.param(b'{"message": "' + b"tenant order " * (MEGABYTE // 13) + b'"}', id="nearly not found"),
        pytest.param(b'{"message": "' + b"invalid tenan " * (MEGABYTE // 14) + b'"}', id="nearly invalid"),
        pytest.param(b'{"errors": {"[' + b"1" * MEGABYTE + b']": ["x"]}}', id="one long index"),
        pytest.param(b'{"errors": {"[0].' + b"a." * (MEGABYTE // 2) + b'-": ["x"]}}', id="one long path"),
        pytest.param(b'{"errors": [' + b'"x",' * (MEGABYTE // 4) + b'"x"]}', id="many messages"),
        pytest.param(json.dumps({"errors": {f"[{n}].A": ["x"] for n in range(80_000)}}).encode(), id="many records"),
        pytest.param(b"\xff" * MEGABYTE, id="no text"),
        pytest.param(b"<" * MEGABYTE, id="no JSON"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 404])
def test_large_garbage_is_read_quickly(status: int, body: bytes) -> None:
    """A megabyte of anything is read in time proportional to its length."""
    began = perf_counter()
    check(classify(DELETE if status == 404 else POST, 500, Answer(status, {}, body)), 500)
    assert perf_counter() - began < 2
