"""Debezium's change events: what a decoded record says, told apart by its shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from connector.core.events import ChangeEvent, FieldError, Op, Reason, Reject, Row, Skip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connector.core.decoded import Decoded
    from connector.core.events import ColumnType, Record

    Position = tuple[int | str, ...]

_OPS = {op.value: op for op in Op}
_OTHER_OPS = {"t": Skip("truncate"), "m": Skip("message")}
_EMPTY = Skip("empty")
_WHOLE_BEFORE = ("mysql", "mariadb", "sqlserver")
_SILENT_CASCADES = ("mysql", "mariadb")
_TRUE = ("true", True)
_LIVE = (None, "false", False)  # null under `replace.null.with.default=false`
_NO_EVENT = FieldError(
    "",
    "is no change event of Debezium: let its connector write to the topic without a transformation, or correct TOPIC_*",
)


def parse(record: Record, key: Decoded, value: Decoded) -> ChangeEvent | Skip | Reject:
    """What the record says: a change of a row, something to pass over, or nothing that can be understood."""
    body = value.value
    if body is None:
        if key.value is None:
            return _EMPTY
        return ChangeEvent(record, Op.DELETE, _row(key.value, key.types), tombstone=True)
    if isinstance(body, dict):
        op, source = body.get("op"), body.get("source")
        if isinstance(op, str) and isinstance(source, dict):
            return _OTHER_OPS.get(op) or _change(record, key, value, op, source)
        if kind := _other_kind(body):
            return Skip(kind)
        if _is_row(body, key.value):
            return _flattened(record, key, value)
    return Reject(Reason.UNDECODABLE, (_NO_EVENT,))


def _change(
    record: Record, key: Decoded, value: Decoded, letter: str, source: Mapping[str, Any]
) -> ChangeEvent | Reject:
    op = _OPS.get(letter)
    before, after = _row(value.value.get("before"), value.types), _row(value.value.get("after"), value.types)
    if op is None or (op is not Op.DELETE and after is None):
        return Reject(Reason.UNDECODABLE, (_NO_EVENT,))
    connector = source.get("connector")
    whole = connector in _WHOLE_BEFORE or (connector == "postgresql" and op is Op.UPDATE)
    return ChangeEvent(
        record,
        op,
        _row(key.value, key.types),
        before,
        None if op is Op.DELETE else after,
        trusts_before=before is not None and whole,
        snapshot=source.get("snapshot") not in _LIVE,
        position=_position(connector, source),
        committed_ms=_milliseconds(source.get("ts_ms")),
        silent_cascades=connector in _SILENT_CASCADES,
    )


def _is_row(body: Mapping[str, Any], key: object) -> bool:
    """Whether a transformation has left of the envelope nothing but the row, which holds the columns of its key."""
    return "__deleted" in body or (isinstance(key, dict) and bool(key) and key.keys() <= body.keys())


def _flattened(record: Record, key: Decoded, value: Decoded) -> ChangeEvent:
    """A row as ExtractNewRecordState writes it. What it was before is not told, nor its operation, unless asked for."""
    body = value.value
    op = _OPS.get(body.get("__op"), Op.UPDATE)
    if body.get("__deleted") in _TRUE:
        op = Op.DELETE
    return ChangeEvent(
        record,
        op,
        _row(key.value, key.types),
        after=None if op is Op.DELETE else _row(body, value.types),
        snapshot=op is Op.READ,
        committed_ms=_milliseconds(body.get("__source_ts_ms")),
    )


def _row(values: object, types: Mapping[str, ColumnType] | None) -> Row | None:
    return Row(values, types) if isinstance(values, dict) else None


def _other_kind(body: Mapping[str, Any]) -> str | None:
    """What else Debezium writes, by the fields that each has."""
    if body.keys() == {"ts_ms"}:
        return "heartbeat"
    if body.get("status") in ("BEGIN", "END") and "id" in body:
        return "transaction"
    if "source" in body and ("ddl" in body or "tableChanges" in body):
        return "schema_change"
    return None


def _milliseconds(value: object) -> int | None:
    return value if type(value) is int and 0 < value < _LARGEST else None


def _position(connector: object, source: Mapping[str, Any]) -> Position | None:
    """The event's place in the source's log, such that later ones are greater; None where there is none."""
    find = _POSITIONS.get(connector) if isinstance(connector, str) else None
    try:
        position = None if find is None else find(source)
        return position if position is None or all(map(_bounded, position)) else None
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None


def _bounded(part: int | str) -> bool:
    """Whether it can be a real position: it goes into the metadata of commits, whose size is limited."""
    return len(part) <= _LONGEST if isinstance(part, str) else abs(part) < _LARGEST


def _postgresql(source: Mapping[str, Any]) -> Position:
    """`[lastCommitLsn, lsn]`, by which events come in the order of commits; a snapshot's first is null."""
    committed, own = from_json(source["sequence"])
    return (int(own if committed is None else committed), int(own))


def _mysql(source: Mapping[str, Any]) -> Position:
    return (int(source["file"].rpartition(".")[2]), int(source["pos"]), int(source["row"] or 0))


def _sqlserver(source: Mapping[str, Any]) -> Position:
    """Log sequence numbers are hexadecimal of fixed width; a snapshot has the first only."""
    commit, change = source["commit_lsn"], source.get("change_lsn") or ""
    return (commit.lower(), change.lower(), int(source.get("event_serial_no") or 0))


def _oracle(source: Mapping[str, Any]) -> Position:
    own = int(source["scn"])
    return (int(source.get("commit_scn") or own), own, int(source.get("ssn") or 0))


_LARGEST = 2**64
_LONGEST = 100
_POSITIONS: dict[str, Callable[[Mapping[str, Any]], Position]] = {
    "postgresql": _postgresql,
    "mysql": _mysql,
    "mariadb": _mysql,
    "sqlserver": _sqlserver,
    "oracle": _oracle,
}
