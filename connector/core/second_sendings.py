"""Customers that were deleted and came back: sent at once, and a second time once their DELETE is surely done.

Replenit queues the DELETE of a customer. It could overtake an upsert that was sent after it; a second upsert, sent when
the queue must have been worked off, puts that right. It is kept in memory only: after a crash it does not come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.core.events import Entity
from connector.core.remembered import MOST_BYTES, Remembered
from connector.core.states import Change, Key, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from connector.core.entries import Entry
    from connector.core.events import Partition

MOST = 100_000


class SecondSendings:
    """`settle`: seconds after the acknowledgement of a DELETE within which it may still be in Replenit's queue.

    `most` customers are remembered, and `most_bytes` of what is to be sent of them; beyond, those are forgotten whose
    DELETE or upsert is the longest ago.
    """

    def __init__(self, settle: float, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.may_go: Callable[[Partition, float], bool] = lambda _, __: True
        """Whether something of a partition may be sent that is not read again after a crash."""
        self._settle = settle
        self._most = most
        self._deleted: dict[Key, float] = {}  # when its DELETE is surely done, the earliest first
        self._again: Remembered[Key, Change] = Remembered(most, lambda _, change: _weight(change), most_bytes)

    def deleted(self, key: Key, now: float) -> None:
        """Replenit has acknowledged a DELETE."""
        if key.entity is not Entity.CUSTOMERS or not self._settle:
            return
        self._forget(key)
        self._deleted[key] = now + self._settle
        if len(self._deleted) > self._most:
            self._forget(next(iter(self._deleted)))

    def delivered(self, entry: Entry, state: State, now: float) -> None:
        """Replenit has acknowledged an upsert of this state."""
        until = self._deleted.get(entry.key)
        if until is None or until <= now or not entry.tickets:
            return
        partition = max(entry.tickets.values()).partition
        again = State(document=state.document, retracts=state.retracts)
        self._again.put(entry.key, Change(entry.key, again, entry.record, partition, repeated=True))

    def changed(self, key: Key) -> None:
        """Something newer is known of the key: what was sent last must not be sent again."""
        self._again.pop(key)

    def due(self, now: float, *, at_once: bool = False) -> list[Change]:
        """The upserts whose time has come; `at_once`: all, since the process ends."""
        due = []
        while self._deleted:
            key, until = next(iter(self._deleted.items()))
            if until > now and not at_once:
                break
            waits = self._again.get(key)
            if waits is not None and not at_once and not self.may_go(waits.partition, now):
                break
            del self._deleted[key]
            if (change := self._again.pop(key)) is not None:
                due.append(change)
        return due

    def forget(self, partitions: Iterable[Partition]) -> None:
        """The partitions are another process's, which may know newer states."""
        gone = set(partitions)
        self._again.forget(lambda _, change: change.partition in gone)

    def _forget(self, key: Key) -> None:
        self._deleted.pop(key, None)
        self._again.pop(key)


def _weight(change: Change) -> int:
    return change.record.weight + len(change.state.document or b"")
