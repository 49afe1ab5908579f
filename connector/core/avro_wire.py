"""Avro: which schema a message was written with, by the framing of the registry's serializers, and what it holds.

Confluent's serializer puts a zero byte and the schema's id, four bytes, before the body; its newer ones put it into a
header, where it may also be a GUID after a byte of one. Apicurio's puts an id of eight bytes there, into the body or
into a header.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from uuid import UUID

import fastavro
from fastavro.read import LOGICAL_READERS
from fastavro.schema import SchemaParseException, UnknownType

from connector.core import avro_bounds
from connector.core.decoded import Decoded, Undecodable
from connector.core.events import ColumnType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connector.core.decoded import Types

MAGIC = b"\x00"
_GUID = b"\x01"
_WIDE = 8
_NARROW = 4
_MOST_OCTETS = 1700  # Python prints no integer of more than 4300 digits
_CONFLUENT_HEADERS = {"key": "__key_schema_id", "value": "__value_schema_id"}


class IdKind(StrEnum):
    """By what a registry is asked for a schema. The eight bytes are Apicurio's; a CONTENT id is also Confluent's id."""

    ID = "id"
    GUID = "guid"
    GLOBAL = "global"
    CONTENT = "content"


class SchemaId(NamedTuple):
    """The name of a schema in its registry."""

    kind: IdKind
    value: str

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class SchemaMissing(Exception):  # noqa: N818 (it names what is lacking)
    """The registry has not yet been heard: the message can be read later."""

    def __init__(self, schema_id: SchemaId) -> None:
        super().__init__(f"the schema with {schema_id} is not known yet")
        self.schema_id = schema_id


@dataclass(frozen=True, slots=True)
class Schema:
    """A parsed schema, and the columns that it describes: a key's own, or those of the row within an envelope."""

    parsed: Any
    types: Types


class Schemas(Protocol):
    """What `adapters.registry.Registry` does."""

    def get(self, schema_id: SchemaId) -> Schema | None:
        """The schema; None while the registry has not been heard. Raises Undecodable if there is none for this id."""


class AvroWire:
    """Reads messages with the schemas of a registry."""

    def __init__(self, schemas: Schemas) -> None:
        self._schemas = schemas

    def framing(self, part: str, data: bytes, headers: Mapping[str, bytes | None]) -> tuple[SchemaId, bytes] | None:
        """The schema and the body of a key or value; None if it is not framed as Avro."""
        confluent = headers.get(_CONFLUENT_HEADERS[part])
        if confluent:
            return _confluent_header(confluent), data
        for kind, name in ((IdKind.GLOBAL, "globalId"), (IdKind.CONTENT, "contentId")):
            told = headers.get(f"apicurio.{part}.{name}")
            if told is not None and len(told) in {_NARROW, _WIDE}:
                return SchemaId(kind, str(int.from_bytes(told, "big"))), data
        if not data.startswith(MAGIC):
            return None
        if data[1:5] == bytes(_NARROW):  # no schema has the id 0: the upper half of eight bytes
            return SchemaId(IdKind.GLOBAL, str(int.from_bytes(data[1:9], "big"))), data[9:]
        return SchemaId(IdKind.ID, str(int.from_bytes(data[1:5], "big"))), data[5:]

    def decode(self, schema_id: SchemaId, body: bytes) -> Decoded:
        """Raises Undecodable, and SchemaMissing while the registry has not been heard."""
        schema = self._schemas.get(schema_id)
        if schema is None:
            raise SchemaMissing(schema_id)
        stream = BytesIO(body)
        try:
            value = fastavro.schemaless_reader(stream, schema.parsed, None)
        except Exception:  # noqa: BLE001 (fastavro raises whatever the broken bytes lead it to)
            raise Undecodable(f"is no Avro of the schema with {schema_id}") from None
        if stream.tell() != len(body):
            raise Undecodable(f"is no Avro of the schema with {schema_id}: some bytes are left over")
        return Decoded(value, schema.types)


def parse(definition: object) -> Schema:
    """Parse a schema's definition, JSON as the registry gives it. Raises Undecodable."""
    try:
        avro_bounds.check_json(definition)
        parsed = fastavro.parse_schema(definition)  # type: ignore[arg-type] # it checks it
        avro_bounds.check(parsed)
        return Schema(parsed, dict(_columns(definition)))
    except avro_bounds.Unbounded:
        raise Undecodable(
            "has a schema in the registry that nests too deep, or in which a value takes no byte: no row does"
        ) from None
    except (SchemaParseException, UnknownType, KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise Undecodable("has a schema in the registry that is no Avro schema") from None


def _decimal(octets: bytes, schema: Any, _: object) -> Decimal | bytes:  # noqa: ANN401 (fastavro's)
    """A decimal, or its bytes where they are too many: the library's own takes the square of their number."""
    if len(octets) > _MOST_OCTETS:
        return octets
    unscaled = int.from_bytes(octets, "big", signed=True)
    return Decimal(f"{unscaled}E{-schema.get('scale', 0)}")


LOGICAL_READERS["bytes-decimal"] = LOGICAL_READERS["fixed-decimal"] = _decimal


def _confluent_header(told: bytes) -> SchemaId:
    if told.startswith(_GUID) and len(told) == 17:  # noqa: PLR2004 (a byte and a GUID)
        return SchemaId(IdKind.GUID, str(UUID(bytes=told[1:])))
    return SchemaId(IdKind.ID, str(int.from_bytes(told[1:5], "big")))


def _columns(definition: object) -> Iterator[tuple[str, ColumnType]]:
    """The columns that a schema describes: an envelope's are those of the row in its `before`, where it is defined."""
    fields = _fields(definition)
    if {"op", "source", "before", "after"} <= fields.keys():
        fields = _fields(fields["before"]) or _fields(fields["after"])
    for name, described in fields.items():
        yield name, _column(described)


def _fields(definition: object) -> dict[str, Any]:
    record = _not_null(definition)
    if not isinstance(record, dict) or record.get("type") != "record":
        return {}
    return {field["name"]: field["type"] for field in record["fields"]}


def _not_null(definition: object) -> object:
    """Of a union with null the other branch."""
    if isinstance(definition, list):
        return next((branch for branch in definition if branch != "null"), "null")
    return definition


def _column(definition: object) -> ColumnType:
    branch = _not_null(definition)
    if not isinstance(branch, dict):
        return ColumnType(str(branch), None, {})
    name, parameters = branch.get("connect.name"), branch.get("connect.parameters")
    kind = branch.get("type")
    return ColumnType(
        kind if isinstance(kind, str) else "record",
        name if isinstance(name, str) else None,
        parameters if isinstance(parameters, dict) else {},
    )
