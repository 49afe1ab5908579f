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
        {
            "name": "source",
            "type": {"type": "record", "name": "Source", "fields": [{"name": "connector", "type": "string"}]},
        },
        {"name": "op", "type": "string"},
    ],
}
CHANGE = {
    "before": None,
    "after": {"id": 7, "price": Decimal("12.30"), "day": 3},
    "source": {"connector": "mysql"},
    "op": "c",
}
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


def _nested(depth: int, inner: object) -> object:
    """Arrays within arrays."""
    for _ in range(depth):
        inner = {"type": "array", "items": inner}
    return inner


def _chain(length: int, inner: object) -> object:
    """Records, each with the one before as a column, by its name: a schema that is flat, of values that are not."""
    records: list[object] = [{"type": "record", "name": "R0", "fields": [{"name": "a", "type": inner}]}]
    for number in range(1, length):
        field = {"name": "a", "type": f"R{number - 1}"}
        records.append({"type": "record", "name": f"R{number}", "fields": [field]})
    fields = [{"name": f"f{number}", "type": each} for number, each in enumerate(records)]
    return {"type": "record", "name": "Row", "fields": fields}


EMPTY = {"type": "record", "name": "Empty", "fields": []}
LIST = {"type": "record", "name": "L", "fields": [{"name": "next", "type": ["null", "L"]}]}


@pytest.mark.parametrize(
    "definition",
    [
        {"type": "array", "items": "null"},
        {"type": "array", "items": {"type": "null"}},
        {"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}},
        {"type": "array", "items": EMPTY},
        {"type": "array", "items": {"type": "record", "name": "R", "fields": [{"name": "a", "type": EMPTY}]}},
        {"type": "record", "name": "R", "fields": [{"name": "a", "type": "null"}]},
        {"type": "map", "values": "null"},
        LIST,
        {"type": "array", "items": LIST},
        {
            "type": "record",
            "name": "L",
            "namespace": "x",
            "fields": [{"name": "a", "type": {"type": "map", "values": "L"}}],
        },
        _nested(51, "int"),
        _nested(150, "int"),
        _nested(100_000, "int"),
        _chain(60, "int"),
    ],
    ids=range(14),
)
def test_a_schema_that_unfolds_without_end_is_refused(definition: object) -> None:
    """An array of nothing, a record within itself, and nesting beyond any row's: three bytes could end the process."""
    with pytest.raises(Undecodable, match="in the registry"):
        parse(definition)


@pytest.mark.parametrize("definition", [_nested(40, ["null", "int"]), _chain(40, "int"), ["null"], ENVELOPE])
def test_a_schema_whose_values_take_bytes_is_read(definition: object) -> None:
    """A branch of a union may hold nothing: which one it is takes a byte."""
    parse(definition)


def test_a_schema_that_doubles_at_each_level_unfolds_no_further_than_there_are_bytes() -> None:
    """2^40 values by the schema, and none of them without a byte."""
    inner: object = {"type": "record", "name": "R0", "fields": [{"name": "a", "type": "int"}]}
    for number in range(1, 41):
        fields = [{"name": "a", "type": inner}, {"name": "b", "type": f"R{number - 1}"}]
        inner = {"type": "record", "name": f"R{number}", "fields": fields}
    wire = Wire(Registry(inner, SchemaId(IdKind.ID, "7")))
    with pytest.raises(Undecodable):
        wire.value(record(b"\0" + SEVEN + bytes(10_000)))


def _varint(number: int) -> bytes:
    """A long as Avro writes it."""
    number, octets = (number << 1) ^ (number >> 63), []
    while number > 0x7F:
        octets.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*octets, number])


@pytest.mark.parametrize("count", [2**62, -(2**62), 2**31, -1, -(2**63)])
@pytest.mark.parametrize(
    "kind", ["bytes", "string", {"type": "array", "items": "int"}, {"type": "map", "values": "int"}]
)
def test_a_length_that_the_bytes_do_not_have_is_refused(kind: object, count: int) -> None:
    """A count of items or octets, huge or negative, is believed no further than the body reaches."""
    wire = Wire(Registry(kind, SchemaId(IdKind.ID, "7")))
    with pytest.raises(Undecodable):
        wire.value(record(b"\0" + SEVEN + _varint(count) + b"\1\2\3"))


@pytest.mark.parametrize(("octets", "read"), [(b"\x04\xce", Decimal("12.30")), (b"\x80", Decimal("-1.28"))])
def test_a_decimal_has_the_scale_of_its_schema(octets: bytes, read: Decimal) -> None:
    """In two's complement."""
    wire = Wire(Registry(DECIMAL, SchemaId(IdKind.ID, "7")))
    assert wire.value(record(b"\0" + SEVEN + _varint(len(octets)) + octets)).value == read


def test_a_decimal_of_a_million_digits_stays_bytes() -> None:
    """To compute it takes minutes; no field of the API holds it, and a column that is not mapped costs no record."""
    octets = b"\x7f" * 1_000_000
    wire = Wire(Registry(DECIMAL, SchemaId(IdKind.ID, "7")))
    assert wire.value(record(b"\0" + SEVEN + _varint(len(octets)) + octets)).value == octets
