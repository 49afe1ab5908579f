"""What the sandbox saw: every request, and every promise of the connector that one of them broke."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_KEPT = 50_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, without its payload. `status` 0: it got no answer. `ids` are the keys it touched.

    `time` is UNIX seconds and `seconds` the duration, both by the sandbox's clock; `fault` is what was done to it.
    """

    number: int
    time: float
    method: str
    endpoint: str
    status: int
    records: int
    seconds: float
    ids: tuple[str, ...]
    fault: str
    broken_promises: tuple[str, ...]


class Journal:
    """Requests that are worked on, and the last 50,000 that are done. Not thread-safe: the caller holds a lock."""

    def __init__(self) -> None:
        self.requests: deque[Seen] = deque(maxlen=MOST_KEPT)
        self.broken_promises: deque[str] = deque(maxlen=MOST_KEPT)
        self.counts: Counter[tuple[str, int]] = Counter()
        self.in_flight: set[int] = set()
        self._number = 0
        self._working: dict[tuple[str, str, str], list[int]] = {}

    def number(self) -> int:
        """The number of a request that has just arrived, from 1."""
        self._number += 1
        return self._number

    def begin(self, number: int, tenant: str, entity: str, ids: Iterable[str]) -> list[str]:
        """Work on these keys begins; returns the promises broken by that.

        The caller ends what it began before the client can read the answer: a client that waits for answers is then
        never suspected of an overlap.
        """
        self.in_flight.add(number)
        broken, twice = [], False
        for each in ids:
            working = self._working.setdefault((tenant, entity, each), [])
            twice = twice or number in working
            broken += [
                f"two requests in flight for one key of {entity}: #{other} and #{number}"
                for other in working
                if other != number
            ]
            working.append(number)
        if twice:
            broken.append(f"two states of one key of {entity} in one request: #{number}")
        return list(dict.fromkeys(broken))

    def end(self, seen: Seen, tenant: str, entity: str) -> None:
        """Work is over, whether or not the client still listens."""
        self.in_flight.discard(seen.number)
        for each in set(seen.ids):
            key = (tenant, entity, each)
            rest = [number for number in self._working.pop(key, []) if number != seen.number]
            if rest:
                self._working[key] = rest
        self.requests.append(seen)
        self.broken_promises.extend(seen.broken_promises)
        self.counts[seen.endpoint, seen.status] += 1
