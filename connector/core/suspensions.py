"""The lanes that are not sent at present, each with its reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.core.halts import Probes, SuspendReason, Suspension

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.core.entries import Lane


class Suspensions:
    """At most one suspension for each lane and reason. What begins and ends is told by `changes`, once."""

    def __init__(self) -> None:
        self._suspensions: dict[tuple[Lane, SuspendReason], Suspension] = {}
        self._changes: list[tuple[Suspension, bool]] = []

    def __contains__(self, lane: Lane) -> bool:
        return any(suspended is lane for suspended, _ in self._suspensions)

    def __iter__(self) -> Iterator[Suspension]:
        return iter(list(self._suspensions.values()))

    def get(self, lane: Lane, reason: SuspendReason) -> Suspension | None:
        return self._suspensions.get((lane, reason))

    def begin(self, lane: Lane, reason: SuspendReason, now: float, detail: str) -> None:
        """Suspend the lane, if it is not yet for that reason."""
        if (lane, reason) not in self._suspensions:
            suspension = Suspension(lane, reason, Probes(now), detail)
            self._suspensions[lane, reason] = suspension
            self._changes.append((suspension, True))

    def end(self, lane: Lane, reason: SuspendReason) -> None:
        """Let the lane go on, as far as this reason held it."""
        suspension = self._suspensions.pop((lane, reason), None)
        if suspension is not None:
            self._changes.append((suspension, False))

    def hasten(self, now: float) -> None:
        """Something has changed that may have mended a cause: probe at once."""
        for suspension in self:
            suspension.probes.hasten(now)

    def changes(self) -> list[tuple[Suspension, bool]]:
        """What began (True) and ended (False) since the last call."""
        changes, self._changes = self._changes, []
        return changes
