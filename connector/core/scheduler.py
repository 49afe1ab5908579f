"""Which request goes next: `next_send` weighs the lanes against each other and against the budget.

Bulk sends (full batches, deletes, isolation) leave a few tokens to light ones, so that a backlog of one entity does not
hold fresh changes of another back; among those that may go, the lane that was served longest ago goes first. The
emptier the bucket, the longer a batch lingers to fill.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.core.budget import Budget
    from connector.core.entries import Lane

LEAST_LINGER = 0.25
LEAST_DELETE_LINGER = 1.0


class Load(Enum):
    """What a send would carry: a batch that is not full, one that is, a delete, or suspects of a refused batch."""

    LIGHT = auto()
    FULL = auto()
    DELETE = auto()
    ISOLATION = auto()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A request that a lane could send. `oldest`: since when its oldest entry waits. `served`: its lane's last send."""

    lane: Lane
    load: Load
    oldest: float
    served: float


@dataclass(frozen=True, slots=True)
class Lingers:
    """How long to wait for company at an empty bucket, in seconds; `over`: not at all, the service is stopping."""

    batch: float = 10.0
    delete: float = 5.0
    over: bool = False

    def due(self, candidate: Candidate, emptiness: float) -> float:
        """When the candidate should go, by how empty the bucket is (0 … 1)."""
        if self.over or candidate.load in (Load.FULL, Load.ISOLATION):
            return candidate.oldest
        if candidate.load is Load.DELETE:
            return candidate.oldest + max(LEAST_DELETE_LINGER, self.delete * emptiness)
        return candidate.oldest + max(LEAST_LINGER, self.batch * emptiness)


def next_send(
    candidates: Iterable[Candidate], budget: Budget, lingers: Lingers, now: float
) -> tuple[Candidate | None, float]:
    """The candidate to send now and 0, or None and the seconds after which to ask again at the latest.

    A bulk candidate that has been due for as long as the budget takes to grow its tokens back goes before all others
    and needs to leave none: where the budget is so small that light sends alone would use it up, it would never go.
    """
    if budget.starved:  # it waits for a greater share
        return None, math.inf
    keep = budget.keep()
    emptiness = budget.emptiness(now)
    patience = (1 + keep) / (budget.rate * budget.share)
    best: tuple[tuple[bool, float, float], Candidate] | None = None
    wait = math.inf
    for candidate in candidates:
        due = lingers.due(candidate, emptiness)
        bulk = candidate.load is not Load.LIGHT
        overdue = bulk and now - max(due, candidate.served) > patience
        delay = max(due - now, budget.wait(now, keep if bulk and not overdue else 0))
        if delay > 0:
            wait = min(wait, delay)
            continue
        rank = (not overdue, candidate.served, candidate.oldest)
        if best is None or rank < best[0]:
            best = (rank, candidate)
    return (best[1], 0.0) if best else (None, wait)
