"""The connector as a process of its own, by a clock that is faster than real ones and may jump.

What runs is `replenit-connector run`, with other clocks. `python -m chaos.process SPEED BEGAN JUMP`: JUMP is a file of
8 bytes, the seconds by which the wall clock is wrong.
"""

from __future__ import annotations

import mmap
import struct
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from connector import cli
from connector.commands import run
from connector.sandbox.hurry import Clock, Hurried
from connector.service import Clocks

if TYPE_CHECKING:
    from connector.ownership import Source


def main(speed: str, began: str, jump: str) -> int:
    clock = Clock(float(speed), float(began))
    with Path(jump).open("rb") as file:
        wrong = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
    clocks = Clocks(clock.monotonic, lambda: float(clock.wall() + struct.unpack("d", wrong[:8])[0]))
    hurried = partial(run.serve, clocks=clocks, around=lambda source: cast("Source", Hurried(source, clock.speed)))
    run.serve = hurried
    return cli.main(["run"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
