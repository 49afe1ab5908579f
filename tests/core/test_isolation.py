"""Isolation: all bad records of a refused batch are found, and only they, in few requests."""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.entries import QUEUES
from connector.core.events import Entity, Partition, Record
from connector.core.isolation import Isolation
from connector.core.offsets import Offsets
from connector.core.pending import Pending
from connector.core.states import Change, Key, State

if TYPE_CHECKING:
    from connector.core.entries import Entry

P = Partition("shop.orders", 0)


class Api:
    """Refuses a batch that holds a bad record, without saying which."""

    def __init__(self, size: int, bad: set[int]) -> None:
        self.offsets = Offsets()
        self.offsets.assign(P)
        self.pending = Pending(self.offsets)
        self.isolation = Isolation(self.pending)
        self.bad = {str(number) for number in bad}
        self.found: list[str] = []
        self.delivered: list[str] = []
        self.requests = 0
        self._next = 0
        for number in range(size):
            self.put(str(number))

    def put(self, identifier: str) -> None:
        record = Record(P.topic, P.number, self._next, b"k", b"v")
        self._next += 1
        change = Change(Key(Entity.ORDERS, identifier), State(document=b'{"OrderItems":[]}'), record, P)
        self.pending.put(change, now=float(self._next))

    def refuses(self, entries: list[Entry]) -> bool:
        return any(entry.key.id in self.bad for entry in entries)

    def send(self, entries: list[Entry]) -> bool:
        """Whether the batch was accepted; a lone record that is refused is found."""
        self.requests += 1
        if not self.refuses(entries):
            for entry in entries:
                self.pending.delivered(entry)
                self.delivered.append(entry.key.id)
            return True
        if len(entries) == 1:
            self.found.append(entries[0].key.id)
            if self.pending.rejected(entries[0]):
                self.pending.release(entries[0])
            return False
        for entry in entries:
            self.pending.failed(entry)
        self.isolation.split(entries)
        return False

    def isolate(self) -> None:
        while (group := self.isolation.ready(0.0)) is not None:
            entries = self.isolation.take(group)
            if self.send(entries):
                self.isolation.accepted(group, len(entries))


@given(st.integers(2, 64).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=1))))
@example((64, {63}))
@example((5, {4}))
def test_exactly_the_bad_records_are_found_in_few_requests(case: tuple[int, set[int]]) -> None:
    """At most 2·k·⌈log₂ n⌉ requests for k bad records of n; every other record is delivered."""
    size, bad = case
    api = Api(size, bad)
    api.send(api.pending.take(QUEUES, size))
    api.requests = 0
    api.isolate()
    assert sorted(api.found) == sorted(map(str, bad))
    assert len(api.delivered) == size - len(bad)
    assert api.requests <= 2 * len(bad) * ceil(log2(size))
    assert api.offsets.outstanding() == 0


@given(st.integers(2, 32), st.sets(st.integers(0, 31), min_size=1), st.lists(st.integers(0, 31), max_size=20))
def test_newer_states_leave_their_group(size: int, bad: set[int], newer: list[int]) -> None:
    """A record whose row changes meanwhile goes with the others; nothing is lost or found that is not bad."""
    bad = {number % size for number in bad}
    api = Api(size, bad)
    api.send(api.pending.take(QUEUES, size))
    for number in newer:
        group = api.isolation.ready(0.0)
        if group is not None:
            entries = api.isolation.take(group)
            if api.send(entries):
                api.isolation.accepted(group, len(entries))
        api.put(str(number % size))
    for _ in range(20):
        api.isolate()
        if entries := api.pending.take(QUEUES, size):
            api.send(entries)
    assert set(api.found) == {str(number) for number in bad}
    assert set(api.delivered) == {str(number) for number in range(size)} - set(api.found)
    assert api.offsets.outstanding() == 0


def test_the_suspicious_are_tried_first() -> None:
    """Records that a strict reading would refuse form the first group."""
    api = Api(8, {6})
    entries = api.pending.take(QUEUES, 8)
    for entry in entries:
        api.pending.failed(entry)
    api.isolation.split(entries, lambda entry: entry.key.id == "6")
    group = api.isolation.ready(0.0)
    assert group is not None
    assert [entry.key.id for entry in api.isolation.take(group)] == ["6"]
