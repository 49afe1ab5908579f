"""Hours of a budget at a server that keeps the limits by its own clock, in virtual time.

The server counts each request at some instant between its send and its answer, which a scenario chooses. Processes
crash, leave requests under way and are started anew with an empty budget; replicas share a key; others use it too.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count, pairwise
from random import Random
from typing import TypeAlias

from connector.core.budget import Budget, Slot

POLL = 0.1
THREADS = 8
CLOSED_AFTER_CRASH = 10.0
_BEGAN = 1e6  # a monotonic clock starts anywhere
_ROUNDING = 1e-6  # seconds: sums of times are not exact

# By chance and the time of the send: the seconds from it to the server's count, and to the answer.
Latency: TypeAlias = Callable[[Random, float], tuple[float, float]]


def quick(random: Random, _: float) -> tuple[float, float]:
    """Each answer within 0.3 s."""
    total = random.uniform(0.05, 0.3)
    return random.uniform(0, total), total


def straggling(random: Random, _: float) -> tuple[float, float]:
    """One request in fifty takes up to 30 s, the others are quick; the server counts at either end or in between."""
    total = random.uniform(0, 30) if random.random() < 0.02 else random.uniform(0.05, 0.3)
    return random.choice((0, total, random.uniform(0, total))), total


def erratic(random: Random, _: float) -> tuple[float, float]:
    """A server at its worst: answers take anything up to 30 s."""
    total = random.choice((0.01, 0.3, random.uniform(0, 30), 30))
    return random.choice((0, total, random.uniform(0, total))), total


def late(*spans: tuple[float, float]) -> Latency:
    """What is sent within the spans is counted and answered 30 s later, all else at once."""

    def latency(_: Random, now: float) -> tuple[float, float]:
        total = 30.0 if any(start <= now < end for start, end in spans) else 0.0
        return total, total

    return latency


@dataclass(frozen=True, slots=True)
class Scenario:
    """What happens within `seconds`. `demand(at)`: whether something waits then; `light`: it may use all tokens.

    `crashes`: when which replica dies; it starts anew at once. `shares`: from when which shares hold. `others`:
    requests a minute of another client. `strict`: the server answers 429 above the limits; else it only counts.
    """

    seconds: float
    latency: Latency = quick
    demand: Callable[[float], bool] = lambda _: True
    light: bool = False
    per_minute: int = 100
    per_hour: int = 5000
    crashes: tuple[tuple[float, int], ...] = ()
    shares: tuple[tuple[float, tuple[float, ...]], ...] = ((0.0, (1.0,)),)
    others: float = 0.0
    strict: bool = False
    threads: int = THREADS
    seed: int = 0


@dataclass(slots=True)
class Run:
    """What happened: when requests left, when the server counted them, and what it refused."""

    sent: list[float] = field(default_factory=list)
    counted: list[float] = field(default_factory=list)
    throttled: list[float] = field(default_factory=list)

    def most_within(self, seconds: float) -> int:
        """The most requests that the server counted in any trailing window."""
        window: deque[float] = deque()
        most = 0
        for at in sorted(self.counted):
            window.append(at)
            while window[0] <= at - seconds + _ROUNDING:
                window.popleft()
            most = max(most, len(window))
        return most

    def between(self, start: float, end: float) -> int:
        """How many requests left."""
        return sum(start <= at < end for at in self.sent)

    def longest_gap(self, start: float) -> float:
        """The longest time between two sends after `start`."""
        return max(after - before for before, after in pairwise(at for at in self.sent if at >= start))


@dataclass(slots=True)
class _Replica:
    budget: Budget
    under_way: int = 0
    life: int = 0


@dataclass(slots=True)
class _Sent:
    replica: int
    life: int
    slot: Slot
    answer_at: float


class _Server:
    """Counts the trailing minute and hour, and says what is left of the minute."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.minute: deque[float] = deque()
        self.hour: deque[float] = deque()

    def count(self, now: float) -> tuple[int, dict[str, str]]:
        """The status and the headers for a request that arrives now. A refused one counts as well."""
        for window, seconds in ((self.minute, 60.0), (self.hour, 3600.0)):
            while window and window[0] <= now - seconds + _ROUNDING:
                window.popleft()
            window.append(now)
        over = len(self.minute) > self.scenario.per_minute or len(self.hour) > self.scenario.per_hour
        left = max(0, self.scenario.per_minute - len(self.minute))
        headers = {"x-ratelimit-limit": str(self.scenario.per_minute), "x-ratelimit-remaining": str(left)}
        return 429 if over and self.scenario.strict else 200, headers


class _World:
    """The events of a scenario, in the order of their times."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.random = Random(scenario.seed)
        self.run = Run()
        self.server = _Server(scenario)
        self.order = count()
        self.events: list[tuple[float, int, Callable[[float], None]]] = []
        self.shares = scenario.shares[0][1]
        self.replicas = [_Replica(self._budget(0.0, share)) for share in self.shares]
        for at, shares in scenario.shares[1:]:
            self.at(at, partial(self.rebalance, shares=shares))
        for at, index in scenario.crashes:
            self.at(at, partial(self.crash, index=index))
        for index in range(len(self.replicas)):
            self.at(0.0, partial(self.turn, index=index))
        if scenario.others:
            self.at(0.0, self.other)

    def _budget(self, now: float, share: float) -> Budget:
        scenario = self.scenario
        return Budget(scenario.per_minute, scenario.per_hour, now=_BEGAN + now, share=share)

    def at(self, when: float, event: Callable[[float], None]) -> None:
        heapq.heappush(self.events, (when, next(self.order), event))

    def play(self) -> Run:
        while self.events and self.events[0][0] < self.scenario.seconds:
            now, _, event = heapq.heappop(self.events)
            event(now)
        return self.run

    def turn(self, now: float, index: int) -> None:
        """One turn of a replica's loop: send what may go, then sleep like its poll."""
        replica, clock, scenario = self.replicas[index], _BEGAN + now, self.scenario
        wait = POLL
        while replica.under_way < scenario.threads and scenario.demand(now):
            wait = replica.budget.wait(clock, 0 if scenario.light else replica.budget.keep())
            if wait > 0:
                break
            self.send(now, index)
        self.at(now + min(max(wait, 0.01), POLL), partial(self.turn, index=index))

    def send(self, now: float, index: int) -> None:
        replica = self.replicas[index]
        counted, total = self.scenario.latency(self.random, now)
        sent = _Sent(index, replica.life, replica.budget.spend(_BEGAN + now), now + total)
        replica.under_way += 1
        self.run.sent.append(now)
        self.at(now + counted, partial(self.arrive, sent=sent))

    def arrive(self, now: float, sent: _Sent) -> None:
        self.run.counted.append(now)
        status, headers = self.server.count(now)
        if status != 200:
            self.run.throttled.append(now)
        self.at(sent.answer_at, partial(self.answer, sent=sent, status=status, headers=headers))

    def answer(self, now: float, sent: _Sent, status: int, headers: dict[str, str]) -> None:
        replica = self.replicas[sent.replica]
        if replica.life == sent.life:
            replica.under_way -= 1
            replica.budget.answer(sent.slot, _BEGAN + now, status, headers)

    def crash(self, now: float, index: int) -> None:
        """The process dies; what it had under way goes on. The next one knows nothing but that it was unclean."""
        budget, life = self._budget(now, self.shares[index]), self.replicas[index].life + 1
        budget.close_until(_BEGAN + now + CLOSED_AFTER_CRASH)
        self.replicas[index] = _Replica(budget, life=life)

    def rebalance(self, now: float, shares: tuple[float, ...]) -> None:
        self.shares = shares
        for replica, share in zip(self.replicas, shares, strict=True):
            replica.budget.set_share(share, _BEGAN + now)

    def other(self, now: float) -> None:
        self.server.count(now)
        self.at(now + self.random.expovariate(self.scenario.others / 60), self.other)


def simulate(scenario: Scenario) -> Run:
    """Play a scenario; times in the result are seconds since its begin."""
    return _World(scenario).play()
