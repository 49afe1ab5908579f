"""What the API must hold once a shop's own tables were delivered, computed from the final tables and the mapping files.

It imports nothing of the connector: see `oracle`, whose rules of the API it shares. What each mapping file says is
written once more here, in Python.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from family_captures import ENTITIES, FILTERED, KEPT, SHOPS, final_table, records
from oracle import (
    CHILDREN,
    FIELDS,
    REQUIRED,
    Expectation,
    RefusedError,
    composed_of,
    in_json,
    merged,
    payload,
    retracted,
)

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

LOST = "json-lost-offsets"
UNREPORTED = "1006"
"""A customer whose deletion was never reported in the dialect `LOST`."""

BEYOND_63_BITS = {"18446744073709551615": "-1"}
"""Keys that MariaDB's connector can't write, and what it writes instead."""

_STOCKS = (121, *range(40))  # that variant 901102 had


class Dead(NamedTuple):
    """A row of which a record is a dead letter."""

    table: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """`state`: what the API must hold.

    Dead letters: `bad` rows, of each of which one must be a record; of each set in `refused` one; of no others than
    those and `doubtful` rows, which end well, but not in every order.
    """

    state: Expectation
    bad: frozenset[Dead]
    refused: tuple[frozenset[Dead], ...]
    doubtful: frozenset[tuple[str, str]]


class _Case(NamedTuple):
    dialect: str
    shop: str


class _Judged(NamedTuple):
    """Of a document: what it is, or why it is none; and those of its rows that can't be converted."""

    verdict: Document | str
    bad: tuple[tuple[str, str], ...] = ()


def expected(dialect: str, shop: str, *, consent: Literal["forward", "enforce"], merges: bool = False) -> Wanted:
    """What the API must hold at the end if all records of a dialect were delivered as a mapping file says.

    `merges`: an upsert changes no field that it does not hold.
    """
    judged = {entity: dict(_judged(dialect, shop, entity)) for entity in ENTITIES}
    if dialect == LOST:
        judged["customers"][UNREPORTED] = _customer(_Case(dialect, shop), _unreported())
    earlier: dict[str, dict[str, Sequence[Document]]] = {entity: {} for entity in ENTITIES}
    if consent == "enforce":
        _judge_consent(_Case(dialect, shop), judged["customers"], earlier["customers"], merges=merges)
    if shop == "tables":
        _before_their_bad_rows(dialect, judged, earlier)
    if dialect in FULL and shop == "tables":
        _without_new_column(judged["customers"], earlier["customers"])
    return _wanted(_Case(dialect, shop), judged, earlier)


def _without_new_column(judged: Mapping[str, _Judged], earlier: dict[str, Sequence[Document]]) -> None:
    """A column that was added with a default may first come with a change of another, which is not sent.

    Before-images, where they are trusted, have it already: nothing that is read has changed.
    """
    for key, (verdict, _) in judged.items():
        if not isinstance(verdict, str) and verdict.get("IsExcluded") is False:
            without = {name: value for name, value in verdict.items() if name != "IsExcluded"}
            earlier[key] = [*earlier.get(key, ()), without]


def _judge_consent(
    case: _Case, judged: dict[str, _Judged], earlier: dict[str, Sequence[Document]], *, merges: bool
) -> None:
    """What was never sent need not be taken back: of a new customer, and where that is kept, none may be there at all.

    Where upserts merge, the fields that were sent before stay beside the consent that is taken back. Of a withdrawal
    that only a second snapshot tells nothing is known, unless it is kept what was sent.
    """
    told = _told_as(case.dialect)
    taken_back = retracted(_values(case.dialect, "customers"), "id")
    for key, (verdict, _) in list(judged.items()):
        if isinstance(verdict, str) or verdict["GdprOptin"]:
            continue
        judged[key] = _Judged("withheld:no_consent")
        sent = _sent_with_consent(case, key)
        before = [{**document, "GdprOptin": False} for document in sent] if merges else []
        if key in (told.consented if case.shop == "json" else taken_back & told.created):
            earlier[key] = [_retraction(key), *before]
        elif case.shop != "json" and key in taken_back:
            judged[key], earlier[key] = _Judged(_retraction(key)), before
        elif case == _Case(LOST, "tables"):
            earlier[key] = sent


def _retraction(key: str) -> Document:
    return {"CustomerId": key, "GdprOptin": False}


def _sent_with_consent(case: _Case, key: str) -> list[Document]:
    """The documents of all rows that a customer had with his consent."""
    rows = [row for row in _told_as(case.dialect).rows if str(row["id"]) == key and row["gdpr_optin"] in (True, 1)]
    sent = [_customer(case, {name: _sql(value) for name, value in row.items()}, row).verdict for row in rows]
    return [document for document in sent if not isinstance(document, str)]


def _wanted(
    case: _Case,
    judged: Mapping[str, Mapping[str, _Judged]],
    earlier: Mapping[str, Mapping[str, Sequence[Document]]],
) -> Wanted:
    verdicts = {entity: {key: verdict for key, (verdict, _) in all_.items()} for entity, all_ in judged.items()}
    documents = {entity: {k: v for k, v in all_.items() if not isinstance(v, str)} for entity, all_ in verdicts.items()}
    excepted = {entity: {k: v for k, v in all_.items() if isinstance(v, str)} for entity, all_ in verdicts.items()}
    bad = {Dead(*row, "unconvertible") for all_ in judged.values() for each in all_.values() for row in each.bad}
    refused = [
        frozenset(Dead(*row, reason.removeprefix("dead:")) for row in _family(case, entity, key))
        for entity, all_ in excepted.items()
        for key, reason in all_.items()
        if reason.startswith("dead:")
    ]
    broken = [
        row
        for entity, all_ in excepted.items()
        for key, reason in all_.items()
        if reason.startswith("dead:") or reason == "withheld:incomplete"
        for row in _family(case, entity, key)
    ]
    state = Expectation(documents, excepted, earlier, {})
    return Wanted(state, frozenset(bad), tuple(refused), frozenset((*broken, *_DOUBTFUL)))


_DOUBTFUL = {
    ("product_variants", "901000"): "its price is NaN for a while",
    ("product_variants", "900900"): "it is the variant of a product whose name is too long, for a while",
    ("products", "9009"): "such a product, whose variants may be filtered",
    ("orders_json", "OJ-9001"): "its items do not come with every event",
    ("products_json", "9001"): "nor do its variants",
    ("products_json", "9901"): "nor do they under its new key",
}


def unlike(wanted: Wanted, dead: set[Dead]) -> list[str]:
    """One line for each row, or set of rows, that is no dead letter and must be, or is and must not be."""
    lines = [f"{each}: no dead letter" for each in sorted(wanted.bad - dead)]
    lines += [f"none is a dead letter of {sorted(rows)}" for rows in wanted.refused if rows.isdisjoint(dead)]
    return lines + [f"{each}: a dead letter" for each in sorted(dead) if each[:2] not in wanted.doubtful]


def without_nulls(value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """What is null, and must be where upserts merge, is as good as absent."""
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return value


def _family(case: _Case, entity: str, key: str) -> set[tuple[str, str]]:
    """The rows that a document was ever made of, as pairs of table and primary key."""
    root, *children = SHOPS[case.shop][entity]
    rows = {
        (child, inner)
        for child in children
        for inner, row in last_rows(case.dialect, child).items()
        if str(row[_FOREIGN_KEYS[child]]) == key
    }
    return {(root, key), *rows}


_FOREIGN_KEYS = {"order_items": "order_id", "product_variants": "product_id"}


@cache
def last_rows(dialect: str, table: str) -> dict[str, Mapping[str, Any]]:
    """The last row that was told of each key, whether or not it was deleted later."""
    found: dict[str, Mapping[str, Any]] = {}
    for told in map(payload, _values(dialect, table)):
        row = None if told is None else told.get("after") if "op" in told else told
        if row is not None and told is not None and told.get("__deleted") != "true":
            found[str(row["id"])] = row
    return found


def _values(dialect: str, table: str) -> Iterator[bytes | None]:
    return (each.value for each in records(in_json(dialect)) if each.table == table)


class _ToldAs(NamedTuple):
    """All rows of customers; those who ever had given their consent, and those whose insertion was told as such."""

    rows: tuple[Mapping[str, Any], ...]
    consented: frozenset[str]
    created: frozenset[str]


@cache
def _told_as(dialect: str) -> _ToldAs:
    told = [each for each in map(payload, _values(dialect, "customers")) if each is not None]
    rows = [row for each in told if (row := each.get("after") if "op" in each else each) is not None]
    created = [each["after"] if "op" in each else each for each in told if "c" in (each.get("op"), each.get("__op"))]
    return _ToldAs(
        tuple(rows),
        frozenset(str(row["id"]) for row in rows if row["gdpr_optin"] in (True, 1)),
        frozenset(str(row["id"]) for row in created),
    )


def _unreported() -> Row:
    """The last row that was told, as SQL would write it."""
    row = last_rows(LOST, "customers")[UNREPORTED]
    return {name: _sql(value) for name, value in row.items()}


def _sql(value: object) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# Documents, as the mapping files say


def _judged(dialect: str, shop: str, entity: str) -> Iterator[tuple[str, _Judged]]:
    judges: Mapping[str, Callable[[_Case, Row], _Judged]] = {
        "customers": _customer,
        "orders": _order,
        "products": _product,
    }
    table = final_table(dialect, SHOPS[shop][entity][0])
    for key, row in table.rows.items():
        own = {name: table.defaults.get(name) if text is None else text for name, text in row.items()}
        identifier = BEYOND_63_BITS.get(key, key)
        yield identifier, judges[entity](_Case(dialect, shop), {**own, "id": identifier})


def _customer(case: _Case, row: Row, told: Mapping[str, Any] | None = None) -> _Judged:
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


def _order(case: _Case, row: Row, only: str = "") -> _Judged:
    if case.dialect in FILTERED and case.shop == "tables" and row["status"] == "delivered":
        return _Judged("withheld:filtered")
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


def _product(case: _Case, row: Row, only: str = "") -> _Judged:
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
        return _Judged("dead:unavailable")
    if case.shop == "json":
        names += ["SalePrice", "Stock", "Image", "Size", "Language", "BrandName"]
    return _with_json(case, "products", values, row["variants"], names)


def _item(case: _Case, row: Row) -> dict[str, Any]:
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


def _variant(case: _Case, row: Row) -> dict[str, Any]:
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


def _alone(entity: str, table: str, values: Mapping[str, Any]) -> _Judged:
    """A document without a list."""
    try:
        return _Judged(_checked(entity, composed_of(values, FIELDS[entity], REQUIRED[entity])))
    except RefusedError as refused:
        return _Judged(refused.reason, _if_bad(refused, table, values))


def _if_bad(refused: RefusedError, table: str, values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """The row with these values, whose first is its key, if it can't be converted."""
    return ((table, str(next(iter(values.values())))),) if refused.reason == "dead:unconvertible" else ()


def _with_json(case: _Case, entity: str, values: Mapping[str, Any], text: str | None, names: Sequence[str]) -> _Judged:
    """A document with a list from a JSON column, whose names are those of the API in snake_case."""
    children, table = CHILDREN[entity], SHOPS[case.shop][entity][0]
    elements = None if text is None else json.loads(text, parse_float=Decimal)
    if elements in (None, []):
        return _Judged(children.withheld)
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
        return _Judged(refused.reason, _if_bad(refused, table, values))
    if isinstance(own.verdict, str):
        return own
    return _Judged({**own.verdict, children.name: merged(parts, children.identity)})


def _objects(elements: object) -> list[dict[str, Any]]:
    if not isinstance(elements, list) or not all(isinstance(each, dict) for each in elements):
        raise RefusedError("dead:unconvertible")
    return elements


def _with_rows(case: _Case, entity: str, values: Mapping[str, Any], only: str) -> _Judged:
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
        return _Judged("withheld:incomplete", tuple(bad))
    if not rows:
        return _Judged(children.withheld)
    if invalid or isinstance(own.verdict, str):
        return _Judged("dead:invalid")
    return _Judged({**own.verdict, children.name: merged(parts, children.identity)})


def _rows_of(dialect: str, child: str, parent: str) -> list[Row]:
    rows = [row for row in final_table(dialect, child).rows.values() if row[_FOREIGN_KEYS[child]] == parent]
    return sorted(rows, key=lambda row: int(row["id"] or 0))


def _passes(dialect: str, child: str, row: Row) -> bool:
    if dialect not in FILTERED:
        return True
    return row["is_gift"] != "true" if child == "order_items" else row["available"] == "true"


def _checked(entity: str, document: Document) -> Document:
    if entity != "products" and document.keys().isdisjoint(("CustomerId", "Email")):
        raise RefusedError("dead:invalid")
    return document


# Documents that the API may hold, though rows that came later make them impossible


def _before_their_bad_rows(
    dialect: str, judged: Mapping[str, Mapping[str, _Judged]], earlier: Mapping[str, dict[str, Sequence[Document]]]
) -> None:
    """A family of which a row is bad stays as it was before: without that row, if the good ones came first.

    The rows of a family lie on several partitions, which have no order. Only SO-9024 and product 9011 have good rows
    beside bad ones, one each; that of 9011 had many stocks.
    """
    if isinstance(judged["orders"]["SO-9024"].verdict, str):
        order = _order(_Case(dialect, "tables"), final_table(dialect, "orders").rows["SO-9024"], only="50271").verdict
        assert not isinstance(order, str)
        earlier["orders"]["SO-9024"] = [order]
    if isinstance(judged["products"]["9011"].verdict, str):
        product = _product(
            _Case(dialect, "tables"), final_table(dialect, "products").rows["9011"], only="901102"
        ).verdict
        assert not isinstance(product, str)
        [variant] = product["ProductVariants"]
        stocks = [{**product, "ProductVariants": [{**variant, "Stock": stock}]} for stock in _STOCKS]
        earlier["products"]["9011"] = stocks


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
