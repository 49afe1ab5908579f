"""What is remembered of keys beside the pending work: the newest, within bounds that a table of any size keeps to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

K = TypeVar("K")
V = TypeVar("V")

MOST_BYTES = 64_000_000
_OVERHEAD = 250
"""About the bytes that a remembered key takes beside what is weighed of it."""


class Remembered(Generic[K, V]):
    """Keys with a value each, the latest so many; beyond, what was put first is forgotten.

    `weigh`: about the bytes of a key and its value, of which `most_bytes` are remembered, and one key at least.
    """

    def __init__(self, most: int, weigh: Callable[[K, V], int], most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._weigh = weigh
        self._values: dict[K, V] = {}
        self.weight = 0

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[K]:
        return iter(self._values)

    def get(self, key: K) -> V | None:
        """The key's value, None if it is not remembered."""
        return self._values.get(key)

    def put(self, key: K, value: V) -> None:
        """Remember, as the latest."""
        self.pop(key)
        self._values[key] = value
        self.weight += _OVERHEAD + self._weigh(key, value)
        while len(self._values) > self._most or (self.weight > self._most_bytes and len(self._values) > 1):
            self.pop(next(iter(self._values)))

    def pop(self, key: K) -> V | None:
        """Forget the key; its value, None if it was not remembered."""
        value = self._values.pop(key, None)
        if value is not None:
            self.weight -= _OVERHEAD + self._weigh(key, value)
        return value

    def forget(self, gone: Callable[[K, V], bool]) -> None:
        """Forget the keys of which this holds."""
        for key in [key for key, value in self._values.items() if gone(key, value)]:
            self.pop(key)
