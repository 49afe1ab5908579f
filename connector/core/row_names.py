"""What names a row among those of its topic, whatever format its key was written in.

The same key has other bytes once its schema has another id, or schemas are switched on; its columns stay the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.core import debezium
from connector.core.decoded import Undecodable
from connector.core.events import ChangeEvent

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from connector.core.events import Record
    from connector.core.wire import Wire


class RowNames:
    """`primary_keys`: of each topic's table, where the mapping names it; None: the message key is the primary key."""

    def __init__(self, primary_keys: Mapping[str, Collection[str] | None]) -> None:
        self._primary_keys = {topic: frozenset(key) for topic, key in primary_keys.items() if key is not None}

    def of(self, event: ChangeEvent) -> str | None:
        """The name of the event's row; None if nothing tells it."""
        primary, key = self._primary_keys.get(event.record.topic), event.key
        if primary is None or (key is not None and key.values.keys() == primary):
            return None if key is None else _told(key.values)
        row = event.after or event.before
        return None if row is None else _told({column: row.values.get(column) for column in primary})

    def read(self, record: Record, wire: Wire) -> str | None:
        """The name of the record's row, likewise; its value is read only where it must be. Raises SchemaMissing."""
        try:
            key = wire.key(record)
            if record.topic not in self._primary_keys:
                return _told(key.value) if isinstance(key.value, dict) else None
            event = debezium.parse(record, key, wire.value(record))
        except Undecodable:
            return None
        return self.of(event) if isinstance(event, ChangeEvent) else None


def _told(columns: Mapping[str, Any]) -> str | None:
    return "\0".join([f"{column}={value}" for column, value in sorted(columns.items())]) or None
