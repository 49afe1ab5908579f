"""A shop's own tables through the whole service in virtual time: any order of partitions, any crash, all dialects."""

from __future__ import annotations

import random
from collections import deque
from typing import TYPE_CHECKING, Literal

import pytest
from family_captures import CASES, KEPT, SHOPS, mapping, partitions, records, row_key, schemas, topic
from family_oracle import Dead, expected, unlike, without_nulls
from memory_store import MemoryStore
from oracle import difference
from simulation import World

from connector.core.avro_wire import IdKind, Schema, SchemaId, parse
from connector.core.events import Entity, Partition, Record
from connector.sandbox.state import State, Upsert

if TYPE_CHECKING:
    from shop_captures import CapturedRecord

    from connector.core.dispatch import Batch
    from connector.service import Service

FAMILIES = {"tables": {"orders", "products"}, "json": {"orders", "products"}, "mariadb": {"orders"}}
ITEM_KEYS = {"orders": ("OrderItems", ("ProductId", "Sku")), "products": ("ProductVariants", ("VariantId",))}


class Registry:
    """The schemas of a dialect, all known at once."""

    missing = 0

    def __init__(self, dialect: str) -> None:
        self._schemas = {number: parse(definition) for number, definition in schemas(dialect).items()}

    def get(self, schema_id: SchemaId) -> Schema | None:
        assert schema_id.kind is IdKind.ID
        return self._schemas[schema_id.value]

    def arrived(self) -> bool:
        return False


class Shop:
    """A world whose topics fill with what was captured, partition by partition, in an order of the seed's."""

    def __init__(self, dialect: str, shop: str, upsert: Upsert, seed: int) -> None:
        self.dialect, self.shop, self.merges = dialect, shop, upsert is Upsert.MERGE
        self.consent: Literal["enforce", "forward"] = "enforce" if self.merges else "forward"
        self.random = random.Random(f"{dialect} {shop} {upsert} {seed}")
        self.world = World(seed)
        tables = [table for each in SHOPS[shop].values() for table in each]
        self.to_come: dict[Partition, deque[Record]] = {
            Partition(topic(dialect, table), number): deque()
            for table in tables
            for number in range(partitions(dialect))
        }
        for each in records(dialect):
            if each.table in tables:
                self.to_come[Partition(each.topic, each.partition)].append(_record(each))
        self.world.log = {partition: [] for partition in self.to_come}
        self.world.low = dict.fromkeys(self.world.log, 0)
        self.world.schemas = Registry(dialect)
        self.world.store = self.store = MemoryStore()
        self.world.server.holds = self.tenant = State(upsert, 0, late_deletes=False)
        self.world.server.watch = self._watch
        kept = FAMILIES[shop] if shop != "json" or dialect in KEPT else set()
        self._families = {entity: ITEM_KEYS[entity] for entity in kept}

    def service(self) -> Service:
        topics = {
            f"TOPIC_{entity.upper()}": topic(self.dialect, tables[0]) for entity, tables in SHOPS[self.shop].items()
        }
        return self.world.service(
            MAPPING=mapping(self.dialect, self.shop),
            CONSENT_POLICY=self.consent,
            NULLS="null" if self.merges else "omit",
            RATE_LIMIT_PER_MINUTE="100000",
            RATE_LIMIT_PER_HOUR="1000000",
            **topics,
        )

    def kill(self, *, lose_disk: bool) -> None:
        """Kill the process. What it has sent is done before it is looked at what a new store knows of it."""
        if lose_disk:
            self.world.advance(90)
            self.world.store = self.store = MemoryStore()
        else:
            self.store.crash()

    def write(self, most: int) -> None:
        """Something more of some partition."""
        partition = self.random.choice([partition for partition, left in self.to_come.items() if left])
        left = self.to_come[partition]
        for _ in range(min(len(left), self.random.randint(1, most))):
            self.world.log[partition].append(left.popleft())

    @property
    def complete(self) -> bool:
        return not any(self.to_come.values())

    def _watch(self, batch: Batch) -> None:
        """What is at the API is at most what the store says that it may hold."""
        for entry in batch.entries:
            entity = entry.key.entity
            document = self.tenant.documents(entity).get(entry.key.id)
            if entity not in self._families or document is None:
                continue
            name, fields = self._families[entity]
            there = {tuple(each[field] for field in fields) for each in document.get(name, ())}
            families = self.store.durable_families(Entity(entity))
            held = [each.held for each in families if entry.key.id in (each.id, *each.retired)]
            if not there <= frozenset().union(*held):
                self.world.server.broken.append(f"{entity} {entry.key.id}: items that the store does not know")

    def dead(self) -> set[Dead]:
        """The rows of which a record is a dead letter."""
        found = set()
        for letter in self.world.letters:
            reason = next(value for name, value in letter.headers if name == "replenit.reason")
            assert reason is not None
            key = row_key(self.dialect, letter.record.key, letter.record.value)
            found.add(Dead(letter.record.topic.rpartition(".")[2], key, reason.decode()))
        return found


def _record(captured: CapturedRecord) -> Record:
    return Record(
        captured.topic,
        captured.partition,
        captured.offset,
        captured.key,
        captured.value,
        captured.headers,
        captured.timestamp,
    )


def converge(shop: Shop) -> None:
    """Let all come, in pieces, to services of which some are killed, and some find no store then."""
    world, service = shop.world, shop.service()
    world.faults.fails, world.faults.loses_answer = 0.1, 0.05
    while not shop.complete:
        for _ in range(shop.random.randint(1, 20)):
            if not shop.complete:
                shop.write(40)
        world.run(service, shop.random.choice([0.5, 1, 3, 20]))
        if shop.random.random() < 0.15:
            shop.kill(lose_disk=shop.random.random() < 0.3)
            service = shop.service()
    assert world.run(service, 1800, world.settled)


@pytest.mark.parametrize("upsert", list(Upsert))
@pytest.mark.parametrize(("dialect", "name"), CASES)
def test_the_shops_own_tables_converge(dialect: str, name: str, upsert: Upsert) -> None:
    """Whatever comes first, and whenever a process is killed, the API ends with what the tables ended with."""
    shop = Shop(dialect, name, upsert, 0)
    converge(shop)
    wanted = expected(dialect, name, consent=shop.consent, merges=shop.merges)
    assert difference(wanted.state, without_nulls(shop.tenant.snapshot())) == []
    assert unlike(wanted, shop.dead()) == []
    assert shop.world.server.broken == []
