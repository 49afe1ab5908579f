"""A shop of several tables in the simulated world: its workload, the API that it reaches, and what judges both.

At every request: what may be at Replenit is written down in the durable store, no key is at the server twice, no family
goes back in time, nobody without consent is told of. At every commit: nothing is passed that the store still owes.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from shop_oracle import differences, tag_of
from family_shop import BAD, Dialect, Shop
from memory_store import MemoryStore
from simulation import World

from connector.core.events import Entity
from connector.core.requests import Answer, NoAnswer
from connector.sandbox.state import State, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from simulation import Faults

    from connector.adapters.kafka import Commit
    from connector.core.dispatch import Batch
    from connector.core.events import Partition
    from connector.service import Service

    Document = dict[str, Any]

LISTS = {"orders": ("OrderItems", ("ProductId", "Sku")), "products": ("ProductVariants", ("VariantId",))}
ID = {"customers": "CustomerId", "orders": "OrderId", "products": "ProductId"}
CONSENTS = 1  # the number of the table in the store


class Replenit:
    """The API under one reading of upserts. It applies a request at some moment, perhaps after its sender gave up."""

    def __init__(self, world: World, reading: Upsert) -> None:
        self.world = world
        self.state = State(reading, 0.0, late_deletes=False)
        self.requests: list[tuple[float, Batch]] = []
        self.purposes: Counter[str] = Counter()
        self.broken: list[str] = []
        self.judge: Callable[[Batch], None] = lambda _: None
        self.poisoned: set[str] = set()
        self.throttles = 0.0
        self._at_work: Counter[tuple[str, str]] = Counter()
        self._newest: dict[tuple[str, str], int] = {}

    @property
    def arrivals(self) -> list[float]:
        return [time for time, _ in self.requests]

    def accept(self, batch: Batch, reply: Callable[[Answer | NoAnswer], None]) -> None:
        """Take a request in, and arrange its end and its answer."""
        world, faults = self.world, self.world.faults
        latency = world.random.uniform(*faults.latency)
        if faults.straggles and world.random.random() < faults.straggles:
            latency = world.random.uniform(1, 29)
        self.judge(batch)
        if faults.down or world.random.random() < faults.refuses_connection:
            world.at(world.now + 0.01, lambda: reply(NoAnswer("refused", ambiguous=False)))
            return
        self.requests.append((world.now, batch))
        self.purposes[batch.purpose] += 1
        keys = [(entry.key.entity.value, entry.key.id) for entry in batch.entries]
        for key in keys:
            if self._at_work[key]:
                self.broken.append(f"two requests for {key} at once at {world.now:.1f}")
            self._at_work[key] += 1
        lost = world.random.random() < faults.loses_answer
        never = lost and world.random.random() < 0.4
        done = world.now + (world.random.uniform(0, 59) if lost else world.random.uniform(0, latency))
        answer: list[Answer] = []

        def apply() -> None:
            answer.append(_answer(500, {}) if never else self._apply(batch))
            self._at_work.subtract(keys)

        world.at(done, apply)
        if lost:
            world.at(world.now + 30, lambda: reply(NoAnswer("timeout", ambiguous=True)))
        else:
            world.at(world.now + latency, lambda: reply(answer[0]))

    def _apply(self, batch: Batch) -> Answer:
        if self.throttles and self.world.random.random() < self.throttles:
            return Answer(429, {"retry-after": "3"}, b'{"success":false,"message":"Too many requests"}')
        if self.world.random.random() < self.world.faults.fails:
            return _answer(500, {"success": False, "message": "Internal server error"})
        endpoint = batch.request.endpoint.value
        if batch.request.body is not None:
            return self._upsert(endpoint.removeprefix("upsert_"), json.loads(batch.request.body))
        entity = {"c": "customers", "o": "orders", "p": "products"}[endpoint.removeprefix("delete_")[0]]
        identifier, *item = batch.request.ids
        try:
            if item:
                found = self.state.delete_element(entity, identifier, tuple(item))
            elif entity == "customers":
                self.state.queue_delete("CustomerId", identifier, self.world.now)
                found = True
            else:
                self.state.delete(entity, identifier)
                found = True
        except KeyError:
            found = False
        if not found:
            return _answer(404, {"success": False, "message": f"{entity[:-1].title()} not found.", "data": {}})
        return _answer(200, {"success": True, "message": "Deleted.", "data": {}})

    def _upsert(self, entity: str, documents: list[Document]) -> Answer:
        bad = [index for index, each in enumerate(documents) if each[ID[entity]] in self.poisoned]
        if bad:
            name = self.world.faults.names_bad
            errors = {"all": [f"[{i}].Name" for i in bad], "first": [f"$[{bad[0]}].Name"], "none": ["Name"]}[name]
            said = {each: ["The field Name is required."] for each in errors}
            return _answer(400, {"success": False, "message": "Validation failed", "errors": said})
        for document in documents:
            if document.get("GdprOptin") is not False:
                family, _, version = tag_of(entity, document).replace(">", ":").partition(":")
                place = (f"{entity} {document[ID[entity]]}", family)
                if int(version) < self._newest.get(place, 0):
                    self.broken.append(f"{place} went back to {version} at {self.world.now:.1f}")
                self._newest[place] = max(int(version), self._newest.get(place, 0))
        self.state.upsert(entity, documents)
        return _answer(200, {"success": True, "message": "Saved.", "data": {"count": len(documents)}})


def _answer(status: int, body: object) -> Answer:
    return Answer(status, {}, json.dumps(body).encode())


class FamilyWorld:
    """A shop, its topics, Replenit and the connector's store. `life` is what the shop does at random."""

    def __init__(self, seed: int, dialect: Dialect, reading: Upsert, *, items_by_order: bool = False) -> None:
        self.world = World(seed)
        self.shop = Shop(self.world, dialect, items_by_order=items_by_order)
        self.server = Replenit(self.world, reading)
        self.world.server = self.server  # type: ignore[assignment] # it does what the source and the sender ask of one
        self.world.interleaves = True
        self.world.store = self.store = MemoryStore()
        self.world.judge_commit = self._judge_commit
        self.server.judge = self._judge
        self.reading = reading
        self.lost_disks = 0
        self.told: set[str] = set()  # customers of whom a document was sent since they were deleted last
        self._numbers = Counter[str]()
        self._freed: dict[str, list[str]] = {"customers": [], "orders": [], "products": []}

    @property
    def random(self) -> Random:
        return self.world.random

    @property
    def faults(self) -> Faults:
        return self.world.faults

    def service(self, **changes: str) -> Service:
        topics = {f"TOPIC_{entity.upper()}": f"shop.{entity}" for entity in ID}
        return self.world.service(MAPPING=self.shop.mapping, STATE_DIR="/state", **topics, **changes)

    def kill(self, *, disk: bool = False) -> None:
        """The process ends at once; `disk`: with its store."""
        self.world.store = self.store = MemoryStore() if disk else self.store.crash()
        self.lost_disks += disk

    def run(self, service: Service, seconds: float) -> bool:
        return self.world.run(service, seconds, self.settled)

    def settled(self) -> bool:
        return self.world.settled() and not any(self.store.dirty(entity) for entity in Entity)

    def differences(self) -> list[str]:
        kept = self.server.state.snapshot()
        return self.server.broken + differences(self.shop, kept, merges=self.reading is Upsert.MERGE) + self._unburied()

    def _unburied(self) -> list[str]:
        """The rows that can't be read and are no dead letters."""
        letters = {(each.record.topic, each.record.partition, each.record.offset) for each in self.world.letters}
        return [f"no dead letter of {row} at {place}" for row, place in self.shop.bad.items() if place not in letters]

    # Judges

    def _judge_commit(self, partition: Partition, commit: Commit) -> None:
        durable = self.store.durable
        progress = durable.progress.get(partition, 0)
        owed = [each.firsts[partition] for each in durable.dirty.values() if partition in each.firsts]
        known = self.world.committed.get(partition)  # an empty store is filled anew up to there
        least = min([progress, *owed]) if known is None else max(known.offset, min([progress, *owed]))
        if commit.offset > least:
            self.server.broken.append(f"{partition}: {commit.offset} is committed, {progress} durable, {owed} owed")

    def _judge(self, batch: Batch) -> None:
        for entry in batch.entries:
            entity, identifier = entry.key.entity.value, entry.key.id
            if batch.request.body is not None:
                [document] = [each for each in json.loads(batch.request.body) if each[ID[entity]] == identifier]
                if entity == "customers":
                    self._judge_consent(identifier, document)
                self._judge_held(entity, identifier, document)
            elif batch.item is None and entity == "customers":
                self.told.discard(identifier)

    def _judge_consent(self, identifier: str, document: Document) -> None:
        if document.get("GdprOptin") is not True:
            if document.keys() != {"CustomerId", "GdprOptin"}:
                self.server.broken.append(f"more than a retraction of {identifier}")
            if identifier not in self.told and not self.lost_disks:
                self.server.broken.append(f"a retraction of {identifier}, who is not there")
            return
        self.told.add(identifier)
        family = document["Name"].partition(":")[0]
        rows = [row for (source, _), row in self.store.content.rows.items() if source == CONSENTS and row.parent == family]
        if not any(json.loads(row.body)[0].get("GdprOptin") for row in rows if row.body):
            self.server.broken.append(f"customer {family} is sent without consent at {self.world.now:.1f}")

    def _judge_held(self, entity: str, identifier: str, document: Document) -> None:
        """What is there, and what is being sent, is written down."""
        families = [
            family
            for (of, _), family in self.store.durable.families.items()
            if of.value == entity and (family.id == identifier or identifier in family.retired)
        ]
        if not families:
            self.server.broken.append(f"{entity} {identifier} is sent and not written down")
        if entity in LISTS:
            name, keys = LISTS[entity]
            there = self.server.state.documents(entity).get(identifier, {})
            items = {tuple(each[key] for key in keys) for doc in (there, document) for each in doc.get(name) or ()}
            held = frozenset[Any]().union(*(family.held for family in families))
            if not items <= held:
                self.server.broken.append(f"{entity} {identifier} holds {items - held}, which is not written down")

    # The shop's life

    def life(self, steps: int, *, bad: float = 0.0) -> None:
        """So many transactions of all kinds. `bad`: the share of values that can't be read."""
        for _ in range(steps):
            kind = self.random.choice(["customers", "orders", "orders", "products", "products"])
            getattr(self, f"_{kind}")(bad)
            self.shop.commit()

    def _pick(self, table: str) -> Any:  # noqa: ANN401 (a key, or None)
        keys = list(self.shop.rows[table])
        return self.random.choice(keys) if keys else None

    def _number(self, name: str) -> int:
        self._numbers[name] += 1
        return self._numbers[name]

    def _tag(self, number: object, entity: str) -> str:
        return f"{number}{'>' if entity == 'products' else ':'}{self._number('version')}"

    def _code(self, entity: str) -> str:
        """A new identifier, or one that another row had before."""
        freed = self._freed[entity]
        used = {row["number" if entity == "orders" else "code"] for row in self.shop.rows[entity].values()}
        free = [code for code in freed if code not in used]
        if free and self.random.random() < 0.5:
            return self.random.choice(free)
        code = f"{entity[0]}{self._number(entity + ' code')}"
        freed.append(code)
        return code

    def _root(self, entity: str, new: dict[str, Any]) -> tuple[Any, ...]:
        """A new row of the entity, perhaps with a key that one had before."""
        number = self.random.randrange(1, 9) if self.random.random() < 0.3 else 100 + self._number(entity)
        if (number,) not in self.shop.rows[entity]:
            column = "number" if entity == "orders" else "code"
            row = {"id": number, column: self._code(entity), "tag": self._tag(number, entity), **new}
            self.shop.insert(entity, **row)
        return (number,)

    def touch(self, entity: str, key: tuple[Any, ...], **columns: Any) -> None:  # noqa: ANN401 (a column's value)
        self.shop.update(entity, key, tag=self._tag(key[0], entity), **columns)

    def _any(self, entity: str, key: tuple[Any, ...] | None) -> bool:
        """What happens to any root row: an update, another identifier, another key, an end, or nothing at all."""
        if key is None or self.random.random() < 0.5:
            return False
        column = "number" if entity == "orders" else "code"
        what = self.random.choice(["touch", "same", "code", "code", "swap", "key", "delete", "delete"])
        other = self._pick(entity)
        if what == "touch":
            self.touch(entity, key)
        elif what == "same":
            self.shop.update(entity, key)
        elif what == "code":
            self.touch(entity, key, **{column: self._code(entity)})
        elif what == "swap" and other != key:
            mine, others = self.shop.rows[entity][key][column], self.shop.rows[entity][other][column]
            self.touch(entity, key, **{column: "temporary"})
            self.touch(entity, other, **{column: mine})
            self.touch(entity, key, **{column: others})
        elif what == "key":
            new = 200 + self._number(entity)
            self.shop.change_key(entity, key, new)
            if self.random.random() < 0.5:
                self.touch(entity, (new,))
            else:  # the tag names the family that it is of
                self.shop.update(entity, (new,), tag=self._tag(new, entity))
        elif what == "delete":
            if self.random.random() < 0.3:
                for child in ("consents", "profiles", "order_items", "product_variants", "product_texts"):
                    for inner in self.shop.of(child, key[0]) if _parent(child) == entity else ():
                        self.shop.delete(child, inner)
            self.shop.delete(entity, key)
        return True

    def _customers(self, bad: float) -> None:
        key = self._pick("customers")
        if self._any("customers", key):
            return
        what = self.random.choice(["new", "consent", "consent", "profile", "profile", "bio", "lost"])
        if key is None or what == "new":
            steps: list[Callable[[], None]] = []
            number = 100 + self._number("customers") if self.random.random() < 0.7 else self.random.randrange(1, 9)
            if (number,) in self.shop.rows["customers"]:
                return
            given = self.random.random() < 0.7
            steps = [
                lambda: self.shop.insert(
                    "customers", id=number, code=self._code("customers"), tag=self._tag(number, ""), bio=self.random.choice([None, "long"])
                ),
                lambda: self.shop.insert("consents", customer_id=number, given=self._flag(given=given)),
            ]
            if self.random.random() < 0.5:
                steps.append(lambda: self._profile(number))
            self.random.shuffle(steps)
            for step in steps:
                step()
        elif what == "consent":
            if key in self.shop.rows["consents"]:
                given = bool(self.shop.rows["consents"][key]["given"])
                self.shop.update("consents", key, given=self._flag(given=not given))
            else:
                self.shop.insert("consents", customer_id=key[0], given=self._flag(given=True))
        elif what == "lost" and key in self.shop.rows["consents"]:
            self.shop.delete("consents", key)
        elif what == "profile":
            self._profile(key[0])
        elif what == "bio":
            self.touch("customers", key, bio=f"long {self._number('bio')}")

    def _flag(self, *, given: bool) -> object:
        return int(given) if self.shop.dialect is Dialect.MYSQL else given

    def _profile(self, number: int) -> None:
        there = self.shop.of("profiles", number)
        if not there:
            self.shop.insert("profiles", id=self._number("profiles"), customer_id=number, surname=f"s{self._number('s')}")
        elif self.random.random() < 0.3:
            self.shop.delete("profiles", there[0])
        else:
            self.shop.update("profiles", there[0], surname=f"s{self._number('s')}")

    def _orders(self, bad: float) -> None:
        key = self._pick("orders")
        if self._any("orders", key):
            return
        what = self.random.choice(["new", "new", "add", "add", "remove", "move", "item", "price", "empty", "state", "unpriced", "itemkey"])
        if key is None or what == "new":
            key = self._root("orders", {"state": self._state(), "currency": "EUR", "revenue": self._value(bad)})
            for _ in range(self.random.choice([0, 1, 1, 2, 3])):
                self._add_item(key[0], bad)
            return
        items = self.shop.of("order_items", key[0])
        item = self.random.choice(items) if items else None
        if what == "add":
            self._add_item(key[0], bad)
        elif what == "state":
            self.touch("orders", key, state=self._state(), revenue=self._value(bad))
        elif item is None:
            return
        elif what == "remove":
            self.shop.delete("order_items", item)
        elif what == "move":
            self.shop.update("order_items", item, order_id=self._pick("orders")[0])
        elif what == "item":
            brand = self.random.choice([None, self.shop.rows["order_items"][item]["brand"], "Acme"])
            self.shop.update("order_items", item, quantity=self._value(bad), brand=brand)
        elif what == "price":
            if item in self.shop.rows["item_prices"]:
                self.shop.update("item_prices", item, price=self._value(bad))
            else:
                self.shop.insert("item_prices", item_id=item[0], price=self._value(bad))
        elif what == "unpriced" and item in self.shop.rows["item_prices"]:
            self.shop.delete("item_prices", item)
        elif what == "itemkey":
            self.shop.change_key("order_items", item, 1000 + self._number("items"))
        elif what == "empty":
            for each in items:
                self.shop.delete("order_items", each)

    def _state(self) -> str:
        return self.random.choice(["placed", "paid", "paid", "cart"])

    def _value(self, bad: float) -> object:
        return BAD if self.random.random() < bad else self.random.randrange(1, 50)

    def _add_item(self, order: int, bad: float) -> None:
        number = self._number("items")
        product, sku = f"p{self.random.randrange(3)}", f"s{self.random.randrange(3)}"
        brand = self.random.choice([None, "Acme"])
        steps = [
            lambda: self.shop.insert(
                "order_items", id=number, order_id=order, product=product, sku=sku, quantity=self._value(bad), brand=brand
            ),
            lambda: self.shop.insert("item_prices", item_id=number, price=self._value(bad)),
        ]
        self.random.shuffle(steps)
        for step in steps:
            step()

    def _products(self, bad: float) -> None:
        key = self._pick("products")
        if self._any("products", key):
            return
        what = self.random.choice(["new", "add", "remove", "move", "text", "text", "stock", "stock", "image", "empty", "variantkey"])
        if key is None or what == "new":
            key = self._root("products", {})
            for _ in range(self.random.choice([0, 1, 2])):
                self._add_variant(key[0], bad)
            return
        variants = self.shop.of("product_variants", key[0])
        variant = self.random.choice(variants) if variants else None
        if what == "add":
            self._add_variant(key[0], bad)
        elif what == "text":
            self._text(key[0])
        elif variant is None:
            return
        elif what == "remove":
            self.shop.delete("product_variants", variant)
        elif what == "move":
            self.shop.update("product_variants", variant, product_id=self._pick("products")[0])
        elif what == "image":
            self.shop.update("product_variants", variant, image=f"https://shop.example/{self._number('image')}")
        elif what == "stock":
            self._stock(variant[0], bad)
        elif what == "variantkey":
            self.shop.change_key("product_variants", variant, 1000 + self._number("variants"))
        elif what == "empty":
            for each in variants:
                self.shop.delete("product_variants", each)

    def _text(self, product: int) -> None:
        key = (product, self.random.choice(["en", "de"]))
        if key not in self.shop.rows["product_texts"]:
            self.shop.insert("product_texts", product_id=product, language=key[1], title=f"t{self._number('t')}")
        elif self.random.random() < 0.2:
            self.shop.delete("product_texts", key)
        else:
            self.shop.update("product_texts", key, title=f"t{self._number('t')}")

    def _stock(self, variant: int, bad: float) -> None:
        there = self.shop.of("variant_stocks", variant)
        if not there:
            self.shop.insert("variant_stocks", id=self._number("stocks"), variant_id=variant, quantity=self._value(bad))
        elif self.random.random() < 0.2:
            self.shop.delete("variant_stocks", there[0])
        else:
            self.shop.update("variant_stocks", there[0], quantity=self._value(bad))

    def _add_variant(self, product: int, bad: float) -> None:
        number = self._number("variants")
        image = self.random.choice([None, f"https://shop.example/{number}"])
        self.shop.insert("product_variants", id=number, product_id=product, sku=f"s{number}", image=image)
        if self.random.random() < 0.7:
            self._stock(number, bad)


def _parent(table: str) -> str:
    return {
        "consents": "customers",
        "profiles": "customers",
        "order_items": "orders",
        "product_variants": "products",
        "product_texts": "products",
    }[table]
