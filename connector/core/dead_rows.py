"""The rows that dead letters are of: one replay mends all letters of a row, since it sends the row as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.core.events import Partition
from connector.core.replays import Replay

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connector.core.dead_letter import Letter
    from connector.core.events import Record
    from connector.core.row_names import RowNames
    from connector.core.wire import Wire


@dataclass(slots=True)
class DeadRow:
    """`letter`: its newest one. `first`: the least offset of its letters' records, by partition."""

    letter: Letter
    first: dict[Partition, int]
    letters: int = 0


class DeadRows:
    """Dead letters as they are read, by their rows. `unnamed`: those of which nothing names the row.

    `group`: of the service that is to send the rows.
    """

    def __init__(self, names: RowNames, wire: Wire, group: str) -> None:
        self._group = group
        self._names = names
        self._wire = wire
        self.rows: dict[str, dict[str, DeadRow]] = {}
        self.unnamed: list[Letter] = []

    def add(self, letter: Letter) -> None:
        """Take in a letter; those of one partition in their order. Raises SchemaMissing."""
        record = letter.record
        name = self._names.read(record, self._wire)
        if name is None:
            self.unnamed.append(letter)
            return
        row = self.rows.setdefault(record.topic, {}).setdefault(name, DeadRow(letter, {}))
        place = Partition(record.topic, record.partition)
        row.first[place] = min(record.offset, row.first.get(place, record.offset))
        row.letters += 1
        if letter.time >= row.letter.time:
            row.letter = letter

    def first(self, topic: str) -> dict[Partition, int]:
        """The least offset of the dead records of each partition that has some."""
        found: dict[Partition, int] = {}
        for row in self.rows[topic].values():
            for place, offset in row.first.items():
                found[place] = min(offset, found.get(place, offset))
        return found

    def replays(
        self, topic: str, newest: Mapping[str, Record], ends: Mapping[int, int], letters: Mapping[int, int]
    ) -> Iterator[Replay]:
        """What sends each of the topic's rows of which the newest record was found.

        `ends` and `letters`: how far the topic and the dead-letter topic were read, by partition.
        """
        for name, row in self.rows[topic].items():
            if name in newest:
                yield Replay(newest[name], ends, row.letter.entity, self._group, letters, row.letter.reject)


class Mended:
    """Replays that were asked for: which dead letters they stand for."""

    def __init__(self, names: RowNames, wire: Wire) -> None:
        self._names = names
        self._wire = wire
        self._below: dict[tuple[str, str], dict[int, int]] = {}

    def add(self, replay: Replay) -> None:
        """Take in a replay. Raises SchemaMissing."""
        name = self._names.read(replay.record, self._wire)
        if name is not None and replay.reject is not None:
            below = self._below.setdefault((replay.record.topic, name), {})
            for partition, offset in replay.letters.items():
                below[partition] = max(offset, below.get(partition, 0))

    def covers(self, letter: Letter) -> bool:
        """Whether a replay was asked for that mends the letter. Raises SchemaMissing."""
        if not self._below:
            return False
        name = self._names.read(letter.record, self._wire)
        below = self._below.get((letter.record.topic, name or ""), {})
        return letter.carrier.offset < below.get(letter.carrier.partition, 0)
