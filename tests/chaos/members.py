"""The connector's processes: places of a StatefulSet, each with a disk of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from connector_process import Connector

from connector.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import ExitStack

GRACE = 20
"""Real seconds that a process has to stop."""

_TOO_LONG = GRACE + 10
_DISK = 32_000_000


class Member:
    """A place for one process at a time. `ended`: what a process that ended against all promises printed last."""

    def __init__(
        self, name: str, folder: Path, command: list[str], settings: Mapping[str, str], stack: ExitStack
    ) -> None:
        self.name = name
        self.process: Connector | None = None
        self.ended: list[str] = []
        self._folder = folder
        self._command = [sys.executable, *command]
        self._stack = stack
        self.starts = 0
        self._frozen = False
        self._lacked_room = False  # the process, at some time
        self._disk, self.disk_fills = _disk(folder / f"disk-{name}", stack)
        kept = [name for name in os.environ if name in _KEPT or name.startswith("COVERAGE_PROCESS")]
        self._environment = {
            **{name: os.environ[name] for name in kept},
            "PYTHONPATH": str(Path(__file__).parents[1]),
            **settings,
            "STATE_DIR": str(self._disk),
            "SHUTDOWN_TIMEOUT": str(GRACE),
        }

    def start(self) -> None:
        """Start a process, unless there is one: faults of several kinds may each end it and start it anew."""
        if self.process is not None:
            return
        self.starts += 1
        output = self._folder / f"output-{self.name}{self.starts}"
        with output.open("wb") as file:
            process = subprocess.Popen(self._command, env=self._environment, stdout=file, stderr=subprocess.STDOUT)
        self._stack.callback(_end, process)
        self.process, self._frozen = Connector(process, output), False
        self._lacked_room = self._ballast.exists()

    def freeze(self) -> None:
        self._send(signal.SIGSTOP)
        self._frozen = True

    def thaw(self) -> None:
        self._send(signal.SIGCONT)
        self._frozen = False

    def kill(self) -> None:
        self._finish(signal.SIGKILL)

    def stop(self, *, well: bool = True) -> None:
        """End it as Kubernetes does. `well`: nothing excuses it from saying that all went well."""
        process = self.process
        try:
            status = self._finish(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self.ended.append(f"process {self.name} goes on {_TOO_LONG} s after SIGTERM")
            return
        listens = process is not None and '"starting"' in process.lines()  # else the signal's own default ends it
        if status and well and listens and process is not None:
            self.ended.append(f"process {self.name} stopped with {status}:\n{_tail(process)}")

    def restart_if_ended(self, *, well: bool) -> int | None:
        """Start it anew if it has ended by itself, as Kubernetes would; the exit status, if so."""
        status = None if self.process is None else self.process.process.poll()
        if self.process is None or status is None:
            return None
        lines = self.process.lines()
        overtaken = "another process has sent since" in lines  # which costs a restart
        lacked_room = self._lacked_room and "SQLITE_" in lines  # told late by one that was frozen meanwhile
        if status != PlatformError.exit_status or (well and not overtaken and not lacked_room):
            self.ended.append(f"process {self.name} ended by itself with {status}:\n{_tail(self.process)}")
        self.process = None
        self.start()
        return status

    # Its disk

    def fill_disk(self) -> None:
        self._lacked_room = True
        with suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while self.disk_fills:
                file.write(bytes(65536))

    def empty_disk(self) -> None:
        self._ballast.unlink(missing_ok=True)

    def disk_use(self) -> int:
        """Bytes that its files take, without what fills the disk."""
        return sum(each.stat().st_size for each in self._disk.iterdir() if each != self._ballast)

    @property
    def _ballast(self) -> Path:
        return self._disk / "ballast"

    def lose_disk(self) -> None:
        for each in self._disk.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()

    def _send(self, number: signal.Signals) -> None:
        if self.process is not None:
            self.process.process.send_signal(number)

    def _finish(self, number: signal.Signals) -> int | None:
        process, self.process = self.process, None
        if process is None:
            return None
        process.process.send_signal(number)
        if self._frozen:
            process.process.send_signal(signal.SIGCONT)
        return process.process.wait(_TOO_LONG)


_KEPT = {"PATH", "HOME", "LANG", "TMPDIR"}


def _disk(folder: Path, stack: ExitStack) -> tuple[Path, bool]:
    """A small disk of its own, where the machine lets us; else a folder, which is never full."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    if mounted:
        stack.callback(lambda: subprocess.run(["umount", "-l", str(folder)], check=False))
    return folder, mounted


def _tail(process: Connector) -> str:
    return "\n".join(process.lines().splitlines()[-8:])


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.send_signal(signal.SIGCONT)
    process.wait()
