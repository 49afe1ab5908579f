"""The connector as a process in what the manifests give it: environment, Secret, mapping, volume, probes."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import pytest
from connector_process import Connector
from deploy.kubernetes.rendering import EXAMPLES, SECRETS
from deploy.kubernetes.volumes import lay_out, publish

from connector.settings import load

if TYPE_CHECKING:
    from pathlib import Path

    from deploy.kubernetes.cluster import Cluster

NOBODY = "127.0.0.1:9"
KEPT = ("PATH", "LANG", "TMPDIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
PROBES = {"livenessProbe": "/livez", "readinessProbe": "/readyz"}


@pytest.mark.parametrize("combination", EXAMPLES)
def test_it_is_well_where_neither_kafka_nor_the_api_is(
    rendered: dict[str, Cluster], combination: str, tmp_path: Path
) -> None:
    """Whatever fails outside of it, its probes pass, so nothing is restarted nor taken out of service; and it stops."""
    [program] = rendered[combination].programs
    mounted = lay_out(rendered[combination], program, tmp_path / "root")
    settings = load(mounted)
    elsewhere = {
        "KAFKA_BOOTSTRAP_SERVERS": NOBODY,
        "REPLENIT_BASE_URL": f"https://{NOBODY}",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
    }
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | mounted | elsewhere
    with (tmp_path / "output").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "run"], env=environment, stdout=output, stderr=output
        )
    connector = Connector(process, tmp_path / "output")

    try:
        connector.wait_until(lambda: "kafka_error" in connector.lines(), "it has tried Kafka")
        for name, path in PROBES.items():
            asked = program.container.get(name, {"httpGet": {"path": path}})["httpGet"]["path"]
            connector.wait_until(partial(_passes, connector, asked), f"{name} passes")
        stopped_at = monotonic()
        assert connector.stop() == 0, connector.lines()
        assert monotonic() - stopped_at < settings.shutdown_timeout
    finally:
        connector.kill()
    assert (tmp_path / "root" / "var/lib/replenit-connector/store.sqlite3").exists() == bool(settings.families)


def _passes(connector: Connector, path: str) -> bool:
    page = connector.page(path)
    return page is not None and page.status_code == httpx.codes.OK


@pytest.mark.parametrize("combination", EXAMPLES)
def test_a_new_key_in_the_secret_comes_without_a_restart(
    rendered: dict[str, Cluster], combination: str, tmp_path: Path
) -> None:
    """A kubelet replaces all files of a mounted Secret at once, by a link, and removes those that were there."""
    [program] = rendered[combination].programs
    environment = lay_out(rendered[combination], program, tmp_path)
    key = load(environment).replenit_api_key
    assert key.value() == SECRETS["api-key"]
    [secret] = [mount for mount in program.mounts if "secret" in (program.volume(mount["name"]) or {})]
    folder = tmp_path / secret["mountPath"].lstrip("/")
    publish(folder, dict.fromkeys(SECRETS, b"bmV3"))
    assert key.value() == "bmV3"
    publish(folder, {"api-key": b""})
    assert key.value() is None
