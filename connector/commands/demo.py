"""`demo`: a captured shop through an embedded broker, the connector and the sandbox, without anything to set up."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from confluent_kafka import Producer

from connector import logs
from connector.commands.run import build
from connector.metrics import Metrics
from connector.sandbox import shop
from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT
from connector.sandbox.server import Sandbox
from connector.settings import load

if TYPE_CHECKING:
    from connector.sandbox.journal import Seen
    from connector.service import Service

LETTERS = "replenit-connector.dead-letters"
LONGEST = 120.0


def run(arguments: list[str]) -> int:
    """Run to the end: 0 if everything that can be delivered was, and no promise was broken."""
    argparse.ArgumentParser(prog="replenit-connector demo", description=__doc__).parse_args(arguments)
    logs.configure("error", "text", sys.stdout)
    # librdkafka's mock cluster: it lives as long as the client that started it.
    cluster = Producer({"bootstrap.servers": "unused", "test.mock.num.brokers": 1, "log_level": 0})
    brokers = ",".join(str(broker).rpartition("/")[0] for broker in cluster.list_topics(timeout=10).brokers.values())
    for topic in (*shop.TOPICS.values(), LETTERS):
        cluster.list_topics(topic, timeout=10)  # which creates it
    count = shop.write(brokers)
    print(f"A shop's day as Debezium captured it: {count} changes of customers, orders and products.")
    with Sandbox(observe=_tell) as sandbox:
        print(f"The sandbox serves Replenit's API at {sandbox.url}; 100 requests a minute, 5,000 an hour.\n")
        metrics = Metrics()
        settings = load(_environment(brokers, sandbox.url))
        service, sender = build(settings, metrics)
        service.start()
        finished = _turn(service, count)
        service.stop()
        sender.close()
        return _report(sandbox, metrics, finished=finished)


def _environment(brokers: str, url: str) -> dict[str, str]:
    return {
        "REPLENIT_TENANT_ID": DEFAULT_TENANT,
        "REPLENIT_API_KEY": DEFAULT_KEY,
        "REPLENIT_BASE_URL": url,
        "KAFKA_BOOTSTRAP_SERVERS": brokers,
        **{f"TOPIC_{entity.upper()}": topic for entity, topic in shop.TOPICS.items()},
    }


def _tell(seen: Seen) -> None:
    records = f"{seen.records} records" if seen.records else ""
    print(f"  {seen.method:<6} {seen.endpoint:<22} {seen.status}  {records}", flush=True)


def _turn(service: Service, count: int) -> bool:
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        service.step()
        if service.settled() == count:
            return True
    return False


def _report(sandbox: Sandbox, metrics: Metrics, *, finished: bool) -> int:
    held = ", ".join(f"{len(documents)} {entity}" for entity, documents in sandbox.state.items())
    print(f"\nReplenit holds {held}.")
    print(f"Requests: {len(sandbox.requests)}; the fullest minute had {sandbox.fullest_minute} of 100.")
    dead, withheld = _counts(metrics, "connector_dead_letters"), _counts(metrics, "connector_withheld")
    print(f"Dead letters: {_printed(dead)}. Withheld: {_printed(withheld)}.")
    if finished and not sandbox.broken_promises:
        print("Every change is settled, and none was sent twice at a time or out of its order.")
        return 0
    print("\n".join(["Not everything went as promised:", *sandbox.broken_promises]))
    return 1


def _counts(metrics: Metrics, name: str) -> Counter[str]:
    """A counter's samples by their reason."""
    found: Counter[str] = Counter()
    for family in metrics.registry.collect():
        if family.name == name:
            for sample in family.samples:
                found[f"{sample.labels['entity']} {sample.labels['reason']}"] += int(sample.value)
    return +found


def _printed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items())) or "none"
