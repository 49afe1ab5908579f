"""Deletes that were missed, on what a real Debezium wrote."""

from __future__ import annotations

import json

import pytest
from family_captures import final_table, records, row_key

from connector.core.events import Record
from connector.core.resnapshot import Resnapshot
from connector.core.row_names import RowNames
from connector.core.wire import Wire

TABLES = ("customers", "orders", "order_items", "products", "product_variants")


def _seen(dialect: str, table: str) -> Resnapshot:
    seen = Resnapshot(RowNames({}), Wire())
    for each in records(dialect):
        if each.table == table:
            seen.see(Record(each.topic, each.partition, each.offset, each.key, each.value, each.headers))
    return seen


@pytest.mark.parametrize("table", TABLES)
def test_the_delete_that_a_second_snapshot_does_not_tell_is_found_and_nothing_else(table: str) -> None:
    """After lost offsets a customer was deleted without a record; whatever else happened, no other row is suspected."""
    seen = _seen("json-lost-offsets", table)
    assert seen.snapshot
    missed = [row_key("json-lost-offsets", record.key, None) for record in seen.missed()]
    assert missed == (["1006"] if table == "customers" else [])
    assert all(key not in final_table("json-lost-offsets", table).rows for key in missed)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("dialect", ["json-schema", "json-strings", "json-full"])
def test_where_no_delete_was_missed_none_is_found(dialect: str, table: str) -> None:
    """With the first snapshot alone, changes, key changes and repeats after it."""
    seen = _seen(dialect, table)
    assert seen.snapshot
    assert seen.missed() == []
    assert seen.rows == len(final_table(dialect, table).rows)


def _event(offset: int, number: int, marker: str, position: int, *, op: str = "r", partition: int = 0) -> Record:
    sequence = json.dumps([None if marker != "false" else str(position), str(position)])
    source = {"connector": "postgresql", "snapshot": marker, "sequence": sequence}
    body = {"before": None, "after": {"id": number}, "source": source, "op": op}
    return Record("t", partition, offset, json.dumps({"id": number}).encode(), json.dumps(body).encode())


@pytest.mark.parametrize(
    ("markers", "complete"),
    [
        (("first", "true", "last"), True),
        (("first_in_data_collection", "last_in_data_collection"), True),
        (("first", "true"), False),
        (("incremental", "incremental"), False),
    ],
)
def test_only_a_complete_snapshot_tells(markers: tuple[str, ...], complete: bool) -> None:
    """One that broke off says nothing of the rows that it did not reach; an incremental one has no end in the topic."""
    seen = Resnapshot(RowNames({}), Wire())
    seen.see(_event(0, 1, "false", 5, op="c"))
    for index, marker in enumerate(markers):
        seen.see(_event(index + 1, index + 10, marker, 9))
    assert (seen.snapshot is not None) is complete
    if complete:
        assert [record.offset for record in seen.missed()] == [0]


def test_a_partition_without_a_record_of_the_snapshot_is_judged_by_positions() -> None:
    """All its rows may have been deleted; one that came after the snapshot was not."""
    seen = Resnapshot(RowNames({}), Wire())
    seen.see(_event(0, 1, "false", 5, op="c", partition=1))
    seen.see(_event(0, 2, "last", 9))
    seen.see(_event(1, 3, "false", 12, op="c", partition=1))
    assert [(record.partition, record.offset) for record in seen.missed()] == [(1, 0)]
