"""Whether Replenit holds what the shop's tables say, row by row, and whether everything else that was promised held."""

from __future__ import annotations

import math
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.sandbox.rows import IDS
from connector.sandbox.shop import WITHHELD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connector.sandbox.rules import Document
    from connector.sandbox.shop import Place, Shop

_FIELDS_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is there at the end. `state`: entity → id → document; `letters`: origin → reason.

    `arrivals`: when each request came, in seconds; `limits`: of a minute and of an hour; `batches`: entity → most
    records of a request; `unsettled`: changes that the connector has not finished.
    """

    state: Mapping[str, Mapping[str, Document]]
    letters: Mapping[Place, str]
    arrivals: Sequence[float]
    limits: tuple[int, int]
    batches: Mapping[str, int]
    broken_promises: Sequence[str] = ()
    unsettled: int = 0


@dataclass(slots=True)
class Tally:
    """An entity's rows by what became of them. `gone`: documents that were deleted, as their rows say."""

    rows: int = 0
    equal: int = 0
    gone: int = 0
    wrong: int = 0
    dead: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Fewest:
    """The fewest requests that lead to the same end: full batches of all rows, and one for each row or item deleted.

    Rows that came back are not counted among the deleted, nor the items of an order that is gone.
    """

    batches: int
    deletes: int
    items: int

    @property
    def total(self) -> int:
        return self.batches + self.deletes + self.items


@dataclass(frozen=True, slots=True)
class Verdict:
    """The comparison. All agree if there is no disagreement; each is a sentence."""

    tallies: Mapping[str, Tally]
    disagreements: Sequence[str]
    events: int
    requests: int
    fewest: Fewest
    fullest: tuple[int, int]
    limits: tuple[int, int]


def judge(shop: Shop, evidence: Evidence) -> Verdict:
    """Compare what is there with what should be."""
    tallies = {entity: Tally() for entity in IDS}
    ordered = sorted(evidence.arrivals)
    windows = (fullest(ordered, 60), fullest(ordered, 3600))
    disagreements = [
        *(each for entity, tally in tallies.items() for each in _compare(shop, entity, evidence.state[entity], tally)),
        *_letters(shop, evidence.letters),
        *(
            f"the fullest {span} had {count} requests, and the limit is {limit}"
            for span, count, limit in zip(("minute", "hour"), windows, evidence.limits, strict=True)
            if count > limit
        ),
        *(f"promise broken: {each}" for each in evidence.broken_promises),
        *([f"{evidence.unsettled} changes are not settled"] if evidence.unsettled else []),
    ]
    fewest = _fewest(shop, evidence.batches)
    return Verdict(tallies, disagreements, shop.written, len(ordered), fewest, windows, evidence.limits)


def _compare(shop: Shop, entity: str, state: Mapping[str, Document], tally: Tally) -> Iterator[str]:
    expected, fates = shop.expected[entity], shop.fates[entity]
    rows = {str(number) for number in shop.tables[entity]}
    tally.rows = len(rows)
    for each in sorted(rows | expected.keys() | state.keys(), key=lambda text: (len(text), text)):
        wanted, found = expected.get(each), state.get(each)
        fate = fates.get(each, "")
        if found != wanted:
            tally.wrong += 1
            yield f"{entity} {each}: {_difference(wanted, found, fate)}"
        elif fate:
            (tally.withheld if fate in WITHHELD else tally.dead)[fate] += 1
        else:
            tally.equal += 1
    tally.gone = len(shop.gone[entity] - state.keys())


def _difference(wanted: Document | None, found: Document | None, fate: str) -> str:
    if found is None:
        return "Replenit does not hold it"
    if wanted is None:
        return f"Replenit holds it although {f'it is {fate}' if fate else 'its row is gone'}"
    fields = [name for name in sorted(wanted.keys() | found.keys()) if wanted.get(name) != found.get(name)]
    more = f" and {len(fields) - _FIELDS_SHOWN} more" if len(fields) > _FIELDS_SHOWN else ""
    return f"Replenit holds another version: {', '.join(fields[:_FIELDS_SHOWN])}{more} differ"


def _letters(shop: Shop, letters: Mapping[Place, str]) -> Iterator[str]:
    """Every flawed change has a dead letter, and no other has one.

    A spoilt order that a later version replaces may have none: while a broken column is awaited, nothing is drained.
    """
    for place, flaw in shop.flaws.items():
        superseded = shop.newest[flaw.entity, flaw.id] != place
        found = letters.get(place)
        if found is None and not (superseded and flaw.entity == "orders"):
            yield f"{flaw.entity} {flaw.id}: its change is {flaw.reason} and has no dead letter"
        elif found is not None and found != flaw.reason:
            yield f"{flaw.entity} {flaw.id}: its change is {flaw.reason}, and its dead letter says {found}"
    for place in letters.keys() - shop.flaws.keys():
        yield f"{place.topic}-{place.partition}@{place.offset}: a dead letter of a change without flaw"


def _fewest(shop: Shop, most: Mapping[str, int]) -> Fewest:
    batches = sum(math.ceil(len(documents) / most[entity]) for entity, documents in shop.expected.items())
    return Fewest(batches, sum(map(len, shop.gone.values())), sum(map(len, shop.removed.values())))


def fullest(times: Sequence[float], seconds: float) -> int:
    """The most of the sorted times that lie within one half-open span so long."""
    within: deque[float] = deque()
    most = 0
    for time in times:
        within.append(time)
        while within[0] <= time - seconds:
            within.popleft()
        most = max(most, len(within))
    return most
