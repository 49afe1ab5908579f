"""Customers who come back after their DELETE: what is sent a second time, and what never is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.core.entries import Entry
from connector.core.events import Entity, Partition, Record
from connector.core.offsets import Offsets
from connector.core.second_sendings import SecondSendings
from connector.core.states import Key, State

if TYPE_CHECKING:
    from collections.abc import Callable

P = Partition("customers", 0)
ANA = Key(Entity.CUSTOMERS, "ana")


def entry(key: Key = ANA, document: bytes = b"{}") -> Entry:
    """An entry that was delivered with this document."""
    offsets = Offsets()
    offsets.assign(P)
    record = Record(P.topic, P.number, 0, b"k", b"v")
    state = State(document=document)
    return Entry(key, state, record, 0.0, snapshot=False, created=False, committed_ms=1, tickets={P: offsets.token(P)})


def test_an_upsert_soon_after_the_delete_comes_again_when_that_is_done() -> None:
    """Once, with the newest document that was delivered, and without holding an offset back."""
    second = SecondSendings(900)
    second.deleted(ANA, 0.0)
    second.delivered(entry(document=b"1"), State(document=b"1"), 10.0)
    second.delivered(entry(document=b"2"), State(document=b"2"), 20.0)
    assert second.due(899.0) == []
    [again] = second.due(900.0)
    assert (again.key, again.state, again.partition, again.repeated) == (ANA, State(document=b"2"), P, True)
    assert second.due(5000.0) == []


def test_what_is_no_longer_right_does_not_come_again() -> None:
    """Something newer was read, the partition is another's, the row was deleted again, or the DELETE was long ago."""
    spoilers: list[Callable[[SecondSendings], None]] = [
        lambda second: second.changed(ANA),
        lambda second: second.forget([P]),
        lambda second: second.deleted(ANA, 20.0),
    ]
    for spoil in spoilers:
        second = SecondSendings(900)
        second.deleted(ANA, 0.0)
        second.delivered(entry(), State(document=b"1"), 10.0)
        spoil(second)
        assert second.due(5000.0) == []
    late = SecondSendings(900)
    late.deleted(ANA, 0.0)
    late.delivered(entry(), State(document=b"1"), 901.0)
    assert late.due(5000.0) == []


def test_only_customers_are_deleted_asynchronously() -> None:
    """Orders and products, and everything where the time is 0, are sent once."""
    order = Key(Entity.ORDERS, "o")
    for second, key in ((SecondSendings(900), order), (SecondSendings(0), ANA)):
        second.deleted(key, 0.0)
        second.delivered(entry(key), State(document=b"1"), 0.0)
        assert second.due(5000.0) == []


def test_memory_is_bounded() -> None:
    """Beyond the bound those are forgotten whose DELETE is the longest ago."""
    second = SecondSendings(900, most=2)
    for number in range(3):
        key = Key(Entity.CUSTOMERS, str(number))
        second.deleted(key, float(number))
        second.delivered(entry(key), State(document=b"1"), float(number))
    assert [change.key.id for change in second.due(5000.0)] == ["1", "2"]
