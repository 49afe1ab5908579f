"""Bytes to JSON values and column types."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop_captures import records

from connector.core.decoded import Decoded, Undecodable
from connector.core.events import ColumnType
from connector.core.json_wire import JsonWire

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
DECIMAL = {"type": "bytes", "name": "Decimal", "parameters": {"scale": "2"}, "field": "price", "optional": True}
KEY = {"type": "struct", "fields": [{"type": "int64", "optional": False, "field": "id"}]}


def envelope(*fields: dict[str, Any]) -> dict[str, Any]:
    """The schema of a change event whose rows have these fields."""
    row = {"type": "struct", "fields": list(fields)}
    others = [{"type": "struct", "fields": [], "field": "source"}, {"type": "string", "field": "op"}]
    return {"type": "struct", "fields": [{**row, "field": "before"}, {**row, "field": "after"}, *others]}


def encoded(schema: object, payload: object) -> bytes:
    """As Connect writes it: in this order, without blanks."""
    return json.dumps({"schema": schema, "payload": payload}, separators=(",", ":"), ensure_ascii=False).encode()


@given(value=JSON)
def test_json_is_read_as_it_is(value: Any) -> None:  # noqa: ANN401
    """Whatever JSON holds comes back equal, integers and doubles exactly."""
    decoded = JsonWire().decode(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert decoded == Decoded(value)
    assert repr(decoded.value) == repr(value)


@pytest.mark.parametrize("data", [None, b"null", b" null ", b'{"schema":null,"payload":null}'])
def test_nothing_is_nothing_in_each_of_its_forms(data: bytes | None) -> None:
    """A missing value, the literal null and a null payload are alike."""
    assert JsonWire().decode(data) == Decoded(None)


def test_an_integer_beyond_a_double_stays_exact() -> None:
    """An id of 2⁵³ + 1 is not rounded."""
    assert JsonWire().decode(b'{"id":9007199254740993}').value == {"id": 9007199254740993}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00\x00\x00\x01secret",
        b'{"secret":1',
        b'{"secret"',
        b'{"secret":NaN}',
        b'{"secret":-Infinity}',
        b'"\xffsecret"',
        b'"secret\\ud800"',
        b"secret",
        b'{"secret":1} 2',
        b"[" * 100_000,
        b"1" * 5000,
        b'{"schema":{},"payload":secret}',
        b'{"schema":{},"payload":',
    ],
)
def test_what_is_no_json_is_refused_without_a_quotation(data: bytes) -> None:
    """Broken, truncated, deep, too long: each is refused with a reason that holds none of the bytes."""
    with pytest.raises(Undecodable) as refused:
        JsonWire().decode(data)
    assert "secret" not in str(refused.value)
    assert str(refused.value).startswith("is no")


def test_the_reason_tells_encoding_truncation_and_place_apart() -> None:
    """The three need different remedies."""
    reasons = []
    for data in (b'"\xff"', b'{"a":1', b'{"a":x}'):
        with pytest.raises(Undecodable) as refused:
            JsonWire().decode(data)
        reasons.append(str(refused.value))
    assert reasons == [
        "is not UTF-8",
        "is no JSON: it breaks off",
        "is no JSON that can be read: it goes wrong at line 1 column 6",
    ]


def test_only_these_two_keys_are_a_schema_and_its_payload() -> None:
    """A row may have columns of these names."""
    rows: list[dict[str, Any]] = [{"schema": 1, "payload": 2, "id": 3}, {"payload": {}}, {"schema": {}}]
    for row in rows:
        assert JsonWire().decode(json.dumps(row).encode()) == Decoded(row)


def test_an_envelope_gives_the_types_of_its_row_and_a_key_its_own() -> None:
    """The columns are those of `after`; a key's are its fields."""
    wire = JsonWire()
    value = wire.decode(encoded(envelope(DECIMAL), {"op": "c"}))
    assert value == Decoded({"op": "c"}, {"price": ColumnType("bytes", "Decimal", {"scale": "2"})})
    assert wire.decode(encoded(KEY, {"id": 1})) == Decoded({"id": 1}, {"id": ColumnType("int64", None, {})})


@given(payloads=st.lists(JSON, min_size=2, max_size=4), name=st.text())
def test_a_known_schema_changes_nothing_but_the_time(payloads: list[Any], name: str) -> None:
    """Later records of a schema decode as the first does, and share its types."""
    wire = JsonWire()
    schema = envelope(DECIMAL, {"type": "string", "field": name, "doc": ',"payload":'})
    decoded = [wire.decode(encoded(schema, payload)) for payload in payloads]
    assert [each.value for each in decoded] == payloads
    assert all(each.types is decoded[0].types for each in decoded)
    assert decoded[0].types == {**(decoded[0].types or {}), name: ColumnType("string", None, {})}


@pytest.mark.parametrize("schema", [envelope(DECIMAL), {**KEY, "parameters": {"x": "1", "payload": "y"}}])
def test_what_follows_a_known_schema_is_looked_at_no_less(schema: dict[str, Any]) -> None:
    """Another key, a blank, a cut end, another end and what is no number are what they are."""
    wire = JsonWire()
    record = encoded(schema, {"a": {}})
    first = wire.decode(record)
    assert first.value == {"a": {}}
    assert wire.decode(record + b" ") == first
    assert wire.decode(record[:-1] + b',"x":1}').value.keys() == {"schema", "payload", "x"}
    for broken in (record[:-1], record[:-2], record + b"}", record[:-1] + b"]", record.replace(b":{}}", b":NaN}")):
        with pytest.raises(Undecodable):
            wire.decode(broken)


def test_schemas_of_one_length_and_one_ending_are_not_confused() -> None:
    """An ALTER that leaves the length of a schema as it was gives new types."""
    wire = JsonWire()
    for kind in ("int32", "int64", "int32"):
        schema = envelope({"type": kind, "field": "n"}, {"type": "string", "field": "x" * 200})
        types = wire.decode(encoded(schema, {})).types
        assert types is not None
        assert types["n"].type == kind


def test_a_record_with_two_schemas_teaches_nothing() -> None:
    """The last one counts, so what stands before its payload says nothing of the records to come."""
    wire = JsonWire()
    plain = encoded(KEY, {"id": 1})
    assert wire.decode(plain[:-1] + b',"schema":null}').types is None
    other = json.dumps(envelope(DECIMAL)).encode()
    assert (wire.decode(plain[:-1] + b',"schema":' + other + b"}").types or {}).keys() == {"price"}
    assert (wire.decode(plain).types or {}).keys() == {"id"}


def test_any_number_of_schemas_is_read() -> None:
    """What is remembered is bounded, and forgetting costs time only."""
    wire = JsonWire()
    for round_ in range(2):
        for number in range(300):
            schema = envelope({"type": "string", "field": f"column{number}"})
            decoded = wire.decode(encoded(schema, {"round": round_}))
            assert decoded.value == {"round": round_}
            assert decoded.types is not None
            assert list(decoded.types) == [f"column{number}"]


def test_schemas_of_megabytes_are_not_remembered() -> None:
    """Records that come each with another one would fill the memory; those that a table has are."""
    wire = JsonWire()
    for size, known in ((1000, True), (1_000_000, False)):
        record = encoded(envelope({"type": "string", "field": "x" * size}), {"a": 1})
        first, second = wire.decode(record), wire.decode(record)
        assert first == second
        assert (first.types is second.types) is known


@given(schema=JSON | st.fixed_dictionaries({"fields": st.lists(st.dictionaries(st.just("field"), JSON))}))
def test_a_schema_that_is_none_does_no_harm(schema: Any) -> None:  # noqa: ANN401
    """The payload is read whatever stands in the schema's place."""
    assert JsonWire().decode(encoded(schema, {"a": 1})).value == {"a": 1}


def test_captured_records_decode_alike_with_and_without_memory() -> None:
    """Real records with schemas: a wire that knows the schema and a new one agree."""
    wire = JsonWire()
    for record in records("json-schema"):
        assert wire.decode(record.value) == JsonWire().decode(record.value)
        assert wire.decode(record.key) == JsonWire().decode(record.key)
