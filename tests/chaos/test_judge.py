"""What the judge of the runs lets pass, and what not."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from chaos.judge import Watched, repeated
from chaos.shop import Key
from chaos.soak import MOST_GROWTH, Life, Soak, Use

from connector.core.events import Record
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from chaos.members import Member
    from chaos.shop import Shop


def _letters(*times: float) -> list[Record]:
    origin = (("topic", b"orders"), ("partition", b"0"), ("offset", b"7"))
    headers = tuple((f"__connect.errors.{name}", value) for name, value in origin)
    return [Record("letters", 0, n, None, b"", headers, int(1000 * time)) for n, time in enumerate(times)]


def test_a_dead_letter_may_be_repeated_by_whoever_reads_its_record_anew() -> None:
    """One for each assignment since the first, and for each illness of Kafka's; assignments before and after do not."""
    assigned = {"orders-0": [1.0, 20.0, 40.0], "orders-1": [25.0]}
    assert not [*repeated(_letters(10), {}, [])]
    assert not [*repeated(_letters(10, 30), assigned, [])]
    assert not [*repeated(_letters(10, 12), assigned, [11.0])]
    [fault] = repeated(_letters(10, 30, 35), assigned, [50.0])
    assert str(fault).startswith("3 dead letters of orders-0@7, which was assigned 1 times")


def _order(watched: Watched, version: int) -> None:
    watched.upsert("orders", [{"OrderId": "o1", "TotalQuantity": version}])


def test_a_removal_that_is_told_again_is_not_taken_for_a_later_one() -> None:
    """A row that went and came back is told as DELETE, then POST, and so it is again after a takeover."""
    watched = Watched(Upsert.REPLACE, 0.0, late_deletes=False)
    watched.shop = cast("Shop", SimpleNamespace(histories={Key("orders", "o1"): SimpleNamespace(gone=[5, 9])}))
    _order(watched, 3)
    watched.delete("orders", "o1")
    _order(watched, 7)
    watched.delete("orders", "o1")  # it is told again that the row went, which was 5, or that it went again, which is 9
    _order(watched, 7)
    assert not watched.broken
    watched.delete("orders", "o1")
    _order(watched, 3)
    [_, fault] = watched.broken
    assert fault.what == "version 3 follows 9, in which it went"


def _soak(use: Use = Use(80, 30, 20, 4), lives: tuple[tuple[float, float], ...] = ()) -> Soak:  # noqa: B008 (a value)
    each = {("a", number): Life(0, young, old, 60) for number, (young, old) in enumerate(lives)}
    return Soak([], use, each)


def test_a_process_may_use_so_much_and_not_grow() -> None:
    """Each bound is one: memory, files, threads, disk; growth of one process; growth from process to process."""
    assert not [*_soak(lives=((80, 85),) * 12).faults()]
    for name in Use._fields:
        [fault] = _soak(Use(80, 30, 20, 4)._replace(**{name: 1000})).faults()
        assert str(fault).startswith(f"{name}: 1000")
    assert len([*_soak(lives=((80, 81 + MOST_GROWTH),)).faults()]) == 1
    rising = tuple((80 + 5 * number, 80 + 5 * number) for number in range(12))
    [fault] = _soak(lives=rising).faults()
    assert "grew by 40 MB during the run" in str(fault)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="there is no /proc")  # noqa: PTH110 (a decorator)
def test_what_a_process_uses_is_seen() -> None:
    """Of a process that is there, and nothing of one that has gone."""
    process = SimpleNamespace(process=SimpleNamespace(pid=os.getpid()))
    member = SimpleNamespace(name="a", starts=1, process=process, disk_use=lambda: 3_000_000)
    soak = Soak([cast("Member", member)])
    soak.look()
    assert soak.peak.memory > 10
    assert soak.peak.files > 2
    assert soak.peak.threads >= 1
    assert soak.peak.disk == 3
    process.process.pid = 2**22 + 1
    gone = Soak([cast("Member", member)])
    gone.look()
    assert gone.peak == Use(0, 0, 0, 0)
