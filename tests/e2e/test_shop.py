"""From a shop's tables to Replenit: PostgreSQL, Debezium, Kafka Connect, Kafka, the connector, the sandbox."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from e2e.capture import Capture, wait_until_delivered, wait_until_streaming
from e2e.connect import Connect
from e2e.day import pass_day
from e2e.follower import ENTITIES, Follower, following
from e2e.postgres import Postgres
from e2e.registry import Registry
from e2e.shop import Shop
from oracle import Expectation, difference
from unavailable import UnavailableError

from connector.sandbox.config import DEFAULT_KEY
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from kafka_broker import Broker

WANTED = Path(__file__).with_name("wanted.sql").read_text()
SEED = 20251


@dataclass(frozen=True, slots=True)
class Servers:
    """What stands between the shop and the connectors."""

    postgres: Postgres
    registry: Registry
    connect: Connect
    kafka: Broker


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


@dataclass(frozen=True, slots=True)
class Told:
    """A day that is over: what Replenit must hold by the tables, and who told it.

    `optional`: the customers of whom it may hold nothing.
    """

    wanted: Mapping[str, Mapping[str, Mapping[str, Any]]]
    optional: frozenset[str]
    followers: Mapping[str, Follower]


@pytest.fixture(scope="module")
def told(servers: Servers) -> Iterator[Told]:
    """Give a day with two connectors, each on a dialect of its own, under either reading of an upsert."""
    registry = servers.registry.url
    captures = {
        "json": Capture(
            {
                **_converters("org.apache.kafka.connect.json.JsonConverter", "schemas.enable", "false"),
                "decimal.handling.mode": "string",
            }
        ),
        "avro": Capture(_converters("io.confluent.connect.avro.AvroConverter", "schema.registry.url", registry)),
    }
    shop = Shop(servers.postgres, SEED)
    shop.open()
    for capture in captures.values():
        capture.start(servers.connect, servers.postgres, servers.kafka)
    wait_until_streaming(servers.connect, servers.postgres, *captures.values())

    def deliver() -> None:
        wait_until_delivered(servers.connect, servers.postgres, *captures.values())

    deliver()
    avro = {"SCHEMA_REGISTRY_URL": registry, "NULLS": "null"}
    with (
        following(servers.kafka, captures["json"], Upsert.REPLACE, {}) as of_json,
        following(servers.kafka, captures["avro"], Upsert.MERGE, avro) as of_avro,
    ):
        pass_day(shop, (of_json, of_avro), deliver)
        yield _told(servers.postgres, {"json": of_json, "avro": of_avro})


def _converters(name: str, option: str, value: str) -> dict[str, str]:
    sides = ("key.converter", "value.converter")
    return {**dict.fromkeys(sides, name), **{f"{side}.{option}": value for side in sides}}


def _told(postgres: Postgres, followers: Mapping[str, Follower]) -> Told:
    wanted: dict[str, dict[str, Any]] = {entity: {} for entity in ENTITIES}
    optional = set()
    for row in postgres.rows(WANTED):
        document = _without_nulls(row["document"])
        if "OrderDate" in document:
            document["OrderDate"] = datetime.fromisoformat(document["OrderDate"])
        wanted[row["entity"]][row["id"]] = document
        if row.get("optional"):
            optional.add(row["id"])
    return Told(wanted, frozenset(optional), followers)


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


def _merged(state: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What was told last where an upsert merges: a null clears a field, and a retraction leaves what was there."""
    held: dict[str, dict[str, Any]] = _without_nulls(state)
    for key, document in held["customers"].items():
        if document["GdprOptin"] is False:
            held["customers"][key] = {name: document[name] for name in ("CustomerId", "GdprOptin")}
    return held


@pytest.mark.parametrize("dialect", ["json", "avro"])
def test_replenit_holds_what_the_tables_hold(told: Told, dialect: str) -> None:
    """Killed four times while the shop trades, the connector has told all, and nothing else; no record was given up."""
    follower = told.followers[dialect]
    state: Mapping[str, Mapping[str, Any]] = follower.sandbox.state
    held = _merged(state) if dialect == "avro" else state
    absent = told.optional - held["customers"].keys()
    customers = {key: document for key, document in told.wanted["customers"].items() if key not in absent}
    wanted = Expectation({**told.wanted, "customers": customers}, {entity: {} for entity in ENTITIES}, {}, {})
    assert difference(wanted, held) == []
    assert follower.dead() == []
    assert follower.lags() == 0
    assert follower.sandbox.broken_promises == []
    for nobodys in ("crashed", "@example.com", "+1555", DEFAULT_KEY):  # no failure, no data, no secret
        assert nobodys not in follower.lines()


def test_the_day_was_a_hard_one(told: Told, servers: Servers) -> None:
    """Each kind of row is there in numbers, and what an order or product consists of is told alike in both places."""
    refused = [key for key, document in told.wanted["customers"].items() if not document["GdprOptin"]]
    assert len(told.wanted["customers"]) - len(refused) > 30
    assert len(told.wanted["orders"]) > 30
    assert len(told.wanted["products"]) > 10
    assert len(set(refused) - told.optional) > 2
    for table, column, parts in (("orders", "order_items", "items"), ("products", "product_variants", "variants")):
        key = column.partition("_")[0] + "_id"
        unlike = f"SELECT count(*) FROM shop.{table} WHERE {column} <> shop.{parts}_of({key})"
        assert servers.postgres.execute(unlike) == "0\n"
