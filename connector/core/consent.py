"""Whether a customer's row may leave the shop: consent is the sender's duty, and only who has given it is sent."""

from __future__ import annotations

from enum import Enum, auto
from typing import Literal, TypeAlias

from connector.core.events import Op

Policy: TypeAlias = Literal["enforce", "forward", "assume"]
"""`enforce`: as `judge` says. `forward`: whatever the row holds is sent. `assume`: where no column tells, all do."""

FIELD = "GdprOptin"
NO_CONSENT = "no_consent"
UNKNOWN = "consent_unknown"


class Verdict(Enum):
    """SEND the row; RETRACT a consent that Replenit may hold; WITHHOLD the row. UNFED: no column tells."""

    SEND = auto()
    RETRACT = auto()
    WITHHOLD = auto()
    UNFED = auto()


def judge(policy: Policy, op: Op, *, now: bool | None, before: bool | None) -> Verdict:
    """What to do with a row by its consent now and before, None where no column, or no trustworthy image, tells.

    An update that is not known to have been without consent before may have been sent with it: it is retracted. A row
    that is new, or that a snapshot reads, is not known to be at Replenit.
    """
    if policy == "forward" or now:
        return Verdict.SEND
    if now is None:
        return Verdict.SEND if policy == "assume" else Verdict.UNFED
    if before is None:
        return Verdict.RETRACT if op is Op.UPDATE else Verdict.WITHHOLD
    return Verdict.RETRACT if before else Verdict.WITHHOLD
