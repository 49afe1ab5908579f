"""What has happened to each row of the simulated shop, by its records, and what of it Replenit was told.

A row's events have versions that rise: a write counts the version up, a delete is half a version later. What repeats a
row's state (a snapshot, an update that changes nothing) has the version of that state.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from simulation import IDS, TOPICS

from connector.core.events import Partition

if TYPE_CHECKING:
    from simulation import World

    from connector.core.events import Record

Row = tuple[str, str]
"""Its entity and its identifier."""

_ENTITIES = {topic: entity for entity, topic in TOPICS.items()}


class Event(NamedTuple):
    """A record that tells of a row. `there`: Replenit is to have the row at this version, or not to have it."""

    offset: int
    version: float
    there: bool


@dataclass
class History:
    """The events of all rows, by partition. `bad`: records that nobody can read."""

    events: dict[Row, dict[Partition, list[Event]]] = field(default_factory=lambda: defaultdict(dict))
    versions: dict[tuple[Partition, int], float] = field(default_factory=dict)
    bad: set[tuple[Partition, int]] = field(default_factory=set)
    _seen: dict[Partition, int] = field(default_factory=lambda: defaultdict(int))
    _newest: dict[Row, float] = field(default_factory=dict)

    def see(self, world: World) -> None:
        """Take notice of the records that are new."""
        for partition, log in world.log.items():
            for record in log[self._seen[partition] :]:
                self._see(partition, record)
            self._seen[partition] = len(log)

    def _see(self, partition: Partition, record: Record) -> None:
        row = self.row(record)
        entity = row[0]
        try:
            after = None if record.value is None else json.loads(record.value)["after"]
        except ValueError:
            self.bad.add((partition, record.offset))
            return
        if after is None:
            version, there = int(self._newest.get(row, 0)) + 0.5, False
        else:
            version, there = version_of(entity, after), is_wanted(after)
        self._newest[row] = max(version, self._newest.get(row, 0.0))
        self.versions[partition, record.offset] = version
        self.events[row].setdefault(partition, []).append(Event(record.offset, version, there))

    @staticmethod
    def row(record: Record) -> Row:
        """The row that a record is about."""
        assert record.key is not None
        entity = _ENTITIES[record.topic]
        return entity, json.loads(record.key)[IDS[entity]]

    def at(self, record: Record) -> float:
        """The version that a record tells."""
        return self.versions[Partition(record.topic, record.partition), record.offset]


def version_of(entity: str, row: dict[str, object]) -> float:
    """The version that a row tells."""
    column = {"customers": "name", "orders": "total_quantity", "products": "product_name"}[entity]
    return float(str(row[column]))


def is_wanted(row: dict[str, object]) -> bool:
    """Whether Replenit is to have the row: with consent, and with items where there is a list of them."""
    lists = [row[name] for name in ("order_items", "product_variants") if name in row]
    return row.get("gdpr_optin") is not False and all(each != "[]" for each in lists)
