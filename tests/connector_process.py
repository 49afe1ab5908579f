"""The connector as a process of its own, as a user would start it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from connector import cli
from connector.sandbox.config import DEFAULT_KEY, DEFAULT_TENANT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PATIENCE = 120.0
TURN = 0.1


@dataclass
class Connector:
    """A running connector. What it prints stands in `output`, which a failing test should show."""

    process: subprocess.Popen[bytes]
    output: Path
    ports: list[int] = field(default_factory=list)

    def lines(self) -> str:
        return self.output.read_text()

    def wait_until(self, holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Wait while the process runs; TimeoutError, with what it printed, if it ends or the time is over."""
        deadline = monotonic() + patience
        while not holds():
            try:
                status = self.process.wait(TURN)
            except subprocess.TimeoutExpired:
                if monotonic() < deadline:
                    continue
                raise TimeoutError(f"not within {patience} s: {what}\n{self.lines()}") from None
            raise TimeoutError(f"ended with {status} before: {what}\n{self.lines()}")

    def page(self, path: str) -> httpx.Response | None:
        """A page of its HTTP port; None while it does not serve."""
        port = self._port()
        try:
            return None if port is None else httpx.get(f"http://127.0.0.1:{port}{path}", trust_env=False)
        except httpx.HTTPError:
            return None

    def status(self) -> dict[str, Any]:
        page = self.page("/status")
        status: dict[str, Any] = {} if page is None else page.json()
        return status

    def stop(self, patience: float = 60.0) -> int:
        """Ask for a graceful stop, and return the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(patience)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def _port(self) -> int | None:
        if not self.ports:
            for line in self.lines().splitlines():
                if '"starting"' in line and line.endswith("}"):
                    self.ports.append(json.loads(line)["port"])
        return self.ports[0] if self.ports else None


@contextmanager
def connector(bootstrap_servers: str, url: str, changes: Mapping[str, str]) -> Iterator[Connector]:
    """Start a connector between a broker and a sandbox, and end it whatever happens."""
    environment = environment_of(bootstrap_servers, url, changes)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "connector", "run"], env=environment, stdout=file, stderr=subprocess.STDOUT
            )
        try:
            yield Connector(process, output)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def command(environment: Mapping[str, str], *words: str, status: int = 0) -> str:
    """Run a command of the connector's, in this process, and return what it prints. It must end with this status."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(printed):
        for name in [name for name in os.environ if name.startswith(("KAFKA_", "REPLENIT_", "TOPIC_"))]:
            patch.delenv(name)
        for name, value in environment.items():
            patch.setenv(name, value)
        try:
            ended = cli.main(list(words))
        except SystemExit as exit_:
            ended = int(exit_.code or 0)
    assert ended == status, printed.getvalue()
    return printed.getvalue()


def environment_of(bootstrap_servers: str, url: str, changes: Mapping[str, str]) -> dict[str, str]:
    """The environment of a connector between a broker and a sandbox."""
    kept = ("PATH", "HOME", "LANG", "SSL_CERT_FILE", "TMPDIR", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "REPLENIT_TENANT_ID": DEFAULT_TENANT,
        "REPLENIT_API_KEY": DEFAULT_KEY,
        "REPLENIT_BASE_URL": url,
        "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
        "RATE_LIMIT_PER_MINUTE": "5000",
        "RATE_LIMIT_PER_HOUR": "100000",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "LOG_FORMAT": "json",
        **changes,
    }
