"""What a record must be, by a reading of the API's documents that shares nothing with the connector's own.

The connector is judged by this module, so it imports none of the connector's rules: a mistake that both made together
would be seen by nobody.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Document = dict[str, Any]
ONE_OF = "At least one of the following properties must have a value: CustomerId, Email"


class Contract(StrEnum):
    """`lenient` requires what every document requires, `strict` what the newest API reference requires."""

    LENIENT = "lenient"
    STRICT = "strict"


class Violation(NamedTuple):
    """What is wrong at `path` of the batch's record number `record`; None: with the request as a whole.

    `conversion`: a JSON type is wrong, which the server notices before any other rule, and only the first time.
    `promise`: what the connector promised never to send, "" where the violation is the data's.
    """

    record: int | None
    path: str
    message: str
    conversion: bool = False
    promise: str = ""


@dataclass(frozen=True, slots=True)
class Form:
    """How a string must look. `strict`: only the strict contract asks for it."""

    holds: Callable[[str], object]
    sentence: str
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A field's type, as the server names it, which JSON values convert to it, and what else must hold."""

    type: str
    converts: Callable[[Any], bool]
    longest: int | None = None
    form: Form | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of one kind of object. `identified`: CustomerId or Email must have a value."""

    fields: Mapping[str, Field]
    lenient: tuple[str, ...] = ()
    strict: tuple[str, ...] = ()
    identified: bool = False
    list_name: str = ""
    element: Shape | None = None


def _units(text: str) -> int:
    """Length as the server's platform counts it: UTF-16 code units. Half a surrogate pair raises."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and _units(value) >= 0
    except UnicodeEncodeError:
        return False


def _is_double(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:
        return False


def _is_int32(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31


def _is_utc(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z", text):
        return False
    try:
        return bool(datetime.fromisoformat(text[:19] + "+00:00"))
    except ValueError:
        return False


def _text(longest: int | None = None, form: Form | None = None) -> Field:
    return Field("System.String", _is_text, longest, form)


_EMAIL = Form(re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+").fullmatch, "The {} field is not a valid e-mail address.")
_PHONE = Form(re.compile(r"\+[1-9][0-9]{1,14}").fullmatch, "The {} field is not a phone number in E.164 format.")
_LANGUAGE = Form(re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*").fullmatch, "The {} field is not a BCP 47 tag.")
_CURRENCY = Form(re.compile(r"[A-Z]{3}").fullmatch, "The {} field is not an ISO 4217 code.")
_MOMENT = Form(_is_utc, "The {} field is not an ISO 8601 UTC datetime.")
_HTTPS = Form(re.compile(r"https://[^\s/]+\S*").fullmatch, "The {} field is not a public HTTPS URL.", strict=True)

_TEXT = _text()
_FLAG = Field("System.Boolean", lambda value: isinstance(value, bool))
_INT = Field("System.Int32", _is_int32)
_DOUBLE = Field("System.Double", _is_double)
_TEXTS = Field("System.String[]", lambda value: isinstance(value, list) and all(map(_is_text, value)))

_ITEM_FIELDS = {
    "ProductId": _text(100),
    **dict.fromkeys(("Sku", "Size", "Color"), _text(50)),
    "Brand": _TEXT,
    "Quantity": _INT,
    **dict.fromkeys(("Price", "OriginalPrice"), _DOUBLE),
    "IsGift": _FLAG,
}
_ITEM_REQUIRED = ("ProductId", "Sku", "Quantity", "Price")
_VARIANT_FIELDS = {
    "Sku": _text(50),
    **dict.fromkeys(("VariantId", "Name", "Size", "BrandName"), _TEXT),
    **dict.fromkeys(("OriginalPrice", "SalePrice"), _DOUBLE),
    "Currency": _text(3, _CURRENCY),
    "IsAvailable": _FLAG,
    "Image": _text(None, _HTTPS),
    "Stock": _INT,
    "Language": _text(10, _LANGUAGE),
}
_CUSTOMER_FIELDS = {
    "CustomerId": _text(100),
    "Email": _text(None, _EMAIL),
    **dict.fromkeys(("Name", "Surname", "Username"), _TEXT),
    "Phone": _text(None, _PHONE),
    "Language": _text(10, _LANGUAGE),
    **dict.fromkeys(("EmailOptin", "SmsOptin", "WhatsappOptin", "AppPushOptin", "GdprOptin", "IsExcluded"), _FLAG),
}
_ORDER_FIELDS = {
    "OrderId": _text(100),
    "CustomerId": _TEXT,
    "Email": _text(None, _EMAIL),
    "OrderDate": _text(None, _MOMENT),
    "TotalRevenue": _DOUBLE,
    "Currency": _text(3, _CURRENCY),
    **dict.fromkeys(("TotalQuantity", "UniqueQuantity"), _INT),
    "IsOrderCancelled": _FLAG,
}
_PRODUCT_FIELDS = {
    "ProductId": _text(100),
    "ProductName": _text(200),
    "Taxonomy": _TEXTS,
    "IsOfflineExclusive": _FLAG,
}
SHAPES = {
    "customers": Shape(_CUSTOMER_FIELDS, identified=True),
    "orders": Shape(
        _ORDER_FIELDS,
        lenient=("OrderId", "Currency"),
        strict=("OrderId", "CustomerId", "Email", "OrderDate", "TotalRevenue", "Currency", "OrderItems"),
        identified=True,
        list_name="OrderItems",
        element=Shape(_ITEM_FIELDS, _ITEM_REQUIRED, _ITEM_REQUIRED),
    ),
    "products": Shape(
        _PRODUCT_FIELDS,
        lenient=("ProductId",),
        strict=("ProductId", "ProductName", "ProductVariants"),
        list_name="ProductVariants",
        element=Shape(
            _VARIANT_FIELDS,
            lenient=("VariantId", "Sku"),
            strict=("VariantId", "Sku", "Name", "OriginalPrice", "Currency", "IsAvailable"),
        ),
    ),
}
KEYS = {"customers": ("CustomerId", "Email"), "orders": ("OrderId",), "products": ("ProductId",)}
MOST_RECORDS = {"customers": 1000, "orders": 500, "products": 200}


def identify(entity: str, record: object) -> str | None:
    """The record's upsert key, None where it has none that could be read."""
    if not isinstance(record, dict):
        return None
    values = (record.get(name) for name in KEYS[entity])
    return next((value for value in values if isinstance(value, str) and value.strip()), None)


def read(entity: str, body: bytes, contract: Contract) -> tuple[list[Any], list[Violation]]:
    """The records of a POST, as far as they can be told apart, and all that is wrong with them.

    Where a JSON type is wrong the violations are that one alone, as the server stops reading there.
    """
    try:
        records = json.loads(body.decode(), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        message = "The request body is not valid JSON." if body else "A non-empty request body is required."
        return [], [Violation(None, "$" if body else "", message, conversion=True, promise="a body that is no JSON")]
    if not isinstance(records, list):
        message = "The JSON value could not be converted to an array. Path: $."
        return [], [Violation(None, "$", message, conversion=True, promise="a body that is not an array")]
    most = MOST_RECORDS[entity]
    if len(records) > most:
        message = f"At most {most} records per request."
        return records, [Violation(None, "", message, promise=f"more than {most} {entity} in a request")]
    found = [
        violation._replace(record=number)
        for number, record in enumerate(records)
        for violation in _violations(record, SHAPES[entity], contract)
    ]
    unreadable = next((violation for violation in found if violation.conversion), None)
    return records, [unreadable] if unreadable else found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _violations(record: object, shape: Shape, contract: Contract) -> Iterator[Violation]:
    if not isinstance(record, dict):
        yield _unconverted("", "an object")
        return
    for name in shape.strict if contract is Contract.STRICT else shape.lenient:
        if _blank(record.get(name)):
            yield Violation(None, name, f"The {name} field is required.")
    if shape.identified and _blank(record.get("CustomerId")) and _blank(record.get("Email")):
        yield Violation(None, "CustomerId", ONE_OF)
    for name, value in record.items():
        if shape.element and name == shape.list_name:
            yield from _elements(name, value, shape.element, contract)
        elif name not in shape.fields:
            yield Violation(None, name, f"The field {name} is unknown.", promise=f"an unknown field {name}")
        elif value is not None:
            yield from _value(name, value, shape.fields[name], contract)


def _unconverted(path: str, wanted: str) -> Violation:
    return Violation(None, path, f"The JSON value could not be converted to {wanted}.", conversion=True)


def _value(name: str, value: Any, field: Field, contract: Contract) -> Iterator[Violation]:  # noqa: ANN401 # JSON
    if not field.converts(value):
        yield _unconverted(name, field.type)
        return
    if field.longest is not None and _units(value) > field.longest:
        yield Violation(None, name, f"Maximum length is {field.longest} characters.")
    form = field.form
    if form and not (form.strict and contract is Contract.LENIENT) and not form.holds(value):
        yield Violation(None, name, form.sentence.format(name))


def _elements(name: str, value: object, shape: Shape, contract: Contract) -> Iterator[Violation]:
    if value is None:
        return
    if not isinstance(value, list):
        yield _unconverted(name, "an array")
        return
    if not value and contract is Contract.STRICT:
        yield Violation(None, name, "Minimum one item required.")
    for index, element in enumerate(value):
        for violation in _violations(element, shape, contract):
            below = f".{violation.path}" if violation.path else ""
            yield violation._replace(path=f"{name}[{index}]{below}")
