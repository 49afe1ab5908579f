"""Consent: the table of what becomes of a row."""

from __future__ import annotations

import pytest

from connector.core.consent import Policy, Verdict, judge
from connector.core.events import Op

SEND, RETRACT, WITHHOLD, UNFED = Verdict.SEND, Verdict.RETRACT, Verdict.WITHHOLD, Verdict.UNFED


@pytest.mark.parametrize(
    ("op", "before", "now", "verdict"),
    [
        *((op, before, True, SEND) for op in (Op.CREATE, Op.UPDATE, Op.READ) for before in (True, False, None)),
        *((op, True, False, RETRACT) for op in (Op.CREATE, Op.UPDATE, Op.READ)),
        *((op, False, False, WITHHOLD) for op in (Op.CREATE, Op.UPDATE, Op.READ)),
        (Op.UPDATE, None, False, RETRACT),
        (Op.CREATE, None, False, WITHHOLD),
        (Op.READ, None, False, WITHHOLD),
        *((op, before, None, UNFED) for op in (Op.CREATE, Op.UPDATE, Op.READ) for before in (True, False, None)),
    ],
)
def test_only_who_has_given_consent_is_sent(op: Op, before: bool | None, now: bool | None, verdict: Verdict) -> None:
    """By the consent now, the one before where it can be trusted, and the operation."""
    assert judge("enforce", op, now=now, before=before) is verdict


@pytest.mark.parametrize(
    ("policy", "now", "verdict"),
    [("forward", False, SEND), ("forward", None, SEND), ("assume", None, SEND), ("assume", False, RETRACT)],
)
def test_the_other_policies(policy: Policy, now: bool | None, verdict: Verdict) -> None:
    """`forward` asks for nothing, `assume` for nothing where no column tells."""
    assert judge(policy, Op.UPDATE, now=now, before=None) is verdict
