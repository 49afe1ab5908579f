"""Tickets against a model: the offset to commit is the least that anything unfinished covers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.events import Partition
from connector.core.offsets import Offsets

P = Partition("shop.orders", 0)
Q = Partition("shop.orders", 1)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 200)), max_size=200))
def test_nothing_unfinished_is_ever_passed(steps: list[tuple[bool, int]]) -> None:
    """In whatever order work is taken in and settled, the commit stands at the oldest unfinished offset."""
    offsets = Offsets()
    offsets.assign(P)
    live = {}
    position = 0
    for read, choice in steps:
        if read:
            if choice % 3:
                live[position] = offsets.hold(P, position)
            position += 1 + choice % 2  # gaps are legal
            offsets.advance(P, position)
        elif live:
            offset = sorted(live)[choice % len(live)]
            offsets.release(live.pop(offset))
        expected = min(live) if live else (position or None)
        assert offsets.committable(P) == expected
        assert offsets.outstanding() == len(live)


def test_a_stuck_record_does_not_make_memory_grow_with_the_traffic() -> None:
    """While one offset is held, a million settled ones leave nothing behind."""
    offsets = Offsets()
    offsets.assign(P)
    offsets.hold(P, 0)
    for offset in range(1, 20_000):
        offsets.release(offsets.hold(P, offset))
    assert len(offsets._tenures[P].heap) < 2_500  # noqa: SLF001 (the memory is what is tested)
    assert offsets.committable(P) == 0


def test_tickets_of_a_former_tenure_are_void() -> None:
    """A late result of work from before a loss releases nothing of the new tenure."""
    offsets = Offsets()
    offsets.assign(P)
    late = offsets.hold(P, 7)
    offsets.revoke([P])
    offsets.release(late)
    offsets.assign(P)
    offsets.hold(P, 7)
    offsets.release(late)
    assert not offsets.valid(late)
    assert offsets.committable(P) == 7


def test_partitions_are_independent() -> None:
    """Work of one partition holds no other back."""
    offsets = Offsets()
    for partition in (P, Q):
        offsets.assign(partition)
        offsets.advance(partition, 10)
    ticket = offsets.hold(P, 3)
    assert (offsets.committable(P), offsets.committable(Q)) == (3, 10)
    offsets.release(ticket)
    offsets.release(ticket)
    assert offsets.committable(P) == 10


def test_a_second_ticket_for_one_offset_is_refused() -> None:
    """Two owners of one offset could release it early: that is a mistake of the caller's."""
    offsets = Offsets()
    offsets.assign(P)
    offsets.hold(P, 3)
    with pytest.raises(ValueError, match="has a ticket already"):
        offsets.hold(P, 3)
