"""From a column's value, as Debezium represents it, to what a field of the API holds.

Nothing is guessed: a value whose meaning the message does not tell is refused, with the setting that would tell it.
Errors name the type that was found and what was expected, never the value.
"""

from __future__ import annotations

import base64
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json

from connector.core import decimals, moments
from connector.core.notes import BadValue, Notes, found, named

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.core.events import ColumnType

    Convert = Callable[[Any, Notes], Any]
    """Takes a value that is neither NULL nor unavailable. None stands for JSON's null. Raises BadValue."""


class Kind(Enum):
    """What a field of the API holds."""

    IDENTIFIER = auto()
    TEXT = auto()
    BOOLEAN = auto()
    INTEGER = auto()
    NUMBER = auto()
    MOMENT = auto()
    TEXTS = auto()
    OBJECTS = auto()


class Converter(NamedTuple):
    """`plain`: values of exactly this type are what the field holds, and need no conversion."""

    plain: type | None
    convert: Convert


_PLACEHOLDER = "__debezium_unavailable_value"
UNAVAILABLE_TEXTS = frozenset(
    {
        _PLACEHOLDER,
        base64.b64encode(_PLACEHOLDER.encode()).decode(),
        "b68a35a7-17ad-35b3-af2a-ae46edb4545a",
        f'{{"{_PLACEHOLDER}":"{_PLACEHOLDER}"}}',
        f'{{"{_PLACEHOLDER}": "{_PLACEHOLDER}"}}',
    }
)
"""What stands for an unavailable value in columns of texts, bytes, UUIDs and hstore."""

_UNAVAILABLE_LISTS: tuple[object, ...] = (
    *([text] for text in UNAVAILABLE_TEXTS),
    [ord(character) for character in _PLACEHOLDER],
)
_BOOLEANS = {"t": True, "true": True, "1": True, "f": False, "false": False, "0": False}


def unavailable(value: object) -> bool:
    """Whether the value is what Debezium puts where a large column did not change and is not told."""
    if isinstance(value, str):
        return value in UNAVAILABLE_TEXTS
    if isinstance(value, bytes):
        return value == _PLACEHOLDER.encode()
    if isinstance(value, list):
        return value in _UNAVAILABLE_LISTS
    return isinstance(value, dict) and value == {_PLACEHOLDER: _PLACEHOLDER}


def converter(kind: Kind, column: ColumnType | None) -> Converter:
    """How values of a column become a field. `column`: what the message says of it, None if it says nothing."""
    convert = _CONVERTS[kind]
    if column is None:
        guarded = decimals.unless_base64(convert) if kind in (Kind.NUMBER, Kind.INTEGER) else convert
        return Converter(_PLAIN.get(kind), guarded)
    read = reader(column)
    if read is None:
        return Converter(_PLAIN.get(kind), convert)
    return Converter(None, lambda value, notes: convert(read(value), notes))


def of_kind(kind: Kind) -> Convert:
    """How a value becomes a field, once it stands for itself."""
    return _CONVERTS[kind]


def reader(column: ColumnType) -> Callable[[Any], Any] | None:
    """What turns the JSON of a column into the value that it stands for; None if it stands for itself."""
    if column.name == moments.NANOSECONDS:
        return lambda value: moments.since_epoch(value // 1000) if type(value) is int else value
    if column.name in moments.MICROSECONDS_PER:
        unit = moments.MICROSECONDS_PER[column.name]
        return lambda value: moments.since_epoch(value * unit) if type(value) is int else value
    return decimals.reader(column) or (_refuse_bytes if column.type == "bytes" else None)


def _refuse_bytes(_: object) -> None:
    raise BadValue("holds bytes, whose meaning the message does not tell; expected another type of column")


def _identifier(value: object, _: Notes) -> str:
    """A text byte for byte, or the digits of an integer."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, Decimal):
        return str(decimals.whole(value))
    raise found(value, "a text or an integer")


def _text(value: object, _: Notes) -> str:
    """A text byte for byte, or a number in its shortest form."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        return moments.iso(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float | Decimal):
        digits = format(decimals.decimal(value), "f")
        return (digits.rstrip("0").rstrip(".") if "." in digits else digits) if value else "0"
    raise found(value, "a text")


def _boolean(value: object, _: Notes) -> bool:
    """A boolean, also as 0 and 1 or as the texts that databases print."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float | Decimal) and value in (0, 1):
        return value == 1
    if isinstance(value, str) and (known := _BOOLEANS.get(value.lower())) is not None:
        return known
    raise found(value, "a boolean, 0 or 1, t or f")


def _texts(value: object, notes: Notes) -> list[str] | None:
    """A list of texts, from JSON or from a column that is a list."""
    elements = _list(value, "texts")
    for element in elements or ():
        if type(element) not in (str, int):
            raise BadValue(f"holds {named(element)} in its list; expected texts")
    return None if elements is None else [_identifier(element, notes) for element in elements]


def _objects(value: object, _: Notes) -> list[Any] | None:
    """A list of objects, from JSON or from a column that is a list."""
    elements = _list(value, "objects")
    for element in elements or ():
        if not isinstance(element, dict):
            raise BadValue(f"holds {named(element)} in its list; expected objects")
    return elements


def _list(value: object, of: str) -> list[Any] | None:
    if isinstance(value, str):
        try:
            value = from_json(value, allow_inf_nan=False)
        except ValueError:
            raise BadValue(f"is a text that is no JSON; expected a JSON list of {of}") from None
    if value is None or isinstance(value, list):
        return value
    raise found(value, f"a list of {of}")


_PLAIN = {Kind.IDENTIFIER: str, Kind.TEXT: str, Kind.BOOLEAN: bool, Kind.INTEGER: int}
_CONVERTS: dict[Kind, Convert] = {
    Kind.IDENTIFIER: _identifier,
    Kind.TEXT: _text,
    Kind.BOOLEAN: _boolean,
    Kind.INTEGER: decimals.integer,
    Kind.NUMBER: decimals.number,
    Kind.MOMENT: moments.moment,
    Kind.TEXTS: _texts,
    Kind.OBJECTS: _objects,
}
