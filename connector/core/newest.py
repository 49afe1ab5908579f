"""The newest record of each of some rows, found by reading their topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.core import debezium
from connector.core.decoded import Undecodable
from connector.core.events import ChangeEvent

if TYPE_CHECKING:
    from collections.abc import Collection

    from connector.core.events import Record
    from connector.core.row_names import RowNames
    from connector.core.wire import Wire


class Newest:
    """`wanted`: the names of the rows."""

    def __init__(self, wanted: Collection[str], names: RowNames, wire: Wire) -> None:
        self._wanted = wanted
        self._names = names
        self._wire = wire
        self.records: dict[str, Record] = {}

    def see(self, record: Record) -> None:
        """Take in a record; those of one partition in their order. Raises SchemaMissing."""
        name = self._names.read(record, self._wire)
        if name is None or name not in self._wanted:
            return
        known = self.records.get(name)
        if known is None or known.partition == record.partition or self._is_later(record, known):
            self.records[name] = record

    def _is_later(self, record: Record, known: Record) -> bool:
        """Of records of two partitions: a topic that has grown keeps a row's older ones where they are."""
        new, old = self._position(record), self._position(known)
        if new is not None and old is not None and [type(part) for part in new] == [type(part) for part in old]:
            return new >= old
        return (record.timestamp_ms or 0) >= (known.timestamp_ms or 0)

    def _position(self, record: Record) -> tuple[int | str, ...] | None:
        try:
            event = debezium.parse(record, self._wire.key(record), self._wire.value(record))
        except Undecodable:
            return None
        return event.position if isinstance(event, ChangeEvent) else None
