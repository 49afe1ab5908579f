"""Dead letters under way: an offset is released once the broker has confirmed the record, and not before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.core.events import Entity, FieldError, Partition, Reason, Record, Reject
from connector.core.offsets import Offsets
from connector.letters import Letters
from connector.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.adapters.dead_letters import DeadLetter

P = Partition("shop.orders", 0)


class Topic:
    """A topic whose confirmations are given by hand."""

    def __init__(self) -> None:
        self.written: list[tuple[DeadLetter, Callable[[str | None], None]]] = []

    def missing(self) -> str | None:
        return None

    def write(self, letter: DeadLetter, done: Callable[[str | None], None]) -> None:
        self.written.append((letter, done))

    def serve(self, timeout: float = 0.0) -> None:
        pass

    def restart(self) -> None:
        pass

    def close(self, timeout: float) -> None:
        pass


class Confirming(Topic):
    """A topic that confirms at once."""

    def write(self, letter: DeadLetter, done: Callable[[str | None], None]) -> None:
        done(None)


def _letters() -> tuple[Letters, Topic, Offsets, list[str]]:
    offsets = Offsets()
    offsets.assign(P)
    offsets.advance(P, 8)
    topic = Topic()
    refused: list[str] = []
    letters = Letters(topic, offsets, Metrics(), lambda: 1_700_000_000.0, refused.append)
    record = Record(P.topic, P.number, 7, b"k", b"v", (("trace", b"1"),))
    reject = Reject(Reason.REJECTED, (FieldError("Email", "is wrong"), FieldError("", "and more")))
    letters.write(record, [offsets.hold(P, 7)], Entity.ORDERS, reject, "upsert_orders", 400, 2)
    return letters, topic, offsets, refused


def test_the_offset_waits_for_the_confirmation() -> None:
    """Until the broker has the record nothing past it may be committed."""
    letters, topic, offsets, _ = _letters()
    assert (offsets.committable(P), letters.unconfirmed) == (7, 1)
    topic.written[0][1](None)
    assert (offsets.committable(P), letters.unconfirmed) == (8, 0)


def test_what_is_refused_is_kept_and_written_again() -> None:
    """A failure is told, and the letter goes again when asked for; its offset waits all the while."""
    letters, topic, offsets, refused = _letters()
    topic.written[0][1]("not authorized")
    assert (refused, offsets.committable(P), letters.unconfirmed) == (["not authorized"], 7, 1)
    letters.rewrite()
    topic.written[1][1](None)
    assert (offsets.committable(P), letters.unconfirmed) == (8, 0)


def test_a_letter_of_a_lost_partition_is_not_written_again() -> None:
    """Its new owner reads the record itself."""
    letters, topic, offsets, refused = _letters()
    offsets.revoke([P])
    topic.written[0][1]("timed out")
    assert (refused, letters.unconfirmed) == ([], 0)


def test_the_headers_say_what_happened() -> None:
    """Kafka Connect's names and the connector's own."""
    _, topic, _, _ = _letters()
    letter = topic.written[0][0]
    headers = dict(letter.headers)
    assert headers["__connect.errors.topic"] == b"shop.orders"
    assert headers["__connect.errors.offset"] == b"7"
    assert headers["replenit.errors"] == b"Email: is wrong\nand more"
    assert (headers["replenit.reason"], headers["replenit.status"], headers["replenit.attempts"]) == (
        b"rejected",
        b"400",
        b"2",
    )
    assert headers["replenit.format"] == b"1"
    assert headers["replenit.time"] == b"2023-11-14T22:13:20.000Z"


@pytest.mark.parametrize(("size", "most"), [(1, 1000), (1_000_000, 16)])
def test_only_so_much_is_given_to_the_producer(size: int, most: int) -> None:
    """A thousand letters or 16 MB are under way; each confirmation lets the next one go, in their order."""
    offsets, topic = Offsets(), Topic()
    offsets.assign(P)
    letters = Letters(topic, offsets, Metrics(), lambda: 1_700_000_000.0, lambda _: None)
    for offset in range(most + 10):
        record = Record(P.topic, 0, offset, None, bytes(size))
        letters.write(record, [offsets.hold(P, offset)], Entity.ORDERS, Reject(Reason.INVALID, ()))
    assert (len(topic.written), letters.unconfirmed) == (most, most + 10)
    for number in range(most + 10):
        assert topic.written[number][0].record.offset == number
        topic.written[number][1](None)
        letters.serve()
    assert (len(topic.written), letters.unconfirmed) == (most + 10, 0)
