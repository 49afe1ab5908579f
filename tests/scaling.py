"""Whether work grows as what is worked on does: measured by the processor's time at growing sizes, not by a limit."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence, Sized

S = TypeVar("S", bound="Sized")

LEAST = 0.002  # seconds: below it the clock's grain is all that differs
_SLACK = 4
_ATTEMPTS = 3  # others compute, too


def grows_faster(work: Callable[[S], object], sizes: Sequence[S]) -> bool:
    """Whether one of these, each longer than that before, takes far longer than its length explains."""
    return all(_once(work, sizes) for _ in range(_ATTEMPTS))


def _once(work: Callable[[S], object], sizes: Sequence[S]) -> bool:
    taken = _seconds(work, sizes[0])
    for shorter, longer in pairwise(sizes):
        before, taken = taken, _seconds(work, longer)
        if taken > _SLACK * before * len(longer) / len(shorter):
            return True
    return False


def _seconds(work: Callable[[S], object], given: S) -> float:
    began = time.process_time()
    work(given)
    return max(time.process_time() - began, LEAST)
