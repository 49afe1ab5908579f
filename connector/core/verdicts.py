"""What a mapping makes of a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from connector.core.events import Reject
    from connector.core.states import ItemKey


class Upsert(NamedTuple):
    """The document as it should be at Replenit, before it is judged.

    `unavailable`: fields whose value the event does not tell although it did not change; the document lacks them.
    `held`: the items of the row as it was, where that is known. `merged_items`, `rounded`
    and `omitted` are for counting.
    `retracts`: it takes a consent back, and holds nothing else.
    """

    id: str
    document: dict[str, Any]
    unavailable: frozenset[str] = frozenset()
    held: frozenset[ItemKey] = frozenset()
    merged_items: int = 0
    rounded: int = 0
    omitted: int = 0
    retracts: bool = False


@dataclass(frozen=True, slots=True)
class Delete:
    """The document should not be at Replenit. `doubtful`: nothing says that it ever was."""

    id: str
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Nothing that is sent has changed; if the row's last state was sent, there is nothing to do."""

    id: str


@dataclass(frozen=True, slots=True)
class Withhold:
    """The document must not be sent as it is, and that is no error. `reason` is a label of the metrics."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unfed:
    """No column tells whether the customer has given consent."""

    id: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The record can't be mapped: a dead letter. `held`: as in `Upsert`."""

    reject: Reject
    held: frozenset[ItemKey] = frozenset()


Verdict: TypeAlias = Upsert | Delete | Unchanged | Withhold | Unfed | Refused
