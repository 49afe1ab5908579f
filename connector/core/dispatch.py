"""From what waits to a request, and from its outcome to what follows: the decisions; the caller does the I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, assert_never

from connector.core.candidates import Candidates
from connector.core.entries import Lane
from connector.core.events import Entity, Reason, Reject
from connector.core.halting import Halting
from connector.core.isolation import Group
from connector.core.lanes import pause
from connector.core.outcomes import (
    Delivered,
    Refused,
    Stopped,
    Suspect,
    Throttled,
    TooLarge,
    Transient,
    Unclear,
    classify,
)
from connector.core.requests import DELETES, ITEM_DELETES, UPSERTS, Answer, Purpose, Request
from connector.core.scheduler import Candidate, Lingers, Load, next_send
from connector.core.trials import Trials

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from connector.core.budget import Budget, Slot
    from connector.core.entries import Entry, Queue
    from connector.core.halts import Halt
    from connector.core.outcomes import Outcome
    from connector.core.pending import Pending
    from connector.core.requests import NoAnswer
    from connector.core.second_sendings import SecondSendings
    from connector.core.suspensions import Suspensions

AMBIGUITY = 30.0
"""Seconds for which the server may go on, at least, with a request whose answer did not come."""

_SUSPICIOUS_FAILURES = 5
_HOPELESS = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """A request under way with the entries that it carries; a halt's probe carries none, and has no lane.

    `trial`: it tries whether its suspended lane works again.
    """

    request: Request
    purpose: Purpose
    slot: Slot
    lane: Lane | None = None
    entries: Sequence[Entry] = ()
    item: tuple[str, ...] | None = None
    group: Group | None = None
    trial: bool = False


@dataclass(slots=True)
class Consequences:
    """What follows from an outcome. `dead`: entries that are the caller's now, for the dead-letter topic.

    `condemned`: likewise, but it was an earlier answer that refused them.
    """

    outcome: Outcome
    delivered: list[Entry] = field(default_factory=list)
    dead: list[tuple[Entry, Reject]] = field(default_factory=list)
    condemned: list[tuple[Entry, Reject]] = field(default_factory=list)
    halted: Halt | None = None
    recovered: Halt | None = None
    short: int = 0


class Dispatch:
    """Lanes, isolation, halts and suspensions over the pending work.

    `suspensions` is shared with whoever suspends lanes for other reasons. `suspicious` tells which entries the strict
    reading of the API's documents would refuse. `customers_by`: see `Request.by`. `jitter` gives numbers from 0 to 1.
    `settle_time`: seconds until the server is done with whatever was sent.
    """

    def __init__(  # noqa: PLR0913 (what it decides by)
        self,
        pending: Pending,
        budget: Budget,
        *,
        entities: Collection[Entity],
        batch_max: Mapping[Entity, int],
        lingers: Lingers,
        suspicious: Callable[[Entry], bool],
        jitter: Callable[[], float],
        settle_time: float,
        suspensions: Suspensions,
        second: SecondSendings,
        customers_by: str = "customerId",
    ) -> None:
        self._customers_by = customers_by
        self.halting = Halting()
        self.suspensions = suspensions
        self.trials = Trials(pending, suspensions, entities)
        self.lingers = lingers
        self._second = second
        self._pending = pending
        self._budget = budget
        self._batch_max = batch_max
        self._suspicious = suspicious
        self._jitter = jitter
        self._settle_time = settle_time
        self._candidates = Candidates(pending, suspensions, entities, batch_max)
        self._health = self._candidates.health
        self._isolations = self._candidates.isolations
        self._isolating = False
        self._fingerprint: str | None = ""

    # What goes out

    @property
    def flying(self) -> int:
        """Requests without an outcome."""
        return sum(health.flying for health in self._health.values()) + self.halting.probing

    def next(self, now: float, open_entities: Collection[Entity]) -> Batch | float:
        """The request to send now, or the seconds after which to ask again at the latest.

        Its entries fly, and its slot of the budget is spent: the caller sends it and hands what comes to `settle`.
        """
        if self.halting.stopped:
            return self._probe(now)
        self._pending.advance(now)
        self._send_again(now)
        for lane in self.trials.lanes_in_doubt:
            self._weigh(lane, now)
        trial = self.trials.next(now, self._budget.wait(now), open_entities)
        if not isinstance(trial, float):
            return self._send_sample(*trial, now)
        candidates = dict(self._candidates.at(now, open_entities, isolating=self._isolating))
        chosen, wait = next_send(candidates, self._budget, self.lingers, now)
        if chosen is None:
            put_off = self._pending.next_put_off()
            return min(wait, trial, math.inf if put_off is None else put_off - now)
        what = candidates[chosen]
        if isinstance(what, Group):
            return self._send_group(chosen.lane, what, now)
        if chosen.lane is Lane.DELETES:
            return self._send_delete(what, now)
        return self._send_batch(chosen, what, now)

    def _probe(self, now: float) -> Batch | float:
        """An empty array: it costs a request and changes nothing, and its answer tells whether key and tenant work."""
        wait = max(self.halting.due(now), self._budget.wait(now))
        if wait > 0:
            return wait
        self.halting.probing = True
        return Batch(Request(UPSERTS[Entity.ORDERS], body=b"[]"), Purpose.PROBE, self._budget.spend(now))

    def _send_sample(self, lane: Lane, sample: list[Entry], now: float) -> Batch:
        if lane is Lane.DELETES:
            request, _, item = self._delete(sample[0])
            return self._send(lane, request, Purpose.PROBE, sample, now, item=item, trial=True)
        return self._send(lane, _upsert(Entity(lane.value), sample), Purpose.PROBE, sample, now, trial=True)

    def _send_again(self, now: float) -> None:
        for change in self._second.due(now, at_once=self.lingers.over):
            if self._pending.idle(change.key):
                self._pending.put(change, now)

    def _send_batch(self, chosen: Candidate, queues: list[Queue], now: float) -> Batch:
        entity = Entity(chosen.lane.value)
        entries = self._take(chosen.lane, queues, self._batch_max[entity])
        if any(entry.failures for entry in entries):
            purpose = Purpose.RETRY
        elif entries[0].isolating:
            purpose = Purpose.ISOLATION
        else:
            purpose = Purpose.BACKLOG if chosen.load is Load.FULL else Purpose.FRESH
        return self._send(chosen.lane, _upsert(entity, entries), purpose, entries, now)

    def _take(self, lane: Lane, queues: list[Queue], limit: int) -> list[Entry]:
        """What goes next, the oldest first.

        Where a lane fails and fails, some records may make the server fail, or the size of its batches: trials with all
        that waits would never tell. So they carry half of it, a quarter and so on, of what failed least: one succeeds.
        """
        failures = self._health[lane].failures
        if failures < _SUSPICIOUS_FAILURES:
            return self._pending.take(queues, limit)
        share = (sum(map(self._pending.length, queues)) + 1) >> (failures - _SUSPICIOUS_FAILURES + 1)
        return self._pending.take_least_failed(queues, max(1, min(limit, share)))

    def _send_group(self, lane: Lane, group: Group, now: float) -> Batch:
        entries = self._isolations[lane].take(group)
        self._isolating = True
        return self._send(lane, _upsert(Entity(lane.value), entries), Purpose.ISOLATION, entries, now, group=group)

    def _delete(self, entry: Entry) -> tuple[Request, Purpose, tuple[str, ...] | None]:
        """The DELETE that an entry owes first, what it is spent on, and the item that it is about."""
        entity = entry.key.entity
        if entry.state.delete:
            return Request(DELETES[entity], (entry.key.id,), by=self._customers_by), Purpose.DELETE, None
        item = min(entry.state.stale)
        return Request(ITEM_DELETES[entity], (entry.key.id, *item)), Purpose.ITEM_DELETE, item

    def _send_delete(self, queues: list[Queue], now: float) -> Batch:
        [entry] = self._pending.take(queues, 1)
        request, purpose, item = self._delete(entry)
        if entry.failures:
            purpose = Purpose.RETRY
        return self._send(Lane.DELETES, request, purpose, [entry], now, item=item)

    def _send(  # noqa: PLR0913 (the parts of a batch)
        self,
        lane: Lane,
        request: Request,
        purpose: Purpose,
        entries: Sequence[Entry],
        now: float,
        *,
        item: tuple[str, ...] | None = None,
        group: Group | None = None,
        trial: bool = False,
    ) -> Batch:
        self._health[lane].sent(now)
        return Batch(request, purpose, self._budget.spend(now), lane, entries, item, group, trial)

    # What comes back

    def settle(self, batch: Batch, reply: Answer | NoAnswer, now: float) -> Consequences:
        """Draw the consequences of a reply. Each batch is settled exactly once."""
        outcome = self._cleared(classify(batch.request, len(batch.entries), reply), now)
        asked = outcome.retry_after if isinstance(outcome, Throttled) else None
        status, headers = (reply.status, reply.headers) if isinstance(reply, Answer) else (None, {})
        self._budget.answer(batch.slot, now, status, headers, retry_after=asked)
        follows = Consequences(outcome)
        if batch.lane is None:
            follows.halted, follows.recovered = self.halting.probed(outcome, now)
            return follows
        self._health[batch.lane].flying -= 1
        if batch.group is not None:
            self._isolating = False
        self._draw(batch, batch.lane, follows, now)
        follows.condemned = self.trials.condemned(batch.lane)
        if batch.trial:
            self.trials.settled(batch.lane, len(batch.entries), outcome, now)
        return follows

    def _cleared(self, outcome: Outcome, now: float) -> Outcome:
        """Where tenant and key were just right, what a DELETE did not find is gone."""
        return Delivered(None) if isinstance(outcome, Unclear) and self.halting.is_proven(now) else outcome

    def _draw(self, batch: Batch, lane: Lane, follows: Consequences, now: float) -> None:
        match follows.outcome:
            case Delivered(count):
                self._delivered(batch, lane, count, follows, now)
            case Refused():
                self._proven(lane, now)
                self._refused(batch, lane, follows.outcome, follows, now)
            case Suspect(status=403) if not self.halting.is_proven(now):  # a gateway dislikes this record, or us
                self._again(batch, lane)
                self.halting.doubt(now)
            case Suspect(errors):
                self._divide(batch, lane, Reject(Reason.REJECTED, errors), follows, now)
            case TooLarge():
                self._divide(batch, lane, Reject(Reason.TOO_LARGE, ()), follows, now)
            case Throttled():
                self._again(batch, lane)
            case Transient(_, ambiguous):
                done_at = max(now + AMBIGUITY, batch.slot.sent + self._settle_time)
                self._failed(batch, lane, follows, now, locked_until=done_at if ambiguous else 0.0)
            case Stopped(reason, detail):
                self._again(batch, lane)
                follows.halted = self.halting.stop(reason, now, detail)
            case Unclear():
                self._again(batch, lane)
                self.halting.doubt(now)
            case _:
                assert_never(follows.outcome)

    def see_key(self, fingerprint: str | None, now: float) -> tuple[Halt | None, Halt | None]:
        """Take notice of the key as it is now, None if there is none: the halt that begins, and the one that ends."""
        if fingerprint != self._fingerprint:
            self._fingerprint = fingerprint
            self.suspensions.hasten(now)
        return self.halting.see_key(fingerprint, now)

    def _proven(self, lane: Lane, now: float) -> None:
        self.halting.proven(now)
        self._health[lane].succeeded(now)

    def _delivered(self, batch: Batch, lane: Lane, count: int | None, follows: Consequences, now: float) -> None:
        self._proven(lane, now)
        if batch.group is not None:
            self._isolations[lane].accepted(batch.group, len(batch.entries))
        if count is not None and lane is not Lane.DELETES:
            follows.short = max(0, len(batch.entries) - count)
        for entry in batch.entries:
            self.trials.accept(lane, entry)
            if entry.state.delete:
                self._second.deleted(entry.key, now)
            elif batch.item is None and not self._pending.superseded(entry):
                self._second.delivered(entry, entry.state, now)
            if batch.item is not None:
                done = self._pending.item_deleted(entry, batch.item)
            else:
                done = self._pending.delivered(entry)
            if done:
                follows.delivered.append(entry)

    def _refused(self, batch: Batch, lane: Lane, refused: Refused, follows: Consequences, now: float) -> None:
        """All of the batch is known by the answer, or, where it names the first bad record only, what is before it."""
        rejects = {index: Reject(Reason.REJECTED, errors) for index, errors in refused.errors.items()}
        first = min(rejects)
        for index, entry in enumerate(batch.entries):
            if index in rejects:
                self.trials.refuse(lane, rejects[index])
            elif refused.complete or index < first:
                self.trials.accept(lane, entry)
        self._weigh(lane, now)
        for index, entry in enumerate(batch.entries):
            if index in rejects:
                self._reject(lane, entry, rejects[index], follows, now)
            else:
                entry.isolating = True
                self._pending.failed(entry)

    def _divide(self, batch: Batch, lane: Lane, reject: Reject, follows: Consequences, now: float) -> None:
        """Some entry of the batch is at fault: the only one, or one to be found."""
        if len(batch.entries) == 1:
            [entry] = batch.entries
            self.trials.refuse(lane, reject)
            self._weigh(lane, now)
            self._reject(lane, entry, reject, follows, now)
            return
        for entry in batch.entries:
            self._pending.failed(entry)
        if lane in self.suspensions:
            return
        if batch.group is None:
            self._isolations[lane].split(batch.entries, self._suspicious)
        else:
            self._isolations[lane].split(batch.entries)

    def _weigh(self, lane: Lane, now: float) -> None:
        """Suspend the lane if its refusals are no records' fault."""
        if self.trials.weigh(lane, now) and lane in self._isolations:
            self._isolations[lane].dissolve()

    def _reject(self, lane: Lane, entry: Entry, reject: Reject, follows: Consequences, now: float) -> None:
        """A dead letter, unless the lane's refusals are in doubt."""
        if not self.trials.doubt(lane, entry, reject, now) and self._pending.rejected(entry):
            follows.dead.append((entry, reject))

    def _again(self, batch: Batch, lane: Lane) -> None:
        """The same once more, as soon as anything may be sent: the failure said nothing of the records."""
        for entry in batch.entries:
            self._pending.failed(entry)
        if batch.group is not None and lane not in self.suspensions:
            self._isolations[lane].again(batch.group, batch.entries, 0.0)

    def _failed(self, batch: Batch, lane: Lane, follows: Consequences, now: float, *, locked_until: float) -> None:
        """A failure that is the server's, unless it follows these records while others of their lane succeed."""
        health = self._health[lane]
        if locked_until and batch.entries[0].state.delete:  # it may be in Replenit's queue all the same
            self._second.deleted(batch.entries[0].key, locked_until)
        for entry in batch.entries:
            entry.failing_since = entry.failing_since if entry.failures else now
            entry.failures += 1
        suspects = [
            entry
            for entry in batch.entries
            if entry.failures >= _SUSPICIOUS_FAILURES and health.succeeded_at > entry.failing_since
        ]
        alone = len(batch.entries) == 1
        if suspects and alone and now - batch.entries[0].failing_since >= _HOPELESS:
            if self._pending.rejected(batch.entries[0]):
                follows.dead.append((batch.entries[0], Reject(Reason.SERVER_ERROR, ())))
            return
        if not suspects:
            health.failed(now, self._jitter())
        failures = max(entry.failures for entry in batch.entries)
        # A lone record comes after the lane's own trial, so that another record makes that trial, if there is one.
        retry_at = max(health.retry_at, now + pause(failures, 0.0 if alone else self._jitter()))
        for entry in batch.entries:
            self._pending.failed(entry, retry_at=retry_at, locked_until=locked_until)
        if lane in self.suspensions:
            return
        if len(suspects) > 1:
            self._isolations[lane].split(suspects, not_before=max(retry_at, locked_until))
        elif batch.group is not None and not alone:
            self._isolations[lane].again(batch.group, batch.entries, max(retry_at, locked_until))


def _upsert(entity: Entity, entries: Sequence[Entry]) -> Request:
    documents = [entry.state.document for entry in entries]
    return Request(UPSERTS[entity], body=b"[" + b",".join(each for each in documents if each is not None) + b"]")
