"""The scheduler: who goes next, and that nobody waits for ever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.budget import Budget
from connector.core.entries import Lane
from connector.core.scheduler import Candidate, Lingers, Load, next_send

LINGERS = Lingers()


def filled(now: float = 1000.0) -> Budget:
    """A budget whose bucket is full."""
    return Budget(now=now - 1000.0)


def drained(left: int, now: float = 1000.0) -> Budget:
    """A budget with so many tokens left, and no request under way."""
    budget = filled(now)
    while budget.tokens(now) >= left + 1:
        budget.answer(budget.spend(now), now, 200, {})
    return budget


def test_the_lane_that_was_served_longest_ago_goes_first() -> None:
    """Among those that may go."""
    candidates = [
        Candidate(Lane.CUSTOMERS, Load.FULL, 900.0, served=999.0),
        Candidate(Lane.ORDERS, Load.FULL, 950.0, served=998.0),
    ]
    chosen, wait = next_send(candidates, filled(), LINGERS, 1000.0)
    assert (chosen, wait) == (candidates[1], 0.0)


def test_bulk_leaves_tokens_to_light() -> None:
    """With as many tokens left as are kept, a full batch waits and a small one goes."""
    budget = drained(budget_keep := 4)
    full = Candidate(Lane.CUSTOMERS, Load.FULL, 999.0, served=999.0)
    light = Candidate(Lane.ORDERS, Load.LIGHT, 980.0, served=999.5)
    assert budget.keep() == budget_keep
    assert next_send([full, light], budget, LINGERS, 1000.0)[0] == light
    chosen, wait = next_send([full], budget, LINGERS, 1000.0)
    assert chosen is None
    assert 0 < wait <= 1


@pytest.mark.parametrize(("left", "linger"), [(16, 0.25), (8, 5.0), (4, 7.5)])
def test_a_batch_lingers_by_how_empty_the_bucket_is(left: int, linger: float) -> None:
    """A quarter of a second with a full bucket, up to ten seconds with an empty one."""
    budget = drained(left)
    since = 1000.0 - linger
    assert next_send([Candidate(Lane.ORDERS, Load.LIGHT, since - 0.7, 0.0)], budget, LINGERS, 1000.0)[0]
    assert not next_send([Candidate(Lane.ORDERS, Load.LIGHT, since + 0.7, 0.0)], budget, LINGERS, 1000.0)[0]


def test_a_stop_ends_all_lingers() -> None:
    """What could go goes at once."""
    candidate = Candidate(Lane.ORDERS, Load.LIGHT, 1000.0, 0.0)
    assert next_send([candidate], drained(2), Lingers(over=True), 1000.0)[0] == candidate


@given(st.integers(4, 200), st.integers(60, 10_000), st.sampled_from([Load.FULL, Load.DELETE, Load.ISOLATION]))
def test_bulk_goes_however_busy_the_light_lanes_are(per_minute: int, per_hour: int, load: Load) -> None:
    """With light lanes always due, a bulk send goes within the time that its tokens take, twice over at most."""
    budget = Budget(per_minute, max(per_minute, per_hour), now=0.0)
    patience = (1 + budget.keep()) / budget.rate
    now, served, bulk_at = 0.0, dict.fromkeys(Lane, 0.0), 0.0
    gaps: list[float] = []
    while now < 20 * patience and len(gaps) < 5:
        light = [Candidate(lane, Load.LIGHT, now - 100, served[lane]) for lane in (Lane.CUSTOMERS, Lane.ORDERS)]
        candidates = [*light, Candidate(Lane.DELETES, load, bulk_at - 10, served[Lane.DELETES])]
        chosen, wait = next_send(candidates, budget, LINGERS, now)
        if chosen is None:
            now += max(wait, 0.001)
            continue
        budget.answer(budget.spend(now), now, 200, {})
        served[chosen.lane] = now
        if chosen.load is load:
            gaps.append(now - bulk_at)
            bulk_at = now
    assert len(gaps) == 5
    assert max(gaps) <= 2 * patience + 3 / budget.rate + 1
