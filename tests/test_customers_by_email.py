"""Customers that their e-mail address identifies: addresses that move between them, come back, and are told anew."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from memory_store import MemoryStore
from simulation import Server, World

from connector.core.events import Partition, Record
from connector.core.requests import Answer
from connector.sandbox.state import State, Upsert

if TYPE_CHECKING:
    from connector.core.dispatch import Batch
    from connector.service import Service

TOPIC = "shop.customers"
ADDRESSES = ("Ana@example.com", "bea@example.com", "CLEO@example.com", "dan@example.com")
OK = Answer(200, {}, b'{"success":true}')


class ByEmail(Server):
    """The API of a tenant whose customers are identified by their addresses."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.tenant = State(Upsert.REPLACE, 0, late_deletes=False, customers_by="Email")

    def _upsert(self, batch: Batch) -> Answer:
        assert batch.request.body is not None
        documents = json.loads(batch.request.body)
        self.tenant.upsert("customers", documents)
        return Answer(200, {}, json.dumps({"success": True, "data": {"count": len(documents)}}).encode())

    def _delete(self, batch: Batch) -> Answer:
        assert batch.request.by == "email"
        self.tenant.queue_delete("Email", batch.request.ids[0], self.world.now)
        return OK


class Shop:
    """A table of customers, no two of whom have one address at a time."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.world.log = {Partition(TOPIC, number): [] for number in range(3)}
        self.world.low = dict.fromkeys(self.world.log, 0)
        self.world.store = self.store = MemoryStore()
        self.world.server = self.server = ByEmail(self.world)
        self.rows: dict[str, dict[str, Any]] = {}
        self._position = 0

    def start(self) -> Service:
        """A process of the connector, which finds what the one before has made durable."""
        self.store.crash()
        return self.world.service(
            CUSTOMER_IDENTIFIER="Email",
            TOPIC_CUSTOMERS=TOPIC,
            TOPIC_ORDERS="",
            TOPIC_PRODUCTS="",
            RATE_LIMIT_PER_MINUTE="10000",
            RATE_LIMIT_PER_HOUR="100000",
        )

    def set(self, customer: str, address: str | None, **columns: Any) -> None:  # noqa: ANN401
        """Insert or update a customer; without an address, delete him."""
        before, key = self.rows.pop(customer, None), {"customer_id": customer}
        if address is not None:
            self._position += 1
            row = {**key, "email": address, "name": str(self._position), "gdpr_optin": True, **columns}
            self.rows[customer] = row
            self._emit(key, "u" if before else "c", row)
        elif before is not None:
            self._emit(key, "d", None)
            self._append(key, None)

    def _emit(self, key: dict[str, str], op: str, after: dict[str, Any] | None) -> None:
        self._position += 1
        sequence = json.dumps([str(self._position), str(self._position)])
        source = {"connector": "postgresql", "sequence": sequence, "snapshot": "false", "ts_ms": 1}
        self._append(key, {"op": op, "before": key if op == "d" else None, "after": after, "source": source})

    def _append(self, key: dict[str, str], value: object) -> None:
        partition = Partition(TOPIC, int(key["customer_id"]) % 3)
        log = self.world.log[partition]
        body = None if value is None else json.dumps(value).encode()
        log.append(Record(TOPIC, partition.number, len(log), json.dumps(key).encode(), body))

    @property
    def expected(self) -> dict[str, tuple[str, str]]:
        return {row["email"].lower(): (row["customer_id"], row["name"]) for row in self.rows.values()}

    @property
    def held(self) -> dict[str, tuple[str, str]]:
        documents = self.server.tenant.documents("customers")
        return {address: (each["CustomerId"], each["Name"]) for address, each in documents.items()}

    def settle(self, service: Service) -> None:
        assert self.world.run(service, 900, self.world.settled)
        assert self.server.broken == []
        assert not self.store.content.dirty


@pytest.mark.parametrize("seed", range(12))
def test_addresses_wander_between_customers(seed: int) -> None:
    """Whatever moves, goes or comes back, with lost answers and crashes: each address is the last one's, or gone."""
    shop, dice = Shop(seed), random.Random(seed)
    shop.world.faults.loses_answer = shop.world.faults.fails = 0.1
    service = shop.start()
    for _ in range(40):
        for _ in range(dice.randint(1, 3)):
            customer = str(dice.randint(1, 5))
            taken = {row["email"] for other, row in shop.rows.items() if other != customer}
            free = [address for address in ADDRESSES if address not in taken]
            shop.set(customer, dice.choice(free) if free and dice.random() < 0.75 else None)
        shop.world.run(service, dice.choice([0.1, 0.5, 1, 3, 8]))
        if dice.random() < 0.1:
            service = shop.start()
    shop.world.faults.loses_answer = shop.world.faults.fails = 0
    shop.settle(service)
    assert shop.held == shop.expected


def test_two_customers_swap_their_addresses() -> None:
    """Neither document is deleted: each is upserted with the other's customer."""
    shop = Shop(0)
    service = shop.start()
    shop.set("1", "ana@example.com")
    shop.set("2", "bea@example.com")
    shop.settle(service)
    shop.set("1", "bea@example.com")
    shop.set("2", "ana@example.com")
    shop.settle(service)
    assert shop.held == shop.expected
    assert "delete" not in shop.server.purposes


def test_an_address_that_two_customers_share_outlives_one_of_them() -> None:
    """The document stays as long as a row has its address, and is told anew by the row that is left."""
    shop = Shop(0)
    service = shop.start()
    shop.set("1", "ana@example.com")
    shop.settle(service)
    shop.set("2", "ana@example.com")
    shop.settle(service)
    assert shop.held == {"ana@example.com": ("2", shop.rows["2"]["name"])}
    shop.set("2", None)
    shop.settle(service)
    assert shop.held == {"ana@example.com": ("1", shop.rows["1"]["name"])}
    shop.set("1", None)
    shop.settle(service)
    assert shop.held == {}


def test_a_customer_without_an_address_is_withheld_and_one_that_lost_it_deleted() -> None:
    """What nothing identifies can't be sent; what was sent by the address is deleted by it."""
    shop = Shop(0)
    service = shop.start()
    shop.set("1", "ana@example.com")
    shop.set("2", "", email=None)
    shop.settle(service)
    assert shop.held.keys() == {"ana@example.com"}
    shop.set("1", "", email=None)
    shop.settle(service)
    assert shop.held == {}
