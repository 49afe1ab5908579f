"""What can happen, as data: a call of a stage, or of its processes, with arguments out of a few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Rule:
    """What it may be called with, and how often it comes in stories that are made up."""

    weight: int
    arguments: Mapping[str, Sequence[Any]]


SLOTS = (0, 1)

PROCESS_RULES = {
    "start": Rule(6, {"slot": SLOTS}),
    "stop": Rule(3, {"slot": SLOTS}),
    "crash": Rule(5, {"slot": SLOTS, "known": (False, True)}),
    "freeze": Rule(3, {"slot": SLOTS, "seconds": (2, 9, 12, 40, 90), "number": (0, 1, 2, 3)}),
    "expel": Rule(2, {"slot": SLOTS}),
    "rotate": Rule(2, {}),
    "commit_faults": Rule(5, {"fault": ("fail", "lost", "slow"), "count": (1, 3, 10)}),
    "silence": Rule(1, {"seconds": (2, 20)}),
    "letters": Rule(2, {"taken": (False, True), "shown": (False, True)}),
    "turn": Rule(9, {"steps": (1, 2, 5, 15)}),
    "run": Rule(14, {"seconds": (0.5, 2, 6, 15, 45, 130), "least_wait": (0.0, 0.3)}),
    "sleep": Rule(2, {"seconds": (1, 8, 30, 70)}),
    "jump": Rule(1, {"seconds": (-4000, -20, 20, 4000)}),
}
"""Of the processes, of Kafka and of time, which are the same for every shop."""
