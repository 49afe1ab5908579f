"""The halt of all sending: why, since when, and when to try whether its cause is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.core.outcomes import HaltReason

_FIRST_PROBE = 60.0
_LONGEST_PROBE = 900.0

REMEDIES = {
    "unauthorized": "The API refuses the key: put a valid one into REPLENIT_API_KEY (its file is read anew).",
    "forbidden": "The key has no access to this tenant: grant it, or correct REPLENIT_API_KEY and REPLENIT_TENANT_ID.",
    "tenant_unknown": "The API does not know the tenant: set REPLENIT_TENANT_ID to the GUID that Replenit shows.",
    "redirected": "The API answers with a redirection, which is never followed with the key: check REPLENIT_BASE_URL.",
    "key_missing": "The file of the API key is gone, empty or unreadable: restore it.",
    "dead_letter_topic": "The dead-letter topic can't be written to: create it, or grant access to DEAD_LETTER_TOPIC.",
}
"""What to do, by the reason of a halt."""


@dataclass(slots=True)
class Halt:
    """A halt under way. Probes come after 1, 2, 4, 8 and then every 15 minutes, and at once when the key changes.

    Times are monotonic seconds. `detail`: what more is known, without anybody's data.
    """

    reason: HaltReason
    since: float
    fingerprint: str | None
    detail: str = ""
    probes: int = 0
    next_probe: float = 0.0

    def __post_init__(self) -> None:
        self.postpone(self.since)

    def postpone(self, now: float) -> None:
        """A probe failed: the next one comes later."""
        self.next_probe = now + min(_FIRST_PROBE * 2**self.probes, _LONGEST_PROBE)
        self.probes += 1

    def key_seen(self, fingerprint: str | None, now: float) -> None:
        """Take notice of the key: with another one the next probe comes at once."""
        if fingerprint != self.fingerprint:
            self.fingerprint = fingerprint
            self.probes = 0
            self.next_probe = now
