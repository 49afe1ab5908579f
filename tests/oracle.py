"""What the API must hold once the captures were delivered, computed from the final tables and the documented rules.

It imports nothing of the connector: two readings of the rules that agree are worth more than one that agrees with
itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from math import isclose
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias, cast

from shop_captures import TABLES, final_table, records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Document: TypeAlias = "Mapping[str, Any]"
"""A document by value: Decimal for an exact number, Fraction for a mean, datetime for an instant, dicts for items."""

UNAVAILABLE = {"orders": {"O-9001": {"IsOrderCancelled": False}}, "products": {"P-9001": {"IsOfflineExclusive": False}}}
"""Keys whose last event lacks its items or variants, as a large column that did not change. If the event before it was
sent already, the API keeps that state: the final one but for these fields."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the API must hold, and for each row that it must not hold the reason.

    `earlier` has the states that the API may hold instead of those in `documents`, or though `excepted` says why it
    holds none. `may_end_unavailable` names the keys whose row may become a dead letter for a column that is
    unavailable, whatever `excepted` says of them.
    """

    documents: Mapping[str, Mapping[str, Document]]
    excepted: Mapping[str, Mapping[str, str]]
    earlier: Mapping[str, Mapping[str, Sequence[Document]]]
    may_end_unavailable: Mapping[str, frozenset[str]]


class Field(NamedTuple):
    """`holds` is asked only for values of `kind`; a value of another kind can't be converted."""

    kind: type
    holds: Callable[[Any], bool] = lambda _: True
    default: bool | None = None


class Children(NamedTuple):
    """The list in a document: its fields, those that are required, and those that identify an element."""

    name: str
    withheld: str
    fields: Mapping[str, Field]
    required: set[str]
    identity: tuple[str, ...]


_WITHOUT_SCALES = ("json", "json-full", "flat", "flat-rewrite")
"""Precise decimals in JSON without schemas: a number in base64 whose scale nobody knows."""


class RefusedError(Exception):
    """There is no document, for a reason such as `withheld:no_items` or `dead:invalid`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _sized(least: int, most: int) -> Field:
    return Field(str, lambda text: least <= len(text) <= most)


def _matching(pattern: str) -> Field:
    return Field(str, lambda text: re.fullmatch(pattern, text) is not None)


_TEXT = Field(str)
_NUMBER = Field(Decimal)
_INTEGER = Field(int, lambda number: -(2**31) <= number < 2**31)
_FLAG = Field(bool)
_FLAG_FALSE = Field(bool, default=False)
_ID, _SKU, _FREE_50 = _sized(1, 100), _sized(1, 50), _sized(0, 50)
_EMAIL = _matching(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_PHONE = _matching(r"\+[1-9][0-9]{1,14}")
_LANGUAGE = _matching(r"(?=.{2,10}$)[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_CURRENCY = _matching(r"[A-Z]{3}")

FIELDS: Mapping[str, Mapping[str, Field]] = {
    "customers": {
        "CustomerId": _ID,
        "Email": _EMAIL,
        **dict.fromkeys(("Name", "Surname", "Username"), _TEXT),
        "Phone": _PHONE,
        "Language": _LANGUAGE,
        **dict.fromkeys(("EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin"), _FLAG),
        **dict.fromkeys(("GdprOptin", "IsExcluded"), _FLAG_FALSE),
    },
    "orders": {
        "OrderId": _ID,
        "CustomerId": _ID,
        "Email": _EMAIL,
        "OrderDate": Field(datetime),
        "TotalRevenue": _NUMBER,
        "Currency": _CURRENCY,
        **dict.fromkeys(("TotalQuantity", "UniqueQuantity"), _INTEGER),
        "IsOrderCancelled": _FLAG_FALSE,
    },
    "products": {
        "ProductId": _ID,
        "ProductName": _sized(0, 200),
        "Taxonomy": Field(list, lambda names: all(isinstance(name, str) for name in names)),
        "IsOfflineExclusive": _FLAG_FALSE,
    },
}
REQUIRED: Mapping[str, set[str]] = {"customers": set(), "orders": {"OrderId", "Currency"}, "products": {"ProductId"}}
CHILDREN: Mapping[str, Children] = {
    "orders": Children(
        name="OrderItems",
        withheld="withheld:no_items",
        fields={
            "ProductId": _ID,
            "Sku": _SKU,
            "Quantity": _INTEGER,
            **dict.fromkeys(("Price", "OriginalPrice"), _NUMBER),
            **dict.fromkeys(("Size", "Color"), _FREE_50),
            "Brand": _TEXT,
            "IsGift": _FLAG_FALSE,
        },
        required={"ProductId", "Sku", "Quantity", "Price"},
        identity=("ProductId", "Sku"),
    ),
    "products": Children(
        name="ProductVariants",
        withheld="withheld:no_variants",
        fields={
            "VariantId": _ID,
            "Sku": _SKU,
            **dict.fromkeys(("Name", "Size", "BrandName"), _TEXT),
            **dict.fromkeys(("OriginalPrice", "SalePrice"), _NUMBER),
            "Currency": _CURRENCY,
            "IsAvailable": _FLAG,
            "Image": _matching(r"https://\S+"),
            "Stock": _INTEGER,
            "Language": _LANGUAGE,
        },
        required={"VariantId", "Sku"},
        identity=("VariantId",),
    ),
}


def expected(dialect: str, *, consent: Literal["forward", "enforce"] = "forward") -> Expectation:
    """What the API must hold at the end if all records of a dialect were delivered under the lenient contract.

    Under `enforce` a customer without consent is withheld or, if an update said so, retracted: what stays is the
    identifier and the missing consent.
    """
    judged = {
        entity: {key: judge(entity, row, dialect) for key, row in final_table(entity).rows.items()} for entity in TABLES
    }
    if consent == "enforce":
        judged["customers"] = _consented(judged["customers"], _retracted(dialect))
    documents = {entity: {k: v for k, v in all_.items() if not isinstance(v, str)} for entity, all_ in judged.items()}
    return Expectation(
        documents=documents,
        excepted={entity: {k: v for k, v in all_.items() if isinstance(v, str)} for entity, all_ in judged.items()},
        earlier={
            entity: {key: [{**documents[entity][key], **old}] for key, old in keys.items() if key in documents[entity]}
            for entity, keys in UNAVAILABLE.items()
        },
        may_end_unavailable={entity: frozenset(keys) for entity, keys in UNAVAILABLE.items()},
    )


def judge(entity: str, row: Mapping[str, str | None], dialect: str) -> Document | str:
    """The document of a row of SQL texts, or the reason why there is none."""
    types = final_table(entity).columns
    values = {column: None if text is None else _value(types[column], text) for column, text in row.items()}
    if dialect not in ("json-strings", "json-connect"):  # a precise NaN arrives as null
        values = {column: None if _is_nan(value) else value for column, value in values.items()}
    try:
        return _composed(entity, values, dialect)
    except RefusedError as refused:
        return refused.reason


def difference(expectation: Expectation, state: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """One line for each thing that the API holds and must not, or must hold and does not; [] if it holds what it must.

    `state` is entity → id → document as the API's JSON was read. Instants and numbers are compared by value, items and
    variants by their keys, in any order; everything else must be equal and of the same type.
    """
    lines = [f"{entity}: unknown" for entity in sorted(state.keys() - TABLES.keys())]
    for entity in TABLES:
        documents, held = expectation.documents[entity], state.get(entity, {})
        for key in sorted(documents.keys() | held.keys()):
            if key not in held:
                lines.append(f"{entity} {key!r}: missing")
                continue
            earlier = expectation.earlier.get(entity, {}).get(key, ())
            if any(not _unequal(state, held[key]) for state in earlier):
                continue
            if key in documents:
                lines += [f"{entity} {key!r}{line}" for line in _unequal(documents[key], held[key])]
            else:
                reason = expectation.excepted[entity].get(key, "no such row")
                lines.append(f"{entity} {key!r}: present, though {reason}")
    return lines


def _value(sql_type: str, text: str) -> object:
    if sql_type == "boolean":
        return {"true": True, "false": False}[text]
    if sql_type == "integer":
        return int(text)
    if sql_type.startswith("numeric"):
        return Decimal(text)
    if sql_type == "timestamp with time zone":
        return datetime.fromisoformat(text)
    if sql_type == "jsonb":
        return json.loads(text, parse_float=Decimal)
    assert sql_type == "text", sql_type
    return text


def _is_nan(value: object) -> bool:
    return isinstance(value, Decimal) and value.is_nan()


def _column(field: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", field).lower()


def _composed(entity: str, values: Mapping[str, Any], dialect: str) -> Document:
    children = CHILDREN.get(entity)
    if children is not None and values[_column(children.name)] in (None, []):
        raise RefusedError(children.withheld)
    if dialect in _WITHOUT_SCALES and any(isinstance(value, Decimal) for value in values.values()):
        raise RefusedError("dead:scale_unknown")
    document = composed_of(_named(values, FIELDS[entity]), FIELDS[entity], REQUIRED[entity])
    if entity in ("customers", "orders") and document.keys().isdisjoint(("CustomerId", "Email")):
        raise RefusedError("dead:invalid")
    if children is None:
        return document
    elements = values[_column(children.name)]
    if not isinstance(elements, list) or not all(isinstance(each, dict) for each in elements):
        raise RefusedError("dead:unconvertible")
    converted = [composed_of(_named(each, children.fields), children.fields, children.required) for each in elements]
    return {**document, children.name: merged(converted, children.identity)}


def _named(values: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    return {name: values.get(_column(name)) for name in fields}


def composed_of(values: Mapping[str, Any], fields: Mapping[str, Field], required: set[str]) -> dict[str, Any]:
    """The document, or the element of a list, with these values. Raises RefusedError."""
    converted = {name: _converted(value, fields[name]) for name, value in values.items()}
    document = {name: value for name, value in converted.items() if value is not None}
    if not document.keys() >= required or not all(fields[name].holds(value) for name, value in document.items()):
        raise RefusedError("dead:invalid")
    return document


def _converted(value: object, field: Field) -> object:
    if value is None:
        return field.default
    if field.kind is Decimal and type(value) is int:
        return Decimal(value)
    if type(value) is not field.kind or _is_nan(value):
        raise RefusedError("dead:unconvertible")
    return value


def merged(elements: Sequence[Document], identity: tuple[str, ...]) -> list[Document]:
    """Items of one key become one; variants of one key do not occur in the data."""
    groups: dict[tuple[str, ...], list[Document]] = {}
    for each in elements:
        groups.setdefault(tuple(each[name] for name in identity), []).append(each)
    return [group[0] if len(group) == 1 else _one_item(group) for group in groups.values()]


def _one_item(items: Sequence[Document]) -> Document:
    quantity = sum(item["Quantity"] for item in items)
    means = {
        name: sum((Fraction(item[name]) * item["Quantity"] for item in items), Fraction()) / quantity
        for name in ("Price", "OriginalPrice")
        if all(name in item for item in items)
    }
    return {**items[0], "Quantity": quantity, **means}


def _retracted(dialect: str) -> set[str]:
    own = records(in_json(dialect))
    return retracted((each.value for each in own if each.table == TABLES["customers"]), "customer_id")


def in_json(dialect: str) -> str:
    """The dialect in JSON that was made of the same workload in the same order."""
    return {"avro": "json-schema", "avro-full": "json-full", "flat-avro": "flat-schema"}.get(dialect, dialect)


def payload(value: bytes | None) -> Mapping[str, Any] | None:
    """What a record in JSON tells: an envelope or a row; None for a tombstone."""
    event = None if value is None else json.loads(value)
    found: Mapping[str, Any] | None = event.get("payload", event) if event is not None else None
    return found


def retracted(values: Iterable[bytes | None], key: str) -> set[str]:
    """Customers whose consent an update took away: a snapshot that reads the row again takes back no retraction."""
    payloads = [told for value in values if (told := payload(value)) is not None]
    updated = [row for told in payloads if (row := _updated(told)) is not None]
    return {str(row[key]) for row in updated if row["gdpr_optin"] not in (True, 1)}


def _updated(payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The row of an update. Without its envelope any row may be one, unless its operation was added.

    Of an update whose before-image is known only one that had given its consent takes it back.
    """
    if "after" not in payload:
        return payload if payload.get("__op", "u") == "u" else None
    before = payload["before"]
    if payload["op"] != "u" or (before is not None and before["gdpr_optin"] not in (True, 1)):
        return None
    return cast("Mapping[str, Any]", payload["after"])


def _consented(judged: Mapping[str, Document | str], taken_back: set[str]) -> dict[str, Document | str]:
    def decide(key: str, verdict: Document | str) -> Document | str:
        if isinstance(verdict, str) or verdict["GdprOptin"]:
            return verdict
        return {"CustomerId": key, "GdprOptin": False} if key in taken_back else "withheld:no_consent"

    return {key: decide(key, verdict) for key, verdict in judged.items()}


def _unequal(expected_value: object, value: object, path: str = "") -> list[str]:
    """Lines such as `[OrderItems][101/SKU-1][Price]: expected …, found …`."""
    match expected_value, value:
        case dict(), dict():
            return _unequal_dicts(expected_value, value, path)
        case [dict(), *_], list():
            return _unequal_elements(expected_value, value, path)
        case _:
            same = _same(expected_value, value)
            return [] if same else [f"{path}: expected {expected_value!r}, found {value!r}"]


def _unequal_dicts(expected_value: Mapping[Any, object], value: Mapping[Any, object], path: str) -> list[str]:
    lines = [f"{path}[{name}]: missing" for name in expected_value.keys() - value.keys()]
    lines += [f"{path}[{name}]: not expected" for name in value.keys() - expected_value.keys()]
    for name in expected_value.keys() & value.keys():
        lines += _unequal(expected_value[name], value[name], f"{path}[{name}]")
    return sorted(lines)


def _unequal_elements(expected_value: Sequence[object], value: Sequence[object], path: str) -> list[str]:
    identity = next(each.identity for each in CHILDREN.values() if path == f"[{each.name}]")

    def keyed(elements: Sequence[Any]) -> dict[str, object]:
        return {"/".join(str(element.get(name)) for name in identity): element for element in elements}

    if not all(isinstance(element, dict) for element in value):
        return [f"{path}: an element is no object"]
    if len(value) != len(expected_value):
        return [f"{path}: expected {len(expected_value)} elements, found {len(value)}"]
    return _unequal_dicts(keyed(expected_value), keyed(value), path)


def _same(expected_value: object, value: object) -> bool:
    if isinstance(expected_value, datetime):
        return isinstance(value, str) and _instant(value) == expected_value
    if isinstance(expected_value, Decimal | Fraction):
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return False
        if isinstance(expected_value, Fraction):
            return isclose(expected_value, value, rel_tol=1e-12)
        return float(expected_value) == float(value)
    return type(expected_value) is type(value) and expected_value == value


def _instant(text: str) -> datetime | None:
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", text, re.ASCII) is None:
        return None
    return datetime.fromisoformat(text)
