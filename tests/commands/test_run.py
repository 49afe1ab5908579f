"""`run`: what becomes of the store that it finds."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from adapters.stores import SLOW, slow_down
from connector_process import Connector, connector, environment_of

from connector.adapters.database import NAME
from connector.commands.run import build
from connector.metrics import Metrics
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

ENVIRONMENT = {
    "REPLENIT_TENANT_ID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "REPLENIT_API_KEY": "c2VjcmV0",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "TOPIC_PRODUCTS": "shop.products",
}
NOBODY = "http://127.0.0.1:1"
MAPPING = "version: 1\nproducts:\n  keep: title\n  fields: { ProductId: id, ProductName: title }\n"


@pytest.mark.parametrize(
    ("then", "begun_anew"),
    [
        ({}, False),
        ({"LINGER_MAX": "20"}, False),
        ({"NULLS": "null"}, True),
        ({"TOPIC_PRODUCTS": "other.products"}, True),
        ({"MAPPING": MAPPING.replace("title", "name")}, True),
    ],
)
def test_a_store_of_another_mapping_is_made_anew_and_that_is_told(
    then: dict[str, str], begun_anew: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever decides what is kept of a row; the old file is set aside. Other settings change nothing."""
    first = ENVIRONMENT | {"MAPPING": MAPPING, "STATE_DIR": str(tmp_path)}
    for environment in (first, first | then):
        with ExitStack() as stack:
            build(load(environment), Metrics(), stack)
    told = [record for record in caplog.records if getattr(record, "connector_event", "") == "store_begun_anew"]
    assert bool(told) is begun_anew
    assert len(list(tmp_path.glob("aside-*.sqlite3"))) == begun_anew
    assert all("made with another mapping" in record.getMessage() for record in told)


def test_without_families_nothing_is_written(tmp_path: Path) -> None:
    """The folder need not be there."""
    with ExitStack() as stack:
        build(load(ENVIRONMENT | {"STATE_DIR": str(tmp_path / "none")}), Metrics(), stack)
    assert list(tmp_path.iterdir()) == []


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def test_a_log_on_a_full_disk_changes_neither_the_service_nor_its_exit_status() -> None:
    """It serves its port, and a supervisor sees a stop in good order."""
    port = _free_port()
    own = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port), "PATH": os.environ["PATH"], "REPLENIT_BASE_URL": NOBODY}
    kept = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE")}
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "connector", "run"],
            env=ENVIRONMENT | own | kept,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    with process:
        running = Connector(process, Path(os.devnull), [port])
        running.wait_until(lambda: (page := running.page("/readyz")) is not None and page.is_success, "the loop turns")
        assert running.stop() == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_the_port_serves_while_a_large_store_is_checked(tmp_path: Path) -> None:
    """A platform that asks whether the process is alive must not end it for that: it is alive, and not ready.

    Another program has the file meanwhile, for which the connector waits a second before it gives up.
    """
    port = _free_port()
    own = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port), "STATE_DIR": str(tmp_path), "MAPPING": MAPPING}
    answers: list[httpx.Response] = []
    for _ in range(5):  # a second may pass unseen on a busy machine
        with (
            closing(sqlite3.connect(tmp_path / NAME, isolation_level=None)) as other,
            connector("127.0.0.1:1", NOBODY, ENVIRONMENT | own) as process,
        ):
            other.execute("BEGIN EXCLUSIVE")
            process.ports.append(port)
            while process.process.poll() is None and len(answers) < 3:
                answers[:] = filter(None, map(process.page, ("/livez", "/readyz", "/status")))
            assert process.process.wait(30) == 69
            assert "SQLITE_BUSY" in process.lines()
        if len(answers) == 3:
            break
    assert [answer.status_code for answer in answers] == [200, 503, 200]
    assert answers[2].json()["ready"] is False


_WITH_A_SLOW_TABLE = f"""
from connector import cli
from connector.adapters import store_tables as tables
tables.LAYOUT = tables.LAYOUT._replace(statements=(*tables.LAYOUT.statements, {SLOW!r}))
raise SystemExit(cli.main(["run"]))
"""


@contextmanager
def _with_a_slow_table(folder: Path) -> Iterator[Connector]:
    """A connector whose store has a table that may take minutes to check."""
    port = _free_port()
    own = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port), "STATE_DIR": str(folder), "MAPPING": MAPPING}
    environment = environment_of("127.0.0.1:1", NOBODY, ENVIRONMENT | own)
    with (folder / "output").open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", _WITH_A_SLOW_TABLE], env=environment, stdout=file, stderr=subprocess.STDOUT
        )
    with process:
        try:
            yield Connector(process, folder / "output", [port])
        finally:
            process.kill()


def test_a_stop_does_not_wait_until_a_large_store_is_checked(tmp_path: Path) -> None:
    """The process ends in good order, and the store is not touched."""
    with _with_a_slow_table(tmp_path) as process:
        process.wait_until(lambda: (page := process.page("/readyz")) is not None and page.is_success, "the loop turns")
        assert process.stop() == 0
    slow_down(tmp_path / NAME, 3000)
    with _with_a_slow_table(tmp_path) as process:
        process.wait_until(lambda: process.page("/livez") is not None, "its port is served")
        assert process.stop(30) == 0
        assert '"stopped"' in process.lines()
        assert '"starting"' not in process.lines()
    assert list(tmp_path.glob("aside-*")) == []
