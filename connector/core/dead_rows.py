"""What dead letters are of: one replay mends all letters of a row or a family, as it sends that as it is now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.core.events import Partition
from connector.core.replays import Replay

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from connector.core.dead_letter import Letter
    from connector.core.events import Entity, Record
    from connector.core.row_names import RowNames
    from connector.core.states import ItemKey
    from connector.core.wire import Wire


@dataclass(slots=True)
class DeadRow:
    """`letter`: its newest one. `first`: the least offset of its letters' records, by partition.

    `items`: of all its letters.
    """

    letter: Letter
    first: dict[Partition, int]
    items: frozenset[ItemKey] = frozenset()


class DeadRows:
    """Dead letters as they are read, by their rows. `unnamed`: those of which nothing names the row.

    `families`: the newest letter of each family whose document one is, by its entity and key. `letters`: how many were
    read. `group`: of the service that is to send them; `kept`: the entities of which it makes families.
    """

    def __init__(self, names: RowNames, wire: Wire, group: str, kept: Collection[Entity]) -> None:
        self._group = group
        self._kept = kept
        self._names = names
        self._wire = wire
        self.rows: dict[str, dict[str, DeadRow]] = {}
        self.families: dict[tuple[Entity, str], Letter] = {}
        self.unnamed: list[Letter] = []
        self.letters = 0

    def add(self, letter: Letter) -> None:
        """Take in a letter; those of one partition in their order. Raises SchemaMissing."""
        families = letter.families if letter.entity in self._kept else ()
        name = None if families else self._names.read(letter.record, self._wire)
        self.letters += 1
        for family in families:
            known = self.families.get((letter.entity, family))
            if known is None or letter.time >= known.time:
                self.families[letter.entity, family] = letter
        if name is not None:
            self._add(letter, name)
        elif not families:
            self.unnamed.append(letter)

    def _add(self, letter: Letter, name: str) -> None:
        record = letter.record
        row = self.rows.setdefault(record.topic, {}).setdefault(name, DeadRow(letter, {}))
        place = Partition(record.topic, record.partition)
        row.first[place] = min(record.offset, row.first.get(place, record.offset))
        row.items |= letter.items
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
                entity, reject = row.letter.entity, row.letter.reject
                yield Replay(newest[name], ends, entity, self._group, letters, reject, items=row.items)

    def family_replays(self, letters: Mapping[int, int]) -> Iterator[Replay]:
        """What sends the families. `letters`: likewise."""
        for (entity, family), letter in self.families.items():
            yield Replay(letter.record, {}, entity, self._group, letters, letter.reject, family)


class Mended:
    """Replays that were asked for: which dead letters they stand for. `kept`: as of `DeadRows`."""

    def __init__(self, names: RowNames, wire: Wire, kept: Collection[Entity]) -> None:
        self._names = names
        self._wire = wire
        self._kept = kept
        self._below: dict[tuple[str | None, ...], dict[int, int]] = {}

    def add(self, replay: Replay) -> None:
        """Take in a replay. Raises SchemaMissing."""
        if replay.reject is None:
            return
        of = _family(replay.entity, replay.family) if replay.family else self._row(replay.record)
        below = self._below.setdefault(of, {})
        for partition, offset in replay.letters.items():
            below[partition] = max(offset, below.get(partition, 0))

    def covers(self, letter: Letter) -> bool:
        """Whether replays were asked for that mend the letter. Raises SchemaMissing."""
        if not self._below:
            return False
        families = letter.families if letter.entity in self._kept else ()
        of = [_family(letter.entity, family) for family in families] or [self._row(letter.record)]
        carrier = letter.carrier
        return all(carrier.offset < self._below.get(each, {}).get(carrier.partition, 0) for each in of)

    def _row(self, record: Record) -> tuple[str | None, ...]:
        return record.topic, self._names.read(record, self._wire)


def _family(entity: Entity, family: str) -> tuple[str | None, ...]:
    return "", entity, family
