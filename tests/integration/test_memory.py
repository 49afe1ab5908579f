"""What the real process takes: memory by bytes, threads, sockets and the time of a stop, with huge records waiting."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from connector_process import Connector, connector
from kafka_broker import Raw

from connector.sandbox.config import SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from kafka_broker import Broker

pytestmark = pytest.mark.kafka

RECORDS = 30
SIZE = 10_000_000
PENDING = 40_000_000
BASE = 100_000_000
"""What the process takes before it has read anything, 70 MB, and what Python and librdkafka hold back for later use."""


def _peak(process: Connector) -> int:
    """The most memory that the process has taken so far, in bytes."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def _order(number: int) -> Raw:
    key = {"order_id": f"o{number}"}
    items = json.dumps([{"product_id": "p", "sku": "s", "quantity": 1, "price": 2}])
    row = {**key, "customer_id": "c", "currency": "EUR", "order_items": items, "notes": "x" * SIZE}
    source = {"connector": "postgresql", "snapshot": "false", "sequence": f'["{number}","{number}"]', "ts_ms": 1}
    event = {"before": None, "after": row, "source": source, "op": "c"}
    return Raw(json.dumps(event).encode(), json.dumps(key).encode(), number % 5)


def test_records_of_ten_megabytes_take_bounded_memory(kafka: Broker) -> None:
    """300 MB wait while the API is down, and after it: few of them are in memory, and a stop takes no longer for them.

    The bound: the base, PENDING_MAX_BYTES, what one poll brings beyond it (16 MB of librdkafka's queue and a record of
    each partition), and a record as its parser takes it apart.
    """
    topic = kafka.topic("orders", partitions=5, config={"max.message.bytes": "12000000"})
    letters = kafka.topic("dead-letters")
    for number in range(RECORDS):
        kafka.produce(topic, _order(number), message_max_bytes=12_000_000)
    settings = {
        "TOPIC_ORDERS": topic,
        "DEAD_LETTER_TOPIC": letters,
        "KAFKA_GROUP_ID": f"group.{topic}",
        "PENDING_MAX_BYTES": str(PENDING),
    }
    config = SandboxConfig(per_minute=None, per_hour=None, faults=Faults(down=True))
    with Sandbox(config) as sandbox, connector(kafka.bootstrap_servers, sandbox.url, settings) as process:
        process.wait_until(lambda: bool(process.status().get("lanes", {}).get("orders", {}).get("paused")), "paused")
        assert process.status()["lanes"]["orders"]["waiting"] < RECORDS // 2
        sandbox.faults = Faults()
        process.wait_until(lambda: len(sandbox.state["orders"]) >= 8, "some sent")
        assert _peak(process) < BASE + PENDING + 16_000_000 + 5 * SIZE + 5 * SIZE
        page = process.page("/metrics")
        assert page is not None
        told = dict(line.rsplit(" ", 1) for line in page.text.splitlines() if not line.startswith("#"))
        assert float(told["process_resident_memory_bytes"]) <= _peak(process)
        assert float(told["connector_threads"]) < 60
        assert float(told["process_open_fds"]) < 100
        began = time.monotonic()
        assert process.stop() == 0, process.lines()
        assert time.monotonic() - began < 10
