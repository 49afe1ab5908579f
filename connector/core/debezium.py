"""Debezium's change events: what a decoded record says, told apart by its shape."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from connector.core.events import ChangeEvent, FieldError, Op, Reason, Reject, Row, Skip

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.core.events import ColumnType, Record
    from connector.core.wire import Decoded

_OPS = {op.value: op for op in Op}
_OTHER_OPS = {"t": "truncate", "m": "message"}
_WHOLE_BEFORE = frozenset({"mysql", "mariadb", "sqlserver"})
_NO_EVENT = FieldError(
    "",
    "is no change event of Debezium: let its connector write here without a transformation, or correct TOPIC_*",
)


def parse(record: Record, key: Decoded, value: Decoded) -> ChangeEvent | Skip | Reject:
    """What the record says: a change of a row, something to pass over, or nothing that can be understood."""
    if value.value is None:
        if key.value is None:
            return Skip("empty")
        return ChangeEvent(record, Op.DELETE, _row(key.value, key.types), tombstone=True)
    body = value.value
    if not isinstance(body, dict):
        return Reject(Reason.UNDECODABLE, (_NO_EVENT,))
    op, source = body.get("op"), body.get("source")
    if isinstance(op, str) and isinstance(source, dict):
        return _envelope(record, key, value, op, source)
    kind = _other_kind(body)
    return Skip(kind) if kind else Reject(Reason.UNDECODABLE, (_NO_EVENT,))


def _envelope(
    record: Record, key: Decoded, value: Decoded, op: str, source: Mapping[str, Any]
) -> ChangeEvent | Skip | Reject:
    if op in _OTHER_OPS:
        return Skip(_OTHER_OPS[op])
    known = _OPS.get(op)
    before, after = _row(value.value.get("before"), value.types), _row(value.value.get("after"), value.types)
    if known is None or (known is not Op.DELETE and after is None):
        return Reject(Reason.UNDECODABLE, (_NO_EVENT,))
    connector = source.get("connector")
    whole = connector in _WHOLE_BEFORE or (connector == "postgresql" and known is Op.UPDATE)
    return ChangeEvent(
        record,
        known,
        _row(key.value, key.types),
        before,
        after,
        trusts_before=before is not None and whole,
        snapshot=source.get("snapshot") not in (None, "false", False),
        position=_position(source),
        committed_ms=_milliseconds(source.get("ts_ms")),
    )


def _row(values: object, types: Mapping[str, ColumnType] | None) -> Row | None:
    return Row(values, types) if isinstance(values, dict) else None


def _other_kind(body: Mapping[str, Any]) -> str | None:
    """What else Debezium writes, by the fields that each has."""
    if body.keys() == {"ts_ms"}:
        return "heartbeat"
    if "status" in body and "id" in body and body["status"] in ("BEGIN", "END"):
        return "transaction"
    if "source" in body and ("ddl" in body or "tableChanges" in body):
        return "schema_change"
    return None


def _milliseconds(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _position(source: Mapping[str, Any]) -> tuple[int | str, ...] | None:
    """The event's place in the source's log, such that later ones are greater; None where there is none."""
    try:
        match source.get("connector"):
            case "postgresql":
                committed, own = json.loads(source["sequence"])
                own = int(own)
                return (own if committed is None else int(committed), own)
            case "mysql" | "mariadb":
                return (int(source["file"].rpartition(".")[2]), int(source["pos"]), int(source["row"] or 0))
            case "sqlserver":
                serial = int(source.get("event_serial_no") or 0)
                return (str(source["commit_lsn"] or ""), str(source["change_lsn"] or ""), serial)
            case "oracle":
                return (int(source["commit_scn"] or source["scn"]), int(source["scn"]), int(source.get("ssn") or 0))
            case _:
                return None
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
