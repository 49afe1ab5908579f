"""Records that the mapping refused while it refused most: what is kept and given up, and when it works again."""

from __future__ import annotations

import pytest

from connector.core.doubts import RECENT, Doubts
from connector.core.entries import Lane
from connector.core.events import Entity, FieldError, Partition, Reason, Record, Reject
from connector.core.halts import SuspendReason
from connector.core.offsets import Offsets
from connector.core.rejections import FEWEST, LONGEST_DOUBT
from connector.core.suspensions import Suspensions

P, OTHER = Partition("orders", 0), Partition("orders", 1)
NO = Reject(Reason.INVALID, (FieldError("Currency", "is no currency"),))


class Desk:
    """Doubts about orders."""

    def __init__(self) -> None:
        self.offsets = Offsets()
        for partition in (P, OTHER):
            self.offsets.assign(partition)
        self.suspensions = Suspensions()
        self.doubts = Doubts(self.offsets, self.suspensions, [Entity.ORDERS])
        self._offset = 0

    def _record(self, key: str | None) -> Record:
        self._offset += 1
        return Record(P.topic, 0, self._offset, None if key is None else key.encode(), b"v")

    def accept(self, number: int) -> None:
        for each in range(number):
            self.doubts.accept(Entity.ORDERS, self._record(f"good{each}"), P, f"good{each}", proven=True)

    def refuse(self, number: int, now: float = 0.0, partition: Partition = P) -> int:
        """How many of so many are dead letters."""
        return sum(
            self.doubts.refuse(Entity.ORDERS, self._record(f"bad{self._offset}"), partition, NO, now)
            for _ in range(number)
        )

    @property
    def suspended(self) -> bool:
        return self.suspensions.get(Lane.ORDERS, SuspendReason.UNMAPPABLE) is not None


@pytest.mark.parametrize(("good", "goes_on"), [(RECENT // 2 - 1, False), (RECENT // 2, True)])
def test_half_of_the_last_forty_show_that_rows_can_be_mapped(good: int, goes_on: bool) -> None:
    """Looked at when a probe is due; then what was kept comes back in its order, and the window is new."""
    desk = Desk()
    assert desk.refuse(100) == FEWEST - 1
    assert desk.suspended
    desk.accept(good)
    assert desk.doubts.turn(59.0) == []
    again = [kept for _, all_kept, _ in desk.doubts.turn(60.0) for kept in all_kept]
    assert (len(again), desk.suspended) == ((100 - FEWEST + 1, False) if goes_on else (0, True))
    offsets = [kept.record.offset for kept in again]
    assert offsets == sorted(offsets)
    if goes_on:
        assert desk.refuse(FEWEST - 1) == FEWEST - 1


def test_as_many_good_ones_as_are_kept_suffice() -> None:
    """A quiet table need not wait for forty."""
    desk = Desk()
    desk.refuse(FEWEST + 2)
    desk.accept(2)
    assert desk.doubts.turn(60.0) == []
    desk.accept(1)
    [(_, kept, newer)] = desk.doubts.turn(180.0)
    assert (len(kept), newer) == (3, {"good0", "good1"})


def test_what_is_kept_holds_its_offset_until_something_newer_of_its_row_is_understood() -> None:
    """Then it is done with; without a key nothing can be newer of it."""
    desk = Desk()
    desk.refuse(FEWEST)
    first = Record(P.topic, 0, 500, b"row", b"v")
    keyless = Record(P.topic, 0, 501, None, b"v")
    for record in (first, keyless):
        assert not desk.doubts.refuse(Entity.ORDERS, record, P, NO, 0.0)
    assert (desk.doubts.count(Entity.ORDERS), desk.offsets.outstanding()) == (3, 3)
    assert desk.doubts.weight(Entity.ORDERS) > 0
    desk.doubts.accept(Entity.ORDERS, Record(P.topic, 0, 502, b"row", b"v"), P, "row", proven=False)
    desk.doubts.accept(Entity.ORDERS, Record(P.topic, 0, 503, None, b"v"), P, "other", proven=True)
    assert (desk.doubts.count(Entity.ORDERS), desk.offsets.outstanding()) == (2, 2)


def test_what_nothing_follows_is_suspended_after_a_while() -> None:
    """A few minutes may bring good rows, which would make dead letters of what is in doubt."""
    desk = Desk()
    desk.accept(300)
    assert desk.refuse(FEWEST, now=10.0) == FEWEST - 1
    desk.doubts.turn(10.0 + LONGEST_DOUBT - 1)
    assert not desk.suspended
    assert desk.doubts.condemned() == []
    desk.doubts.turn(10.0 + LONGEST_DOUBT)
    assert desk.suspended


def test_good_rows_make_dead_letters_of_what_is_in_doubt() -> None:
    """Without a suspension, and each once."""
    desk = Desk()
    desk.accept(300)
    desk.refuse(FEWEST + 5)
    desk.accept(FEWEST + 6)
    assert [kept.reject for _, kept in desk.doubts.condemned()] == [NO] * 6
    assert desk.doubts.condemned() == []
    assert not desk.suspended


def test_partitions_that_go_take_what_was_kept_along() -> None:
    """The next owner reads it again; with nothing kept the suspension ends."""
    desk = Desk()
    desk.refuse(FEWEST)
    desk.refuse(5, partition=OTHER)
    desk.doubts.forget([OTHER])
    assert desk.doubts.count(Entity.ORDERS) == 1
    desk.doubts.forget([P])
    assert not desk.suspended
    assert desk.doubts.turn(1.0) == []
