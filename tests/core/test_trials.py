"""How the API's verdicts are weighed: each record's once, and what was in doubt."""

from __future__ import annotations

import pytest

from connector.core.entries import QUEUES, Entry, Lane
from connector.core.events import Entity, FieldError, Partition, Reason, Record, Reject
from connector.core.offsets import Offsets
from connector.core.outcomes import Delivered, Outcome, Refused, Suspect, Throttled, Transient
from connector.core.pending import Pending
from connector.core.rejections import FEWEST, MOST
from connector.core.states import Change, Key, State
from connector.core.suspensions import Suspensions
from connector.core.trials import SAMPLE, Trials

P = Partition("orders", 0)
NO = Reject(Reason.REJECTED, (FieldError("Currency", "is not valid"),))


class Court:
    """Trials over pending work of one lane."""

    def __init__(self) -> None:
        offsets = Offsets()
        offsets.assign(P)
        self.pending = Pending(offsets)
        self.suspensions = Suspensions()
        self.trials = Trials(self.pending, self.suspensions, [Entity.ORDERS])
        self._offset = 0

    def flying(self, identifier: str) -> Entry:
        """An entry whose request is under way."""
        record = Record(P.topic, 0, self._offset, b"k", b"v")
        self._offset += 1
        self.pending.put(Change(Key(Entity.ORDERS, identifier), State(document=b"{}"), record, P), 0.0)
        [entry] = self.pending.take(QUEUES, 1)
        return entry

    def refuse(self, number: int) -> list[bool]:
        """So many records are refused, each in an answer of its own; whether each is in doubt."""
        doubts = []
        for each in range(number):
            entry = self.flying(f"bad{self._offset}.{each}")
            self.trials.refuse(Lane.ORDERS, NO)
            self.trials.weigh(Lane.ORDERS, 0.0)
            doubts.append(self.trials.doubt(Lane.ORDERS, entry, NO, 0.0))
            if not doubts[-1] and self.pending.rejected(entry):
                self.pending.release(entry)
        return doubts

    def accept(self, number: int) -> None:
        for each in range(number):
            self.trials.accept(Lane.ORDERS, self.flying(f"good{self._offset}.{each}"))


def test_what_is_found_right_counts_once_however_often_it_is_sent() -> None:
    """An answer that names the bad records finds nothing wrong with the others, which are sent again."""
    court = Court()
    entry = court.flying("good")
    for _ in range(3 * FEWEST):
        court.trials.accept(Lane.ORDERS, entry)
    assert court.refuse(FEWEST)[-1]
    assert court.trials.suspended(Lane.ORDERS)


def test_after_a_good_time_refusals_are_in_doubt_until_the_next_tell() -> None:
    """Nineteen are dead letters, the next wait; good ones that follow make them dead letters, too."""
    court = Court()
    court.accept(200)
    assert court.refuse(MOST - 1) == [False] * (FEWEST - 1) + [True] * (MOST - FEWEST)
    assert not court.trials.suspended(Lane.ORDERS)
    assert court.trials.condemned(Lane.ORDERS) == []
    court.accept(MOST)
    assert [reject for _, reject in court.trials.condemned(Lane.ORDERS)] == [NO] * (MOST - FEWEST)
    assert court.trials.condemned(Lane.ORDERS) == []


def test_what_was_in_doubt_and_has_a_newer_state_is_no_dead_letter() -> None:
    """The newer state has taken its place."""
    court = Court()
    court.accept(200)
    court.refuse(FEWEST)
    [key] = [entry.key for entry, _ in court.trials._in_doubt(Lane.ORDERS)]  # noqa: SLF001
    record = Record(P.topic, 0, 9999, b"k", b"v")
    court.pending.put(Change(key, State(document=b"{}"), record, P), 1.0)
    court.accept(FEWEST + 1)
    assert court.trials.condemned(Lane.ORDERS) == []
    assert not court.pending.idle(key)


def suspended(court: Court, waiting: int) -> None:
    """Suspend the lane, with so many records that wait beside the twenty that were refused."""
    court.refuse(FEWEST)
    assert court.trials.suspended(Lane.ORDERS)
    for each in range(waiting):
        record = Record(P.topic, 0, 1000 + each, b"k", b"v")
        court.pending.put(Change(Key(Entity.ORDERS, f"waits{each}"), State(document=b"{}"), record, P), 1.0 + each)


def trial(court: Court, now: float) -> list[Entry]:
    """The entries of the trial that is due."""
    found = court.trials.next(now, 0.0, [Entity.ORDERS])
    assert not isinstance(found, float)
    assert found[0] is Lane.ORDERS
    return found[1]


def answer(court: Court, sample: list[Entry], outcome: Outcome, now: float) -> bool:
    """Settle a trial; whether the lane goes on."""
    for entry in sample:  # as if none had been taken
        court.pending.doubt(entry)
        if not isinstance(outcome, Delivered):
            court.pending.line_up(entry, entry.since)
    court.trials.settled(Lane.ORDERS, len(sample), outcome, now)
    return not court.trials.suspended(Lane.ORDERS)


def bad(*places: int) -> dict[int, tuple[FieldError, ...]]:
    """An answer that names these places."""
    return dict.fromkeys(places, NO.errors)


@pytest.mark.parametrize(
    ("outcome", "goes_on"),
    [
        (Delivered(10), True),
        (Refused(bad(5, 6, 7, 8, 9), complete=True), True),
        (Refused(bad(4, 5, 6, 7, 8, 9), complete=True), False),
        (Refused(bad(5), complete=False), True),
        (Refused(bad(4), complete=False), False),
        (Suspect(NO.errors, 400), False),
        (Transient("http_503", ambiguous=False), False),
        (Throttled(1.0), False),
    ],
)
def test_half_of_a_sample_must_be_good(outcome: Outcome, goes_on: bool) -> None:
    """Five of ten, by what the answer makes known, suffice; what is no verdict does not."""
    court = Court()
    suspended(court, 30)
    sample = trial(court, 60.0)
    assert len(sample) == 2 * SAMPLE
    assert answer(court, sample, outcome, 60.0) == goes_on


def test_trials_come_ever_less_often_and_at_once_when_something_has_changed() -> None:
    """After 1, 2, 4, 8 and then every 15 minutes; never while the budget or the gate says no, nor two at a time."""
    court = Court()
    suspended(court, 30)
    now = 0.0
    for pause in (60, 120, 240, 480, 900, 900):
        assert isinstance(court.trials.next(now + pause - 0.1, 0.0, [Entity.ORDERS]), float)
        now += pause
        assert isinstance(court.trials.next(now, 1.0, [Entity.ORDERS]), float)
        assert isinstance(court.trials.next(now, 0.0, []), float)
        sample = trial(court, now)
        assert isinstance(court.trials.next(now, 0.0, [Entity.ORDERS]), float)
        assert not answer(court, sample, Suspect(NO.errors, 400), now)
    court.suspensions.hasten(now + 1)
    assert answer(court, trial(court, now + 1), Delivered(10), now + 1)


def test_a_sample_holds_the_newest_and_by_turns_the_oldest() -> None:
    """Where answers name no record, one that stays bad must not hide that new ones are good."""
    court = Court()
    suspended(court, 30)
    newest = [f"waits{each}" for each in range(29, 24, -1)]
    first = trial(court, 60.0)
    assert [entry.key.id for entry in first[:SAMPLE]] == newest
    assert [entry.key.id for entry in first[SAMPLE:]] == ["bad19.19", *(f"waits{each}" for each in range(4))]
    answer(court, first, Suspect(NO.errors, 400), 60.0)
    assert len(trial(court, 180.0)) == SAMPLE


def test_a_lane_with_nothing_left_in_doubt_goes_on() -> None:
    """What was refused has newer states by now, or is another process's."""
    court = Court()
    suspended(court, 0)
    court.pending.forget([P])
    assert isinstance(court.trials.next(60.0, 0.0, [Entity.ORDERS]), float)
    assert not court.trials.suspended(Lane.ORDERS)
