"""A lane whose records the API mostly refuses: when it is suspended, and how it is tried whether it works again.

One bad record is a dead letter; a setting that is wrong would drain a whole table into them. So refusals are weighed,
and what is refused while most is stays where it is, in doubt.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from connector.core.entries import Lane, Queue
from connector.core.events import Entity
from connector.core.halts import SuspendReason
from connector.core.outcomes import Delivered, Refused, Stopped, Throttled, Transient, Unclear
from connector.core.rejections import LONGEST_DOUBT, Window, cause

if TYPE_CHECKING:
    from collections.abc import Collection

    from connector.core.entries import Entry
    from connector.core.events import Reject
    from connector.core.outcomes import Outcome
    from connector.core.pending import Pending
    from connector.core.states import Key
    from connector.core.suspensions import Suspensions

SAMPLE = 5
"""As many of the oldest and of the newest waiting records try whether a suspended lane works again."""

_LOOK_AGAIN = 1.0


class Trials:
    """Weighs the API's verdicts by lane, suspends lanes, and tries those that are suspended."""

    def __init__(self, pending: Pending, suspensions: Suspensions, entities: Collection[Entity]) -> None:
        self._pending = pending
        self._suspensions = suspensions
        self._entities = entities
        self._windows = {lane: Window() for lane in Lane}
        self._under_way: set[Lane] = set()
        self._doubts: dict[Lane, dict[Key, tuple[Entry, Reject]]] = {lane: {} for lane in Lane}
        self._tried: dict[Lane, set[Key]] = {lane: set() for lane in Lane}
        self._since: dict[Lane, float] = {}  # when the first refusal of a lane was in doubt

    # Verdicts

    def accept(self, lane: Lane, entry: Entry) -> None:
        """The API finds nothing wrong with the entry's state: counted once, however often it is sent."""
        if not entry.judged:
            entry.judged = True
            self._windows[lane].accept()

    def refuse(self, lane: Lane, reject: Reject) -> None:
        """The API refuses a state."""
        self._windows[lane].refuse(cause(reject))

    def doubt(self, lane: Lane, entry: Entry, reject: Reject, now: float) -> bool:
        """After all of an answer is in: whether a refusal of its is in doubt. Then the entry waits on."""
        if not self._windows[lane].doubtful and not self.suspended(lane):
            return False
        self._pending.doubt(entry)
        self._since.setdefault(lane, now)
        self._doubts[lane][entry.key] = (entry, reject)
        if self.suspended(lane) and self._pending.in_doubt(entry):
            self._pending.line_up(entry, entry.since)
        return True

    @property
    def lanes_in_doubt(self) -> list[Lane]:
        return list(self._since)

    def weigh(self, lane: Lane, now: float) -> bool:
        """Suspend the lane if most of what it brings is refused; True if that is new."""
        window = self._windows[lane]
        if self.suspended(lane) or not window.doubtful:
            return False
        if not window.broken and now - self._since.get(lane, now) < LONGEST_DOUBT:
            return False
        if not window.broken and not self._in_doubt(lane):
            self._since.pop(lane, None)  # newer states have taken the place of all
            return False
        self._suspensions.begin(lane, SuspendReason.REJECTED, now, window.cause())
        self._line_up(lane)
        return True

    def condemned(self, lane: Lane) -> list[tuple[Entry, Reject]]:
        """The refusals that were in doubt and are no longer, since good records followed: dead letters."""
        if lane not in self._since or self.suspended(lane) or self._windows[lane].doubtful:
            return []
        condemned = self._in_doubt(lane)
        self._doubts[lane].clear()
        del self._since[lane]
        for entry, _ in condemned:
            self._pending.condemn(entry)
        return condemned

    def suspended(self, lane: Lane) -> bool:
        """Whether the lane is suspended for what the API refuses."""
        return self._suspensions.get(lane, SuspendReason.REJECTED) is not None

    def count(self, lane: Lane) -> int:
        """How many refusals of the lane are in doubt."""
        return len(self._in_doubt(lane))

    def _in_doubt(self, lane: Lane) -> list[tuple[Entry, Reject]]:
        return [(entry, reject) for entry, reject in self._doubts[lane].values() if self._pending.in_doubt(entry)]

    def _line_up(self, lane: Lane) -> None:
        for entry, _ in self._in_doubt(lane):
            self._pending.line_up(entry, entry.since)

    # Trials

    def next(
        self, now: float, budget_wait: float, open_entities: Collection[Entity]
    ) -> tuple[Lane, list[Entry]] | float:
        """A suspended lane to try now, with the entries that fly for it, or the seconds until one may be due."""
        least = math.inf
        for suspension in self._suspensions:
            lane = suspension.lane
            if suspension.reason is not SuspendReason.REJECTED or lane in self._under_way:
                continue
            entities = [entity for entity in self._entities_of(lane) if entity in open_entities]
            wait = max(suspension.probes.next_at - now, budget_wait)
            if wait > 0 or not entities:
                least = min(least, max(wait, _LOOK_AGAIN))
            elif sample := self._sample(lane, entities, suspension.probes.made):
                self._under_way.add(lane)
                return lane, sample
            elif self._pending.any_waits(_queues(lane, entities)):  # locked, or put off
                least = min(least, _LOOK_AGAIN)
            else:
                self._resume(lane, now)
        return least

    def settled(self, lane: Lane, tried: int, outcome: Outcome, now: float) -> None:
        """The lane goes on if the API takes half of the sample, or finds nothing wrong with it."""
        self._under_way.discard(lane)
        suspension = self._suspensions.get(lane, SuspendReason.REJECTED)
        if isinstance(outcome, Transient | Throttled | Stopped | Unclear):  # it tells nothing of the lane
            if suspension is not None:
                suspension.probes.repeat(now)
            return
        good = 0
        match outcome:
            case Delivered():
                good = tried
            case Refused(errors, complete):
                good = tried - len(errors) if complete else min(errors)
        if 2 * good >= tried:
            self._resume(lane, now)
        elif suspension is not None:
            suspension.probes.postpone(now)

    def _sample(self, lane: Lane, entities: Collection[Entity], probes: int) -> list[Entry]:
        """By turns the newest and the oldest, and the newest alone, others each time: one can hide the rest."""
        alone, most = probes % 2 == 0, 1 if lane is Lane.DELETES else SAMPLE
        oldest, newest = (0, most) if alone else (most, 0 if lane is Lane.DELETES else most)
        queues, tried = _queues(lane, entities), self._tried[lane]
        sample = self._pending.take_sample(queues, oldest, newest, but=tried)
        if not sample:
            tried.clear()
            sample = self._pending.take_sample(queues, oldest, newest)
        tried.update(entry.key for entry in sample)
        return sample

    def _resume(self, lane: Lane, now: float) -> None:
        """Let the lane go on. What it refused goes last, and is weighed anew."""
        self._windows[lane] = Window()
        self._tried[lane].clear()
        self._suspensions.end(lane, SuspendReason.REJECTED)
        for entry, _ in self._in_doubt(lane):
            entry.doubted = False
            self._pending.line_up(entry, now)
        self._doubts[lane].clear()
        self._since.pop(lane, None)

    def _entities_of(self, lane: Lane) -> Collection[Entity]:
        return self._entities if lane is Lane.DELETES else [Entity(lane.value)]


def _queues(lane: Lane, entities: Collection[Entity]) -> list[Queue]:
    return [Queue(lane, entity, snapshot) for entity in entities for snapshot in (False, True)]
