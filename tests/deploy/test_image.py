"""The image: what is in it, and that it runs as little allowed as a cluster may want it."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from deploy.container import GRACE, STATE, USER, running, volume
from deploy.image import ROOT, built_image
from deploy.index import PASSWORD
from kafka_broker import Raw
from unavailable import UnavailableError

from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from deploy.image import Built
    from kafka_broker import Broker

FREE = SandboxConfig(per_minute=None, per_hour=None)
LARGEST = 80_000_000
"""Bytes that the image may add to its base."""


@pytest.fixture(scope="module")
def built() -> Iterator[Built]:
    """Build the image; skip where no engine or no base can be had."""
    try:
        with built_image() as image:
            yield image
    except UnavailableError as error:
        pytest.skip(str(error))


def row_event(after: dict[str, object], key: str, partition: int = 0) -> Raw:
    """A row that was inserted or changed, as Debezium tells of it."""
    source = {"connector": "postgresql", "snapshot": "false", "sequence": '["1","1"]', "ts_ms": 1}
    event = {"before": None, "after": after, "source": source, "op": "c"}
    return Raw(json.dumps(event).encode(), json.dumps({key: after[key]}).encode(), partition)


def orders(numbers: Iterable[int], partitions: int) -> list[Raw]:
    items = json.dumps([{"product_id": "p", "sku": "s", "quantity": 1, "price": 2}])
    return [
        row_event(
            {"order_id": f"o{number}", "customer_id": "c", "currency": "EUR", "order_items": items},
            "order_id",
            number % partitions,
        )
        for number in numbers
    ]


def settings(kafka: Broker, sandbox: Sandbox, orders: str, letters: str) -> dict[str, str]:
    return {
        "REPLENIT_TENANT_ID": DEFAULT_TENANT,
        "REPLENIT_API_KEY": DEFAULT_KEY,
        "REPLENIT_BASE_URL": sandbox.url,
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "KAFKA_GROUP_ID": f"group.{letters}",
        "TOPIC_ORDERS": orders,
        "DEAD_LETTER_TOPIC": letters,
        "RATE_LIMIT_PER_MINUTE": "5000",
        "RATE_LIMIT_PER_HOUR": "100000",
    }


def test_it_adds_the_connector_to_its_base_and_nothing_else(built: Built) -> None:
    """No tool that built it, no cache, nothing that its user may write to but the folder of its volume."""
    before, after = built.files(built.base), built.files(built.image)
    assert sorted(before - after) == []
    own = {line for line in after - before if line.split()[2].startswith("/opt/connector")}
    assert after - before - own == {f"d700 {USER}:{USER} {STATE}"}
    assert not [line for line in own if not re.match(r"(l777|d755|f(644|755)) root:root ", line)]
    assert not [line for line in own if re.search(r"/(uv|pip|setuptools|wheel)(-|/|$)", line.split()[2])]
    assert [line for line in own if "/connector/__pycache__/service." in line]  # it starts without compiling


def test_it_holds_the_versions_of_the_lock(built: Built) -> None:
    """What was installed stands in the lock file, and none of what tests alone need is there."""
    held = built.versions()
    locked = re.findall(r"^(\S+==[^ ;]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE)
    assert held - {*locked} == {each for each in held if each.startswith("replenit-connector==")}
    names = {each.partition("==")[0] for each in held}
    assert {"confluent-kafka", "httpx", "replenit-connector"} <= names
    assert not {"pytest", "mypy", "hypothesis", "uv", "pip", "testcontainers"} & names


def test_its_description_tells_nothing_that_it_should_not(built: Built) -> None:
    """Its user is a number, its size is bounded, and no index, key or setting stands in its history or environment."""
    described = built.describe()
    assert described["Config"]["User"] == f"{USER}:{USER}"
    assert described["Size"] - described["base"]["Size"] < LARGEST
    assert set(described["Config"]["Env"]) - set(described["base"]["Config"]["Env"] or ()) == {
        next(each for each in described["Config"]["Env"] if each.startswith("PATH=/opt/connector/bin:")),
        "PYTHONUNBUFFERED=1",
    }
    assert "/opt/connector" in described["history"]
    assert not re.search(r"INDEX|BASE=|KEY|SECRET|PASSWORD|TOKEN|https?://", described["history"])


def test_the_password_of_the_index_stays_behind(built: Built) -> None:
    """All packages came from an index that asks for one, and it is neither in a file nor in the image's description."""
    assert built.asked.keys() == {"pip", "uv"}
    assert PASSWORD not in str(built.describe())
    found = built.prints(built.image, "sh", "-c", f"grep -rlE '{PASSWORD}' /opt /var /root /tmp; echo end")
    assert found.split() == ["end"]


def test_a_wrong_configuration_ends_it_with_what_to_do(built: Built) -> None:
    with running(built, {}) as started:
        assert started.wrapped.wait()["StatusCode"] == 78
        assert "TOPIC_PRODUCTS: is not set" in started.lines()


def test_it_delivers_tells_its_health_and_stops_in_time(built: Built, kafka: Broker) -> None:
    """What it committed Replenit has; asked to stop amid a backlog it ends what is under way; another does the rest."""
    total, partitions = 600, 3
    topic, letters = kafka.topic("orders", partitions), kafka.topic("dead-letters")
    kafka.produce(topic, *orders(range(total), partitions))
    with Sandbox(FREE) as sandbox:

        def held() -> set[str]:
            return {*sandbox.state["orders"]}

        sandbox.faults = Faults(slow=1.0, slow_seconds=1.0)
        environment = {**settings(kafka, sandbox, topic, letters), "BATCH_MAX_ORDERS": "4"}
        began = time.monotonic()
        with running(built, environment) as first:
            first.wait_until(lambda: bool(held()), "a record was delivered")
            assert time.monotonic() - began < 60
            assert first.answers("/livez")
            assert first.answers("/readyz")
            assert first.answers("/metrics")
            first.wait_until(lambda: first.state()["Health"]["Status"] == "healthy", "it is healthy")
            first.wrapped.kill("SIGSTOP")
            assert first.does("replenit-connector", "health") == 1
            first.wrapped.kill("SIGCONT")
            assert first.does("replenit-connector", "health") == 0
            assert first.does("touch", "/tmp/file") != 0
            assert first.stop() < GRACE
            assert sandbox.in_flight == 0
            told = len(held())
            assert told < total, "it had delivered all before it was stopped: nothing was proved"
            committed = kafka.committed(environment["KAFKA_GROUP_ID"])
            assert sum(place.offset for place in committed.values()) == told
            assert DEFAULT_KEY not in first.lines()
        sandbox.faults = Faults()
        with running(built, {**environment, "BATCH_MAX_ORDERS": "200"}) as second:
            second.wait_until(lambda: len(held()) == total, "the rest is delivered")
            second.stop()
        assert sandbox.broken_promises == []
        assert Counter(place.offset for place in kafka.committed(environment["KAFKA_GROUP_ID"]).values()) == {200: 3}
    assert kafka.read(letters) == []


def test_a_mapping_a_key_and_a_volume_are_mounted(built: Built, kafka: Broker, tmp_path: Path) -> None:
    """Its folder on a new volume is the user's, and keeps the rows that the next container makes a document of."""
    key, mapping = tmp_path / "key", tmp_path / "mapping.yaml"
    key.write_text(f"{DEFAULT_KEY}\n")
    mapping.write_text(
        "version: 1\n"
        "orders:\n"
        "  table: orders\n"
        "  fields:\n"
        "    OrderId: id\n"
        "    CustomerId: customer\n"
        "    Currency: { constant: EUR }\n"
        "    OrderItems:\n"
        "      table: items\n"
        "      foreign_key: order_id\n"
        "      fields: { ProductId: product, Sku: product, Quantity: pieces, Price: price }\n"
    )
    letters = kafka.topic("dead-letters")
    topics = {table: kafka.topic(table, prefix=f"{letters}.shop") for table in ("orders", "items")}

    def item(number: int, pieces: int) -> Raw:
        return row_event({"id": number, "order_id": 1, "product": f"p{number}", "pieces": pieces, "price": 2}, "id")

    def pieces(sandbox: Sandbox) -> list[int]:
        return [each["Quantity"] for each in sandbox.state["orders"].get("1", {}).get("OrderItems", [])]

    with Sandbox(FREE) as sandbox, volume(built) as rows:
        environment = {
            **settings(kafka, sandbox, topics["orders"], letters),
            "REPLENIT_API_KEY": "",
            "REPLENIT_API_KEY_FILE": "/run/secrets/replenit",
            "MAPPING_FILE": "/etc/replenit/mapping.yaml",
        }
        mounts = {str(key): "/run/secrets/replenit", str(mapping): "/etc/replenit/mapping.yaml", rows: STATE}
        kafka.produce(topics["items"], item(1, 1), item(2, 2))
        kafka.produce(topics["orders"], row_event({"id": 1, "customer": "c"}, "id"))
        with running(built, environment, mounts) as first:
            first.wait_until(lambda: pieces(sandbox) == [1, 2], "the order is delivered")
            assert first.does("sh", "-c", f'test "$(stat -c %u:%a {STATE})" = {USER}:700') == 0
            first.stop()
        kafka.produce(topics["items"], item(2, 3))
        with running(built, environment, mounts) as second:
            second.wait_until(lambda: pieces(sandbox) == [1, 3], "the change is delivered")
            second.stop()
        assert sandbox.broken_promises == []
    assert kafka.read(letters) == []
