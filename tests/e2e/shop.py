"""What happens in a shop: a seeded sequence of transactions, each written as SQL into the tables of `schema.sql`."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SCHEMA = Path(__file__).with_name("schema.sql").read_text()

_TEXTS = ("Ada", "Łukasz", "O'Brien", 'say "hi"', "名前", "👩‍🚀", "a\tb\\n", "", "null", None)
_PHONES = ("+15550100", "+15550123456", None)
_LANGUAGES = ("en-US", "de", "pt-BR", None)
_CURRENCIES = ("EUR", "USD", "TRY")
_SIZES = ("S", "42", "one size", None)
_FLAGS = (True, False, None)
_MANY = 60
"""Items or variants whose JSON does not fit into the row, and is not logged by updates that leave it alone."""


class _Sql(NamedTuple):
    """An expression that is a value."""

    text: str


_Value: TypeAlias = "str | float | _Sql | None"


class Database(Protocol):
    """Where the shop keeps its rows."""

    def execute(self, statements: str) -> str: ...


class Shop:
    """The shop's staff: it knows which rows there are, and nothing of what becomes of them elsewhere."""

    def __init__(self, database: Database, seed: int) -> None:
        self._execute = database.execute
        self._random = Random(seed)
        self._numbers = count(1)
        self._customers: list[str] = []
        self._orders: list[str] = []
        self._products: list[str] = []
        self._gone: dict[str, list[str]] = {"customers": [], "orders": [], "products": []}
        self._apart: dict[str, list[str]] = {"wordy": [], "leaving": [], "stocked": []}
        self._kinds: tuple[tuple[int, Callable[[], Iterator[str]]], ...] = (
            (6, self._register),
            (8, self._change_customer),
            (4, self._decide_on_consent),
            (2, self._remove_customer),
            (2, self._renumber_customer),
            (8, self._place),
            (4, self._change_order),
            (10, self._change_items),
            (1, self._empty_order),
            (2, self._remove_order),
            (2, self._renumber_order),
            (3, self._list_product),
            (4, self._change_product),
            (8, self._change_variants),
            (2, self._reprice),
            (1, self._remove_product),
            (1, self._renumber_product),
            (2, self._return),
            (1, self._replace),
            (1, self._do_nothing),
        )

    def open(self) -> None:
        """Create the tables and the first rows."""
        self._execute(SCHEMA)
        for kind, times in ((self._register, 40), (self._list_product, 15), (self._place, 30)):
            self._execute("BEGIN;\n" + "\n".join(line for _ in range(times) for line in kind()) + "\nCOMMIT;")
        for _ in range(3):
            for kind, name in (("wordy", self._long()), ("leaving", "Ada")):
                self._apart[kind].append(customer := self._new("C"))
                self._execute(_insert("customers", customer_id=customer, name=name, gdpr_optin=True))
            self._apart["stocked"].append(product := self._new("P"))
            self._transact([*self._insert_product(product, _MANY)])
        self._execute("INSERT INTO shop.opening VALUES (now())")

    def trade(self) -> None:
        """Make one transaction; some are followed by one that is rolled back."""
        weights, kinds = zip(*self._kinds, strict=True)
        (kind,) = self._random.choices(kinds, weights)
        self._transact([*kind()])
        if self._random.random() < 0.04:
            self._transact([_insert("customers", customer_id=self._new("C"), gdpr_optin=True)], "ROLLBACK")

    def withdraw_consents(self) -> None:
        """Have customers take back their consent who had given it from the start."""
        for customer in self._apart["leaving"]:
            self._execute(_update("customers", customer, gdpr_optin=False))

    def change_what_the_log_omits(self) -> None:
        """Change large values, then other columns of those rows: of these changes the log leaves the large values out."""
        self._execute("ALTER TABLE shop.products REPLICA IDENTITY DEFAULT")
        for customer in self._apart["wordy"]:
            self._execute(_update("customers", customer, name=self._long()))
            self._execute(_update("customers", customer, phone=self._random.choice(_PHONES)))
        for product in self._apart["stocked"]:
            self._transact([*self._with_variants(product, [self._add_variant(product)])])
            self._execute(_update("products", product, product_name=f"Renamed {next(self._numbers)}"))
        self._execute("ALTER TABLE shop.products REPLICA IDENTITY FULL")

    def _transact(self, statements: list[str], end: str = "COMMIT") -> None:
        self._execute("\n".join(("BEGIN;", *statements, f"{end};")))

    def _register(self) -> Iterator[str]:
        self._customers.append(customer := self._new("C"))
        yield self._insert_customer(customer)

    def _insert_customer(self, customer: str) -> str:
        pick = self._random.choice
        return _insert(
            "customers",
            customer_id=customer,
            email=pick((f"{customer.lower()}@example.com", None)),
            name=pick(_TEXTS),
            surname=pick(_TEXTS),
            phone=pick(_PHONES),
            language=pick(_LANGUAGES),
            username=pick(_TEXTS),
            email_optin=pick(_FLAGS),
            sms_optin=pick(_FLAGS),
            gdpr_optin=self._random.random() < 0.8 or pick((False, None)),
            is_excluded=pick(_FLAGS),
        )

    def _change_customer(self) -> Iterator[str]:
        customer = self._random.choice(self._customers)
        for _ in range(self._random.choice((1, 1, 3))):
            yield _update("customers", customer, phone=self._random.choice(_PHONES), name=self._random.choice(_TEXTS))

    def _decide_on_consent(self) -> Iterator[str]:
        yield _update("customers", self._random.choice(self._customers), gdpr_optin=self._random.choice(_FLAGS))

    def _remove_customer(self) -> Iterator[str]:
        yield self._remove("customers", self._customers)

    def _renumber_customer(self) -> Iterator[str]:
        yield self._renumber("customers", self._customers, "C")

    def _place(self) -> Iterator[str]:
        self._orders.append(order := self._new("O"))
        yield from self._insert_order(order)

    def _insert_order(self, order: str) -> Iterator[str]:
        items = [self._add_item(order) for _ in range(self._random.choice((0, 1, 1, 2, 3, 5, _MANY)))]
        columns: dict[str, _Value] = {
            "order_id": order,
            "customer_id": self._random.choice(self._customers),
            "email": self._random.choice((f"{order.lower()}@example.com", None)),
            "order_date": self._random.choice(("2025-03-30 02:30:00.123456+01", "1969-12-31 23:59:59Z", None)),
            "total_revenue": self._price(),
            "currency": self._random.choice(_CURRENCIES),
            "total_quantity": self._random.choice((len(items), None)),
            "unique_quantity": len(items),
            "is_order_cancelled": self._random.choice(_FLAGS),
        }
        if self._random.random() < 0.5:  # the row knows its items from the start
            yield from items
            yield _insert("orders", **columns, order_items=_Sql(f"shop.items_of({_literal(order)})"))
        else:
            yield _insert("orders", **columns)
            yield from self._with_items(order, items)

    def _change_order(self) -> Iterator[str]:
        order = self._random.choice(self._orders)
        yield _update("orders", order, total_revenue=self._price(), is_order_cancelled=self._random.choice(_FLAGS))

    def _change_items(self) -> Iterator[str]:
        order = self._random.choice(self._orders)
        first = f"(SELECT min(item_id) FROM shop.order_items WHERE order_id = {_literal(order)})"
        more = f"quantity = quantity + 1, price = {self._price()}"
        change = self._random.choice(
            (
                self._add_item(order),
                f"DELETE FROM shop.order_items WHERE item_id = {first};",
                f"UPDATE shop.order_items SET {more} WHERE item_id = {first};",
            )
        )
        yield from self._with_items(order, [change])

    def _empty_order(self) -> Iterator[str]:
        order = self._random.choice(self._orders)
        yield from self._with_items(order, [f"DELETE FROM shop.order_items WHERE order_id = {_literal(order)};"])

    def _remove_order(self) -> Iterator[str]:
        yield self._remove("orders", self._orders)

    def _renumber_order(self) -> Iterator[str]:
        yield self._renumber("orders", self._orders, "O")

    def _with_items(self, order: str, changes: list[str]) -> Iterator[str]:
        """Change items, and tell the order's row."""
        yield from changes
        key = _literal(order)
        yield f"UPDATE shop.orders SET order_items = shop.items_of({key}) WHERE order_id = {key};"

    def _add_item(self, order: str) -> str:
        return _insert(
            "order_items",
            order_id=order,
            product_id=self._random.choice(self._products),
            sku=self._new("SKU"),
            quantity=self._random.randint(1, 9),
            price=self._price(),
            original_price=self._random.choice((self._price(), None)),
            size=self._random.choice(_SIZES),
            color=self._random.choice(_SIZES),
            is_gift=self._random.choice(_FLAGS),
        )

    def _list_product(self) -> Iterator[str]:
        self._products.append(product := self._new("P"))
        yield from self._insert_product(product, self._random.choice((0, 1, 2, 4, _MANY)))

    def _insert_product(self, product: str, variants: int) -> Iterator[str]:
        yield _insert(
            "products",
            product_id=product,
            product_name=self._random.choice(_TEXTS),
            taxonomy=self._random.choice((json.dumps(["Shop", "Kid's", "📚"]), "[]", None)),
            is_offline_exclusive=self._random.choice(_FLAGS),
        )
        yield from self._with_variants(product, [self._add_variant(product) for _ in range(variants)])

    def _change_product(self) -> Iterator[str]:
        product = self._random.choice(self._products)
        yield _update("products", product, product_name=self._random.choice(_TEXTS))

    def _change_variants(self) -> Iterator[str]:
        product = self._random.choice(self._products)
        first = f"(SELECT min(variant_id) FROM shop.product_variants WHERE product_id = {_literal(product)})"
        change = self._random.choice(
            (
                self._add_variant(product),
                f"DELETE FROM shop.product_variants WHERE variant_id = {first};",
                f"UPDATE shop.product_variants SET stock = {self._random.randint(0, 99)} WHERE variant_id = {first};",
            )
        )
        yield from self._with_variants(product, [change])

    def _reprice(self) -> Iterator[str]:
        """One product, again and again."""
        product = self._products[0]
        for _ in range(10):
            change = f"UPDATE shop.product_variants SET sale_price = {self._price()}"
            yield from self._with_variants(product, [f"{change} WHERE product_id = {_literal(product)};"])

    def _remove_product(self) -> Iterator[str]:
        yield self._remove("products", self._products)

    def _renumber_product(self) -> Iterator[str]:
        yield self._renumber("products", self._products, "P")

    def _with_variants(self, product: str, changes: list[str]) -> Iterator[str]:
        yield from changes
        key = _literal(product)
        yield f"UPDATE shop.products SET product_variants = shop.variants_of({key}) WHERE product_id = {key};"

    def _add_variant(self, product: str) -> str:
        variant = self._new("V")
        return _insert(
            "product_variants",
            variant_id=variant,
            product_id=product,
            sku=f"SKU-{variant}",
            name=self._random.choice(_TEXTS),
            image=self._random.choice((f"https://shop.example.com/{variant}.jpg", None)),
            size=self._random.choice(_SIZES),
            stock=self._random.choice((0, 7, None)),
            original_price=self._price(),
            sale_price=self._random.choice((self._price(), None)),
            currency=self._random.choice(_CURRENCIES),
            is_available=self._random.choice(_FLAGS),
        )

    def _return(self) -> Iterator[str]:
        """A row that was deleted earlier comes back under its key, with other values."""
        for table, living in (("customers", self._customers), ("orders", self._orders), ("products", self._products)):
            if self._gone[table]:
                living.append(key := self._gone[table].pop())
                yield from self._insert_again(table, key)

    def _replace(self) -> Iterator[str]:
        """Rows are deleted and inserted again within one transaction."""
        for table, living in (("customers", self._customers), ("orders", self._orders), ("products", self._products)):
            key = self._random.choice(living)
            yield _delete(table, key)
            yield from self._insert_again(table, key)

    def _insert_again(self, table: str, key: str) -> Iterator[str]:
        if table == "customers":
            yield self._insert_customer(key)
        elif table == "orders":
            yield from self._insert_order(key)
        else:
            yield from self._insert_product(key, 2)

    def _do_nothing(self) -> Iterator[str]:
        for table, living in (("customers", self._customers), ("orders", self._orders), ("products", self._products)):
            yield _update(table, self._random.choice(living), **{_key_of(table): _Sql(_key_of(table))})

    def _remove(self, table: str, living: list[str]) -> str:
        key = living.pop(self._random.randrange(1, len(living)))
        self._gone[table].append(key)
        return _delete(table, key)

    def _renumber(self, table: str, living: list[str], letter: str) -> str:
        at = self._random.randrange(1, len(living))
        old, living[at] = living[at], self._new(letter)
        column = _key_of(table)
        return f"UPDATE shop.{table} SET {column} = {_literal(living[at])} WHERE {column} = {_literal(old)};"

    def _new(self, letter: str) -> str:
        return f"{letter}-{next(self._numbers)}"

    def _price(self) -> str:
        return f"{self._random.randint(-500, 99_999) / 100:.2f}"

    def _long(self) -> str:
        return "".join(self._random.choices("abcdefghijklmnopqrstuvwxyz", k=4000))


def _key_of(table: str) -> str:
    return table.removesuffix("s") + "_id"


def _insert(table: str, **columns: _Value) -> str:
    values = ", ".join(_literal(value) for value in columns.values())
    return f"INSERT INTO shop.{table} ({', '.join(columns)}) VALUES ({values});"


def _update(table: str, key: str, **columns: _Value) -> str:
    changes = ", ".join(f"{name} = {_literal(value)}" for name, value in columns.items())
    return f"UPDATE shop.{table} SET {changes} WHERE {_key_of(table)} = {_literal(key)};"


def _delete(table: str, key: str) -> str:
    return f"DELETE FROM shop.{table} WHERE {_key_of(table)} = {_literal(key)};"


def _literal(value: _Value) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, _Sql):
        return value.text
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower()
