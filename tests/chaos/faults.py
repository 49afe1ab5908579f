"""What befalls a run: each fault is a function that yields the real seconds until it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chaos.shop import TABLES
from chaos.stage import SESSION
from chaos.topics import MOST_PARTITIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from chaos.stage import Stage

    Course = Iterator[float]
    Kind = Callable[[Stage], Course]


_LATEST = 20.0
"""Seconds after which the API is done with a request: well before the connector takes it to be, 32 s after it left."""


# The connector's processes


def killed(stage: Stage) -> Course:
    stage.members[0].kill()
    yield stage.random.uniform(0, 2)
    stage.members[0].start()


def crash_loop(stage: Stage) -> Course:
    for _ in range(4):
        stage.members[0].kill()
        stage.members[0].start()
        yield stage.random.uniform(0.3, 3)


def terminated(stage: Stage) -> Course:
    stage.stop(stage.members[0])
    yield stage.random.uniform(0, 1)
    stage.members[0].start()


def frozen(stage: Stage) -> Course:
    """For longer than its session lasts."""
    stage.members[0].freeze()
    yield SESSION + stage.random.uniform(1, 4)
    stage.members[0].thaw()


def frozen_briefly(stage: Stage) -> Course:
    stage.members[0].freeze()
    yield stage.random.uniform(0.2, SESSION - 1)
    stage.members[0].thaw()


def replica_comes_and_goes(stage: Stage) -> Course:
    """Both have more to send than they may."""
    stage.members[1].start()
    yield stage.random.uniform(2, 4)
    stage.shop.purge()
    yield stage.random.uniform(9, 14)
    stage.stop(stage.members[1])


def replica_dies(stage: Stage) -> Course:
    stage.members[1].start()
    yield stage.random.uniform(2, 10)
    stage.members[1].kill()


def replica_takes_over(stage: Stage) -> Course:
    """The first one dies, and comes back after a while."""
    stage.members[1].start()
    stage.shop.purge()
    yield stage.random.uniform(6, 10)
    stage.members[0].kill()
    yield SESSION + stage.random.uniform(1, 6)
    stage.members[0].start()
    yield stage.random.uniform(2, 8)
    stage.stop(stage.members[1])


def replica_takes_over_from_a_frozen_one(stage: Stage) -> Course:
    stage.members[1].start()
    yield stage.random.uniform(3, 6)
    stage.members[0].freeze()
    yield SESSION + stage.random.uniform(2, 6)
    stage.members[0].thaw()
    yield stage.random.uniform(2, 5)
    stage.stop(stage.members[1])


def disk_lost(stage: Stage) -> Course:
    """A new disk for a process that was killed."""
    member = stage.members[0]
    member.kill()
    member.lose_disk()
    yield 0.1
    member.start()


# Kafka


def broker_killed(stage: Stage) -> Course:
    with stage.illness():
        stage.node.kill()
        yield stage.random.uniform(0.2, 4)
        stage.node.start()
        yield 3.0


def broker_restarted(stage: Stage) -> Course:
    with stage.illness():
        stage.node.stop()
        stage.node.start()
        yield 3.0


def broker_hung(stage: Stage) -> Course:
    with stage.illness():
        stage.node.pause()
        yield stage.random.uniform(1, SESSION + 5)
        stage.node.resume()
        yield 3.0


def broker_slow(stage: Stage) -> Course:
    """Just when a process reads again what it has not committed: it must not send the first that it reads."""
    with stage.illness():
        stage.stop(stage.members[0])
        stage.members[0].start()
        for _ in range(8):
            stage.node.pause()
            yield 1.0
            stage.node.resume()
            yield 0.2
        yield 3.0


def partition_added(stage: Stage) -> Course:
    table = stage.random.choice(TABLES)
    if stage.shop.partitions[table] == MOST_PARTITIONS:
        return
    stage.topics.add_partition(table, stage.shop.partitions[table] + 1)
    stage.shop.partitions[table] += 1
    yield 0.1


def letters_too_large(stage: Stage) -> Course:
    stage.topics.limit_letters(200)
    yield stage.random.uniform(2, 5)
    stage.topics.limit_letters(1_000_000)


def letters_denied(stage: Stage) -> Course:
    stage.topics.deny_letters()
    yield stage.random.uniform(2, 5)
    stage.topics.allow_letters()


def letters_gone(stage: Stage) -> Course:
    stage.topics.remove_letters()
    yield stage.random.uniform(1, 4)
    stage.topics.create_letters()


# The API


def _trouble(name: str, seconds: tuple[float, float] = (1, 6), **faults: object) -> Kind:
    def course(stage: Stage) -> Course:
        stage.trouble(**faults)
        yield stage.random.uniform(*seconds)
        stage.trouble()

    course.__name__ = name
    return course


def key_revoked(stage: Stage) -> Course:
    """And replaced a while later."""
    old, new = stage.new_key()
    stage.sandbox.revoke(old)
    yield stage.random.uniform(1, 4)
    stage.use_key(new)


def key_replaced(stage: Stage) -> Course:
    """As one should: the new one is valid before the old one is not."""
    old, new = stage.new_key()
    stage.use_key(new)
    yield 3.0
    stage.sandbox.revoke(old)


def second_client(stage: Stage) -> Course:
    """Somebody else sends with the key."""
    stage.other_client = stage.random.uniform(0.1, 0.6)
    yield stage.random.uniform(3, 10)
    stage.other_client = 0.0


# The machine


def clock_jumps(stage: Stage) -> Course:
    stage.jump(stage.random.choice((-86_400.0, -3600.0, -20.0, 20.0, 3600.0, 86_400.0)))
    yield stage.random.uniform(2, 10)
    stage.jump(0.0)


def disk_full(stage: Stage) -> Course:
    with stage.illness():
        stage.members[0].fill_disk()
        yield stage.random.uniform(1, 4)
        stage.members[0].empty_disk()
        yield 0.5


TRACKS: dict[str, tuple[tuple[float, float], tuple[Kind, ...]]] = {
    "processes": (
        (4, 12),
        (
            killed,
            crash_loop,
            terminated,
            frozen,
            frozen_briefly,
            replica_comes_and_goes,
            replica_comes_and_goes,  # twice: it is there that two may send too much
            replica_dies,
            replica_takes_over,
            replica_takes_over_from_a_frozen_one,
            disk_lost,
        ),
    ),
    "Kafka": (
        (6, 16),
        (
            broker_killed,
            broker_restarted,
            broker_hung,
            broker_slow,
            partition_added,
            letters_too_large,
            letters_denied,
            letters_gone,
        ),
    ),
    "API": (
        (1, 6),
        (
            _trouble("errors", error=0.5),
            _trouble("too_many", too_many=0.5, retry_after=5),
            _trouble("resets", reset=0.4),
            _trouble("answers_lost", lost=0.4),
            _trouble("hangs", hang=0.3, hang_seconds=_LATEST),
            _trouble("pages", html=0.4),
            _trouble("unsuccessful", unsuccessful=0.4),
            _trouble("finished_late", slow=0.4, slow_seconds=_LATEST),
            _trouble("down", down=True),
            _trouble(
                "a_mixture",
                error=0.1,
                lost=0.1,
                reset=0.1,
                html=0.05,
                hang=0.05,
                hang_seconds=_LATEST / 2,
                slow=0.1,
                slow_seconds=_LATEST / 2,
            ),
            key_revoked,
            key_replaced,
            second_client,
        ),
    ),
    "machine": ((8, 20), (clock_jumps, disk_full)),
}
"""Of each track one fault at a time: the pauses between them, and the deck that they are dealt from.

After each takeover requests wait for 6 real seconds: where faults come much faster nothing is sent, nor found.
"""
