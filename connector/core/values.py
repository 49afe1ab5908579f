"""From a column's value, as Debezium represents it, to what a field of the API holds.

Nothing is guessed: a value whose meaning the message does not tell is refused, with the setting that would tell it.
Errors name the type that was found and what was expected, never the value.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from connector.core.events import Reason

if TYPE_CHECKING:
    from connector.core.events import ColumnType, FieldError

_PLACEHOLDER = "__debezium_unavailable_value"
_UNAVAILABLE_TEXTS = frozenset(
    {
        _PLACEHOLDER,
        base64.b64encode(_PLACEHOLDER.encode()).decode(),
        json.dumps({_PLACEHOLDER: _PLACEHOLDER}, separators=(",", ":")),
    }
)
_UNAVAILABLE_OTHERS: tuple[object, ...] = (
    [_PLACEHOLDER],
    [ord(character) for character in _PLACEHOLDER],
    ["b68a35a7-17ad-35b3-af2a-ae46edb4545a"],
    {_PLACEHOLDER: _PLACEHOLDER},
)

_DECIMAL = "org.apache.kafka.connect.data.Decimal"
_VARIABLE = "io.debezium.data.VariableScaleDecimal"
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_BASE64 = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_EXACT_DIGITS = 15
_LARGEST = Decimal("1.7976931348623157e308")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS_PER = {
    "io.debezium.time.Timestamp": 1000,
    "org.apache.kafka.connect.data.Timestamp": 1000,
    "io.debezium.time.MicroTimestamp": 1,
    "io.debezium.time.Date": 86_400_000_000,
    "org.apache.kafka.connect.data.Date": 86_400_000_000,
}
_NANOSECONDS = "io.debezium.time.NanoTimestamp"
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:\.([0-9]{1,9}))?)?"
    r"(Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_TRUE = frozenset({"t", "true", "1"})
_FALSE = frozenset({"f", "false", "0"})
_KINDS = {bool: "a boolean", int: "an integer", float: "a number", str: "a text", list: "a list", dict: "an object"}

SCALE_REMEDY = (
    "the message does not tell the scale of this decimal: set Debezium's decimal.handling.mode to string or double, "
    "or the converter's schemas.enable to true"
)


class BadValue(Exception):  # noqa: N818 (it names what the value is)
    """The value can't become what the field holds."""

    def __init__(self, problem: str, reason: Reason = Reason.UNCONVERTIBLE) -> None:
        super().__init__(problem)
        self.problem = problem
        self.reason = reason


@dataclass(slots=True)
class Notes:
    """What the conversion of one row leaves behind: counts, and errors with their reasons."""

    rounded: int = 0
    merged_items: int = 0
    errors: list[tuple[Reason, FieldError]] = field(default_factory=list)


def unavailable(value: object) -> bool:
    """Whether the value is what Debezium puts where a large column did not change and is not told."""
    if isinstance(value, str):
        return value in _UNAVAILABLE_TEXTS
    return isinstance(value, list | dict) and value in _UNAVAILABLE_OTHERS


def identifier(value: Any, kind: ColumnType | None, notes: Notes) -> str:  # noqa: ANN401 (JSON is any)
    """A text byte for byte, or the digits of an integer."""
    if isinstance(value, str) and (kind is None or kind.name != _DECIMAL):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if kind is not None and kind.name in (_DECIMAL, _VARIABLE):
        return str(integer(value, kind, notes))
    raise _found(value, "a text or an integer")


def text(value: Any, kind: ColumnType | None, notes: Notes) -> str:  # noqa: ANN401 (JSON is any)
    """A text as it is, or a number in its shortest form."""
    if isinstance(value, str) and (kind is None or kind.name != _DECIMAL):
        return value
    if isinstance(value, bool) or (isinstance(value, list | dict) and (kind is None or kind.name != _VARIABLE)):
        raise _found(value, "a text")
    return json.dumps(number(value, kind, notes))


def boolean(value: Any, _kind: ColumnType | None, _notes: Notes) -> bool:  # noqa: ANN401 (JSON is any)
    """A boolean, also as 0 and 1 or as the texts that databases print."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return value == 1
    if isinstance(value, str):
        if value.lower() in _TRUE:
            return True
        if value.lower() in _FALSE:
            return False
    raise _found(value, "a boolean, 0 or 1, t or f")


def integer(value: Any, kind: ColumnType | None, _notes: Notes) -> int:  # noqa: ANN401 (JSON is any)
    """An integer, also as a decimal without a fraction."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    exact = decimal(value, kind)
    if exact != exact.to_integral_value():
        raise BadValue("holds a fraction; expected an integer")
    return int(exact)


def number(value: Any, kind: ColumnType | None, notes: Notes) -> int | float:  # noqa: ANN401 (JSON is any)
    """The JSON number that equals the column's decimal, in the shortest form that reads back as the same double."""
    exact = decimal(value, kind)
    if len(exact.normalize().as_tuple().digits) > _EXACT_DIGITS:
        notes.rounded += 1
    return int(exact) if exact == exact.to_integral_value() else float(exact)


def decimal(value: Any, kind: ColumnType | None) -> Decimal:  # noqa: ANN401 (JSON is any)
    """The exact value of any of Debezium's representations of a number."""
    if isinstance(value, bool):
        raise _found(value, "a number")
    if isinstance(value, int | float):
        exact = Decimal(str(value))
    elif isinstance(value, dict):
        exact = _variable(value)
    elif isinstance(value, str):
        exact = _scaled(value, kind) if kind is not None and kind.name == _DECIMAL else _printed(value, kind)
    else:
        raise _found(value, "a number")
    if not exact.is_finite() or abs(exact) > _LARGEST:
        raise BadValue("is not a finite number; expected one that a JSON number can hold")
    return exact


def _variable(value: dict[str, Any]) -> Decimal:
    scale, digits = value.get("scale"), value.get("value")
    if value.keys() != {"scale", "value"} or not isinstance(scale, int) or not isinstance(digits, str):
        raise _found(value, "a number")
    return _unscaled(digits).scaleb(-scale)


def _scaled(value: str, kind: ColumnType) -> Decimal:
    scale = kind.parameters.get("scale", "")
    if not re.fullmatch(r"-?[0-9]{1,5}", str(scale)):
        raise BadValue(SCALE_REMEDY, Reason.SCALE_UNKNOWN)
    return _unscaled(value).scaleb(-int(scale))


def _unscaled(value: str) -> Decimal:
    try:
        digits = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise BadValue("is a text that is no base64; expected the digits of a decimal") from None
    if len(digits) > 200:  # noqa: PLR2004 (beyond what a double holds)
        raise BadValue("is not a number that a JSON number can hold")
    return Decimal(int.from_bytes(digits, "big", signed=True))


def _printed(value: str, kind: ColumnType | None) -> Decimal:
    """A number as text; what may as well be the base64 of a decimal is refused unless the schema says text."""
    if _NUMBER.fullmatch(value):
        if kind is None and value.isdecimal() and len(value) % 4 == 0:
            raise BadValue(SCALE_REMEDY, Reason.SCALE_UNKNOWN)
        try:
            return Decimal(value)
        except InvalidOperation:
            raise BadValue("is not a finite number") from None
    if value.lower() in ("nan", "infinity", "-infinity", "inf", "-inf"):
        raise BadValue("is not a finite number; expected one that a JSON number can hold")
    if kind is None and value and len(value) % 4 == 0 and _BASE64.fullmatch(value):
        raise BadValue(SCALE_REMEDY, Reason.SCALE_UNKNOWN)
    raise BadValue("is a text that is no number; expected a number")


def moment(value: Any, kind: ColumnType | None, _notes: Notes) -> str:  # noqa: ANN401 (JSON is any)
    """ISO 8601 in UTC, with a `Z` and as many fractional digits as it takes. What has no time zone is taken as UTC."""
    if isinstance(value, str):
        return _iso(_parsed(value))
    if isinstance(value, int) and not isinstance(value, bool):
        name = None if kind is None else kind.name
        if name in _MICROSECONDS_PER:
            return _iso(_since_epoch(value * _MICROSECONDS_PER[name]))
        if name == _NANOSECONDS:
            return _iso(_since_epoch(value // 1000))
        raise BadValue(
            "is an integer whose unit the message does not tell; expected a time: set the converter's schemas.enable to "
            "true, or Debezium's time.precision.mode to isostring"
        )
    raise _found(value, "a time")


def _since_epoch(microseconds: int) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise BadValue("lies beyond the years 1 to 9999, or is infinite; expected a time") from None


def _parsed(value: str) -> datetime:
    match = _MOMENT.fullmatch(value)
    if match is None:
        raise BadValue("is a text that is no time of ISO 8601 within the years 1 to 9999; expected one")
    date, clock, fraction, zone = match.groups()
    fraction = (fraction or "0")[:6].ljust(6, "0")
    try:
        parsed = datetime.fromisoformat(
            f"{date}T{clock or '00:00'}{'' if clock and clock.count(':') > 1 else ':00'}.{fraction}{zone or 'Z'}"
        )
        return parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadValue("is no time that exists; expected one of ISO 8601") from None


def _iso(value: datetime) -> str:
    printed = value.replace(tzinfo=None).isoformat()
    return (printed.rstrip("0").rstrip(".") if "." in printed else printed) + "Z"


def texts(value: Any, _kind: ColumnType | None, notes: Notes) -> list[str]:  # noqa: ANN401 (JSON is any)
    """A list of texts, from JSON or from a column that is a list."""
    elements = parsed_json(value)
    if not isinstance(elements, list):
        raise _found(elements, "a list of texts")
    for element in elements:
        if element is None or isinstance(element, bool | float | list | dict):
            raise BadValue(f"holds {_named(element)} in its list; expected texts")
    return [identifier(element, None, notes) for element in elements]


def objects(value: Any) -> list[dict[str, Any]]:  # noqa: ANN401 (JSON is any)
    """A list of objects, from JSON or from a column that is a list."""
    elements = parsed_json(value)
    if not isinstance(elements, list):
        raise _found(elements, "a list of objects")
    for element in elements:
        if not isinstance(element, dict):
            raise BadValue(f"holds {_named(element)} in its list; expected objects")
    return elements


def parsed_json(value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """The content of a JSON column: a text that holds JSON, or the value itself."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise BadValue("is a text that is no JSON; expected JSON") from None


def _refuse(_: str) -> None:
    raise ValueError


def _named(value: object) -> str:
    return "null" if value is None else _KINDS.get(type(value), "something else")


def _found(value: object, expected: str) -> BadValue:
    return BadValue(f"is {_named(value)}; expected {expected}")
