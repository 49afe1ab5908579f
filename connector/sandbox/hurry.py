"""Time that passes faster than it does, for the connector as it is."""

from __future__ import annotations

import time
from typing import Any


class Clock:
    """Seconds that pass `speed` times as fast as real ones since `began`, a UNIX time: 0 on the monotonic clock.

    Processes that share speed and beginning share the time.
    """

    def __init__(self, speed: float, began: float | None = None) -> None:
        self.speed = speed
        self.began = time.time() if began is None else began
        self._began = time.monotonic() - (time.time() - self.began)

    def monotonic(self) -> float:
        return (time.monotonic() - self._began) * self.speed

    def wall(self) -> float:
        return self.began + self.monotonic()


class Hurried:
    """A source that is asked to wait in the clock's seconds, and waits as many real ones as those are."""

    def __init__(self, source: Any, speed: float) -> None:  # noqa: ANN401 # the connector's, of which nothing is known
        self._source = source
        self._speed = speed

    def poll(self, limit: int, timeout: float) -> Any:  # noqa: ANN401 # likewise
        return self._source.poll(limit, timeout / self._speed)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 # all else is the source's
        return getattr(self._source, name)
