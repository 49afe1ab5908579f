"""The demo's pictures: a moment of the day as a screen or as a line, and the verdict at its end."""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from connector.sandbox.verdict import Verdict

NARROW = 80
"""Columns below which the two panels stand below each other."""

_INDENT = " " * len("00:00 ")
_HEIGHT = 17  # lines of the screen without its news
_SHOWN = 10  # disagreements
_EXACT = 10  # seconds below which a decimal says something
_WELL = ("sending", "up to date", "joining", "reading")
_PURPOSES = ("fresh", "backlog", "delete", "item_delete", "retry", "isolation", "probe")


@dataclass(frozen=True, slots=True)
class Lane:
    """An entity: records read, records waiting, and what it does, in a few words."""

    entity: str
    read: int
    waiting: int
    state: str


@dataclass(frozen=True, slots=True)
class Figures:
    """A moment of the demo. `share`: of the day that is over; `windows`: requests in the last minute and hour.

    `freshness`: median and 99th percentile, in seconds. `news`: style and sentence, the latest last.
    """

    phase: str
    clock: str
    share: float
    events: int
    lanes: Sequence[Lane]
    windows: tuple[int, int]
    limits: tuple[int, int]
    requests: Counter[str]
    freshness: tuple[float, float] | None
    dead: Counter[str]
    withheld: Counter[str]
    news: Sequence[tuple[str, str]]


def screen(figures: Figures, width: int, height: int) -> RenderableType:
    """The moment as a screen; no line is wider than `width`, and the news fill what the height leaves."""
    left = _panel("lanes and limits", Group(_lanes(figures.lanes), Text(), *_limits(figures)))
    right = _panel(f"{figures.requests.total():,} requests, spent on", _requests(figures.requests))
    if width < NARROW:
        middle = Group(left, right)
    else:
        pair = _grid("**", gap=0)
        pair.add_row(left, right)
        middle = Group(pair)
    news = [
        Text(line, style)
        for style, sentence in figures.news
        for line in wrap(sentence, width, subsequent_indent=_INDENT)
    ]
    return Group(*_head(figures), middle, _causes(figures), Text(), *news[-max(3, height - _HEIGHT) :])


def _grid(columns: str, gap: int = 1) -> Table:
    """Columns as wide as what they hold, aligned to the left (`<`) or right (`>`), and those that share the rest."""
    grid = Table.grid(expand=True, padding=(0, gap, 0, 0))
    for column in columns:
        grid.add_column(ratio=1 if column == "*" else None, justify="right" if column == ">" else "left")
    return grid


def _panel(title: str, content: RenderableType) -> Panel:
    return Panel(content, title=title, title_align="left", box=box.ROUNDED, border_style="dim", height=10)


def _line(text: str, style: str = "") -> Text:
    return Text(text, style, no_wrap=True, overflow="ellipsis")


def _bars(rows: Iterable[tuple[str, float, float, str, str]]) -> Table:
    """A name, a bar of a total, and what it means, a row."""
    table = _grid("<*>")
    for name, total, completed, told, style in rows:
        bar = ProgressBar(total, min(completed, total), complete_style=style, finished_style=style)
        table.add_row(_line(name), bar, _line(told))
    return table


def _head(figures: Figures) -> list[RenderableType]:
    title = _grid("*>")
    title.add_row(_line("replenit-connector demo", "bold cyan"), _line(figures.clock, "dim"))
    told = f"{figures.events:,} events"
    day = _bars([(f"{figures.share:4.0%}", 1.0, figures.share, told, "cyan")])
    return [title, _line(figures.phase, "bold"), day]


def _lanes(lanes: Sequence[Lane]) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column("lane", no_wrap=True)
    table.add_column("read", justify="right", no_wrap=True)
    table.add_column("waiting", justify="right", no_wrap=True)
    table.add_column("state", ratio=1)
    for lane in lanes:
        state = _line(lane.state, "green" if lane.state in _WELL else "bold red")
        table.add_row(lane.entity, f"{lane.read:,}", f"{lane.waiting:,}", state)
    return table


def _limits(figures: Figures) -> list[Table]:
    windows = zip(("minute", "hour"), figures.windows, figures.limits, strict=True)
    bars = [(f"last {name}", limit, count, f"{count:,} of {limit:,}", "green") for name, count, limit in windows]
    fresh = _grid("*>")
    fresh.add_row("fresh within", _line(_quantiles(figures.freshness)))
    return [_bars(bars), fresh]


def _requests(requests: Counter[str]) -> Table:
    most = max([*requests.values(), 1])
    return _bars((each.replace("_", " "), most, requests[each], f"{requests[each]:,}", "cyan") for each in _PURPOSES)


def _causes(figures: Figures) -> Table:
    table = _grid("<>*")
    for name, counts, style in (("dead letters", figures.dead, "yellow"), ("withheld", figures.withheld, "magenta")):
        table.add_row(_line(name, style), f"{counts.total():,}", _line(_listed(counts), "dim"))
    return table


def plain(figures: Figures) -> str:
    """The moment as a line, for what is no terminal."""
    waiting = ", ".join(f"{lane.waiting:,} {lane.entity}" for lane in figures.lanes)
    minute, hour = figures.windows
    sent = f"{figures.requests.total():,} requests ({minute} in the last minute, {hour:,} in the last hour)"
    dead = f"{figures.dead.total():,} dead letters"
    return f"{figures.share:4.0%}  {figures.events:,} events, waiting {waiting}; {sent}, {dead}"


def verdict(
    found: Verdict, requests: Counter[str], freshness: tuple[float, float] | None, width: int
) -> RenderableType:
    """How it ended. `requests`: what they were spent on."""
    dead, padding = ("dead", (0, 0)) if width < NARROW else ("dead-lettered", (0, 1))
    table = Table(box=box.SIMPLE_HEAD, padding=padding, header_style="dim", show_edge=False)
    for column in ("table", "rows", "equal", dead, "withheld", "wrong", "deleted"):
        table.add_column(column, justify="left" if column == "table" else "right", no_wrap=True)
    for entity, tally in found.tallies.items():
        figures = (tally.rows, tally.equal, tally.dead.total(), tally.withheld.total(), tally.wrong, tally.gone)
        table.add_row(entity, *(f"{each:,}" for each in figures), style="bold red" if tally.wrong else "")
    facts = _grid("<*", gap=2)
    for name, fact in _facts(found, requests, freshness):
        facts.add_row(_line(name, "dim"), fact)
    return Group(Text(), *_outcome(found), Text(), table, Text(), facts)


def _outcome(found: Verdict) -> list[Text]:
    rows = sum(tally.rows for tally in found.tallies.values())
    wrong = len(found.disagreements)
    if not wrong:
        return [Text(f"All {rows:,} rows agree with what Replenit holds, and no promise was broken.", "bold green")]
    more = [f"and {wrong - _SHOWN:,} more"] if wrong > _SHOWN else []
    shown = [Text(f"  {each}", "red") for each in [*found.disagreements[:_SHOWN], *more]]
    return [Text(f"The shop and Replenit disagree ({wrong:,}):", "bold red"), *shown]


def _facts(found: Verdict, requests: Counter[str], freshness: tuple[float, float] | None) -> Iterable[tuple[str, str]]:
    tallies, fewest = found.tallies.items(), found.fewest
    yield "dead-lettered", _by_entity((entity, tally.dead) for entity, tally in tallies)
    yield "withheld", _by_entity((entity, tally.withheld) for entity, tally in tallies)
    yield "requests", f"{found.requests:,} for {found.events:,} events: {_listed(requests)}"
    waited = f"{fewest.total:,} if all had waited for the end of the day: {fewest.batches:,} full batches, "
    deleted = f"{fewest.deletes:,} rows and {fewest.items:,} items deleted; the others bought freshness"
    yield "fewest possible", waited + deleted
    minute, hour = (f"{count:,} of {limit:,}" for count, limit in zip(found.fullest, found.limits, strict=True))
    yield "fullest windows", f"{minute} in a minute, {hour} in an hour"
    yield "fresh within", f"{_quantiles(freshness)}, the outages included"


def _by_entity(counts: Iterable[tuple[str, Counter[str]]]) -> str:
    return "; ".join(f"{entity}: {_listed(each)}" for entity, each in counts if each) or "none"


def _listed(counts: Counter[str]) -> str:
    """Counts by name, the greatest first."""
    return ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in (+counts).most_common()) or "none"


def _quantiles(freshness: tuple[float, float] | None) -> str:
    if freshness is None:
        return "-"
    told = (f"{value:.1f} s" if value < _EXACT else f"{value:,.0f} s" for value in freshness)
    return "p50 {}, p99 {}".format(*told)
