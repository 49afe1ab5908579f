"""The long search: stories at random for so many minutes, each shortened where something is wrong.

PYTHONPATH=tests python -m model.search --minutes 20 --seed 1 --processes 2
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from multiprocessing import Pool
from random import Random

from model.story import alike, make_up, shorten


def _search(asked: tuple[int, float, int]) -> tuple[int, dict[str, str]]:
    """Stories made up from one seed: how many, and what was found."""
    seed, minutes, most = asked
    logging.disable(logging.CRITICAL)
    began, played = time.monotonic(), 0
    found: dict[str, str] = {}
    while time.monotonic() - began < minutes * 60 and len(found) < most:
        story = make_up(Random(f"{seed} {played}"))
        played += 1
        problems = story.play()
        what = alike(problems)
        if not problems or what in found:
            continue
        _tell(f"seed {seed}, story {played - 1}: {problems[0].strip()}")
        shortest = shorten(story, lambda other, what=what: alike(other.play()) == what)  # type: ignore[misc] # bound here
        problems = shortest.play()
        found[what] = f"seed {seed}, story {played - 1}\n{problems[0].strip()}\n{shortest}"
        _tell(found[what])
    return played, found


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description="Search for stories that break a promise.")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--most", type=int, default=5, help="finds of each process after which it ends")
    asked = parser.parse_args()
    began = time.monotonic()
    shares = [(asked.seed * 1000 + number, asked.minutes, asked.most) for number in range(asked.processes)]
    with Pool(asked.processes) as pool:
        results = pool.map(_search, shares)
    played, seconds = sum(played for played, _ in results), time.monotonic() - began
    finds = {what: story for _, found in results for what, story in found.items()}
    _tell(f"{played} stories in {seconds:.0f} s: {played / seconds:.1f} a second; {len(finds)} finds")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
