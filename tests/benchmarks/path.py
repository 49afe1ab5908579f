"""What the whole path costs, against consuming and decoding alone: CPU seconds of this process, both in one run.

`python -m benchmarks.path 60000`, from the folder `tests` (with `PYTHONPATH=.:..`), prints a table.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kafka_broker import Broker, Raw

from connector.adapters.kafka import End, KafkaSource
from connector.commands.run import build, collect_rarely
from connector.core import debezium
from connector.core.wire import JsonWire
from connector.metrics import Metrics
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connector.core.events import Partition

_SERVER = """
import json, socketserver
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def do_POST(self):
        count = self.rfile.read(int(self.headers["content-length"])).count(b'"CustomerId"')
        body = json.dumps({"success": True, "message": "Saved.", "data": {"count": count}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


class _Nobody:
    """An owner of partitions who does nothing about it."""

    def assigned(self, partitions: Sequence[Partition]) -> None:
        pass

    revoked = lost = assigned


def customers(count: int) -> list[Raw]:
    """Changes of as many customers, each of its own, as Debezium writes them without schemas."""
    return [Raw(json.dumps(_event(number)).encode(), b'{"customer_id":"C-%06d"}' % number) for number in range(count)]


def _event(number: int) -> dict[str, object]:
    row = {
        "customer_id": f"C-{number:06d}",
        "email": f"customer.{number}@example.com",
        "name": "Ada",
        "surname": f"Number {number}",
        "phone": f"+1555{number:07d}",
        "language": "en-US",
        "username": f"user_{number}",
        "email_optin": True,
        "sms_optin": False,
        "whatsapp_optin": None,
        "app_push_optin": True,
        "gdpr_optin": True,
        "is_excluded": False,
    }
    source = {
        "version": "3.7.0.Final",
        "connector": "postgresql",
        "name": "shop",
        "ts_ms": 1795419839092,
        "snapshot": "false",
        "db": "shop",
        "sequence": json.dumps([str(number * 100), str(number * 100 + 50)]),
        "ts_us": 1795419839092894,
        "ts_ns": 1795419839092894000,
        "schema": "shop",
        "table": "customers",
        "txId": 745 + number,
        "lsn": number * 100 + 50,
        "xmin": None,
    }
    times = {"ts_ms": 1795419840623, "ts_us": 1795419840623404, "ts_ns": 1795419840623404150}
    return {"before": None, "after": row, "source": source, "transaction": None, "op": "c", **times}


def consume_and_decode(properties: Mapping[str, str], topic: str, count: int) -> float:
    """CPU seconds of reading the topic and decoding its records, nothing else."""
    source, wire, seen = KafkaSource(properties, f"decode.{topic}", [topic]), JsonWire(), 0
    source.subscribe(_Nobody(), lambda _: None)
    began = _cpu()
    while seen < count:
        for item in source.poll(1000, 0.1):
            if not isinstance(item, End):
                debezium.parse(item, wire.decode(item.key), wire.decode(item.value))
                seen += 1
    spent = _cpu() - began
    source.close()
    return spent


def whole_path(environment: Mapping[str, str], count: int) -> tuple[float, float]:
    """CPU and wall seconds of the service from its first turn until everything is settled."""
    service, sender = build(load(environment), Metrics())
    service.start()
    began, clock = _cpu(), time.monotonic()
    while service.settled() < count:
        service.step()
    spent = _cpu() - began, time.monotonic() - clock
    service.stop()
    sender.close()
    return spent


@contextmanager
def server() -> Iterator[str]:
    """An API that accepts everything at once, in a process of its own."""
    with subprocess.Popen([sys.executable, "-c", _SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.kill()


def measure(kafka: Broker, count: int) -> dict[str, float]:
    """Both sides on the same records."""
    topic, letters = kafka.topic("customers"), kafka.topic("dead-letters")
    kafka.produce(topic, *customers(count))
    collect_rarely()
    properties = {"bootstrap.servers": kafka.bootstrap_servers}
    decode = consume_and_decode(properties, topic, count)
    with server() as url:
        environment = {
            "REPLENIT_TENANT_ID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "REPLENIT_API_KEY": "c2VjcmV0",
            "REPLENIT_BASE_URL": url,
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "KAFKA_GROUP_ID": f"whole.{topic}",
            "TOPIC_CUSTOMERS": topic,
            "DEAD_LETTER_TOPIC": letters,
            "RATE_LIMIT_PER_MINUTE": "1000000",
            "RATE_LIMIT_PER_HOUR": "1000000",
        }
        whole, wall = whole_path(environment, count)
    return {"decode": decode, "whole": whole, "wall": wall}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Start a broker, measure, and print."""
    from kafka_jars import JarNode  # noqa: PLC0415 (it takes a while)

    count = int(sys.argv[1])
    node = JarNode()
    try:
        found = measure(node.broker, count)
    finally:
        node.close()
    for name in ("decode", "whole"):
        print(f"{name:<8} {found[name]:6.2f} s CPU  {found[name] / count * 1e6:6.1f} µs a record")  # noqa: T201
    print(f"ratio    {found['whole'] / found['decode']:6.2f}    ({found['wall']:.1f} s in all)")  # noqa: T201


if __name__ == "__main__":
    main()
