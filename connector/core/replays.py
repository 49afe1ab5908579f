"""Replays: a row or a family, put once more before the service by `dead-letters replay` and `reconcile`.

A row's replay says: up to these ends of its topic, this is the newest record of its row. Whether something newer came
since is the service's to know, who reads the topic: it remembers where it last saw each of the last rows. A family's
replay needs no such thing: the service keeps the family's rows as they are now.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from connector.core.events import Entity, FieldError, Partition, Reason, Record, Reject
from connector.core.leftovers import NONE_LEFT, Leftovers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connector.core.events import ChangeEvent
    from connector.core.row_names import RowNames

HEADER = "replenit.replay"
FORMAT = 1
_NONE = NONE_LEFT.told()
_GREATEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Replay:
    """`record`: the row's newest, as it stands in its topic. `ends`: of the topic's partitions, how far it was looked.

    `group`: of the service that is asked. `letters`: likewise of the dead-letter topic's: the dead letters of the row
    below are what this is to mend.
    `reject`: why they are dead letters; None where the replay stands for none.
    `family`: the key of the family that is to be sent instead of the row: `record` is one of its own, maybe old.
    """

    record: Record
    ends: Mapping[int, int]
    entity: Entity
    group: str
    letters: Mapping[int, int]
    reject: Reject | None = None
    family: str = ""
    leftovers: Leftovers = NONE_LEFT

    @property
    def headers(self) -> tuple[tuple[str, bytes | None], ...]:
        """The headers of the record that carries it."""
        record = self.record
        told = {
            "format": FORMAT,
            "origin": [record.topic, record.partition, record.offset],
            "ends": self.ends,
            "entity": self.entity,
            "group": self.group,
            "letters": self.letters,
            "family": self.family,
            "leftovers": self.leftovers.told(),
            "reject": None if self.reject is None else [self.reject.reason, self.reject.errors],
        }
        return (*record.headers, (HEADER, json.dumps(told, ensure_ascii=False).encode()))

    @classmethod
    def read(cls, carrier: Record) -> Replay | None:
        """The replay that a record carries; None if it carries none that can be understood."""
        headers = [value for name, value in carrier.headers if name == HEADER]
        try:
            told: dict[str, Any] = json.loads(headers[-1] or b"")
            topic, partition, offset = told["origin"]
            reject = told["reject"]
            if told["format"] != FORMAT or not (0 <= int(partition) <= _GREATEST and 0 <= int(offset) <= _GREATEST):
                return None
            str(told.get("family", "")).encode()  # ValueError: it is no text
            return cls(
                replace(
                    carrier,
                    topic=str(topic),
                    partition=int(partition),
                    offset=int(offset),
                    headers=tuple(header for header in carrier.headers if header[0] != HEADER),
                ),
                _numbers(told["ends"]),
                Entity(told["entity"]),
                str(told["group"]),
                _numbers(told["letters"]),
                None if reject is None else Reject(Reason(reject[0]), tuple(FieldError(*each) for each in reject[1])),
                str(told.get("family", "")),
                Leftovers.read(Entity(told["entity"]), told.get("leftovers", _NONE)),
            )
        except (IndexError, KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
            return None


def _numbers(told: Mapping[str, Any]) -> dict[int, int]:
    return {int(partition): int(offset) for partition, offset in told.items()}


class Memory:
    """Where the rows of the last events were seen: at least `most` of them, in two generations.

    `active`: whether it is used at all; without a topic of replays it would be kept for nothing.
    """

    most = 100_000

    def __init__(self, names: RowNames) -> None:
        self.names = names
        self._active = False
        self._clear()

    def _clear(self) -> None:
        self._older: dict[int, int] = {}  # the hash of a partition and a row's name → the row's last offset
        self._newer: dict[int, int] = {}
        self._older_from: dict[Partition, int] = {}  # the first offset that each generation knows
        self._newer_from: dict[Partition, int] = {}
        self._tenures: Counter[Partition] = Counter()

    @property
    def active(self) -> bool:
        return self._active

    @active.setter
    def active(self, active: bool) -> None:
        if self._active and not active:
            self._clear()
        self._active = active

    def begin(self, partition: Partition, position: int) -> None:
        """The partition's next record is at this position: what is below is not remembered, if nothing is yet."""
        if self._active:
            self._newer_from.setdefault(partition, position)

    def note(self, event: ChangeEvent, partition: Partition) -> None:
        """An event of the partition is taken in; of each partition all are noted, in their order."""
        if not self._active:
            return
        name, offset = self.names.of(event), event.record.offset
        self._newer_from.setdefault(partition, offset)
        if name is None:
            return
        self._newer[self._place(partition, name)] = offset
        if len(self._newer) >= self.most:
            self._older, self._newer = self._newer, {}
            self._older_from, self._newer_from = self._newer_from, {}

    def forget(self, partitions: Iterable[Partition]) -> None:
        """The partitions are another process's, or are read anew."""
        for partition in partitions:
            self._older_from.pop(partition, None)
            self._newer_from.pop(partition, None)
            self._tenures[partition] += 1  # its offsets may be other records' now

    def reach(self, partition: Partition, position: int) -> int:
        """From which offset on the memory knows the partition, of which `position` is the next to be read."""
        return self._older_from.get(partition, self._newer_from.get(partition, position))

    def last(self, partition: Partition, name: str) -> int:
        """The last offset at which the row was seen in the partition; -1 if the memory knows none."""
        place = self._place(partition, name)
        return self._newer.get(place, self._older.get(place, -1))

    def _place(self, partition: Partition, name: str) -> int:
        return hash((partition, self._tenures[partition], name))
