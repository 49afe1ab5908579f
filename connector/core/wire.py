"""From bytes to JSON values, and to what the message itself says of their types."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connector.core.events import ColumnType

if TYPE_CHECKING:
    from collections.abc import Mapping

_REMEMBERED = 256
_PREFIX = b'{"schema":'
_PAYLOAD = b',"payload":'


class Undecodable(Exception):  # noqa: N818 (it names what the record is)
    """The bytes are no JSON. The text says why, and quotes none of them."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A key or value: its JSON value, None for none, and the types of its columns if the message tells them.

    The columns are a key's own fields, or those of the row within a Debezium envelope.
    """

    value: Any
    types: Mapping[str, ColumnType] | None = None


_NOTHING = Decoded(None)


class JsonWire:
    """Kafka Connect's JsonConverter, with `schemas.enable` on or off.

    With it, each record carries its schema: the same bytes on every record of a table. They are parsed once; of later
    records only the payload is.
    """

    def __init__(self) -> None:
        self._decoder = json.JSONDecoder(parse_constant=_refuse)
        self._schemas: OrderedDict[bytes, Mapping[str, ColumnType]] = OrderedDict()
        self._lengths: dict[int, int] = {}  # length of a remembered prefix → how many have it

    def decode(self, data: bytes | None) -> Decoded:
        """Decode a key or value. Raises Undecodable."""
        if data is None:
            return _NOTHING
        if data.startswith(_PREFIX):
            for length in self._lengths:
                types = self._schemas.get(data[:length])
                if types is not None:
                    return Decoded(self._parse(data[length:-1]), types) if data.endswith(b"}") else self._whole(data)
        return self._whole(data)

    def _whole(self, data: bytes) -> Decoded:
        value = self._parse(data)
        if not isinstance(value, dict) or value.keys() != {"schema", "payload"}:
            return Decoded(value)
        types = _columns(value["schema"])
        if types is not None:
            self._remember(data, value["payload"], types)
        return Decoded(value["payload"], types)

    def _remember(self, data: bytes, payload: object, types: Mapping[str, ColumnType]) -> None:
        """Remember the bytes up to the payload, if what follows is the payload and nothing else."""
        end = data.rfind(_PAYLOAD) if payload is None else data.find(_PAYLOAD, _schema_end(data))
        prefix = data[: end + len(_PAYLOAD)]
        try:
            whole = end > 0 and self._parse(data[len(prefix) : -1]) == payload and self._parse(data[len(_PREFIX) : end])
        except Undecodable:
            return
        if whole:
            self._schemas[prefix] = types
            self._lengths[len(prefix)] = self._lengths.get(len(prefix), 0) + 1
            if len(self._schemas) > _REMEMBERED:
                old, _ = self._schemas.popitem(last=False)
                self._lengths[len(old)] -= 1
                if not self._lengths[len(old)]:
                    del self._lengths[len(old)]

    def _parse(self, data: bytes) -> Any:  # noqa: ANN401 (JSON is any)
        try:
            return self._decoder.decode(data.decode())
        except UnicodeDecodeError:
            raise Undecodable("is not UTF-8") from None
        except json.JSONDecodeError as error:
            raise Undecodable(f"is no JSON: it breaks off or goes wrong at character {error.pos}") from None
        except (ValueError, RecursionError):
            raise Undecodable("is no JSON that can be read: it holds NaN, or is nested too deeply") from None


def _refuse(_: str) -> None:
    raise ValueError


def _schema_end(data: bytes) -> int:
    """Where the schema ends: it is the first JSON value after the prefix."""
    text = data[len(_PREFIX) :].decode()
    _, end = json.JSONDecoder().raw_decode(text)
    return len(_PREFIX) + len(text[:end].encode())


def _columns(schema: object) -> Mapping[str, ColumnType] | None:
    """The columns that a schema describes: an envelope's are those of its `after`."""
    fields = _fields(schema)
    if fields is None:
        return None
    if {"op", "source", "after"} <= fields.keys():
        fields = _fields(fields["after"]) or {}
    return {name: _column(described) for name, described in fields.items()}


def _fields(schema: object) -> dict[str, Any] | None:
    if not isinstance(schema, dict) or not isinstance(schema.get("fields"), list):
        return None
    return {field["field"]: field for field in schema["fields"] if isinstance(field, dict) and "field" in field}


def _column(described: dict[str, Any]) -> ColumnType:
    parameters = described.get("parameters")
    name = described.get("name")
    return ColumnType(
        str(described.get("type")),
        name if isinstance(name, str) else None,
        parameters if isinstance(parameters, dict) else {},
    )
