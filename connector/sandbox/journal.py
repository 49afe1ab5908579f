"""What the sandbox saw: every request, and every promise of the connector that one of them broke."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_KEPT = 100_000
MOST_IDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, without its payload. `status` 0: it got no answer. `fault` is what was done to it.

    `time` is the UNIX time of arrival and `seconds` the duration, both by the sandbox's clock. `ids` are the keys it
    touched, one a record; () once a million keys of later requests are kept.
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
    """Requests that are worked on, and those that are done: all are counted, the last 100,000 are kept.

    Not thread-safe: the caller holds a lock.
    """

    def __init__(self) -> None:
        self.broken_promises: deque[str] = deque(maxlen=MOST_KEPT)
        self.counts: Counter[tuple[str, int]] = Counter()
        self.in_flight: set[int] = set()
        self._number = 0
        self._recent: deque[Seen] = deque()
        self._bare: deque[Seen] = deque()  # older than those, and without their ids
        self._ids = 0
        self._working: dict[tuple[str, str, str], list[int]] = {}

    @property
    def requests(self) -> list[Seen]:
        """The requests that are kept, in the order in which they ended."""
        return [*self._bare, *self._recent]

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
        self._keep(seen)
        self.broken_promises.extend(seen.broken_promises)
        self.counts[seen.endpoint, seen.status] += 1

    def _keep(self, seen: Seen) -> None:
        """A full batch has hundreds of keys, so that a bound on requests alone would be none on memory."""
        self._recent.append(seen)
        self._ids += len(seen.ids)
        while self._ids > MOST_IDS or len(self._recent) > MOST_KEPT:
            oldest = self._recent.popleft()
            self._ids -= len(oldest.ids)
            self._bare.append(replace(oldest, ids=()))
        while self._bare and len(self._bare) + len(self._recent) > MOST_KEPT:
            self._bare.popleft()
