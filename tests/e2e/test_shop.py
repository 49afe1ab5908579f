"""From a shop's tables to Replenit: PostgreSQL, Debezium, Kafka Connect, Kafka, the connector, the sandbox."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pytest
from e2e.capture import Capture, wait_until_delivered, wait_until_streaming
from e2e.connect import Connect
from e2e.day import pass_day
from e2e.dialects import Dialect, dialects
from e2e.follower import Follower, following
from e2e.postgres import Postgres
from e2e.registry import Registry
from e2e.shop import Shop
from e2e.wanted import Wanted, wanted
from unavailable import UnavailableError

from connector.sandbox.config import DEFAULT_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafka_broker import Broker

SEED = 20251


@dataclass(frozen=True, slots=True)
class Servers:
    """What stands between the shop and the connectors."""

    postgres: Postgres
    registry: Registry
    connect: Connect
    kafka: Broker


@dataclass(frozen=True, slots=True)
class Day:
    """A day that is over: what Replenit must hold, and who told it, in which dialect."""

    wanted: Wanted
    dialects: Mapping[str, Dialect]
    followers: Mapping[str, Follower]


@pytest.fixture(scope="module")
def servers(kafka: Broker) -> Iterator[Servers]:
    """Give a database, a schema registry and a Connect worker; skip where one of them can't be had."""
    with ExitStack() as stack:
        try:
            postgres = stack.enter_context(closing(Postgres()))
            registry = stack.enter_context(closing(Registry()))
            connect = stack.enter_context(closing(Connect(kafka.bootstrap_servers)))
            registry.wait_until_ready()
            connect.wait_until_ready()
        except UnavailableError as error:
            pytest.skip(str(error))
        yield Servers(postgres, registry, connect, kafka)


@pytest.fixture(scope="module")
def day(servers: Servers) -> Iterator[Day]:
    """Give one day of one shop, followed in all dialects at once."""
    shop = Shop(servers.postgres, SEED)
    shop.open()
    spoken = dialects(servers.registry.url)
    captures = {name: Capture(dialect.properties) for name, dialect in spoken.items()}
    for capture in captures.values():
        capture.start(servers.connect, servers.postgres, servers.kafka)
    wait_until_streaming(servers.connect, servers.postgres, *captures.values())
    deliver = partial(wait_until_delivered, servers.connect, servers.postgres, *captures.values())
    deliver()
    with ExitStack() as stack:
        followers = {
            name: stack.enter_context(following(servers.kafka, captures[name], dialect))
            for name, dialect in spoken.items()
        }
        pass_day(shop, [*followers.values()], deliver)
        yield Day(wanted(servers.postgres), spoken, followers)


@pytest.mark.parametrize("dialect", dialects(""))
def test_replenit_holds_what_the_tables_hold(day: Day, dialect: str) -> None:
    """Killed four times while the shop trades, the connector has told all, and nothing else; no record was given up."""
    follower = day.followers[dialect]
    assert day.wanted.difference(follower.sandbox.state, day.dialects[dialect].upsert) == []
    assert follower.dead() == []
    assert follower.lags() == 0
    assert follower.sandbox.broken_promises == []
    for nobodys in ("crashed", "@example.com", "+1555", DEFAULT_KEY):  # no failure, no data, no secret
        assert nobodys not in follower.lines()


def test_the_day_was_a_hard_one(day: Day, servers: Servers) -> None:
    """There are rows of each kind in numbers, and what an order or product consists of stands alike in both places."""
    customers, optional = day.wanted.documents["customers"], day.wanted.optional
    assert sum(document["GdprOptin"] for document in customers.values()) > 10
    assert sum(not document["GdprOptin"] for key, document in customers.items() if key not in optional) > 2
    assert len(day.wanted.documents["orders"]) > 10
    assert len(day.wanted.documents["products"]) > 10
    for table, column, parts in (("orders", "order_items", "items"), ("products", "product_variants", "variants")):
        key = column.partition("_")[0] + "_id"
        unlike = f"SELECT count(*) FROM shop.{table} WHERE {column} IS DISTINCT FROM shop.{parts}_of({key})"
        assert servers.postgres.execute(unlike) == "0\n"
