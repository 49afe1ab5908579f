"""`python -m chaos`: run for long, with seeds of its own choice, and say what was found."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from random import SystemRandom
from time import monotonic

from chaos.faults import TRACKS
from chaos.play import play
from kafka_jars import JarNode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="runs begin until these are over (default: 10)")
    parser.add_argument("--run", type=float, default=100, help="seconds of faults in each run (default: 100)")
    parser.add_argument("--seed", type=int, help="the first run's; each other has the next")
    parser.add_argument("--tracks", nargs="*", default=[*TRACKS], choices=[*TRACKS], help="whence faults come")
    parser.add_argument("--logs", type=Path, help="a folder for what the connector's processes print")
    options = parser.parse_args()
    seed = SystemRandom().randrange(10**6) if options.seed is None else options.seed
    end, broken = monotonic() + 60 * options.minutes, 0
    while True:
        node = JarNode()
        try:
            outcome = play(seed, options.run, node, options.tracks, options.logs)
        finally:
            node.close()
        print("\n".join([str(outcome), *outcome.broken]), flush=True)  # noqa: T201
        broken += bool(outcome.broken)
        seed += 1
        if monotonic() > end:
            return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
