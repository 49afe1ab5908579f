"""What the connector's own process shows while all kinds of things fail, and whom it trusts, with a broker over TLS."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from certificates import Authority, self_signed
from connector_process import Connector, connector
from kafka_broker import Raw
from kafka_secured import USER, SecuredNode
from raw_server import serving
from registry_server import serving as registry_serving
from unavailable import UnavailableError

from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kafka

PASSWORD = "hunter2-kafka"
SECRETS = {
    "key": DEFAULT_KEY,
    "revoked key": "hunter2-revoked",
    "password": PASSWORD,
    "wrong password": "hunter2-mistaken",
    "registry": "hunter2-registry",
}
CANARY = "Canary"
"""It is in every column of every row, in keys, in headers, and in what the API answers."""

BATCH = 4
PAGES = ("/metrics", "/status", "/livez", "/readyz", "/nothing", f"/{CANARY}?{CANARY}")
FREE = SandboxConfig(per_minute=None, per_hour=None, keys={DEFAULT_KEY: (DEFAULT_TENANT,)})


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def node(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredNode]:
    """A broker that speaks TLS."""
    try:
        started = SecuredNode(authority, tmp_path_factory.mktemp("kafka"), PASSWORD)
    except UnavailableError as error:
        pytest.skip(f"no Kafka broker with TLS: {error}")
    yield started
    started.close()


def _row(entity: str, number: int) -> dict[str, object]:
    """A row with the canary in every column that takes a text."""
    texts = {"name": CANARY, "surname": CANARY, "username": CANARY, "secret_note": CANARY}
    item = {"product_id": f"{CANARY}-p", "sku": CANARY, "quantity": 1, "price": 2, "size": CANARY, "brand": CANARY}
    rows: dict[str, dict[str, object]] = {
        "customers": {"email": f"{CANARY}.{number}@example.com", "gdpr_optin": True, **texts},
        "orders": {"customer_id": f"{CANARY}-c", "currency": "EUR", "order_items": json.dumps([item])},
        "products": {
            "product_name": CANARY,
            "taxonomy": json.dumps([CANARY]),
            "product_variants": json.dumps([{"variant_id": f"{CANARY}-v", "sku": CANARY, "name": CANARY}]),
        },
    }
    return rows[entity]


def _event(entity: str, number: int, **columns: object) -> Raw:
    key = {f"{entity[:-1]}_id": f"{CANARY}-{number}"}
    source = {"connector": "postgresql", "snapshot": "false", "sequence": f'["{number}","{number}"]', "ts_ms": 1}
    event = {"before": None, "after": {**key, **_row(entity, number), **columns}, "source": source, "op": "c"}
    return Raw(json.dumps(event).encode(), json.dumps(key).encode(), headers=(("trace", CANARY.encode()),))


BAD = [
    Raw(f'{{"op":"c","{CANARY}'.encode(), CANARY.encode()),
    Raw(CANARY.encode(), None),
    Raw(b"\xff" + CANARY.encode(), b"\xff" + CANARY.encode()),
    Raw(b"\0\0\0\0\x09" + CANARY.encode(), b"{}"),
    Raw(json.dumps({CANARY: CANARY}).encode(), b'"' + CANARY.encode() + b'"'),
    _event("customers", 90, gdpr_optin=CANARY),
    _event("customers", 91, email=CANARY, phone=CANARY, language=CANARY),
    _event("customers", 92, customer_id="another's"),
    _event("customers", 93, email=[CANARY], name={CANARY: CANARY}),
]
"""Of the customers' topic: each is a dead letter, or waits for the registry."""


class Shop:
    """Topics of one partition for each entity."""

    def __init__(self, node: SecuredNode) -> None:
        self.broker = node.broker
        self.topics = {entity: node.broker.topic(entity) for entity in ("customers", "orders", "products")}
        self.letters = node.broker.topic("dead-letters")
        self.settings = {
            **{f"TOPIC_{entity.upper()}": topic for entity, topic in self.topics.items()},
            **{f"BATCH_MAX_{entity.upper()}": str(BATCH) for entity in self.topics},  # full, they wait for nothing
            "DEAD_LETTER_TOPIC": self.letters,
            "KAFKA_GROUP_ID": f"group.{self.letters}",
        }

    def settled(self, process: Connector, **ends: int) -> bool:
        places = process.status().get("partitions", {})
        return all(places.get(f"{self.topics[entity]}-0", {}).get("committable") == end for entity, end in ends.items())


def _shown(process: Connector) -> str:
    """All that a running process shows of itself, but for what its owner alone may read."""
    answers = [process.page(page) for page in PAGES]
    pages = [f"{answer.headers}{answer.text}" for answer in answers if answer is not None]
    folder = Path("/proc") / str(process.process.pid)
    threads = [thread.read_text() for thread in folder.glob("task/*/comm")]
    return "\n".join([*pages, (folder / "cmdline").read_bytes().decode(), *threads, process.lines()])


def _told(shown: str) -> list[str]:
    """Which secret, or whose data, is in it, with what surrounds it."""
    what = {**SECRETS, "customers' data": CANARY}
    places = [
        (name, at.span()) for name, each in what.items() for at in re.finditer(re.escape(each), shown, re.IGNORECASE)
    ]
    return [f"{name}: {shown[max(0, start - 200) : end + 100]}" for name, (start, end) in places]


def _reason(process: Connector) -> str:
    halted = process.status().get("halted")
    return "" if halted is None else str(halted["reason"])


def test_nothing_that_fails_tells_a_secret_or_anybodys_data(
    node: SecuredNode, authority: Authority, tmp_path: Path
) -> None:
    """Passwords refused, a key revoked, a registry that says 401, bad records of all kinds, an API that quotes."""
    shop = Shop(node)
    key = tmp_path / "key"
    key.write_text(SECRETS["revoked key"])
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    login = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "PLAIN",
        "KAFKA_SASL_USERNAME": USER,
        "KAFKA_SSL_CA_LOCATION": str(authority.path),
        "LOG_LEVEL": "debug",
    }
    quoting = {"orders": {f"{CANARY}-{number}": f"The value {CANARY} is not valid." for number in range(3)}}
    for entity, topic in shop.topics.items():
        shop.broker.produce(topic, *(_event(entity, number) for number in range(BATCH)))
    shop.broker.produce(shop.topics["customers"], *BAD[:3], *BAD[4:])
    with ExitStack() as stack:
        registry = stack.enter_context(registry_serving())
        registry.answers["/schemas/ids/9"] = (401, {"message": f"{SECRETS['registry']} {CANARY}"})
        sandbox = stack.enter_context(Sandbox(replace(FREE, faults=Faults(poisoned=quoting))))
        settings = {
            **shop.settings,
            **login,
            "KAFKA_SASL_PASSWORD_FILE": str(password),
            "REPLENIT_API_KEY": "",
            "REPLENIT_API_KEY_FILE": str(key),
            "SCHEMA_REGISTRY_URL": registry.url,
            "SCHEMA_REGISTRY_USERNAME": "ana",
            "SCHEMA_REGISTRY_PASSWORD": SECRETS["registry"],
        }
        process = stack.enter_context(connector(node.login, sandbox.url, settings))
        mistaken = {**settings, "KAFKA_SASL_PASSWORD": SECRETS["wrong password"], "KAFKA_SASL_PASSWORD_FILE": ""}
        mistaken |= {"KAFKA_DEBUG": "all", "KAFKA_LOG_LEVEL": "7"}
        refused = stack.enter_context(connector(node.login, sandbox.url, mistaken))
        process.wait_until(lambda: _reason(process) == "unauthorized", "the revoked key halts")
        assert _told(_shown(process)) == []
        key.write_text(DEFAULT_KEY)
        process.wait_until(lambda: shop.settled(process, customers=12, orders=4, products=4), "everything settled")
        sandbox.faults = Faults(html=0.5, error=0.5, html_status=500, times=2)
        for entity, topic in shop.topics.items():
            shop.broker.produce(
                topic, *(_event(entity, number, size=1, currency="USD") for number in range(100, 100 + BATCH))
            )
        process.wait_until(lambda: shop.settled(process, customers=16, orders=8, products=8), "the rest settled")
        shop.broker.produce(shop.topics["customers"], BAD[3])
        process.wait_until(lambda: "it answers 401" in process.lines(), "the registry refuses")
        refused.wait_until(lambda: "Authentication failed" in refused.lines(), "the password is refused")
        shown = _shown(process) + _shown(refused)
        assert registry.asked
        assert all('"authorization"' not in line for line in shown.splitlines())
        assert process.stop() == 0, process.lines()
        refused.stop()
        assert _told(shown + process.lines() + refused.lines()) == []
        told = {json.loads(line)["event"] for line in process.lines().splitlines()}
        assert {"dead_letter", "halted", "recovered", "request_failed", "registry_unavailable", "stopped"} <= told
    letters = [dict(letter.headers) for letter in shop.broker.read(shop.letters)]
    assert {b"undecodable", b"unconvertible", b"invalid", b"rejected"} <= {each["replenit.reason"] for each in letters}
    headers = " ".join(f"{name}={value!r}" for letter in letters for name, value in letter.items())
    assert not [secret for secret in SECRETS.values() if secret in headers]


CRASHES = {
    "loop": "connector.core.intake.Intake.take",
    "thread": "connector.adapters.api.Api.send",
    "registry": "connector.adapters.registry.Registry._ask",
    "start": "connector.service.Service.start",
}
SITECUSTOMIZE = """
import importlib, os

def fail(self, *arguments, **named):
    everything = [*map(str, arguments), *map(str, named.values()), *os.environ.values()]
    try:
        raise KeyError(str(everything))
    except KeyError as error:
        raise RuntimeError(str(everything)) from error

module, cls, method = os.environ["CRASH"].rsplit(".", 2)
setattr(getattr(importlib.import_module(module), cls), method, fail)
"""


@pytest.mark.parametrize("where", CRASHES)
def test_a_crash_tells_where_and_not_what(node: SecuredNode, tmp_path: Path, where: str) -> None:
    """An error whose text holds the record and the whole environment: the line has its type and our frames."""
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    shop = Shop(node)
    written = [BAD[3]] if where == "registry" else [_event("customers", number) for number in range(BATCH)]
    shop.broker.produce(shop.topics["customers"], *written)
    settings = {
        **shop.settings,
        "PYTHONPATH": str(tmp_path),
        "CRASH": CRASHES[where],
        "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
        "SCHEMA_REGISTRY_USERNAME": "ana",
        "SCHEMA_REGISTRY_PASSWORD": SECRETS["registry"],
        "LOG_LEVEL": "debug",
    }
    with Sandbox(FREE) as sandbox, connector(shop.broker.bootstrap_servers, sandbox.url, settings) as process:
        if where == "thread":  # of the sender: it is one request's failure
            process.wait_until(lambda: "failed. It goes again" in process.lines(), "the failure is told")
            shown = _shown(process)
        else:
            assert process.process.wait(60) in (69, 70), process.lines()
            shown = process.lines()
        assert _told(shown) == []
        if where != "thread":
            [crash] = [line for line in process.lines().splitlines() if '"crashed"' in line]
            error = json.loads(crash)["error"]
            assert (error["type"], error["cause"]["type"]) == ("RuntimeError", "KeyError")
            assert any(frame.startswith("connector/") for frame in error["frames"])


def test_a_wrong_configuration_tells_no_value(tmp_path: Path) -> None:
    """Secrets where they don't belong: every mistake is listed, on the standard error, and quotes nothing."""
    secret = tmp_path / "secret"
    secret.write_text(SECRETS["key"])
    environment = {
        "REPLENIT_TENANT_ID": SECRETS["key"],
        "REPLENIT_API_KEY": f"{SECRETS['key']} {CANARY}",
        "REPLENIT_BASE_URL": f"https://{USER}:{PASSWORD}@api.replen.it",
        "SCHEMA_REGISTRY_URL": f"https://{USER}:{PASSWORD}@registry",
        "KAFKA_BOOTSTRAP_SERVERS": f"{USER}:{PASSWORD}@kafka:9092",
        "KAFKA_SASL_PASSWORD_FILE": PASSWORD,
        "HTTP_PORT_FILE": str(secret),
        "MAPPING": f"version: 1\ncustomers: {{ fields: {{ {CANARY}: &{CANARY} !{CANARY} {CANARY} }} }}",
        "KAFKA_NO_SUCH_PROPERTY": PASSWORD,
    }
    ended = subprocess.run(
        [sys.executable, "-m", "connector", "run"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 78
    assert "REPLENIT_BASE_URL" in ended.stderr
    named = {name: secret for name, secret in SECRETS.items() if secret in ended.stdout + ended.stderr}
    assert named == {}


def test_kafka_and_the_api_are_verified(node: SecuredNode, authority: Authority, tmp_path: Path) -> None:
    """By an authority's file; without it, by another name, or with a certificate of its own, nobody is trusted."""
    shop = Shop(node)
    shop.broker.produce(shop.topics["customers"], *(_event("customers", number) for number in range(BATCH)))
    tls = {**shop.settings, "KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": str(authority.path)}
    groups = iter(range(10))

    def group() -> dict[str, str]:
        return {"KAFKA_GROUP_ID": f"group.{next(groups)}.{shop.letters}"}

    (tmp_path / "own").mkdir()
    with ExitStack() as stack:
        api = stack.enter_context(serving(context=authority.sign("localhost").server(tmp_path)))
        own = stack.enter_context(serving(context=self_signed().server(tmp_path / "own")))
        known = {"REPLENIT_CA_PATH": str(authority.path)}

        def started(broker: str, url: str, settings: dict[str, str]) -> Connector:
            return stack.enter_context(connector(broker, url, {**settings, **group()}))

        trusting = started(node.tls, f"https://localhost:{api.port}", tls | known)
        unknown = started(node.tls, f"https://localhost:{api.port}", {**tls, "KAFKA_SSL_CA_LOCATION": ""} | known)
        misnamed = started(node.tls.replace("localhost", "127.0.0.1"), f"https://localhost:{api.port}", tls | known)
        unsigned = started(node.tls, f"https://localhost:{own.port}", tls | known)
        trusting.wait_until(lambda: shop.settled(trusting, customers=BATCH), "delivered over TLS")
        assert len(api.read) == 1
        unsigned.wait_until(lambda: _reason(unsigned) == "untrusted", "nothing is sent")
        assert unsigned.status()["halted"]["detail"] == "self-signed certificate"
        assert "REPLENIT_CA_PATH" in unsigned.status()["halted"]["remedy"]
        page = unsigned.page("/metrics")
        assert page is not None
        assert 'connector_halted{reason="untrusted"} 1.0' in page.text
        assert 'code="untrusted",endpoint="upsert_customers"' in page.text
        assert own.read == []
        for process in (unknown, misnamed):
            process.wait_until(lambda p=process: "certificate verify failed" in p.lines(), "Kafka is not trusted")  # type: ignore[misc]
            assert process.status()["partitions"] == {}
        assert shop.broker.read(shop.letters) == []
