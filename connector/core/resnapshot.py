"""Deletes that were missed, found in a topic itself: rows that a complete new snapshot no longer tells of.

After lost offsets Debezium takes a new snapshot and goes on from there: what was deleted meanwhile is never reported.
Such a row's newest record lies before the snapshot, and is no delete.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from connector.core import debezium
from connector.core.decoded import Undecodable
from connector.core.events import ChangeEvent, Op

if TYPE_CHECKING:
    from connector.core.events import Record
    from connector.core.row_names import RowNames
    from connector.core.wire import Wire

    Position = tuple[int | str, ...]

_LAST = frozenset({"last", "last_in_data_collection"})
_OF_A_SNAPSHOT = _LAST | {"true", "first", "first_in_data_collection"}


class _Row(NamedTuple):
    """A row's newest record, without its value."""

    record: Record
    gone: bool
    position: Position | None


@dataclass(slots=True)
class _Snapshot:
    """`first`: of each partition the first offset of a record that it wrote. `complete`: its last one was seen."""

    first: dict[int, int] = field(default_factory=dict)
    complete: bool = False
    records: int = 0


class Resnapshot:
    """A topic, read from its start to its end. Of each row its newest key and place are kept, and nothing else."""

    def __init__(self, names: RowNames, wire: Wire) -> None:
        self._names = names
        self._wire = wire
        self._rows: dict[str, _Row] = {}
        self._snapshots: dict[Position | None, _Snapshot] = {}

    def see(self, record: Record) -> None:
        """Take in a record; those of one partition in their order. Raises SchemaMissing."""
        try:
            value = self._wire.value(record)
            event = debezium.parse(record, self._wire.key(record), value)
        except Undecodable:
            return
        if not isinstance(event, ChangeEvent):
            return
        source = value.value.get("source") if isinstance(value.value, dict) else None
        marker = source.get("snapshot") if isinstance(source, dict) else None
        if marker in _OF_A_SNAPSHOT and event.op is Op.READ:
            self._of_snapshot(record, event.position, last=marker in _LAST)
        name = self._names.of(event)
        if name is not None:
            kept = replace(record, value=None, headers=())
            self._rows[name] = _Row(kept, event.op is Op.DELETE, event.position)

    def _of_snapshot(self, record: Record, position: Position | None, *, last: bool) -> None:
        """All records of a snapshot have its position; a later one has another, or tells the same."""
        snapshot = self._snapshots.pop(position, None) or _Snapshot()
        self._snapshots[position] = snapshot  # the latest comes last
        snapshot.first.setdefault(record.partition, record.offset)
        snapshot.complete = snapshot.complete or last
        snapshot.records += 1

    @property
    def rows(self) -> int:
        """The rows that are not deleted, as far as the topic tells."""
        return sum(not row.gone for row in self._rows.values())

    @property
    def snapshot(self) -> int | None:
        """How many records of the latest snapshot are there; None if there is none, or it is not complete."""
        latest = next(reversed(self._snapshots.values()), None)
        return latest.records if latest is not None and latest.complete else None

    def missed(self) -> list[Record]:
        """The newest records of rows whose delete was missed, without their values."""
        position, latest = next(reversed(self._snapshots.items()))
        return [row.record for row in self._rows.values() if not row.gone and _is_before(row, position, latest)]


def _is_before(row: _Row, position: Position | None, snapshot: _Snapshot) -> bool:
    """Whether the record was written before the snapshot began; where none of it is beside it, its position tells."""
    first = snapshot.first.get(row.record.partition)
    if first is not None:
        return row.record.offset < first
    if row.position is None or position is None:
        return False
    comparable = [type(part) for part in row.position] == [type(part) for part in position]
    return comparable and row.position < position
