"""What happens in a shop's tables at random: all that a database can do to rows that make documents together."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from family_shop import BAD, CHILDREN, Dialect

if TYPE_CHECKING:
    from random import Random

    from family_shop import RowKey, Shop

ROOT = "touch same recode recode swap key delete delete cleared"
OWN = {
    "customers": "insert consent consent consent_lost profile profile bio",
    "orders": "insert insert item item item_gone item_moved item_changed item_key emptied price price_gone state",
    "products": "insert variant variant_gone variant_moved variant_key emptied image text text stock stock",
}
CHILD = {"orders": "order_items", "products": "product_variants"}


class Life:
    """One transaction after the other. `bad`: the share of numbers that can't be read."""

    def __init__(self, shop: Shop, chance: Random) -> None:
        self.shop = shop
        self.bad = 0.0
        self._chance = chance
        self._numbers = Counter[str]()
        self._codes: dict[str, list[str]] = {"customers": [], "orders": [], "products": []}

    def go_on(self, steps: int, *, bad: float = 0.0) -> None:
        """So many transactions of all kinds."""
        self.bad = bad
        for _ in range(steps):
            entity = self._chance.choice(["customers", "orders", "orders", "products", "products"])
            key = self._pick(entity)
            what = self._chance.choice((ROOT if self._chance.random() < 0.4 else OWN[entity]).split())
            if key is None:
                what = "insert"
            getattr(self, f"_{entity}_insert" if what == "insert" else f"_{what}")(
                *([entity, key] * (what != "insert"))
            )
            self.shop.commit()

    def touch(self, entity: str, key: RowKey, **columns: Any) -> None:  # noqa: ANN401 (a column's value)
        """Update a root row: its tag tells its version."""
        self.shop.update(entity, key, tag=self._tag(entity, key[0]), **columns)

    # Names and values

    def _pick(self, table: str) -> Any:  # noqa: ANN401 (a key, or None)
        keys = list(self.shop.rows[table])
        return self._chance.choice(keys) if keys else None

    def _number(self, name: str) -> int:
        self._numbers[name] += 1
        return self._numbers[name]

    def _tag(self, entity: str, number: object) -> str:
        return f"{number}{'>' if entity == 'products' else ':'}{self._number('version')}"

    def _code(self, entity: str) -> str:
        """A new identifier, or one that another row had before."""
        used = {row[_column(entity)] for row in self.shop.rows[entity].values()}
        free = [code for code in self._codes[entity] if code not in used]
        if free and self._chance.random() < 0.5:
            return self._chance.choice(free)
        self._codes[entity].append(code := f"{entity[0]}{self._number(entity + ' code')}")
        return code

    def _value(self) -> object:
        return BAD if self._chance.random() < self.bad else self._chance.randrange(1, 50)

    def _flag(self, *, given: bool) -> object:
        return int(given) if self.shop.dialect is Dialect.MYSQL else given

    def _insert(self, entity: str, **columns: Any) -> int | None:  # noqa: ANN401 (likewise)
        """A new root row, perhaps with a key that one had before; None if that is in use."""
        number = self._chance.randrange(1, 9) if self._chance.random() < 0.3 else 100 + self._number(entity)
        if (number,) in self.shop.rows[entity]:
            return None
        self.shop.insert(
            entity, id=number, tag=self._tag(entity, number), **{_column(entity): self._code(entity)}, **columns
        )
        return number

    # What happens to any root row

    def _touch(self, entity: str, key: RowKey) -> None:
        self.touch(entity, key)

    def _same(self, entity: str, key: RowKey) -> None:
        self.shop.update(entity, key)

    def _recode(self, entity: str, key: RowKey) -> None:
        self.touch(entity, key, **{_column(entity): self._code(entity)})

    def _swap(self, entity: str, key: RowKey) -> None:
        other, column = self._pick(entity), _column(entity)
        mine, others = self.shop.rows[entity][key][column], self.shop.rows[entity][other][column]
        if other != key:
            self.touch(entity, key, **{column: "temporary"})
            self.touch(entity, other, **{column: mine})
            self.touch(entity, key, **{column: others})

    def _key(self, entity: str, key: RowKey) -> None:
        new = 200 + self._number(entity)
        self.shop.change_key(entity, key, new)
        self.touch(entity, (new,))  # its tag names the family that it is of

    def _delete(self, entity: str, key: RowKey) -> None:
        self.shop.delete(entity, key)

    def _cleared(self, entity: str, key: RowKey) -> None:
        """Its rows are deleted one by one, then it."""
        for child in CHILDREN[entity]:
            for inner in self.shop.of(child.name, key[0]):
                self.shop.delete(child.name, inner)
        self.shop.delete(entity, key)

    # Customers

    def _customers_insert(self) -> None:
        given, first = self._chance.random() < 0.7, self._chance.random() < 0.5
        number = self._insert("customers", bio=self._chance.choice([None, "long"])) if first else None
        number = self._number("early") + 500 if number is None and not first else number
        if number is None:
            return
        self.shop.insert("consents", customer_id=number, given=self._flag(given=given))
        if not first:
            tag, code = self._tag("customers", number), self._code("customers")
            self.shop.insert("customers", id=number, code=code, tag=tag, bio=self._chance.choice([None, "long"]))

    def _consent(self, _: str, key: RowKey) -> None:
        row = self.shop.rows["consents"].get(key)
        if row is None:
            self.shop.insert("consents", customer_id=key[0], given=self._flag(given=True))
        else:
            self.shop.update("consents", key, given=self._flag(given=not row["given"]))

    def _consent_lost(self, _: str, key: RowKey) -> None:
        if key in self.shop.rows["consents"]:
            self.shop.delete("consents", key)

    def _profile(self, _: str, key: RowKey) -> None:
        there = self.shop.of("profiles", key[0])
        surname = f"s{self._number('surname')}"
        if not there:
            self.shop.insert("profiles", id=self._number("profiles"), customer_id=key[0], surname=surname)
        elif self._chance.random() < 0.3:
            self.shop.delete("profiles", there[0])
        else:
            self.shop.update("profiles", there[0], surname=surname)

    def _bio(self, _: str, key: RowKey) -> None:
        self.touch("customers", key, bio=f"long {self._number('bio')}")

    # What happens to items and variants alike

    def _part(self, entity: str, key: RowKey) -> RowKey | None:
        parts = self.shop.of(CHILD[entity], key[0])
        return self._chance.choice(parts) if parts else None

    def _part_gone(self, entity: str, key: RowKey) -> None:
        if (part := self._part(entity, key)) is not None:
            self.shop.delete(CHILD[entity], part)

    def _part_moved(self, entity: str, key: RowKey) -> None:
        if (part := self._part(entity, key)) is not None:
            self.shop.update(CHILD[entity], part, **{f"{entity[:-1]}_id": self._pick(entity)[0]})

    def _part_key(self, entity: str, key: RowKey) -> None:
        if (part := self._part(entity, key)) is not None:
            self.shop.change_key(CHILD[entity], part, 1000 + self._number("part key"))

    def _emptied(self, entity: str, key: RowKey) -> None:
        for part in self.shop.of(CHILD[entity], key[0]):
            self.shop.delete(CHILD[entity], part)

    _item_gone = _variant_gone = _part_gone
    _item_moved = _variant_moved = _part_moved
    _item_key = _variant_key = _part_key

    # Orders

    def _orders_insert(self) -> None:
        state = self._chance.choice(["placed", "paid", "paid", "cart"])
        number = self._insert("orders", state=state, currency="EUR", revenue=self._value())
        for _ in range(self._chance.choice([0, 1, 1, 2, 3])) if number is not None else ():
            self._item("orders", (number,))

    def _item(self, _: str, key: RowKey) -> None:
        number, price_first = self._number("items"), self._chance.random() < 0.5
        if price_first:
            self.shop.insert("item_prices", item_id=number, price=self._value())
        product, sku = f"p{self._chance.randrange(3)}", f"s{self._chance.randrange(3)}"
        brand = self._chance.choice([None, "Acme"])
        row = {"order_id": key[0], "product": product, "sku": sku, "quantity": self._value(), "brand": brand}
        self.shop.insert("order_items", id=number, **row)
        if not price_first:
            self.shop.insert("item_prices", item_id=number, price=self._value())

    def _item_changed(self, entity: str, key: RowKey) -> None:
        if (item := self._part(entity, key)) is not None:
            brand = self._chance.choice([None, self.shop.rows["order_items"][item]["brand"], "Acme"])
            self.shop.update("order_items", item, quantity=self._value(), brand=brand)

    def _price(self, entity: str, key: RowKey) -> None:
        item = self._part(entity, key)
        if item in self.shop.rows["item_prices"]:
            self.shop.update("item_prices", item, price=self._value())
        elif item is not None:
            self.shop.insert("item_prices", item_id=item[0], price=self._value())

    def _price_gone(self, entity: str, key: RowKey) -> None:
        if (item := self._part(entity, key)) in self.shop.rows["item_prices"]:
            self.shop.delete("item_prices", item)

    def _state(self, _: str, key: RowKey) -> None:
        self.touch("orders", key, state=self._chance.choice(["placed", "paid", "cart"]), revenue=self._value())

    # Products

    def _products_insert(self) -> None:
        number = self._insert("products")
        for _ in range(self._chance.choice([0, 1, 2])) if number is not None else ():
            self._variant("products", (number,))

    def _variant(self, entity: str, key: RowKey) -> None:
        number = self._number("variants")
        image = self._chance.choice([None, f"https://shop.example/{number}"])
        self.shop.insert("product_variants", id=number, product_id=key[0], sku=f"s{number}", image=image)
        if self._chance.random() < 0.7:
            self._stock(entity, key)

    def _image(self, entity: str, key: RowKey) -> None:
        if (variant := self._part(entity, key)) is not None:
            self.shop.update("product_variants", variant, image=f"https://shop.example/{self._number('image')}")

    def _text(self, _: str, key: RowKey) -> None:
        place = (key[0], self._chance.choice(["en", "de"]))
        title = f"t{self._number('title')}"
        if place not in self.shop.rows["product_texts"]:
            self.shop.insert("product_texts", product_id=place[0], language=place[1], title=title)
        elif self._chance.random() < 0.2:
            self.shop.delete("product_texts", place)
        else:
            self.shop.update("product_texts", place, title=title)

    def _stock(self, entity: str, key: RowKey) -> None:
        variant = self._part(entity, key)
        there = self.shop.of("variant_stocks", variant[0]) if variant is not None else []
        if there and self._chance.random() < 0.2:
            self.shop.delete("variant_stocks", there[0])
        elif there:
            self.shop.update("variant_stocks", there[0], quantity=self._value())
        elif variant is not None:
            number = self._number("stocks")
            self.shop.insert("variant_stocks", id=number, variant_id=variant[0], quantity=self._value())


def _column(entity: str) -> str:
    """The column of the document's id."""
    return "number" if entity == "orders" else "code"
