"""What happens in a shop: a seeded sequence of transactions on the tables of `schema.sql`."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Protocol

from e2e.rows import FLAGS, MANY, PHONES, TEXTS, Rows, with_items, with_variants
from e2e.sql import Sql, delete, insert, key_of, literal, update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SCHEMA = Path(__file__).with_name("schema.sql").read_text()

_LETTERS = {"customers": "C", "orders": "O", "products": "P"}


class Database(Protocol):
    """Where the shop keeps its rows."""

    def execute(self, statements: str) -> str: ...


class Shop:
    """The shop's staff: they know which rows there are, and nothing of what becomes of them elsewhere."""

    def __init__(self, database: Database, seed: int) -> None:
        self._execute = database.execute
        self._random = Random(seed)
        self._rows = Rows(self._random)
        self._living: dict[str, list[str]] = {table: [] for table in _LETTERS}
        self._gone: dict[str, list[str]] = {table: [] for table in _LETTERS}
        self._apart: dict[str, list[str]] = {"wordy": [], "leaving": [], "stocked": []}
        self._kinds: tuple[tuple[int, Callable[[], Iterator[str]]], ...] = (
            (6, lambda: self._create("customers")),
            (8, lambda: self._create("orders")),
            (3, lambda: self._create("products")),
            (2, lambda: self._remove("customers")),
            (2, lambda: self._remove("orders")),
            (1, lambda: self._remove("products")),
            (2, lambda: self._renumber("customers")),
            (2, lambda: self._renumber("orders")),
            (1, lambda: self._renumber("products")),
            (8, self._change_customer),
            (4, self._decide_on_consent),
            (4, self._change_order),
            (10, self._change_items),
            (1, self._empty_order),
            (4, self._change_product),
            (8, self._change_variants),
            (2, self._reprice),
            (2, self._return),
            (1, self._replace),
            (1, self._do_nothing),
        )

    def open(self) -> None:
        """Create the tables and the first rows."""
        self._execute(SCHEMA)
        for table, times in (("customers", 40), ("products", 15), ("orders", 30)):
            self._transact(statement for _ in range(times) for statement in self._create(table))
        for _ in range(3):
            for fate, name in (("wordy", self._rows.long_text()), ("leaving", "Ada")):
                self._apart[fate].append(customer := self._rows.key("C"))
                self._execute(insert("customers", customer_id=customer, name=name, gdpr_optin=True))
            self._apart["stocked"].append(product := self._rows.key("P"))
            self._transact(self._rows.product(product, MANY))
        self._execute("INSERT INTO shop.opening VALUES (now())")

    def trade(self) -> None:
        """Make one transaction; some are followed by one that is rolled back."""
        weights, kinds = zip(*self._kinds, strict=True)
        (kind,) = self._random.choices(kinds, weights)
        self._transact(kind())
        if self._random.random() < 0.04:
            self._transact([self._rows.customer(self._rows.key("C"))], "ROLLBACK")

    def withdraw_consents(self) -> None:
        """Have customers take back their consent who had given it from the start."""
        for customer in self._apart["leaving"]:
            self._execute(update("customers", customer, gdpr_optin=False))

    def change_what_the_log_omits(self) -> None:
        """Change large values, then other columns of those rows: there the log leaves the large values out."""
        self._execute("ALTER TABLE shop.products REPLICA IDENTITY DEFAULT")
        for customer in self._apart["wordy"]:
            self._execute(update("customers", customer, name=self._rows.long_text()))
            self._execute(update("customers", customer, phone=self._random.choice(PHONES)))
        for product in self._apart["stocked"]:
            self._transact(with_variants(product, [self._rows.variant(product)]))
            self._execute(update("products", product, product_name=f"{product} renamed"))
        self._execute("ALTER TABLE shop.products REPLICA IDENTITY FULL")

    def _transact(self, statements: Iterable[str], end: str = "COMMIT") -> None:
        self._execute("\n".join(("BEGIN;", *statements, f"{end};")))

    def _any(self, table: str) -> str:
        return self._random.choice(self._living[table])

    def _create(self, table: str) -> Iterator[str]:
        self._living[table].append(key := self._rows.key(_LETTERS[table]))
        yield from self._insert(table, key)

    def _insert(self, table: str, key: str) -> Iterator[str]:
        if table == "customers":
            yield self._rows.customer(key)
        elif table == "orders":
            yield from self._rows.order(key, self._living["customers"], self._living["products"])
        else:
            yield from self._rows.product(key, self._random.choice((0, 1, 2, 4, MANY)))

    def _remove(self, table: str) -> Iterator[str]:
        living = self._living[table]
        key = living.pop(self._random.randrange(1, len(living)))
        self._gone[table].append(key)
        yield delete(table, key)

    def _renumber(self, table: str) -> Iterator[str]:
        living = self._living[table]
        place = self._random.randrange(1, len(living))
        old, living[place] = living[place], self._rows.key(_LETTERS[table])
        yield update(table, old, **{key_of(table): living[place]})

    def _return(self) -> Iterator[str]:
        """Rows that were deleted earlier come back under their keys, with other values."""
        for table, gone in self._gone.items():
            if gone:
                self._living[table].append(key := gone.pop())
                yield from self._insert(table, key)

    def _replace(self) -> Iterator[str]:
        """Rows are deleted and inserted again within one transaction."""
        for table in _LETTERS:
            key = self._any(table)
            yield delete(table, key)
            yield from self._insert(table, key)

    def _do_nothing(self) -> Iterator[str]:
        for table in _LETTERS:
            yield update(table, self._any(table), **{key_of(table): Sql(key_of(table))})

    def _change_customer(self) -> Iterator[str]:
        customer = self._any("customers")
        for _ in range(self._random.choice((1, 1, 3))):
            yield update("customers", customer, phone=self._random.choice(PHONES), name=self._random.choice(TEXTS))

    def _decide_on_consent(self) -> Iterator[str]:
        yield update("customers", self._any("customers"), gdpr_optin=self._random.choice(FLAGS))

    def _change_order(self) -> Iterator[str]:
        cancelled = self._random.choice(FLAGS)
        yield update("orders", self._any("orders"), total_revenue=self._rows.price(), is_order_cancelled=cancelled)

    def _change_items(self) -> Iterator[str]:
        order = self._any("orders")
        first = f"item_id = (SELECT min(item_id) FROM shop.order_items WHERE order_id = {literal(order)})"
        more = f"quantity = quantity + 1, price = {self._rows.price()}"
        changes = (
            self._rows.item(order, self._living["products"]),
            f"DELETE FROM shop.order_items WHERE {first};",
            f"UPDATE shop.order_items SET {more} WHERE {first};",
        )
        yield from with_items(order, [self._random.choice(changes)])

    def _empty_order(self) -> Iterator[str]:
        order = self._any("orders")
        yield from with_items(order, [f"DELETE FROM shop.order_items WHERE order_id = {literal(order)};"])

    def _change_product(self) -> Iterator[str]:
        yield update("products", self._any("products"), product_name=self._random.choice(TEXTS))

    def _change_variants(self) -> Iterator[str]:
        product = self._any("products")
        first = (
            f"variant_id = (SELECT min(variant_id) FROM shop.product_variants WHERE product_id = {literal(product)})"
        )
        changes = (
            self._rows.variant(product),
            f"DELETE FROM shop.product_variants WHERE {first};",
            f"UPDATE shop.product_variants SET stock = {self._random.randint(0, 99)} WHERE {first};",
        )
        yield from with_variants(product, [self._random.choice(changes)])

    def _reprice(self) -> Iterator[str]:
        """One product, which stays for the whole day, again and again."""
        product = self._living["products"][0]
        for _ in range(10):
            change = f"UPDATE shop.product_variants SET sale_price = {self._rows.price()}"
            yield from with_variants(product, [f"{change} WHERE product_id = {literal(product)};"])
