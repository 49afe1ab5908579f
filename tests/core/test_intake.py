"""Intake: what a record changes in the pending work, and what it costs nothing to pass over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mappings import mapping_of

from connector.core.entries import QUEUES
from connector.core.events import Entity, Partition, Reason, Record
from connector.core.gate import Gate
from connector.core.intake import Intake, Taken
from connector.core.mapping import Options
from connector.core.offsets import Offsets
from connector.core.pending import Pending
from connector.core.second_sendings import SecondSendings
from connector.core.states import GONE, Key
from connector.core.wire import Wire

TOPIC = "shop.orders"
P = Partition(TOPIC, 0)
PLACEHOLDER = "__debezium_unavailable_value"


class Shop:
    """Takes in the events of one table, one after the other."""

    def __init__(self, *, partitions: int = 1, passed: bool = True) -> None:
        self.offsets = Offsets()
        self.offsets.assign(P)
        self.gate = Gate(60)
        self.gate.assign(P, 0.0)
        if passed:
            self.gate.know(P, 0, None, 0.0)
            self.gate.read(P, 0)
        self.pending = Pending(self.offsets)
        mappings = {Entity.ORDERS: mapping_of(Entity.ORDERS, Options())}
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
