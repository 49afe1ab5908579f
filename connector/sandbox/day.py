"""A shop's day as a script: what happens when. The same seed and size give the same day, whatever the clock does."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from connector.sandbox.config import DEFAULT_KEY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from connector.sandbox.server import Sandbox
    from connector.sandbox.shop import Shop

    Deed = Callable[[], None]


class Troubles:
    """What befalls the API: it fails, and the key of `key_file` is revoked and replaced."""

    def __init__(self, sandbox: Sandbox, key_file: Path) -> None:
        self._sandbox = sandbox
        self._key_file = key_file
        self._tenants = sandbox.config.tenants
        self._healthy = sandbox.faults
        self._key = DEFAULT_KEY
        self._put(DEFAULT_KEY)

    def fail(self) -> None:
        """503 for everything."""
        self._sandbox.faults = replace(self._healthy, down=True)

    def recover(self) -> None:
        self._sandbox.faults = self._healthy

    def revoke(self) -> None:
        self._sandbox.revoke(self._key)

    def replace(self) -> None:
        """Make a new key valid, and put it where the connector looks for it."""
        self._key = secrets.token_urlsafe()
        self._sandbox.allow(self._key, *self._tenants)
        self._put(self._key)

    def _put(self, key: str) -> None:
        """In one step: a file that is half written would be a key that is none."""
        scratch = self._key_file.with_suffix(".new")
        scratch.write_text(key)
        scratch.replace(self._key_file)


class Phase(NamedTuple):
    """A part of the day from `start` on, in seconds since its beginning."""

    start: float
    title: str


_MINUTE = 60.0
_LOADS = {"customers": 12_000, "products": 2_000, "orders": 6_000}
_LIVE = (3 * _MINUTE, 39 * _MINUTE)
# Entity → how often a second a row is inserted, and changed.
_RATES = {"customers": (0.5, 1.2), "orders": (1.2, 1.6), "products": (0.1, 0.8)}
_DELETES = {"customers": 150, "products": 60, "orders": 120}
_REPRICINGS = 3_000

SMALLEST, LARGEST = 0.01, 1.0
"""A smaller shop would run out of rows to delete, a larger one exceed what the embedded broker keeps."""


class Day:
    """The script for a shop. `size` 1: twenty thousand rows and as many changes."""

    def __init__(self, shop: Shop, troubles: Troubles, size: float) -> None:
        if not SMALLEST <= size <= LARGEST:
            raise ValueError(f"the size is a share from {SMALLEST} to {LARGEST}")
        self._shop = shop
        self._size = size
        self._agenda: list[tuple[float, Deed]] = []
        self.phases: list[Phase] = []
        self._write_agenda(troubles)
        self._agenda.sort(key=itemgetter(0))
        self.end = self._agenda[-1][0]
        self._left = deque(self._agenda)

    @property
    def over(self) -> bool:
        return not self._left

    def phase(self, now: float) -> Phase:
        return [phase for phase in self.phases if phase.start <= max(0.0, now)][-1]

    def advance(self, now: float, most: int = 400) -> None:
        """Do what is due, at most so much at a time."""
        for _ in range(most):
            if not self._left or self._left[0][0] > now:
                return
            self._left.popleft()[1]()

    def _write_agenda(self, troubles: Troubles) -> None:
        shop = self._shop
        loads = {entity: self._count(rows) for entity, rows in _LOADS.items()}
        told = ", ".join(f"{rows:,} {entity}" for entity, rows in loads.items())
        self._phase(0, f"First load: {told}")
        for start, (entity, rows) in zip((0, 50, 70), loads.items(), strict=True):
            self._spread(start, start + 40, rows, partial(shop.load, entity))
        self._phase(3, "The shop opens: customers register, orders come in")
        for entity, (inserted, changed) in _RATES.items():
            span = _LIVE[1] - _LIVE[0]
            self._spread(*_LIVE, self._count(inserted * span), partial(shop.insert, entity))
            self._spread(*_LIVE, self._count(changed * span), partial(shop.update, entity))
        repricings = self._count(_REPRICINGS)
        self._phase(8, f"A hot product: its price changes {repricings:,} times")
        self._spread(8 * _MINUTE, 13 * _MINUTE, repricings, shop.reprice)
        self._phase(13, "Rows are deleted, and some of them come back")
        for entity, rows in _DELETES.items():
            self._spread(13 * _MINUTE, 17 * _MINUTE, self._count(rows), partial(shop.delete, entity))
            self._spread(15 * _MINUTE, 18 * _MINUTE, self._count(rows / 5), partial(shop.reinsert, entity))
        self._phase(19, "Replenit is down for 5 minutes: changes wait and merge", troubles.fail)
        self._phase(24, "Replenit is back: what has waited goes out", troubles.recover)
        self._phase(27, "The API key is revoked", troubles.revoke)
        self._phase(29, "A new key is put into its file", troubles.replace)
        self._phase(31, "A column breaks: no new order has a currency", shop.spoil)
        self._phase(34.5, "The column is mended, and the orders that it spoilt", shop.mend)
        self._phase(36.5, "The evening is quiet")

    def _phase(self, minute: float, title: str, deed: Deed | None = None) -> None:
        self.phases.append(Phase(minute * _MINUTE, title))
        if deed is not None:
            self._agenda.append((minute * _MINUTE, deed))

    def _count(self, whole: float) -> int:
        return max(1, round(whole * self._size))

    def _spread(self, start: float, end: float, count: int, deed: Deed) -> None:
        """Do it so many times, evenly."""
        self._agenda += [(start + (end - start) * index / count, deed) for index in range(count)]
