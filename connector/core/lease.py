"""The lease: for how long after a poll this process may take what it owns for its own.

Kafka gives the partitions of a process that is not heard of to another, and a process that was stopped meanwhile does
not know. So nothing leaves later than a while after the last poll. Where more time has passed, one poll does not tell
either: the client may not have noticed yet. Then a commit that Kafka accepts has to (see `ownership.Ownership.doubt`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

LONGEST_LEASE = 10.0
"""Seconds. A successor sends nothing for at least as long after it took over from a process that did not say goodbye,
and gets partitions before that process's session is over only if it has the same `group.instance.id`."""


class Lease:
    """Renewed by the loop, asked by any thread. `clock` gives seconds that pass while the machine sleeps, too."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._renewed_at = clock()
        self.term = 0
        """What is handed out in one term may not leave in another."""

    def renew(self) -> bool:
        """A poll has returned. False: so much time has passed that a new term begins."""
        now = self._clock()
        in_time = now - self._renewed_at <= self._seconds
        if not in_time:
            self.end()
        self._renewed_at = now
        return in_time

    def end(self) -> None:
        """What was owned is another process's: what has not left by now must not."""
        self.term += 1

    def holds(self, term: int) -> bool:
        """Whether what was handed out in that term may leave now."""
        in_time = self._clock() - self._renewed_at <= self._seconds
        return in_time and term == self.term  # in this order: a term ends before the lease is renewed
