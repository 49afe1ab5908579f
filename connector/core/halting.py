"""Halts: when all sending stops, which probe asks whether it may go on, and what the probe's answer means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from connector.core.halts import Halt, Probes
from connector.core.outcomes import Delivered, HaltReason, Refused, Stopped, Suspect, TooLarge

if TYPE_CHECKING:
    from connector.core.outcomes import Outcome

PROOF = 600.0
"""Seconds for which a success proves that tenant and key are right."""

_DOUBT_AGAIN = 5.0
_NOT_THE_API_S = (HaltReason.DEAD_LETTER_TOPIC, HaltReason.TRUNCATED)


class Halting:
    """The halt under way, if any, and the doubt that one probe is to settle: whether key and tenant work at all."""

    def __init__(self) -> None:
        self.halt: Halt | None = None
        self.probing = False
        self._doubt_until: float | None = None
        self._proven_at = -math.inf
        self._fingerprint: str | None = ""

    @property
    def stopped(self) -> bool:
        """Whether nothing but a probe may be sent."""
        return self.halt is not None or self._doubt_until is not None

    def proven(self, now: float) -> None:
        """A request has succeeded, or was refused for its content: key and tenant are right."""
        self._proven_at = now

    def is_proven(self, now: float) -> bool:
        return now - self._proven_at <= PROOF

    def doubt(self, now: float) -> None:
        """Send nothing until a probe has told whether key and tenant work."""
        self._doubt_until = now

    def due(self, now: float) -> float:
        """Seconds until a probe should go; infinite while none can tell anything."""
        if self.probing or self._fingerprint is None:
            return math.inf
        if self.halt is None:
            return (self._doubt_until or 0.0) - now
        return math.inf if self.halt.reason in _NOT_THE_API_S else self.halt.probes.next_at - now

    def stop(self, reason: HaltReason, now: float, detail: str = "") -> Halt | None:
        """Halt all sending; the halt, unless one is under way already."""
        if self.halt is not None:
            return None
        self.halt = Halt(reason, Probes(now), self._fingerprint, detail)
        return self.halt

    def resume(self) -> Halt | None:
        """End the halt: its cause is gone."""
        halt, self.halt = self.halt, None
        return halt

    def nothing_to_send(self) -> Halt | None:
        """No probe can go: end a halt that only one could end. Whoever has something to send finds out by himself."""
        by_itself = (*_NOT_THE_API_S, HaltReason.KEY_MISSING)
        return self.resume() if self.halt is not None and self.halt.reason not in by_itself else None

    def see_key(self, fingerprint: str | None, now: float) -> tuple[Halt | None, Halt | None]:
        """Take notice of the key as it is now, None if there is none: the halt that begins, and the one that ends."""
        self._fingerprint = fingerprint
        if fingerprint is None:
            return self.stop(HaltReason.KEY_MISSING, now), None
        if self.halt is not None:
            self.halt.key_seen(fingerprint, now)
            if self.halt.reason is HaltReason.KEY_MISSING:
                self.doubt(now)
                return None, self.resume()
        return None, None

    def probed(self, outcome: Outcome, now: float) -> tuple[Halt | None, Halt | None]:
        """A probe has been answered: the halt that begins, and the one that ends."""
        self.probing = False
        halt = self.halt
        waits = halt is not None and halt.reason in _NOT_THE_API_S  # another's to end
        match outcome:
            case Delivered() | Refused() | Suspect() | TooLarge():
                self._doubt_until = None
                self.proven(now)
                return None, None if waits else self.resume()
            case Stopped(reason, detail):
                self._doubt_until = None
                if halt is None:
                    return self.stop(reason, now, detail), None
                if not waits:
                    halt.reason, halt.detail = reason, detail
                    halt.probes.postpone(now)
            case _:
                if halt is not None:
                    halt.probes.postpone(now)
                self._doubt_until = None if self._doubt_until is None else now + _DOUBT_AGAIN
        return None, None
