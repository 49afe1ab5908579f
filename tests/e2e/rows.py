"""A shop's rows, made by chance: the statements that insert them, parts and all."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING

from e2e.sql import Sql, Value, insert, literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

TEXTS = ("Ada", "Łukasz", "O'Brien", 'say "hi"', "名前", "👩‍🚀", "a\tb\\n", "", "null", None)
PHONES = ("+15550100", "+15550123456", None)
FLAGS = (True, False, None)
MANY = 60
"""Items or variants whose JSON does not fit into the row, and is not logged by updates that leave it alone."""

_LANGUAGES = ("en-US", "de", "pt-BR", None)
_CURRENCIES = ("EUR", "USD", "TRY")
_SIZES = ("S", "42", "one size", None)
_DATES = ("2025-03-30 02:30:00.123456+01", "1969-12-31 23:59:59Z", None)


class Rows:
    """Makes rows; no two have the same key, unless it is given."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._pick = random.choice
        self._numbers = count(1)

    def key(self, letter: str) -> str:
        """Make a key that was never there."""
        return f"{letter}-{next(self._numbers)}"

    def price(self) -> str:
        return f"{self._random.randint(-500, 99_999) / 100:.2f}"

    def long_text(self) -> str:
        """Make a text that is stored outside of its row."""
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz", k=4000))

    def customer(self, key: str) -> str:
        return insert(
            "customers",
            customer_id=key,
            email=self._pick((f"{key.lower()}@example.com", None)),
            name=self._pick(TEXTS),
            surname=self._pick(TEXTS),
            phone=self._pick(PHONES),
            language=self._pick(_LANGUAGES),
            username=self._pick(TEXTS),
            email_optin=self._pick(FLAGS),
            sms_optin=self._pick(FLAGS),
            gdpr_optin=self._random.random() < 0.8 or self._pick((False, None)),
            is_excluded=self._pick(FLAGS),
        )

    def order(self, key: str, customers: Sequence[str], products: Sequence[str]) -> Iterator[str]:
        """Insert an order before its items or after them."""
        items = [self.item(key, products) for _ in range(self._pick((0, 1, 1, 2, 3, 5, MANY)))]
        columns: dict[str, Value] = {
            "order_id": key,
            "customer_id": self._pick(customers),
            "email": self._pick((f"{key.lower()}@example.com", None)),
            "order_date": self._pick(_DATES),
            "total_revenue": self.price(),
            "currency": self._pick(_CURRENCIES),
            "total_quantity": self._pick((len(items), None)),
            "unique_quantity": len(items),
            "is_order_cancelled": self._pick(FLAGS),
        }
        if self._random.random() < 0.5:
            yield from items
            yield insert("orders", **columns, order_items=Sql(f"shop.items_of({literal(key)})"))
        else:
            yield insert("orders", **columns)
            yield from with_items(key, items)

    def item(self, order: str, products: Sequence[str]) -> str:
        return insert(
            "order_items",
            order_id=order,
            product_id=self._pick(products),
            sku=self.key("SKU"),
            quantity=self._random.randint(1, 9),
            price=self.price(),
            original_price=self._pick((self.price(), None)),
            size=self._pick(_SIZES),
            color=self._pick(_SIZES),
            is_gift=self._pick(FLAGS),
        )

    def product(self, key: str, variants: int) -> Iterator[str]:
        yield insert(
            "products",
            product_id=key,
            product_name=self._pick(TEXTS),
            taxonomy=self._pick((json.dumps(["Shop", "Kid's", "📚"]), "[]", None)),
            is_offline_exclusive=self._pick(FLAGS),
        )
        yield from with_variants(key, [self.variant(key) for _ in range(variants)])

    def variant(self, product: str) -> str:
        key = self.key("V")
        return insert(
            "product_variants",
            variant_id=key,
            product_id=product,
            sku=f"SKU-{key}",
            name=self._pick(TEXTS),
            image=self._pick((f"https://shop.example.com/{key}.jpg", None)),
            size=self._pick(_SIZES),
            stock=self._pick((0, 7, None)),
            original_price=self.price(),
            sale_price=self._pick((self.price(), None)),
            currency=self._pick(_CURRENCIES),
            is_available=self._pick(FLAGS),
        )


def with_items(order: str, changes: Sequence[str]) -> Iterator[str]:
    """Change items, and tell the order's row."""
    yield from changes
    key = literal(order)
    yield f"UPDATE shop.orders SET order_items = shop.items_of({key}) WHERE order_id = {key};"


def with_variants(product: str, changes: Sequence[str]) -> Iterator[str]:
    """Change variants, and tell the product's row."""
    yield from changes
    key = literal(product)
    yield f"UPDATE shop.products SET product_variants = shop.variants_of({key}) WHERE product_id = {key};"
