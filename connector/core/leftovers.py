"""Leftovers: what a refused change may have left at Replenit. A replay takes it away, whoever sends it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.core.items import KEYS

if TYPE_CHECKING:
    from connector.core.events import Entity
    from connector.core.states import ItemKey

LONGEST = 32_000
"""Bytes of a dead letter's header. Of more items the last ones are not told."""

_NO_ITEMS: frozenset[ItemKey] = frozenset()


class Leftovers(NamedTuple):
    """`ids`: of documents of a family, the one that it has last first. `items`: which a row or a family had before."""

    ids: tuple[str, ...] = ()
    items: frozenset[ItemKey] = _NO_ITEMS

    def __or__(self, other: Leftovers) -> Leftovers:
        return Leftovers(tuple(dict.fromkeys(self.ids + other.ids)), self.items | other.items)

    def holds(self, other: Leftovers) -> bool:
        """Whether all of the other's are among these."""
        return set(other.ids) <= set(self.ids) and other.items <= self.items

    def told(self) -> dict[str, Any]:
        """As JSON has them."""
        return {"ids": self.ids, "items": sorted(self.items)}

    def header(self) -> str:
        """What a dead letter's header says, "" if there are none."""
        room, fitting = LONGEST, []
        for key in (*self.ids, *sorted(self.items)):
            room -= len(json.dumps(key, ensure_ascii=False).encode("utf-8", "replace")) + 2
            if room >= 0:
                fitting.append(key)
        ids = [key for key in fitting if isinstance(key, str)]
        return json.dumps({"ids": ids, "items": fitting[len(ids) :]}, ensure_ascii=False) if fitting else ""

    @classmethod
    def read(cls, entity: Entity, told: Any) -> Leftovers:  # noqa: ANN401 (whatever JSON may hold)
        """As they were told of a document of the entity. Raises KeyError, TypeError and ValueError."""
        ids, items = tuple(told["ids"]), frozenset(tuple(item) for item in told["items"])
        if any(len(item) != len(KEYS.get(entity, ())) for item in items):
            raise ValueError("no items of such a document")
        for text in (*ids, *(part for item in items for part in item)):
            if not isinstance(text, str):
                raise TypeError("no key")
            text.encode()  # ValueError: it is no text
        return cls(ids, items)


NONE_LEFT = Leftovers()
