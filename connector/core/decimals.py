"""Numbers, from any of Debezium's representations of a decimal to JSON's.

A decimal in base64 says nothing without its scale, which is refused where the message does not tell it.
"""

from __future__ import annotations

import base64
import binascii
import re
from decimal import Decimal
from math import isinf
from typing import TYPE_CHECKING, Any

from connector.core.events import Reason
from connector.core.notes import BadValue, Notes, found

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.core.events import ColumnType

DECIMAL = "org.apache.kafka.connect.data.Decimal"
VARIABLE = "io.debezium.data.VariableScaleDecimal"

_NOT_HOLDABLE = "is no finite number that JSON can hold; expected one"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_NOT_FINITE = frozenset({"nan", "inf", "-inf", "infinity", "-infinity", "+infinity"})
_MOST_EXPONENT = 400  # a double ends at 308
_MOST_CHARACTERS = 200_000  # PostgreSQL's numeric has 147,455 digits
_EXACT_DIGITS = 15  # as many are the same after a double
_EXACT = 10**_EXACT_DIGITS
_SHORTER_AS_INTEGER = 1e16


def number(value: object, notes: Notes) -> int | float:
    """The JSON number that equals the column's decimal, in the shortest form that reads back as the same double."""
    if type(value) is float:
        scaled = value * 10_000
        # A division is rounded correctly: this is the double next to a decimal of four places and at most 15 digits.
        if -_EXACT < scaled < _EXACT and round(scaled) / 10_000 == value:
            return int(value) if value.is_integer() else value
    elif type(value) is int and -_EXACT < value < _EXACT:
        return value
    exact = decimal(value)
    double = float(exact)
    if isinf(double):
        raise BadValue(_NOT_HOLDABLE)
    if _significant(exact) > _EXACT_DIGITS or (exact and not double):
        notes.rounded += 1
    return shortest(double)


def shortest(double: float) -> int | float:
    """A double's shortest form in JSON: 12 is shorter than 12.0, but 1e+20 than its digits."""
    return int(double) if double.is_integer() and abs(double) < _SHORTER_AS_INTEGER else double


def integer(value: object, _: Notes) -> int:
    """An integer, also from a decimal without a fraction."""
    return value if type(value) is int else whole(decimal(value))


def whole(value: Decimal) -> int:
    """Raises BadValue for a fraction."""
    if not _fits(value) or value != int(value):
        raise BadValue("is a decimal with a fraction, or too large; expected an integer")
    return int(value)


def unless_base64(convert: Callable[[Any, Notes], Any]) -> Callable[[Any, Notes], Any]:
    """For columns of which the message says nothing: refuses a text that may be base64, be it digits as well."""

    def guarded(value: object, notes: Notes) -> object:
        if isinstance(value, str) and value and _BASE64.fullmatch(value) and value.lower() not in _NOT_FINITE:
            raise _scale_unknown()
        return convert(value, notes)

    return guarded


def reader(column: ColumnType) -> Callable[[Any], Any] | None:
    """What decodes the values of a decimal column; None for a column of another type."""
    if column.name == VARIABLE:
        return lambda value: _variable(value) if isinstance(value, dict) else value
    if column.name != DECIMAL:
        return None
    text = column.parameters.get("scale")
    scale = int(text) if isinstance(text, str) and re.fullmatch(r"-?[0-9]{1,5}", text) else None

    def read(value: object) -> object:
        if not isinstance(value, str):
            return value  # the converter's decimal.format is NUMERIC
        if scale is None:
            raise _scale_unknown()
        return _unscaled(value, scale)

    return read


def scaled(scale: int) -> Callable[[Any], Any]:
    """What decodes a decimal in base64 whose scale is told elsewhere. Others stand for themselves."""
    return lambda value: _unscaled(value, scale) if isinstance(value, str) and "." not in value else value


def decimal(value: object) -> Decimal:
    """The exact value of a number, or of what stands for one."""
    if isinstance(value, str):
        if len(value) > _MOST_CHARACTERS:
            raise BadValue(_NOT_HOLDABLE)
        if not _NUMBER.fullmatch(value):
            problem = "no finite number" if value.lower() in _NOT_FINITE else "a text that is no number"
            raise BadValue(f"is {problem}; expected a number")
        exact = Decimal(value)
    elif isinstance(value, dict):
        exact = _variable(value)
    elif isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        exact = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    else:
        raise found(value, "a number")
    if not _fits(exact):
        raise BadValue(_NOT_HOLDABLE)
    return exact


def _scale_unknown() -> BadValue:
    return BadValue(
        "may be a decimal in base64, whose scale the message does not tell; expected a number",
        Reason.SCALE_UNKNOWN,
        remedy="set Debezium's decimal.handling.mode to double, or the converter's schemas.enable to true, or name the "
        "column's `scale` in the mapping",
    )


def _variable(value: dict[str, Any]) -> Decimal:
    scale, digits = value.get("scale"), value.get("value")
    if len(value) != 2 or type(scale) is not int or not isinstance(digits, str | bytes):  # noqa: PLR2004 (these two)
        raise found(value, "a number")
    return _unscaled(digits, scale)


def _unscaled(digits: str | bytes, scale: int) -> Decimal:
    """The decimal of a big-endian two's complement, in base64 or as bytes, whatever the number of its digits."""
    try:
        octets = digits if isinstance(digits, bytes) else base64.b64decode(digits, validate=True)
        unscaled = int.from_bytes(octets, "big", signed=True)
        return Decimal(f"{unscaled}E{-scale}")
    except (binascii.Error, ValueError, ArithmeticError):  # more digits than Python prints, or such an exponent
        raise BadValue("is no decimal in base64 that JSON can hold as a number; expected one") from None


def _fits(value: Decimal) -> bool:
    """Whether the number is small enough to be written out."""
    return value.is_finite() and (not value or abs(value.adjusted()) <= _MOST_EXPONENT)


def _significant(exact: Decimal) -> int:
    digits = exact.as_tuple().digits
    return len(digits) if len(digits) <= _EXACT_DIGITS else len("".join(map(str, digits)).rstrip("0"))
