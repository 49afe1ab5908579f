"""Families whose rows come in an order that the database never had: their topics and partitions have none in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from memory_store import MemoryStore
from simulation import World

from connector.core.events import Partition, Record
from connector.sandbox.state import State, Upsert

if TYPE_CHECKING:
    from connector.service import Service

MAPPING = """
version: 1
customers:
  keep: notes
  fields: { CustomerId: id, Username: notes, GdprOptin: consent }
orders:
  fields:
    OrderId: id
    CustomerId: customer_id
    Currency: currency
    OrderItems:
      table: items
      foreign_key: order_id
      fields: { ProductId: product_id, Sku: sku, Quantity: quantity, Price: price }
products:
  keep: variants
  fields:
    ProductId: id
    ProductVariants: { column: variants, fields: { VariantId: id, Sku: sku } }
"""
UNAVAILABLE = "__debezium_unavailable_value"
TABLES = ("customers", "orders", "items", "products")


class Shop:
    """Four tables of two partitions each, and a connector that reads them."""

    def __init__(self, connector: str = "postgresql", **settings: str) -> None:
        self.world = World(0)
        self.world.log = {Partition(f"shop.{table}", number): [] for table in TABLES for number in range(2)}
        self.world.low = dict.fromkeys(self.world.log, 0)
        self.world.store = self.store = MemoryStore()
        self.world.server.holds = self.held = State(Upsert.MERGE, 0, late_deletes=False)
        self._connector = connector
        topics = {f"TOPIC_{table.upper()}": f"shop.{table}" for table in ("customers", "orders", "products")}
        self._settings = {"MAPPING": MAPPING, **topics, **settings}
        self._service: Service = self.world.service(**self._settings)

    def lose_disk(self) -> None:
        """Kill the process, and start one that finds no store."""
        self.world.store = self.store = MemoryStore()
        self._service = self.world.service(**self._settings)

    def tell(
        self,
        table: str,
        key: object,
        position: int,
        after: dict[str, object] | None = None,
        partition: int = 0,
        **headers: object,
    ) -> None:
        """Write the event of a row, and let all be settled. Without `after` the row is deleted."""
        source = {"connector": self._connector, "snapshot": "false", "ts_ms": 1}
        source |= {"sequence": json.dumps([str(position)] * 2), "file": "binlog.1", "pos": str(position), "row": "0"}
        row = None if after is None else {"id": key, **after}
        value = {"op": "d" if row is None else "u", "before": None, "after": row, "source": source}
        log = self.world.log[Partition(f"shop.{table}", partition)]
        told = tuple((f"__debezium.{name}", json.dumps({"id": moved}).encode()) for name, moved in headers.items())
        key_bytes, body = (json.dumps(each).encode() for each in ({"id": key}, value))
        log.append(Record(f"shop.{table}", partition, len(log), key_bytes, body, told))

    def turn(self) -> None:
        self._service.step()

    def settle(self) -> None:
        assert self.world.run(self._service, 300, self.world.settled)
        self.world.run(self._service, 1)
        assert not self.store.content.dirty

    def order(self, key: str, position: int, partition: int = 0, **headers: object) -> None:
        self.tell("orders", key, position, {"customer_id": 1, "currency": "EUR"}, partition, **headers)

    def item(self, key: int, order: str, position: int) -> None:
        item = {"order_id": order, "product_id": 1, "sku": f"S-{key}", "quantity": 1, "price": 1}
        self.tell("items", key, position, item)

    @property
    def status(self) -> dict[str, object]:
        return self._service.status

    @property
    def items(self) -> dict[str, list[str]]:
        """Order → the SKUs that it holds at Replenit."""
        orders = self.held.documents("orders").items()
        return {key: [item["Sku"] for item in order["OrderItems"]] for key, order in orders}


def test_before_any_partition_is_owned_nothing_is_suspended() -> None:
    """A process that has only joined its group knows of no other that owns the rest."""
    shop = Shop()
    shop.world.assigned_at = shop.world.now + 3
    shop.order("A", 1)
    while shop.world.now < shop.world.assigned_at + 1:
        shop.turn()
        assert not shop.status.get("suspended")
    shop.item(1, "A", 2)
    shop.settle()
    assert shop.items == {"A": ["S-1"]}


def test_tables_of_two_entities_may_have_the_same_keys() -> None:
    """A row is kept under its own table: the customer 1 is not the product 1."""
    shop = Shop()
    shop.tell("products", 1, 1, {"variants": '[{"id": "v", "sku": "s"}]'})
    shop.tell("customers", 1, 2, {"notes": "new", "consent": True})
    shop.settle()
    assert shop.held.documents("customers") == {"1": {"CustomerId": "1", "Username": "new", "GdprOptin": True}}
    variants = [{"VariantId": "v", "Sku": "s"}]
    assert shop.held.documents("products") == {"1": {"ProductId": "1", "ProductVariants": variants}}


@pytest.mark.parametrize("nulls", ["omit", "null"])
@pytest.mark.parametrize("nothing", [None, "[]", "null"])
def test_a_kept_list_of_nothing_is_withheld(nothing: str | None, nulls: str) -> None:
    """Whether the column is NULL or holds an empty list, the product has no variants; it goes if it had some."""
    shop = Shop(NULLS=nulls)
    shop.tell("products", 1, 1, {"variants": nothing})
    shop.tell("products", 2, 2, {"variants": '[{"id": "v", "sku": "s"}]'})
    shop.settle()
    assert shop.held.documents("products").keys() == {"2"}
    shop.tell("products", 2, 3, {"variants": nothing})
    shop.settle()
    assert not shop.held.documents("products")


@pytest.mark.parametrize("new_first", [True, False])
def test_what_was_kept_follows_a_row_to_its_new_key(new_first: bool) -> None:
    """Whichever of both keys is heard of first, what the event under the new one does not tell is the old row's."""
    shop = Shop()

    def tell_new() -> None:
        shop.tell("customers", 2, 2, {"notes": UNAVAILABLE, "consent": True}, 1, oldkey=1)
        shop.settle()

    if new_first:
        tell_new()
    shop.tell("customers", 1, 1, {"notes": "kept", "consent": True})
    shop.settle()
    shop.tell("customers", 1, 2, newkey=2)
    shop.settle()
    if not new_first:
        tell_new()
    assert shop.held.documents("customers") == {"2": {"CustomerId": "2", "Username": "kept", "GdprOptin": True}}


@pytest.mark.parametrize("items_last", [True, False])
@pytest.mark.parametrize("new_first", [True, False])
def test_items_follow_an_order_to_its_new_key_where_cascades_are_silent(new_first: bool, items_last: bool) -> None:
    """MySQL says nothing of the items: they are the new order's, whatever of the three comes first."""
    shop = Shop("mysql")
    if new_first:
        shop.order("B", 5, 1, oldkey="A")
        shop.settle()
    if not items_last:
        shop.item(1, "A", 2)
        shop.settle()
    shop.order("A", 1)
    shop.tell("orders", "A", 5, newkey="B")
    shop.settle()
    if not new_first:
        shop.order("B", 5, 1, oldkey="A")
    if items_last:
        shop.item(1, "A", 2)
    shop.settle()
    assert shop.items == {"B": ["S-1"]}


@pytest.mark.parametrize("items_last", [True, False])
def test_items_go_with_their_order_where_cascades_are_silent(items_last: bool) -> None:
    """Of an order that was deleted and inserted again, only the items that came after that are its own."""
    shop = Shop("mysql")
    if not items_last:
        shop.item(1, "A", 2)
    shop.order("A", 1)
    shop.tell("orders", "A", 5)
    shop.order("A", 6)
    shop.settle()
    if items_last:
        shop.item(1, "A", 2)
    shop.item(2, "A", 7)
    shop.settle()
    assert shop.items == {"A": ["S-2"]}


@pytest.mark.parametrize("turns", [0, 3, 40])
def test_a_lost_disk_is_known_to_be_lost_until_it_is_filled(turns: int) -> None:
    """Killed again while its store is filled anew, the next process knows all the same what was sent before.

    Replenit merges: what it holds of an item that vanishes only now must be deleted there.
    """
    shop = Shop()
    shop.order("A", 1)
    for number in range(1, 4):
        shop.item(number, "A", 1 + number)
    shop.settle()
    shop.lose_disk()
    for _ in range(turns):
        shop.turn()
    shop.tell("items", 2, 10)
    shop.lose_disk()
    shop.settle()
    assert shop.items == {"A": ["S-1", "S-3"]}
    assert shop.world.server.broken == []


def test_what_was_sent_before_anything_was_settled_is_known_after_a_lost_disk() -> None:
    """A process that is killed after its first request has committed where it began: something may have been sent."""
    shop = Shop()
    shop.order("A", 1)
    shop.item(1, "A", 2)
    shop.item(2, "A", 3)
    while not shop.items:
        shop.turn()
    assert {commit.offset for commit in shop.world.committed.values()} == {0}
    shop.tell("items", 2, 10)
    shop.lose_disk()
    shop.settle()
    assert shop.items == {"A": ["S-1"]}


def test_items_in_a_column_are_known_after_a_lost_disk() -> None:
    """What a kept list held when it was sent is deleted once it has vanished, though the store is a new one."""
    shop = Shop()
    shop.tell("products", 1, 1, {"variants": '[{"id": "v", "sku": "s"}, {"id": "w", "sku": "t"}]'})
    shop.settle()
    shop.tell("products", 1, 2, {"variants": '[{"id": "w", "sku": "t"}]'})
    shop.lose_disk()
    shop.settle()
    assert shop.held.documents("products")["1"]["ProductVariants"] == [{"VariantId": "w", "Sku": "t"}]


def test_a_lost_disk_tells_replenit_of_nobody_who_never_agreed() -> None:
    """A customer without consent was never sent, so that there is nothing to take back."""
    shop = Shop()
    shop.tell("customers", 1, 1, {"notes": "a", "consent": False})
    shop.tell("customers", 2, 1, {"notes": "a", "consent": True})
    shop.settle()
    for customer in (1, 2):
        shop.tell("customers", customer, 2, {"notes": "b", "consent": False})
    shop.lose_disk()
    shop.settle()
    assert shop.held.documents("customers").keys() == {"2"}
    assert not shop.held.documents("customers")["2"]["GdprOptin"]
