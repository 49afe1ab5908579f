"""What the conversion of a value says beside its result: why it failed, and what is worth counting."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from connector.core.events import FieldError, Reason, Reject

_NAMES = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    Decimal: "a decimal",
    str: "a text",
    bytes: "bytes",
    datetime: "a time",
    list: "a list",
    dict: "an object",
}


class BadValue(Exception):  # noqa: N818 (it names what the value is)
    """The value can't become what the field holds. `problem` goes on from the name of the column, to the remedy."""

    def __init__(
        self, problem: str, reason: Reason = Reason.UNCONVERTIBLE, *, remedy: str = "correct it in the source table"
    ) -> None:
        self.problem = f"{problem}: {remedy}"
        super().__init__(self.problem)
        self.reason = reason


@dataclass(slots=True)
class Notes:
    """Of one row: what was rounded, merged and left out, for counting, and what went wrong."""

    rounded: int = 0
    omitted: int = 0
    merged_items: int = 0
    errors: list[tuple[Reason, FieldError]] = field(default_factory=list)

    def reject(self) -> Reject:
        """The refusal of the row, by what went wrong."""
        unknown = all(reason is Reason.SCALE_UNKNOWN for reason, _ in self.errors)
        reason = Reason.SCALE_UNKNOWN if unknown else Reason.UNCONVERTIBLE
        return Reject(reason, tuple(error for _, error in self.errors))


def named(value: object) -> str:
    """The value's type, for people."""
    return _NAMES.get(type(value), "something else")


def found(value: object, expected: str) -> BadValue:
    """The value is of a type from which what is expected can't be made."""
    return BadValue(f"is {named(value)}; expected {expected}")
