"""What may be shown of a document to somebody else: its shape, and not whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.core import documents
from connector.core.events import Entity
from connector.core.values import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN_KINDS = frozenset({Kind.BOOLEAN, Kind.NUMBER, Kind.INTEGER, Kind.OBJECTS})
_SHOWN_NAMES = frozenset({"Currency", "Language"})
_SHOWN = {
    entity: frozenset(
        each.name
        for each in fields
        if entity is Entity.PRODUCTS or each.kind in _SHOWN_KINDS or each.name in _SHOWN_NAMES
    )
    for entity, fields in documents.FIELDS.items()
}
"""Amounts, flags, codes, what was bought, and all of a product. Who bought it, when, and under which number is not."""


def masked(entity: Entity, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with what is personal in it masked: the shape of a text stays, so that what is wrong can be seen."""
    return {name: value if name in _SHOWN[entity] else shape(value) for name, value in document.items()}


def shape(value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """The value with every letter an x and every digit a 9; true, false and null say nothing of anybody."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    if isinstance(value, list):
        return [shape(each) for each in value]
    text = "".join(map(_shape_of, value if isinstance(value, str) else str(value)))
    return int(text) if isinstance(value, int) else text


def _shape_of(character: str) -> str:
    if character.isdigit():
        return "9"
    if not character.isalpha():
        return character
    return "X" if character.isupper() else "x"
