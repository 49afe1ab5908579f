"""The budget: no limit is broken by the server's clock, and next to nothing of it is left unused."""

from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, replace
from random import Random

import pytest
from core.budget_simulation import Scenario, erratic, late, quick, simulate, straggling
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.core.budget import HOUR, LANDING, MINUTE, Budget, Slot, Window

PER_MINUTE = st.integers(4, 1000)
PER_HOUR = st.integers(60, 20_000)
SHARES = st.sampled_from([1.0, 1 / 2, 1 / 3, 0.3])


def full(now: float = 0.0, **settings: int) -> Budget:
    """A budget at `now` whose bucket is full."""
    return Budget(now=now - HOUR, **settings)


def drain(budget: Budget, now: float, keep: int = 0) -> list[Slot]:
    """Send as much as may leave at once."""
    slots = []
    while budget.wait(now, keep) == 0:
        slots.append(budget.spend(now))
    return slots


def limit_headers(limit: int, remaining: int) -> dict[str, str]:
    """What the server says with each answer."""
    return {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(remaining), "x-ratelimit-reset": "1640000000"}


def test_figures_at_the_documented_limits() -> None:
    """100 a minute and 5,000 an hour give a burst of 16 and 1.38 requests a second."""
    budget = Budget(now=0)
    assert (budget.burst, budget.keep()) == (16, 4)
    assert budget.rate == pytest.approx(4974 / 3600)


@given(PER_MINUTE, PER_HOUR)
def test_bucket_alone_keeps_both_limits(per_minute: int, per_hour: int) -> None:
    """What a full bucket and its refill let out stays below either limit, at any setting, and something gets out."""
    budget = Budget(per_minute, per_hour, now=0)
    assert budget.burst >= 1
    assert budget.rate > 0
    assert budget.burst + MINUTE * budget.rate <= per_minute - 1 + 1e-9
    assert budget.burst + HOUR * budget.rate <= per_hour - 10 + 1e-9


@pytest.mark.parametrize(("per_minute", "per_hour"), [(3, 5000), (100, 59), (0, 0)])
def test_too_small_limits_are_refused(per_minute: int, per_hour: int) -> None:
    """Limits that the rule can't be kept at are an error and no silent standstill."""
    with pytest.raises(ValueError, match="a budget needs"):
        Budget(per_minute, per_hour, now=0)


def test_bucket_is_empty_at_the_start() -> None:
    """A start gives no token away: the first request goes after one refill."""
    budget = Budget(now=50)
    assert budget.tokens(50) == 0
    assert budget.wait(50) == pytest.approx(1 / budget.rate)
    assert budget.wait(50 + budget.wait(50)) == 0


def test_bulk_leaves_tokens_to_light() -> None:
    """Where bulk has to stop, light requests may use what it kept."""
    budget = full()
    for _ in range(4):
        budget.answer(budget.spend(0), 0, 200, {})
    slots = drain(budget, 0, budget.keep())
    assert len(slots) == 8
    for slot in slots:
        budget.answer(slot, 0, 200, {})
    assert budget.wait(0, budget.keep()) == pytest.approx(1 / budget.rate)
    assert len(drain(budget, 0)) == 4


def test_requests_under_way_take_room_in_the_bucket() -> None:
    """However long they take, at most half a burst is under way; the bucket fills up to what they leave."""
    budget = full()
    slots = drain(budget, 0)
    assert len(slots) == 8
    assert budget.wait(1000) == math.inf
    assert budget.tokens(1000) == 8
    budget.answer(slots[0], 1000, 200, {})
    assert (budget.wait(1000), budget.wait(1000.1)) == (0, 0)
    assert budget.tokens(1010) == 9


@pytest.mark.parametrize("status", [200, 400, 500, None])
def test_slots_are_held_from_the_send_until_a_window_after_the_answer(status: int | None) -> None:
    """Each request takes a slot of both windows, also one without an answer, for as long as the server may count it."""
    budget = full()
    slot = budget.spend(0)
    assert budget.free(500) == {"minute": 99, "hour": 4999}
    budget.answer(slot, 500, status, {})
    assert budget.free(559.9) == {"minute": 99, "hour": 4999}
    assert budget.free(560) == {"minute": 100, "hour": 4999}
    assert budget.free(4100) == {"minute": 100, "hour": 5000}


@given(st.integers(1, 6), st.lists(st.tuples(st.floats(0, 40), st.floats(0, 90), st.floats(0, 1)), max_size=60))
def test_window_keeps_its_limit_at_the_server(limit: int, sends: list[tuple[float, float, float]]) -> None:
    """Any limit + 1 requests span more than the window by the server's clock, whatever the latencies."""
    window, now = Window(limit, MINUTE), 0.0
    answers: list[float] = []
    counted: list[float] = []
    for gap, latency, fraction in sends:
        now += gap
        for due in sorted(at for at in answers if at <= now):
            answers.remove(due)
            window.answer(due)
        while (wait := window.wait(now)) > 0:
            now = min(answers, default=math.inf) if wait == math.inf else now + wait
            for due in sorted(at for at in answers if at <= now):
                answers.remove(due)
                window.answer(due)
        assert window.free(now) > 0
        window.hold()
        answers.append(now + latency)
        counted.append(now + latency * fraction)
        assert window.held(now) <= limit
    counted.sort()
    assert all(later - earlier >= MINUTE - 1e-6 for earlier, later in zip(counted, counted[limit:], strict=False))


def test_window_says_when_others_leave_room() -> None:
    """Requests of others hold slots for a window after the answer that told of them, and a tenth on top."""
    window = Window(100, MINUTE)
    window.see_others(0, 30)
    assert window.free(0) == 60
    window.see_others(10, 95)
    assert (window.free(10), window.wait(10)) == (0, 60)
    window.see_others(20, 40)
    assert (window.free(69), window.free(70), window.free(80)) == (0, 50, 100)


def throttle(budget: Budget, now: float, headers: dict[str, str], count: int = 1) -> float:
    """Meet `count` answers 429 at once and return the pause until a request may leave, less the refill."""
    slots = [budget.spend(now) for _ in range(count)]
    for slot in slots:
        budget.answer(slot, now, 429, headers)
    return budget.wait(now) - (1 - budget.tokens(now)) / budget.rate


def test_retry_after_closes_and_empties() -> None:
    """After a 429 nothing leaves until Retry-After has passed, and no burst follows."""
    budget = full()
    assert throttle(budget, 0, {"retry-after": "30"}) == pytest.approx(30)
    assert budget.tokens(30) <= 0
    assert budget.wait(30.7) > 0
    assert len(drain(budget, 32)) <= 2


def test_pause_without_retry_after_doubles() -> None:
    """Without a usable Retry-After the pauses double to a minute; several 429s of one moment count as one."""
    budget, now, pauses = full(), 0.0, []
    for useless in ({}, {"retry-after": "soon"}, {"retry-after": "0"}, {"retry-after": "nan"}, {}, {}, {}):
        pauses.append(round(throttle(budget, now, useless, count=3)))
        now += 100
    assert pauses == [2, 4, 8, 16, 32, 60, 60]
    budget.answer(budget.spend(now), now, None, {})
    assert round(throttle(budget, now + 100, {})) == 60
    budget.answer(budget.spend(now + 200), now + 200, 200, {})
    assert round(throttle(budget, now + 300, {})) == 2


def test_pause_from_the_body_stands_in_for_the_header() -> None:
    """The caller may pass the pause that it read from a 429's body."""
    budget = full()
    budget.answer(budget.spend(0), 0, 429, {}, retry_after=20)
    assert 20 < budget.wait(0) < 22


def test_requests_of_others_are_learnt_from_the_headers() -> None:
    """What the server counted beyond ours holds slots; ours never pass for those of others."""
    budget = full()
    first, second = budget.spend(0), budget.spend(0)
    budget.answer(first, 0.1, 200, limit_headers(100, 98))
    assert budget.free(0.1)["minute"] == 98
    budget.answer(second, 0.2, 200, limit_headers(100, 68))
    assert budget.free(0.2)["minute"] == 100 - 2 - 30 - 10
    assert budget.free(60.2)["minute"] == 100


def test_requests_sent_meanwhile_are_not_taken_for_those_of_others() -> None:
    """The server may have counted what left between a request's send and its answer."""
    budget = full()
    slow = budget.spend(0)
    for _ in range(5):
        budget.answer(budget.spend(1), 1, 200, {})
    budget.answer(slow, 2, 200, limit_headers(100, 94))
    assert budget.free(2)["minute"] == 94


def test_requests_of_a_predecessor_or_a_peer_are_not_taken_for_those_of_others() -> None:
    """Within a minute of a start the server still counts what our predecessor sent; and replicas have their shares."""
    young = Budget(now=0)
    young.answer(young.spend(59), 59.5, 200, limit_headers(100, 10))
    assert young.free(59.5)["minute"] == 99
    half = Budget(now=-HOUR, share=0.5)
    half.answer(half.spend(0), 1, 200, limit_headers(100, 49))
    assert half.free(1)["minute"] == 50 - 1
    half.answer(half.spend(2), 3, 200, limit_headers(100, 28))
    assert half.free(3)["minute"] == (100 - 20 - 10) / 2 - 2


@pytest.mark.parametrize(
    "headers", [{}, {"x-ratelimit-limit": "100"}, limit_headers(100, 0) | {"x-ratelimit-limit": "x"}]
)
def test_incomplete_headers_are_ignored(headers: dict[str, str]) -> None:
    """Headers that are missing or no numbers change nothing and are not worth a word."""
    budget = full()
    budget.answer(budget.spend(0), 0, 200, headers)
    assert budget.free(0)["minute"] == 99
    assert budget.unexpected_limit() is None


def test_unexpected_limit_is_ignored_and_said_once() -> None:
    """Headers that speak of another limit hold no slots; the first such limit is there to be logged, once."""
    budget = full()
    for limit in (5000, 250):
        budget.answer(budget.spend(0), 0, 200, limit_headers(limit, 3))
    assert budget.free(0)["minute"] == 98
    assert (budget.unexpected_limit(), budget.unexpected_limit()) == (5000, None)
    budget.answer(budget.spend(0), 0, 200, limit_headers(250, 3))
    assert budget.unexpected_limit() is None


def test_closed_bucket_stays_empty_and_then_small() -> None:
    """After an unclean start nothing leaves or fills for 10 s; then a quarter of the burst, until all has landed."""
    budget = Budget(now=0)
    budget.close_until(10)
    assert budget.tokens(10) == 0
    assert budget.wait(4) == pytest.approx(6 + 1 / budget.rate)
    assert budget.tokens(10 + LANDING - 0.1) == 4
    assert budget.wait(20, budget.keep()) == 0
    assert budget.tokens(10 + LANDING + 20) == 16


def test_share_clips_and_never_adds() -> None:
    """A smaller share clips the tokens, a greater one adds none and lets the bucket grow by its rate."""
    budget = full()
    assert budget.tokens(0) == 16
    budget.set_share(0.25, 0)
    assert (budget.tokens(0), budget.keep(), budget.share) == (4, 1, 0.25)
    budget.set_share(1, 0)
    assert budget.tokens(0) == 4
    assert budget.tokens(LANDING) == 4
    assert budget.tokens(LANDING + 1) == pytest.approx(4 + budget.rate)


def test_a_bucket_that_may_hold_little_is_full_with_little() -> None:
    """How long a batch lingers goes by that: not at all as if spent, while a share is new."""
    budget = Budget(now=0, share=0)
    assert (budget.emptiness(0), budget.starved) == (1, True)
    budget.set_share(1, 0)
    assert budget.emptiness(0) == 1
    assert (budget.tokens(LANDING - 1), budget.emptiness(LANDING - 1)) == (4, 0)
    assert budget.emptiness(LANDING) == pytest.approx(0.75)


@pytest.mark.parametrize(("per_minute", "replicas", "starved"), [(100, 16, False), (100, 17, True), (306, 48, False)])
def test_share_below_one_request_is_starved(per_minute: int, replicas: int, starved: bool) -> None:
    """A replica whose part of the burst is no whole request says so; a part of exactly one is enough."""
    budget = Budget(per_minute, per_minute * 50, now=0, share=1 / replicas)
    assert budget.starved is starved
    assert (budget.wait(10_000) == math.inf) is starved


@given(
    PER_MINUTE,
    PER_HOUR,
    st.lists(
        st.tuples(st.floats(0, 20), st.sampled_from(["spend", "answer", "close", "lose", "throttle"])), max_size=60
    ),
)
def test_tokens_and_requests_under_way_never_exceed_the_burst(
    per_minute: int, per_hour: int, steps: list[tuple[float, str]]
) -> None:
    """The sum that the proof of the limits rests on is bounded at every moment, and waits are exact."""
    budget, now, slots = Budget(per_minute, per_hour, now=0), 0.0, list[Slot]()
    for gap, step in steps:
        now += gap
        match step:
            case "spend" if budget.wait(now) == 0:
                slots.append(budget.spend(now))
            case "answer" | "lose" | "throttle" if slots:
                budget.answer(slots.pop(), now, {"answer": 200, "lose": None, "throttle": 429}[step], {})
            case "close":
                budget.close_until(now + 1)
        assert budget.tokens(now) + len(slots) <= budget.burst + 1e-5
        if 0 < (wait := budget.wait(now)) < math.inf:
            later = deepcopy(budget)
            assert later.wait(now + wait * 0.99) > 0
            assert later.wait(now + wait + 1e-6) == 0


@given(PER_MINUTE, PER_HOUR, SHARES, st.lists(st.floats(0, 1), min_size=8, max_size=8), st.floats(0, 5000))
def test_waiting_bulk_goes_in_time(
    per_minute: int, per_hour: int, share: float, latencies: list[float], idle: float
) -> None:
    """At any accepted setting bulk goes within (1 + keep)/(rate * share) + 1 s of the last of the tokens."""
    budget, now = Budget(per_minute, per_hour, now=0, share=share), idle
    if budget.starved:
        return
    for slot in drain(budget, now):
        budget.answer(slot, now, 200, {})
    slots = drain(budget, now)
    bound = now + (1 + budget.keep()) / (budget.rate * share) + 1
    for latency, slot in zip(sorted(latencies), slots, strict=False):
        now = idle + latency
        budget.answer(slot, now, 200, {})
    for slot in slots[len(latencies) :]:
        budget.answer(slot, now, 200, {})
    assert now + budget.wait(now, budget.keep()) <= bound + 1e-6


def test_backlog_uses_the_hour() -> None:
    """Hour after hour a backlog gets 99% of the limit, without a gap of more than a second."""
    run = simulate(Scenario(3 * HOUR, quick))
    assert min(run.between(HOUR, 2 * HOUR), run.between(2 * HOUR, 3 * HOUR)) >= 4950
    assert run.longest_gap(MINUTE) <= 1
    assert run.most_within(MINUTE) <= 99
    assert run.most_within(HOUR) <= 4990


RANDOM = Random(7)
SOMETIMES = tuple((RANDOM.uniform(0, 2 * HOUR), RANDOM.randrange(3)) for _ in range(200))
THIRDS = (0.0, (1 / 3, 1 / 3, 1 / 3))
MOVES = (THIRDS, (1000.0, (0.5, 0.0, 0.5)), (1900.0, (0.0, 1.0, 0.0)), (2000.0, THIRDS[1]), (5000.0, (0.5, 0.5, 0.0)))


@pytest.mark.parametrize(
    "scenario",
    [
        pytest.param(Scenario(2 * HOUR, straggling), id="stragglers"),
        pytest.param(Scenario(2 * HOUR, erratic, light=True), id="slow"),
        pytest.param(Scenario(2 * HOUR, straggling, demand=lambda at: at % 97 > 50, light=True), id="on and off"),
        pytest.param(
            Scenario(2 * HOUR, straggling, light=True, crashes=tuple((at, 0) for at, _ in SOMETIMES)), id="crashes"
        ),
        pytest.param(Scenario(2 * HOUR, erratic, light=True, shares=(THIRDS,), crashes=SOMETIMES), id="replicas"),
        pytest.param(Scenario(2 * HOUR, straggling, light=True, shares=MOVES, crashes=SOMETIMES[:20]), id="rebalances"),
    ],
)
def test_no_limit_is_broken(scenario: Scenario) -> None:
    """Never more than the limit within any trailing minute or hour by the server's clock: it never answers 429."""
    run = simulate(replace(scenario, strict=True))
    assert run.most_within(MINUTE) <= scenario.per_minute
    assert run.most_within(HOUR) <= scenario.per_hour
    assert not run.throttled


@pytest.mark.parametrize(("per_hour", "seconds", "limit"), [(20_000, MINUTE, 100), (300, HOUR, 300)])
def test_windows_hold_where_the_bucket_does_not(per_hour: int, seconds: float, limit: int) -> None:
    """The count of each window is a second line: it holds where the share is wrong and the bucket lets too much out."""
    scenario = Scenario(2 * HOUR, straggling, light=True, per_hour=per_hour, shares=((0.0, (3.0,)),))
    assert 0.95 * limit <= simulate(scenario).most_within(seconds) <= limit


def test_what_a_dead_process_left_under_way_may_land_late() -> None:
    """A dead process's requests that reach the server after half a minute don't add to a successor's burst."""
    start = 129.0  # by then the successor has been idle for long enough to fill a bucket
    scenario = Scenario(
        300, late((99.5, 100)), demand=lambda at: 99.5 < at < 100 or at > start, light=True, crashes=((100.0, 0),)
    )
    run = simulate(scenario)
    assert run.between(99.5, 100) == 8
    assert run.between(100, start) == 0
    assert run.most_within(MINUTE) <= 100


def test_a_chain_of_deaths_breaks_no_limit() -> None:
    """Processes that die young, one after the other, all with requests under way, don't add up."""
    spans = ((99.5, 100.0), (111.0, 114.0))
    scenario = Scenario(
        300,
        late(*spans),
        demand=lambda at: any(start < at < end for start, end in spans) or at > 129,
        light=True,
        crashes=((100.0, 0), (114.0, 0)),
    )
    run = simulate(scenario)
    assert run.between(*spans[1]) > 1
    assert run.most_within(MINUTE) <= 100


def test_slow_answers_of_replicas_don_t_add_up() -> None:
    """Replicas that all wake up with requests under way for half a minute stay within one burst."""
    demand = (99.5, 100.0)
    scenario = Scenario(
        300, late(demand), demand=lambda at: demand[0] < at < demand[1] or at > 129, light=True, shares=(THIRDS,)
    )
    run = simulate(scenario)
    assert run.between(*demand) > 3
    assert run.most_within(MINUTE) <= 100


def test_others_are_made_room_for() -> None:
    """Beside another client that sends 20 a minute the server has no reason for a 429, and most of the rest is used."""
    run = simulate(Scenario(0.9 * HOUR, quick, others=20, strict=True))
    assert not run.throttled
    assert run.between(MINUTE, 0.9 * HOUR) > 0.8 * 70 * 53


@pytest.mark.parametrize("others", [20, 40])
def test_replicas_make_room_for_others(others: int) -> None:
    """What peers send hides what others do; a 429 now and then tells of it, and most of the rest is used."""
    run = simulate(Scenario(0.9 * HOUR, quick, others=others, strict=True, shares=(THIRDS,)))
    assert 0 < len(run.throttled) < 90
    assert run.between(MINUTE, 0.9 * HOUR) > 0.7 * (100 - others) * 53


def test_what_a_429_told_is_forgotten() -> None:
    """Ten minutes after the last one a replica uses its whole part again."""
    half = Budget(now=-HOUR, share=0.5)
    for _ in range(49):
        half.answer(half.spend(0), 0, 200, {})
    half.answer(half.spend(0), 1, 429, limit_headers(100, 0) | {"retry-after": "2"})
    half.answer(half.spend(62), 63, 200, limit_headers(100, 60))
    assert half.free(63)["minute"] == (100 - 10 - 10) / 2 - 1
    half.answer(half.spend(602), 603, 200, limit_headers(100, 60))
    assert half.free(603)["minute"] == 50 - 1


@dataclass(frozen=True, slots=True)
class Life:
    """A random scenario's parts."""

    seed: int
    period: int
    crashes: list[tuple[float, int]]
    moves: list[tuple[float, int]]


LIVES = st.builds(
    Life,
    st.integers(0, 1 << 30),
    st.integers(2, 200),
    st.lists(st.tuples(st.floats(0, 600), st.integers(0, 1)), max_size=8),
    st.lists(st.tuples(st.floats(0, 600), st.sampled_from([0, 1, 2, 4])), max_size=4, unique_by=lambda move: move[0]),
)


@settings(max_examples=100, deadline=None)
@given(PER_MINUTE, PER_HOUR, st.sampled_from([quick, straggling, erratic]), LIVES)
def test_no_limit_is_broken_by_any_life(per_minute: int, per_hour: int, latency: object, life: Life) -> None:
    """Whatever the limits, the latencies, the demand, the crashes and the shares of two replicas: the limits hold."""
    assert callable(latency)
    scenario = Scenario(
        600,
        latency,
        demand=lambda at: at % life.period > life.period / 2,
        light=True,
        per_minute=per_minute,
        per_hour=per_hour,
        crashes=tuple(life.crashes),
        shares=((0.0, (0.5, 0.5)), *((at, (part / 4, 1 - part / 4)) for at, part in life.moves)),
        seed=life.seed,
    )
    run = simulate(scenario)
    assert run.most_within(MINUTE) <= per_minute
    assert run.most_within(HOUR) <= per_hour
