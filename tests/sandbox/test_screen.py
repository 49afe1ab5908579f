"""The demo's pictures: they fit terminals of every width, and tell what they are given."""

from __future__ import annotations

from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from connector.sandbox import screen
from connector.sandbox.screen import Figures, Lane
from connector.sandbox.verdict import Fewest, Tally, Verdict

FIGURES = Figures(
    phase="The column is mended, and the orders that it spoilt",
    clock="minute 34:50 of 39, 60 times as fast as real",
    share=0.89,
    events=35_928,
    lanes=(
        Lane("customers", 15_990, 12_345, "up to date"),
        Lane("products", 7_071, 133, "sending"),
        Lane("orders", 12_847, 1_044, "suspended"),
    ),
    windows=(93, 4_410),
    limits=(100, 5000),
    requests=Counter(fresh=12_859, delete=358, item_delete=99, backlog=49, retry=41, isolation=2, probe=2),
    freshness=(12.3, 409.0),
    dead=Counter(invalid=12_345, undecodable=1_234, unconvertible=1_233, no_key=1_204, rejected=500),
    withheld=Counter(no_consent=1_367, no_items=155, no_variants=9),
    news=[("red", "31:20 suspended: Nothing more is sent of orders, the other lanes go on. " * 3)] * 3,
)
VERDICT = Verdict(
    tallies={
        "customers": Tally(12_960, 11_385, 106, 0, Counter(undecodable=63, invalid=52), Counter(no_consent=1_367)),
        "products": Tally(2_168, 2_123, 48, 0, Counter(invalid=13), Counter(no_variants=9)),
        "orders": Tally(8_496, 8_188, 143, 0, Counter(undecodable=47, rejected=3), Counter(no_items=155)),
    },
    disagreements=[],
    events=35_928,
    requests=2_410,
    fewest=Fewest(88, 297, 97),
    fullest=(92, 2_410),
    limits=(100, 5000),
)


def lines(picture: object, width: int) -> list[str]:
    console = Console(file=StringIO(), width=width, height=24, force_terminal=True, record=True)
    console.print(picture)
    return console.export_text().splitlines()


@pytest.mark.parametrize("width", [60, 79, 80, 100, 120, 200])
def test_the_screen_fits(width: int) -> None:
    """No line is wider than the terminal, and no figure is cut or wrapped."""
    shown = lines(screen.screen(FIGURES, width, 24), width)
    assert max(map(len, shown)) <= width
    text = "\n".join(shown)
    for told in ("35,928 events", "15,990  12,345 up to date", "93 of 100", "4,410 of 5,000", "12,859", "p99 409 s"):
        assert told in text, told
    assert "suspended" in text


@pytest.mark.parametrize("width", [80, 120])
def test_the_screen_fits_in_24_lines(width: int) -> None:
    """From 80 columns on; the latest news stand last, and long ones go on in the next line."""
    shown = lines(screen.screen(FIGURES, width, 24), width)
    assert len(shown) <= 24
    assert shown[-1].startswith("      ")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_verdict_fits(width: int) -> None:
    """No line is wider than the terminal, and no figure of the table is cut."""
    shown = lines(screen.verdict(VERDICT, FIGURES.requests, (3.2, 409.0), width), width)
    assert max(map(len, shown)) <= width
    [row] = [line.split() for line in shown if line.strip().startswith("customers ")]
    assert row == ["customers", "12,960", "11,385", "115", "1,367", "0", "106"]
    assert "23,624 rows agree" in " ".join(shown)
    assert "482 if all had waited" in " ".join(" ".join(shown).split())


def test_disagreements_are_shown_and_counted() -> None:
    """The first ten, and how many more there are."""
    wrong = Verdict(
        VERDICT.tallies,
        [f"orders {each}: Replenit does not hold it" for each in range(12)],
        1,
        1,
        Fewest(0, 0, 0),
        (1, 1),
        (100, 5000),
    )
    shown = "\n".join(lines(screen.verdict(wrong, Counter(), None, 80), 80))
    assert "disagree (12)" in shown
    assert "orders 9: Replenit does not hold it" in shown
    assert "orders 10:" not in shown
    assert "and 2 more" in shown
    assert "agree with what" not in shown


def test_a_plain_line_is_one_line() -> None:
    """It has the figures, and no more."""
    line = screen.plain(FIGURES)
    assert "\n" not in line
    assert "12,345 customers" in line
    assert "16,516 dead letters" in line
