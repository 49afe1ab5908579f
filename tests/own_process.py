"""A program that the tests own: in a folder of its own, and gone with it once the tests are, however these end."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from unavailable import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

START_PATIENCE = 120.0
STOP_PATIENCE = 60.0

# Each line of its standard input is a process of ours, or empty while there is none. When the input ends, whoever held
# its other end is gone, however it was ended: so must be the program and its folder, in which a process that dies may
# still create a file.
_WATCHDOG = """
while read -r line; do process=$line; done
test -z "$process" || kill -s KILL "$process"
for attempt in 1 2 3 4 5; do rm -rf "$1" && exit; sleep 0.2; done
"""


class OwnProcess:
    """A program that runs, ran or will run, one process at a time. What it prints stands in the folder's file `log`."""

    def __init__(self, name: str) -> None:
        """Make its folder; `name` is for whoever finds it."""
        self.folder = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        # In a session of its own it outlives a signal to the whole group, such as a terminal's Ctrl-C.
        self._watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, "watchdog", self.folder], stdin=subprocess.PIPE, start_new_session=True
        )

    def start(self, *command: str | Path) -> None:
        """Start it in its folder."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._watch(self._process.pid)

    def run(self, *command: str | Path) -> None:
        """Start it, and wait until it has ended well. Raise UnavailableError with its last line if it has not."""
        self.start(*command)
        assert self._process is not None
        if self._process.wait(START_PATIENCE):
            raise UnavailableError(f"{self._name}: preparing it failed; its last line: {self.last_line()}")

    def wait_until(self, holds: Callable[[], bool], what: str, patience: float = START_PATIENCE) -> None:
        """Wait while it runs; raise UnavailableError if it ends or takes too long."""
        deadline = monotonic() + patience
        assert self._process is not None
        while not holds():
            try:
                self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                if monotonic() < deadline:
                    continue
                raise UnavailableError(
                    f"{self._name}: not within {patience:.0f} s: {what}; its last line: {self.last_line()}"
                ) from None
            raise UnavailableError(f"{self._name}: it ended before: {what}; its last line: {self.last_line()}")

    def send(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def end(self, number: signal.Signals) -> None:
        """End it by a signal, also if it is stopped by one; return when it is gone."""
        if self._process is not None:
            self.send(number)
            self.send(signal.SIGCONT)
            self._process.wait(STOP_PATIENCE)
            self._watch("")
            self._process = None

    def close(self) -> None:
        """End it at once, in whatever state it is, and remove its folder."""
        self.end(signal.SIGKILL)
        self._watchdog.communicate()

    def last_line(self) -> str:
        return ((self.folder / "log").read_text(errors="replace").strip().splitlines() or ["none"])[-1]

    def _watch(self, process: int | str) -> None:
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.write(f"{process}\n".encode())
        self._watchdog.stdin.flush()
