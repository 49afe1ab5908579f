"""The lease: what was handed out may leave for as long as the loop polls, and not after it stood still."""

from __future__ import annotations

from connector.core.lease import Lease


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_holds_as_long_as_polls_come() -> None:
    """Each poll renews it, however often."""
    clock = Clock()
    lease = Lease(10, clock)
    for _ in range(5):
        clock.now += 10
        assert lease.holds(0)
        assert lease.renew()
    clock.now += 10.1
    assert not lease.holds(0)


def test_what_was_handed_out_before_a_gap_never_leaves() -> None:
    """A poll after the gap begins a new term: what is handed out from then on may leave, what waited may not."""
    clock = Clock()
    lease = Lease(10, clock)
    clock.now += 11
    assert not lease.renew()
    assert not lease.holds(0)
    assert lease.holds(lease.term)
    assert lease.renew()


def test_what_is_lost_does_not_leave() -> None:
    """However young the last poll is."""
    lease = Lease(10, Clock())
    lease.end()
    assert not lease.holds(0)
    assert lease.holds(1)
