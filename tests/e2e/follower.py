"""A connector that follows the shop's topics, with a sandbox of its own: it is killed, and started again."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from connector_process import Connector, connector
from e2e.wanted import ENTITIES

from connector.sandbox.config import SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from e2e.capture import Capture
    from e2e.dialects import Dialect
    from kafka_broker import Broker

    from connector.core.events import Partition, Record


@dataclass
class Follower:
    """One process at a time; `processes` holds all that there were, `sandbox` what they told."""

    kafka: Broker
    sandbox: Sandbox
    topics: Mapping[str, str]
    children: Sequence[str]
    letters: str
    group: str
    settings: Mapping[str, str]
    folder: str
    stack: ExitStack
    processes: list[Connector] = field(default_factory=list)
    answered_before: Counter[int] = field(default_factory=Counter)

    def start(self, faults: Faults | None = None) -> None:
        """Start a process; the API has these faults from now on."""
        self.sandbox.faults = faults or Faults()
        self.answered_before = self._answers()
        own = {
            "STATE_DIR": self.folder,
            **{f"TOPIC_{entity.upper()}": topic for entity, topic in self.topics.items()},
            "DEAD_LETTER_TOPIC": self.letters,
            "KAFKA_GROUP_ID": self.group,
            "KAFKA_GROUP_INSTANCE_ID": "the-only-one",  # else it waits until a killed one's session is over
            "HTTP_TIMEOUT": "2",  # for so long and 30 s it waits for what a killed one sent
        }
        started = connector(self.kafka.bootstrap_servers, self.sandbox.url, {**own, **self.settings})
        self.processes.append(self.stack.enter_context(started))

    def wait_until_reading(self) -> None:
        """Wait until partitions are assigned."""
        self.processes[-1].wait_until(lambda: bool(_committable(self.processes[-1])), "partitions are assigned")

    def wait_until_sending(self) -> None:
        """Wait until a request is on its way."""
        self.processes[-1].wait_until(lambda: self.sandbox.in_flight > 0, "a request is on its way")

    def wait_until_answered(self, status: int, times: int) -> None:
        """Wait until so many requests of this process have been answered with a status."""
        self.processes[-1].wait_until(
            lambda: self._answers()[status] >= self.answered_before[status] + times, f"{times} answers of {status}"
        )

    def wait_until_settled(self) -> None:
        """Wait until all that is in the topics by now is settled."""
        ends = {str(place): end for place, end in self._ends().items()}
        process = self.processes[-1]
        process.wait_until(lambda: _committable(process) == ends, "everything is settled")

    def kill(self) -> None:
        self.processes[-1].kill()

    def stop(self) -> None:
        """Have it stop in good order."""
        status = self.processes[-1].stop()
        assert status == 0, self.lines()

    def lags(self) -> int:
        """Count the records that are not committed, as the broker says."""
        committed = self.kafka.committed(self.group)
        return sum(end - committed[place].offset for place, end in self._ends().items() if end)

    def dead(self) -> list[Record]:
        return self.kafka.read(self.letters)

    def lines(self) -> str:
        """Return what all processes printed."""
        return "".join(process.lines() for process in self.processes)

    def _answers(self) -> Counter[int]:
        counted: Counter[int] = Counter()
        for (_, status), times in self.sandbox.counts.items():
            counted[status] += times
        return counted

    def _ends(self) -> dict[Partition, int]:
        return {
            place: end
            for topic in (*self.topics.values(), *self.children)
            for place, end in self.kafka.ends(topic).items()
        }


def _committable(process: Connector) -> dict[str, int]:
    return {name: place["committable"] for name, place in process.status().get("partitions", {}).items()}


@contextmanager
def following(kafka: Broker, capture: Capture, dialect: Dialect) -> Iterator[Follower]:
    """Give what runs connectors on a capture's topics, one after the other."""
    with ExitStack() as stack:
        yield Follower(
            kafka=kafka,
            sandbox=stack.enter_context(Sandbox(SandboxConfig(upsert=dialect.upsert, per_minute=None, per_hour=None))),
            topics={entity: capture.topic(entity) for entity in ENTITIES},
            children=[capture.topic(table) for table in dialect.children],
            letters=kafka.topic("dead-letters"),
            group=f"group.{capture.name}",
            settings=dialect.settings,
            folder=stack.enter_context(TemporaryDirectory()),
            stack=stack,
        )
