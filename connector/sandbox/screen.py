"""The demo's screen: what is happening, live in a terminal, and as plain lines elsewhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import RenderableType

    from connector.sandbox.verdict import Tally, Verdict

NARROW = 76
"""Columns below which panels stand below each other."""

_NEWS = 4
_SHOWN = 10
_PURPOSES = ("fresh", "backlog", "delete", "item_delete", "retry", "isolation", "probe")


@dataclass(frozen=True, slots=True)
class Lane:
    """An entity: records read, records waiting, and what it does, in a word or two."""

    entity: str
    read: int
    waiting: int
    state: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A moment of the demo. `share`: of the day that is over; `windows`: requests in the last minute and hour."""

    phase: str
    clock: str
    share: float
    events: int
    lanes: Sequence[Lane]
    windows: tuple[int, int]
    limits: tuple[int, int]
    requests: Counter[str] = field(default_factory=Counter)
    freshness: tuple[float, float] | None = None
    dead: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    news: Sequence[str] = ()


def screen(figures: Figures, width: int) -> RenderableType:
    """All of it, in at most 24 lines where they have 80 columns."""
    if width < NARROW:
        middle: list[RenderableType] = [_lanes(figures), _limits(figures), _requests(figures)]
    else:
        pair = Table.grid(expand=True, padding=0)
        pair.add_column(ratio=11)
        pair.add_column(ratio=10)
        left = Group(_lanes(figures), Text(), _limits(figures))
        pair.add_row(
            Panel(left, title="lanes and limits", title_align="left", box=box.ROUNDED, border_style="dim", height=10),
            Panel(
                _requests(figures),
                title=f"{figures.requests.total():,} requests, spent on",
                title_align="left",
                box=box.ROUNDED,
                border_style="dim",
                height=10,
            ),
        )
        middle = [pair]
    return Group(*_head(figures), *middle, *_causes(figures), Text(), *_news(figures.news))


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _head(figures: Figures) -> list[RenderableType]:
    title = Table.grid(expand=True, padding=(0, 1))
    title.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    title.add_column(justify="right", no_wrap=True)
    title.add_row(_line("replenit-connector demo", "bold cyan"), _line(figures.clock, "dim"))
    progress = Table.grid(expand=True, padding=(0, 1))
    progress.add_column(ratio=1)
    progress.add_column(justify="right", no_wrap=True)
    progress.add_row(
        ProgressBar(1.0, min(1.0, figures.share)), _line(f"{figures.share:4.0%}  {figures.events:,} events")
    )
    return [title, _line(f"> {figures.phase}", "bold"), progress]


def _lanes(figures: Figures) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("lane", no_wrap=True)
    table.add_column("read", justify="right", no_wrap=True)
    table.add_column("waiting", justify="right", no_wrap=True)
    table.add_column("state", ratio=1, no_wrap=True, overflow="ellipsis")
    for lane in figures.lanes:
        style = "green" if lane.state in ("sending", "up to date") else "bold red"
        table.add_row(lane.entity, f"{lane.read:,}", f"{lane.waiting:,}", Text(lane.state, style))
    return table


def _limits(figures: Figures) -> Table:
    table = Table.grid(expand=True, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    for name, count, limit in zip(("minute", "hour"), figures.windows, figures.limits, strict=True):
        table.add_row(f"last {name}", ProgressBar(limit, min(count, limit)), f"{count:,} of {limit:,}")
    fresh = figures.freshness
    told = "-" if fresh is None else f"p50 {seconds(fresh[0])}, p99 {seconds(fresh[1])}"
    table.add_row("fresh in", "", told)
    return table


def _requests(figures: Figures) -> Table:
    table = Table.grid(expand=True, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(ratio=1)
    table.add_column(justify="right", no_wrap=True)
    most = max([*figures.requests.values(), 1])
    for purpose in _PURPOSES:
        count = figures.requests[purpose]
        bar = ProgressBar(most, count, complete_style="cyan", finished_style="cyan")
        table.add_row(purpose.replace("_", " "), bar, f"{count:,}")
    return table


def _causes(figures: Figures) -> list[RenderableType]:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(ratio=1)
    for name, counts, style in (("dead letters", figures.dead, "yellow"), ("withheld", figures.withheld, "magenta")):
        table.add_row(Text(name, style), f"{counts.total():,}", _line(listed(counts), "dim"))
    return [table]


def _news(news: Sequence[str]) -> list[Text]:
    shown = list(news)[-_NEWS:]
    return [_line(each, "dim" if index < len(shown) - 1 else "") for index, each in enumerate(shown)]


def plain(figures: Figures) -> str:
    """The same in a line, for what is no terminal."""
    waiting = ", ".join(f"{lane.waiting} {lane.entity}" for lane in figures.lanes)
    stopped = "".join(f", {lane.entity} {lane.state}" for lane in figures.lanes if lane.state.startswith("stopped"))
    minute, hour = figures.windows
    return (
        f"{figures.share:4.0%}  {figures.events:,} events, waiting {waiting}{stopped}; "
        f"{figures.requests.total():,} requests, {minute} in the last minute, {hour:,} in the last hour; "
        f"{figures.dead.total()} dead letters"
    )


def verdict(found: Verdict, spent: Counter[str], freshness: tuple[float, float] | None) -> RenderableType:
    """How it ended."""
    agree = not found.disagreements
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), header_style="dim", show_edge=False)
    for column in ("table", "rows", "equal", "dead-lettered", "withheld", "wrong", "deleted in both"):
        table.add_column(column, justify="left" if column == "table" else "right", no_wrap=True)
    for entity, tally in found.tallies.items():
        wrong = Text(str(tally.wrong), "bold red" if tally.wrong else "")
        cells = (tally.rows, tally.equal, tally.dead.total(), tally.withheld.total())
        table.add_row(entity, *(f"{each:,}" for each in cells), wrong, f"{tally.gone:,}")
    minute, hour = found.fullest
    fewest = found.fewest
    facts: list[tuple[str, str]] = [
        ("dead-lettered", _by_entity(found.tallies, dead=True)),
        ("withheld", _by_entity(found.tallies, dead=False)),
        ("requests", f"{found.requests:,}: {listed(spent)}"),
        (
            "fewest possible",
            f"{fewest.total:,}: {fewest.batches} full batches, {fewest.deletes} rows deleted, {fewest.items} items "
            "removed, had all gone at the end of the day; the others bought freshness",
        ),
        ("fullest minute", f"{minute:,} of {found.limits[0]:,}"),
        ("fullest hour", f"{hour:,} of {found.limits[1]:,}"),
    ]
    if freshness is not None:
        facts.append(("fresh in", f"p50 {seconds(freshness[0])}, p99 {seconds(freshness[1])}, outages included"))
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, fact in facts:
        grid.add_row(name, fact)
    rows = sum(tally.rows for tally in found.tallies.values())
    head = (
        Text(f"All {rows:,} rows agree with what Replenit holds, and no promise was broken.", "bold green")
        if agree
        else Text(f"{len(found.disagreements)} disagreements between the shop and Replenit:", "bold red")
    )
    wrong = [Text(f"  {each}", "red") for each in found.disagreements[:_SHOWN]]
    if len(found.disagreements) > _SHOWN:
        wrong.append(Text(f"  and {len(found.disagreements) - _SHOWN} more", "red"))
    return Group(head, *wrong, Text(), table, Text(), grid)


def _by_entity(tallies: Mapping[str, Tally], *, dead: bool) -> str:
    parts = {entity: tally.dead if dead else tally.withheld for entity, tally in tallies.items()}
    return "; ".join(f"{entity} {listed(counts)}" for entity, counts in parts.items() if counts) or "none"


def listed(counts: Counter[str]) -> str:
    """Counts by name, the greatest first."""
    return ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in (+counts).most_common()) or "none"


def seconds(value: float) -> str:
    return f"{value:.1f} s" if value < 10 else f"{value:,.0f} s"  # noqa: PLR2004 # where a decimal says no more
