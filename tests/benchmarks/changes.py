"""Changes of a table of customers, as Debezium's PostgreSQL connector writes them without schemas."""

from __future__ import annotations

import json
import time

from kafka_broker import Raw

UPDATES = 5
"""After so many new customers one of them is updated."""

_HEADERS = (
    ("__debezium.context.connectorLogicalName", b"shop"),
    ("__debezium.context.taskId", b"0"),
    ("__debezium.context.connectorName", b"postgresql"),
    ("__debezium.context.runId", b"01a2075c-8804-7317-9635-7be8f1189feb"),
)
_MS = int(time.time() * 1000)


def changes(count: int) -> list[Raw]:
    """`count` records: new customers, each with a key of its own, and among them updates of earlier ones."""
    return [_raw(number, *_customer(number)) for number in range(count)]


def newest(count: int) -> dict[str, str]:
    """Customer → surname after all of the changes."""
    return {f"C-{customer:06d}": f"Number {number}" for number in range(count) for customer, _ in [_customer(number)]}


def _customer(number: int) -> tuple[int, str]:
    """Whom a record is about, and Debezium's `op`."""
    round_, place = divmod(number, UPDATES + 1)
    return (round_ * UPDATES + place, "c") if place < UPDATES else (round_ * UPDATES + round_ % UPDATES, "u")


def _raw(number: int, customer: int, op: str) -> Raw:
    value = json.dumps(_event(number, customer, op), separators=(",", ":"), ensure_ascii=False)
    return Raw(value.encode(), b'{"customer_id":"C-%06d"}' % customer, headers=_HEADERS)


def _event(number: int, customer: int, op: str) -> dict[str, object]:
    row = {
        "customer_id": f"C-{customer:06d}",
        "email": f"customer.{customer}@example.com",
        "name": "Gökçe",
        "surname": f"Number {number}",
        "phone": f"+1555{customer:07d}",
        "language": "en-US",
        "username": f"user_{customer}",
        "email_optin": True,
        "sms_optin": False,
        "whatsapp_optin": None,
        "app_push_optin": True,
        "gdpr_optin": True,
        "is_excluded": False,
    }
    source = {
        "version": "3.7.0.Final",
        "connector": "postgresql",
        "name": "shop",
        "ts_ms": _MS + number,
        "snapshot": "false",
        "db": "shop",
        "sequence": json.dumps([str(26856920 + number * 100), str(26856970 + number * 100)], separators=(",", ":")),
        "ts_us": (_MS + number) * 1000 + 894,
        "ts_ns": (_MS + number) * 1000000 + 894000,
        "schema": "shop",
        "table": "customers",
        "txId": 745 + number,
        "lsn": 26856970 + number * 100,
        "xmin": None,
        "origin": None,
        "origin_lsn": None,
    }
    read = _MS + number + 700
    times = {"ts_ms": read, "ts_us": read * 1000 + 404, "ts_ns": read * 1000000 + 404150}
    return {"before": None, "after": row, "source": source, "transaction": None, "op": op, **times}
