"""How the API's verdicts are weighed: each record's once, and what was in doubt."""

from __future__ import annotations

from connector.core.entries import QUEUES, Entry, Lane
from connector.core.events import Entity, FieldError, Partition, Reason, Record, Reject
from connector.core.offsets import Offsets
from connector.core.pending import Pending
from connector.core.rejections import FEWEST, MOST
from connector.core.states import Change, Key, State
from connector.core.suspensions import Suspensions
from connector.core.trials import Trials

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
            self.trials.refuse(Lane.ORDERS, entry, NO)
            self.trials.weigh(Lane.ORDERS, 0.0)
            doubts.append(self.trials.doubt(Lane.ORDERS, entry, NO, 0.0))
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
