"""The sandbox's reading of the contract, one field at a time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox.caller import item, order

from connector.sandbox.rules import MOST_RECORDS, Contract, read

CUSTOMER = {
    "CustomerId": "C-123",
    "Email": "john.doe@example.com",
    "Name": "John",
    "Surname": "Doe",
    "Username": "jd",
    "Phone": "+14155550123",
    "Language": "en-US",
    "EmailOptin": True,
    "SmsOptin": False,
    "WhatsappOptin": True,
    "AppPushOptin": True,
    "GdprOptin": True,
    "IsExcluded": False,
}
ORDER = {
    "OrderId": "O-789",
    "CustomerId": "C-123",
    "Email": "john.doe@example.com",
    "OrderDate": "2025-08-22T21:00:00Z",
    "TotalRevenue": 89.97,
    "Currency": "USD",
    "TotalQuantity": 3,
    "UniqueQuantity": 2,
    "IsOrderCancelled": False,
    "OrderItems": [
        item(OriginalPrice=39.99, Size="L", Color="red", Brand="Acme", IsGift=False),
        item("P-43", "SKU-43-BLUE-M", IsGift=True),
    ],
}
VARIANT = {
    "VariantId": "V-42-BLK-S",
    "Sku": "SKU-42-BLK-S",
    "Name": "Black / Small",
    "Image": "https://cdn.example.com/products/tank-black-s.jpg",
    "Size": "S",
    "Stock": 84,
    "OriginalPrice": 34.99,
    "SalePrice": 27.99,
    "Currency": "USD",
    "IsAvailable": True,
    "Language": "en-US",
    "BrandName": "Acme Active",
}
PRODUCT = {
    "ProductId": "P-42",
    "ProductName": "Women's Training Tank Top",
    "Taxonomy": ["Apparel", "Women", "Activewear", "Tops"],
    "IsOfflineExclusive": False,
    "ProductVariants": [VARIANT],
}
FULL: dict[str, dict[str, Any]] = {"customers": CUSTOMER, "orders": ORDER, "products": PRODUCT}


def _paths(entity: str, record: object, contract: Contract = Contract.LENIENT) -> set[str]:
    _, violations = read(entity, json.dumps([record]).encode(), contract)
    return {each.path for each in violations}


@pytest.mark.parametrize("entity", FULL)
@pytest.mark.parametrize("contract", Contract)
def test_the_reference_examples_are_valid(entity: str, contract: Contract) -> None:
    """The newest reference's examples with all fields pass both contracts."""
    assert _paths(entity, FULL[entity], contract) == set()


@pytest.mark.parametrize(
    ("entity", "record"),
    [
        ("customers", {"CustomerId": "C"}),
        ("customers", {"Email": "a@b.de"}),
        ("orders", order()),
        ("orders", order(OrderItems=[])),
        ("orders", {"OrderId": "O", "Currency": "EUR", "Email": "a@b.de"}),
        ("products", {"ProductId": "P"}),
        ("products", {"ProductId": "P", "ProductVariants": []}),
        ("products", {"ProductId": "P", "ProductVariants": [{"VariantId": "V", "Sku": "S"}]}),
        ("products", {"ProductId": "P", "ProductVariants": [{**VARIANT, "Image": "http://x/y.png"}]}),
    ],
)
def test_what_some_document_allows_is_lenient(entity: str, record: object) -> None:
    """The least of each record is accepted where any document allows it."""
    assert _paths(entity, record) == set()


@pytest.mark.parametrize(
    ("entity", "record", "missing"),
    [
        ("orders", order(), {"Email", "OrderDate", "TotalRevenue", "OrderItems"}),
        ("orders", {**ORDER, "OrderItems": []}, {"OrderItems"}),
        ("products", {"ProductId": "P"}, {"ProductName", "ProductVariants"}),
        ("products", {**PRODUCT, "ProductVariants": []}, {"ProductVariants"}),
        (
            "products",
            {**PRODUCT, "ProductVariants": [{"VariantId": "V", "Sku": "S"}]},
            {f"ProductVariants[0].{name}" for name in ("Name", "OriginalPrice", "Currency", "IsAvailable")},
        ),
        ("products", {**PRODUCT, "ProductVariants": [{**VARIANT, "Image": "http://x/"}]}, {"ProductVariants[0].Image"}),
    ],
)
def test_what_the_newest_reference_requires_is_strict(entity: str, record: object, missing: set[str]) -> None:
    """The strict contract names each field that the newest reference asks for."""
    assert _paths(entity, record, Contract.STRICT) == missing


@pytest.mark.parametrize(
    ("entity", "name"),
    [("orders", "OrderId"), ("orders", "Currency"), ("products", "ProductId")]
    + [("orders", f"OrderItems[0].{name}") for name in ("ProductId", "Sku", "Quantity", "Price")]
    + [("products", f"ProductVariants[0].{name}") for name in ("VariantId", "Sku")],
)
@pytest.mark.parametrize("contract", Contract)
@pytest.mark.parametrize("how", ["absent", "null"])
def test_required_fields(entity: str, name: str, contract: Contract, how: str) -> None:
    """A required field that is absent or null is named, in both contracts."""
    record = json.loads(json.dumps(FULL[entity]))
    at = record if "." not in name else record[name.split("[", maxsplit=1)[0]][0]
    field = name.rpartition(".")[2]
    del at[field]
    if how == "null":
        at[field] = None
    assert _paths(entity, record, contract) == {name}


@pytest.mark.parametrize("record", [{}, {"Name": "N"}, {"CustomerId": "", "Email": None}, {"CustomerId": "  "}])
def test_one_identifier_is_needed(record: dict[str, object]) -> None:
    """A customer or an order without any identifier is refused."""
    assert "CustomerId" in _paths("customers", record)
    assert "CustomerId" in _paths("orders", {"OrderId": "O", "Currency": "EUR", **record})


_BAD: list[tuple[str, str, object]] = [
    ("customers", "CustomerId", "x" * 101),
    ("customers", "CustomerId", "😀" * 51),
    ("customers", "Language", "x-123456789"),
    ("customers", "Language", "en_US"),
    ("customers", "Language", ""),
    *[("customers", "Email", bad) for bad in ("", "a", "a@b", "a@@b.de", "a b@c.de", "@b.de", "a@b..de", "a@b.de ")],
    *[("customers", "Phone", bad) for bad in ("", "4155550123", "+04155550123", "+1 415", "+1234567890123456", "+١٢٣")],
    ("orders", "OrderId", "x" * 101),
    *[("orders", "Currency", bad) for bad in ("eur", "EU", "EURO", "E1R", "")],
    *[
        ("orders", "OrderDate", bad)
        for bad in ("2025-08-22", "2025-08-22T21:00:00", "2025-08-22T21:00:00+00:00", "2025-02-30T21:00:00Z")
    ],
    *[("orders", "OrderDate", bad) for bad in ("22.08.2025 21:00", "2025-08-22 21:00:00Z", "2025-08-22T24:00:00Z", "")],
    ("products", "ProductId", "x" * 101),
    ("products", "ProductName", "x" * 201),
]


@pytest.mark.parametrize(("entity", "name", "bad"), _BAD)
@pytest.mark.parametrize("contract", Contract)
def test_formats(entity: str, name: str, bad: object, contract: Contract) -> None:
    """A value of the right type in a wrong form is named, in both contracts, and is no JSON type error."""
    record = {**FULL[entity], name: bad}
    _, violations = read(entity, json.dumps([record]).encode(), contract)
    assert {each.path for each in violations} == {name}
    assert not any(each.conversion or each.promise for each in violations)


@pytest.mark.parametrize(
    ("entity", "name", "good"),
    [
        ("customers", "CustomerId", "x" * 100),
        ("customers", "CustomerId", "😀" * 50),
        ("customers", "Language", "zh-Hant-TW"),
        ("customers", "Email", "a.b+c@sub.example.co.uk"),
        ("customers", "Phone", None),
        ("customers", "Name", ""),
        ("orders", "OrderDate", "2024-02-29T23:59:59.123456789Z"),
        ("orders", "TotalRevenue", 0),
        ("orders", "TotalRevenue", -1e300),
        ("orders", "TotalQuantity", 2**31 - 1),
        ("orders", "OrderItems", None),
        ("products", "Taxonomy", []),
    ],
)
def test_forms_that_are_right(entity: str, name: str, good: object) -> None:
    """The edges of what is allowed are allowed."""
    assert _paths(entity, {**FULL[entity], name: good}) == set()


_MISTYPED: list[tuple[str, str, str]] = [
    ("customers", "CustomerId", "1"),
    ("customers", "Name", "true"),
    ("customers", "Name", '"\\ud800"'),
    ("customers", "GdprOptin", '"true"'),
    ("customers", "GdprOptin", "1"),
    ("orders", "TotalRevenue", '"1.5"'),
    ("orders", "TotalRevenue", "1e999"),
    ("orders", "TotalRevenue", "1" + "0" * 400),
    ("orders", "TotalRevenue", "true"),
    ("orders", "TotalQuantity", "1.0"),
    ("orders", "TotalQuantity", "2147483648"),
    ("orders", "TotalQuantity", "false"),
    ("orders", "OrderDate", "1724360400000"),
    ("orders", "OrderItems", "{}"),
    ("products", "Taxonomy", '"Apparel"'),
    ("products", "Taxonomy", "[1]"),
]


@pytest.mark.parametrize(("entity", "name", "bad"), _MISTYPED)
def test_json_types(entity: str, name: str, bad: str) -> None:
    """A value of a wrong JSON type is a conversion error, and the only thing that is said about the batch."""
    body = f'[{json.dumps(FULL[entity])}, {{"{name}": {bad}}}, {{"{name}": {bad}}}]'
    _, violations = read(entity, body.encode(), Contract.LENIENT)
    assert [(each.record, each.path, each.conversion) for each in violations] == [(1, name, True)]


def test_nested_errors_are_all_named() -> None:
    """Violations of all records are reported, those of items and variants by their whole path."""
    batch = [order(), order(OrderItems=[item(), item(Sku="x" * 51, Color="x" * 51)]), order(Currency="x")]
    _, violations = read("orders", json.dumps(batch).encode(), Contract.LENIENT)
    found = {(each.record, each.path) for each in violations}
    assert found == {(1, "OrderItems[1].Sku"), (1, "OrderItems[1].Color"), (2, "Currency")}


@pytest.mark.parametrize(
    ("entity", "record", "path"),
    [
        ("customers", {**CUSTOMER, "customerId": "x"}, "customerId"),
        ("orders", order(OrderItems=[item(OrderId="O-1")]), "OrderItems[0].OrderId"),
        ("products", {**PRODUCT, "Price": 1}, "Price"),
    ],
)
def test_unknown_fields_break_a_promise(entity: str, record: object, path: str) -> None:
    """A field that no document lists is refused and reported as a broken promise."""
    _, violations = read(entity, json.dumps([record]).encode(), Contract.LENIENT)
    assert [(each.path, bool(each.promise)) for each in violations] == [(path, True)]


@pytest.mark.parametrize("body", [b"", b"[{]", b"[NaN]", b'["\xff"]', b"[" * 100_000, b"{}", b'"x"', b"null"])
def test_bodies_that_are_no_array(body: bytes) -> None:
    """Whatever is not a JSON array is one violation of the request as a whole, and a broken promise."""
    _, violations = read("orders", body, Contract.LENIENT)
    assert [each.record for each in violations] == [None]
    assert violations[0].promise


@pytest.mark.parametrize(("entity", "most"), MOST_RECORDS.items())
def test_the_most_records_of_a_request(entity: str, most: int) -> None:
    """The hard maximum passes; one more is refused without an index."""
    record = json.dumps(FULL[entity])
    assert read(entity, f"[{','.join([record] * most)}]".encode(), Contract.STRICT)[1] == []
    violations = read(entity, f"[{','.join([record] * (most + 1))}]".encode(), Contract.STRICT)[1]
    assert [(each.record, each.path) for each in violations] == [(None, "")]


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(st.characters()),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*CUSTOMER, *ORDER, *PRODUCT, *VARIANT]), inner),
    max_leaves=20,
)


@given(st.sampled_from(sorted(FULL)), _json, st.sampled_from(Contract))
def test_any_json_is_judged(entity: str, value: object, contract: Contract) -> None:
    """No JSON value makes the judge fail, and a batch that it passes holds objects with a key only."""
    records, violations = read(entity, json.dumps(value).encode(), contract)
    if not violations:
        assert isinstance(value, list)
        assert all(isinstance(each, dict) for each in records)
