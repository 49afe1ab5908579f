"""What is wrong on the stage of plain rows: at every commit, in the dead-letter topic, and in the end."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from model.history import is_wanted

from connector.core.events import Partition

if TYPE_CHECKING:
    from model.api import Api
    from model.group import Member
    from model.history import History, Row
    from simulation import World

    from connector.adapters.kafka import Commit

_LISTS = ("order_items", "product_variants")


class Judge:
    """Writes down what is `broken`. `sick`: rows over which the API failed. `misfits`: versions without a mapping."""

    def __init__(self, world: World, history: History, api: Api) -> None:
        self.broken = api.broken
        self.sick: set[Row] = set()
        self.misfits: set[tuple[Row, float]] = set()
        self._world = world
        self._history = history
        self._api = api
        self._letters: dict[Row, float] = {}
        self._buried: set[tuple[Partition, int]] = set()
        self._judged_letters = 0

    def commit(self, member: Member, partition: Partition, commit: Commit) -> None:
        """Nothing is committed that is not settled."""
        before = self._world.committed.get(partition)
        first = before.offset if before else 0
        if not member.owns(partition):
            self.broken.append(f"{partition} is committed by {member.name}, which does not own it")
        if commit.offset < first:
            self.broken.append(f"{partition}: commit back from {first} to {commit.offset}")
        self._see_letters()
        for place in self._history.bad - self._buried:
            if place[0] == partition and place[1] < commit.offset:
                self.broken.append(f"{partition} is committed at {commit.offset}, past the bad record at {place[1]}")
        for record in self._world.log[partition][first : commit.offset]:
            version = self._history.versions.get((partition, record.offset))
            if version is not None and not self._is_settled(member, self._history.row(record), version):
                self.broken.append(f"{partition} is committed at {commit.offset}, past {record.offset}")

    def _is_settled(self, member: Member, row: Row, version: float) -> bool:
        """Replenit was told of this state or of a newer one, or it need not be told.

        What the API refuses need not be a dead letter where something newer was read, which keeps its place.
        """
        if max(self._api.told.get(row, 0.0), self._letters.get(row, 0.0)) >= version:
            return True
        newer = [
            event
            for partition, events in self._history.events[row].items()
            for event in events
            if event.version >= version and event.offset < member.delivered(partition)
        ]
        held = self._api.held.get(row)
        gone = held is None or held["leaves"] or not held["consent"]
        absent = gone and not all(event.there for event in newer)
        return absent or (row in self._refused and len(newer) > 1)

    @property
    def _refused(self) -> set[Row]:
        return self._api.poisoned | self.sick

    def _see_letters(self) -> None:
        for letter in self._world.letters[self._judged_letters :]:
            record = letter.record
            place = (Partition(record.topic, record.partition), record.offset)
            self._buried.add(place)
            version = self._history.versions.get(place)
            if version is None:
                continue
            row = self._history.row(record)
            self._letters[row] = max(version, self._letters.get(row, 0.0))
            if row not in self._refused and (row, version) not in self.misfits:
                self.broken.append(f"{record.where} is a dead letter, and nothing is wrong with it")
        self._judged_letters = len(self._world.letters)

    def end(self, moved_at: float) -> list[str]:
        """All is healed and at rest. `moved_at`: when a process last lost partitions, or its life."""
        self._see_letters()
        unburied = [f"no dead letter of {place} at {offset}" for place, offset in self._history.bad - self._buried]
        return self.broken + unburied + self._unsettled() + self._differences(moved_at)

    def _unsettled(self) -> list[str]:
        committed = self._world.committed
        settled = {place: committed[place].offset if place in committed else 0 for place in self._world.log}
        ends = {place: len(log) for place, log in self._world.log.items()}
        return [f"{place}: {settled[place]} of {end} settled" for place, end in ends.items() if settled[place] < end]

    def _differences(self, moved_at: float) -> list[str]:
        """What the tables hold and Replenit does not, and the other way round."""
        found = []
        tables = {(entity, name): row for entity, table in self._world.tables.items() for name, row in table.items()}
        for row in sorted(tables.keys() | self._api.held.keys()):
            version = float(self._world.versions[row]) if row in tables else None
            buried = version is not None and self._letters.get(row) == version
            # Of two that follow a DELETE in the queue the second is lost with the process that was to send it.
            overtaken = self._api.overtaken.get(row, math.inf) <= moved_at
            if not buried and not overtaken:
                found += self._difference(row, tables.get(row), version)
        return found

    def _difference(self, row: Row, there: dict[str, Any] | None, version: float | None) -> list[str]:
        held = self._api.held.get(row)
        if there is None or not is_wanted(there):
            retracted = there is not None and held is not None and not held["consent"]
            return [] if held is None or retracted else [f"{row} is at Replenit, version {held['version']}"]
        if held is None or not held["consent"] or held["version"] != version:
            return [f"{row}: expected version {version}, found {held and held['version']}"]
        items = {each["sku"] for name in _LISTS for each in json.loads(there.get(name, "[]"))}
        if held["items"] == items or row in self._refused | {row for row, _ in self.misfits}:
            return []  # of a dead letter's row nobody knows any more which items it had before
        return [f"{row}: expected items {sorted(items)}, found {sorted(held['items'])}"]
