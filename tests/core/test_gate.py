"""The gate: nothing is sent that a predecessor may have superseded, or may still have at the server."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connector.core.events import Partition
from connector.core.gate import Gate, Mark

P = Partition("shop.orders", 0)
Q = Partition("shop.orders", 1)
SETTLES = 60.0


def known(mark: Mark | None, *, watermark: int = 10, wall: float = 1000.0) -> Gate:
    """A gate with one partition that was assigned at 100 s."""
    gate = Gate(SETTLES)
    gate.assign(P, 100.0)
    gate.know(P, watermark, mark, wall)
    return gate


@given(st.integers(0, 50), st.integers(0, 50))
def test_a_topic_opens_once_all_its_partitions_reached_their_watermarks(first: int, second: int) -> None:
    """Before the watermark the gate is closed, at it it opens, and only with all partitions of the topic."""
    gate = Gate(SETTLES)
    for partition, watermark in ((P, first), (Q, second)):
        gate.assign(partition, 0.0)
        assert not gate.read(partition, 1000)  # nothing is known yet
        gate.know(partition, watermark, None, 0.0)
    assert not gate.read(P, first - 1)
    assert gate.read(P, first)
    assert not gate.read(P, first)  # said once
    assert not gate.open(["shop.orders"], 0.0)
    assert gate.read(Q, second + 1)
    assert gate.open(["shop.orders"], 0.0)
    assert gate.open(["another"], 0.0)


def test_after_a_clean_end_nothing_waits() -> None:
    """A clean mark, or no commit ever, makes nobody wait."""
    for mark in (Mark(clean=True), None):
        assert known(mark).wait_until(P) == 0


def test_after_an_unclean_end_the_keys_wait_until_the_server_is_done() -> None:
    """They wait the settle time from the assignment, less what a predecessor has waited already, by sane clocks."""
    assert known(Mark()).wait_until(P) == 160.0
    assert known(Mark(waiting_since=960.0)).wait_until(P) == 120.0
    assert known(Mark(waiting_since=100.0)).wait_until(P) == 100.0
    assert known(Mark(waiting_since=5000.0)).wait_until(P) == 160.0


def test_a_crash_loop_waits_once() -> None:
    """A process that dies before it sends hands the time on that has passed."""
    gate = known(Mark(waiting_since=980.0))
    assert gate.mark(P).waiting_since == 980.0
    gate.sending(P)
    assert gate.mark(P) == Mark()


def test_a_farewell_is_clean_only_if_nothing_can_be_at_the_server() -> None:
    """Neither this process's requests nor, before their time is over, the predecessor's."""
    gate = known(Mark(waiting_since=990.0))
    gate.sending(P)
    assert gate.farewell(P, 149.9, locked=False).waiting_since == 990.0
    assert not gate.farewell(P, 500.0, locked=True).clean
    assert gate.farewell(P, 150.0, locked=False).clean


MARKS = st.builds(
    Mark,
    clean=st.booleans(),
    waiting_since=st.none() | st.floats(1, 2e9),
    newest=st.none() | st.tuples(st.integers(1), st.integers(1)) | st.tuples(st.text(min_size=1), st.integers(1)),
)


@given(MARKS)
def test_marks_survive_the_commits_metadata(mark: Mark) -> None:
    """What is encoded is decoded."""
    assert Mark.decode(mark.encode()) == mark


@pytest.mark.parametrize(
    ("metadata", "mark"),
    [
        ('{"clean":true,"newest":[5,"a"]}', Mark(clean=True, newest=(5, "a"))),
        ('{"waiting_since":990.5,"newest":[5,5],"beyond":true}', Mark(waiting_since=990.5, newest=(5, 5), beyond=True)),
        ("{}", Mark()),
    ],
)
def test_marks_without_a_format_are_read(metadata: str, mark: Mark) -> None:
    """Earlier releases wrote none; from then on it is told."""
    assert Mark.decode(metadata) == mark
    assert '"v":1' in mark.encode()


@pytest.mark.parametrize("version", ["2", '"1"', "null", "[]"])
def test_a_mark_of_a_later_format_is_waited_for(version: str) -> None:
    """After a downgrade nothing that it says is relied on: all waits until the server is done with what was sent."""
    gate = known(Mark.decode(f'{{"v":{version},"clean":true,"waiting_since":900.0}}'))
    gate.read(P, 10)
    assert not gate.open([P.topic], 159.9)
    assert gate.open([P.topic], 160.0)


@given(st.none() | st.text() | st.from_regex(r'\{"(clean|newest|waiting_since)":.{0,9}\}', fullmatch=True))
@example("[" * 4000)
@example('{"waiting_since":1' + "0" * 400 + "}")
@example('{"waiting_since":NaN}')
@example('{"waiting_since":"nan"}')
def test_foreign_metadata_is_never_taken_for_clean(metadata: str | None) -> None:
    """Whatever another tool left beside an offset says nothing about the server, unless it says so exactly."""
    mark = Mark.decode(metadata)
    if not mark.clean and mark.waiting_since is None:
        assert known(mark).wait_until(P) == 160.0
        assert not known(mark).farewell(P, 159.0, locked=False).clean
    assert not mark.clean or '"clean":true' in (metadata or "").replace(" ", "")


def test_positions_that_go_back_close_the_gate_for_a_while() -> None:
    """Repeats keep the gate closed until the newest position is reached; a rebuilt source for 30 s at most."""
    gate = known(None, watermark=0)
    gate.read(P, 0)
    gate.see(P, (5, 5), 100.0)
    assert not gate.see(P, (3, 3), 101.0)
    assert not gate.open(["shop.orders"], 101.0)
    assert not gate.passed(P)
    gate.see(P, (5, 5), 102.0)
    assert gate.open(["shop.orders"], 102.0)
    gate.see(P, (1, 1), 103.0)
    assert not gate.open(["shop.orders"], 132.9)
    assert gate.open(["shop.orders"], 133.0)
    assert not gate.see(P, (1, 2), 134.0)
    assert gate.see(P, (1, 3), 135.0)


def test_an_event_is_new_only_where_every_earlier_one_is_remembered() -> None:
    """New: beyond all that this process or a predecessor can have read. A repeat after both crashed is not."""
    gate = known(Mark(clean=True, newest=(7, 7)))
    gate.read(P, 10)
    assert not gate.see(P, (6, 6), 100.0)
    assert not gate.see(P, (7, 7), 100.0)
    assert gate.see(P, (8, 8), 100.0)
    forgetful = known(Mark(clean=True))
    forgetful.read(P, 10)
    assert not forgetful.see(P, (6, 6), 100.0)
    assert not forgetful.see(P, (9, 9), 100.0)
    assert not known(None).see(P, (9, 9), 100.0)  # not read up to the watermark yet
    assert not gate.see(P, None, 100.0)
