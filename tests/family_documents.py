"""The documents of a shop's own tables, as its mapping files say, from the final rows' SQL texts.

It imports nothing of the connector: what each mapping file says is written once more here, in Python.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from family_captures import FILTERED, KEPT, SHOPS, final_table, records
from oracle import CHILDREN, FIELDS, REQUIRED, RefusedError, composed_of, in_json, merged, payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from oracle import Document, Field

    Row = Mapping[str, str | None]

BAD = object()
"""A value that can't be converted."""

NAN_AS_TEXT = ("json-strings", "json-connect")
"""Dialects in which NaN is no number; in the others it arrives as null."""

FULL = ("json-full", "avro-full")
"""Dialects that repeat a large column that did not change."""

BEYOND_63_BITS = {"18446744073709551615": "-1"}
"""Keys that MariaDB's connector can't write, and what it writes instead."""

FOREIGN_KEYS = {"order_items": "order_id", "product_variants": "product_id"}


class Case(NamedTuple):
    dialect: str
    shop: str


class Judged(NamedTuple):
    """Of a document: what it is, or why it is none; and those of its rows that can't be converted."""

    verdict: Document | str
    bad: tuple[tuple[str, str], ...] = ()


@cache
def last_rows(dialect: str, table: str) -> dict[str, Mapping[str, Any]]:
    """The last row that was told of each key, whether or not it was deleted later."""
    found: dict[str, Mapping[str, Any]] = {}
    for told in map(payload, values_of(dialect, table)):
        row = None if told is None else told.get("after") if "op" in told else told
        if row is not None and told is not None and told.get("__deleted") != "true":
            found[str(row["id"])] = row
    return found


def values_of(dialect: str, table: str) -> Iterator[bytes | None]:
    return (each.value for each in records(in_json(dialect)) if each.table == table)


def judged(dialect: str, shop: str, entity: str) -> Iterator[tuple[str, Judged]]:
    judges: Mapping[str, Callable[[Case, Row], Judged]] = {
        "customers": customer,
        "orders": order,
        "products": product,
    }
    table = final_table(dialect, SHOPS[shop][entity][0])
    for key, row in table.rows.items():
        own = {name: table.defaults.get(name) if text is None else text for name, text in row.items()}
        identifier = BEYOND_63_BITS.get(key, key)
        yield identifier, judges[entity](Case(dialect, shop), {**own, "id": identifier})


def customer(case: Case, row: Row, told: Mapping[str, Any] | None = None) -> Judged:
    """`told`: the event's row; without it the last one's."""
    rules = FIELDS["customers"]
    values = {
        "CustomerId": row["id"],
        "Email": row["email"],
        "Name": row["first_name"],
        "Surname": row["last_name"],
        "Language": row["locale"],
        "EmailOptin": _flag(row["email_marketing"]),
        "GdprOptin": _flag(row["gdpr_optin"]),
    }
    if case.shop == "json":
        values |= {"Phone": row["phone"], "Username": row["notes"]}
    else:
        values["Language"] = _valid_or_none(row["locale"], rules["Language"])
        values["Email"] = (row["email"] or "").strip() or None
        if "loyalty_tier" in (told or last_rows(case.dialect, "customers")[str(row["id"])]):
            values["IsExcluded"] = row["loyalty_tier"] == "gold"
    if case.shop == "tables":
        names = ["-" if row[name] is None else str(row[name]) for name in ("first_name", "last_name")]
        values |= {
            "Phone": _valid_or_none(row["phone"], rules["Phone"]),
            "Username": " ".join(names).lower(),
            "WhatsappOptin": _flag(row["whatsapp_marketing"]),
            "AppPushOptin": _flag(row["push_marketing"]),
        }
    if case.shop == "mariadb":
        values["SmsOptin"] = _flag(row["sms_marketing"])
    return _alone("customers", "customers", values)


def order(case: Case, row: Row, only: str = "") -> Judged:
    if case.dialect in FILTERED and case.shop == "tables" and row["status"] == "delivered":
        return Judged("withheld:filtered")
    total = row["grand_total" if case.shop == "mariadb" else "total"]
    values = {
        "OrderId": row["id"],
        "CustomerId": row["customer_id"],
        "Currency": row["currency"],
        "TotalRevenue": _number(total, case.dialect),
        "OrderDate": _utc(row["placed_at"]),
        "IsOrderCancelled": row["status"] == "cancelled",
    }
    if case.shop == "tables":
        values["OrderDate"] = _berlin(row["placed_at"], case.dialect)
    if case.shop == "mariadb":
        if "grand_total" not in last_rows(case.dialect, "orders")[str(row["id"])]:
            del values["TotalRevenue"]
    else:
        values["Email"] = row["email"]
    if case.shop == "json":
        names = ("ProductId", "Sku", "Quantity", "Price", "OriginalPrice", "Size", "Color", "Brand", "IsGift")
        return _with_json(case, "orders", values, row["items"], names)
    return _with_rows(case, "orders", values, only)


def product(case: Case, row: Row, only: str = "") -> Judged:
    values = {
        "ProductId": row["id"],
        "ProductName": row["name"],
        "Taxonomy": None if row["taxonomy"] is None else json.loads(row["taxonomy"]),
        "IsOfflineExclusive": _flag(row["offline_only"]),
    }
    if case.shop == "tables":
        path = row["category_path"]
        values["Taxonomy"] = None if path is None else [name.strip() for name in path.split(">") if name.strip()]
        return _with_rows(case, "products", values, only)
    names = ["VariantId", "Sku", "Name", "OriginalPrice", "Currency", "IsAvailable"]
    if case.shop == "json" and row["id"] == "9901" and case.dialect not in (*KEPT, *FULL):
        return Judged("dead:unavailable")
    if case.shop == "json":
        names += ["SalePrice", "Stock", "Image", "Size", "Language", "BrandName"]
    return _with_json(case, "products", values, row["variants"], names)


def _item(case: Case, row: Row) -> dict[str, Any]:
    values = {
        "ProductId": row["product_id"],
        "Sku": row["sku"],
        "Quantity": _integer(row["quantity"]),
        "Price": _number(row["unit_price"], case.dialect),
        "IsGift": _flag(row["is_gift"]),
    }
    if case.shop == "tables":
        values |= {
            "OriginalPrice": _number(row["list_price"], case.dialect),
            "Size": row["size"],
            "Color": row["color"],
            "Brand": row["brand"] or None,
        }
    return values


def _variant(case: Case, row: Row) -> dict[str, Any]:
    return {
        "VariantId": row["id"],
        "Sku": row["sku"],
        "Name": row["name"],
        "OriginalPrice": _number(row["list_price"], case.dialect),
        "SalePrice": _number(row["sale_price"], case.dialect),
        "Currency": None if row["currency"] is None else row["currency"].upper(),
        "Stock": _integer(row["stock"]),
        "IsAvailable": _flag(row["available"]),
        "Image": row["image_url"],
        "Language": row["locale"],
    }


def _alone(entity: str, table: str, values: Mapping[str, Any]) -> Judged:
    """A document without a list."""
    try:
        return Judged(_checked(entity, composed_of(values, FIELDS[entity], REQUIRED[entity])))
    except RefusedError as refused:
        return Judged(refused.reason, _if_bad(refused, table, values))


def _if_bad(refused: RefusedError, table: str, values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The row with these values, whose first is its key, if it can't be converted."""
    return ((table, str(next(iter(values.values())))),) if refused.reason == "dead:unconvertible" else ()


def _with_json(case: Case, entity: str, values: Mapping[str, Any], text: str | None, names: Sequence[str]) -> Judged:
    """A document with a list from a JSON column, whose names are those of the API in snake_case."""
    children, table = CHILDREN[entity], SHOPS[case.shop][entity][0]
    elements = None if text is None else json.loads(text, parse_float=Decimal)
    if elements in (None, []):
        return Judged(children.withheld)
    own = _alone(entity, table, values)
    if own.verdict == "dead:unconvertible":
        return own
    columns = {name: "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_") for name in names}
    try:
        parts = [
            composed_of(
                {name: each.get(column) for name, column in columns.items()}, children.fields, children.required
            )
            for each in _objects(elements)
        ]
    except RefusedError as refused:
        return Judged(refused.reason, _if_bad(refused, table, values))
    if isinstance(own.verdict, str):
        return own
    return Judged({**own.verdict, children.name: merged(parts, children.identity)})


def _objects(elements: object) -> list[dict[str, Any]]:
    if not isinstance(elements, list) or not all(isinstance(each, dict) for each in elements):
        raise RefusedError("dead:unconvertible")
    return elements


def _with_rows(case: Case, entity: str, values: Mapping[str, Any], only: str) -> Judged:
    """A document with a list from the rows of another table. `only`: without those of another key."""
    root, child = SHOPS[case.shop][entity]
    children, key = CHILDREN[entity], str(next(iter(values.values())))
    own = _alone(entity, root, values)
    rows = [
        row
        for row in _rows_of(case.dialect, child, key)
        if _passes(case.dialect, child, row) and only in ("", row["id"])
    ]
    element = partial({"orders": _item, "products": _variant}[entity], case)
    parts, bad, invalid = [], list(own.bad), False
    for row in rows:
        try:
            parts.append(composed_of(element(row), children.fields, children.required))
        except RefusedError as refused:
            bad += _if_bad(refused, child, {"id": row["id"]})
            invalid = True
    if bad:
        return Judged("withheld:incomplete", tuple(bad))
    if not rows:
        return Judged(children.withheld)
    if invalid or isinstance(own.verdict, str):
        return Judged("dead:invalid")
    return Judged({**own.verdict, children.name: merged(parts, children.identity)})


def _rows_of(dialect: str, child: str, parent: str) -> list[Row]:
    rows = [row for row in final_table(dialect, child).rows.values() if row[FOREIGN_KEYS[child]] == parent]
    return sorted(rows, key=lambda row: int(row["id"] or 0))


def _passes(dialect: str, child: str, row: Row) -> bool:
    if dialect not in FILTERED:
        return True
    return row["is_gift"] != "true" if child == "order_items" else row["available"] == "true"


def _checked(entity: str, document: Document) -> Document:
    if entity != "products" and document.keys().isdisjoint(("CustomerId", "Email")):
        raise RefusedError("dead:invalid")
    return document


# Values, from their SQL text


def _flag(text: str | None) -> object:
    return None if text is None else {"true": True, "1": True, "false": False, "0": False}.get(text, BAD)


def _integer(text: str | None) -> int | None:
    return None if text is None else int(text)


def _number(text: str | None, dialect: str) -> object:
    if text == "NaN":
        return BAD if dialect in NAN_AS_TEXT else None
    return None if text is None else Decimal(text)


def _utc(text: str | None) -> object:
    if text is None or "infinity" in text:
        return None if text is None else BAD
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _berlin(text: str | None, dialect: str) -> object:
    """What a clock in Berlin shows, by the European Union's rule; in a doubled hour as it shows it first.

    Of an hour that it leaps over, what it would have shown without the leap.
    """
    shown = _utc(text)
    if not isinstance(shown, datetime):
        return shown
    if dialect == "json-connect":  # its times are in milliseconds
        shown -= timedelta(microseconds=shown.microsecond % 1000)
    spring, autumn = (_last_sunday(shown.year, month).replace(hour=1) for month in (3, 10))
    summer = shown.year > 1995 and spring <= shown - timedelta(hours=2) < autumn
    return shown - timedelta(hours=2 if summer else 1)


def _last_sunday(year: int, month: int) -> datetime:
    last = datetime(year, month, 31, tzinfo=UTC)
    return last - timedelta(days=(last.weekday() + 1) % 7)


def _valid_or_none(text: str | None, rule: Field) -> str | None:
    return text if text is not None and rule.holds(text) else None
