"""The rules of the API's documents."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.documents import FIELDS, MODELS, Contract, problems, required, strictly_wrong
from connector.core.events import Entity
from connector.core.values import Kind

CUSTOMER: dict[str, Any] = {
    "CustomerId": "C-123",
    "Email": "john.doe@example.com",
    "Name": "John",
    "Surname": "Doe",
    "Phone": "+14155550123",
    "Language": "en-US",
    "Username": "john",
    "EmailOptin": True,
    "SmsOptin": False,
    "WhatsappOptin": True,
    "AppPushOptin": True,
    "GdprOptin": True,
    "IsExcluded": False,
}
ITEM: dict[str, Any] = {
    "ProductId": "P-42",
    "Sku": "SKU-42-RED-L",
    "Quantity": 2,
    "Price": 29.99,
    "OriginalPrice": 39.99,
    "Size": "L",
    "Color": "red",
    "Brand": "Acme",
    "IsGift": False,
}
ORDER: dict[str, Any] = {
    "OrderId": "O-789",
    "CustomerId": "C-123",
    "Email": "john.doe@example.com",
    "OrderDate": "2025-08-22T21:00:00Z",
    "TotalRevenue": 89.97,
    "Currency": "USD",
    "TotalQuantity": 3,
    "UniqueQuantity": 2,
    "IsOrderCancelled": False,
    "OrderItems": [ITEM, {"ProductId": "P-43", "Sku": "SKU-43-BLUE-M", "Quantity": 1, "Price": 29.99, "IsGift": True}],
}
VARIANT: dict[str, Any] = {
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
PRODUCT: dict[str, Any] = {
    "ProductId": "P-42",
    "ProductName": "Women's Training Tank Top",
    "Taxonomy": ["Apparel", "Women", "Activewear", "Tops"],
    "IsOfflineExclusive": False,
    "ProductVariants": [VARIANT],
}
COMPLETE = {Entity.CUSTOMERS: CUSTOMER, Entity.ORDERS: ORDER, Entity.PRODUCTS: PRODUCT}
LEAST: dict[Entity, dict[str, Any]] = {
    Entity.CUSTOMERS: {"CustomerId": "C-1"},
    Entity.ORDERS: {"OrderId": "O-791", "Currency": "USD", "Email": "a@example.com"},
    Entity.PRODUCTS: {"ProductId": "P-001", "ProductVariants": [{"VariantId": "V-001", "Sku": "SKU-001"}]},
}
CONTRACTS: tuple[Contract, ...] = ("lenient", "strict")


def paths(entity: Entity, document: dict[str, Any], contract: Contract = "lenient") -> list[str]:
    """The fields that are found wrong."""
    return [error.path for error in problems(entity, document, contract)]


@pytest.mark.parametrize("contract", CONTRACTS)
@pytest.mark.parametrize("entity", Entity)
def test_the_reference_s_own_examples_are_right(entity: Entity, contract: Contract) -> None:
    """With every field there is, under both contracts."""
    assert problems(entity, COMPLETE[entity], contract) == ()
    assert {field.name for field in FIELDS[entity]} == COMPLETE[entity].keys()


@pytest.mark.parametrize("entity", Entity)
def test_lenient_is_what_any_of_the_documents_allows(entity: Entity) -> None:
    """The quick start's examples pass, with nulls and empty lists too."""
    least = LEAST[entity]
    assert paths(entity, least) == []
    nulls = {field.name: None for field in FIELDS[entity] if field.name not in least}
    assert paths(entity, nulls | least) == []
    if entity is not Entity.CUSTOMERS:
        assert paths(entity, least | {FIELDS[entity][-1].name: []}) == []


@pytest.mark.parametrize(
    ("entity", "wrong"),
    [
        (Entity.CUSTOMERS, []),
        (Entity.ORDERS, ["CustomerId", "OrderDate", "TotalRevenue", "OrderItems"]),
        (
            Entity.PRODUCTS,
            [
                "ProductName",
                *(f"ProductVariants[0].{name}" for name in ("Name", "OriginalPrice", "Currency", "IsAvailable")),
            ],
        ),
    ],
)
def test_strict_is_the_newest_reference(entity: Entity, wrong: list[str]) -> None:
    """What it alone requires is missing from the least documents."""
    assert sorted(paths(entity, LEAST[entity], "strict")) == sorted(wrong)
    assert strictly_wrong(entity, json.dumps(LEAST[entity]).encode()) is bool(wrong)
    assert not strictly_wrong(entity, json.dumps(COMPLETE[entity]).encode())


@pytest.mark.parametrize("entity", [Entity.ORDERS, Entity.PRODUCTS])
def test_strict_wants_an_item_or_a_variant(entity: Entity) -> None:
    """An empty list is a common cause of 400, says the reference."""
    name = FIELDS[entity][-1].name
    assert paths(entity, COMPLETE[entity] | {name: []}, "strict") == [name]


BAD: list[tuple[Entity, str, Any]] = [
    *((Entity.CUSTOMERS, "CustomerId", value) for value in ("", "x" * 101, 5)),
    *(
        (entity, "Email", value)
        for entity in (Entity.CUSTOMERS, Entity.ORDERS)
        for value in (
            "",
            "x",
            "@",
            "a@",
            "@b.c",
            "a@b",
            "a@b.",
            "a@.b",
            "a@b..c",
            "a b@c.d",
            " a@b.c",
            "a@b.c ",
            "a@b@c.d",
        )
    ),
    *((Entity.CUSTOMERS, "Phone", value) for value in ("", "0555 123", "4420555", "+0155", "+1", "+1" * 9, "+1-5")),
    *((Entity.CUSTOMERS, "Language", value) for value in ("", "e", "en_US", "en-", "a-language-far")),
    *((Entity.CUSTOMERS, "GdprOptin", value) for value in (1, "true")),
    (Entity.CUSTOMERS, "Name", 5),
    (Entity.CUSTOMERS, "Unknown", "x"),
    *((Entity.ORDERS, "OrderId", value) for value in ("", " ", "x" * 101, None)),
    *((Entity.ORDERS, "Currency", value) for value in ("", "usd", "US", "EURO", "U$D", None)),
    *(
        (Entity.ORDERS, "OrderDate", value)
        for value in ("", "22.08.2025", "2025-08-22T21:00:00", "2025-08-22T21:00:00+01:00")
    ),
    *((Entity.ORDERS, "TotalRevenue", value) for value in (math.nan, math.inf, "1", True, 10**400)),
    *((Entity.ORDERS, "TotalQuantity", value) for value in (2**31, -(2**31) - 1, 1.0, True, "1")),
    (Entity.ORDERS, "OrderItems", {}),
    (Entity.ORDERS, "OrderItems", "[]"),
    *((Entity.PRODUCTS, "ProductId", value) for value in ("", "\t", "x" * 101, None)),
    *((Entity.PRODUCTS, "ProductName", value) for value in ("x" * 201, 5)),
    (Entity.PRODUCTS, "Taxonomy", "A > B"),
    (Entity.PRODUCTS, "Taxonomy", {}),
]
BAD_ITEMS: list[tuple[Entity, str, Any]] = [
    *((Entity.ORDERS, "ProductId", value) for value in ("", "x" * 101, None)),
    *((Entity.ORDERS, "Sku", value) for value in ("", " ", "x" * 51, None)),
    *((Entity.ORDERS, "Quantity", value) for value in (2**31, 1.5, None)),
    *((Entity.ORDERS, "Price", value) for value in (math.nan, "1", None)),
    *((Entity.ORDERS, field, "x" * 51) for field in ("Size", "Color")),
    (Entity.ORDERS, "OrderId", "O-789"),
    *((Entity.PRODUCTS, "VariantId", value) for value in ("", None)),
    *((Entity.PRODUCTS, "Sku", value) for value in ("", "x" * 51, None)),
    *((Entity.PRODUCTS, "Currency", value) for value in ("eur", "")),
    *((Entity.PRODUCTS, "Language", value) for value in ("", "en_US")),
    *((Entity.PRODUCTS, "Stock", value) for value in (2**31, "5")),
    (Entity.PRODUCTS, "IsAvailable", "yes"),
]


@pytest.mark.parametrize(("entity", "field", "value"), BAD)
def test_a_broken_rule_names_its_field(entity: Entity, field: str, value: object) -> None:
    """Each rule of the reference, one at a time, says what was expected and never the value."""
    (error,) = problems(entity, COMPLETE[entity] | {field: value}, "lenient")
    assert error.path == field
    assert not isinstance(value, str) or len(value) < 4 or value not in error.problem


@pytest.mark.parametrize(("entity", "field", "value"), BAD_ITEMS)
def test_a_broken_rule_within_a_list_names_the_place(entity: Entity, field: str, value: object) -> None:
    """`OrderItems[1].Sku` is the second item's."""
    name = FIELDS[entity][-1].name
    good = COMPLETE[entity][name][0]
    assert paths(entity, COMPLETE[entity] | {name: [good, good | {field: value}]}) == [f"{name}[1].{field}"]


def test_what_is_right_at_the_edge_is_right() -> None:
    """The longest identifiers, the greatest integers, tags of ten characters, blanks that identify."""
    edges = {"CustomerId": "x" * 100, "Language": "zh-Hant-TW", "Phone": "+155512345678901", "Email": "ä'+x@ü.example"}
    assert paths(Entity.CUSTOMERS, CUSTOMER | edges | {"Name": ""}) == []
    assert paths(Entity.CUSTOMERS, CUSTOMER | {"CustomerId": " "}) == []
    item = ITEM | {"Sku": "x" * 50, "Quantity": -(2**31), "Price": -1, "Size": "x" * 50}
    assert paths(Entity.ORDERS, ORDER | {"OrderItems": [item], "TotalQuantity": 2**31 - 1}) == []


@pytest.mark.parametrize("entity", [Entity.CUSTOMERS, Entity.ORDERS])
@pytest.mark.parametrize("identifier", [None, ""])
def test_somebody_must_be_named(entity: Entity, identifier: str | None) -> None:
    """CustomerId or Email is required, whatever else is wrong."""
    document = COMPLETE[entity] | {"CustomerId": identifier, "Email": None, "Currency": "x", "Language": "x"}
    found = problems(entity, document, "lenient")
    assert any(error.path == "" and "CustomerId nor Email" in error.problem for error in found)
    assert len(found) > 1


def test_all_that_is_wrong_is_said_at_once() -> None:
    """A dead letter is mended once."""
    document = CUSTOMER | {"CustomerId": "x" * 101, "Email": "x", "Phone": "x", "Language": "x", "GdprOptin": 1}
    assert paths(Entity.CUSTOMERS, document) == ["CustomerId", "Email", "Phone", "Language", "GdprOptin"]


def test_a_sentence_says_what_was_expected_what_was_found_and_what_to_do() -> None:
    """Lengths and forms are said, values are not."""
    too_long, form = problems(Entity.CUSTOMERS, CUSTOMER | {"CustomerId": "x" * 127, "Phone": "0555 123"}, "lenient")
    remedy = "correct it in the source table or in the mapping"
    assert too_long.problem == f"has 127 characters; expected at most 100: {remedy}"
    assert form.problem.endswith(f"expected a number in E.164, such as +14155550123: {remedy}")


def test_long_lists_of_mistakes_are_cut() -> None:
    """An order of a thousand bad items does not make a dead letter that is too large for its topic."""
    assert len(problems(Entity.ORDERS, ORDER | {"OrderItems": [{}] * 1000}, "lenient")) == 50


@pytest.mark.parametrize(
    ("entity", "contract", "fields"),
    [
        (Entity.CUSTOMERS, "lenient", set()),
        (Entity.ORDERS, "lenient", {"OrderId", "Currency"}),
        (Entity.PRODUCTS, "strict", {"ProductId", "ProductName", "ProductVariants"}),
    ],
)
def test_required_fields_are_known(entity: Entity, contract: Contract, fields: set[str]) -> None:
    """What a document can't do without."""
    assert required(entity, contract) == fields


def test_the_fields_say_what_they_hold() -> None:
    """Kinds and documented defaults are read from the models."""
    flags = {
        (field.name, field.default) for fields in FIELDS.values() for field in fields if field.kind is Kind.BOOLEAN
    }
    assert {name for name, default in flags if default is False} == {
        "GdprOptin",
        "IsExcluded",
        "IsOrderCancelled",
        "IsOfflineExclusive",
    }
    order = {field.name: field for field in FIELDS[Entity.ORDERS]}
    assert order["OrderDate"].kind is Kind.MOMENT
    assert [element.kind for element in order["OrderItems"].elements[:4]] == [
        Kind.IDENTIFIER,
        Kind.IDENTIFIER,
        Kind.INTEGER,
        Kind.NUMBER,
    ]
    assert order["OrderItems"].elements[-1].default is False


def test_both_contracts_know_the_same_fields() -> None:
    """Strict differs in what it requires, not in what there is."""
    for entity in Entity:
        lenient, strict = (MODELS[contract][entity].model_fields.keys() for contract in CONTRACTS)
        assert lenient == strict


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*ITEM, *VARIANT]), inner, max_size=4),
)


@given(entity=st.sampled_from(Entity), contract=st.sampled_from(CONTRACTS), data=st.data())
def test_whatever_a_document_holds_there_is_an_answer(entity: Entity, contract: Contract, data: st.DataObject) -> None:
    """Any document is judged, and what strict accepts lenient does."""
    names = st.sampled_from([field.name for field in FIELDS[entity]])
    document = COMPLETE[entity] | data.draw(st.dictionaries(names, JSON, max_size=4))
    found = problems(entity, document, contract)
    assert all(error.problem for error in found)
    if not found:
        assert problems(entity, document, "lenient") == ()


@given(text=st.text(alphabet="a.@-", max_size=30))
def test_an_address_has_one_at_and_a_domain_of_whole_labels(text: str) -> None:
    """The e-mail rule, said in another way."""
    local, _, domain = text.partition("@")
    labels = domain.split(".")
    right = bool(local) and "@" not in domain and len(labels) > 1 and all(labels)
    assert (paths(Entity.CUSTOMERS, CUSTOMER | {"Email": text}) == []) is right
