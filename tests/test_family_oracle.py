"""The oracle of the shop's own tables: what it starts from is what the records say, its exceptions are those listed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from family_captures import CASES, DIALECTS, MARIADB, final_table, mapping, records
from family_documents import BEYOND_63_BITS, FULL, last_rows
from family_oracle import LOST, UNREPORTED, expected
from oracle import difference, payload
from test_oracle import delivered

from connector.core import mapping_text

if TYPE_CHECKING:
    from collections.abc import Mapping

TABLES = (
    "customers",
    "orders",
    "order_items",
    "products",
    "product_variants",
    "orders_json",
    "products_json",
)
IN_JSON = tuple(dialect for dialect in (*DIALECTS, MARIADB) if "avro" not in dialect)
LONG = f"SO-9013-{'x' * 120}"


def live(dialect: str, table: str) -> dict[str, Mapping[str, Any]]:
    """The rows that a replay of the records ends with, by their primary keys."""
    rows: dict[str, Mapping[str, Any]] = {}
    own = [each for each in records(dialect) if each.table == table and each.key is not None]
    if dialect == "json-keyed":  # a row and its deletion lie on two partitions
        own = sorted((each for each in own if each.value is not None), key=lambda each: _position(each.value))
    for each in own:
        told, key = payload(each.value), payload(each.key)
        assert key is not None
        if told is None or told.get("__deleted") == "true" or told.get("op") == "d":
            gone = (told or {}).get("before") or key
            rows.pop(str(gone.get("id")), None)
        else:
            row = told["after"] if "op" in told else told
            rows[str(row["id"])] = row
    return rows


def _position(value: bytes | None) -> list[int]:
    told = payload(value)
    assert told is not None
    return [int(part or 0) for part in json.loads(told["source"]["sequence"])]


@pytest.mark.parametrize("dialect", IN_JSON)
def test_records_lead_to_the_final_keys(dialect: str) -> None:
    """A replay by primary key ends with the final rows, but for what is known never to be told."""
    for table in TABLES if dialect != MARIADB else ("customers", "orders", "order_items", "products"):
        told = live(dialect, table).keys()
        final = {BEYOND_63_BITS.get(key, key) for key in final_table(dialect, table).rows}
        if (dialect, table) == (LOST, "customers"):
            final |= {UNREPORTED}
        if (dialect, table) == (MARIADB, "order_items"):
            assert told - final == {"45", "46", "47"}  # of an order that was deleted
        else:
            assert told == final


@pytest.mark.parametrize("table", TABLES)
def test_texts_and_numbers_are_the_final_ones(table: str) -> None:
    """Where everything comes as text or as JSON's own, the last records hold what the final rows do."""
    final, kinds = final_table("json-strings", table), final_table("json-strings", table).columns
    exact = [name for name, kind in kinds.items() if kind in ("text", "bigint", "integer", "boolean")]
    for key, row in live("json-strings", table).items():
        for name in exact:
            text = final.rows[key][name]
            text = final.defaults.get(name) if text is None else text
            found = row.get(name, text)
            assert found == "__debezium_unavailable_value" or _text(found) == text


def _text(value: object) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(("dialect", "shop"), CASES)
def test_mapping_files_have_no_mistake(dialect: str, shop: str) -> None:
    """Each dialect's mapping file is one, for all that it has of its own."""
    assert isinstance(mapping_text.read(mapping(dialect, shop)), dict)


@pytest.mark.parametrize(("dialect", "shop"), CASES)
def test_expected_state_has_no_difference(dialect: str, shop: str) -> None:
    """An API that holds what is expected is found to be right, and one that lacks something or has more is not."""
    state = expected(dialect, shop, consent="forward").state
    assert difference(state, delivered(state)) == []
    for entity, documents in state.documents.items():
        held = delivered(state)
        held[entity].popitem()
        assert len(difference(state, held)) == 1
        held[entity] = delivered(state)[entity] | {"new": dict(next(iter(documents.values())))}
        assert difference(state, held) == [f"{entity} 'new': present, though no such row"]


def test_the_rows_that_must_not_arrive() -> None:
    """What is withheld and refused of a shop whose decimals and times come as texts, each with its reason."""
    excepted = expected("json-strings", "tables", consent="enforce").state.excepted
    assert excepted["customers"] == {
        "9005": "dead:invalid",
        **dict.fromkeys(("1054", "9006", "9007", "9026"), "withheld:no_consent"),
    }
    assert excepted["orders"] == {
        **dict.fromkeys(("SO-9004", "SO-9018", "SO-9026", "SO-9027", "SO-9028"), "withheld:incomplete"),
        "SO-9024": "withheld:incomplete",
        **dict.fromkeys(("SO-9005", "SO-9006", LONG), "dead:invalid"),
        **dict.fromkeys(("SO-9014", "SO-9019"), "withheld:no_items"),
    }
    assert excepted["products"] == {
        "9003": "withheld:no_variants",
        **dict.fromkeys(("9009", "9011"), "dead:invalid"),
    }


def test_what_precise_decimals_change() -> None:
    """NaN is null: an order without a total is fine, an item without a price is not."""
    wanted = expected("json", "tables", consent="forward")
    assert "TotalRevenue" not in wanted.state.documents["orders"]["SO-9004"]
    assert wanted.state.excepted["orders"]["SO-9024"] == "dead:invalid"
    assert {dead.table for dead in wanted.bad} == {"orders"}


def test_hours_that_berlin_skips_and_repeats() -> None:
    """What a clock in Berlin showed is told in UTC: in the missing hour, in the doubled one, and before 1970."""
    orders = expected("json", "tables", consent="forward").state.documents["orders"]
    told = {key: orders[key]["OrderDate"].isoformat() for key in ("SO-9021", "SO-9022", "SO-9023")}
    assert told == {
        "SO-9021": "2025-03-30T01:30:00+00:00",
        "SO-9022": "2025-10-26T00:30:00.123456+00:00",
        "SO-9023": "1969-12-31T22:59:59.500000+00:00",
    }


def test_which_good_rows_may_stay_without_the_bad_ones() -> None:
    """Of the documents with bad rows only two have a good one as well; its values are those that it ever had."""
    state = expected("json-strings", "tables", consent="forward").state
    broken = {
        key for key, reason in state.excepted["orders"].items() if reason in ("dead:invalid", "withheld:incomplete")
    }
    items = [row for row in last_rows("json-strings", "order_items").values() if row["order_id"] in broken]
    whole = {key for key in broken if not _bad_root(final_table("json-strings", "orders").rows[key])}
    good = {row["order_id"]: row["id"] for row in items if row["order_id"] in whole and _good_item(row)}
    assert good == {"SO-9024": 50271}
    [order] = state.earlier["orders"]["SO-9024"]
    assert [item["Sku"] for item in order["OrderItems"]] == ["SKU-12800"]
    stocks = {
        told["after"]["stock"]
        for each in records("json-strings")
        if each.table == "product_variants" and (told := payload(each.value)) and told["after"]
        if told["after"]["id"] == 901102
    }
    found = [document["ProductVariants"] for document in state.earlier["products"]["9011"]]
    assert {variant["Stock"] for [variant] in found} == stocks
    others = [row for row in last_rows("json-strings", "product_variants").values() if row["product_id"] == 9011]
    assert {row["id"]: bool(row["sku"]) and len(row["sku"]) <= 50 for row in others} == {
        901100: False,
        901101: False,
        901102: True,
    }


def _bad_root(order: Mapping[str, str | None]) -> bool:
    """Whether the order can never be sent, whatever its items are."""
    times = order["placed_at"]
    return order["currency"] != "EUR" or order["total"] == "NaN" or times is None or "infinity" in times


def _good_item(row: Mapping[str, Any]) -> bool:
    needed = all(row[name] not in (None, "") for name in ("product_id", "sku", "quantity", "unit_price"))
    return needed and row["unit_price"] != "NAN" and len(row["sku"]) <= 50


@pytest.mark.parametrize("dialect", FULL)
def test_with_full_images_no_column_is_ever_missing(dialect: str) -> None:
    """A product in JSON whose key changed brings its variants along; in the others it must be kept."""
    assert "9901" in expected(dialect, "json", consent="forward").state.documents["products"]
    assert expected("json", "json", consent="forward").state.excepted["products"]["9901"] == "dead:unavailable"
    assert "9901" in expected("json-strings", "json", consent="forward").state.documents["products"]


def test_a_withdrawn_consent_leaves_nothing_else() -> None:
    """Who took back the consent may be known without it, and, where upserts merge, with what was sent before."""
    plain = expected("json", "tables", consent="enforce").state
    assert plain.documents["customers"]["1036"] == {"CustomerId": "1036", "GdprOptin": False}
    assert plain.earlier["customers"]["9007"] == [{"CustomerId": "9007", "GdprOptin": False}]
    merging = expected("json", "tables", consent="enforce", merges=True).state
    assert all(each["GdprOptin"] is False for each in merging.earlier["customers"]["1036"])
    assert any("Email" in each for each in merging.earlier["customers"]["1036"])


def test_registry_and_headers_are_there() -> None:
    """A changed key is told in headers, as text or bytes alike, in all dialects."""
    for dialect in (*DIALECTS, MARIADB):
        told = [value for each in records(dialect) for name, value in each.headers if name.endswith("newkey")]
        assert {tuple(json.loads(value or b"")) for value in told} == {("id",)}
