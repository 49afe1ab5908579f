"""Decoded records to change events."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shop_captures import DIALECTS, records

from connector.core.debezium import parse
from connector.core.decoded import Decoded
from connector.core.events import ChangeEvent, ColumnType, Op, Reason, Record, Reject, Row, Skip
from connector.core.json_wire import JsonWire

RECORD = Record("shop.customers", 0, 7, b"key", b"value")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["c", "u", "d", "r"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
TYPES = {"id": ColumnType("int32", None, {})}


def read(value: object, key: object = None) -> ChangeEvent | Skip | Reject:
    return parse(RECORD, Decoded(key), Decoded(value))


def change(op: str = "u", connector: object = "postgresql", **source: object) -> ChangeEvent:
    """A change with a before-image, an after-image and this source."""
    body = {"op": op, "before": {"id": 1}, "after": {"id": 1}, "source": {"connector": connector, **source}}
    event = read(body, {"id": 1})
    assert isinstance(event, ChangeEvent)
    return event


@pytest.mark.parametrize("op", Op)
def test_each_operation_on_rows_is_an_event(op: Op) -> None:
    """Key, images and types are where the mapping looks for them."""
    row = {"id": 1, "name": "x"}
    body = {"op": op.value, "before": None, "after": None if op is Op.DELETE else row, "source": {}, "unknown": 1}
    event = parse(RECORD, Decoded({"id": 1}, TYPES), Decoded(body, TYPES))
    after = None if op is Op.DELETE else Row(row, TYPES)
    assert event == ChangeEvent(RECORD, op, Row({"id": 1}, TYPES), None, after)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ({"op": "t", "source": {}, "before": None, "after": None}, "truncate"),
        ({"op": "m", "source": {}, "message": {"prefix": "x"}}, "message"),
        ({"ts_ms": 1}, "heartbeat"),
        ({"status": "BEGIN", "id": "571:53195829", "event_count": None, "data_collections": None}, "transaction"),
        ({"status": "END", "id": "571:53195832", "event_count": 2, "data_collections": []}, "transaction"),
        ({"source": {}, "ts_ms": 1, "databaseName": "x", "ddl": "…", "tableChanges": []}, "schema_change"),
        (None, "empty"),
    ],
)
def test_what_is_no_change_of_a_row_is_passed_over(value: object, kind: str) -> None:
    """Each kind of record that may share a topic is counted under its name."""
    assert read(value) == Skip(kind)


def test_a_record_without_a_value_says_that_its_key_is_gone() -> None:
    """A tombstone is a delete of which only the key is known."""
    assert read(None, {"id": 1}) == ChangeEvent(RECORD, Op.DELETE, Row({"id": 1}), tombstone=True)


@pytest.mark.parametrize(
    "value",
    [
        5,
        "text",
        [],
        {},
        {"name": "no row of this key"},
        {"op": "c", "source": {}, "after": None},
        {"op": "u", "source": {}, "after": "row"},
        {"op": "x", "source": {}, "after": {}},
        {"op": "c", "source": None, "after": {}},
    ],
)
def test_anything_else_is_refused_with_a_remedy(value: object) -> None:
    """What is no change event is a dead letter that says what was expected."""
    event = read(value, {"id": 1})
    assert isinstance(event, Reject)
    assert event.reason is Reason.UNDECODABLE
    assert "transformation" in event.errors[0].problem


@pytest.mark.parametrize(
    ("connector", "op", "trusted"),
    [
        *((connector, op, True) for connector in ("mysql", "mariadb", "sqlserver") for op in ("u", "d")),
        ("postgresql", "u", True),
        ("postgresql", "d", False),
        ("oracle", "u", False),
        (None, "u", False),
        ([], "u", False),
    ],
)
def test_a_before_image_is_trusted_where_it_cannot_be_made_up(connector: object, op: str, *, trusted: bool) -> None:
    """PostgreSQL makes up the before-image of a delete under REPLICA IDENTITY DEFAULT."""
    assert change(op, connector).trusts_before is trusted


def test_no_before_image_is_not_trusted() -> None:
    """Trust is in an image that is there."""
    event = read({"op": "u", "before": None, "after": {}, "source": {"connector": "mysql"}}, {})
    assert isinstance(event, ChangeEvent)
    assert not event.trusts_before


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        *((name, True) for name in ("true", "first", "first_in_data_collection", "last", "incremental", True)),
        *((name, False) for name in ("false", None, False)),
    ],
)
def test_a_snapshot_is_told_by_its_text(snapshot: object, *, expected: bool) -> None:
    """`source.snapshot` is a text, and null where Debezium does not fill in defaults."""
    assert change(snapshot=snapshot).snapshot is expected
    assert not change().snapshot


@pytest.mark.parametrize(("ts_ms", "expected"), [(1795419834851, 1795419834851), (0, None), (None, None), ("1", None)])
def test_the_commit_time_is_the_source_s(ts_ms: object, expected: int | None) -> None:
    """Zero and null say nothing."""
    assert change(ts_ms=ts_ms).committed_ms == expected


@pytest.mark.parametrize(
    ("connector", "source", "position"),
    [
        ("postgresql", {"sequence": '["27013400","27013456"]', "lsn": 1}, (27013400, 27013456)),
        ("postgresql", {"sequence": '[null,"26856920"]'}, (26856920, 26856920)),
        ("postgresql", {"sequence": "[null,null]"}, None),
        ("postgresql", {"sequence": None, "lsn": 5}, None),
        ("postgresql", {"sequence": "[1e999,1e999]"}, None),
        ("mysql", {"file": "binlog.000012", "pos": 345, "row": 2, "sequence": None}, (12, 345, 2)),
        ("mariadb", {"file": "mariadb-bin.000001", "pos": 64343, "row": 0}, (1, 64343, 0)),
        ("mysql", {"file": "binlog", "pos": 345, "row": 2}, None),
        ("mysql", {"file": 5, "pos": 345, "row": 2}, None),
        (
            "sqlserver",
            {"commit_lsn": "0000:0001:0003", "change_lsn": "0000:0001:0002", "event_serial_no": 2},
            ("0000:0001:0003", "0000:0001:0002", 2),
        ),
        ("sqlserver", {"commit_lsn": "0000:0001:0003", "change_lsn": None}, ("0000:0001:0003", "", 0)),
        ("sqlserver", {"commit_lsn": None, "change_lsn": None}, None),
        ("oracle", {"commit_scn": "200", "scn": "150", "ssn": 3}, (200, 150, 3)),
        ("oracle", {"commit_scn": None, "scn": "150"}, (150, 150, 0)),
        ("mongodb", {"ts_ms": 1, "ord": 1}, None),
        (None, {"sequence": '["1","2"]'}, None),
    ],
)
def test_the_position_is_what_the_source_orders_by(
    connector: object, source: dict[str, Any], position: tuple[int | str, ...] | None
) -> None:
    """Each source has its own; what can't be read is no position."""
    assert change(connector=connector, **source).position == position


@pytest.mark.parametrize("dialect", DIALECTS)
def test_real_positions_never_go_back_for_a_key(dialect: str) -> None:
    """Over snapshot, changes and incremental snapshot the positions of one key are in the order of its records."""
    wire = JsonWire()
    positions: dict[bytes, list[tuple[int | str, ...]]] = {}
    for captured in records(dialect):
        record = Record(captured.topic, captured.partition, captured.offset, captured.key, captured.value)
        event = parse(record, wire.decode(record.key), wire.decode(record.value))
        assert isinstance(event, ChangeEvent)
        assert event.tombstone == (captured.value is None)
        if event.position is not None and captured.key is not None and not event.snapshot:
            positions.setdefault(captured.key, []).append(event.position)
    assert sum(map(len, positions.values())) > 50
    assert all(earlier <= later for each in positions.values() for earlier, later in pairwise(each))


@given(
    value=JSON
    | st.fixed_dictionaries(
        {
            "op": st.sampled_from(["c", "u", "d", "r", "t", "m", "x"]),
            "source": st.dictionaries(
                st.sampled_from(["sequence", "file", "pos", "row", "scn", "commit_lsn", "snapshot", "ts_ms"]), JSON
            ).flatmap(
                lambda source: st.sampled_from(["postgresql", "mysql", "sqlserver", "oracle"]).map(
                    lambda connector: {**source, "connector": connector}
                )
            ),
            "before": JSON,
            "after": JSON,
        }
    ),
    key=JSON,
)
def test_whatever_json_a_record_holds_there_is_an_answer(value: Any, key: Any) -> None:  # noqa: ANN401
    """Nothing that JSON can say raises."""
    event = read(value, key)
    assert isinstance(event, ChangeEvent | Skip | Reject)
    if isinstance(event, ChangeEvent) and not event.tombstone:
        assert (event.after is None) == (event.op is Op.DELETE)
        assert json.dumps(event.position)
