"""Rows of a shop that exists nowhere, and the records that Replenit should hold for them.

What it should hold is read from the rows here, by nothing that the connector shares.
"""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from connector.sandbox.rules import Document

    Row = dict[str, Any]

IDS = {"customers": "customer_id", "products": "product_id", "orders": "order_id"}
LISTS = {"products": "product_variants", "orders": "order_items"}
UNSENT = "updated_at"
"""The column that Replenit has no field for."""

RESERVED = 10
"""Rows with lower ids are whole, with consent, and change only on purpose."""

_SPOILT = {
    ("customers", "invalid"): {"email": "nobody"},
    ("customers", "unconvertible"): {"email_optin": "perhaps"},
    ("orders", "invalid"): {"currency": "Euro"},
    ("orders", "unconvertible"): {"total_revenue": "not known"},
    ("products", "invalid"): {"product_name": "x" * 201},
    ("products", "unconvertible"): {"product_variants": "not known"},
}
_NAMES = ("Ada", "Ben", "Carla", "Deniz", "Emma", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Kaya", "Lars")
_GOODS = ("Teapot", "Blanket", "Lamp", "Kettle", "Scarf", "Candle", "Notebook", "Basket", "Vase", "Mug")


class Rows:
    """Makes rows by chance: new ones, and new versions of old ones that put right what was wrong with them.

    A new version always differs: one that did not would be no news, even where the old one never came to Replenit.
    `wall` gives UNIX seconds. `currency`: of every new version of an order.
    """

    def __init__(self, random: Random, wall: Callable[[], float]) -> None:
        self.currency = "EUR"
        self.last: Counter[str] = Counter()
        self._random = random
        self._wall = wall

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def row(self, entity: str, number: int, old: Row | None) -> Row:
        make = {"customers": self._customer, "orders": self._order, "products": self._product}[entity]
        return self.touched({IDS[entity]: number, **make(number, old)})

    def touched(self, row: Row) -> Row:
        moment = datetime.fromtimestamp(int(self._wall()), UTC).isoformat()
        return {**row, UNSENT: moment.replace("+00:00", "Z")}

    def repriced(self, row: Row) -> Row:
        """The product costs something else."""
        count = len(json.loads(row["product_variants"]))
        return self.touched({**row, "product_variants": self._variants(row["product_id"], count)})

    def _customer(self, number: int, old: Row | None) -> Row:
        name = self._random.choice(_NAMES)
        return {
            "email": f"{name}.{number}@example.org".lower(),
            "name": name,
            "phone": f"+49151{self._random.randrange(10**7, 10**8)}" if self.chance(0.7) else None,
            "language": self._random.choice(("de-DE", "en-GB", "tr-TR")),
            "email_optin": self.chance(0.6) if old is None else not old["email_optin"],
            "gdpr_optin": number < RESERVED or self._consent(old),
        }

    def _consent(self, old: Row | None) -> bool | None:
        """NULL and false are no consent; some who have given it withdraw it, and others give it later."""
        if old is None:
            return self._random.choice((False, None)) if self.chance(0.1) else True
        given: bool | None = old["gdpr_optin"]
        return not given if self.chance(0.04 if given else 0.2) else given

    def _order(self, number: int, old: Row | None) -> Row:
        items = [] if number >= RESERVED and self.chance(0.02) else self._items(number, old)
        return {
            "customer_id": old["customer_id"] if old else self._random.randint(1, self.last["customers"]),
            "total_revenue": f"{sum(item['price'] * item['quantity'] for item in items):.2f}",
            "currency": self.currency,
            "total_quantity": sum(item["quantity"] for item in items),
            "is_order_cancelled": old is not None and self.chance(0.1),
            "order_items": json.dumps(items),
        }

    def _items(self, order: int, old: Row | None) -> list[Row]:
        items: list[Row] = json.loads(old["order_items"]) if old else []
        if not items:
            return [self._item(order * 7 + index) for index in range(self._random.randint(1, 3))]
        if len(items) > 1 and self.chance(0.06):
            items.pop()
        items[0]["quantity"] = items[0]["quantity"] % 5 + 1
        return items

    def _item(self, number: int) -> Row:
        product = number % self.last["products"] + 1
        price, quantity = self._random.randint(300, 9000) / 100, self._random.randint(1, 3)
        return {"product_id": str(product), "sku": f"SKU-{product}-0", "quantity": quantity, "price": price}

    def _product(self, number: int, old: Row | None) -> Row:
        empty = old is None and number >= RESERVED and self.chance(0.01)
        count = 1 if number < RESERVED else 1 + number % 3
        return {
            "product_name": f"{_GOODS[number % len(_GOODS)]} No. {number}",
            "product_variants": "[]" if empty else self._variants(number, count),
        }

    def _variants(self, product: int, count: int) -> str:
        price = self._random.randint(300, 9000) / 100
        made = []
        for each in range(count):
            variant = {"variant_id": f"{product}-{each}", "sku": f"SKU-{product}-{each}", "currency": "EUR"}
            made.append({**variant, "sale_price": price, "stock": self._random.randint(0, 99)})
        return json.dumps(made)


def spoil(entity: str, row: Row, flaw: str) -> None:
    """Let the row hold what can't be brought to Replenit, where the flaw is one of rows."""
    row.update(_SPOILT.get((entity, flaw), {}))


def lacks(entity: str, row: Row) -> bool:
    """Whether it is an order without items, or a product without variants."""
    return row.get(LISTS.get(entity, "")) == "[]"


def items(order: Row) -> set[tuple[str, str]]:
    """What tells an order's items apart."""
    return {(item["product_id"], item["sku"]) for item in json.loads(order["order_items"])}


def document(row: Row) -> Document:
    """The record that Replenit should hold for a row without flaws."""
    found = {_camel(column): _value(column, value) for column, value in row.items() if column != UNSENT}
    return {field: value for field, value in found.items() if value is not None}


def _camel(column: str) -> str:
    return "".join(part.capitalize() for part in column.split("_"))


def _value(column: str, value: Any) -> Any:  # noqa: ANN401 # a column's value
    match column:
        case "order_items" | "product_variants":
            return [{_camel(name): each for name, each in part.items()} for part in json.loads(value)]
        case "total_revenue":
            return float(value)
        case "gdpr_optin":
            return value is True
        case "customer_id" | "order_id" | "product_id":
            return str(value)
    return value
