"""The worked mappings of deploy/examples, and what was captured of shops with such tables: see examples/README.md.

`replay` lets the real service read captured changes in simulated time and deliver them to the sandbox, whose documents
are what Replenit would hold.
"""

from __future__ import annotations

import gzip
import json
import re
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from memory_store import MemoryStore
from simulation import SimulatedSource, SimulatedTopic, World

from connector.adapters.sender import Reply
from connector.core.events import Partition, Record
from connector.core.requests import Answer
from connector.metrics import Metrics
from connector.sandbox.api import Api
from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.service import Clocks, Service
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from connector.adapters.dead_letters import DeadLetter
    from connector.core.dispatch import Batch
    from connector.sandbox.state import Upsert
    from connector.settings import Settings

SHOPS = ("magento", "opencart", "prestashop", "saleor", "woocommerce")
DIALECTS = ("precise", "strings", "schemas")
"""How records were written: decimals in base64 without their scale, as text, and with a schema that tells it."""

FILES = Path(__file__).parent.parent / "deploy" / "examples"
CAPTURED = Path(__file__).parent / "examples"
_TOPIC = re.compile(r"(TOPIC_\w+)=(\S+)")


class Event(NamedTuple):
    """A record as Debezium wrote it. `initial`: its snapshot's."""

    topic: str
    key: bytes
    value: bytes | None
    initial: bool


def mapping_file(shop: str) -> Path:
    return FILES / f"{shop}.yaml"


def settings(shop: str) -> Settings:
    """Settings with the topics that the head of the shop's file names."""
    file = mapping_file(shop)
    environment = {
        "REPLENIT_TENANT_ID": DEFAULT_TENANT,
        "REPLENIT_API_KEY": DEFAULT_KEY,
        "KAFKA_BOOTSTRAP_SERVERS": "simulated:9092",
        "MAPPING_FILE": str(file),
        "STATE_DIR": "simulated",
        **dict(_TOPIC.findall(file.read_text(encoding="utf-8"))),
    }
    return load(environment)


@cache
def events(shop: str, dialect: str) -> tuple[Event, ...]:
    """The records of the topics that the shop's file reads, in the order of the database's log."""
    with gzip.open(CAPTURED / shop / f"{dialect}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return tuple(_event(json.loads(line)) for line in lines)


def _event(line: dict[str, Any]) -> Event:
    value = line["value"]
    initial = value is not None and value.get("payload", value)["op"] == "r"
    encoded = None if value is None else json.dumps(value).encode()
    return Event(line["topic"], json.dumps(line["key"]).encode(), encoded, initial)


@cache
def expected(shop: str, moment: str) -> Mapping[str, Mapping[str, Any]]:
    """What the tables said at the `start` or the `end`: entity → id → document, before consent is asked."""
    found = json.loads((CAPTURED / shop / "expected.json").read_bytes())[moment]
    return {
        entity: {next(iter(document.values())): document for document in documents}
        for entity, documents in found.items()
    }


class Shop:
    """A shop whose changes the connector reads as they are told, and what came of it."""

    def __init__(self, settings: Settings, upsert: Upsert, seed: int = 0) -> None:
        world = self._world = World(seed)
        world.log = {Partition(topic, 0): [] for topics in settings.topics.values() for topic in topics}
        world.low = dict.fromkeys(world.log, 0)
        self._api = Api(SandboxConfig(clock=lambda: world.now, upsert=upsert), threading.Event())
        self.upsert = upsert
        self._settings = settings
        self._store = MemoryStore()
        self._service = self._start()

    def tell(self, events: Iterable[Event]) -> None:
        for event in events:
            log = self._world.log[Partition(event.topic, 0)]
            log.append(Record(event.topic, 0, len(log), event.key, event.value))

    def wait(self) -> None:
        """Let all that was told be delivered."""
        assert self._world.run(self._service, 600, self._world.settled)

    def restart(self) -> None:
        """Kill the connector, and start it again on its store."""
        self._store.crash()
        self._service = self._start()

    def run(self, seconds: float) -> None:
        self._world.run(self._service, seconds)

    @property
    def documents(self) -> Mapping[str, Mapping[str, Any]]:
        """What Replenit would hold: entity → id → document."""
        return self._api.documents(DEFAULT_TENANT)

    @property
    def letters(self) -> Sequence[DeadLetter]:
        return self._world.letters

    def _start(self) -> Service:
        world = self._world
        clock = Clocks(lambda: world.now, lambda: world.now)
        service = Service(
            self._settings,
            SimulatedSource(world),
            _Sender(world, self._api),
            SimulatedTopic(world),
            store=self._store,
            metrics=Metrics(),
            clocks=clock,
        )
        service.start()
        return service


class _Sender:
    """Requests that go to the sandbox without a socket, and are answered at once."""

    def __init__(self, world: World, api: Api) -> None:
        self._world = world
        self._api = api
        self._replies: list[Reply] = []

    def send(self, batch: Batch, key: str) -> None:
        request = batch.request
        headers = {"x-replenit-auth-key": key, "content-type": "application/json"}
        told = self._api.serve(request.method, request.target(DEFAULT_TENANT), headers, lambda: request.body or b"")
        assert told is not None
        answer = Answer(told.status, dict(told.headers), json.dumps(told.body).encode())
        self._replies.append(Reply(batch, answer, 0.0))

    def replies(self, timeout: float = 0.0) -> list[Reply]:
        found, self._replies = self._replies, []
        return found
