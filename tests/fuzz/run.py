"""Look for what a target raises, guided by coverage, until it is found or stopped: `python -m fuzz.run TARGET`.

Further arguments are libFuzzer's: `-max_total_time=3600`, a folder to keep what was found interesting, a file to try
again. It needs atheris, which is no dependency of the project.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["connector"]):
    from fuzz import seeds
    from fuzz.targets import TARGETS


def main(arguments: list[str]) -> None:
    if not arguments or arguments[0] not in TARGETS:
        sys.exit(f"usage: python -m fuzz.run {{{','.join(TARGETS)}}} [libFuzzer's arguments]")
    target, *others = arguments
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(seeds.of(target)):
            (Path(folder) / str(number)).write_bytes(data)
        atheris.Setup(
            [sys.argv[0], "-max_len=20000", "-timeout=10", "-rss_limit_mb=2048", *others, folder], TARGETS[target]
        )
        atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
