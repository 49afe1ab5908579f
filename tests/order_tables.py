"""Orders and their items in tables of their own, as MySQL's changes tell of them, and the mapping that joins them."""

from __future__ import annotations

import json
from itertools import count

from kafka_broker import Raw

ORDERS = """
version: 1
orders:
  table: orders
  fields:
    OrderId: id
    CustomerId: buyer
    TotalQuantity: pieces
    TotalRevenue: total
    Currency: { constant: EUR }
    OrderItems:
      table: order_items
      foreign_key: order_id
      fields: { ProductId: product, Sku: product, Quantity: pieces, Price: price }
"""


class OrderTables:
    """Makes the records, in the order in which they are asked for."""

    def __init__(self) -> None:
        self._positions = count(1)

    def order(self, number: int) -> Raw:
        return self._record(number, {"id": number, "buyer": "b", "pieces": 1, "total": 2})

    def item(self, number: int, order: int) -> Raw:
        return self._record(number, self._item(number, order))

    def item_gone(self, number: int, order: int) -> Raw:
        return self._record(number, None, self._item(number, order))

    @staticmethod
    def _item(number: int, order: int) -> dict[str, object]:
        return {"id": number, "order_id": order, "product": "p", "pieces": 1, "price": 2}

    def _record(self, key: int, after: dict[str, object] | None, before: dict[str, object] | None = None) -> Raw:
        source = {"connector": "mysql", "snapshot": "false", "ts_ms": 1, "file": "binlog.1", "row": 0}
        body = {"before": before, "after": after, "op": "d" if after is None else "c"}
        body["source"] = source | {"pos": next(self._positions)}
        return Raw(json.dumps(body).encode(), json.dumps({"id": key}).encode(), 0)
