"""The chain of `deploy/compose`, run from packages: its tables, changes, settings and commands, but other addresses."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from connector_process import command, connector, environment_of
from e2e.connect import Connect
from e2e.postgres import DATABASE, Postgres
from kafka_jars import JarNode
from kafka_node import free_port
from own_process import OwnProcess
from unavailable import UnavailableError

from deploy.compose import FOLDER, debezium, mounts, service, topics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kafka_broker import Broker

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl: Debian's package is curl")
ADDRESSES = ("listeners", "advertised.listeners", "controller.quorum.voters")
QUERY = """
SELECT jsonb_build_object('customers', customer_id, 'row', to_jsonb(customers)) FROM customers WHERE gdpr_optin
UNION ALL SELECT jsonb_build_object('orders', order_id, 'row', to_jsonb(orders)) FROM orders
UNION ALL SELECT jsonb_build_object('products', product_id, 'row', to_jsonb(products)) FROM products
"""


@dataclass(frozen=True, slots=True)
class Chain:
    """What stands between the shop's database and the connector, and the sandbox's address."""

    postgres: Postgres
    kafka: Broker
    connect: Connect
    sandbox: str


@pytest.fixture
def chain() -> Iterator[Chain]:
    """Start what the file starts before Debezium; skip where one of it can't be had."""
    with ExitStack() as stack:
        try:
            kafka = stack.enter_context(closing(JarNode(_as_composed))).broker
            postgres = stack.enter_context(closing(Postgres()))
            connect = stack.enter_context(closing(Connect(kafka.bootstrap_servers)))
            postgres.execute((FOLDER / "shop.sql").read_text())
            _create_topics(kafka)
            sandbox = stack.enter_context(_sandbox())
            connect.wait_until_ready()
        except UnavailableError as error:
            pytest.skip(str(error))
        yield Chain(postgres, kafka, connect, sandbox)


def test_replenit_follows_the_shop(chain: Chain, tmp_path: Path) -> None:
    """All that the shop held at first, and what happened in it then, is what the sandbox holds; nothing was refused."""
    _register(chain, tmp_path)
    chain.connect.wait_until_running("shop")
    settings = _elsewhere(service("connector")["environment"])
    with connector(chain.kafka.bootstrap_servers, chain.sandbox, settings) as process:
        process.wait_until(lambda: _held(chain) == _wanted(chain), "the first rows are delivered")
        before = _wanted(chain)
        with _changes(chain):
            process.wait_until(lambda: _differing(before, _wanted(chain)) > 10, "something happened in the shop")
        assert _held(chain) != before
        process.wait_until(lambda: _held(chain) == _wanted(chain), "what happened is delivered")
        asked = environment_of(chain.kafka.bootstrap_servers, chain.sandbox, settings)
        assert "No dead letters" in command(asked, "dead-letters", "list")
        assert process.stop() == 0, process.lines()
        assert "@example.com" not in process.lines()
    assert httpx.get(f"{chain.sandbox}/_sandbox/requests", trust_env=False).json()["broken_promises"] == []
    for topic in topics():
        assert chain.kafka.read(topic) == []


def test_its_page_breaks_the_sandbox_as_it_says() -> None:
    """The command that it shows has the sandbox refuse everything, and another mends it."""
    (words,) = re.findall(
        r"^curl -X PUT localhost:8099(\S+) -d '(.+?)' ", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
    path, faults = words
    with _sandbox() as sandbox:
        for given, down in ((faults, True), ("{}", False)):
            done = subprocess.run(
                ["curl", "-sX", "PUT", f"{sandbox}{path}", "-d", given], check=True, capture_output=True
            )
            assert json.loads(done.stdout)["down"] is down


def _as_composed(properties: dict[str, str]) -> None:
    """Give the broker the file's settings; its addresses are those of the test."""
    named = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): value
        for name, value in service("kafka")["environment"].items()
    }
    kept = {name: properties[name] for name in (*ADDRESSES, "log.dirs")}
    properties.clear()
    properties.update({**named, **kept})


def _create_topics(kafka: Broker) -> None:
    new = [NewTopic(name, num_partitions=4, replication_factor=1, config=config) for name, config in topics().items()]
    admin = AdminClient(kafka.client())  # named, since without a name it would end before it answers
    for created in admin.create_topics(new).values():
        created.result(30)


@contextmanager
def _sandbox() -> Iterator[str]:
    """Start the sandbox as the file does; give its address once its health check passes."""
    port = free_port()
    (inside,) = [word.partition("=")[2] for word in service("sandbox")["command"] if word.startswith("--port=")]
    words = [word.replace("0.0.0.0", "127.0.0.1").replace(inside, str(port)) for word in service("sandbox")["command"]]
    program, *arguments = (word.replace(inside, str(port)) for word in service("sandbox")["healthcheck"]["test"][1:])
    assert program == "python"
    environment = {**os.environ, **service("sandbox")["environment"]}
    with subprocess.Popen([sys.executable, "-m", "connector", *words], env=environment) as process:
        try:
            while subprocess.run([sys.executable, *arguments], check=False, capture_output=True).returncode:
                assert process.poll() is None
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _register(chain: Chain, folder: Path) -> None:
    """Register Debezium's connector by the file's own command."""
    here = {
        "database.hostname": "127.0.0.1",
        "database.port": str(chain.postgres.port),
        "database.dbname": DATABASE,
    }
    (inside,) = mounts("debezium")
    configuration = folder / "debezium.json"
    configuration.write_text(json.dumps({**debezium(), **here}))
    words = [*service("debezium")["entrypoint"], *service("debezium")["command"]]
    elsewhere = {"http://connect:8083": chain.connect.url, inside: str(configuration)}
    for old, new in elsewhere.items():
        assert any(old in word for word in words)
        words = [word.replace(old, new) for word in words]
    subprocess.run(words, check=True, capture_output=True)


@contextmanager
def _changes(chain: Chain) -> Iterator[None]:
    """Let things happen in the shop meanwhile, by the file's own command."""
    here = {"PGHOST": "127.0.0.1", "PGPORT": str(chain.postgres.port), "PGDATABASE": DATABASE}
    environment = {**service("changes")["environment"], **here}
    script = mounts("changes")["/changes.sql"]
    words = [word.replace("/changes.sql", str(script)) for word in service("changes")["command"]]
    with closing(OwnProcess("changes")) as process:
        process.start("env", *(f"{name}={value}" for name, value in environment.items()), *words)
        yield
        process.end(signal.SIGTERM)


def _elsewhere(environment: Mapping[str, str]) -> dict[str, str]:
    """Those settings of the file that say no address."""
    return {name: each for name, each in environment.items() if not name.endswith(("_URL", "_SERVERS", "_FORMAT"))}


def _wanted(chain: Chain) -> dict[str, dict[str, Any]]:
    """The documents of the tables: the columns are named as the fields are."""
    documents: dict[str, dict[str, Any]] = {"customers": {}, "orders": {}, "products": {}}
    for found in chain.postgres.rows(QUERY):
        ((entity, key),) = [(name, value) for name, value in found.items() if name != "row"]
        documents[entity][key] = _comparable(found["row"])
    return documents


def _held(chain: Chain) -> dict[str, dict[str, Any]]:
    """What the sandbox holds, customers aside of whom it holds that their consent is gone."""
    held = httpx.get(f"{chain.sandbox}/_sandbox/state", trust_env=False).json()
    documents = {entity: {key: _comparable(each) for key, each in held[entity].items()} for entity in held}
    documents["customers"] = {key: each for key, each in documents["customers"].items() if each["gdproptin"]}
    return documents


def _comparable(value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """The same for a row and its document: names without case, numbers as such, times as such, no default."""
    if isinstance(value, Mapping):
        named = {name.lower().replace("_", ""): _comparable(each) for name, each in value.items()}
        return {name: each for name, each in named.items() if name not in {"isexcluded", "isgift", "isavailable"}}
    if isinstance(value, list):
        return [_comparable(each) for each in value]
    if isinstance(value, str) and value.startswith("20") and "T" in value:
        return datetime.fromisoformat(value)
    return value if isinstance(value, str | bool) or value is None else round(float(value), 2)


def _differing(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> int:
    return sum(
        before[entity].get(key) != after[entity].get(key)
        for entity in before
        for key in before[entity].keys() | after[entity].keys()
    )
