"""The trailing counts against a count by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connector.sandbox.windows import RateLimits

_gaps = st.lists(st.integers(0, 4 * 130).map(lambda quarter: quarter / 4), min_size=1, max_size=120)


def _moments(gaps: list[float]) -> list[float]:
    moments, now = [], 50.0
    for gap in gaps:
        now += gap
        moments.append(now)
    return moments


def _held(moments: list[float], now: float, seconds: float) -> int:
    return sum(now - seconds < each <= now for each in moments)


@given(_gaps, st.integers(1, 6), st.integers(1, 40))
def test_counts_are_exact(gaps: list[float], per_minute: int, per_hour: int) -> None:
    """Each request is refused if and only if a count by hand puts a window over its limit, and the fullest agree."""
    limits, moments = RateLimits(per_minute, per_hour), _moments(gaps)
    for index, now in enumerate(moments):
        standing = limits.arrive("k", now)
        so_far = moments[: index + 1]
        minute, hour = _held(so_far, now, 60), _held(so_far, now, 3600)
        assert standing.exceeded == ("minute",) * (minute > per_minute) + ("hour",) * (hour > per_hour)
        assert standing.remaining == max(0, per_minute - minute)
        assert standing.resets_at == min(each for each in so_far if each > now - 60) + 60
    assert limits.fullest_minute == max(_held(moments, now, 60) for now in moments)
    assert limits.fullest_hour == max(_held(moments, now, 3600) for now in moments)


@given(_gaps, st.integers(1, 6), st.integers(1, 40))
def test_uncounted_refusals_leave_no_trace(gaps: list[float], per_minute: int, per_hour: int) -> None:
    """Where refused requests don't count, only the accepted ones fill the windows, never above the limits."""
    limits = RateLimits(per_minute, per_hour, count_refused=False)
    accepted: list[float] = []
    for now in _moments(gaps):
        fits = _held(accepted, now, 60) < per_minute and _held(accepted, now, 3600) < per_hour
        assert (not limits.arrive("k", now).exceeded) == fits
        accepted += [now] * fits
    assert limits.fullest_minute <= per_minute
    assert limits.fullest_hour <= per_hour


@given(_gaps, st.integers(1, 4), st.integers(4, 12), st.booleans())
def test_retry_after_is_the_least_wait(gaps: list[float], per_minute: int, per_hour: int, counts: bool) -> None:
    """A client that waits for Retry-After gets through, one that waits a whole second less does not."""
    for wait_less in (0, 1):
        limits = RateLimits(per_minute, per_hour, count_refused=counts)
        for now in _moments(gaps):
            standing = limits.arrive("k", now)
            if standing.exceeded and standing.retry_after > wait_less:
                refused = bool(limits.arrive("k", now + standing.retry_after - wait_less).exceeded)
                assert refused == bool(wait_less)
                break


def test_keys_have_windows_of_their_own() -> None:
    """One key's requests take nothing from another's."""
    limits = RateLimits(1, 1)
    assert not limits.arrive("a", 1.0).exceeded
    assert not limits.arrive("b", 1.0).exceeded
    assert limits.arrive("a", 2.0).exceeded == ("minute", "hour")


def test_unlimited_windows_still_count() -> None:
    """Without limits nothing is refused, and the fullest windows are known all the same."""
    limits = RateLimits(None, None)
    assert not any(limits.arrive("a", now / 100).exceeded for now in range(500))
    assert (limits.fullest_minute, limits.fullest_hour) == (500, 500)


def test_a_window_that_stays_over_its_limit_is_reported_once() -> None:
    """The first request over a limit is told from those that follow it, until the window was within it again."""
    limits = RateLimits(1, None)
    newly = [limits.arrive("a", now).newly for now in (0.0, 1.0, 2.0, 100.0, 101.0)]
    assert newly == [(), ("minute",), (), (), ("minute",)]
