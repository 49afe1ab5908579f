"""What the journal keeps, counts and forgets."""

from __future__ import annotations

from connector.sandbox.journal import MOST_IDS, MOST_KEPT, Journal, Seen


def _seen(number: int, ids: tuple[str, ...] = ()) -> Seen:
    return Seen(number, 0.0, "POST", "upsert_orders", 200, len(ids), 0.0, ids, "", (f"#{number}",))


def test_the_journal_is_bounded_and_its_counts_are_not() -> None:
    """Of more requests than are kept the last remain, in their order, and all are counted."""
    journal = Journal()
    for number in range(MOST_KEPT + 10):
        journal.end(_seen(number), "t", "orders")
    assert [each.number for each in journal.requests] == list(range(10, MOST_KEPT + 10))
    assert len(journal.broken_promises) == MOST_KEPT
    assert journal.counts == {("upsert_orders", 200): MOST_KEPT + 10}


def test_ids_are_bounded_as_well() -> None:
    """Requests with many keys outlive their keys, the oldest first, and keep how many there were."""
    journal, ids = Journal(), tuple(map(str, range(1000)))
    fit = MOST_IDS // len(ids)
    for number in range(fit + 5):
        journal.end(_seen(number, ids), "t", "orders")
    assert [each.number for each in journal.requests] == list(range(fit + 5))
    assert [len(each.ids) for each in journal.requests] == [0] * 5 + [1000] * fit
    assert {each.records for each in journal.requests} == {1000}


def test_bare_requests_go_first_when_the_journal_is_full() -> None:
    """Requests that lost their keys are the oldest, and the first to be forgotten."""
    journal = Journal()
    journal.end(_seen(0, ("x",) * MOST_IDS), "t", "orders")
    for number in range(1, MOST_KEPT + 1):
        journal.end(_seen(number, ("x",)), "t", "orders")
    kept = journal.requests
    assert (len(kept), kept[0].number, kept[0].ids) == (MOST_KEPT, 1, ("x",))


def test_what_ended_is_no_longer_in_flight() -> None:
    """Keys are free once their request has ended, whatever else is in flight for them."""
    journal = Journal()
    assert journal.begin(1, "t", "orders", ["A", "B"]) == []
    assert journal.begin(2, "t", "orders", ["B"]) == ["two requests in flight for one key of orders: #1 and #2"]
    journal.end(_seen(1, ("A", "B")), "t", "orders")
    assert journal.begin(3, "t", "orders", ["A"]) == []
    assert journal.begin(4, "u", "orders", ["B"]) == []
    assert journal.begin(5, "t", "products", ["B"]) == []
    assert journal.in_flight == {2, 3, 4, 5}
