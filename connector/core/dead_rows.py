"""What dead letters are of: one replay mends all letters of a row or a family, as it sends that as it is now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.core.events import Partition
from connector.core.leftovers import NONE_LEFT, Leftovers
from connector.core.replays import Replay

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from connector.core.dead_letter import Letter
    from connector.core.events import Entity, Record
    from connector.core.row_names import RowNames
    from connector.core.wire import Wire


@dataclass(slots=True)
class DeadRow:
    """A row or a family. `letter`: its newest one. `leftovers`: of all its letters.

    `first`: the least offset of its letters' records, by partition.
    """

    letter: Letter
    first: dict[Partition, int] = field(default_factory=dict)
    leftovers: Leftovers = NONE_LEFT

    def add(self, letter: Letter) -> None:
        record = letter.record
        place = Partition(record.topic, record.partition)
        self.first[place] = min(record.offset, self.first.get(place, record.offset))
        if letter.time >= self.letter.time:
            self.letter, self.leftovers = letter, letter.leftovers | self.leftovers
        else:
            self.leftovers |= letter.leftovers


class DeadRows:
    """Dead letters as they are read, by their rows. `unnamed`: those of which nothing names the row.

    `families`: those whose documents are dead letters, by their entities and keys. `letters`: how many were read.
    `group`: of the service that is to send them; `kept`: the entities of which it makes families.
    """

    def __init__(self, names: RowNames, wire: Wire, group: str, kept: Collection[Entity]) -> None:
        self._group = group
        self._kept = kept
        self._names = names
        self._wire = wire
        self.rows: dict[str, dict[str, DeadRow]] = {}
        self.families: dict[tuple[Entity, str], DeadRow] = {}
        self.unnamed: list[Letter] = []
        self.letters = 0

    def add(self, letter: Letter) -> None:
        """Take in a letter; those of one partition in their order. Raises SchemaMissing."""
        families = letter.families if letter.entity in self._kept else ()
        name = None if families else self._names.read(letter.record, self._wire)
        self.letters += 1
        for family in families:
            self.families.setdefault((letter.entity, family), DeadRow(letter)).add(letter)
        if name is not None:
            self.rows.setdefault(letter.record.topic, {}).setdefault(name, DeadRow(letter)).add(letter)
        elif not families:
            self.unnamed.append(letter)

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
                yield Replay(newest[name], ends, entity, self._group, letters, reject, leftovers=row.leftovers)

    def family_replays(self, letters: Mapping[int, int]) -> Iterator[Replay]:
        """What sends the families. `letters`: likewise."""
        for (entity, family), dead in self.families.items():
            letter = dead.letter
            yield Replay(letter.record, {}, entity, self._group, letters, letter.reject, family, dead.leftovers)


class Mended:
    """Replays that were asked for: which dead letters they stand for. `kept`: as of `DeadRows`."""

    def __init__(self, names: RowNames, wire: Wire, kept: Collection[Entity]) -> None:
        self._names = names
        self._wire = wire
        self._kept = kept
        self._asked: dict[tuple[str | None, ...], list[tuple[Mapping[int, int], Leftovers]]] = {}

    def add(self, replay: Replay) -> None:
        """Take in a replay. Raises SchemaMissing."""
        if replay.reject is None:
            return
        of = _family(replay.entity, replay.family) if replay.family else self._row(replay.record)
        if of[-1] is not None:
            asked = self._asked.setdefault(of, [])
            if asked and _stands_for(replay, *asked[-1]):
                asked.pop()
            asked.append((replay.letters, replay.leftovers))

    def covers(self, letter: Letter) -> bool:
        """Whether replays were asked for that mend the letter, with all that it left. Raises SchemaMissing."""
        if not self._asked:
            return False
        families = letter.families if letter.entity in self._kept else ()
        of = [_family(letter.entity, family) for family in families] or [self._row(letter.record)]
        return all(any(_mends(letter, *asked) for asked in self._asked.get(each, ())) for each in of)

    def _row(self, record: Record) -> tuple[str | None, ...]:
        return record.topic, self._names.read(record, self._wire)


def _stands_for(replay: Replay, letters: Mapping[int, int], leftovers: Leftovers) -> bool:
    """Whether it mends whatever that other one mends. Another partition's may be read later, and be older."""
    reaches = all(end <= replay.letters.get(partition, 0) for partition, end in letters.items())
    return reaches and replay.leftovers.holds(leftovers)


def _mends(letter: Letter, letters: Mapping[int, int], leftovers: Leftovers) -> bool:
    carrier = letter.carrier
    return carrier.offset < letters.get(carrier.partition, 0) and leftovers.holds(letter.leftovers)


def _family(entity: Entity, family: str) -> tuple[str | None, ...]:
    return "", entity, family
