"""A day on which the shop trades while its connectors are killed and started again, until all is told."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from e2e.follower import Follower
    from e2e.shop import Shop

KILLS = 4
_TRANSACTIONS = 80


def pass_day(shop: Shop, followers: Sequence[Follower], deliver: Callable[[], None]) -> None:
    """Let a day pass. `deliver` returns once all that the shop has done so far is in Kafka."""
    _start(followers, slow=1.0, slow_seconds=0.5)
    with _trading(shop):
        for each in followers:
            each.wait_until_sending()
            each.kill()

    _start(followers, down=True)  # what is read now is not delivered before the next start
    with _trading(shop):
        for each in followers:
            each.wait_until_answered(503, times=3)
    deliver()
    _kill(followers)

    # Between two starts what was large is changed, so that its last value waits when the log omits it.
    shop.change_what_the_log_omits()
    deliver()
    _start(followers)
    for each in followers:
        each.wait_until_reading()
    _kill(followers)

    _start(followers, lost=0.2, error=0.1, slow=0.3, slow_seconds=0.5)
    with _trading(shop):
        for each in followers:
            each.wait_until_answered(200, times=3)
            each.kill()

    _start(followers, too_many=0.1, reset=0.1)
    with _trading(shop):
        for each in followers:
            each.wait_until_answered(200, times=3)
            each.stop()
    _start(followers)
    with _trading(shop):
        pass
    deliver()
    for each in followers:
        each.wait_until_settled()
        each.stop()


@contextmanager
def _trading(shop: Shop) -> Iterator[None]:
    """Let the shop trade meanwhile, and have it finished afterwards."""
    with ThreadPoolExecutor(1) as staff:
        trade = staff.submit(shop.trade, _TRANSACTIONS)
        yield
        trade.result()


def _start(followers: Sequence[Follower], **faults: float) -> None:
    for each in followers:
        each.start(**faults)


def _kill(followers: Sequence[Follower]) -> None:
    for each in followers:
        each.kill()
