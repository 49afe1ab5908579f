"""Why sending has stopped, and when to try whether the cause is mended: of everything (a halt), or of one lane."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.core.entries import Lane
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
    "truncated": "A table was truncated, which tells no row: mend Replenit, set TRUNCATES to ignore, and start anew.",
    "untrusted": "TLS does not trust what answers as the API: check REPLENIT_BASE_URL and the clock, or name its "
    "authority's certificate in REPLENIT_CA_PATH and start anew.",
    "rejected": "The API refuses most of what is sent: correct the column that feeds the field that is named.",
    "unmappable": "Most rows can't be mapped: correct the column that is named, the mapping (and restart), or the way "
    "in which Debezium sends it.",
    "partitions_elsewhere": "Other replicas own some partitions of its tables, whose rows belong together: run one.",
    "topic_missing": "A table that makes its documents has no topic yet: create it; Debezium does with the first row.",
    "too_many_replicas": "Its part of the request budget is less than one request: run fewer replicas.",
    "consent_unknown": "No column feeds GdprOptin: add gdpr_optin to the table, or set CONSENT_POLICY.",
}
"""What to do, by the reason of a halt or a suspension."""


class SuspendReason(StrEnum):
    """Why one lane is not sent while the others go on. The values are a label of the metrics and in `/status`."""

    REJECTED = "rejected"
    UNMAPPABLE = "unmappable"
    CONSENT_UNKNOWN = "consent_unknown"
    PARTITIONS_ELSEWHERE = "partitions_elsewhere"
    TOPIC_MISSING = "topic_missing"
    TOO_MANY_REPLICAS = "too_many_replicas"


@dataclass(slots=True)
class Probes:
    """Probes after 1, 2, 4, 8 and then every 15 minutes. Times are monotonic seconds."""

    since: float
    made: int = 0
    next_at: float = 0.0

    def __post_init__(self) -> None:
        self.postpone(self.since)

    def postpone(self, now: float) -> None:
        """A probe failed: the next one comes later."""
        self.next_at = now + min(_FIRST_PROBE * 2**self.made, _LONGEST_PROBE)
        self.made += 1

    def repeat(self, now: float) -> None:
        """A probe told nothing: it is made again soon."""
        self.next_at = now + _FIRST_PROBE

    def hasten(self, now: float) -> None:
        """Something has changed that may have mended the cause: the next probe comes at once."""
        self.made = 0
        self.next_at = now


@dataclass(slots=True)
class Halt:
    """Nothing is sent. `detail`: what more is known, without anybody's data."""

    reason: HaltReason
    probes: Probes
    fingerprint: str | None
    detail: str = ""

    def key_seen(self, fingerprint: str | None, now: float) -> None:
        """Take notice of the key: with another one the next probe comes at once."""
        if fingerprint != self.fingerprint:
            self.fingerprint = fingerprint
            self.probes.hasten(now)


@dataclass(slots=True)
class Suspension:
    """A lane is not sent. `detail`: the most frequent field and rule, without anybody's data."""

    lane: Lane
    reason: SuspendReason
    probes: Probes
    detail: str = ""
