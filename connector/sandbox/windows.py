"""Rate limits as exact trailing counts: how many requests a key sent in the minute and hour before each moment."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


class Window:
    """The requests of the half-open span (now - seconds, now]. `limit` None: counted, never over."""

    def __init__(self, seconds: float, limit: int | None) -> None:
        self.seconds = seconds
        self.limit = limit
        self._times: deque[float] = deque()

    @property
    def count(self) -> int:
        """How many requests the span held when the last one entered."""
        return len(self._times)

    def enter(self, now: float) -> None:
        """Count a request. Times never go backwards."""
        self._times.append(now)
        while self._times[0] <= now - self.seconds:
            self._times.popleft()

    def withdraw(self) -> None:
        """Forget the request that entered last."""
        self._times.pop()

    def over(self) -> bool:
        return self.limit is not None and len(self._times) > self.limit

    def wait(self, now: float) -> float:
        """Seconds until one more request would be within the limit, 0 = now."""
        if self.limit is None or len(self._times) < self.limit:
            return 0.0
        if self.limit == 0:
            return self.seconds
        return max(0.0, self._times[-self.limit] + self.seconds - now)

    def remaining(self) -> int:
        return max(0, (self.limit or 0) - len(self._times))

    def frees_at(self, now: float) -> float:
        """When the oldest request leaves the span."""
        return (self._times[0] if self._times else now) + self.seconds


@dataclass(frozen=True, slots=True)
class Standing:
    """What the limits say to one request. `exceeded` names the windows that it is over, `newly` those it broke first.

    `limit`, `remaining` and `resets_at` (in the clock's seconds) are the minute's, or the hour's where a minute has no
    limit; `limit` None: neither has one.
    """

    limit: int | None
    remaining: int
    resets_at: float
    retry_after: int
    exceeded: tuple[str, ...] = ()
    newly: tuple[str, ...] = ()

    def headers(self, epoch: float) -> dict[str, str]:
        """Return what every answer says of the limits; `epoch` is the UNIX time of the clock's zero."""
        if self.limit is None:
            return {}
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": str(int(self.resets_at + epoch) + 1),
        }


class RateLimits:
    """The windows of all keys, and the fullest minute and hour that any of them ever had.

    Every request counts, failed ones too. `count_refused`: so do those that were answered with 429; a client that
    hammers on then never gets through.
    """

    def __init__(self, per_minute: int | None, per_hour: int | None, *, count_refused: bool = True) -> None:
        self.fullest_minute = 0
        self.fullest_hour = 0
        self._limits = (per_minute, per_hour)
        self._count_refused = count_refused
        self._windows: dict[str, tuple[Window, Window]] = {}
        self._over: dict[str, tuple[str, ...]] = {}

    def arrive(self, key: str, now: float) -> Standing:
        """Count a request of `key`. It is refused if `exceeded` is not empty."""
        if key not in self._windows:
            self._windows[key] = (Window(60, self._limits[0]), Window(3600, self._limits[1]))
        minute, hour = self._windows[key]
        minute.enter(now)
        hour.enter(now)
        exceeded = tuple(name for name, window in (("minute", minute), ("hour", hour)) if window.over())
        newly = tuple(name for name in exceeded if name not in self._over.get(key, ()))
        self._over[key] = exceeded
        if exceeded and not self._count_refused:
            minute.withdraw()
            hour.withdraw()
        self.fullest_minute = max(self.fullest_minute, minute.count)
        self.fullest_hour = max(self.fullest_hour, hour.count)
        wait = max(1, math.ceil(max(minute.wait(now), hour.wait(now)))) if exceeded else 0
        stated = hour if minute.limit is None else minute
        return Standing(stated.limit, stated.remaining(), stated.frees_at(now), wait, exceeded, newly)
