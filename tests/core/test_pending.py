"""Pending work against a model: one request a key at a time, the newest state last, nothing unfinished committed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.entries import QUEUES, Lane, Queue
from connector.core.events import Entity, Partition, Record
from connector.core.offsets import Offsets
from connector.core.pending import Pending
from connector.core.states import GONE, NOTHING, Change, Key, State, combine

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.core.entries import Entry

P = Partition("shop.orders", 0)
KEY = Key(Entity.ORDERS, "o1")
CUSTOMER = Key(Entity.CUSTOMERS, "c1")


def order(number: int, *skus: str) -> bytes:
    """An order's document, told from others by its number."""
    items = [{"ProductId": "p", "Sku": sku} for sku in skus]
    return json.dumps({"OrderId": "o1", "TotalQuantity": number, "OrderItems": items}).encode()


class Work:
    """Pending work of one partition, fed with one offset after the other."""

    def __init__(self, *, removals: bool = True, batch_bytes: int = 8_000_000) -> None:
        self.offsets = Offsets()
        self.offsets.assign(P)
        self.offsets.advance(P, 0)
        self.pending = Pending(self.offsets, removals=removals, batch_bytes=batch_bytes)
        self.next = 0

    def put(self, state: State, key: Key = KEY, *, created: bool = False, snapshot: bool = False) -> int:
        offset, self.next = self.next, self.next + 1
        record = Record(P.topic, P.number, offset, b"k", b"v")
        self.pending.put(Change(key, state, record, P, snapshot, created), now=float(offset))
        self.offsets.advance(P, self.next)
        return offset

    def take(self, limit: int = 100) -> list[Entry]:
        return self.pending.take(QUEUES, limit)

    def take_one(self) -> Entry:
        [entry] = self.take()
        return entry

    @property
    def committable(self) -> int | None:
        return self.offsets.committable(P)

    def empty(self) -> bool:
        sizes = [self.pending.entries(entity) + self.pending.bytes(entity) for entity in Entity]
        return sizes == [0, 0, 0] and self.committable == self.next and not self.take()


def test_a_hot_key_costs_one_request_and_holds_one_ticket() -> None:
    """A thousand changes of a waiting key are one entry with the newest state and the oldest offset."""
    work = Work()
    for number in range(1000):
        work.put(State(document=order(number)))
    assert work.offsets.outstanding() == 1
    entry = work.take_one()
    assert entry.state.document == order(999)
    assert entry.record.offset == 999
    assert work.committable == 0
    work.pending.delivered(entry)
    assert work.empty()


def test_what_happens_while_a_key_flies_waits_for_the_outcome() -> None:
    """A newer state is not taken before the older one has come back, and its offset stays uncommitted till then."""
    work = Work()
    work.put(State(document=order(1)))
    flying = work.take_one()
    newer = work.put(State(document=order(2)))
    assert not work.take()
    assert work.pending.delivered(flying)
    assert work.committable == newer
    entry = work.take_one()
    assert entry.state.document == order(2)
    work.pending.delivered(entry)
    assert work.empty()


def test_a_failed_request_goes_again_as_the_newest_state() -> None:
    """What failed merges into what came meanwhile: with its offset and age, and not before the lock is over."""
    work = Work()
    first = work.put(State(document=order(1)))
    flying = work.take_one()
    work.put(State(document=order(2)))
    work.pending.failed(flying, locked_until=50.0)
    assert work.committable == first
    work.pending.advance(49.9)
    assert not work.take()
    assert P in work.pending.locked(49.9)
    work.pending.advance(50.0)
    entry = work.take_one()
    assert (entry.state.document, entry.since) == (order(2), 0.0)


def test_a_lost_answer_may_have_left_items_behind() -> None:
    """The items of a state that may have been applied are deleted if the newer state lacks them."""
    work = Work()
    work.put(State(document=order(1, "a", "b")))
    flying = work.take_one()
    work.put(State(document=order(2, "b")))
    work.pending.failed(flying, locked_until=1.0)
    work.pending.advance(1.0)
    entry = work.take_one()
    assert not work.pending.delivered(entry)
    again = work.take_one()
    assert again.state == State(stale=frozenset({("p", "a")}))
    assert work.committable == 0
    assert work.pending.item_deleted(again, ("p", "a"))
    assert work.empty()


def test_without_removals_no_item_is_deleted() -> None:
    """`REMOVALS=none` sends no DELETE of items, and none before a row that was inserted again."""
    work = Work(removals=False)
    work.put(GONE)
    work.put(State(document=order(1)))
    entry = work.take_one()
    assert entry.state == State(document=order(1))
    assert work.pending.delivered(entry)
    work.put(State(document=order(1), stale=frozenset({("p", "a")})))
    assert work.take_one().state == State(document=order(1))


def test_deleted_and_inserted_again_is_delete_then_post() -> None:
    """An order goes as DELETE, then POST; a customer, whose DELETE is queued at Replenit, is upserted only."""
    work = Work()
    for key in (KEY, CUSTOMER):
        work.put(GONE, key)
        work.put(State(document=order(1)), key)
    entries = {entry.key: entry for entry in work.take()}
    assert entries[CUSTOMER].state == State(document=order(1))
    assert entries[KEY].state == State(delete=True, document=order(1))
    assert entries[KEY].queue.lane is Lane.DELETES
    assert not work.pending.delivered(entries[KEY])
    assert work.take_one().queue.lane is Lane.ORDERS


def test_a_new_row_that_vanishes_unsent_costs_nothing() -> None:
    """Inserted and deleted before anything was sent: no request. Once it was sent, the delete is."""
    work = Work()
    work.put(State(document=order(1)), created=True)
    work.put(GONE)
    assert work.empty()
    work.put(State(document=order(1)), created=True)
    flying = work.take_one()
    work.put(GONE)
    work.pending.failed(flying)
    assert work.take_one().state == GONE


@pytest.mark.parametrize(
    ("owed", "left"),
    [
        (State(document=b"{}"), NOTHING),
        (GONE, GONE),
        (State(delete=True, document=b"{}"), GONE),
    ],
)
def test_a_withheld_state_replaces_what_was_not_sent_but_never_a_delete(owed: State, left: State) -> None:
    """A Withhold keeps the older state from going out; a delete that waits still goes."""
    assert combine(owed, NOTHING, Entity.ORDERS, removals=True) == left


def test_a_withheld_state_takes_back_what_may_have_been_applied() -> None:
    """If the older state's answer was lost, it may be at Replenit: it is deleted."""
    work = Work()
    work.put(State(document=order(1)))
    flying = work.take_one()
    work.put(NOTHING)
    work.pending.failed(flying, locked_until=1.0)
    work.pending.advance(1.0)
    assert work.take_one().state == GONE


def test_a_rejected_state_that_is_superseded_is_no_dead_letter() -> None:
    """If something newer waits, only that matters; else the record is the caller's until it is written."""
    work = Work()
    work.put(State(document=order(1)))
    flying = work.take_one()
    newer = work.put(State(document=order(2)))
    assert not work.pending.rejected(flying)
    assert work.committable == newer
    flying = work.take_one()
    assert work.pending.rejected(flying)
    assert work.committable == newer
    work.pending.release(flying)
    assert work.empty()


def test_a_superseded_rejected_state_leaves_its_removals_behind() -> None:
    """Items that it would have deleted are deleted after the newer state has gone."""
    work = Work()
    work.put(State(document=order(2, "a"), stale=frozenset({("p", "a"), ("p", "b")})))
    flying = work.take_one()
    work.put(State(document=order(3, "a"), stale=frozenset({("p", "a")})))
    assert not work.pending.rejected(flying)
    assert not work.pending.delivered(work.take_one())
    assert work.take_one().state.stale == {("p", "b")}


def test_live_work_comes_before_a_snapshots() -> None:
    """Within a lane the queues are asked in their order, and a live change makes an entry live."""
    work = Work()
    work.put(State(document=order(1)), Key(Entity.ORDERS, "a"), snapshot=True)
    work.put(State(document=order(1)), Key(Entity.ORDERS, "b"), snapshot=True)
    work.put(State(document=order(2)), Key(Entity.ORDERS, "b"))
    queues = [Queue(Lane.ORDERS, Entity.ORDERS, snapshot) for snapshot in (False, True)]
    assert [entry.key.id for entry in work.pending.take(queues, 1)] == ["b"]


def test_what_flies_when_its_partition_goes_stays_a_lock() -> None:
    """After a loss the key is not sent again before the old request's outcome, which itself changes nothing."""
    work = Work()
    work.put(State(document=order(1)))
    flying = work.take_one()
    work.put(State(document=order(2)), CUSTOMER)
    work.pending.forget([P])
    work.offsets.revoke([P])
    assert work.pending.idle(CUSTOMER)
    work.offsets.assign(P)
    work.next = 0
    work.put(State(document=order(1)))
    assert not work.take()
    work.pending.failed(flying)
    assert work.take_one().record.offset == 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "delete", "withhold", "take", "delivered", "failed", "lost", "rejected"]),
        st.integers(0, 3),
    ),
    max_size=80,
)


class Driver:
    """Random events and outcomes over a few keys, judged as they happen."""

    def __init__(self) -> None:
        self.work = Work()
        self.flying: list[Entry] = []
        self.sent: dict[Key, int] = {}
        self.now = 0.0

    def step(self, what: str, which: int) -> None:
        self.now += 1
        self.work.pending.advance(self.now)
        key = Key(Entity.ORDERS, str(which))
        states = {"upsert": State(document=order(self.work.next)), "delete": GONE, "withhold": NOTHING}
        if what in states:
            self.work.put(states[what], key)
        elif what == "take":
            self.launch()
        elif self.flying:
            self.finish(self.flying[which % len(self.flying)], what)
        for entry in self.flying:
            assert all(ticket.offset >= (self.work.committable or 0) for ticket in entry.tickets.values())

    def launch(self) -> None:
        for entry in self.work.take(2):
            assert entry.key not in {each.key for each in self.flying}
            if entry.state.document is not None and not entry.state.delete:
                number = json.loads(entry.state.document)["TotalQuantity"]
                assert number >= self.sent.get(entry.key, -1)
                self.sent[entry.key] = number
            self.flying.append(entry)

    def finish(self, entry: Entry, how: str) -> None:
        self.flying.remove(entry)
        match how:
            case "failed":
                self.work.pending.failed(entry)
            case "lost":
                self.work.pending.failed(entry, locked_until=self.now + 1)
            case "rejected":
                if self.work.pending.rejected(entry):
                    self.work.pending.release(entry)
            case _:
                self.work.pending.delivered(entry)


@given(STEPS)
def test_in_any_order_the_newest_state_is_the_last_to_be_sent(steps: list[tuple[str, int]]) -> None:
    """Whatever fails: no key flies twice or goes back, no commit passes the unfinished, and it comes to an end."""
    driver = Driver()
    for what, which in steps:
        driver.step(what, which)
    for _ in range(100):
        driver.step("take", 0)
        while driver.flying:
            driver.finish(driver.flying[0], "delivered")
    assert driver.work.empty()


WAYS: dict[str, Callable[[Pending, int], list[Entry]]] = {
    "in line": lambda pending, most: pending.take(QUEUES, most),
    "what failed least": lambda pending, most: pending.take_least_failed(QUEUES, most),
    "a sample": lambda pending, most: pending.take_sample(QUEUES, most, most),
}


@pytest.mark.parametrize("way", WAYS)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=30), st.integers(1, 10))
def test_what_flies_together_is_bounded_by_bytes(way: str, sizes: list[int], most: int) -> None:
    """Whichever way it is chosen: at most so many bytes, a larger document alone, and all of it in the end."""
    work, seen = Work(batch_bytes=1000), 0
    for number, size in enumerate(sizes):
        work.put(State(document=bytes(size * 4)), Key(Entity.ORDERS, str(number)))
    while taken := WAYS[way](work.pending, most):
        sent = [len(entry.state.document or b"") for entry in taken]
        assert len(sent) == 1 or sum(sent) + len(sent) <= 1000
        seen += len(taken)
    assert seen == len(sizes)
