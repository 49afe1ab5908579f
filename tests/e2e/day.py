"""A day on which the shop trades while its connectors are killed and started again, until all is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

from connector.sandbox.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from e2e.follower import Follower
    from e2e.shop import Shop

_PAUSE = 0.05
"""Seconds between two transactions of the shop's."""


def pass_day(shop: Shop, followers: Sequence[Follower], deliver: Callable[[], None]) -> None:
    """Let a day pass. `deliver` returns once all that the shop has done before is in Kafka."""
    with _trading(shop):
        _start(followers, Faults(slow=1.0, slow_seconds=0.5))
        for each in followers:
            each.wait_until_sending()
            each.kill()
        _start(followers, Faults(down=True))
        for each in followers:
            each.wait_until_answered(503, times=3)  # what is read now is not delivered before the next start
            each.kill()

    # Between two starts what is large changes, so that its last value waits when the log omits it.
    shop.change_what_the_log_omits()
    shop.withdraw_consents()
    deliver()
    _start(followers)
    for each in followers:
        each.wait_until_reading()
        each.kill()

    with _trading(shop):
        _start(followers, Faults(lost=0.2, error=0.1, slow=0.3, slow_seconds=0.5))
        for each in followers:
            each.wait_until_answered(200, times=10)
            each.kill()
        _start(followers, Faults(too_many=0.1, reset=0.1))
        for each in followers:
            each.wait_until_answered(200, times=10)
            each.stop()
        _start(followers)
        for each in followers:
            each.wait_until_answered(200, times=10)
    deliver()
    for each in followers:
        each.wait_until_settled()
        each.stop()


@contextmanager
def _trading(shop: Shop) -> Iterator[None]:
    """Let the shop trade meanwhile."""
    closing_time = Event()

    def trade() -> None:
        while not closing_time.wait(_PAUSE):
            shop.trade()

    with ThreadPoolExecutor(1) as staff:
        trading = staff.submit(trade)
        try:
            yield
        finally:
            closing_time.set()
        trading.result()


def _start(followers: Sequence[Follower], faults: Faults | None = None) -> None:
    for each in followers:
        each.start(faults)
