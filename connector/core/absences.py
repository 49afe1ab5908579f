"""Documents that are known not to be at Replenit: a row that changes without being sent costs one DELETE, not many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.core.remembered import Remembered

if TYPE_CHECKING:
    from connector.core.events import Partition
    from connector.core.states import Key

_MOST = 200_000


class Absences:
    """The newest so many keys; what is forgotten costs a DELETE more."""

    def __init__(self) -> None:
        self._keys: Remembered[Key, Partition] = Remembered(_MOST, lambda key, _: len(key.id))

    def __contains__(self, key: Key) -> bool:
        return key in self._keys

    def note(self, key: Key, partition: Partition) -> None:
        """Nothing of the key is there, or will be once what waits has been sent."""
        self._keys.put(key, partition)

    def drop(self, key: Key) -> None:
        """Something of the key may be there."""
        self._keys.pop(key)

    def forget(self, partition: Partition) -> None:
        """The partition is another process's, which may send what it likes."""
        self._keys.forget(lambda _, place: place == partition)
