"""Intake: what a record changes in the pending work, and what it costs nothing to pass over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mappings import mapping_of

from connector.core.absences import Absences
from connector.core.entries import QUEUES
from connector.core.events import Entity, Partition, Reason, Record
from connector.core.gate import Gate
from connector.core.intake import Intake, Taken, Uncounted
from connector.core.mapping import Options
from connector.core.offsets import Offsets
from connector.core.pending import Pending
from connector.core.second_sendings import SecondSendings
from connector.core.states import GONE, Key, State
from connector.core.wire import Wire

TOPIC = "shop.orders"
P = Partition(TOPIC, 0)
PLACEHOLDER = "__debezium_unavailable_value"


class Shop:
    """Takes in the events of one table, one after the other."""

    def __init__(self, *, partitions: int = 1, passed: bool = True, mapping: str = "") -> None:
        self.offsets = Offsets()
        self.offsets.assign(P)
        self.gate = Gate(60)
        self.gate.assign(P, 0.0)
        if passed:
            self.gate.know(P, 0, None, 0.0)
            self.gate.read(P, 0)
        self.pending = Pending(self.offsets)
        mappings = {Entity.ORDERS: mapping_of(Entity.ORDERS, Options(), mapping)}
        self.intake = Intake(
            Wire(),
            mappings,
            {TOPIC: Entity.ORDERS},
            self.pending,
            self.gate,
            partition_count=lambda _: partitions,
            suppress=True,
            second=SecondSendings(900.0),
        )
        self._offset = 0

    def raw(self, key: object, value: object) -> Taken:
        encoded_key, encoded = (None if part is None else json.dumps(part).encode() for part in (key, value))
        record = Record(TOPIC, 0, self._offset, encoded_key, encoded)
        self._offset += 1
        return self.intake.take(record, P, 0.0)

    def event(self, op: str, after: Any, before: Any = None, connector: str = "postgresql", key: Any = "o1") -> Taken:  # noqa: ANN401
        source = {"connector": connector, "sequence": f'["{self._offset}","{self._offset}"]', "ts_ms": 5}
        body = {"op": op, "before": before, "after": after, "source": source}
        return self.raw(None if key is None else {"order_id": key}, body)

    def document(self) -> Any:  # noqa: ANN401 (JSON is any)
        encoded = self.pending.document(Key(Entity.ORDERS, "o1"))
        return None if encoded is None else json.loads(encoded)


def row(**columns: object) -> dict[str, object]:
    """A row of the orders' table."""
    items = json.dumps([{"product_id": "p", "sku": "s", "quantity": 1, "price": 2}])
    return {"order_id": "o1", "customer_id": "c", "currency": "EUR", "order_items": items, **columns}


def test_a_tombstone_right_after_its_delete_is_unseen() -> None:
    """It costs no second request, even when the delete is in flight already; a later one is a delete of its own."""
    shop = Shop()
    shop.event("d", None, {"order_id": "o1"})
    [entry] = shop.pending.take(QUEUES, 1)
    assert shop.raw({"order_id": "o1"}, None).outcome == "tombstone"
    shop.pending.delivered(entry)
    assert not shop.pending.take(QUEUES, 1)
    assert shop.raw({"order_id": "o1"}, None).outcome == "pending"


def test_without_a_key_there_is_order_on_a_single_partition_only() -> None:
    """On several partitions the record is a dead letter."""
    taken = Shop(partitions=4).event("c", row(), key=None)
    assert taken.reject is not None
    assert taken.reject.reason is Reason.NO_KEY
    assert Shop(partitions=1).event("c", row(), key=None).outcome == "pending"


def test_without_a_key_a_record_waits_for_the_count_of_its_partitions() -> None:
    """Where it is in another than the first there are several, whatever was counted."""
    shop = Shop(partitions=0)
    with pytest.raises(Uncounted):
        shop.event("c", row(), key=None)
    assert shop.event("c", row()).outcome == "pending"
    record = Record(TOPIC, 1, 0, None, b'{"op": "c", "after": {"order_id": "o1"}, "source": {}}')
    for counted in (0, 1):
        taken = Shop(partitions=counted).intake.take(record, Partition(TOPIC, 1), 0.0)
        assert taken.reject is not None
        assert taken.reject.reason is Reason.NO_KEY


def test_an_unchanged_row_costs_nothing_once_its_state_was_sent() -> None:
    """Only if nothing of the key waits or flies and the gate was passed: else the old state may never have gone."""
    shop = Shop()
    changed = row(last_login="now")
    assert shop.event("u", changed, row(), "mysql").outcome == "unchanged"
    shop.event("u", row(currency="USD"), row(), "mysql")
    assert shop.event("u", row(currency="USD", note="x"), row(currency="USD"), "mysql").outcome == "coalesced"
    assert Shop(passed=False).event("u", changed, row(), "mysql").outcome == "pending"
    assert Shop().event("u", changed, row(), "postgresql").outcome == "unchanged"


def test_what_an_event_does_not_tell_is_taken_from_the_newest_state_at_hand() -> None:
    """From the waiting state, else from the one in flight, else the record is a dead letter that names the remedy."""
    shop = Shop()
    shop.event("c", row())
    assert shop.event("u", row(currency="USD", order_items=PLACEHOLDER)).outcome == "coalesced"
    assert (shop.document()["Currency"], len(shop.document()["OrderItems"])) == ("USD", 1)
    shop.pending.take(QUEUES, 1)
    assert shop.event("u", row(currency="GBP", order_items=PLACEHOLDER)).outcome == "pending"
    assert (shop.document()["Currency"], len(shop.document()["OrderItems"])) == ("GBP", 1)
    taken = Shop().event("u", row(order_items=PLACEHOLDER))
    assert taken.reject is not None
    assert taken.reject.reason is Reason.UNAVAILABLE
    assert "REPLICA IDENTITY" in taken.reject.errors[0].problem


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ({"serverName": "shop"}, {"ts_ms": 1}, "heartbeat"),
        ({"id": "5"}, {"status": "BEGIN", "id": "5:7", "event_count": None}, "transaction"),
        (None, {"op": "t", "source": {}, "before": None, "after": None}, "truncate"),
        ({"prefix": "x"}, {"op": "m", "source": {}, "message": {}}, "message"),
        (None, None, "empty"),
    ],
)
def test_records_that_are_no_rows_are_passed_over(key: object, value: object, kind: str) -> None:
    """They are counted by their kind and hold nothing back."""
    shop = Shop()
    assert shop.raw(key, value) == Taken(kind)
    assert shop.offsets.outstanding() == 0


def test_a_row_that_comes_and_goes_unsent_costs_nothing() -> None:
    """Inserted and deleted after the gate was passed, with nothing sent between: no request at all."""
    shop = Shop()
    shop.event("u", row(), key="o2")
    shop.event("c", row())
    shop.event("d", None, {"order_id": "o1"})
    assert shop.pending.idle(Key(Entity.ORDERS, "o1"))
    before = Shop(passed=False)
    before.event("u", row(), key="o2")
    before.event("c", row())
    before.event("d", None, {"order_id": "o1"})
    assert {entry.state for entry in before.pending.take(QUEUES, 5) if entry.key.id == "o1"} == {GONE}


def test_a_withheld_order_takes_the_unsent_one_back() -> None:
    """An order that lost its items before it was sent is not sent."""
    shop = Shop()
    shop.event("c", row())
    taken = shop.event("r", row(order_items="[]"))
    assert taken.withheld == "no_items"
    assert shop.pending.idle(Key(Entity.ORDERS, "o1"))
    assert shop.event("u", row(order_items="[]")).outcome == "pending"
    assert [entry.state for entry in shop.pending.take(QUEUES, 5)] == [GONE]


def test_what_no_source_can_mean_is_not_taken_for_a_time_or_a_position() -> None:
    """Numbers beyond all bounds neither crash what follows nor end up in the commits' metadata."""
    shop = Shop()
    source = {"connector": "mysql", "file": "bin.1", "pos": 10**300, "row": 0, "ts_ms": 10**400}
    shop.raw({"order_id": "o1"}, {"op": "c", "before": None, "after": row(), "source": source})
    [entry] = shop.pending.take(QUEUES, 1)
    assert entry.committed_ms is None
    assert shop.gate.mark(P).newest is None


def test_items_without_a_whole_key_are_not_deleted() -> None:
    """A before-image with an item whose key is NULL or empty names no item that could be deleted."""
    intake = mapping_of(Entity.ORDERS, Options(nulls="null"))
    shop = Shop()
    shop.intake._mappings = {Entity.ORDERS: intake}  # noqa: SLF001 (the option is what is tested)
    old = [{"product_id": "p", "sku": sku, "quantity": 1, "price": 2} for sku in (None, "", "old")]
    shop.event("u", row(), row(order_items=json.dumps(old)), "mysql")
    [entry] = shop.pending.take(QUEUES, 1)
    assert entry.state.stale == {("p", "old")}


FILTERED = """\
version: 1
orders:
  when: { state: { not: cart } }
  fields: { OrderId: order_id, CustomerId: customer_id, Currency: currency }
"""
PAID, CART = row(state="paid"), row(state="cart")
ORDER = Key(Entity.ORDERS, "o1")


def sent(shop: Shop) -> list[State]:
    """What goes out now; all of it is delivered."""
    entries = shop.pending.take(QUEUES, 5)
    states = [entry.state for entry in entries]
    for entry in entries:
        shop.pending.delivered(entry)
    return states


@pytest.mark.parametrize("after_a_snapshot", [True, False])
def test_a_row_that_changes_outside_of_the_filter_costs_one_delete(*, after_a_snapshot: bool) -> None:
    """Without a before-image each of its changes may be the one that left; after the first it is known to be gone."""
    shop = Shop(mapping=FILTERED)
    if after_a_snapshot:
        assert shop.event("r", CART).withheld == "filtered"
    assert shop.event("u", CART).outcome == "pending"
    assert sent(shop) == [GONE]
    for op in ("u", "u", "d", "u"):
        assert shop.event(op, None if op == "d" else CART).withheld == "filtered"
    assert shop.raw({"order_id": "o1"}, None).withheld == "filtered"
    assert sent(shop) == []
    assert shop.offsets.outstanding() == 0


def test_a_new_row_that_does_not_pass_costs_nothing() -> None:
    """Nor do its changes, nor its end: a cart that is never bought."""
    shop = Shop(mapping=FILTERED)
    for op in ("c", "u", "u", "d"):
        assert shop.event(op, None if op == "d" else CART).withheld == "filtered"
    assert sent(shop) == []


def test_before_the_gate_is_passed_a_new_row_may_have_been_sent() -> None:
    """By a predecessor, under a later state of it."""
    shop = Shop(mapping=FILTERED, passed=False)
    shop.event("c", CART)
    assert shop.event("u", CART).outcome == "pending"
    assert sent(shop) == [GONE]


def test_a_row_that_comes_back_is_deleted_again_when_it_leaves() -> None:
    """What was sent in between is there."""
    shop = Shop(mapping=FILTERED)
    shop.event("c", CART)
    shop.event("u", PAID)
    assert [state.document is not None for state in sent(shop)] == [True]
    shop.event("u", CART)
    assert sent(shop) == [GONE]
    shop.event("u", PAID)
    shop.event("u", CART)
    assert sent(shop) == [GONE]


def test_a_delete_that_has_not_succeeded_is_no_proof() -> None:
    """While it is under way, what follows is a delete too: the first may fail for good."""
    shop = Shop(mapping=FILTERED)
    shop.event("u", CART)
    [first] = shop.pending.take(QUEUES, 5)
    assert shop.event("u", CART).outcome == "pending"
    assert not shop.pending.rejected(first)
    assert sent(shop) == [GONE]


def test_a_delete_that_became_a_dead_letter_is_no_proof() -> None:
    """The row may be there: its next change tries again."""
    shop = Shop(mapping=FILTERED)
    shop.event("u", CART)
    [entry] = shop.pending.take(QUEUES, 5)
    assert shop.pending.rejected(entry)
    shop.pending.release(entry)
    shop.intake.refused(entry.record, P, entry.key)
    assert shop.event("u", CART).outcome == "pending"
    assert sent(shop) == [GONE]


def test_a_delete_is_not_superseded_by_nothing() -> None:
    """The image says that the row did not pass before either, so nothing is to be sent; the delete is owed still."""
    shop = Shop(mapping=FILTERED)
    shop.event("u", CART, PAID, "mysql")
    [entry] = shop.pending.take(QUEUES, 5)
    assert shop.event("u", row(state="cart", currency="USD"), CART, "mysql").withheld == "filtered"
    assert shop.pending.rejected(entry)
    shop.pending.release(entry)
    assert shop.pending.idle(ORDER)
    assert shop.offsets.outstanding() == 0


def test_what_is_known_of_a_lost_partition_is_forgotten() -> None:
    """Another process may have sent the row."""
    shop = Shop(mapping=FILTERED)
    shop.event("c", CART)
    shop.intake.forget(Partition(TOPIC, 1))
    assert shop.event("u", CART).withheld == "filtered"
    shop.intake.forget(P)
    assert shop.event("u", CART).outcome == "pending"


def test_an_upsert_that_waits_does_not_go_once_its_row_has_left() -> None:
    """What was not sent yet needs no delete if the row is new, and one if that is not known."""
    new = Shop(mapping=FILTERED)
    new.event("u", PAID, key="o2")
    new.event("c", PAID)
    new.event("u", CART)
    assert new.pending.idle(ORDER)
    old = Shop(mapping=FILTERED)
    old.event("u", PAID)
    old.event("u", CART)
    assert sent(old) == [GONE]


def test_only_so_many_absences_are_remembered() -> None:
    """What is forgotten costs a delete more."""
    absences = Absences()
    for number in range(200_001):
        absences.note(Key(Entity.ORDERS, str(number)), P)
    assert Key(Entity.ORDERS, "0") not in absences
    assert Key(Entity.ORDERS, "1") in absences
    absences.drop(Key(Entity.ORDERS, "1"))
    assert Key(Entity.ORDERS, "1") not in absences


def test_a_tombstone_whose_key_is_not_the_primary_key_says_nothing() -> None:
    """Of a table whose rows another key tells apart, compaction leaves tombstones that name no row."""
    fields = "{ OrderId: order_id, CustomerId: customer_id, Currency: currency }"
    text = f"version: 1\norders:\n  primary_key: order_id\n  fields: {fields}\n"
    shop = Shop(mapping=text)
    assert shop.raw({"customer_id": "C-1"}, None) == Taken("tombstone", "d")
    assert shop.raw({"order_id": "o1"}, None).outcome == "pending"


def _items(*skus: str) -> str:
    return json.dumps([{"product_id": "p", "sku": sku, "quantity": 1, "price": 2} for sku in skus])


@pytest.mark.parametrize("how", ["the mapping", "the API"])
def test_items_that_a_refused_change_removed_are_deleted_by_the_next(how: str) -> None:
    """The next change knows the row as the refused one left it: what that one removed may be at Replenit still."""
    shop = Shop()
    before, refused = row(order_items=_items("a", "b", "c")), row(order_items=_items("a"))
    if how == "the mapping":
        assert shop.event("u", row(order_items=_items("a"), currency="euro"), before, "mysql").reject is not None
    else:
        shop.event("u", refused, before, "mysql")
        [entry] = shop.pending.take(QUEUES, 1)
        assert shop.pending.rejected(entry)
        shop.intake.refused(entry.record, P, entry.key, entry.state.stale)
        shop.pending.release(entry)
    shop.event("u", row(order_items=_items("a", "d")), refused, "mysql")
    [entry] = shop.pending.take(QUEUES, 1)
    assert {("p", "b"), ("p", "c")} <= entry.state.stale
