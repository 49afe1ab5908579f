"""JSON from Kafka Connect's JsonConverter: values, and what a message's own schema says of their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from connector.core.decoded import NOTHING, Decoded, Undecodable
from connector.core.events import ColumnType

if TYPE_CHECKING:
    from connector.core.decoded import Types

_SCHEMA = b'{"schema":'
_PAYLOAD = b',"payload":'
_MOST_SCHEMAS = 256
_LONGEST_SCHEMA = 250_000  # bytes: that of a table of 500 columns; a longer one is parsed each time
_TAIL = 96  # as many of a schema's last bytes name its table


class JsonWire:
    """Kafka Connect's JsonConverter, with `schemas.enable` on or off.

    With it, each record carries its schema: the same bytes on every record of a table, several times as long as its
    row. They are parsed once; of later records only the payload is.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], tuple[bytes, Types]] = {}

    def decode(self, data: bytes | None) -> Decoded:
        """Decode a key or value. Raises Undecodable."""
        if data is None:
            return NOTHING
        if data.startswith(_SCHEMA):
            start = data.find(_PAYLOAD) + len(_PAYLOAD)
            known = self._known.get(_place(data, start))
            if known is not None and data.startswith(known[0]) and data.endswith(b"}"):
                try:
                    return Decoded(_parse(data[start:-1]), known[1])
                except ValueError:
                    pass  # the payload is wrong, or not all that is left: the whole tells
        return self._whole(data)

    def _whole(self, data: bytes) -> Decoded:
        try:
            value = _parse(data)
        except ValueError as error:
            raise Undecodable(_why(data, str(error))) from None
        if not isinstance(value, dict) or value.keys() != {"schema", "payload"}:
            return Decoded(value)
        types = _columns(value["schema"])
        if types is not None:
            self._remember(data, value["schema"], types)
        return Decoded(value["payload"], types)

    def _remember(self, data: bytes, schema: object, types: Types) -> None:
        """Remember the bytes before the payload, if the schema is all that they hold."""
        start = data.find(_PAYLOAD) + len(_PAYLOAD)
        if start > _LONGEST_SCHEMA:
            return
        try:
            alone = data.startswith(_SCHEMA) and from_json(data[len(_SCHEMA) : start - len(_PAYLOAD)]) == schema
        except ValueError:
            return
        if alone:
            if len(self._known) >= _MOST_SCHEMAS:
                del self._known[next(iter(self._known))]
            self._known[_place(data, start)] = (data[:start], types)


def _parse(data: bytes) -> Any:  # noqa: ANN401 (JSON is any)
    """Names are shared among the records; values seldom recur, and looking for them takes a sixth of the time."""
    return from_json(data, allow_inf_nan=False, cache_strings="keys")


def _place(data: bytes, start: int) -> tuple[int, bytes]:
    """What a schema is looked up by: cheaper than the hash of all its bytes, which are compared afterwards."""
    return start, data[max(0, start - _TAIL) : start]


def _why(data: bytes, error: str) -> str:
    """`error` is the parser's, which tells a place and no content."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return "is not UTF-8"
    if error.startswith("EOF"):
        return "is no JSON: it breaks off"
    place = error.rpartition(" at ")[2]
    return f"is no JSON that can be read: it goes wrong at {place}"


def _columns(schema: object) -> Types | None:
    """The columns that a schema describes: an envelope's are those of its `after`."""
    fields = _fields(schema)
    if fields is None:
        return None
    if {"op", "source", "after"} <= fields.keys():
        fields = _fields(fields["after"]) or {}
    return {name: _column(described) for name, described in fields.items()}


def _fields(schema: object) -> dict[str, dict[str, Any]] | None:
    if not isinstance(schema, dict) or not isinstance(schema.get("fields"), list):
        return None
    described = (field for field in schema["fields"] if isinstance(field, dict))
    return {field["field"]: field for field in described if isinstance(field.get("field"), str)}


def _column(described: dict[str, Any]) -> ColumnType:
    name, parameters = described.get("name"), described.get("parameters")
    return ColumnType(
        str(described.get("type")),
        name if isinstance(name, str) else None,
        parameters if isinstance(parameters, dict) else {},
    )
