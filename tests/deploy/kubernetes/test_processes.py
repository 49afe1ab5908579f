"""The connector as a process in what the manifests give it: environment, Secret, mapping, volume, probes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import pytest
from connector_process import Connector
from deploy.kubernetes.rendering import EXAMPLES, SECRETS
from deploy.kubernetes.volumes import lay_out, publish
from kafka_broker import Raw

from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT, SandboxConfig
from connector.sandbox.server import Sandbox
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from deploy.kubernetes.cluster import Cluster, Program
    from kafka_broker import Broker

NOBODY = "127.0.0.1:9"
HERE = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0"}
KEPT = ("PATH", "LANG", "TMPDIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
PROBES = {"livenessProbe": "/livez", "readinessProbe": "/readyz"}
FREE = SandboxConfig(per_minute=None, per_hour=None)


@contextmanager
def _running(environment: Mapping[str, str], output: Path) -> Iterator[Connector]:
    """Start the connector with nothing else in its environment than what it needs here."""
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    command = [sys.executable, "-m", "connector", "run"]
    with output.open("wb") as file:
        process = subprocess.Popen(command, env={**kept, **environment, **HERE}, stdout=file, stderr=file)
    started = Connector(process, output)
    try:
        yield started
    finally:
        started.kill()


def _passes(connector: Connector, path: str) -> bool:
    page = connector.page(path)
    return page is not None and page.status_code == httpx.codes.OK


@pytest.mark.parametrize("example", EXAMPLES)
def test_it_is_well_where_neither_kafka_nor_the_api_is(
    rendered: dict[str, Cluster], example: str, tmp_path: Path
) -> None:
    """Whatever fails outside of it, its probes pass, so nothing is restarted nor taken out of service; and it stops."""
    [program] = rendered[example].programs
    environment = lay_out(rendered[example], program, tmp_path / "root")
    settings = load(environment)
    environment |= {"KAFKA_BOOTSTRAP_SERVERS": NOBODY, "REPLENIT_BASE_URL": f"https://{NOBODY}"}
    with _running(environment, tmp_path / "output") as connector:
        connector.wait_until(lambda: "kafka_error" in connector.lines(), "it has tried Kafka")
        for name, path in PROBES.items():
            asked = program.container.get(name, {"httpGet": {"path": path}})["httpGet"]["path"]
            connector.wait_until(partial(_passes, connector, asked), f"{name} passes")
        stopped_at = monotonic()
        assert connector.stop() == 0, connector.lines()
        assert monotonic() - stopped_at < settings.shutdown_timeout
    assert (tmp_path / "root" / "var/lib/replenit-connector/store.sqlite3").exists() == bool(settings.families)


def _secret_folder(program: Program, root: Path) -> Path:
    [mount] = [mount for mount in program.mounts if "secret" in (program.volume(mount["name"]) or {})]
    folder: Path = root / mount["mountPath"].lstrip("/")
    return folder


@pytest.mark.parametrize("example", EXAMPLES)
def test_a_secret_that_changes_changes_the_key(rendered: dict[str, Cluster], example: str, tmp_path: Path) -> None:
    """A kubelet replaces all files of a mounted Secret at once, by a link, and removes those that were there."""
    [program] = rendered[example].programs
    key = load(lay_out(rendered[example], program, tmp_path)).replenit_api_key
    assert key.value() == SECRETS["api-key"]
    publish(_secret_folder(program, tmp_path), dict.fromkeys(SECRETS, b"bmV3"))
    assert key.value() == "bmV3"
    publish(_secret_folder(program, tmp_path), dict.fromkeys(SECRETS, b""))
    assert key.value() is None


def test_a_new_key_and_a_new_pod_go_on_at_once(rendered: dict[str, Cluster], kafka: Broker, tmp_path: Path) -> None:
    """A refused key is replaced in the Secret, without a restart; a Pod that was killed has its partition back at once.

    Its name is its name in the group: else they would be a dead process's until its session ends.
    """
    [program] = rendered["standalone"].programs
    topic, row = kafka.topic("customers"), {"customer_id": "c1", "email": "someone@example.com", "gdpr_optin": True}
    source = {"connector": "postgresql", "snapshot": "false", "sequence": '["1","1"]', "ts_ms": 1}
    event = {"before": None, "after": row, "source": source, "op": "c"}
    kafka.produce(topic, Raw(json.dumps(event).encode(), b'{"customer_id": "c1"}'))
    with Sandbox(FREE) as sandbox:
        own = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"}
        own |= {"REPLENIT_TENANT_ID": DEFAULT_TENANT, "REPLENIT_BASE_URL": sandbox.url}
        own |= {"TOPIC_CUSTOMERS": topic, "TOPIC_ORDERS": "", "TOPIC_PRODUCTS": "", "MAPPING_FILE": ""}
        own |= {"KAFKA_GROUP_ID": f"group.{topic}", "DEAD_LETTER_TOPIC": kafka.topic("dead-letters")}
        own |= {"KAFKA_SESSION_TIMEOUT_MS": "45000"}
        environment = lay_out(rendered["standalone"], program, tmp_path / "root") | own

        with _running(environment, tmp_path / "first") as first:
            first.wait_until(lambda: bool(first.status().get("halted")), "the key is refused")
            publish(_secret_folder(program, tmp_path / "root"), dict.fromkeys(SECRETS, DEFAULT_KEY.encode()))
            first.wait_until(lambda: "c1" in sandbox.state["customers"], "the row is delivered")
        killed_at = monotonic()
        with _running(environment, tmp_path / "second") as second:
            second.wait_until(lambda: bool(second.status().get("partitions")), "it has its partition back")
            assert monotonic() - killed_at < 30
            assert second.stop() == 0, second.lines()
