"""Rows as Debezium's connectors for SQL Server and Oracle write them: their types, names, positions and before-images.

By the connectors' documentation; of PostgreSQL and MariaDB there are captured records.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from mappings import mapping_of

from connector.core import debezium
from connector.core.events import ChangeEvent, Entity, Op, Record
from connector.core.verdicts import Delete, Unchanged, Upsert
from connector.core.wire import Wire

SQLSERVER = """
version: 1
orders:
  table: SalesOrder
  fields:
    OrderId: OrderNo
    CustomerId: CustomerGuid
    OrderDate: { column: PlacedAt, zone: Europe/Berlin }
    TotalRevenue: Total
    Currency: { column: Currency, trim: true }
    TotalQuantity: Pieces
    IsOrderCancelled: Cancelled
"""
ORACLE = """
version: 1
orders:
  table: ORDERS
  fields:
    OrderId: ID
    CustomerId: CUSTOMER_ID
    OrderDate: PLACED_AT
    TotalRevenue: TOTAL
    Currency: CURRENCY
    TotalQuantity: PIECES
    IsOrderCancelled: { column: CANCELLED, values: { Y: true, N: false } }
"""


def decimal(unscaled: int) -> str:
    return base64.b64encode(unscaled.to_bytes(8, "big", signed=True)).decode()


def column(name: str, kind: str, semantic: str = "", **parameters: str) -> dict[str, Any]:
    told: dict[str, Any] = {"field": name, "type": kind, "optional": True}
    return told | ({"name": semantic} if semantic else {}) | ({"parameters": parameters} if parameters else {})


DECIMAL = "org.apache.kafka.connect.data.Decimal"
COLUMNS = {
    "sqlserver": [
        column("OrderNo", "int64"),
        column("CustomerGuid", "string"),
        column("PlacedAt", "int64", "io.debezium.time.NanoTimestamp"),  # datetime2(7)
        column("Total", "bytes", DECIMAL, scale="4"),  # money
        column("Currency", "string"),
        column("Pieces", "int16"),  # tinyint
        column("Cancelled", "boolean"),  # bit
    ],
    "oracle": [
        column("ID", "bytes", DECIMAL, scale="0"),  # NUMBER(38)
        column("CUSTOMER_ID", "struct", "io.debezium.data.VariableScaleDecimal"),  # NUMBER
        column("PLACED_AT", "string", "io.debezium.time.ZonedTimestamp"),  # TIMESTAMP WITH TIME ZONE
        column("TOTAL", "bytes", DECIMAL, scale="2"),  # NUMBER(12,2)
        column("CURRENCY", "string"),
        column("PIECES", "int32"),  # NUMBER(9)
        column("CANCELLED", "string"),
    ],
}
ROWS: dict[str, dict[str, Any]] = {
    "sqlserver": {
        "OrderNo": 4711,
        "CustomerGuid": "6F9619FF-8B86-D011-B42D-00C04FC964FF",
        "PlacedAt": 1_741_715_273_123_456_700,
        "Total": decimal(257_600),
        "Currency": "EUR  ",
        "Pieces": 5,
        "Cancelled": False,
    },
    "oracle": {
        "ID": decimal(4711),
        "CUSTOMER_ID": {"scale": 0, "value": decimal(12)},
        "PLACED_AT": "2025-03-11T17:47:53.123456Z",
        "TOTAL": decimal(2576),
        "CURRENCY": "EUR",
        "PIECES": 5,
        "CANCELLED": "N",
    },
}
SOURCES: dict[str, list[dict[str, Any]]] = {  # of a snapshot, and of two changes after it
    "sqlserver": [
        {"snapshot": "true", "commit_lsn": "00000027:00000758:0005", "change_lsn": None, "event_serial_no": None},
        {"commit_lsn": "00000027:00000758:0006", "change_lsn": "00000027:00000758:0003", "event_serial_no": 1},
        {"commit_lsn": "00000027:00000758:0006", "change_lsn": "00000027:00000758:0003", "event_serial_no": 2},
    ],
    "oracle": [
        {"snapshot": "true", "scn": "9", "commit_scn": None, "ssn": None},
        {"scn": "11", "commit_scn": "12", "ssn": 1},
        {"scn": "10", "commit_scn": "13", "ssn": 0},
    ],
}
KEYS = {"sqlserver": "OrderNo", "oracle": "ID"}
MAPPINGS = {"sqlserver": SQLSERVER, "oracle": ORACLE}
DOCUMENT = {
    "OrderId": "4711",
    "TotalRevenue": 25.76,
    "Currency": "EUR",
    "TotalQuantity": 5,
    "IsOrderCancelled": False,
}
OWN = {
    # The clock on the wall in Berlin, and no more digits than microseconds.
    "sqlserver": {"CustomerId": "6F9619FF-8B86-D011-B42D-00C04FC964FF", "OrderDate": "2025-03-11T16:47:53.123456Z"},
    "oracle": {"CustomerId": "12", "OrderDate": "2025-03-11T17:47:53.123456Z"},
}


def event(connector: str, op: str, place: int, before: object = None, after: object = None) -> ChangeEvent:
    """The event as JSON with its schema."""
    columns, row = COLUMNS[connector], ROWS[connector]
    images = [{"field": name, "type": "struct", "optional": True, "fields": columns} for name in ("before", "after")]
    images += [{"field": "op", "type": "string"}, {"field": "source", "type": "struct", "fields": []}]
    source = {"connector": connector, "ts_ms": 1, "snapshot": "false", **SOURCES[connector][place]}
    payload = {"op": op, "before": before, "after": after, "source": source}
    name = KEYS[connector]
    key_schema = {"type": "struct", "fields": [each for each in columns if each["field"] == name]}
    record = Record(
        "shop.dbo.SalesOrder" if connector == "sqlserver" else "shop.SHOP.ORDERS",
        0,
        place,
        json.dumps({"schema": key_schema, "payload": {name: row[name]}}).encode(),
        json.dumps({"schema": {"type": "struct", "fields": images}, "payload": payload}).encode(),
    )
    wire = Wire()
    parsed = debezium.parse(record, wire.key(record), wire.value(record))
    assert isinstance(parsed, ChangeEvent)
    return parsed


@pytest.mark.parametrize("connector", MAPPINGS)
def test_a_row_becomes_its_document(connector: str) -> None:
    """Every type of number, time and flag; columns in the case that the source has."""
    mapping = mapping_of(Entity.ORDERS, text=MAPPINGS[connector])
    verdict = mapping.map(event(connector, "r", 0, after=ROWS[connector]))
    assert isinstance(verdict, Upsert)
    assert mapping.check(verdict, {}) == DOCUMENT | OWN[connector]


@pytest.mark.parametrize("connector", MAPPINGS)
def test_events_come_in_the_order_of_the_log(connector: str) -> None:
    """Positions of a snapshot and of what follows it compare as they happened."""
    found = [event(connector, op, place, after=ROWS[connector]).position for place, op in enumerate("rcu")]
    assert None not in found
    assert found == sorted(found)  # type: ignore[type-var]


@pytest.mark.parametrize("connector", MAPPINGS)
def test_an_update_and_a_delete(connector: str) -> None:
    """SQL Server's before-image is whole: what does not change it costs nothing. Oracle's is not relied upon."""
    mapping = mapping_of(Entity.ORDERS, text=MAPPINGS[connector])
    row = ROWS[connector]
    same = mapping.map(event(connector, "u", 1, row, row))
    assert isinstance(same, Unchanged if connector == "sqlserver" else Upsert)
    gone = event(connector, "d", 2, row)
    assert (gone.op, gone.trusts_before) == (Op.DELETE, connector == "sqlserver")
    assert mapping.map(gone) == Delete("4711")
