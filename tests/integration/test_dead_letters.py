"""The commands for dead letters and missed deletes, beside the connector's own process and a real broker."""

from __future__ import annotations

import json
import stat
from base64 import b64decode
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from connector_process import command, connector, environment_of
from order_tables import ORDERS, OrderTables
from users_table import BROKEN, MENDED, Users

from connector.sandbox.config import SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

    from kafka_broker import Broker

pytestmark = pytest.mark.kafka

FREE = SandboxConfig(per_minute=None, per_hour=None)


def test_what_a_broken_mapping_refused_is_replayed_with_one_command(kafka: Broker, tmp_path: Path) -> None:
    """Once the mapping is mended: what was refused, and changed or was deleted since, is at Replenit as it is now."""
    shop = Users(kafka)
    with Sandbox(FREE) as sandbox:
        with connector(kafka.bootstrap_servers, sandbox.url, {**shop.settings, "MAPPING": BROKEN}) as process:
            for number in range(40):
                shop.write(number, lang=2 if number % 5 == 0 else 1)
            process.wait_until(lambda: shop.settled(process), "everything settled")
            shop.write(5, lang=2, name="Bea")
            shop.delete(10)
            process.wait_until(lambda: shop.settled(process), "everything settled")
            assert "kafka_error" not in process.lines()  # that there is no topic of replays is no fault
            assert process.stop() == 0, process.lines()

        listed = shop.run("dead-letters", "list", "--field", "Language", "--entity", "customers")
        assert "9 dead letters" in listed
        assert "unconvertible" in listed
        assert "example.com" not in listed
        assert "No dead letters" in shop.run("dead-letters", "list", "--since", "2999-01-01")
        shown = shop.run("dead-letters", "show", f"{shop.topic}-0@0")
        assert "users.lang" in shown
        support = shop.run("dead-letters", "show", "--support", f"{shop.topic}-0@0")
        assert '"CustomerId": "9"' in support
        assert '"Email": "xxxx.9@xxxxxxx.xxx"' in support
        assert '"Language": "en-GB"' in support
        exported = tmp_path / "letters"
        shop.run("dead-letters", "export", str(exported))
        assert stat.S_IMODE(exported.stat().st_mode) == 0o600
        lines = [json.loads(line) for line in exported.read_text().splitlines()]
        assert [json.loads(b64decode(line["value"]))["after"]["lang"] for line in lines] == [2] * 9
        assert "can't be written" in shop.run("dead-letters", "export", str(exported), status=69)

        with connector(kafka.bootstrap_servers, sandbox.url, {**shop.settings, "MAPPING": MENDED}) as process:
            process.wait_until(lambda: shop.settled(process), "everything settled")
            assert len(shop.differences(sandbox)) == 7
            said = shop.run("dead-letters", "replay", "--apply", status=69)
            assert f"{shop.letters}.replay does not exist" in said
            kafka.topic("replay", prefix=shop.letters)
            kept = f"{shop.letters}.replay-0"
            process.wait_until(lambda: kept in process.status().get("partitions", {}), "the topic is noticed")
            still = shop.run("dead-letters", "replay", MAPPING=BROKEN)
            assert "7 of these would be refused again by the mapping of these settings: unconvertible" in still
            said = shop.run("dead-letters", "replay")
            assert "9 dead letters, rows: 8." in said
            assert "refused again" not in said
            assert "1 of these are deleted by now" in said
            assert "Nothing was sent" in said
            assert shop.open() == 9
            assert "asked to send 8 rows" in shop.run("dead-letters", "replay", "--apply")
            assert "There is nothing to send" in shop.run("dead-letters", "replay")
            process.wait_until(lambda: not shop.differences(sandbox), "Replenit holds what the table does")
            process.wait_until(lambda: "9 that were replayed" in shop.run("dead-letters", "list"), "none is left")
            assert process.stop() == 0, process.lines()
        assert sandbox.broken_promises == []


def test_a_document_of_several_tables_that_was_refused_is_replayed(kafka: Broker, tmp_path: Path) -> None:
    """As it is kept by then, although the last record of it is that of an item that is not in it any more."""
    letters = kafka.topic("dead-letters")
    orders = kafka.topic("orders", prefix=f"of.{letters}")
    items = kafka.topic("order_items", prefix=f"of.{letters}")
    kafka.topic("replay", prefix=letters)
    settings = {
        "TOPIC_ORDERS": orders,
        "DEAD_LETTER_TOPIC": letters,
        "KAFKA_GROUP_ID": f"group.{letters}",
        "MAPPING": ORDERS,
        "STATE_DIR": str(tmp_path),
    }

    def run(*words: str) -> str:
        return command(environment_of(kafka.bootstrap_servers, "http://127.0.0.1:9", settings), *words)

    refused = Faults(poisoned={"orders": {"1": "It is refused."}})
    tables = OrderTables()
    with (
        Sandbox(replace(FREE, faults=refused)) as sandbox,
        connector(kafka.bootstrap_servers, sandbox.url, settings) as process,
    ):
        kafka.produce(orders, *map(tables.order, range(1, 30)))
        kafka.produce(
            items, tables.item(10, 1), tables.item(11, 1), *(tables.item(each, each) for each in range(20, 30))
        )
        process.wait_until(lambda: sum(kafka.ends(letters).values()) == 1, "the order is a dead letter")
        kafka.produce(items, tables.item_gone(11, 1))
        process.wait_until(lambda: sum(kafka.ends(letters).values()) == 2, "the order is one without the item, too")
        assert "Nothing was sent" in run("dead-letters", "replay")
        sandbox.faults = Faults()
        said = run("dead-letters", "replay", "--apply")
        assert "2 dead letters, rows: 0, documents of several tables: 1." in said
        assert "1 orders of several tables to send as they are now" in said
        assert "asked to send 1 documents of several tables" in said
        assert "There is nothing to send" in run("dead-letters", "replay")
        process.wait_until(lambda: "1" in sandbox.state["orders"], "Replenit holds the order")
        assert len(sandbox.state["orders"]["1"]["OrderItems"]) == 1
        process.wait_until(lambda: "2 that were replayed" in run("dead-letters", "list"), "none is left")
        assert process.stop() == 0, process.lines()
    assert sandbox.broken_promises == []


def test_deletes_that_were_missed_are_made_up_for(kafka: Broker) -> None:
    """Rows that a complete new snapshot does not tell of are deleted at Replenit: above 5% only if one insists.

    Two replicas run, and each is asked for the rows whose partition it reads: six partitions of the topic of replays
    and two of the table's leave nobody without one of the former.
    """
    shop = Users(kafka)
    kafka.topic("replay", partitions=6, prefix=shop.letters)
    settings = {**shop.settings, "MAPPING": MENDED}
    with (
        Sandbox(FREE) as sandbox,
        connector(kafka.bootstrap_servers, sandbox.url, settings) as process,
    ):
        for number in range(30):
            shop.write(number)
        shop.delete(1)
        process.wait_until(lambda: shop.settled(process), "everything settled")
        assert "No complete snapshot" in shop.run("reconcile")
        for number in (2, 3, 4):
            del shop.rows[number]  # while nobody read the log
        shop.snapshot()
        shop.write(31)
        process.wait_until(lambda: shop.settled(process), "everything settled")
        assert len(shop.differences(sandbox)) == 3
        with connector(kafka.bootstrap_servers, sandbox.url, settings) as other:
            other.wait_until(lambda: len(other.status().get("partitions", {})) == 4, "it has its share")
            process.wait_until(lambda: len(process.status().get("partitions", {})) == 4, "and leaves it the share")
            said = shop.run("reconcile")
            assert "3 rows (10.0%) were deleted without a record" in said
            assert "Nothing was sent" in said
            assert "add --yes" in shop.run("reconcile", "--apply", status=1)
            assert "asked to delete 3 rows" in shop.run("reconcile", "--apply", "--yes")
            process.wait_until(lambda: not shop.differences(sandbox), "they are gone")
            assert other.stop() == 0, other.lines()
        assert process.stop() == 0, process.lines()
    assert sandbox.broken_promises == []


def test_what_is_wrong_is_told_and_nothing_is_sent(kafka: Broker, tmp_path: Path) -> None:
    """A missing topic, a broker that is away, wrong settings and a misspelt place: each ends with its status."""
    shop = Users(kafka)
    missing = shop.run("dead-letters", "list", status=69, DEAD_LETTER_TOPIC="nowhere")
    assert "The topic nowhere does not exist" in missing
    file = tmp_path / "letters"
    shop.run("dead-letters", "export", str(file), status=69, DEAD_LETTER_TOPIC="nowhere")
    assert not file.exists()
    for wrong in ("soon", "999999d", "2026-13-01"):
        assert "expected a time" in shop.run("dead-letters", "list", "--since", wrong, status=2)
    away = shop.run("dead-letters", "list", status=69, KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:9")
    assert "check KAFKA_BOOTSTRAP_SERVERS" in away
    assert "TOPIC_CUSTOMERS" in shop.run("dead-letters", "list", status=78, TOPIC_CUSTOMERS="no topic!")
    assert "TOPIC-PARTITION@OFFSET" in shop.run("dead-letters", "show", "nonsense", status=2)
    assert "No dead letter" in shop.run("dead-letters", "show", f"{shop.topic}-0@7", status=1)
    assert "No dead letters" in shop.run("dead-letters", "list", REPLENIT_API_KEY="", REPLENIT_TENANT_ID="")
