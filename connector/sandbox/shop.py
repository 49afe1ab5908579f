"""A shop whose changes Debezium captured: real records, to be written to a broker again."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from importlib.resources import files
from typing import TYPE_CHECKING

from confluent_kafka import Producer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

TOPICS = {
    "customers": "json_strings.shop.customers_plain",
    "orders": "json_strings.shop.orders_plain",
    "products": "json_strings.shop.products_plain",
}
"""Entity → topic. Each has four partitions."""


def write(bootstrap_servers: str) -> int:
    """Write all records, each to the partition that it was captured from; return how many."""
    producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 1})
    count = 0
    for record in _records():
        producer.produce(
            record["topic"],
            key=_bytes(record["key"]),
            value=_bytes(record["value"]),
            partition=record["partition"],
            timestamp=record["timestamp"],
            headers=[(name, _bytes(value)) for name, value in record["headers"]],
        )
        count += 1
    if producer.flush(30):
        raise TimeoutError("the broker does not confirm the shop's records")
    return count


def _records() -> Iterator[dict[str, Any]]:
    packed = files("connector.sandbox").joinpath("shop.jsonl.gz").read_bytes()
    for line in gzip.decompress(packed).splitlines():
        yield json.loads(line)


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
