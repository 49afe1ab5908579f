"""Log lines in a flood: what is written, what is told of the rest, and that a log on a full disk stops nothing."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from test_letters import Confirming

from connector import logs
from connector.core.events import Entity, FieldError, Partition, Reason, Record, Reject
from connector.core.offsets import Offsets
from connector.letters import Letters
from connector.log_sampling import MOST_LINES, Held, Sampling
from connector.metrics import Metrics
from connector.telling import Teller

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOOD = 200_000
P = Partition("shop.orders", 0)


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Give each test the root logger as it is, and restore it."""
    before = logging.root.level, logging.root.handlers[:]
    yield
    logging.root.setLevel(before[0])
    logging.root.handlers[:] = before[1]


def _line(event: str, **fields: object) -> logging.LogRecord:
    record = logging.LogRecord("connector.test", logging.WARNING, "", 0, "", (), None)
    record.connector_event, record.connector_fields = event, fields
    return record


def test_the_first_lines_of_a_kind_are_written_and_the_rest_is_counted() -> None:
    """Within a minute; a flood of one reason hides neither another reason nor another entity."""
    now = [100.0]
    sampling = Sampling(most=3, window=60.0, clock=lambda: now[0])
    written = [sampling.filter(_line("dead_letter", entity="orders", reason="invalid")) for _ in range(10)]
    assert written == [True] * 3 + [False] * 7
    assert sampling.filter(_line("dead_letter", entity="orders", reason="rejected"))
    assert sampling.filter(_line("dead_letter", entity="products", reason="invalid"))
    assert sampling.due() == []
    now[0] = 160.0
    assert sampling.due() == [Held("dead_letter", "orders invalid", 7)]
    assert sampling.due() == []
    assert sampling.filter(_line("dead_letter", entity="orders", reason="invalid"))


def test_what_is_written_and_what_is_told_add_up() -> None:
    """However the windows fall, and however seldom the count is asked for."""
    now = [0.0]
    sampling = Sampling(most=2, window=60.0, clock=lambda: now[0])
    written = told = 0
    for second in range(600):
        now[0] = float(second)
        written += sum(sampling.filter(_line("paused")) for _ in range(5))
        told += sum(held.lines for held in sampling.due()) if second % 7 == 0 else 0
    told += sum(held.lines for held in sampling.due(at_once=True))
    assert written + told == 3000
    assert 2 * 10 <= written <= 2 * 11


def test_many_kinds_take_bounded_memory() -> None:
    """Beyond a thousand kinds lines pass uncounted: a log may be long, a process may not grow."""
    sampling = Sampling(most=1)
    assert all(sampling.filter(_line("library", reason=str(number))) for number in range(5000))
    again = [sampling.filter(_line("library", reason=str(number))) for number in range(5000)]
    assert again == [False] * 1000 + [True] * 4000


def test_two_hundred_thousand_dead_letters_write_a_few_lines() -> None:
    """The log names the first, tells how many more there were, and the metric counts them."""
    stream = io.StringIO()
    logs.configure("info", "json", stream)
    offsets, metrics = Offsets(), Metrics()
    offsets.assign(P)
    offsets.advance(P, FLOOD)
    letters = Letters(Confirming(), offsets, metrics, lambda: 1_700_000_000.0, lambda _: None)
    reject = Reject(Reason.INVALID, (FieldError("Currency", "is wrong"),))
    for offset in range(FLOOD):
        letters.write(Record(P.topic, 0, offset, b"k", b"v"), [offsets.hold(P, offset)], Entity.ORDERS, reject)
    Teller(metrics).held_back(at_once=True)
    lines: list[dict[str, Any]] = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["event"] for line in lines] == ["dead_letter"] * MOST_LINES + ["lines_held_back"]
    assert lines[-1]["lines"] == FLOOD - MOST_LINES
    assert lines[-1]["kind"] == "orders invalid"
    assert f'log_lines_held_back_total{{event="dead_letter"}} {FLOOD - MOST_LINES}' in metrics.exposition().decode()
    assert (letters.unconfirmed, offsets.outstanding(), offsets.committable(P)) == (0, 0, FLOOD)


_WRITER = """
import sys
from connector import logs
logs.configure("info", "json", sys.stdout)
for number in range(1000):
    logs.get("test").warning("paused", "Full.", entity="orders")
print(sum(held.lines for held in logs.held_back(at_once=True)), file=sys.stderr)
"""


def test_a_log_on_a_full_disk_costs_its_lines_and_nothing_else() -> None:
    """The process goes on, writes no traceback for each line, and knows how many lines are lost."""
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-c", _WRITER], stdout=full, stderr=subprocess.PIPE, check=False, timeout=60
        )
    assert (ended.returncode, ended.stderr.strip()) == (0, b"1000")
