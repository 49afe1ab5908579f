"""Finding the bad records of a batch that the API refused without saying which.

The batch is split and its parts are tried: what is accepted is delivered, what is refused is split again, down to the
single record. With k bad records among n that takes at most 2·k·⌈log₂ n⌉ requests. Records that the strict reading of
the API's documents would refuse are tried apart first: mostly it is them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connector.core.entries import Entry
    from connector.core.pending import Pending


@dataclass(slots=True, eq=False)
class Group:
    """Records that are tried together: `size` at first, fewer once newer states have replaced some.

    `proven`: their other half was accepted, so one of them is bad.
    """

    number: int
    members: Sequence[Entry]
    size: int
    sibling: Group | None = None
    proven: bool = False
    not_before: float = 0.0


class Isolation:
    """The groups of one lane that are still to be tried, the last split first."""

    def __init__(self, pending: Pending) -> None:
        self._pending = pending
        self._groups: list[Group] = []
        self._numbers = count(1)

    def split(
        self,
        entries: Sequence[Entry],
        suspicious: Callable[[Entry], bool] = lambda _: False,
        not_before: float = 0.0,
    ) -> None:
        """Form two groups of waiting entries that failed together: the suspicious ones first, else by halves."""
        first = [entry for entry in entries if suspicious(entry)]
        rest = [entry for entry in entries if entry not in first] if first else []
        if not first or not rest:
            half = len(entries) // 2
            first, rest = list(entries[:half]), list(entries[half:])
        second = self._form(rest, not_before)
        self._form(first, not_before).sibling = second

    def again(self, group: Group, entries: Sequence[Entry], not_before: float) -> None:
        """Try the group's entries once more, after a failure that said nothing of them."""
        group.members, group.not_before = entries, not_before
        self._pending.group(entries, group.number)
        self._groups.append(group)

    def dissolve(self) -> None:
        """Let all members of groups wait in line again."""
        for group in self._groups:
            for entry in group.members:
                if self._pending.in_group(entry, group.number):
                    self._pending.ungroup(entry)
        self._groups.clear()

    def accepted(self, group: Group, delivered: int) -> None:
        """The group went through: if it was whole, the bad record is in the other half."""
        if group.sibling is not None and delivered == group.size:
            group.sibling.proven = True

    def ready(self, now: float) -> Group | None:
        """The group to try next. A group that is known to hold a bad record is split without asking."""
        while self._groups:
            group = self._groups[-1]
            members = [entry for entry in group.members if self._pending.in_group(entry, group.number)]
            if members and group.not_before > now:
                return None
            if members and not (group.proven and 1 < len(members) == group.size):
                return group
            self._groups.pop()
            if members:
                self.split(members)
        return None

    def take(self, group: Group) -> list[Entry]:
        """Let the group fly."""
        self._groups.remove(group)
        return self._pending.take_group(group.members, group.number)

    def _form(self, members: Sequence[Entry], not_before: float) -> Group:
        group = Group(next(self._numbers), members, len(members), not_before=not_before)
        self._pending.group(members, group.number)
        self._groups.append(group)
        return group
