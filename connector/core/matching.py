"""Whether a column's value is one that a mapping names, however Debezium represents it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias

from connector.core.events import Reason
from connector.core.notes import BadValue, Notes
from connector.core.values import Kind, converter

if TYPE_CHECKING:
    from collections.abc import Sequence

Scalar: TypeAlias = str | int | float | bool | None
"""What a mapping writes for a value."""

_TEXT = converter(Kind.TEXT, None).convert
_PADDED = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)")
_BOOLEAN = converter(Kind.BOOLEAN, None).convert


def written(value: object) -> str:
    """How a mapping writes a value that is not NULL: a text as it is, a number in its shortest form, true or false.

    Raises BadValue for a list, an object or bytes.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    text: str = _TEXT(value, Notes())
    return text


def matches(value: object, scalars: Sequence[Scalar]) -> bool:
    """Whether the value is one of them. Raises BadValue for a list, an object or bytes, and for what is no boolean.

    `true` and `false` match whatever databases make of a boolean: 1 and 0, `t` and `f`. A number matches a text of
    the same digits.
    """
    return any(_is(value, each) for each in scalars if not isinstance(each, bool)) or any(
        _is(value, each) for each in scalars if isinstance(each, bool)
    )


def _is(value: object, scalar: Scalar) -> bool:
    if value is None or scalar is None:
        return value is scalar
    if isinstance(scalar, bool):
        return _BOOLEAN(value, Notes()) is scalar
    if isinstance(scalar, str):
        return written(value) == scalar
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return value == scalar
    if isinstance(value, str) and _PADDED.fullmatch(value):
        raise BadValue(
            "may be a decimal in base64, whose scale the message does not tell; expected a number",
            Reason.SCALE_UNKNOWN,
            remedy="set Debezium's decimal.handling.mode to double, or the converter's schemas.enable to true",
        )
    return written(value) == written(scalar)
