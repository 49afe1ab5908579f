"""Real Debezium's records through wire, envelope, mapping and judgement, against what the shop's tables end in."""

from __future__ import annotations

from typing import Any

import pytest
from oracle import difference, expected
from shop_captures import DIALECTS, TABLES, records

from connector.core import debezium
from connector.core.events import ChangeEvent, Entity, Record, Reject
from connector.core.mapping import Mapping, Options
from connector.core.verdicts import Delete, Refused, Upsert, Withhold
from connector.core.wire import JsonWire


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_last_state_of_each_row_is_what_the_tables_hold(dialect: str) -> None:
    """In each dialect the newest verdict of every key gives the final tables, but for what the rules except."""
    entities = {table: entity for entity, table in TABLES.items()}
    mappings = {entity: Mapping(Entity(entity), Options()) for entity in TABLES}
    wire = JsonWire()
    state: dict[str, dict[str, dict[str, Any]]] = {entity: {} for entity in TABLES}
    for captured in records(dialect):
        entity = entities[captured.table]
        record = Record(captured.topic, captured.partition, captured.offset, captured.key, captured.value)
        event = debezium.parse(record, wire.decode(record.key), wire.decode(record.value))
        assert isinstance(event, ChangeEvent)
        verdict = mappings[entity].map(event)
        match verdict:
            case Upsert(id=identifier):
                document = mappings[entity].check(verdict, state[entity].get(identifier, {}))
                if isinstance(document, Reject):
                    state[entity].pop(identifier, None)
                else:
                    state[entity][identifier] = document
            case Delete(id=identifier) | Withhold(id=identifier):
                state[entity].pop(identifier, None)
            case Refused():
                pass
    assert difference(expected(dialect), state) == []
