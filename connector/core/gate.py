"""The gate: what an owner of partitions must wait for before it may send what it reads from them.

A predecessor may have delivered newer states than those that are read first after an assignment: sending these would
take a key back. So a topic's gate opens once its partitions have been read up to the high watermark of the assignment.
And a predecessor that did not say goodbye may still have requests at the server: the keys read before the gate opened
wait until those are done.

What an owner knows of that goes into the metadata of its commits, for its successor: the `Mark`.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.core.events import Partition

Position = tuple[int | str, ...]

MARK_FORMAT = 1
"""The format of the metadata. Before it was written there was none, with the same names as 1."""

REPEATS_WAIT = 30.0
"""Seconds after which a source whose positions went back is taken to be another source, not a repetition."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a commit's metadata says. `clean`: nothing of the partition is at the server.

    Else requests may be, and nothing that had to wait for them was sent since `waiting_since` (UNIX seconds), if given.
    `newest`: the furthest position at the source that was read below the committed offset or not far above it.
    `beyond`: what may be at the server is not all of records that will be read again. `sender`: who was the last to
    send, and with which store, of rows that are kept.
    """

    clean: bool = False
    waiting_since: float | None = None
    newest: Position | None = None
    beyond: bool = False
    sender: str = ""

    def encode(self) -> str:
        said = {
            "v": MARK_FORMAT,
            "clean": self.clean,
            "waiting_since": self.waiting_since,
            "newest": self.newest,
            "beyond": self.beyond,
            "sender": self.sender,
        }
        return json.dumps({name: value for name, value in said.items() if value}, separators=(",", ":"))

    @classmethod
    def decode(cls, metadata: str | None) -> Mark:
        """Read a commit's metadata; whatever else wrote it did not say that nothing is at the server.

        A format that is not known yet, of a later release, may say what this one would have to heed: all is waited for.
        """
        try:
            said = json.loads(metadata or "{}")
            if said.get("v", 0) not in (0, MARK_FORMAT):
                return cls(beyond=True)
            newest, since = said.get("newest"), said.get("waiting_since")
            since = None if since is None else float(since)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return cls()
        if since is not None and not math.isfinite(since):
            return cls()
        position = tuple(newest) if isinstance(newest, list) else None
        sender = said.get("sender")
        return cls(
            said.get("clean") is True,
            since,
            position,
            said.get("beyond") is True,
            sender if isinstance(sender, str) else "",
        )


@dataclass(slots=True)
class _Passage:
    """A partition's way through the gate. Times are monotonic seconds, but for `waiting_since`.

    `remembers`: every event that a predecessor can have read is known to lie at or below `newest`.
    `unrepeated`: what is sent may be of records that will not be read again.
    """

    assigned_at: float
    target: int | None = None
    passed: bool = False
    clean: bool = True
    sending: bool = False
    waiting_since: float | None = None
    wait_until: float = 0.0
    beyond: bool = False
    sender: str = ""
    newest: Position | None = None
    remembers: bool = False
    unrepeated: bool = False
    repeats_until: float = 0.0


class Gate:
    """All partitions of this process. `settle_time`: seconds until the server is done with whatever was sent."""

    def __init__(self, settle_time: float) -> None:
        self._settle_time = settle_time
        self._passages: dict[Partition, _Passage] = {}

    def assign(self, partition: Partition, now: float) -> None:
        """Close the gate of the partition's topic until the partition is known and read up to its watermark."""
        self._passages[partition] = _Passage(now)

    def revoke(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._passages.pop(partition, None)

    @property
    def unknown(self) -> list[Partition]:
        """The partitions whose watermark and committed mark are still to be asked for."""
        return [partition for partition, passage in self._passages.items() if passage.target is None]

    def know(self, partition: Partition, high_watermark: int, mark: Mark | None, wall: float) -> None:
        """Take in the watermark, and the mark of the predecessor's last commit; None where none ever committed.

        `wall`: UNIX seconds, to tell how long ago the predecessor began to wait. Clocks that disagree can make this
        wait up to the whole settle time, never longer.
        """
        passage = self._passages[partition]
        passage.target = high_watermark
        passage.remembers = mark is None or mark.newest is not None
        if mark is None:
            return
        passage.sender = mark.sender
        if passage.newest is None or (mark.newest and _reaches(mark.newest, passage.newest)):
            passage.newest = mark.newest
        if mark.clean:
            return
        waited = 0.0 if mark.waiting_since is None else min(max(wall - mark.waiting_since, 0.0), self._settle_time)
        passage.clean = False
        passage.beyond = mark.beyond
        passage.waiting_since = wall - waited
        passage.wait_until = passage.assigned_at + self._settle_time - waited

    def read(self, partition: Partition, position: int) -> bool:
        """The partition has been read up to `position`. True, once, when that passes its watermark."""
        passage = self._passages[partition]
        if passage.passed or passage.target is None or position < passage.target:
            return False
        passage.passed = True
        return True

    def wait_until(self, partition: Partition) -> float:
        """Until when the keys wait that were read before the partition passed; 0 if they need not."""
        return self._passages[partition].wait_until

    def reached(self, partition: Partition) -> bool:
        """Whether the partition has been read up to its watermark."""
        return self._passages[partition].passed

    def passed(self, partition: Partition) -> bool:
        """Whether what is read from the partition now can't have been read by a predecessor."""
        passage = self._passages[partition]
        return passage.passed and not passage.repeats_until

    def open(self, topics: Iterable[str], now: float) -> bool:
        """Whether what was read from these topics may be sent."""
        wanted = frozenset(topics)
        return all(
            passage.passed and passage.repeats_until <= now and not (passage.beyond and now < passage.wait_until)
            for partition, passage in self._passages.items()
            if partition.topic in wanted
        )

    def see(self, partition: Partition, position: Position | None, now: float) -> bool:
        """Take in an event's position at the source. True if the event can't have been read before, by anyone.

        Positions that go back mean that events are repeated, or that the source is another: the topic's gate closes
        until the newest position is reached again, or for 30 s.
        """
        passage = self._passages[partition]
        if position is None:
            return False
        newest = passage.newest
        if newest is None or _reaches(position, newest):
            passage.newest, passage.repeats_until = position, 0.0
            return passage.passed and passage.remembers and position != newest
        if not passage.repeats_until:
            passage.repeats_until = now + REPEATS_WAIT
        elif passage.repeats_until <= now:
            passage.newest, passage.repeats_until = position, 0.0
        return False

    # What commits say

    def mark(self, partition: Partition) -> Mark:
        """What a commit during the tenure says; of a partition that is not known yet nothing may be committed."""
        passage = self._passages[partition]
        since, beyond = (None, False) if passage.sending else (passage.waiting_since, passage.beyond)
        return Mark(passage.clean, since, passage.newest, beyond or passage.unrepeated, passage.sender)

    def unrepeated(self, partition: Partition, *, begin: bool) -> None:
        """From the next commit on it is said that what is sent may not be read again; or, in the end, no longer.

        That commit must be confirmed before such a thing may be sent.
        """
        self._passages[partition].unrepeated = begin

    def sending(self, partition: Partition, sender: str = "") -> None:
        """From the next commit on it is said that requests may be at the server, by whom.

        That commit must be confirmed before the first of them leaves.
        """
        passage = self._passages[partition]
        passage.clean, passage.sending, passage.sender = False, True, sender

    def farewell(self, partition: Partition, now: float, *, locked: bool, beyond: bool = False) -> Mark:
        """What the last commit of a tenure says; `locked`: the server may be working on something of this process.

        `beyond`: and that is not all of records that will be read again, so that a successor must wait with all.
        """
        passage = self._passages[partition]
        if locked:
            return Mark(newest=passage.newest, beyond=beyond, sender=passage.sender)
        if now < passage.wait_until:
            since, before = passage.waiting_since, passage.beyond
            return Mark(waiting_since=since, newest=passage.newest, beyond=before, sender=passage.sender)
        return Mark(clean=True, newest=passage.newest, sender=passage.sender)


def _reaches(position: Position, newest: Position) -> bool:
    """Whether it lies at or beyond; positions of another shape are another source's, and do."""
    if len(position) != len(newest):
        return True
    try:
        return position >= newest
    except TypeError:
        return True
