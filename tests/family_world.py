"""A shop of several tables in the simulated world: its workload, the API that it reaches, and what judges both.

At every request: what may be at Replenit is written down in the durable store, no key is at the server twice, no family
goes back in time, nobody without consent is told of. At every commit: nothing is passed that the store still owes.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from family_life import Life
from family_shop import Shop
from memory_store import MemoryStore
from shop_oracle import differences, tag_of
from simulation import World

from connector.core.events import Entity
from connector.core.requests import Answer, NoAnswer
from connector.sandbox.state import State, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from family_shop import Dialect
    from simulation import Faults

    from connector.adapters.kafka import Commit
    from connector.core.dispatch import Batch
    from connector.core.events import Partition
    from connector.core.stored import Store
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
        self.kept: set[str] = set()  # whose DELETE it refuses
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
        if identifier in self.kept:
            return _answer(400, {"success": False, "message": "No.", "errors": {"id": ["No."]}})
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
    """A shop, its topics, Replenit and the connector's store. `life` is what the shop does at random, by `chance`."""

    def __init__(
        self,
        seed: int,
        dialect: Dialect,
        reading: Upsert,
        *,
        items_by_order: bool = False,
        chance: Random | None = None,
    ) -> None:
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
        self._dirty: Callable[[Entity], int] = lambda entity: self.store.dirty(entity)  # noqa: PLW0108 (of the present one)
        self._life = Life(self.shop, chance or self.world.random)
        self.life, self.touch = self._life.go_on, self._life.touch
        self.told: set[str] = set()  # customers of whom a document was sent since they were deleted last

    @property
    def faults(self) -> Faults:
        return self.world.faults

    @property
    def settings(self) -> dict[str, str]:
        topics = {f"TOPIC_{entity.upper()}": f"shop.{entity}" for entity in ID}
        return {"MAPPING": self.shop.mapping, "STATE_DIR": "/state", **topics}

    def service(self, **changes: str) -> Service:
        return self.world.service(**self.settings, **changes)

    def use(self, store: Store) -> None:
        """Run over a real store, of which is not known what a crash would leave: it is judged by the end alone."""
        self.world.store = store
        self.world.judge_commit = lambda _, __: None
        self.server.judge = lambda _: None
        self._dirty = store.dirty

    def kill(self, *, disk: bool = False) -> None:
        """The process ends at once; `disk`: with its store."""
        self.world.store = self.store = MemoryStore() if disk else self.store.crash()
        self.lost_disks += disk

    def run(self, service: Service, seconds: float) -> bool:
        return self.world.run(service, seconds, self.settled)

    def settled(self) -> bool:
        return self.world.settled() and not any(map(self._dirty, Entity))

    def differences(self) -> list[str]:
        kept = self.server.state.snapshot()
        return self.server.broken + differences(self.shop, kept, merges=self.reading is Upsert.MERGE) + self._unburied()

    def _unburied(self) -> list[str]:
        """The rows that can't be read and are no dead letters."""
        letters = {(each.record.topic, each.record.partition, each.record.offset) for each in self.world.letters}
        return [f"no dead letter of {row} at {place}" for row, place in self.shop.bad.items() if place not in letters]

    # Judges

    def _judge_commit(self, partition: Partition, commit: Commit) -> None:
        if partition not in self.shop.log:
            return  # the topic of replays, of which nothing is kept
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
        rows = [
            row for (source, _), row in self.store.content.rows.items() if source == CONSENTS and row.parent == family
        ]
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
