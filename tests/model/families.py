"""A shop of several tables on the stage: families over one disk, so one process at a time.

Beside what its world judges at every request and commit (`family_world.py`): the budget, and the end.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import filterfalse
from random import Random
from typing import TYPE_CHECKING, Any

from family_shop import Dialect
from family_world import ID, FamilyWorld
from model.group import Group, Member
from model.processes import Processes, Sender
from model.rules import PROCESS_RULES, Rule
from simulation import SimulatedTopic, settings

from connector.metrics import Metrics
from connector.sandbox.state import Upsert
from connector.service import Clocks, Service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connector.adapters.kafka import Commit
    from connector.core.events import Partition
    from connector.settings import Settings


def _alone(arguments: Mapping[str, Sequence[Any]]) -> Mapping[str, Sequence[Any]]:
    return {name: (0,) if name == "slot" else values for name, values in arguments.items()}


FAMILY_RULES = {
    "trade": Rule(20, {"chance": range(1000), "transactions": (1, 2, 5), "bad": (0.0, 0.0, 0.1)}),
    "snapshot": Rule(1, {}),
    "send_again": Rule(2, {"records": (3, 20)}),
    "lose_disk": Rule(1, {}),
    "guest": Rule(2, {"there": (False, True)}),
    "fault": Rule(
        8, {"name": ("fails", "loses_answer", "refuses_connection", "straggles", "throttles"), "share": (0.0, 0.3, 1.0)}
    ),
    "stall": Rule(4, {"number": range(30), "seconds": (1, 8, 40)}),
    **{name: replace(rule, arguments=_alone(rule.arguments)) for name, rule in PROCESS_RULES.items()},
}


@dataclass(frozen=True)
class FamilyKind:
    """What stays the same for the whole of a story."""

    seed: int = 0
    merges: bool = False
    dialect: Dialect = Dialect.DEFAULT
    by_order: bool = False


class FamilyStage:
    """See above. `chance` is what the shop's life is drawn from; each transaction's step sets it."""

    def __init__(self, kind: FamilyKind) -> None:
        self._chance = Random(0)
        reading = Upsert.MERGE if kind.merges else Upsert.REPLACE
        by_order = kind.by_order and kind.dialect is not Dialect.MYSQL
        self.family = FamilyWorld(kind.seed, kind.dialect, reading, items_by_order=by_order, chance=self._chance)
        self.world = self.family.world
        self.broken = self.family.server.broken
        self.group = Group(self.world, self._judge_commit)
        self._guest = Member(self.group, "guest")
        self._settings = _settings(self.family.shop.mapping)
        self.processes = Processes(
            self.world,
            self.group,
            self.broken,
            accept=lambda _: self.family.server.accept,
            launch=self._launch,
            meanwhile=self._trade_on,
            ended=self._ended,
            delay=0.0,  # its judge sees what is known when a request is written
        )
        self.processes.start(0)

    def _launch(self, member: Member, sender: Sender, topic: SimulatedTopic, clocks: Clocks) -> Service:
        store = self.family.store
        return Service(
            self._settings, member, sender, topic, None, store, metrics=Metrics(), clocks=clocks, lease=sender.lease
        )

    def _ended(self, _: int) -> None:
        self.family.kill()

    def _trade_on(self, chance: int) -> None:
        self.trade(chance, 2, 0.0)

    # What can happen

    def trade(self, chance: int, transactions: int, bad: float) -> None:
        """Rows change in some way or other. `bad`: the share of numbers that nobody can read."""
        self._chance.seed(chance)
        self.family.life(transactions, bad=bad)

    def snapshot(self) -> None:
        self.family.shop.snapshot()

    def send_again(self, records: int) -> None:
        """The last records come a second time."""
        self.family.shop.send_again(records)

    def lose_disk(self) -> None:
        """The process ends at once, and its disk is lost."""
        self.processes.crash(0, known=True)
        self.family.kill(disk=True)

    def guest(self, *, there: bool) -> None:
        """Another replica has half of the partitions, and does nothing, as it has not all of them."""
        self.group.evict(self._guest)
        if there:
            self.group.members.append(self._guest)

    def fault(self, name: str, share: float) -> None:
        """From now on so many requests go wrong in this way."""
        setattr(self.family.server if name == "throttles" else self.family.faults, name, share)

    def stall(self, number: int, seconds: float) -> None:
        """Nothing comes of a partition for so long."""
        partitions = sorted(self.world.log)
        self.world.stalled[partitions[number % len(partitions)]] = self.world.now + seconds

    # The judge

    def _judge_commit(self, member: Member, partition: Partition, commit: Commit) -> None:
        self.world.judge_commit(partition, commit)

    def end(self) -> list[str]:
        """Heal everything, let it come to rest, and tell what is wrong."""
        for name in FAMILY_RULES["fault"].arguments["name"]:
            self.fault(name, 0.0)
        self.guest(there=False)
        self.processes.heal()
        if not self.processes.rest(3600, self.family.settled) and not self.broken:
            self.broken.append("not at rest")
        windows = [
            f"{most} requests within {seconds} s" for seconds, limit in _LIMITS if (most := self._most(seconds)) > limit
        ]
        return [*filterfalse(_lacks_image, self.family.differences()), *windows]

    def _most(self, seconds: float) -> int:
        arrivals = self.family.server.arrivals
        return max((sum(0 <= last - each < seconds for each in arrivals) for last in arrivals), default=0)


def _lacks_image(difference: str) -> bool:
    """A large column is left out where its row's key changed twice, and the changes were read the other way round."""
    expected, _, found = difference.partition(": expected ")[2].partition(", found ")
    return "'Image'" in expected and _IMAGE.sub("", expected) == _IMAGE.sub("", found)


_IMAGE = re.compile(r", 'Image': '[^']*'")
_LIMITS = ((60, 100), (3600, 5000))
_SETTINGS: dict[str, Settings] = {}


def _settings(mapping: str) -> Settings:
    if mapping not in _SETTINGS:
        given: dict[str, Any] = {f"TOPIC_{entity.upper()}": f"shop.{entity}" for entity in ID}
        _SETTINGS[mapping] = settings(MAPPING=mapping, STATE_DIR="/state", **given)
    return _SETTINGS[mapping]
