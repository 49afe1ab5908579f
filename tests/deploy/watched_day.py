"""The demo's day, written to a real broker, brought over by the real process, and watched by a real Prometheus."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import Producer
from connector_process import connector
from deploy.monitoring import Prometheus
from kafka_node import free_port

from connector.sandbox.config import SandboxConfig
from connector.sandbox.day import Day, Troubles
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox
from connector.sandbox.shop import PARTITIONS, REFUSED, TOPICS, Shop

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connector_process import Connector
    from kafka_broker import Broker

    from connector.sandbox.shop import Change

_DEFAULT = Path(__file__).parents[2] / "connector" / "default_mapping.yaml"
_AFTERWARDS = 5.0  # seconds in which what is left may arrive


@dataclass(frozen=True, slots=True)
class Watched:
    """A day in UNIX seconds, and who has watched it. After it was over another replica came."""

    prometheus: Prometheus
    began: float
    over: float
    ended: float


@contextmanager
def watched_day(
    kafka: Broker, folder: Path, *, speed: float, size: float, interval: str, limits: tuple[int, int]
) -> Iterator[Watched]:
    """Let it pass `speed` times as fast as a day of the demo, which takes 39 minutes, in a shop of this size.

    `interval`: between two scrapes; `limits`: requests a minute, and an hour.
    """
    topics = {topic: kafka.topic(topic, partitions=PARTITIONS) for topic in TOPICS.values()}
    producer = Producer(kafka.client(linger_ms=2))

    def write(change: Change) -> None:
        producer.produce(topics[change.place.topic], change.value, change.key, change.place.partition)
        producer.poll(0)

    poisoned = {entity: dict.fromkeys(ids, "Is refused.") for entity, ids in REFUSED.items()}
    config = SandboxConfig(per_minute=limits[0], per_hour=limits[1], faults=Faults(poisoned=poisoned))
    port = free_port()
    for store in ("state", "other"):
        (folder / store).mkdir()
    with Sandbox(config) as sandbox, Prometheus(f"127.0.0.1:{port}", interval) as prometheus:
        key = folder / "key"
        day = Day(Shop(1, time.time, write), Troubles(sandbox, key), size)
        limited = {"RATE_LIMIT_PER_MINUTE": str(limits[0]), "RATE_LIMIT_PER_HOUR": str(limits[1])}
        settings = {**_settings(topics, kafka.topic("dead-letters"), folder), **limited, "HTTP_PORT": str(port)}
        with connector(kafka.bootstrap_servers, sandbox.url, settings) as process:
            process.wait_until(
                lambda: len(process.status().get("partitions", {})) == len(topics) * PARTITIONS, "joined"
            )
            began = time.time()
            _pass(day, process, speed)
            producer.flush(10)
            over = time.time()
            other = {**settings, "HTTP_PORT": "0", "STATE_DIR": str(folder / "other")}
            with connector(kafka.bootstrap_servers, sandbox.url, other) as replica:
                replica.wait_until(lambda: bool(replica.status().get("partitions")), "partitions have moved")
            yield Watched(prometheus, began - 5, over, time.time())


def _settings(topics: Mapping[str, str], letters: str, folder: Path) -> dict[str, str]:
    """So that everything is told that can be: one column is kept on disk, one is missing."""
    mapping = _DEFAULT.read_text().replace("{ column: username, optional: true }", "nickname")
    mapping = mapping.replace("customers:\n", "customers:\n  keep: [phone]\n", 1)
    return {
        **{f"TOPIC_{entity.upper()}": topics[topic] for entity, topic in TOPICS.items()},
        "DEAD_LETTER_TOPIC": letters,
        "KAFKA_GROUP_ID": f"group.{letters}",
        "REPLENIT_API_KEY": "",
        "REPLENIT_API_KEY_FILE": str(folder / "key"),
        "MAPPING": mapping,
        "STATE_DIR": str(folder / "state"),
    }


def _pass(day: Day, process: Connector, speed: float) -> None:
    began = time.monotonic()

    def over() -> bool:
        day.advance((time.monotonic() - began) * speed)
        return day.over and time.monotonic() - began > day.end / speed + _AFTERWARDS

    process.wait_until(over, "the day is over", day.end / speed + 120)
