"""The oracle can fail, and the captured records lead to the final rows that it starts from."""

from __future__ import annotations

import json
from base64 import b64decode
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

import pytest
from oracle import Expectation, difference, expected, judge
from shop_captures import DIALECTS, PARTITIONS, TABLES, final_table, records, topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    State = dict[str, dict[str, dict[str, Any]]]
    Row = dict[str, str | None]

UNAVAILABLE = "__debezium_unavailable_value"


def delivered(expectation: Expectation) -> State:
    """The state of an API that was told what is expected, as its JSON would be read."""
    state: State = json.loads(json.dumps(expectation.documents, default=_as_json))
    return state


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert isinstance(value, Decimal | Fraction)
    return float(value)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("consent", ["forward", "enforce"])
def test_expected_state_has_no_difference(dialect: str, consent: Literal["forward", "enforce"]) -> None:
    """An API that holds exactly what is expected is found to be right."""
    expectation = expected(dialect, consent=consent)
    assert difference(expectation, delivered(expectation)) == []


def _drop(state: State) -> None:
    del state["customers"]["C-001"]


def _add(state: State) -> None:
    state["products"]["P-002"] = state["products"]["P-001"]


def _except(state: State) -> None:
    state["orders"]["O-9002"] = {"OrderId": "O-9002"}


def _cent(state: State) -> None:
    state["orders"]["O-001"]["TotalRevenue"] += 0.01


def _cent_of_item(state: State) -> None:
    state["orders"]["O-001"]["OrderItems"][1]["Price"] -= 0.01


def _cent_of_mean(state: State) -> None:
    state["orders"]["O-9001"]["OrderItems"][0]["Price"] += 0.01


def _text_for_number(state: State) -> None:
    state["orders"]["O-001"]["TotalRevenue"] = "11.11"


def _number_for_flag(state: State) -> None:
    state["customers"]["C-001"]["GdprOptin"] = 1


def _extra_field(state: State) -> None:
    state["products"]["P-001"]["ProductVariants"][0]["SalePrice"] = None


def _missing_field(state: State) -> None:
    del state["customers"]["C-001"]["Email"]


def _second(state: State) -> None:
    instant = datetime.fromisoformat(state["orders"]["O-001"]["OrderDate"]) + timedelta(seconds=1)
    state["orders"]["O-001"]["OrderDate"] = _as_json(instant)


def _zone(state: State) -> None:
    state["orders"]["O-001"]["OrderDate"] = state["orders"]["O-001"]["OrderDate"].replace("Z", "+00:00")


def _space(state: State) -> None:
    state["customers"][""] = state["customers"].pop(" ")


def _lost_variant(state: State) -> None:
    state["products"]["P-001"]["ProductVariants"].pop()


def _doubled_item(state: State) -> None:
    items = state["orders"]["O-001"]["OrderItems"]
    items[1] = items[0]


def _reversed_taxonomy(state: State) -> None:
    state["products"]["P-001"]["Taxonomy"].reverse()


FAULTS: list[tuple[Callable[[State], None], list[str]]] = [
    (_drop, ["customers 'C-001': missing"]),
    (_add, ["products 'P-002': present, though no such row"]),
    (_except, ["orders 'O-9002': present, though withheld:no_items"]),
    (_cent, ["orders 'O-001'[TotalRevenue]: expected Decimal('11.11'), found 11.12"]),
    (_cent_of_item, ["orders 'O-001'[OrderItems][103/SKU-10300][Price]: expected Decimal('116.58'), found 116.57"]),
    (_cent_of_mean, ["orders 'O-9001'[OrderItems][109/SKU-10901][Price]: "]),
    (_text_for_number, ["orders 'O-001'[TotalRevenue]: expected Decimal('11.11'), found '11.11'"]),
    (_number_for_flag, ["customers 'C-001'[GdprOptin]: expected True, found 1"]),
    (_extra_field, ["products 'P-001'[ProductVariants][1-0][SalePrice]: not expected"]),
    (_missing_field, ["customers 'C-001'[Email]: missing"]),
    (_second, ["orders 'O-001'[OrderDate]: "]),
    (_zone, ["orders 'O-001'[OrderDate]: "]),
    (_space, ["customers '': present, though no such row", "customers ' ': missing"]),
    (_lost_variant, ["products 'P-001'[ProductVariants]: expected 3 elements, found 2"]),
    (_doubled_item, ["orders 'O-001'[OrderItems][103/SKU-10300]: missing"]),
    (_reversed_taxonomy, ["products 'P-001'[Taxonomy]: "]),
]


@pytest.mark.parametrize(("fault", "lines"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_each_fault_is_named(fault: Callable[[State], None], lines: list[str]) -> None:
    """A fault in what the API holds gives its own lines and no other."""
    expectation = expected("json-strings")
    state = delivered(expectation)
    fault(state)
    found = difference(expectation, state)
    assert len(found) == len(lines)
    assert all(line.startswith(start) for line, start in zip(found, lines, strict=True))


def test_empty_and_unknown_entities_are_named() -> None:
    """An API that holds nothing lacks every document, and one that holds something else is asked about it."""
    expectation = expected("json-schema")
    count = sum(len(documents) for documents in expectation.documents.values())
    assert len(difference(expectation, {})) == count
    assert difference(expectation, {**delivered(expectation), "carts": {}}) == ["carts: unknown"]


def test_equal_by_value_is_equal() -> None:
    """Order of items, spelling of instants and of numbers make no difference."""
    expectation = expected("json-strings")
    state = delivered(expectation)
    state["orders"]["O-001"]["OrderItems"].reverse()
    state["orders"]["O-001"]["OrderDate"] = "2025-03-01T09:27:16.70368Z"
    state["orders"]["O-001"]["TotalRevenue"] = Decimal("11.1100")
    assert difference(expectation, state) == []


def test_unavailable_column_leaves_either_state() -> None:
    """Where the last event lacks a column the API may keep the state before it, and no other."""
    expectation = expected("json-strings")
    state = delivered(expectation)
    state["orders"]["O-9001"]["IsOrderCancelled"] = False
    state["products"]["P-9001"]["IsOfflineExclusive"] = False
    assert difference(expectation, state) == []
    state["orders"]["O-9001"]["TotalQuantity"] = 1
    assert len(difference(expectation, state)) == 2


ODD_ORDERS = {"O-9002": "withheld:no_items", "O-9003": "withheld:no_items"}
BAD_ORDERS = ODD_ORDERS | {"O-9004": "dead:invalid", "O-9005": "dead:invalid", f"O-9008-{'z' * 120}": "dead:invalid"}


@pytest.mark.parametrize(
    ("dialect", "orders"),
    [("json-schema", BAD_ORDERS), *((d, BAD_ORDERS | {"O-9007": "dead:unconvertible"}) for d in DIALECTS[2:])],
)
def test_rows_that_must_not_arrive(dialect: str, orders: dict[str, str]) -> None:
    """The rows that the rules withhold or refuse, each with its reason."""
    expectation = expected(dialect)
    bad_customers = {"C-9003", "C-9005", f"C-9004-{'y' * 120}"}
    assert expectation.excepted["orders"] == orders
    assert expectation.excepted["customers"] == dict.fromkeys(bad_customers, "dead:invalid")
    assert expectation.excepted["products"] == dict.fromkeys(("P-9002", "P-9003"), "withheld:no_variants")


def test_decimals_without_scale_are_refused() -> None:
    """Without schemas a precise decimal has no scale: only the order whose total arrives as null is fine."""
    expectation = expected("json")
    refused = {key for key, reason in expectation.excepted["orders"].items() if reason == "dead:scale_unknown"}
    assert refused == final_table("orders").rows.keys() - ODD_ORDERS.keys() - {"O-9007"}
    assert "TotalRevenue" not in expectation.documents["orders"]["O-9007"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_withdrawn_consent(dialect: str) -> None:
    """A consent that became null is sent as false; enforced, nothing but the identifier stays."""
    forwarded = expected(dialect).documents["customers"]["C-9006"]
    assert forwarded["GdprOptin"] is False
    assert "Email" in forwarded
    enforced = expected(dialect, consent="enforce").documents["customers"]["C-9006"]
    assert enforced == {"CustomerId": "C-9006", "GdprOptin": False}


def test_items_of_one_key_become_one() -> None:
    """Quantities are summed, prices are weighted by them, the rest is the first item's."""
    order = {
        **final_table("orders").rows["O-001"],
        "order_items": """[
            {"product_id": "1", "sku": "a", "quantity": 1, "price": 1, "original_price": 2.5, "size": "M"},
            {"product_id": "1", "sku": "A", "quantity": 9, "price": 9},
            {"product_id": "1", "sku": "a", "quantity": 2, "price": 2.5, "original_price": 2.5, "size": "L"}
        ]""",
    }
    document = judge("orders", order, "json-strings")
    assert not isinstance(document, str)
    one = {"ProductId": "1", "Sku": "a", "Quantity": 3, "Price": 2, "OriginalPrice": Fraction(5, 2), "Size": "M"}
    other = {"ProductId": "1", "Sku": "A", "Quantity": 9, "Price": 9}
    assert document["OrderItems"] == [{**one, "IsGift": False}, {**other, "IsGift": False}]


VARIANTS = '[{"variant_id": "1", "sku": "a"}]'


@pytest.mark.parametrize(
    ("entity", "row", "reason"),
    [
        ("products", {"taxonomy": '"A > B"', "product_variants": VARIANTS}, "dead:unconvertible"),
        ("products", {"taxonomy": '"A > B"', "product_variants": "[]"}, "withheld:no_variants"),
        ("products", {"product_variants": '{"variant_id": "1"}'}, "dead:unconvertible"),
        ("products", {"product_variants": '[{"variant_id": "1"}]'}, "dead:invalid"),
        ("orders", {"order_items": '[{"product_id": "1", "sku": "a", "quantity": 1}]'}, "dead:invalid"),
        ("orders", {"currency": None}, "dead:invalid"),
        ("orders", {"total_quantity": "2147483648"}, "dead:invalid"),
        ("customers", {"phone": "0555 123"}, "dead:invalid"),
        ("customers", {"language": "a-language-far-too-long"}, "dead:invalid"),
    ],
)
def test_rules_of_a_row(entity: str, row: Row, reason: str) -> None:
    """One thing wrong with an ordinary row is enough, and what is withheld is not refused."""
    ordinary = next(row for key, row in final_table(entity).rows.items() if key.endswith("-001"))
    assert not isinstance(judge(entity, ordinary, "json-strings"), str)
    assert judge(entity, {**ordinary, **row}, "json-strings") == reason


# A replay of the records, by what Debezium says of them.


def states(dialect: str, entity: str) -> Iterator[tuple[str, Row | None, bool]]:
    """Each change of a row as its key, the row (None: deleted) and whether all of its columns were available."""
    known: dict[str, Row] = {}
    for record in records(dialect):
        if record.topic == topic(dialect, entity):
            assert record.key is not None
            (key,) = _payload(record.key).values()
            event = None if record.value is None else _payload(record.value)
            if event is None or event["op"] == "d":
                known.pop(key, None)
                yield key, None, True
            else:
                row = {column: _sql_text(entity, column, value) for column, value in event["after"].items()}
                lacking = {column for column, text in row.items() if text == UNAVAILABLE}
                known[key] = {**row, **{column: known[key][column] for column in lacking}}
                yield key, known[key], not lacking


def _payload(data: bytes) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(data)
    payload: dict[str, Any] = message["payload"] if message.keys() == {"schema", "payload"} else message
    return payload


def _sql_text(entity: str, column: str, value: object) -> str | None:
    kind = final_table(entity).columns[column]
    if kind.startswith("numeric") and value in ("NAN", "NaN"):
        return "NaN"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.2f}"
    return value if value is None else str(value)


def _comparable(entity: str, row: Row) -> dict[str, object]:
    """Two spellings of an instant are one."""
    kinds = final_table(entity).columns
    return {
        column: datetime.fromisoformat(text) if text is not None and "time" in kinds[column] else text
        for column, text in row.items()
    }


@pytest.mark.parametrize("entity", TABLES)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_records_lead_to_the_final_rows(dialect: str, entity: str) -> None:
    """The last record of each key gives the final row: the whole of it, or without its precise decimal."""
    rows: dict[str, Row] = {}
    for key, row, _ in states(dialect, entity):
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row
    final = {key: dict(row) for key, row in final_table(entity).rows.items()}
    if dialect in DIALECTS[:2]:
        for row in [*rows.values(), *final.values()]:
            row.pop("total_revenue", None)
    assert {key: _comparable(entity, row) for key, row in rows.items()} == {
        key: _comparable(entity, row) for key, row in final.items()
    }


@pytest.mark.parametrize("dialect", DIALECTS[:2])
def test_precise_decimals_are_the_final_ones(dialect: str) -> None:
    """A precise decimal is the final one at the column's scale of two, and NaN is null."""
    last = {key: row for key, row, _ in states(dialect, "orders") if row is not None}
    for key, row in final_table("orders").rows.items():
        text, total = last[key]["total_revenue"], row["total_revenue"]
        unscaled = None if text is None else int.from_bytes(b64decode(text), "big", signed=True)
        assert unscaled == (None if total is None or total == "NaN" else Decimal(total) * 100)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_may_end_unavailable(dialect: str) -> None:
    """The keys whose last event lacks a column are those listed, and the state before it is the one given."""
    expectation = expected(dialect)
    for entity in TABLES:
        last: dict[str, bool] = {}
        complete: dict[str, Row] = {}
        for key, row, whole in states(dialect, entity):
            last[key] = whole
            if row is not None and whole:
                complete[key] = row
        unavailable = {key for key, whole in last.items() if not whole}
        assert unavailable == expectation.may_end_unavailable.get(entity, frozenset())
        for key, (document,) in expectation.earlier.get(entity, {}).items():
            if dialect in DIALECTS[2:] or entity == "products":
                assert judge(entity, complete[key], dialect) == document


def test_no_refused_row_was_acceptable_before() -> None:
    """No key has an acceptable state before one that is withheld or refused, so none may linger at the API."""
    excepted = expected("json-strings").excepted
    earlier: dict[str, dict[str, list[bool]]] = {entity: defaultdict(list) for entity in TABLES}
    for entity in TABLES:
        for key, row, _ in states("json-strings", entity):
            if key in excepted[entity] and row is not None:
                earlier[entity][key].append(isinstance(judge(entity, row, "json-strings"), str))
    assert {entity: keys.keys() for entity, keys in earlier.items()} == {e: keys.keys() for e, keys in excepted.items()}
    assert all(all(refused) for keys in earlier.values() for refused in keys.values())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_offsets_have_no_gaps(dialect: str) -> None:
    """Each partition starts at offset 0 and has every offset after it, in order; a key stays on its partition."""
    offsets: dict[tuple[str, int], list[int]] = defaultdict(list)
    partitions: dict[tuple[str, bytes | None], set[int]] = defaultdict(set)
    for record in records(dialect):
        offsets[record.topic, record.partition].append(record.offset)
        partitions[record.topic, record.key].add(record.partition)
    assert {(topic(dialect, entity), number) for entity in TABLES for number in range(PARTITIONS)} >= offsets.keys()
    assert all(numbers == list(range(len(numbers))) for numbers in offsets.values())
    assert all(len(numbers) == 1 for numbers in partitions.values())
