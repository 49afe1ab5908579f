"""What a run plays on: the shop with its topics, the API, and the connector's processes between them."""

from __future__ import annotations

import json
import struct
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from time import monotonic
from typing import TYPE_CHECKING, cast

import httpx
from chaos.judge import OTHERS, Watched
from chaos.members import Member
from chaos.shop import MAPPING, Key, Shop
from chaos.soak import Soak
from chaos.topics import PARTITIONS, Topics

from connector.sandbox.answers import ErrorShape
from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.hurry import Clock
from connector.sandbox.server import Sandbox
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack

    from kafka_node import Node

SPEED = 5.0
"""How many of the connector's and the API's seconds pass in a real one. Kafka's are real."""

_SLOW_READING = {
    "KAFKA_MAX_PARTITION_FETCH_BYTES": "1000",
    "KAFKA_QUEUED_MIN_MESSAGES": "1",
    "KAFKA_FETCH_QUEUE_BACKOFF_MS": "30",
}
"""What is read again takes a while, as it does where it is much: a few records of each partition at a time."""

_LATE = 12.0
"""Real seconds within which an illness shows: a process may have waited for an answer, on a machine that is busy."""

SESSION = 3.0
LIMITS = (100, 5000)
_MOST_ROWS = 100_000


class Stage:
    """All of it, and what may befall the API and the machine. `told`: what happened, with the clock's seconds."""

    def __init__(self, node: Node, seed: int, stack: ExitStack) -> None:
        random = Random(seed)
        self.seed = seed
        self.random = Random(random.random())
        self.clock = Clock(SPEED)
        self.told: list[tuple[float, str]] = []
        self._ill = 0  # how many things do not serve
        self._well_at = 0.0
        self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="chaos-")))
        self.node = node
        self.topics = Topics(node.broker)
        self.shop = Shop(random, self.clock.wall, PARTITIONS, self.topics.write)
        self.upsert = random.choice([*Upsert])
        config = SandboxConfig(
            clock=self.clock.monotonic,
            per_minute=LIMITS[0],
            per_hour=LIMITS[1],
            tells_limits=seed % 2 == 1,  # else nothing but the connector's own count keeps it within them
            upsert=self.upsert,
            errors=random.choice([*ErrorShape]),
            faults=Faults(poisoned=_poisoned(self.shop)),
            state=Watched,
        )
        self.sandbox = stack.enter_context(Sandbox(config))
        self.watched = cast("Watched", self.sandbox.keeper())
        self.watched.shop = self.shop
        self.other_client = 0.0  # real seconds between its requests, if it sends any
        self._keys = 0
        self._key_file = self.folder / "key"
        self._put_key(DEFAULT_KEY)
        self._jump_file = self.folder / "jump"
        self._jump_file.write_bytes(bytes(8))
        self.jump(0.0)
        (self.folder / "mapping.yaml").write_text(MAPPING)
        command = ["-m", "chaos.process", str(SPEED), repr(self.clock.began), str(self._jump_file)]
        self.members = [Member(name, self.folder, command, self._settings(), stack) for name in "ab"]
        self.soak = Soak(self.members)

    def _settings(self) -> dict[str, str]:
        return {
            "REPLENIT_TENANT_ID": DEFAULT_TENANT,
            "REPLENIT_API_KEY_FILE": str(self._key_file),
            "REPLENIT_BASE_URL": self.sandbox.url,
            "KAFKA_BOOTSTRAP_SERVERS": self.node.broker.bootstrap_servers,
            "KAFKA_GROUP_ID": "chaos",
            "KAFKA_SESSION_TIMEOUT_MS": str(int(SESSION * 1000)),
            "KAFKA_HEARTBEAT_INTERVAL_MS": "500",
            "KAFKA_TOPIC_METADATA_REFRESH_INTERVAL_MS": "1000",
            "KAFKA_RECONNECT_BACKOFF_MAX_MS": "500",
            "KAFKA_FETCH_WAIT_MAX_MS": "20",
            **_SLOW_READING,
            **{f"TOPIC_{entity.upper()}": self.topics.names[entity] for entity in ("customers", "orders", "products")},
            "DEAD_LETTER_TOPIC": self.topics.letters,
            "MAPPING_FILE": str(self.folder / "mapping.yaml"),
            "HTTP_TIMEOUT": "2",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": "0",
            "LOG_FORMAT": "json",
        }

    def tell(self, what: str) -> None:
        self.told.append((self.clock.monotonic(), what))

    @contextmanager
    def illness(self) -> Iterator[None]:
        """Something does not serve without which a process may end, or stop badly; be it a while later."""
        self._ill += 1
        yield
        self._ill -= 1
        self._well_at = monotonic() + _LATE

    @property
    def well(self) -> bool:
        """Nothing excuses a process that ends, or stops badly."""
        return not self._ill and monotonic() >= self._well_at

    def stop(self, member: Member) -> None:
        """End its process as Kubernetes does."""
        member.stop(well=self.well)

    # The API

    def trouble(self, **faults: object) -> None:
        """From now on the API has these faults; without any it is well."""
        seed = self.random.randrange(2**31)
        self.sandbox.faults = replace(self.sandbox.config.faults, seed=seed, **faults)  # type: ignore[arg-type]

    def new_key(self) -> tuple[str, str]:
        """The key in use, and one that the API does not know yet."""
        self._keys += 1
        return self._key_file.read_text(), f"key-{self.seed}-{self._keys}"

    def use_key(self, key: str) -> None:
        """Let the API know the key, and put it where the connector looks for it."""
        self.sandbox.allow(key, DEFAULT_TENANT)
        self._put_key(key)

    def _put_key(self, key: str) -> None:
        scratch = self._key_file.with_suffix(".new")
        scratch.write_text(key)
        scratch.replace(self._key_file)

    def send_as_other(self) -> None:
        """A request of somebody else who uses the key."""
        url = f"{self.sandbox.url}/orders/{DEFAULT_TENANT}/{OTHERS}"
        with suppress(httpx.HTTPError):
            httpx.delete(url, headers={"x-replenit-auth-key": self._key_file.read_text()}, trust_env=False, timeout=5)

    # The machine

    def jump(self, seconds: float) -> None:
        """Set the wall clocks of all processes wrong by so much."""
        with self._jump_file.open("r+b") as file:  # processes have it in their memory: it keeps its size
            file.write(struct.pack("d", seconds))

    # How it stands

    def broken(self) -> list[str]:
        """What can be told at any time to be wrong, but for documents, which `watched` tells."""
        seen = [each for each in self.sandbox.broken_promises if "the trailing" not in each]  # others use the key
        return [*seen, *self.topics.failed, *(each for member in self.members for each in member.ended)]

    def unsettled(self) -> str:
        """What is still to be done; "" once all is settled."""
        if self.topics.unconfirmed:
            return f"{self.topics.unconfirmed} changes are not confirmed by Kafka"
        process = self.members[0].process
        status = {} if process is None else process.status()
        places = status.get("partitions", {})
        open_ = sorted(
            str(each) for each, end in self.topics.ends.items() if places.get(str(each), {}).get("committable") != end
        )
        if not open_ and not status.get("requests_in_flight"):
            return ""
        stopped = {name: status.get(name) for name in ("halted", "suspended") if status.get(name)}
        return f"{len(open_)} partitions are not settled: {', '.join(open_[:4])}; {json.dumps(stopped)}"


def _poisoned(shop: Shop) -> dict[str, dict[str, str]]:
    keys = [Key(entity, f"{entity[0]}{number}") for entity in ("customers", "orders") for number in range(_MOST_ROWS)]
    poisoned: dict[str, dict[str, str]] = {"customers": {}, "orders": {}}
    for key in filter(shop.poisoned, keys):
        poisoned[key.entity][key.id] = "It is refused."
    return poisoned
