"""Avro: how a message names its schema, and what is read with it."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.avro_wire import IdKind, Schema, SchemaId, SchemaMissing, parse
from connector.core.decoded import Decoded, Undecodable
from connector.core.events import ColumnType, Record
from connector.core.wire import Wire

DECIMAL = {
    "type": "bytes",
    "logicalType": "decimal",
    "scale": 2,
    "precision": 8,
    "connect.name": "org.apache.kafka.connect.data.Decimal",
    "connect.parameters": {"scale": "2"},
}
DAY = {"type": "int", "connect.name": "io.debezium.time.Date"}
ROW = {
    "type": "record",
    "name": "Value",
    "fields": [
        {"name": "id", "type": "long"},
        {"name": "price", "type": ["null", DECIMAL], "default": None},
        {"name": "day", "type": [DAY, "null"], "default": 0},
    ],
}
ENVELOPE = {
    "type": "record",
    "name": "Envelope",
    "fields": [
        {"name": "before", "type": ["null", ROW], "default": None},
        {"name": "after", "type": ["null", "Value"], "default": None},
        {"name": "source", "type": {"type": "record", "name": "Source", "fields": []}},
        {"name": "op", "type": "string"},
    ],
}
CHANGE = {"before": None, "after": {"id": 7, "price": Decimal("12.30"), "day": 3}, "source": {}, "op": "c"}
GUID = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")


def encoded(schema: Any, value: object) -> bytes:  # noqa: ANN401 (fastavro's)
    """The body of a message."""
    stream = BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), value)
    return stream.getvalue()


class Registry:
    """Knows one schema, by some ids."""

    def __init__(self, schema: object, *ids: SchemaId) -> None:
        self._schemas = dict.fromkeys(ids, parse(schema))

    def get(self, schema_id: SchemaId) -> Schema | None:
        return self._schemas.get(schema_id)


def record(value: bytes, *headers: tuple[str, bytes]) -> Record:
    """A record with this value."""
    return Record("t", 0, 0, None, value, headers)


BODY = encoded(ENVELOPE, CHANGE)
SEVEN = (7).to_bytes(4, "big")
WIDE = (2**32 - 1).to_bytes(8, "big")


@pytest.mark.parametrize(
    ("schema_id", "framed"),
    [
        (SchemaId(IdKind.ID, "7"), record(b"\0" + SEVEN + BODY)),
        (SchemaId(IdKind.ID, "7"), record(BODY, ("__value_schema_id", b"\0" + SEVEN))),
        (SchemaId(IdKind.GUID, str(GUID)), record(BODY, ("__value_schema_id", b"\1" + GUID.bytes))),
        (SchemaId(IdKind.GLOBAL, "4294967295"), record(b"\0" + WIDE + BODY)),
        (SchemaId(IdKind.GLOBAL, "4294967295"), record(BODY, ("apicurio.value.globalId", WIDE))),
        (SchemaId(IdKind.CONTENT, "7"), record(BODY, ("apicurio.value.contentId", SEVEN))),
    ],
)
def test_a_message_names_its_schema(schema_id: SchemaId, framed: Record) -> None:
    """In each of the framings of Confluent's and Apicurio's serializers; the key's headers are not the value's."""
    decoded = Wire(Registry(ENVELOPE, schema_id)).value(framed)
    assert decoded.value == CHANGE
    assert decoded.types == {
        "id": ColumnType("long", None, {}),
        "price": ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {"scale": "2"}),
        "day": ColumnType("int", "io.debezium.time.Date", {}),
    }
    with pytest.raises(SchemaMissing):
        Wire(Registry(ENVELOPE)).value(framed)


def test_json_stays_json_beside_a_registry() -> None:
    """Formats are told apart record by record."""
    wire = Wire(Registry(ENVELOPE, SchemaId(IdKind.ID, "7")))
    assert wire.value(record(b'{"a":1}', ("__key_schema_id", b"\0" + SEVEN))) == Decoded({"a": 1})


def test_without_a_registry_the_remedy_is_named() -> None:
    """What is framed can't be read, and the error says which setting it takes."""
    with pytest.raises(Undecodable, match="SCHEMA_REGISTRY_URL"):
        Wire().value(record(b"\0" + SEVEN + BODY))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    """Nothing else is raised, and what is read uses all of the bytes."""
    wire = Wire(Registry(ENVELOPE, SchemaId(IdKind.ID, "7")))
    try:
        decoded = wire.value(record(b"\0" + SEVEN + body))
    except Undecodable as error:
        assert "id 7" in str(error)  # noqa: PT017 (what is read is right, too)
    else:
        assert decoded.value.keys() == CHANGE.keys()


@pytest.mark.parametrize("length", range(1, len(BODY)))
def test_what_breaks_off_or_goes_on_is_refused(length: int) -> None:
    """Not a byte less than the schema says, and none more."""
    wire = Wire(Registry(ENVELOPE, SchemaId(IdKind.ID, "7")))
    for body in (BODY[:length], BODY + BODY[:length]):
        with pytest.raises(Undecodable):
            wire.value(record(b"\0" + SEVEN + body))


@given(st.recursive(st.none() | st.integers() | st.text(), lambda e: st.lists(e) | st.dictionaries(st.text(), e)))
def test_any_json_is_a_schema_or_is_refused(definition: object) -> None:
    """Whatever a registry answers."""
    try:
        schema = parse(definition)
    except Undecodable as error:
        assert "registry" in str(error)  # noqa: PT017 (some are schemas)
    else:
        assert all(isinstance(name, str) for name in schema.types)
