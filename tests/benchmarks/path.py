"""What the whole path costs, against consuming and decoding alone: CPU seconds of this process, both in one run.

From the project's folder: `PYTHONPATH=tests python -m benchmarks.path`, with `--profile` for where the time goes.
`TEST_KAFKA_BOOTSTRAP_SERVERS` names a broker; without it one is started.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import os
import pstats
import resource
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from benchmarks.changes import changes
from kafka_broker import Broker

from connector.adapters.kafka import KafkaSource
from connector.commands.run import build, collect_rarely
from connector.core import debezium
from connector.core.events import ChangeEvent, Partition, Record
from connector.core.wire import Wire
from connector.metrics import Metrics
from connector.service import LONGEST_WAIT, READ_AT_ONCE
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kafka_broker import Committed

_PATIENCE = 300.0
_SERVER = Path(__file__).with_name("accepting_server.py")


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the side that only decodes did: the changes that it understood, and CPU seconds."""

    events: int
    cpu: float


@dataclass(frozen=True, slots=True)
class Delivered:
    """What the whole path did: what the API holds and what is committed at the end; CPU and wall seconds."""

    held: dict[str, str]
    committed: Committed
    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Topics:
    """A topic with `count` changes in its one partition, and what the connector needs beside it."""

    kafka: Broker
    changes: str
    letters: str
    count: int


def prepare(kafka: Broker, count: int) -> Topics:
    topics = Topics(kafka, kafka.topic("customers"), kafka.topic("dead-letters"), count)
    kafka.produce(topics.changes, *changes(count))
    return topics


def consume_and_decode(topics: Topics) -> Decoded:
    """Read the topic with the connector's own consumer and decode its records, nothing else."""
    properties = {"bootstrap.servers": topics.kafka.bootstrap_servers}
    source = KafkaSource(properties, f"decode.{topics.changes}", [topics.changes])
    wire, read, events = Wire(), 0, 0
    gc.collect()
    began, deadline = _cpu(), time.monotonic() + _PATIENCE
    source.subscribe(_Nobody(), lambda _: None)
    while read < topics.count:
        _check(deadline)
        for record in source.poll(READ_AT_ONCE, LONGEST_WAIT):
            if isinstance(record, Record):
                event = debezium.parse(record, wire.key(record), wire.value(record))
                events += isinstance(event, ChangeEvent)
                read += 1
    source.close()
    return Decoded(events, _cpu() - began)


class _Nobody:
    """Takes no notice of what partitions it has."""

    def assigned(self, partitions: Sequence[Partition]) -> None: ...
    def revoked(self, partitions: Sequence[Partition]) -> None: ...
    def lost(self, partitions: Sequence[Partition]) -> None: ...


def deliver(topics: Topics, group: str, profile: cProfile.Profile | None = None) -> Delivered:
    """Let the service bring everything to an API, and commit it: from its start to the end of its stop."""
    with _server() as url, ExitStack() as stack:
        service = build(load(_environment(topics, group, url)), Metrics(), stack)
        gc.collect()
        began, clock = _cpu(), time.monotonic()
        if profile is not None:
            profile.enable()
        service.start()
        while service.settled() < topics.count:
            _check(clock + _PATIENCE)
            service.step()
        service.stop()
        if profile is not None:
            profile.disable()
        cpu, wall = _cpu() - began, time.monotonic() - clock
        held: dict[str, str] = httpx.get(url, timeout=_PATIENCE).json()
    return Delivered(held, topics.kafka.committed(group)[Partition(topics.changes, 0)], cpu, wall)


def _environment(topics: Topics, group: str, url: str) -> dict[str, str]:
    """Settings under which no limit binds."""
    return {
        "REPLENIT_TENANT_ID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
        "REPLENIT_API_KEY": "c2VjcmV0",
        "REPLENIT_BASE_URL": url,
        "KAFKA_BOOTSTRAP_SERVERS": topics.kafka.bootstrap_servers,
        "KAFKA_GROUP_ID": group,
        "TOPIC_CUSTOMERS": topics.changes,
        "DEAD_LETTER_TOPIC": topics.letters,
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "RATE_LIMIT_PER_HOUR": "1000000",
    }


@contextmanager
def _server() -> Iterator[str]:
    """Start the API in a process of its own; give its address."""
    with subprocess.Popen([sys.executable, _SERVER], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def _check(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimeoutError(f"not done after {_PATIENCE:.0f} s")


def _cpu() -> float:
    """User and system seconds of this process, all of its threads included."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _compare(topics: Topics, rounds: int) -> None:
    """Measure both sides by turns; print a row a round, the medians, and the least: other processes only ever add."""
    decoded, delivered = [], []
    _print("CPU of a record, µs", "decode only", "whole path", "ratio")
    for round_ in range(1, rounds + 1):
        one, other = consume_and_decode(topics), deliver(topics, f"whole.{round_}.{topics.changes}")
        decoded.append(one.cpu)
        delivered.append(other.cpu)
        _row(f"round {round_}", one.cpu, other.cpu, topics.count)
    _row("median", statistics.median(decoded), statistics.median(delivered), topics.count)
    _row("least", min(decoded), min(delivered), topics.count)


def _row(name: str, decode: float, whole: float, count: int) -> None:
    _print(name, f"{decode / count * 1e6:.1f}", f"{whole / count * 1e6:.1f}", f"{whole / decode:.2f}")


def _print(name: str, *cells: str) -> None:
    print(f"{name:<20}", *(f"{cell:>12}" for cell in cells))  # noqa: T201 (a command's output is what it is for)


def _profile(topics: Topics) -> None:
    """Print where the loop's thread spends its time; the profiler itself more than doubles it."""
    profile = cProfile.Profile()
    deliver(topics, f"profiled.{topics.changes}", profile)
    pstats.Stats(profile).sort_stats("tottime").print_stats(40)


@contextmanager
def _broker() -> Iterator[Broker]:
    given = os.environ.get("TEST_KAFKA_BOOTSTRAP_SERVERS")
    if given:
        broker = Broker(given)
        yield broker
        broker.delete_topics(*broker.topics)
        return
    from kafka_jars import JarNode  # noqa: PLC0415 (slow)

    node = JarNode()
    try:
        yield node.broker
    finally:
        node.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("records", type=int, nargs="?", default=72_000, help="a sixth of them are updates")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="profile the whole path instead")
    arguments = parser.parse_args()
    collect_rarely()  # as `run` does, and for both sides
    with _broker() as kafka:
        topics = prepare(kafka, arguments.records)
        if arguments.profile:
            _profile(topics)
        else:
            _compare(topics, arguments.rounds)


if __name__ == "__main__":
    main()
