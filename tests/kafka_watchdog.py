"""Ends a broker and removes its folder when the process that started both is gone, however that one ended.

A program of its own: `python kafka_watchdog.py FOLDER`. Each line of standard input is the broker's process group, 0
while there is none. The end of the input means that whoever held its other end is gone or done.
"""

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path


def main(folder: Path) -> None:
    group = 0
    for line in sys.stdin:
        group = int(line)
    if group:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while folder.exists() and time.monotonic() < deadline:  # a process that dies may still create a file
        shutil.rmtree(folder, ignore_errors=True)
        time.sleep(0.05)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
