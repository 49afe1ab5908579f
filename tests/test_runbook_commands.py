"""The runbook's commands, as they stand there: beside the connector's process, a real broker and Kafka's own tools."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from connector_process import connector, environment_of
from kafka_jars import JVM, SLF4J
from kafka_node import KAFKA_VERSION, free_port
from order_tables import ORDERS, OrderTables
from packages import jars, java
from users_table import BROKEN, MENDED, Users

from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector_process import Connector
    from kafka_broker import Broker

pytestmark = pytest.mark.kafka

RUNBOOK = (Path(__file__).parents[1] / "deploy" / "RUNBOOK.md").read_text()
BLOCKS = dict(re.findall(r"<!-- run: ([\w ]+) -->\n```sh\n(.*?)```", RUNBOOK, re.DOTALL))
TOOLS = {"kafka-topics.sh": "TopicCommand", "kafka-consumer-groups.sh": "consumer.group.ConsumerGroupCommand"}
FREE = SandboxConfig(per_minute=None, per_hour=None)


class Desk:
    """Where somebody runs the commands: the connector's settings in the environment, the tools on the path."""

    def __init__(self, kafka: Broker, folder: Path, url: str, settings: dict[str, str]) -> None:
        self.kafka = kafka
        self.url = url
        tools = folder / "bin"
        tools.mkdir()
        for name, command in TOOLS.items():
            classes = jars(f"kafka-tools-{KAFKA_VERSION}", f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}", SLF4J)
            words = f'"{java()}" {" ".join(JVM)} -cp "{classes}/*" org.apache.kafka.tools.{command} "$@"'
            self._tool(tools / name, f"exec {words}")
        self._tool(tools / "replenit-connector", f'exec "{sys.executable}" -m connector "$@"')
        key = folder / "key"
        key.write_text(DEFAULT_KEY)
        self.settings = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "REPLENIT_API_KEY_FILE": str(key),
            "HTTP_PORT": str(free_port()),
            "HTTP_TIMEOUT": "1",
            **settings,
        }

    @staticmethod
    def _tool(place: Path, line: str) -> None:
        place.write_text(f"#!/bin/sh\n{line}\n")
        place.chmod(0o755)

    def environment(self, **more: str) -> dict[str, str]:
        found = environment_of(self.kafka.bootstrap_servers, self.url, self.settings | more)
        del found["REPLENIT_API_KEY"]
        return found

    def run(self, name: str, **more: str) -> str:
        """What a block of the runbook prints."""
        environment = self.environment(**more)
        command = ["bash", "-euo", "pipefail", "-c", BLOCKS[name]]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextmanager
    def connector(self, **more: str) -> Iterator[Connector]:
        with connector(
            self.kafka.bootstrap_servers, self.url, self.settings | {"REPLENIT_API_KEY": ""} | more
        ) as found:
            yield found
            assert found.stop() == 0, found.lines()


def test_every_block_is_run() -> None:
    """One without a name would be run by nobody."""
    on_kubernetes = RUNBOOK.count("<!-- in: examples/standalone -->")  # tests/deploy/kubernetes runs those
    assert RUNBOOK.count("```sh") == len(BLOCKS) + on_kubernetes
    assert all(f'"{name}"' in Path(__file__).read_text() for name in BLOCKS)


def test_what_is_to_be_done_with_rows_of_one_table(kafka: Broker, tmp_path: Path) -> None:
    """First load, a new key, a new mapping, a replay, the whole table again, deletes that were missed."""
    shop = Users(kafka)
    letters = f"{shop.letters}.own"
    mapping, mended = tmp_path / "mapping.yaml", tmp_path / "mended.yaml"
    mapping.write_text(BROKEN)
    mended.write_text(MENDED)
    with Sandbox(FREE) as sandbox:
        told = {"MAPPING_FILE": str(mapping), "NEW_MAPPING_FILE": str(mended)}
        desk = Desk(kafka, tmp_path, sandbox.url, {**shop.settings, "DEAD_LETTER_TOPIC": letters} | told)
        desk.run("topics")
        with desk.connector() as process:
            for number in range(40):
                shop.write(number, lang=2 if number % 5 == 0 else 1)
            process.wait_until(lambda: shop.settled(process), "everything settled")
            assert "seconds_to_drain" in desk.run("status")
            assert "8 dead letters" in desk.run("status")
            sandbox.allow("new", DEFAULT_TENANT)
            desk.run("key", NEW_KEY="new")
            sandbox.revoke(DEFAULT_KEY)
            shop.write(1, name="Bea")
            process.wait_until(lambda: shop.settled(process), "the new key is used")
            assert sandbox.state["customers"]["1"]["Name"] == "Bea"
        assert "8 rows" in (said := desk.run("mapping"))
        assert "refused again" not in said
        mapping.write_text(MENDED)
        with desk.connector() as process:
            process.wait_until(lambda: shop.settled(process), "everything settled")
            assert "asked to send 8 rows" in desk.run("replay")
            process.wait_until(lambda: not shop.differences(sandbox), "Replenit holds what the table does")
        before = _sent(sandbox)
        desk.run("again", TOPIC_ORDERS=shop.topic)
        with desk.connector() as process:
            process.wait_until(lambda: _sent(sandbox) - before >= 40, "every row is sent again")
            del shop.rows[7]
            shop.snapshot()
            process.wait_until(lambda: shop.settled(process), "everything settled")
            assert "1 rows (2.5%) were deleted" in desk.run("deletes")
            process.wait_until(lambda: not shop.differences(sandbox), "the missed delete is made up for")
    assert sandbox.broken_promises == []


def test_documents_of_several_tables_are_sent_again(kafka: Broker, tmp_path: Path) -> None:
    """Once neither the group nor the store knows what was sent."""
    letters = kafka.topic("dead-letters")
    orders = kafka.topic("orders", prefix=f"of.{letters}")
    items = kafka.topic("order_items", prefix=f"of.{letters}")
    settings = {
        "DEAD_LETTER_TOPIC": letters,
        "KAFKA_GROUP_ID": f"group.{letters}",
        "TOPIC_ORDERS": orders,
        "MAPPING": ORDERS,
        "STATE_DIR": str(tmp_path),
    }
    with Sandbox(FREE) as sandbox:
        desk = Desk(kafka, tmp_path, sandbox.url, settings)
        tables = OrderTables()
        kafka.produce(orders, *map(tables.order, range(1, 20)))
        kafka.produce(items, *(tables.item(each, each) for each in range(1, 20)))
        for more in (0, 19):
            with desk.connector() as process:
                process.wait_until(lambda more=more: _sent(sandbox) == 19 + more, "every document is sent")  # type: ignore[misc]
                if not more:
                    desk.run("move the store")
            if not more:
                desk.run("documents again", TOPIC_ORDER_ITEMS=items)
    assert sandbox.broken_promises == []


def _sent(sandbox: Sandbox) -> int:
    """Documents that upserts brought."""
    return sum(len(each.ids) for each in sandbox.requests if each.endpoint.startswith("upsert") and each.status == 200)
