"""What is sent although its record is not read again after a crash: replays, and customers' second sendings.

A successor can't know which rows these are. While some may be under way, commits say so, and it waits with everything
until the server must be done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from connector.core.events import Partition
    from connector.core.gate import Gate
    from connector.core.pending import Pending
    from connector.ownership import Ownership

LULL = 30.0
"""Seconds without such a thing after which it is looked whether some is still under way."""


class Unrepeated:
    """The partitions of which such things may be sent."""

    def __init__(self, gate: Gate, ownership: Ownership, pending: Pending) -> None:
        self.also: Callable[[], bool] = lambda: False
        """Whether something is under way that is not pending yet."""
        self._gate = gate
        self._ownership = ownership
        self._pending = pending
        self._risky: set[Partition] = set()
        self._lull_at = 0.0

    def may_go(self, partition: Partition, now: float) -> bool:
        """Whether something of an owned partition may be put among what is to be sent; else it is to be asked again."""
        self._lull_at = now + LULL
        if partition not in self._risky:
            self._gate.unrepeated(partition, begin=True)
            self._risky.add(partition)
        return self._ownership.has_said_unrepeated(partition)

    def turn(self, now: float) -> None:
        """Let commits say again that all is read again, if nothing else is under way."""
        if self._risky and now >= self._lull_at:
            self._lull_at = now + LULL
            if not self._pending.unrepeated(self._risky) and not self.also():
                for partition in self._risky:
                    self._gate.unrepeated(partition, begin=False)
                self._risky.clear()

    def forget(self, partitions: Iterable[Partition]) -> None:
        """The partitions are another process's, or are read anew."""
        self._risky.difference_update(partitions)
