"""Real Debezium's records through wire, envelope, mapping and judgement, against what the shop's tables end in."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mappings import mapping_of
from oracle import difference, expected
from shop_captures import ALL_DIALECTS, DIALECTS, TABLES, CapturedRecord, records, schemas

from connector.core import debezium
from connector.core.avro_wire import IdKind, Schema, SchemaId, parse
from connector.core.decoded import Undecodable
from connector.core.events import ChangeEvent, Entity, Record, Reject, Skip
from connector.core.json_wire import JsonWire
from connector.core.mapping import Options
from connector.core.verdicts import Delete, Refused, Unchanged, Unfed, Upsert, Withhold
from connector.core.wire import Wire

WIRE = JsonWire()  # it knows the schemas of the records before, as in operation
MAPPINGS = {entity: mapping_of(Entity(entity), Options()) for entity in TABLES}
SECRET = "S3cr3t"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just(SECRET),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


class Captured:
    """The registry of a dialect."""

    def __init__(self, dialect: str) -> None:
        self._schemas = {number: parse(definition) for number, definition in schemas(dialect).items()}

    def get(self, schema_id: SchemaId) -> Schema | None:
        assert schema_id.kind is IdKind.ID
        return self._schemas[schema_id.value]


@pytest.mark.parametrize("consent", ["forward", "enforce"])
@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_the_last_state_of_each_row_is_what_the_tables_hold(
    dialect: str, consent: Literal["forward", "enforce"]
) -> None:
    """In each dialect the newest verdict of every key gives the final tables, but for what the rules except."""
    entities = {table: entity for entity, table in TABLES.items()}
    mappings = {entity: mapping_of(Entity(entity), Options(consent=consent)) for entity in TABLES}
    retracted: set[str] = set()
    wire = Wire(Captured(dialect))
    state: dict[str, dict[str, dict[str, Any]]] = {entity: {} for entity in TABLES}
    for captured in records(dialect):
        entity = entities[captured.table]
        record = Record(captured.topic, captured.partition, captured.offset, captured.key, captured.value)
        event = debezium.parse(record, wire.key(record), wire.value(record))
        assert isinstance(event, ChangeEvent)
        verdict = mappings[entity].map(event)
        match verdict:
            case Upsert(id=identifier):
                document = mappings[entity].check(verdict, state[entity].get(identifier, {}))
                if isinstance(document, Reject):
                    state[entity].pop(identifier, None)
                else:
                    state[entity][identifier] = document
                    (retracted.add if verdict.retracts else retracted.discard)(identifier)
            case Withhold(id=identifier) if identifier in retracted:
                pass
            case Delete(id=identifier) | Withhold(id=identifier):
                state[entity].pop(identifier, None)
            case Refused():
                pass
    assert difference(expected(dialect, consent=consent), state) == []


@cache
def with_rows(entity: str) -> tuple[CapturedRecord, ...]:
    """The records of all dialects that hold a row."""
    return tuple(
        each for dialect in DIALECTS for each in records(dialect) if each.table == TABLES[entity] and each.value
    )


def sentences(captured: CapturedRecord, entity: str, key: bytes | None, value: bytes) -> list[str]:
    """What is said of a record with this key and value, all the way from bytes; it must end in a known way."""
    record = Record(captured.topic, captured.partition, captured.offset, key, value)
    try:
        event = debezium.parse(record, WIRE.decode(record.key), WIRE.decode(record.value))
    except Undecodable as error:
        return [str(error)]
    verdict = MAPPINGS[entity].map(event) if isinstance(event, ChangeEvent) else event
    outcome = MAPPINGS[entity].check(verdict, {}) if isinstance(verdict, Upsert) else verdict
    match outcome:
        case Reject(errors=errors) | Refused(reject=Reject(errors=errors)):
            return [f"{error.path} {error.problem}" for error in errors]
        case dict() | Skip() | Delete() | Unchanged() | Unfed() | Withhold():
            return []


@given(data=st.data(), entity=st.sampled_from(sorted(TABLES)), odd_key=st.none() | JSON)
def test_any_json_in_any_place_of_a_real_record_ends_in_a_verdict(
    data: st.DataObject, entity: str, odd_key: object
) -> None:
    """Whatever stands in a key, an envelope or a column: nothing but Undecodable is raised, no value is quoted."""
    captured = data.draw(st.sampled_from(with_rows(entity)))
    key, value = json.loads(captured.key or b"{}"), json.loads(captured.value or b"{}")
    body = value.get("payload", value)
    place = data.draw(st.sampled_from([key, key.get("payload", key), value, body, body["after"] or body["before"]]))
    for name in data.draw(st.lists(st.sampled_from(sorted(place)), max_size=3)):
        place[name] = data.draw(JSON)
    encoded = [json.dumps(each, separators=(",", ":")).encode() for each in (odd_key or key, value)]
    assert not [sentence for sentence in sentences(captured, entity, *encoded) if SECRET in sentence]


@given(data=st.data(), entity=st.sampled_from(sorted(TABLES)))
def test_damaged_bytes_end_in_a_verdict(data: st.DataObject, entity: str) -> None:
    """A byte that flips or an end that is cut off raises Undecodable at most, schema or not."""
    captured = data.draw(st.sampled_from(with_rows(entity)))
    damaged = bytearray(captured.value or b"")
    damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(damaged)) | st.integers(0, len(damaged)))
    assert all(sentences(captured, entity, captured.key, bytes(damaged[:end])))
