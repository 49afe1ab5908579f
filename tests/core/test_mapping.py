"""Changes of rows to verdicts, and documents to judgement."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mappings import mapping_of

from connector.core.events import ChangeEvent, ColumnType, Entity, FieldError, Op, Reason, Record, Reject, Row
from connector.core.items import merge
from connector.core.mapping import Options
from connector.core.mapping_file import Listed
from connector.core.mapping_text import read
from connector.core.notes import Notes
from connector.core.verdicts import Delete, Refused, Unchanged, Upsert, Verdict, Withhold
from connector.mapping_setting import DEFAULT_MAPPING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from connector.core.mapping import Mapping

RECORD = Record("shop.orders", 0, 7, b"key", b"value")
UNAVAILABLE = "__debezium_unavailable_value"
ITEM = {"product_id": "P-1", "sku": "S-1", "quantity": 2, "price": 10.5}
ROWS: dict[Entity, dict[str, Any]] = {
    Entity.CUSTOMERS: {"customer_id": "C-1", "email": "a@example.com", "name": "Ana", "gdpr_optin": True},
    Entity.ORDERS: {"order_id": "O-1", "customer_id": "C-1", "currency": "EUR", "order_items": json.dumps([ITEM])},
    Entity.PRODUCTS: {"product_id": "P-1", "product_variants": json.dumps([{"variant_id": "V-1", "sku": "S-1"}])},
}
DOCUMENTS: dict[Entity, dict[str, Any]] = {
    Entity.CUSTOMERS: {"CustomerId": "C-1", "Email": "a@example.com", "Name": "Ana", "GdprOptin": True},
    Entity.ORDERS: {
        "OrderId": "O-1",
        "CustomerId": "C-1",
        "Currency": "EUR",
        "OrderItems": [{"ProductId": "P-1", "Sku": "S-1", "Quantity": 2, "Price": 10.5}],
    },
    Entity.PRODUCTS: {"ProductId": "P-1", "ProductVariants": [{"VariantId": "V-1", "Sku": "S-1"}]},
}
IDS = {Entity.CUSTOMERS: "customer_id", Entity.ORDERS: "order_id", Entity.PRODUCTS: "product_id"}
LISTS = {Entity.ORDERS: "order_items", Entity.PRODUCTS: "product_variants"}
NOTHING_HELD = {Entity.ORDERS: "no_items", Entity.PRODUCTS: "no_variants"}


def change(
    entity: Entity = Entity.ORDERS,
    op: Op = Op.CREATE,
    *,
    before: dict[str, Any] | None = None,
    trusted: bool = True,
    types: dict[str, ColumnType] | None = None,
    key: object = ...,
    **columns: Any,  # noqa: ANN401
) -> ChangeEvent:
    """A change after which the entity's row has these columns too; `before` gives what was different before."""
    row = {name: value for name, value in (ROWS[entity] | columns).items() if value is not ...}
    image = None if before is None else Row(row | before, types)
    identity = {IDS[entity]: row.get(IDS[entity])} if key is ... else key
    event_key = Row(identity) if isinstance(identity, dict) else None
    after = None if op is Op.DELETE else Row(row, types)
    return ChangeEvent(RECORD, op, event_key, image, after, trusts_before=trusted and image is not None)


def mapped(event: ChangeEvent, entity: Entity = Entity.ORDERS, **options: Any) -> Verdict:  # noqa: ANN401
    return mapping_of(entity, Options(**options)).map(event)


def document(event: ChangeEvent, entity: Entity = Entity.ORDERS, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """What is sent."""
    mapping = mapping_of(entity, Options(**options))
    upsert = mapping.map(event)
    assert isinstance(upsert, Upsert)
    judged = mapping.check(upsert, {})
    assert isinstance(judged, dict)
    return judged


def refused(event: ChangeEvent, entity: Entity = Entity.ORDERS) -> tuple[Reason, list[str]]:
    """Reason and paths, of the mapping or of the judgement."""
    mapping = mapping_of(entity, Options())
    verdict = mapping.map(event)
    reject = mapping.check(verdict, {}) if isinstance(verdict, Upsert) else verdict
    reject = reject.reject if isinstance(reject, Refused) else reject
    assert isinstance(reject, Reject), reject
    return reject.reason, [error.path for error in reject.errors]


# The document


@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("op", [Op.CREATE, Op.UPDATE, Op.READ])
def test_a_row_becomes_its_document(entity: Entity, op: Op) -> None:
    """Columns in snake_case feed the fields, JSON columns the lists; other columns are not looked at."""
    assert document(change(entity, op, other=5, CustomerId="x"), entity) == DOCUMENTS[entity]


def test_every_field_is_fed() -> None:
    """Each field of a document and of its items has a column by its own name."""
    row: dict[str, Any] = {
        "order_id": 7,
        "customer_id": 5,
        "email": "a@example.com",
        "order_date": "2025-03-01T09:27:54.203680Z",
        "total_revenue": "25.760",
        "currency": "USD",
        "total_quantity": 5,
        "unique_quantity": 3,
        "is_order_cancelled": "t",
        "order_items": [
            {**ITEM, "original_price": "12.50", "size": "M", "color": "blue", "brand": "Acme", "is_gift": 1}
        ],
    }
    assert document(change(**row)) == {
        "OrderId": "7",
        "CustomerId": "5",
        "Email": "a@example.com",
        "OrderDate": "2025-03-01T09:27:54.20368Z",
        "TotalRevenue": 25.76,
        "Currency": "USD",
        "TotalQuantity": 5,
        "UniqueQuantity": 3,
        "IsOrderCancelled": True,
        "OrderItems": [
            {
                "ProductId": "P-1",
                "Sku": "S-1",
                "Quantity": 2,
                "Price": 10.5,
                "OriginalPrice": 12.5,
                "Size": "M",
                "Color": "blue",
                "Brand": "Acme",
                "IsGift": True,
            }
        ],
    }


def test_the_message_s_own_types_are_obeyed() -> None:
    """With a schema a decimal has its scale and an integer its unit; each schema has its own."""
    mapping = mapping_of(Entity.ORDERS, Options())
    for scale, revenue in (("2", 12.3), ("4", 0.123), ("2", 12.3)):
        types = {
            "total_revenue": ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {"scale": scale}),
            "order_date": ColumnType("int64", "io.debezium.time.MicroTimestamp", {}),
        }
        upsert = mapping.map(change(types=types, total_revenue="BM4=", order_date=1741715273123456))
        assert isinstance(upsert, Upsert)
        assert upsert.document["TotalRevenue"] == revenue
        assert upsert.document["OrderDate"] == "2025-03-11T17:47:53.123456Z"


def test_any_number_of_schemas_is_mapped() -> None:
    """What is compiled for a schema is bounded, and never used for another."""
    mapping = mapping_of(Entity.ORDERS, Options())
    for scale in range(200):
        types = {"total_revenue": ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {"scale": str(scale)})}
        upsert = mapping.map(change(types=types, total_revenue="Cg=="))
        assert isinstance(upsert, Upsert)
        assert upsert.document["TotalRevenue"] == float(f"10e-{scale}")


def test_null_is_left_out_but_for_flags_with_a_default() -> None:
    """A consent that was taken away must not depend on what omission means, where it is sent at all."""
    nulls: dict[str, Any] = dict.fromkeys(("email", "name", "email_optin", "gdpr_optin", "is_excluded"))
    expected = {"CustomerId": "C-1", "GdprOptin": False, "IsExcluded": False}
    event = change(Entity.CUSTOMERS, **nulls)
    assert document(event, Entity.CUSTOMERS, consent="forward") == expected
    sent = dict.fromkeys(("Email", "Name", "EmailOptin"))
    assert document(event, Entity.CUSTOMERS, consent="forward", nulls="null") == expected | sent


def test_null_within_an_item_is_treated_alike() -> None:
    """An item's flag has a default too."""
    event = change(order_items=json.dumps([{**ITEM, "is_gift": None, "brand": None}]))
    item = DOCUMENTS[Entity.ORDERS]["OrderItems"][0]
    assert document(event)["OrderItems"] == [item | {"IsGift": False}]
    assert document(event, nulls="null")["OrderItems"] == [item | {"IsGift": False, "Brand": None}]


def test_an_absent_column_is_left_alone() -> None:
    """A dropped column is not a NULL: no default is sent for it, and an absent list is no empty one."""
    event = change(Entity.CUSTOMERS, gdpr_optin=..., name=...)
    assert document(event, Entity.CUSTOMERS, consent="forward").keys() == {"CustomerId", "Email"}
    assert "OrderItems" not in document(change(order_items=...))


def test_json_s_null_is_a_null() -> None:
    """A jsonb that holds null has no value."""
    event = change(Entity.PRODUCTS, taxonomy="null")
    assert "Taxonomy" not in document(event, Entity.PRODUCTS)
    assert document(event, Entity.PRODUCTS, nulls="null")["Taxonomy"] is None


def test_a_text_within_json_is_no_base64() -> None:
    """Digits in quotes are a number there, whatever their length."""
    items = [{**ITEM, "price": "1234", "quantity": "1000"}]
    assert document(change(order_items=items))["OrderItems"][0]["Price"] == 1234


# Identity


@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize(
    ("value", "identifier"), [("A/1 é", "A/1 é"), (5, "5"), (-1, "-1"), (2**63 - 1, str(2**63 - 1))]
)
def test_the_id_is_the_key_s_byte_for_byte(entity: Entity, value: object, identifier: str) -> None:
    """Integers become their digits; upserts and deletes agree."""
    columns: dict[str, Any] = {IDS[entity]: value}
    upsert = mapped(change(entity, **columns), entity)
    assert isinstance(upsert, Upsert)
    assert upsert.id == identifier == next(iter(upsert.document.values()))
    assert mapped(change(entity, Op.DELETE, **columns), entity) == Delete(identifier)


def test_a_composite_key_may_hold_the_id_among_others() -> None:
    """Only the id's column is looked at."""
    assert mapped(change(op=Op.DELETE, key={"shop": 3, "order_id": "O-1"})) == Delete("O-1")


@pytest.mark.parametrize("op", Op)
def test_a_key_without_the_id_is_refused(op: Op) -> None:
    """A delete could not be told, so nothing is taken: the sentence says how to key the topic."""
    reason, paths = refused(change(op=op, key={"line": 5}))
    assert (reason, paths) == (Reason.NO_KEY, ["OrderId"])


def test_a_key_that_is_not_the_row_s_is_refused() -> None:
    """An update of one row must not be sent under the name of another."""
    assert refused(change(key={"order_id": "O-2"}))[0] is Reason.NO_KEY
    assert refused(change(order_id=None, key={"order_id": "O-2"}))[0] is Reason.NO_KEY


def test_the_key_names_a_row_that_does_not_hold_its_id() -> None:
    """A column that is left out of the row is still in the key."""
    assert document(change(order_id=..., key={"order_id": "O-1"})) == DOCUMENTS[Entity.ORDERS]


def test_a_row_without_a_key_is_named_by_itself() -> None:
    """Whether the order of its changes can be known is the caller's question."""
    assert document(change(key=None)) == DOCUMENTS[Entity.ORDERS]
    assert mapped(change(op=Op.DELETE, before={}, key=None)) == Delete("O-1")


def test_a_delete_without_key_or_trustworthy_image_is_refused() -> None:
    """Nobody can tell what was deleted."""
    assert refused(change(op=Op.DELETE, key=None))[0] is Reason.NO_KEY
    assert refused(change(op=Op.DELETE, before={}, trusted=False, key=None))[0] is Reason.NO_KEY


@pytest.mark.parametrize("value", ["", 0, "0"])
def test_a_delete_of_a_made_up_id_is_refused(value: object) -> None:
    """PostgreSQL fills what it does not log with zeros."""
    assert refused(change(op=Op.DELETE, key={"order_id": value}))[0] is Reason.FABRICATED_ID


def test_a_made_up_decimal_is_seen_through_its_encoding() -> None:
    """A numeric id of zero is base64."""
    types = {"order_id": ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {"scale": "0"})}
    event = ChangeEvent(RECORD, Op.DELETE, Row({"order_id": "AA=="}, types))
    assert refused(event)[0] is Reason.FABRICATED_ID
    assert mapped(ChangeEvent(RECORD, Op.DELETE, Row({"order_id": "BQ=="}, types))) == Delete("5")


@pytest.mark.parametrize("value", [True, 1.5, [], {}])
def test_an_id_of_another_type_is_refused(value: object) -> None:
    """It has no one spelling."""
    assert refused(change(order_id=value))[0] is Reason.UNCONVERTIBLE


def test_an_empty_id_is_no_id() -> None:
    """Of an upsert it breaks a rule of the API."""
    assert refused(change(order_id=""))[0] is Reason.INVALID


# Deletes, unchanged and empty rows


@pytest.mark.parametrize("entity", Entity)
def test_a_delete_and_its_tombstone_are_alike(entity: Entity) -> None:
    """Both say that the key is gone."""
    key = Row({IDS[entity]: "X"})
    for event in (change(entity, Op.DELETE, key=key.values), ChangeEvent(RECORD, Op.DELETE, key, tombstone=True)):
        assert mapped(event, entity) == Delete("X")


@pytest.mark.parametrize("entity", Entity)
def test_an_update_of_what_is_not_read_is_unchanged(entity: Entity) -> None:
    """`last_login_at` costs nothing; what is not told has not changed."""
    columns: dict[str, Any] = {LISTS.get(entity, "name"): UNAVAILABLE}
    event = change(entity, Op.UPDATE, before={"last_login_at": 1, **dict.fromkeys(columns, "x")}, **columns)
    mapping = mapping_of(entity, Options())
    assert mapping.map(event) == Unchanged(event.key.values[IDS[entity]] if event.key else "")
    assert isinstance(mapping.map(change(entity, Op.UPDATE, before={"last_login_at": 1}), suppress=False), Upsert)


@pytest.mark.parametrize("before", [{"name": "Bo"}, {"gdpr_optin": 1}, {"name": None}])
def test_an_update_of_what_is_read_is_not_unchanged(before: dict[str, Any]) -> None:
    """Nor is one of a type."""
    assert isinstance(mapped(change(Entity.CUSTOMERS, Op.UPDATE, before=before), Entity.CUSTOMERS), Upsert)


def test_what_is_told_neither_now_nor_before_is_not_unchanged() -> None:
    """A column that the before-image lacks can't be compared with one that is unavailable."""
    event = change(op=Op.UPDATE, before={}, order_items=UNAVAILABLE)
    assert event.before is not None
    lacking = {name: value for name, value in event.before.values.items() if name != "order_items"}
    upsert = mapped(replace(event, before=Row(lacking)))
    assert isinstance(upsert, Upsert)
    assert upsert.unavailable == {"OrderItems"}


def test_an_update_with_no_trustworthy_image_is_not_unchanged() -> None:
    """What can't be compared is sent."""
    assert isinstance(mapped(change(op=Op.UPDATE)), Upsert)
    assert isinstance(mapped(change(op=Op.UPDATE, before={}, trusted=False)), Upsert)


@pytest.mark.parametrize("entity", LISTS)
@pytest.mark.parametrize("nothing", [None, "[]", " [\n] ", [], "null"])
def test_a_document_without_items_is_withheld(entity: Entity, nothing: object) -> None:
    """A 400 would cost its whole batch; the rest of the row is not looked at."""
    columns: dict[str, Any] = {LISTS[entity]: nothing, "currency": "bad", "product_name": 5}
    withheld = Withhold(ROWS[entity][IDS[entity]], NOTHING_HELD[entity])
    assert mapped(change(entity, Op.CREATE, **columns), entity) == withheld
    assert mapped(change(entity, Op.READ, **columns), entity) == withheld
    was_empty = change(entity, Op.UPDATE, before={LISTS[entity]: [], "other": 1}, **columns)
    assert mapping_of(entity, Options()).map(was_empty, suppress=False) == withheld


@pytest.mark.parametrize("entity", LISTS)
@pytest.mark.parametrize("nothing", [None, "[]", []])
def test_a_document_that_an_update_empties_is_deleted(entity: Entity, nothing: object) -> None:
    """Unless it is known to have been empty before."""
    deleted = Delete(ROWS[entity][IDS[entity]])
    empty: dict[str, Any] = {LISTS[entity]: nothing}
    assert mapped(change(entity, Op.UPDATE, **empty), entity) == deleted
    assert mapped(change(entity, Op.UPDATE, before={LISTS[entity]: '[{"sku":"x"}]'}, **empty), entity) == deleted
    assert mapped(change(entity, Op.UPDATE, before=empty, trusted=False, **empty), entity) == deleted


@pytest.mark.parametrize("entity", LISTS)
def test_a_list_that_the_image_tells_to_be_empty_is_withheld(entity: Entity) -> None:
    """An unavailable list is what it was, and that was nothing."""
    columns: dict[str, Any] = {LISTS[entity]: UNAVAILABLE}
    event = change(entity, Op.UPDATE, before={LISTS[entity]: "[]", "currency": "USD", "product_name": "x"}, **columns)
    assert mapped(event, entity) == Withhold(ROWS[entity][IDS[entity]], NOTHING_HELD[entity])


@pytest.mark.parametrize("entity", LISTS)
def test_empty_documents_are_sent_where_that_is_wanted(entity: Entity) -> None:
    """`[]` as it is, NULL as any NULL."""
    field = next(reversed(DOCUMENTS[entity]))
    empty: dict[str, Any] = {LISTS[entity]: "[]"}
    null: dict[str, Any] = {LISTS[entity]: None}
    assert document(change(entity, **empty), entity, empty="send")[field] == []
    assert field not in document(change(entity, **null), entity, empty="send")


# Before-images


@pytest.mark.parametrize(
    ("entity", "before", "held"),
    [
        (Entity.ORDERS, [ITEM, {**ITEM, "sku": "S-2"}, ITEM], {("P-1", "S-1"), ("P-1", "S-2")}),
        (Entity.ORDERS, [{"product_id": 5, "sku": "S"}, {"sku": "S"}, {"product_id": None, "sku": "S"}], {("5", "S")}),
        (Entity.PRODUCTS, [{"variant_id": 1}, {"variant_id": "2", "sku": "x"}], {("1",), ("2",)}),
        (Entity.ORDERS, "no JSON", set()),
        (Entity.ORDERS, None, set()),
        (Entity.ORDERS, UNAVAILABLE, set()),
        (Entity.ORDERS, ..., set()),
    ],
)
def test_the_items_that_a_row_had_are_told(entity: Entity, before: Any, held: set[tuple[str, ...]]) -> None:  # noqa: ANN401
    """They are what may have to be deleted; what can't be told is not."""
    for value in (before, json.dumps(before)) if isinstance(before, list) else (before,):
        event = change(entity, Op.UPDATE, before={LISTS[entity]: value, "currency": "USD", "product_name": "x"})
        if value is ... and event.before is not None:
            del event.before.values[LISTS[entity]]  # type: ignore[attr-defined]
        upsert = mapped(event, entity)
        assert isinstance(upsert, Upsert)
        assert upsert.held == held


def test_items_of_an_image_that_may_be_made_up_are_not_told() -> None:
    """Nothing is deleted on its word."""
    upsert = mapped(change(op=Op.UPDATE, before={"order_items": [{**ITEM, "sku": "S-2"}]}, trusted=False))
    assert isinstance(upsert, Upsert)
    assert upsert.held == frozenset()


def test_what_a_row_does_not_tell_is_taken_from_its_image() -> None:
    """A large column that did not change is what it was."""
    event = change(op=Op.UPDATE, order_items=UNAVAILABLE, before={"order_items": json.dumps([ITEM]), "currency": "USD"})
    assert document(event) == DOCUMENTS[Entity.ORDERS]


@pytest.mark.parametrize("trusted", [True, False])
def test_what_neither_tells_is_named(*, trusted: bool) -> None:
    """The document lacks it, and says so."""
    before = {"order_items": UNAVAILABLE if trusted else "[]", "currency": "USD"}
    upsert = mapped(change(op=Op.UPDATE, order_items=UNAVAILABLE, email=[UNAVAILABLE], before=before, trusted=trusted))
    assert isinstance(upsert, Upsert)
    assert upsert.unavailable == {"OrderItems", "Email"}
    assert upsert.document == {"OrderId": "O-1", "CustomerId": "C-1", "Currency": "EUR"}


def test_unavailable_fields_are_filled_left_out_or_refused() -> None:
    """From an older document where there is one; else optional fields are left out and the list makes a dead letter."""
    mapping = mapping_of(Entity.ORDERS, Options())
    upsert = mapping.map(change(order_items=UNAVAILABLE, email=UNAVAILABLE))
    assert isinstance(upsert, Upsert)
    older = {
        "OrderId": "O-1",
        "OrderItems": DOCUMENTS[Entity.ORDERS]["OrderItems"],
        "Currency": "USD",
        "TotalQuantity": 5,
    }
    assert mapping.check(upsert, older) == DOCUMENTS[Entity.ORDERS]
    reject = mapping.check(upsert, {"Email": "a@example.com"})
    assert isinstance(reject, Reject)
    assert reject.reason is Reason.UNAVAILABLE
    (error,) = reject.errors
    assert error.path == "OrderItems"
    assert "REPLICA IDENTITY" in error.problem
    assert "ReselectColumnsPostProcessor" in error.problem


def test_the_contract_says_which_fields_are_required() -> None:
    """Under the strict one an unavailable name makes a dead letter too."""
    event = change(Entity.PRODUCTS, product_name=UNAVAILABLE)
    assert document(event, Entity.PRODUCTS) == DOCUMENTS[Entity.PRODUCTS]
    mapping = mapping_of(Entity.PRODUCTS, Options(contract="strict"))
    upsert = mapping.map(event)
    assert isinstance(upsert, Upsert)
    reject = mapping.check(upsert, {})
    assert isinstance(reject, Reject)
    assert reject.reason is Reason.UNAVAILABLE


# Refusals


def test_every_value_that_cannot_be_converted_is_named_with_its_column() -> None:
    """Paths lead into lists; a sentence names the column, the type, what was expected and the remedy."""
    items = [ITEM, {**ITEM, "sku": {"secret": 1}, "price": "secret"}]
    verdict = mapped(change(order_items=json.dumps(items), total_revenue="NaN", is_order_cancelled=2))
    assert isinstance(verdict, Refused)
    assert verdict.reject.reason is Reason.UNCONVERTIBLE
    assert verdict.reject.errors == tuple(
        FieldError(path, f"column {problem}: correct it in the source table")
        for path, problem in (
            ("TotalRevenue", "total_revenue is no finite number; expected a number"),
            ("IsOrderCancelled", "is_order_cancelled is an integer; expected a boolean, 0 or 1, t or f"),
            ("OrderItems[1].Sku", "sku is an object; expected a text or an integer"),
            ("OrderItems[1].Price", "price is a text that is no number; expected a number"),
        )
    )


def test_an_unknown_scale_is_a_reason_of_its_own() -> None:
    """One setting mends them all; beside other mistakes it is one of them."""
    assert refused(change(total_revenue="BM4=")) == (Reason.SCALE_UNKNOWN, ["TotalRevenue"])
    assert refused(change(total_revenue="BM4=", email=5.5, order_date=7))[0] is Reason.UNCONVERTIBLE


@pytest.mark.parametrize("value", ["no JSON", "{}", '[{"sku":"x"}, 5]', 5, {}])
def test_a_list_that_cannot_be_read_is_refused(value: object) -> None:
    """It is neither empty nor items."""
    assert refused(change(order_items=value)) == (Reason.UNCONVERTIBLE, ["OrderItems"])


def test_every_rule_that_is_broken_is_named() -> None:
    """The judgement is the API's, with paths into the lists."""
    event = change(currency="euro", email="x", order_items=[{**ITEM, "sku": ""}, {"sku": "S"}])
    missing = [f"OrderItems[1].{name}" for name in ("ProductId", "Quantity", "Price")]
    assert refused(event) == (Reason.INVALID, ["Email", "Currency", "OrderItems[0].Sku", *missing])


# Items of one key


def test_two_items_of_one_key_become_one() -> None:
    """Quantities are summed, prices are weighted means, the rest is the first's; variants are left alone."""
    items = [
        {**ITEM, "quantity": 1, "price": 10, "original_price": 20, "size": "M"},
        {**ITEM, "sku": "s-1"},
        {**ITEM, "quantity": 3, "price": 12, "size": "L"},
    ]
    upsert = mapped(change(order_items=items))
    assert isinstance(upsert, Upsert)
    assert upsert.merged_items == 1
    first = {"ProductId": "P-1", "Sku": "S-1", "Quantity": 4, "Price": 11.5, "OriginalPrice": 20, "Size": "M"}
    assert upsert.document["OrderItems"] == [first, {"ProductId": "P-1", "Sku": "s-1", "Quantity": 2, "Price": 10.5}]
    variants = [{"variant_id": "V-1", "sku": "S-1"}] * 2
    assert len(document(change(Entity.PRODUCTS, product_variants=variants), Entity.PRODUCTS)["ProductVariants"]) == 2


def test_a_mean_is_one_of_decimals_and_not_of_doubles() -> None:
    """(4 * 7.03 + 2.22) / 5 is 6.068; the doubles of the two prices have another mean."""
    items = [{**ITEM, "quantity": 4, "price": 7.03}, {**ITEM, "quantity": 1, "price": 2.22}]
    assert document(change(order_items=items))["OrderItems"][0]["Price"] == 6.068


def test_where_quantities_cancel_out_the_mean_is_the_plain_one() -> None:
    """A purchase and its return."""
    items = [{**ITEM, "quantity": 1, "price": 10}, {**ITEM, "quantity": -1, "price": 11}]
    assert document(change(order_items=items))["OrderItems"][0] == {
        "ProductId": "P-1",
        "Sku": "S-1",
        "Quantity": 0,
        "Price": 10.5,
    }


def test_an_incomplete_item_is_refused_and_not_absorbed() -> None:
    """What has no quantity or price can't be merged."""
    assert refused(change(order_items=[ITEM, {**ITEM, "price": None}])) == (Reason.INVALID, ["OrderItems[1].Price"])


def test_a_mean_beyond_a_double_is_refused() -> None:
    """Quantities of both signs can drive it anywhere."""
    items = [{**ITEM, "quantity": 3, "price": 1e308}, {**ITEM, "quantity": -2, "price": -1e308}]
    assert refused(change(order_items=items)) == (Reason.INVALID, ["OrderItems[0].Price"])


@given(
    items=st.lists(
        st.fixed_dictionaries(
            {
                "ProductId": st.sampled_from("AB"),
                "Sku": st.sampled_from("XY"),
                "Quantity": st.integers(1, 50),
                "Price": st.decimals(0, 1000, places=2).map(float),
            }
        ),
        max_size=8,
    )
)
def test_merging_keeps_quantities_and_revenue(items: list[dict[str, Any]]) -> None:
    """Each key is left once, in the order of its first item, and the totals are the same."""
    notes = Notes()
    merged = merge(items, notes)
    keys = [(item["ProductId"], item["Sku"]) for item in items]
    assert [(item["ProductId"], item["Sku"]) for item in merged] == list(dict.fromkeys(keys))
    assert notes.merged_items == len(items) - len(merged)
    assert sum(item["Quantity"] for item in merged) == sum(item["Quantity"] for item in items)
    revenue, kept = (
        sum(Fraction(each["Quantity"]) * Fraction(each["Price"]) for each in side) for side in (items, merged)
    )
    assert float(kept) == pytest.approx(float(revenue), rel=1e-12)


# Anything


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from([UNAVAILABLE, "[]", "null", '[{"sku": 1}]', "BM4=", "NaN", "1E+400", "0", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["product_id", "sku", "quantity", "price", "variant_id", "scale", "value"]), inner
        )
    ),
)
TYPES = st.sampled_from(
    [
        ColumnType("string", None, {}),
        ColumnType("bytes", None, {}),
        ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {"scale": "2"}),
        ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {}),
        ColumnType("int64", "io.debezium.time.MicroTimestamp", {}),
    ]
)


@given(data=st.data(), entity=st.sampled_from(Entity), op=st.sampled_from(Op), trusted=st.booleans())
def test_whatever_json_a_row_holds_there_is_a_verdict(
    data: st.DataObject, entity: Entity, op: Op, *, trusted: bool
) -> None:
    """Every record ends as a verdict, and what is sent is JSON that the API's rules allow."""
    mapping = mapping_of(
        entity, data.draw(st.sampled_from([Options(), Options("strict", "null"), Options(empty="send")]))
    )
    columns = [*ROWS[entity], "order_date", "total_revenue", "total_quantity", "taxonomy", "is_gift", "other"]
    rows = st.dictionaries(st.sampled_from(columns), JSON)
    types = data.draw(st.none() | st.dictionaries(st.sampled_from(columns), TYPES))
    after, before = ROWS[entity] | data.draw(rows), ROWS[entity] | data.draw(rows)
    key = data.draw(st.none() | st.just({IDS[entity]: after[IDS[entity]]}) | rows)
    event = ChangeEvent(
        RECORD,
        op,
        None if key is None else Row(key, types),
        data.draw(st.sampled_from([None, Row(before, types)])),
        None if op is Op.DELETE else Row(after, types),
        trusts_before=trusted,
    )
    verdict = mapping.map(event)
    match verdict:
        case Upsert():
            judged = mapping.check(verdict, {})
            if isinstance(judged, dict):
                assert UNAVAILABLE not in json.dumps(judged, allow_nan=False)
                assert str(next(iter(judged.values()))) == verdict.id
        case Refused(reject=reject):
            assert reject.errors
        case Unchanged():
            assert not isinstance(mapping.map(event, suppress=False), Unchanged)
        case Delete() | Withhold():
            assert verdict.id or op is not Op.DELETE


def test_a_consent_that_is_not_told_since_it_did_not_change_is_what_it_was() -> None:
    """From the row as it was; where that is not at hand the record is refused, and not withheld in silence."""
    fields = "{ CustomerId: customer_id, Email: email, GdprOptin: { column: told, path: gdpr } }"
    large = f"version: 1\ncustomers:\n  fields: {fields}\n"
    mapping = mapping_of(Entity.CUSTOMERS, text=large)
    told = {"told": '{"gdpr": true}'}
    known = change(Entity.CUSTOMERS, Op.UPDATE, before={"email": "old@example.com", **told}, told=UNAVAILABLE)
    verdict = mapping.map(known)
    assert isinstance(verdict, Upsert)
    assert verdict.document["GdprOptin"] is True
    unknown = mapping.map(change(Entity.CUSTOMERS, Op.UPDATE, told=UNAVAILABLE))
    assert isinstance(unknown, Refused)
    assert unknown.reject.reason is Reason.UNAVAILABLE


# Mapping files


RICH = Path(__file__).parents[1] / "rich_mapping.yaml"
DEFAULT = DEFAULT_MAPPING.read_text(encoding="utf-8")
RENAMED = re.sub(r"(column: |Id: )([a-z_]+)", r"\1x_\2", DEFAULT)
"""The default mapping of columns that have other names."""


def renamed(value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """The row with those names, in its lists too."""
    if isinstance(value, dict):
        return {f"x_{name}": renamed(each) for name, each in value.items()}
    return [renamed(each) for each in value] if isinstance(value, list) else value


COLUMNS = {
    entity: sorted(set(re.findall(r"column: (\w+)", part)))
    for entity, part in zip(Entity, re.split(r"\n(?:orders|products):", DEFAULT), strict=True)
}
"""Entity → the columns of its rows, and of its items."""
CELLS = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "EUR", "1", UNAVAILABLE, "2025-01-01"])


@given(data=st.data(), entity=st.sampled_from(Entity), op=st.sampled_from(Op))
def test_columns_may_have_any_names(data: st.DataObject, entity: Entity, op: Op) -> None:
    """A file that only gives the columns other names makes of the same rows what the default mapping makes."""
    items = st.lists(st.dictionaries(st.sampled_from(COLUMNS[entity]), CELLS), max_size=3)
    rows = st.dictionaries(st.sampled_from(COLUMNS[entity]), CELLS | items)
    identity = {IDS[entity]: "X-1"}
    before, after = ({**data.draw(rows), **identity} for _ in range(2))
    trusted = data.draw(st.booleans())

    def told(name: Callable[[Any], Any], mapping: Mapping) -> object:
        row = None if op is Op.DELETE else Row(name(after))
        event = ChangeEvent(RECORD, op, Row(name(identity)), Row(name(before)), row, trusts_before=trusted)
        verdict = mapping.map(event)
        judged = mapping.check(verdict, {}) if isinstance(verdict, Upsert) else verdict
        match judged:
            case Reject() as reject:
                return reject.reason, [error.path for error in reject.errors]
            case Refused(reject=reject):
                return reject.reason, [error.path for error in reject.errors]
        return judged, verdict.held if isinstance(verdict, Upsert) else None

    assert told(renamed, mapping_of(entity, Options(), RENAMED)) == told(dict, mapping_of(entity, Options()))


def columns_of(table: Any) -> Iterator[str]:  # noqa: ANN401 (a model that is made of the API's)
    """All that a mapping reads of a row."""
    yield from table.when or ()
    for field in type(table.fields).model_fields:
        source = getattr(table.fields, field)
        if isinstance(source, Listed):
            yield from columns_of(source) if source.row else [source.column or ""]
        elif source is not None:
            yield from source.columns


RICH_SPECS = read(RICH.read_text(encoding="utf-8"))
PASSING: dict[str, Any] = {
    "id": 1,
    "shop_id": 2,
    "sku": "S",
    "role": "guest",
    "kind": "x",
    "is_draft": 0,
    "level": 1,
    "state": "paid",
    "published": True,
    "price": 5,
    "lines_json": '{"lines":[{"kind":"product","product":"P","cents":5}]}',
}
NAMING = {"id", "shop_id", "sku"}


@pytest.mark.parametrize("entity", Entity)
def test_whatever_is_read_makes_a_difference_and_nothing_else_does(entity: Entity) -> None:
    """Under a mapping with every step: a change is passed over only if the row makes the document that it made."""
    mapping = mapping_of(entity, Options(consent="forward", empty="send"), RICH.read_text(encoding="utf-8"))
    assert isinstance(RICH_SPECS, dict)
    columns = sorted(set(columns_of(RICH_SPECS[entity].table)))
    assert len(columns) > 8
    row = dict.fromkeys(columns, None) | PASSING
    key = Row({name: row[name] for name in NAMING})

    def verdict(op: Op, before: dict[str, Any] | None, after: dict[str, Any], *, suppress: bool = True) -> Verdict:
        image = None if before is None else Row(before)
        event = ChangeEvent(RECORD, op, key, image, Row(after), trusts_before=before is not None)
        return mapping.map(event, suppress=suppress)

    document = verdict(Op.READ, None, row)
    assert isinstance(document, Upsert)
    for column in set(columns) - NAMING:
        for other in ("changed", 7, None, False):
            if (other, type(other)) != (row[column], type(row[column])):
                assert not isinstance(verdict(Op.UPDATE, row, row | {column: other}), Unchanged), (column, other)
        assert isinstance(verdict(Op.UPDATE, row, row | {"other": column, column: UNAVAILABLE}), Unchanged)
        told = verdict(Op.UPDATE, row, row | {column: UNAVAILABLE}, suppress=False)
        assert isinstance(told, Upsert)
        assert (told.document, told.unavailable) == (document.document, frozenset())


SECRET = "jane@example.com"
SECRETS: tuple[Any, ...] = (
    SECRET,
    [SECRET],
    {SECRET: SECRET},
    json.dumps({"lines": [{"kind": [SECRET], "product": SECRET, "count": SECRET, "cents": {SECRET: 1}}]}),
    json.dumps({"lines": [SECRET], "name": {"first": [SECRET], "last.name": {SECRET: 1}}}),
    json.dumps({"lines": SECRET, "name": SECRET}),
    SECRET.encode(),
)


@pytest.mark.parametrize("entity", Entity)
@pytest.mark.parametrize("typed", [True, False])
def test_no_refusal_quotes_a_value(entity: Entity, *, typed: bool) -> None:
    """Whatever is wrong with whichever column, the sentence names table, column and line, and nobody's data."""
    mapping = mapping_of(entity, Options("strict"), RICH.read_text(encoding="utf-8"))
    assert isinstance(RICH_SPECS, dict)
    columns = sorted(set(columns_of(RICH_SPECS[entity].table)))
    types = dict.fromkeys(columns, ColumnType("string", None, {})) if typed else None
    refusals = 0
    for column, secret in product(columns, SECRETS):
        row = dict.fromkeys(columns, None) | PASSING | {column: secret}
        key = Row({name: row[name] for name in NAMING})
        for op, after in ((Op.UPDATE, Row(row, types)), (Op.DELETE, None)):
            verdict = mapping.map(ChangeEvent(RECORD, op, key, Row(row, types), after), suppress=False)
            judged = mapping.check(verdict, {}) if isinstance(verdict, Upsert) else verdict
            reject = judged.reject if isinstance(judged, Refused) else judged
            if isinstance(reject, Reject):
                refusals += 1
                assert SECRET not in repr(reject)
                assert all(len(error.problem) > 20 for error in reject.errors)
    assert refusals > 30
