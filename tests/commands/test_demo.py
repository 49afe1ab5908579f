"""The demo as its spectators start it: in terminals, through pipes, stopped, and kept."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 120.0
SMALL = ("--size", "0.02", "--speed", "600")
AGREE = "rows agree with what Replenit holds, and no promise was broken."
COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7])(?:;\d+)*m")
ALTERNATE, RESTORED = "\x1b[?1049h", "\x1b[?1049l"


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "connector", "demo", *SMALL, *options]


def environment(**changes: str) -> dict[str, str]:
    """Ours without what tells programs how to print."""
    told = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TTY_COMPATIBLE", "TTY_INTERACTIVE"}
    return {name: value for name, value in os.environ.items() if name not in told} | {"TERM": "xterm", **changes}


@dataclass
class Shown:
    """What a terminal was given, and how the demo ended."""

    text: str
    status: int


def in_terminal(columns: int, sees: Callable[[int, str], None] = lambda *_: None, **changes: str) -> Shown:
    """Run the demo in a terminal. `sees` hears of its process, and of all that it has shown whenever there is more."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        command(), stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**changes), start_new_session=True
    )
    os.close(theirs)
    seen, deadline = b"", monotonic() + PATIENCE
    try:
        while monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    more = os.read(ours, 65536)
                except OSError:  # the terminal was closed by whoever wrote to it last
                    break
                if not more:
                    break
                seen += more
                sees(process.pid, seen.decode(errors="replace"))
        return Shown(seen.decode(errors="replace"), process.wait(PATIENCE))
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize("columns", [60, 80])
def test_a_terminal_sees_it_live_and_then_the_verdict(columns: int) -> None:
    """The screen is drawn aside, given back, and the verdict stays; all agree."""
    shown = in_terminal(columns)
    assert shown.status == 0, shown.text[-3000:]
    before, live = shown.text.split(ALTERNATE)
    live, verdict = live.split(RESTORED)
    assert not before.strip()
    assert "The shop opens" in live
    assert "waiting" in live
    assert AGREE in " ".join(re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", verdict).split())
    assert COLOUR.search(live)
    assert COLOUR.search(verdict)


def test_without_colours_where_none_are_wanted() -> None:
    """NO_COLOR is respected by the screen and by the verdict."""
    shown = in_terminal(80, NO_COLOR="1")
    assert shown.status == 0, shown.text[-3000:]
    assert ALTERNATE in shown.text
    assert not COLOUR.search(shown.text)


def test_control_c_ends_it_cleanly() -> None:
    """The terminal is given back, a sentence says how far it came, and the status is that of an interrupt."""
    interrupted: list[int] = []

    def interrupt(pid: int, text: str) -> None:
        if "The shop opens" in text and not interrupted:
            interrupted.append(pid)
            os.kill(pid, signal.SIGINT)

    shown = in_terminal(80, interrupt)
    assert shown.status == 130
    live, rest = shown.text.split(RESTORED)
    assert "Stopped in minute" in rest
    assert AGREE not in rest
    assert "Traceback" not in live + rest


def test_a_pipe_gets_plain_lines() -> None:
    """No escape sequences: a line for each phase, for what befalls, and the verdict."""
    done = subprocess.run(
        command("--seed", "7"), env=environment(), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    assert any(line.endswith("First load: 240 customers, 40 products, 120 orders") for line in lines)
    assert any("halted: Nothing is sent." in line for line in lines)
    assert any("recovered: Sending goes on." in line for line in lines)
    assert AGREE in done.stdout


def test_it_stays_if_asked_to() -> None:
    """With --keep the addresses of metrics and status are told, and they serve until Ctrl-C."""
    with subprocess.Popen(
        command("--keep"), env=environment(PYTHONUNBUFFERED="1"), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        try:
            told = ""
            for line in process.stdout:
                told += line
                if "until Ctrl-C" in line:
                    break
            addresses = re.findall(r"http://\S+/(?:metrics|status)", told)
            pages = [httpx.get(address, trust_env=False).text for address in dict.fromkeys(addresses)]
            process.send_signal(signal.SIGINT)
            status = process.wait(PATIENCE)
        finally:
            process.kill()
    assert AGREE in told
    assert "connector_api_requests_total" in pages[0]
    assert '"lanes"' in pages[1]
    assert status == 0


@pytest.mark.parametrize("wrong", [("--speed", "0"), ("--size", "2"), ("--size", "nan"), ("--nonsense",)])
def test_options_that_make_no_sense_are_refused(wrong: tuple[str, ...]) -> None:
    """Argparse's status, and a sentence of what would do."""
    done = subprocess.run(
        [sys.executable, "-m", "connector", "demo", *wrong],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 2
    assert "usage:" in done.stderr
