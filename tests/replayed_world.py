"""The simulated world with a topic of replays, and what the commands do, on its logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulation import World, settings

from connector.core.dead_letter import Letter
from connector.core.dead_rows import DeadRows, Mended
from connector.core.events import Entity, Partition, Record
from connector.core.newest import Newest
from connector.core.replays import Replay
from connector.core.row_names import RowNames
from connector.core.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.settings import Settings

GROUP = settings().kafka_group_id
REPLAYS = Partition(settings().replay_topic, 0)


class Commands:
    """`ask` looks through a world's logs as `dead-letters replay` does; what it found is written by `write`."""

    def __init__(self, world: World, of: Settings) -> None:
        world.log[REPLAYS] = []
        world.low[REPLAYS] = 0
        self.world = world
        self.names, self.wire, self.kept = RowNames(of.primary_keys), Wire(), of.families

    def open_letters(self) -> list[Letter]:
        """The dead letters for which no replay was asked."""
        mended = Mended(self.names, self.wire, self.kept)
        for carrier in self.world.log[REPLAYS]:
            replay = Replay.read(carrier)
            assert replay is not None
            mended.add(replay)
        letters = [
            Letter.read(
                Record("dead", 0, offset, each.record.key, each.record.value, each.record.headers + each.headers)
            )
            for offset, each in enumerate(self.world.letters)
        ]
        return [letter for letter in letters if letter is not None and not mended.covers(letter)]

    def ask(self, *, missed: Mapping[tuple[str, str], Record] | None = None) -> list[Replay]:
        """The replays of all open letters, by what the logs hold now; and deletes of these rows."""
        dead = DeadRows(self.names, self.wire, GROUP, self.kept)
        found: list[Replay] = []
        for letter in self.open_letters():
            dead.add(letter)
        found += dead.family_replays({0: len(self.world.letters)})
        for topic, rows in dead.rows.items():
            newest = Newest(rows, self.names, self.wire)
            for partition, log in self.world.log.items():
                for record in log if partition.topic == topic else ():
                    newest.see(record)
            found += dead.replays(topic, newest.records, self._ends(topic), {0: len(self.world.letters)})
        for (entity, _), record in (missed or {}).items():
            found.append(Replay(record, self._ends(record.topic), Entity(entity), GROUP, {}))
        return found

    def _ends(self, topic: str) -> dict[int, int]:
        return {partition.number: len(log) for partition, log in self.world.log.items() if partition.topic == topic}

    def write(self, replays: list[Replay]) -> None:
        log = self.world.log[REPLAYS]
        for replay in replays:
            key, value = replay.record.key, replay.record.value
            log.append(Record(REPLAYS.topic, 0, len(log), key, value, replay.headers, int(self.world.now * 1000)))


class ReplayedWorld(World):
    """The world of the simulation, with the commands."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.commands = Commands(self, settings())
        self.open_letters, self.ask = self.commands.open_letters, self.commands.ask
        self.write_replays = self.commands.write
