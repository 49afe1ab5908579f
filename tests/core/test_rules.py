"""Which rows are sent, how they are named, and what becomes of what an event does not tell."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mappings import mapping_of

from connector.core.events import ChangeEvent, ColumnType, Entity, Op, Reason, Record, Row
from connector.core.mapping import FILTERED, Options
from connector.core.verdicts import Delete, Refused, Unchanged, Upsert, Verdict, Withhold

RECORD = Record("shop.users", 0, 7, b"key", b"value")
UNAVAILABLE = "__debezium_unavailable_value"
SECRET = "jane@example.com"
DECIMAL = ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {"scale": "0"})

USERS = """\
version: 1
customers:
  table: users
  when: { role: customer, deleted_at: null }
  fields:
    CustomerId: id
    Name: name
    GdprOptin: { constant: true }
"""
PASSING = {"id": 5, "name": "Ana", "role": "customer", "deleted_at": None}
STAFF = {"role": "staff"}


def event(
    op: Op,
    after: dict[str, Any] | None,
    before: dict[str, Any] | None = None,
    *,
    key: dict[str, Any] | None = None,
    trusted: bool = True,
    types: dict[str, ColumnType] | None = None,
) -> ChangeEvent:
    """A change of the user 5; the images are what differs from a row that passes."""
    rows = [None if columns is None else Row(PASSING | columns, types) for columns in (before, after)]
    identity = Row({"id": 5} if key is None else key)
    return ChangeEvent(RECORD, op, identity, rows[0], rows[1], trusts_before=trusted and before is not None)


def mapped(change: ChangeEvent, text: str = USERS, entity: Entity = Entity.CUSTOMERS, **options: Any) -> Verdict:  # noqa: ANN401
    return mapping_of(entity, Options(**options), text).map(change, suppress=False)


def refusal(verdict: Verdict) -> tuple[Reason, str]:
    assert isinstance(verdict, Refused), verdict
    [error] = verdict.reject.errors
    return verdict.reject.reason, error.problem


# Filters

SENT, DELETED, DOUBTFUL, KEPT_BACK = "sent", "deleted", "doubtful", "kept back"
VERDICTS = {DELETED: Delete("5"), DOUBTFUL: Delete("5", doubtful=True), KEPT_BACK: Withhold("5", FILTERED)}


@pytest.mark.parametrize(
    ("op", "before", "after", "expected"),
    [
        (Op.CREATE, None, {}, SENT),
        (Op.CREATE, None, STAFF, KEPT_BACK),
        (Op.READ, None, {}, SENT),
        (Op.READ, None, STAFF, KEPT_BACK),
        (Op.UPDATE, {}, {}, SENT),
        (Op.UPDATE, STAFF, {}, SENT),
        (Op.UPDATE, None, {}, SENT),
        (Op.UPDATE, {}, STAFF, DELETED),
        (Op.UPDATE, {}, {"deleted_at": "2025-01-01"}, DELETED),
        (Op.UPDATE, STAFF, STAFF | {"name": "Bo"}, KEPT_BACK),
        (Op.UPDATE, None, STAFF, DOUBTFUL),
        (Op.DELETE, {}, None, DELETED),
        (Op.DELETE, STAFF, None, KEPT_BACK),
        (Op.DELETE, None, None, DOUBTFUL),
    ],
)
def test_what_a_filter_makes_of_a_change(
    op: Op, before: dict[str, Any] | None, after: dict[str, Any] | None, expected: str
) -> None:
    """A row that passes is sent; one that leaves is deleted, unless its image says that it never was there."""
    verdict = mapped(event(op, after, before))
    assert isinstance(verdict, Upsert) if expected == SENT else verdict == VERDICTS[expected]
    if before is not None:  # an image that may be made up says nothing
        untrusted = mapped(event(op, after, before, trusted=False))
        assert untrusted == mapped(event(op, after, None))


def test_a_tombstone_deletes_what_a_filter_may_have_let_through() -> None:
    """It says nothing of the row."""
    assert mapped(ChangeEvent(RECORD, Op.DELETE, Row({"id": 5}), tombstone=True)) == Delete("5", doubtful=True)


@pytest.mark.parametrize("untold", [{"role": UNAVAILABLE}, {"role": ...}])
def test_a_row_that_a_filter_cannot_judge_is_refused(untold: dict[str, Any]) -> None:
    """It is neither sent nor deleted on a guess; the sentence names the column, the line and the remedy."""
    row = {name: value for name, value in (PASSING | untold).items() if value is not ...}
    change = ChangeEvent(RECORD, Op.UPDATE, Row({"id": 5}), None, Row(row))
    assert refusal(mapped(change)) == (
        Reason.UNAVAILABLE,
        (
            "column users.role is not told by the event, and the mapping's `when` asks for it; expected a value: name "
            "another column, or set the table's REPLICA IDENTITY to FULL (line 4 of the mapping)"
        ),
    )


def test_what_a_filter_is_not_told_is_taken_from_the_image() -> None:
    """Of all its columns; one that is absent from the row stays untold."""
    both = {"role": UNAVAILABLE, "deleted_at": UNAVAILABLE}
    assert isinstance(mapped(event(Op.UPDATE, both, {})), Upsert)
    assert mapped(event(Op.UPDATE, both, STAFF)) == Withhold("5", FILTERED)
    row = {"id": 5, "name": "Ana", "role": "customer"}
    change = ChangeEvent(RECORD, Op.UPDATE, Row({"id": 5}), Row(row), Row(row), trusts_before=True)
    assert refusal(mapped(change))[0] is Reason.UNAVAILABLE


@pytest.mark.parametrize("untold", [{"role": UNAVAILABLE}, {"role": ["x"]}, {"role": ...}])
def test_an_image_that_cannot_be_judged_hides_no_change(untold: dict[str, Any]) -> None:
    """The row as it is now is sent, or deleted in doubt; a delete is never lost by it."""
    image = Row({name: value for name, value in (PASSING | untold).items() if value is not ...})
    for op, after, expected in (
        (Op.UPDATE, Row(PASSING), None),
        (Op.UPDATE, Row(PASSING | STAFF), Delete("5", doubtful=True)),
        (Op.DELETE, None, Delete("5", doubtful=True)),
    ):
        verdict = mapped(ChangeEvent(RECORD, op, Row({"id": 5}), image, after, trusts_before=True))
        assert isinstance(verdict, Upsert) if expected is None else verdict == expected


def test_a_change_that_no_rule_reads_is_unchanged_though_it_is_filtered() -> None:
    """Filtered columns are read."""
    mapping = mapping_of(Entity.CUSTOMERS, Options(), USERS)
    assert mapping.map(event(Op.UPDATE, {"last_login": 2}, {"last_login": 1})) == Unchanged("5")
    assert mapping.map(event(Op.UPDATE, {}, {"role": "guest"})) != Unchanged("5")


@pytest.mark.parametrize(
    ("when", "passing", "others"),
    [
        ("{ x: paid }", ["paid"], ["Paid", "paid ", "", None, 1, True]),
        ("{ x: [paid, sent] }", ["paid", "sent"], ["", None]),
        ("{ x: null }", [None], ["", 0, False, "null"]),
        ("{ x: { not: null } }", ["", 0, False], [None]),
        ("{ x: { not: cart } }", ["", None, "paid", 0], ["cart"]),
        ("{ x: { not: [cart, null] } }", ["", 0], ["cart", None]),
        ("{ x: true }", [True, 1, "t", "1", "TRUE"], [False, 0, "f", "false", None]),
        ("{ x: false }", [False, 0, "f", "0"], [True, 1, "t", None]),
        ("{ x: { not: true } }", [False, 0, "f", None], [True, 1]),
        ("{ x: 2 }", [2, 2.0, "2"], [1, True, "2.0", "two", None]),
        ("{ x: 1 }", [1, "1"], [True]),
        ("{ x: 2.5 }", [2.5, "2.5"], [2, "2.50"]),
        ('{ x: "2" }', [2, "2", 2.0], [3]),
        ('{ x: "true" }', [True, "true"], [1, "t"]),
        ("{ x: [true, maybe] }", [1, "maybe"], [0, "f"]),
        ("{ x: { among: [1, 2, 3], not: 2 } }", [1, 3], [2, 4, None]),
        ("{ x: 1, y: 2 }", [], [1]),
    ],
)
def test_values_match_however_databases_write_them(when: str, passing: list[object], others: list[object]) -> None:
    """Booleans as 0 and t, numbers as texts of their digits; a text byte for byte, and NULL only where it is named."""
    text = USERS.replace("{ role: customer, deleted_at: null }", when)
    for value in passing:
        assert isinstance(mapped(event(Op.CREATE, {"x": value, "y": 1}), text), Upsert), value
    for value in others:
        assert mapped(event(Op.CREATE, {"x": value, "y": 1}), text) == Withhold("5", FILTERED), value


def test_values_are_matched_as_the_message_describes_them() -> None:
    """A decimal by its scale; one whose scale nobody tells is refused, and never quietly another number."""
    text = USERS.replace("{ role: customer, deleted_at: null }", "{ x: 5 }")
    assert isinstance(mapped(event(Op.CREATE, {"x": "BQ=="}, types={"x": DECIMAL}), text), Upsert)
    assert mapped(event(Op.CREATE, {"x": "Bg=="}, types={"x": DECIMAL}), text) == Withhold("5", FILTERED)
    reason, problem = refusal(mapped(event(Op.CREATE, {"x": "BQ=="}), text))
    assert reason is Reason.SCALE_UNKNOWN
    assert problem.endswith("(line 4 of the mapping)")
    assert "BQ==" not in problem


@pytest.mark.parametrize("value", [[SECRET], {SECRET: 1}])
def test_a_value_that_no_condition_can_meet_is_refused(value: object) -> None:
    """With its type and the line, and without the value."""
    reason, problem = refusal(mapped(event(Op.CREATE, {"role": value})))
    assert reason is Reason.UNCONVERTIBLE
    assert problem.startswith("column users.role is a")
    assert problem.endswith("(line 4 of the mapping)")
    assert SECRET not in problem


def test_a_text_is_no_boolean() -> None:
    """Where `true` is asked for, a word that is none is refused rather than taken for false."""
    text = USERS.replace("{ role: customer, deleted_at: null }", "{ role: true }")
    assert refusal(mapped(event(Op.CREATE, {"role": SECRET}), text))[1] == (
        "column users.role is a text; expected a boolean, 0 or 1, t or f: correct it in the source table (line 4 of "
        "the mapping)"
    )


# Filters and consent


CONSENT = USERS.replace("{ constant: true }", "{ column: consent, values: { granted: true, denied: false } }")


@pytest.mark.parametrize(
    ("op", "before", "after", "expected"),
    [
        (Op.UPDATE, {"consent": "granted"}, {"consent": "denied"}, "retraction"),
        (Op.UPDATE, {"consent": "denied"}, {"consent": "denied", "name": "Bo"}, "no_consent"),
        (Op.UPDATE, {"consent": "granted", **STAFF}, {"consent": "denied"}, "no_consent"),
        (Op.UPDATE, {"consent": SECRET}, {"consent": "denied"}, "retraction"),
        (Op.UPDATE, {"consent": SECRET}, {"consent": "granted"}, "sent"),
        (Op.UPDATE, {"consent": "granted"}, {"consent": "denied", **STAFF}, "deleted"),
        (Op.UPDATE, None, {"consent": "denied"}, "retraction"),
        (Op.CREATE, None, {"consent": "denied"}, "no_consent"),
        (Op.CREATE, None, {"consent": None}, "no_consent"),
        (Op.CREATE, None, {"consent": "granted"}, "sent"),
        (Op.CREATE, None, {"consent": "denied", **STAFF}, FILTERED),
    ],
)
def test_consent_is_what_the_mapping_makes_of_the_column(
    op: Op, before: dict[str, Any] | None, after: dict[str, Any], expected: str
) -> None:
    """By its table of values; an image that did not pass, or can't be read, proves no consent."""
    verdict = mapped(event(op, after, before), CONSENT)
    match verdict:
        case Upsert(retracts=True):
            assert expected == "retraction"
            assert verdict.document == {"CustomerId": "5", "GdprOptin": False}
        case Upsert():
            assert expected == "sent"
        case Withhold(reason=reason):
            assert expected == reason
        case _:
            assert (expected, verdict) == ("deleted", Delete("5"))


@pytest.mark.parametrize(
    ("source", "value", "sent"),
    [
        ("{ constant: true }", ..., True),
        ("{ constant: false }", ..., False),
        ("{ column: c, null_values: [9], default: true }", 9, True),
        ("{ column: c, null_values: [9] }", 9, False),
        ("{ column: c, values: { yes: true }, otherwise: false }", "no", False),
        ("{ column: c, values: { yes: true, no: null } }", "no", False),
        ("{ column: c, path: marketing.mail }", '{"marketing": {"mail": true}}', True),
        ("{ column: c, path: marketing.mail }", '{"marketing": {}}', False),
        ("{ column: c, trim: true }", " T ", True),
    ],
)
def test_consent_may_come_from_anything(source: str, value: object, *, sent: bool) -> None:
    """The same for every row, or by any step: what is not true is no consent."""
    text = USERS.replace("{ constant: true }", source)
    verdict = mapped(event(Op.CREATE, {} if value is ... else {"c": value}), text)
    if sent:
        assert isinstance(verdict, Upsert)
        assert verdict.document["GdprOptin"] is True
    else:
        assert verdict == Withhold("5", "no_consent")


# Templates


NAMES = USERS.replace("Name: name", 'Name: { template: "{first} {last}" }')


def test_a_template_s_text_is_made_of_its_columns() -> None:
    """Numbers as in a text, braces as they are doubled; one NULL makes all NULL, unless it is said what a NULL is."""
    row = {"first": "A", "last": 5, "mid": None}
    for template, name in (
        ("{first} {last}", "A 5"),
        ("{{{first}}}", "{A}"),
        ("{first}{first}", "AA"),
        ("{first} {mid}", None),
    ):
        verdict = mapped(event(Op.CREATE, row), NAMES.replace("{first} {last}", template))
        assert isinstance(verdict, Upsert)
        assert verdict.document.get("Name") == name
    verdict = mapped(event(Op.CREATE, row), NAMES.replace('{last}"', '{mid}", null_as: "-"'))
    assert isinstance(verdict, Upsert)
    assert verdict.document["Name"] == "A -"


def test_a_template_with_an_absent_column_is_left_alone() -> None:
    """A dropped column is no NULL; it is counted."""
    mapping = mapping_of(Entity.CUSTOMERS, Options(), NAMES)
    for _ in range(100):
        verdict = mapping.map(event(Op.CREATE, {"first": "A"}))
        assert isinstance(verdict, Upsert)
        assert "Name" not in verdict.document
        assert not verdict.unavailable
    assert mapping.unseen() == {"users.last": 100}


def test_what_a_template_is_not_told_is_taken_from_the_image_and_the_rest_from_the_row() -> None:
    """An unavailable column is what it was; the one that changed beside it is what it is."""
    change = event(Op.UPDATE, {"first": "New", "last": UNAVAILABLE}, {"first": "Old", "last": "Long"})
    verdict = mapped(change, NAMES)
    assert isinstance(verdict, Upsert)
    assert verdict.document["Name"] == "New Long"
    untold = mapped(event(Op.UPDATE, {"first": "New", "last": UNAVAILABLE}), NAMES)
    assert isinstance(untold, Upsert)
    assert untold.unavailable == {"Name"}
    assert "Name" not in untold.document


def test_a_template_s_error_names_its_columns() -> None:
    """And the line, and never a value."""
    verdict = mapped(event(Op.CREATE, {"first": [SECRET], "last": "x"}), NAMES)
    assert refusal(verdict) == (
        Reason.UNCONVERTIBLE,
        (
            "template of column users.first and column users.last is a list; expected a text: correct it in the source "
            "table (line 7 of the mapping)"
        ),
    )


# Identity


SHOPS = """\
version: 1
orders:
  table: orders
  fields:
    OrderId: { template: "{shop}-{number}" }
    CustomerId: user
    Currency: { constant: EUR }
"""
ORDER = {"shop": 2, "number": "A/1", "user": 9}


def order(op: Op, key: dict[str, Any] | None, row: dict[str, Any] | None, text: str = SHOPS) -> Verdict:
    """What becomes of an order. Of a delete the image can't be trusted, as with PostgreSQL's default."""
    image = None if row is None else Row(row)
    before, after = (image, None) if op is Op.DELETE else (None, image)
    change = ChangeEvent(RECORD, op, None if key is None else Row(key), before, after)
    return mapped(change, text, Entity.ORDERS)


def test_an_id_may_be_made_of_several_columns() -> None:
    """Upserts and deletes agree; the key must hold all of them."""
    key = {"shop": 2, "number": "A/1"}
    verdict = order(Op.CREATE, key, ORDER)
    assert isinstance(verdict, Upsert)
    assert verdict.id == verdict.document["OrderId"] == "2-A/1"
    assert order(Op.DELETE, key, None) == Delete("2-A/1")
    assert refusal(order(Op.DELETE, {"number": "A/1"}, None))[0] is Reason.NO_KEY
    assert refusal(order(Op.CREATE, {"shop": 3, "number": "A/1"}, ORDER))[0] is Reason.NO_KEY
    assert refusal(order(Op.CREATE, {"shop": 2, "number": None}, ORDER))[0] is Reason.NO_KEY


@pytest.mark.parametrize("key", [{"shop": 0, "number": "A/1"}, {"shop": 2, "number": ""}, {"shop": 0, "number": ""}])
def test_a_part_of_an_id_that_may_be_made_up_deletes_nothing(key: dict[str, Any]) -> None:
    """Where the mapping does not name the primary key, a zero may stand for what PostgreSQL does not log."""
    reason, problem = refusal(order(Op.DELETE, key, None))
    assert reason is Reason.FABRICATED_ID
    assert "primary_key" in problem
    named = SHOPS.replace("  table: orders\n", "  table: orders\n  primary_key: [shop, number]\n")
    expected = Delete(f"{key['shop']}-{key['number']}") if any(key.values()) else None
    verdict = order(Op.DELETE, key, None, named)
    assert verdict == expected or (expected is None and refusal(verdict)[0] is Reason.FABRICATED_ID)


KEYED = """\
version: 1
orders:
  table: orders
  primary_key: id
  fields: { OrderId: id, CustomerId: user, Currency: { constant: EUR } }
"""


def test_a_row_is_named_by_its_primary_key_where_the_message_key_is_another() -> None:
    """With `message.key.columns` a deleted row's key is made up, and only the primary key in its image is real."""
    row = {"id": 7, "user": 9}
    verdict = order(Op.UPDATE, {"user": 9}, row, KEYED)
    assert isinstance(verdict, Upsert)
    assert verdict.id == "7"
    assert order(Op.DELETE, {"user": 0}, {"id": 7, "user": 0}, KEYED) == Delete("7")
    assert order(Op.DELETE, None, {"id": 7, "user": 0}, KEYED) == Delete("7")
    assert order(Op.DELETE, {"id": 7}, {"id": 7, "user": 0}, KEYED) == Delete("7")
    assert order(Op.DELETE, {"id": 7}, None, KEYED) == Delete("7")
    assert refusal(order(Op.DELETE, {"user": 0}, None, KEYED))[0] is Reason.NO_KEY
    assert refusal(order(Op.DELETE, {"user": 0}, {"id": 0, "user": 0}, KEYED))[0] is Reason.FABRICATED_ID


def test_without_its_name_such_a_key_is_refused() -> None:
    """The key's columns are taken for the primary key's, and the id must be among them."""
    assert refusal(order(Op.DELETE, {"user": 0}, {"id": 7, "user": 0}, KEYED.replace("  primary_key: id\n", "")))[
        0
    ] is (Reason.NO_KEY)


# Lists


ROW = """\
version: 1
products:
  table: products
  fields:
    ProductId: id
    ProductName: name
    ProductVariants:
      row: true
      when: { stock: { not: null } }
      fields: { VariantId: id, Sku: sku, Name: name, OriginalPrice: { column: price, unit: cents }, Stock: stock }
"""
PRODUCT = {"id": 5, "name": "Tea", "sku": "T-5", "price": 1250, "stock": 3}


def product(op: Op, after: dict[str, Any] | None, before: dict[str, Any] | None = None) -> Verdict:
    rows = [None if columns is None else Row(PRODUCT | columns) for columns in (before, after)]
    change = ChangeEvent(RECORD, op, Row({"id": 5}), rows[0], rows[1], trusts_before=before is not None)
    return mapped(change, ROW, Entity.PRODUCTS)


def test_a_row_may_be_its_own_only_variant() -> None:
    """Its columns are the row's, with the message's types and what the image tells."""
    variant = {"VariantId": "5", "Sku": "T-5", "Name": "Tea", "OriginalPrice": 12.5, "Stock": 3}
    document = {"ProductId": "5", "ProductName": "Tea", "ProductVariants": [variant]}
    verdict = product(Op.CREATE, {})
    assert isinstance(verdict, Upsert)
    assert verdict.document == document
    changed = product(Op.UPDATE, {"name": UNAVAILABLE, "price": 1300}, {})
    assert isinstance(changed, Upsert)
    assert changed.document == document | {"ProductVariants": [variant | {"OriginalPrice": 13}]}
    assert changed.held == {("5",)}
    types = {"price": ColumnType("int64", None, {}), "stock": DECIMAL}
    typed = ChangeEvent(RECORD, Op.CREATE, Row({"id": 5}), None, Row(PRODUCT | {"stock": "AQ=="}, types))
    described = mapped(typed, ROW, Entity.PRODUCTS)
    assert isinstance(described, Upsert)
    assert described.document["ProductVariants"][0]["Stock"] == 1


def test_a_row_whose_only_variant_is_filtered_is_as_one_without() -> None:
    """Withheld, or deleted if it had one."""
    assert product(Op.CREATE, {"stock": None}) == Withhold("5", "no_variants")
    assert product(Op.UPDATE, {"stock": None}, {}) == Delete("5")
    assert product(Op.UPDATE, {"stock": None, "name": "x"}, {"stock": None}) == Withhold("5", "no_variants")
    assert product(Op.DELETE, None) == Delete("5")


ITEMS = """\
version: 1
orders:
  table: orders
  fields:
    OrderId: id
    CustomerId: user
    Currency: { constant: EUR }
    OrderItems:
      column: doc
      path: lines.0
      when: { kind: product, void: { not: true } }
      fields: { ProductId: p, Sku: p, Quantity: q, Price: { column: cents, unit: cents } }
"""


def items(*lines: object) -> str:
    return json.dumps({"lines": [list(lines)]})


def items_of(doc: object, before: object = None, op: Op = Op.CREATE) -> Verdict:
    row = {"id": 5, "user": 9}
    image = None if before is None else Row(row | {"doc": before})
    change = ChangeEvent(RECORD, op, Row({"id": 5}), image, Row(row | {"doc": doc}), trusts_before=before is not None)
    return mapped(change, ITEMS, Entity.ORDERS)


PAID = {"kind": "product", "p": "P", "q": 1, "cents": 1250}


def test_elements_are_found_by_their_path_and_filtered() -> None:
    """A key that an element lacks is a NULL; what is filtered counts for nothing, whatever else is wrong with it."""
    doc = items({"kind": "shipping", "q": "?"}, PAID, {"p": "X"}, PAID | {"p": "V", "void": 1})
    verdict = items_of(doc)
    assert isinstance(verdict, Upsert)
    assert verdict.document["OrderItems"] == [{"ProductId": "P", "Sku": "P", "Quantity": 1, "Price": 12.5}]


@pytest.mark.parametrize("nothing", [items(), items({"kind": "shipping"}), '{"lines":[]}', "{}", "null", None])
def test_an_order_whose_items_are_all_filtered_is_as_one_without(nothing: object) -> None:
    """Withheld, or deleted once it had some; nothing at the path is no item either."""
    assert items_of(nothing) == Withhold("5", "no_items")
    assert items_of(nothing, items(PAID), Op.UPDATE) == Delete("5")
    assert items_of(nothing, items({"kind": "x"}), Op.UPDATE) == Withhold("5", "no_items")


def test_filtered_elements_were_never_at_replenit() -> None:
    """They are not deleted there."""
    verdict = items_of(items(PAID), items(PAID | {"p": "old"}, PAID | {"p": "void", "void": True}), Op.UPDATE)
    assert isinstance(verdict, Upsert)
    assert verdict.held == {("old", "old")}


@pytest.mark.parametrize(
    ("doc", "path", "problem"),
    [
        (SECRET, "OrderItems", "column orders.doc is a text that is no JSON; expected JSON"),
        (json.dumps({"lines": SECRET}), "OrderItems", "column orders.doc is a text; expected an object with `0` there"),
        (json.dumps({"lines": [5]}), "OrderItems", "column orders.doc is an integer; expected a list of objects"),
        (items(SECRET), "OrderItems", "column orders.doc holds a text in its list; expected objects"),
        (items(PAID | {"q": SECRET}), "OrderItems[0].Quantity", "column orders.q is a text that is no number"),
        (items(PAID | {"kind": [SECRET]}), "OrderItems[0]", "column orders.kind is a list; expected a text"),
        (items(PAID | {"void": SECRET}), "OrderItems[0]", "column orders.void is a text; expected a boolean"),
    ],
)
def test_what_is_wrong_with_elements_is_told_with_its_place(doc: str, path: str, problem: str) -> None:
    """Table, column, the type found and the line; nobody's data."""
    verdict = items_of(doc)
    assert isinstance(verdict, Refused)
    [error] = verdict.reject.errors
    assert error.path == path
    assert error.problem.startswith(problem)
    assert error.problem.endswith(" of the mapping)")
    assert SECRET not in error.problem


# Columns that never come


def test_columns_that_no_row_has_are_told_once_there_are_enough() -> None:
    """By table; those that may be missing are not; one row that has it ends it."""
    mapping = mapping_of(
        Entity.CUSTOMERS, Options(), USERS + "    Email: { column: mail, optional: true }\n    Phone: tel\n"
    )
    for number in range(100):
        assert mapping.unseen() == {}
        mapping.map(event(Op.CREATE, {"n": number}))
    assert mapping.unseen() == {"users.tel": 100}
    mapping.map(event(Op.CREATE, {"tel": None}))
    assert mapping.unseen() == {}


def test_columns_that_no_element_has_are_told_too() -> None:
    """By the column of their list."""
    mapping = mapping_of(Entity.ORDERS, Options(), ITEMS.replace("Quantity: q", "Quantity: { column: n, default: 1 }"))
    row = {"id": 5, "user": 9, "doc": items(PAID)}
    for _ in range(100):
        mapping.map(ChangeEvent(RECORD, Op.CREATE, Row({"id": 5}), None, Row(row)))
    assert mapping.unseen() == {"orders.doc[].n": 100}


# Always


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "b", "", "1", "true", UNAVAILABLE])
ROWS = st.fixed_dictionaries({"role": SCALARS, "deleted_at": SCALARS})


@given(before=st.none() | ROWS, after=ROWS, op=st.sampled_from([Op.CREATE, Op.UPDATE, Op.READ]), trusted=st.booleans())
def test_nothing_that_does_not_pass_is_ever_sent(
    before: dict[str, Any] | None, after: dict[str, Any], op: Op, *, trusted: bool
) -> None:
    """A document goes out only for a row that passes; a row that left is deleted or was known to be out."""
    change = event(op, after, before, trusted=trusted)
    verdict = mapped(change, USERS.replace("role: customer", "role: [a, 1]"))
    image = before if trusted and before is not None else {}
    told = {name: image.get(name, value) if value == UNAVAILABLE else value for name, value in after.items()}
    fits = told["role"] in ("a", "1") or (told["role"] == 1 and told["role"] is not True)
    if told["role"] == UNAVAILABLE or (fits and told["deleted_at"] == UNAVAILABLE):
        assert isinstance(verdict, Refused)
    elif fits and told["deleted_at"] is None:
        assert isinstance(verdict, Upsert)
    else:
        assert isinstance(verdict, Delete if op is Op.UPDATE else Withhold) or verdict == Withhold("5", FILTERED)
