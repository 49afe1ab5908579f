"""The request budget: when the next request may leave, so that the API's limits hold by the API's own clock.

A token bucket bounds what leaves, and a window per limit counts what the server may have counted. The server counts a
request at some instant between its send and its answer, and knows nothing of our restarts and replicas. Hence:

- Tokens and requests under way together never exceed `burst * share`. So whatever the latency, the server counts at
  most `burst + seconds * rate` within `seconds`: those under way at the start of that time, and those sent since.
  That is `per_minute - 1` in a minute and `per_hour - 10` in an hour.
- The bucket starts empty: what a dead process sent has drawn on tokens that its successor has to gain anew. What it
  left under way, at most half a burst, may reach the server late. Until it has, the successor's bucket holds a quarter:
  a half, and a quarter for each of the two processes that can have lived since, make one burst. Nothing is stored.
- Replicas whose shares sum to at most 1 have one bucket's worth of tokens between them.

The windows therefore bind only when others use the key as well, or when shares change. All operations take O(1)
amortised; memory is one number per request that a window holds.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from connector.core.outcomes import retry_after as asked_pause

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_PER_MINUTE = 4
MIN_PER_HOUR = 60
MINUTE = 60.0
HOUR = 3600.0
LANDING = 30.0  # seconds in which what a dead process or a former owner of our share left under way reaches the server

_TOO_MANY_REQUESTS = 429
_LONGEST_BACKOFF = 60.0
_KEEP = 4
_CONTENDED = 600.0  # seconds for which a replica keeps what a 429 told of others, which its peers' requests hide
# What rounding may take from a sum of tokens: without it a wait for the last billionth of a token would never end.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True)
class Slot:
    """A request under way. `number` counts the requests spent up to it, `held` the minute's slots, both with itself."""

    sent: float
    number: int
    held: int


class Window:
    """At most `limit` requests within any `seconds`, by the server's clock.

    A slot is held from the send until one window after the answer. So of any `limit + 1` requests the last was sent a
    window after another's answer, and the server saw the two further apart than that.
    """

    def __init__(self, limit: int, seconds: float) -> None:
        self.limit = limit
        self.seconds = seconds
        self.share = 1.0  # this replica's part; beyond it the bucket holds, and the window where others take theirs
        self.under_way = 0
        self._answered: deque[float] = deque()  # when each slot falls free, ascending
        self._others: deque[tuple[float, int]] = deque()  # until when, how many: ascending, descending

    def hold(self) -> None:
        """Take a slot, before the request leaves."""
        self.under_way += 1

    def answer(self, now: float) -> None:
        """The answer is here, or will never be: the slot's window starts."""
        self.under_way -= 1
        self._answered.append(now + self.seconds)

    def see_others(self, now: float, count: int) -> None:
        """The server told of `count` requests of others: as many slots are held for a whole window."""
        while self._others and self._others[-1][1] <= count:
            self._others.pop()
        self._others.append((now + self.seconds, count))

    def held(self, now: float) -> int:
        """How many of our own requests the server may be counting."""
        while self._answered and self._answered[0] <= now:
            self._answered.popleft()
        return self.under_way + len(self._answered)

    def free(self, now: float) -> float:
        """How many requests of this replica's part may leave now."""
        self._expire_others(now)
        part = min(self._open_to_us(self._others[0][1] if self._others else 0), self.limit * self.share)
        return max(0.0, part - self.held(now))

    def wait(self, now: float) -> float:
        """Seconds until a request may leave; `math.inf` where that takes an answer."""
        self._expire_others(now)
        held, since = self.held(now), now
        for until, others in chain(self._others, ((math.inf, 0),)):
            due = max(since, self._falls_free(held - self._open_to_us(others)))
            if due < until:
                return due - now
            since = until
        return math.inf

    def _expire_others(self, now: float) -> None:
        while self._others and self._others[0][0] <= now:
            self._others.popleft()

    def _open_to_us(self, others: int) -> int:
        """Others go on sending while their figure is on its way: a tenth is left to them on top."""
        return int((self.limit - others - self.limit // 10) * self.share) if others else self.limit

    def _falls_free(self, excess: int) -> float:
        """When `excess + 1` of the slots that are held now will be free."""
        if excess < 0:
            return -math.inf
        return self._answered[excess] if excess < len(self._answered) else math.inf


class Budget:
    """One replica's part of the requests that an API key may send. `now` is monotonic seconds throughout.

    Ask `wait`; where it says 0, `spend` and send; hand each slot to `answer` exactly once. Retries, deletes and probes
    are requests like any other. A spend that `wait` did not allow is counted all the same.
    """

    def __init__(self, per_minute: int = 100, per_hour: int = 5000, *, now: float, share: float = 1.0) -> None:
        if per_minute < MIN_PER_MINUTE or per_hour < MIN_PER_HOUR:
            raise ValueError(f"a budget needs {MIN_PER_MINUTE} requests a minute and {MIN_PER_HOUR} an hour")
        self.burst = max(1, 16 * min(per_minute, per_hour) // 100)
        self.rate = min((per_minute - self.burst - 1) / MINUTE, (per_hour - self.burst - 10) / HOUR)
        self._share = share
        self._minute = Window(per_minute, MINUTE)
        self._hour = Window(per_hour, HOUR)
        self._minute.share = self._hour.share = share
        self._now = now
        self._tokens = 0.0
        self._spent = 0
        self._closed_until = now
        self._lands_until = now
        self._throttled_at = -math.inf
        self._throttles = 0
        self._contended_at = -math.inf
        self._contended = 0
        self._unexpected_limit: int | None = None
        self._told_limit = False

    @property
    def share(self) -> float:
        """This replica's part of `burst` and `rate`, which are the whole key's."""
        return self._share

    @property
    def starved(self) -> bool:
        """The share is too small for one request: it would wait for ever. Fewer replicas are the remedy."""
        return self.burst * self._share < 1 - _ROUNDING

    def keep(self) -> int:
        """How many tokens a bulk request leaves to light ones, as the argument of `wait`."""
        return int(min(_KEEP, self.burst * self._share // 4))

    def tokens(self, now: float) -> float:
        """What the bucket holds."""
        self._advance(now)
        return self._tokens

    def emptiness(self, now: float) -> float:
        """How empty the bucket is (0 … 1), of what it may hold now."""
        capacity = self._capacity(now)
        return 1 - self.tokens(now) / capacity if capacity else 1.0

    def free(self, now: float) -> dict[str, float]:
        """How many requests each limit leaves of this replica's part, by the limit's name."""
        return {"minute": self._minute.free(now), "hour": self._hour.free(now)}

    def wait(self, now: float, keep: int = 0) -> float:
        """Seconds until a request may leave that leaves `keep` tokens, 0.0 = now.

        `math.inf` where only an answer (or a greater share) can make room: the caller asks again after each answer. A
        bulk request goes within `(1 + keep()) / (rate * share) + 1` seconds where answers take at most one second and
        nobody else uses the key.
        """
        self._advance(now)
        closed = max(0.0, self._closed_until - now)
        return max(closed + self._refill(now, keep), self._minute.wait(now), self._hour.wait(now))

    def spend(self, now: float) -> Slot:
        """Take a token and a slot of each window; call it right before the request leaves."""
        self._advance(now)
        self._tokens -= 1
        self._spent += 1
        self._minute.hold()
        self._hour.hold()
        return Slot(now, self._spent, self._minute.held(now))

    def answer(
        self,
        slot: Slot,
        now: float,
        status: int | None,
        headers: Mapping[str, str],
        *,
        retry_after: float | None = None,
    ) -> None:
        """The request ended: with an answer, or without one (`status` None, a time-out or a broken connection).

        Header names are in lower case. `retry_after`: the pause that a 429 asks for in its body, for want of a header.
        """
        self._advance(now)
        self._minute.answer(now)
        self._hour.answer(now)
        if status == _TOO_MANY_REQUESTS:
            asked = asked_pause(headers)
            self._throttle(slot, now, retry_after if asked is None else asked)
        elif status is not None and slot.sent > self._throttled_at:
            self._throttles = 0
        self._read_limit(slot, now, headers, refused=status == _TOO_MANY_REQUESTS)

    def close_until(self, t: float) -> None:
        """Let no request leave before `t`: for the 10 s after an unclean start. The bucket stays empty so long."""
        self._closed_until = max(self._closed_until, t)
        self._lands_until = max(self._lands_until, t + LANDING)

    def set_share(self, share: float, now: float) -> None:
        """Take a part of the key's burst and rate; the replicas' shares must sum to at most 1 at every moment.

        A smaller share clips the tokens, a greater one adds none. What it adds may have been a dead replica's.
        """
        self._advance(now)
        if share > self._share:
            self._lands_until = max(self._lands_until, now + LANDING)
        self._share = self._minute.share = self._hour.share = share
        self._advance(now)

    def unexpected_limit(self) -> int | None:
        """A limit by the server's headers that is not the minute's; said once, for the log. None: nothing to say."""
        limit, self._unexpected_limit = self._unexpected_limit, None
        return limit

    def _advance(self, now: float) -> None:
        if self._now < self._lands_until < now:
            self._fill(self._lands_until)
        self._fill(now)

    def _fill(self, now: float) -> None:
        filling = max(0.0, now - max(self._now, self._closed_until))
        room = max(0.0, self._capacity(self._now) - self._minute.under_way)
        self._tokens = min(self._tokens + filling * self.rate * self._share, room)
        self._now = max(self._now, now)

    def _capacity(self, now: float) -> float:
        whole = self.burst * self._share
        return whole if now >= self._lands_until else min(whole, max(1.0, whole / 4))

    def _refill(self, now: float, keep: int) -> float:
        """Seconds that the bucket, once open, takes to hold a token more than is kept."""
        capacity, under_way = self._capacity(now), self._minute.under_way
        needed = 1 + min(keep, capacity // 4)
        if needed + under_way > capacity + _ROUNDING or 1 + under_way > max(1.0, self.burst * self._share / 2):
            return math.inf
        missing = needed - self._tokens
        return missing / (self.rate * self._share) if missing > _ROUNDING else 0.0

    def _throttle(self, slot: Slot, now: float, asked: float | None) -> None:
        """A 429: pause, with an empty bucket. Several 429s to requests of one moment double the pause once."""
        if slot.sent > self._throttled_at:
            self._throttles += 1
            self._throttled_at = now
        backoff = min(2.0 ** min(self._throttles, 6), _LONGEST_BACKOFF)
        self._tokens = min(self._tokens, 0.0)
        self._closed_until = max(self._closed_until, now + (asked or backoff))

    def _read_limit(self, slot: Slot, now: float, headers: Mapping[str, str], *, refused: bool) -> None:
        """Learn from `X-RateLimit-*` how many requests others sent, rather too few than one of our own.

        What peers may have sent is not taken for others'. Where all send what they may, that hides the others, and a
        429 is what tells of them: each adds a tenth of the limit, up to half of it, and that is kept for a while.
        """
        try:
            limit, remaining = int(headers["x-ratelimit-limit"]), int(headers["x-ratelimit-remaining"])
        except (KeyError, ValueError):
            return
        if limit != self._minute.limit:
            if not self._told_limit:
                self._told_limit, self._unexpected_limit = True, limit
        elif slot.sent >= self._lands_until + MINUTE:
            # The server counted at some instant since the send: all that we held then, and all that we sent since.
            ours = slot.held + self._spent - slot.number
            peers = math.ceil(limit * (1 - self._share))
            others = limit - remaining - ours - peers
            if now >= self._contended_at + _CONTENDED:
                self._contended = 0
            if refused and not remaining and peers and slot.sent > self._contended_at:
                self._contended_at, self._contended = now, min(self._contended + max(1, limit // 10), limit // 2)
            if (others := max(others, self._contended)) > 0:
                self._minute.see_others(now, min(others, limit))
