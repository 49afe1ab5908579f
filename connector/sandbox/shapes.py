"""The fields of the API's records as its documents list them: types, lengths, forms, what each contract requires."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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


def units(text: str) -> int:
    """Length as the server's platform counts it: UTF-16 code units. Half a surrogate pair raises."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and (value.isascii() or units(value) > 0)
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
_HTTPS = Form(re.compile(r"https://[^\s/]\S*").fullmatch, "The {} field is not a public HTTPS URL.", strict=True)

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
