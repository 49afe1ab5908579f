"""Log lines in a flood: of each kind the first of a minute are written, the others are counted, and that is told.

A line that could not be written, as on a full disk, is counted likewise.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_LINES = 20
"""Lines of a kind that are written within a window."""

WINDOW = 60.0
_MOST_KINDS = 1000
_KIND_FIELDS = ("lane", "entity", "reason")
"""Fields that make a line one of another kind: a flood of one reason must not hide the first line of another."""


class Held(NamedTuple):
    """How many lines of a kind were held back."""

    event: str
    kind: str
    lines: int


@dataclass(slots=True)
class _Window:
    until: float
    written: int = 0
    held: int = 0


class Sampling(logging.Filter):
    """A filter of the log's handler. Safe from every thread. `clock`: monotonic seconds.

    A thousand kinds are told apart; lines of further ones pass uncounted until a window is over.
    """

    def __init__(
        self, most: int = MOST_LINES, window: float = WINDOW, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._most = most
        self._length = window
        self._clock = clock
        self._lock = threading.RLock()  # a finalizer may log within
        self._windows: dict[tuple[str, str], _Window] = {}
        self._held: Counter[tuple[str, str]] = Counter()  # in windows that are over

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the line is written."""
        with self._lock:
            window = self._window(record)
            written = window.written < self._most
            window.written += written
            window.held += not written
            return written

    def lost(self, record: logging.LogRecord) -> None:
        """The line could not be written."""
        with self._lock:
            self._window(record).held += 1

    def due(self, *, at_once: bool = False) -> list[Held]:
        """What was held back in windows that are over, or in all of them; it is told once."""
        with self._lock:
            now = self._clock()
            for kind in [kind for kind, window in self._windows.items() if at_once or window.until <= now]:
                self._held[kind] += self._windows.pop(kind).held
            held, self._held = self._held, Counter()
        return [Held(*kind, lines) for kind, lines in held.items() if lines]

    def _window(self, record: logging.LogRecord) -> _Window:
        kind, now = _kind(record), self._clock()
        window = self._windows.get(kind)
        if window is not None and window.until <= now:
            self._held[kind] += self._windows.pop(kind).held
            window = None
        if window is None:
            window = _Window(now + self._length)
            if len(self._windows) < _MOST_KINDS:
                self._windows[kind] = window
        return window


def _kind(record: logging.LogRecord) -> tuple[str, str]:
    fields = getattr(record, "connector_fields", {})
    named = [str(fields[name]) for name in _KIND_FIELDS if name in fields]
    return getattr(record, "connector_event", "library"), " ".join(named) or record.name
