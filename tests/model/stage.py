"""A shop, Kafka, the API and up to two processes of the connector in one group: what can happen to them.

Each thing that can happen is a method here or in `processes.py`, and so a rule of the machine and a step of a story
(`story.py`). What is broken is written down at once in `broken`; `end` heals everything and tells what is wrong then.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from model.api import FAULTS, Api
from model.group import Group, Member
from model.history import History
from model.judge import Judge
from model.processes import Processes, Sender
from model.rules import Rule
from simulation import PARTITIONS, TOPICS, SimulatedTopic, World, settings

from connector.core.events import Partition
from connector.metrics import Metrics
from connector.service import Clocks, Service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.processes import Accept

    from connector.settings import Settings

Naming: TypeAlias = Literal["all", "first", "none", "page"]
NAMES_BAD: tuple[Naming, ...] = get_args(Naming)

_ENTITIES = tuple(TOPICS)
_ROW: dict[str, Sequence[Any]] = {"entity": _ENTITIES, "number": (0, 1, 2, 3)}
_SHAPES = (0, 1, 2, 3, 4, 7)

SHOP_RULES = {
    "write": Rule(14, {**_ROW, "shape": _SHAPES}),
    "misfit": Rule(1, {"number": _ROW["number"]}),
    "touch": Rule(2, _ROW),
    "delete": Rule(5, {**_ROW, "tombstone": (False, True)}),
    "replace": Rule(3, {**_ROW, "shape": _SHAPES}),
    "snapshot": Rule(2, {}),
    "load": Rule(1, {"entity": _ENTITIES, "rows": (30, 150)}),
    "clear": Rule(1, {"entity": _ENTITIES}),
    "garble": Rule(2, _ROW),
    "poison": Rule(2, _ROW),
    "sicken": Rule(1, _ROW),
    "grow": Rule(1, {"entity": _ENTITIES}),
    "api_fault": Rule(9, {"fault": FAULTS, "share": (0.3, 1.0)}),
    "others": Rule(2, {"requests": (5, 30, 120)}),
    "stall": Rule(2, {"entity": _ENTITIES, "number": (0, 1, 2), "seconds": (1, 8, 40)}),
}

_PREFIX = {"customers": "c", "orders": "o", "products": "p"}
_ITEMS = ("s1", "s2", "s3")


@dataclass(frozen=True)
class Kind:
    """What stays the same for the whole of a story.

    `merges`: the API's reading of upserts; then every update has a before-image, by which removed items are known.
    `tight`: the budget is a fifth of the usual. `interleaves`: polls bring a few records of some partitions. `narrow`:
    few keys may wait; where more have changed a key may go back in time, and no request is at work when its answer is
    there. `queues`: a customer's DELETE is done minutes after its answer.
    """

    seed: int = 0
    merges: bool = False
    tight: bool = False
    interleaves: bool = False
    narrow: bool = False
    queues: bool = False
    names_bad: Naming = "all"


class Stage:
    """See above."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.world = World(kind.seed)
        self.world.interleaves = kind.interleaves
        self.history = History()
        limits = (20, 600) if kind.tight else (100, 5000)
        self.api = Api(self.world, self.history, merges=kind.merges, names_bad=kind.names_bad, limits=limits)
        self.api.works_on, self.api.queues = not kind.narrow, kind.queues
        self.broken = self.api.broken
        self._judge = Judge(self.world, self.history, self.api)
        self.group = Group(self.world, self._judge.commit)
        self.processes = Processes(
            self.world, self.group, self.broken, accept=self._accept, launch=self._launch, meanwhile=self._write_all
        )
        self._settings = _settings(limits, narrow=kind.narrow)
        self.processes.start(0)

    def _accept(self, slot: int) -> Accept:
        return self.api.accept

    def _launch(self, member: Member, sender: Sender, topic: SimulatedTopic, clocks: Clocks) -> Service:
        return Service(self._settings, member, sender, topic, metrics=Metrics(), clocks=clocks, lease=sender.lease)

    # The shop

    def write(self, entity: str, number: int, shape: int) -> None:
        """Insert or update a row. The shape's bits say what it holds; without consent if they say nothing."""
        before = self.kind.merges or shape % 2 == 0
        self.world.write(entity, _name(entity, number), with_before=before, **self._columns(entity, number, shape))
        self.history.see(self.world)

    def misfit(self, number: int) -> None:
        """Write an order that can't be mapped: a dead letter."""
        name = _name("orders", number)
        self.world.write("orders", name, **{**self._columns("orders", number, 1), "currency": "euros"})
        self.history.see(self.world)
        self._judge.misfits.add((("orders", name), self.world.versions["orders", name]))

    def touch(self, entity: str, number: int) -> None:
        """Update a row without changing it."""
        row = self.world.tables[entity].get(_name(entity, number))
        if row is not None:
            self.world._emit(entity, _name(entity, number), "u", row, row)  # noqa: SLF001 (an event of its own kind)
            self.history.see(self.world)

    def delete(self, entity: str, number: int, *, tombstone: bool) -> None:
        self.world.delete(entity, _name(entity, number), tombstone=tombstone)
        self.history.see(self.world)

    def replace(self, entity: str, number: int, shape: int) -> None:
        """Delete a row and insert it again at once."""
        self.delete(entity, number, tombstone=shape % 2 == 0)
        self.write(entity, number, shape)

    def snapshot(self) -> None:
        self.world.snapshot()
        self.history.see(self.world)

    def load(self, entity: str, rows: int) -> None:
        """Write so many rows at once."""
        for number in range(10, 10 + rows):
            self.write(entity, number, 1)

    def clear(self, entity: str) -> None:
        """Delete all rows of a table."""
        for name in list(self.world.tables[entity]):
            self.world.delete(entity, name)
        self.history.see(self.world)

    def garble(self, entity: str, number: int) -> None:
        """Write a record under a row's key that nobody can read."""
        name = _name(entity, number)
        partition = self.world.moved_to.get(name, sum(name.encode()) % PARTITIONS)
        key = json.dumps({f"{entity[:-1]}_id": name}).encode()
        self.world.emit_raw(entity, partition, key, b"no json")
        self.history.see(self.world)

    def poison(self, entity: str, number: int) -> None:
        """From now on the API refuses this row."""
        self.api.poisoned.add((entity, _name(entity, number)))

    def sicken(self, entity: str, number: int) -> None:
        """From now on the API fails over this row, until it is healed."""
        self._judge.sick.add((entity, _name(entity, number)))
        self.api.crashing = self._judge.sick

    def _columns(self, entity: str, number: int, shape: int) -> dict[str, Any]:
        name = _name(entity, number)
        version = self.world.versions[entity, name] + 1
        items = [each for bit, each in enumerate(_ITEMS) if shape >> bit & 1]
        if entity == "customers":
            return {"gdpr_optin": shape != 0}
        if not items and not self.kind.merges:
            items = [_ITEMS[0]]
        if entity == "orders":
            lines = [{"product_id": "p", "sku": each, "quantity": version, "price": 1} for each in items]
            return {"order_items": json.dumps(lines)}
        return {"product_variants": json.dumps([{"variant_id": each, "sku": each} for each in items])}

    def _write_all(self, number: int) -> None:
        for entity in TOPICS:
            self.write(entity, number, 1)

    def grow(self, entity: str) -> None:
        """Add a partition, to which the rows' next records go.

        With a single process only: two could have a row's older and newer records at one time, which nothing orders.
        """
        new = Partition(TOPICS[entity], PARTITIONS)
        if len(self.processes.running) > 1 or len(self.group.members) > 1 or new in self.world.log:
            return
        self.world.log[new], self.world.low[new] = [], 0
        self.world.moved_to |= {_name(entity, number): PARTITIONS for number in range(0, 40, 2)}

    # Faults

    def api_fault(self, fault: str, share: float) -> None:
        """From now on so many requests go wrong in this way."""
        self.api.fault, self.api.share = fault, share

    def others(self, requests: int) -> None:
        """Another client uses the key."""
        self.api.others(requests)

    def stall(self, entity: str, number: int, seconds: float) -> None:
        """Nothing comes of a partition for so long."""
        self.world.stalled[Partition(TOPICS[entity], number)] = self.world.now + seconds

    # The end

    def end(self) -> list[str]:
        """Heal everything, let it come to rest, and tell what is wrong."""
        self.api_fault("none", 1.0)
        self.api.crashing = set()
        self.processes.heal()
        for _ in range(4):
            if self.processes.rest(1500, self.world.settled) or self.broken:
                break
            for entity in TOPICS:  # good rows show that a suspended lane works
                self.load(entity, 30)
        if self.kind.queues and not self.broken:
            self.processes.run(1000, 1.0)  # all DELETEs are done, and what came back was sent a second time
        return self._judge.end(self.group.moved_at)


_SETTINGS: dict[tuple[tuple[int, int], bool], Settings] = {}


def _settings(limits: tuple[int, int], *, narrow: bool) -> Settings:
    if (limits, narrow) not in _SETTINGS:
        minute, hour = map(str, limits)
        most = {"PENDING_MAX_KEYS": "100"} if narrow else {}
        _SETTINGS[limits, narrow] = settings(RATE_LIMIT_PER_MINUTE=minute, RATE_LIMIT_PER_HOUR=hour, **most)
    return _SETTINGS[limits, narrow]


def _name(entity: str, number: int) -> str:
    return f"{_PREFIX[entity]}{number}"
