"""`dead-letters list`: which records could not be brought to Replenit, by reason and field.

Nothing of a customer is printed: a record is named TOPIC-PARTITION@OFFSET, never by its key.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from connector.letter_search import Left, add_filters, letters, search

if TYPE_CHECKING:
    from datetime import datetime

    from connector.core.dead_letter import Letter

_MOST_NAMED = 3
_HEAD = ("letters", "entity", "reason", "field", "oldest", "newest", "records")


class _Kind(NamedTuple):
    entity: str
    reason: str
    field: str


@dataclass(slots=True)
class _Group:
    """Letters of one kind. `records`: the newest that were found, by name."""

    oldest: datetime
    newest: datetime
    letters: int = 0
    records: list[str] = field(default_factory=list)

    def add(self, letter: Letter) -> None:
        self.letters += 1
        self.oldest = min(self.oldest, letter.time)
        self.newest = max(self.newest, letter.time)
        self.records = [*self.records[1 - _MOST_NAMED :], letter.record.where]


def run(arguments: list[str]) -> int:
    """Print the dead letters that are asked for. Raises ConfigurationError and PlatformError."""
    parser = argparse.ArgumentParser(prog="replenit-connector dead-letters list", description=__doc__)
    add_filters(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, with the place of every letter")
    options = parser.parse_args(arguments)
    groups: dict[_Kind, _Group] = {}
    places: list[dict[str, object]] = []
    left, count = Left(), 0
    with search() as found:
        topic = found.settings.dead_letter_topic
        for letter in found.letters(options, left):
            count += 1
            kind = _Kind(letter.entity, letter.reason, ", ".join(letter.fields[:_MOST_NAMED]))
            groups.setdefault(kind, _Group(letter.time, letter.time)).add(letter)
            if options.json:
                places.append(_described(letter))
    ordered = sorted(groups.items(), key=lambda each: -each[1].letters)
    if options.json:
        told = [{**kind._asdict(), **_told(group)} for kind, group in ordered]
        print(json.dumps({"topic": topic, "groups": told, "letters": places, "left_out": left.counts}, indent=1))
        return 0
    print(f"{letters(count)} in {topic}." if count else f"No dead letters in {topic} that match.")
    if count:
        print("\n".join(["", *_table(ordered)]))
    if left.counts:
        print(f"\n{left.told()}")
    return 0


def _described(letter: Letter) -> dict[str, object]:
    return {
        "letter": letter.carrier.where,
        "record": letter.record.where,
        "entity": letter.entity,
        "reason": letter.reason,
        "fields": letter.fields,
        "time": _time(letter.time),
    }


def _told(group: _Group) -> dict[str, object]:
    return {
        "letters": group.letters,
        "oldest": _time(group.oldest),
        "newest": _time(group.newest),
        "records": group.records,
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _table(groups: list[tuple[_Kind, _Group]]) -> list[str]:
    rows = [_HEAD]
    for kind, group in groups:
        names = " ".join([*group.records[-1:], *(["…"] if group.letters > 1 else [])])
        rows.append((str(group.letters), *kind, _time(group.oldest), _time(group.newest), names))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].rjust(widths[0]), *(cell.ljust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return lines
