"""How a lane's requests fare: after a failure it pauses, then tries with one request, and goes on once one succeeds."""

from __future__ import annotations

import math
from dataclasses import dataclass

LONGEST_PAUSE = 60.0


def pause(failures: int, jitter: float) -> float:
    """Seconds to wait after the n-th failure in a row: 1, 2, 4 … 60, less up to a quarter by `jitter` (0 … 1)."""
    return min(2.0 ** min(failures - 1, 10), LONGEST_PAUSE) * (1 - jitter / 4)


@dataclass(slots=True)
class Health:
    """A lane's recent past, in monotonic seconds. `served`: its last send. `flying`: requests without an outcome."""

    served: float = -math.inf
    flying: int = 0
    failures: int = 0
    retry_at: float = 0.0
    succeeded_at: float = -math.inf

    def may_send(self, now: float) -> bool:
        """Half-open after a failure: one request at a time until one succeeds."""
        return not self.failures or (now >= self.retry_at and not self.flying)

    def sent(self, now: float) -> None:
        self.served = now
        self.flying += 1

    def succeeded(self, now: float) -> None:
        self.failures = 0
        self.retry_at = 0.0
        self.succeeded_at = now

    def failed(self, now: float, jitter: float) -> None:
        """Several requests that fail at one moment lengthen the pause once."""
        if now >= self.retry_at:
            self.failures += 1
            self.retry_at = now + pause(self.failures, jitter)
