"""`dead-letters replay`: send the rows of dead letters, as they are now, once what refused them is mended.

A dead letter itself is never sent. The newest record of its row is looked for in the source topic, and the running
service sends it, unless it has read something newer since. Without --apply nothing is sent, and it is said what would
be. It can be interrupted and repeated: what is mended is not asked for again.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from connector.asking import Asking
from connector.core import debezium
from connector.core.dead_rows import DeadRows
from connector.core.decoded import Undecodable
from connector.core.events import ChangeEvent, Op, Partition, Reason, Reject, Skip
from connector.core.mapping import Mapping
from connector.core.newest import Newest
from connector.core.verdicts import Refused, Upsert
from connector.letter_search import Left, add_filters, letters, search

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.core.events import Record
    from connector.core.replays import Replay
    from connector.letter_search import Search

_SKEW_MS = 60_000
"""The clocks of what writes to a topic may differ by so much."""


class Found(NamedTuple):
    """What was found for a topic's dead rows. `unknown`: rows of which no record is left that tells their state."""

    replays: list[Replay]
    unknown: int


def run(arguments: list[str]) -> int:
    """Look, and with --apply ask the service. Raises ConfigurationError and PlatformError."""
    parser = argparse.ArgumentParser(prog="replenit-connector dead-letters replay", description=__doc__)
    add_filters(parser)
    parser.add_argument("--apply", action="store_true", help="send them; without it nothing is sent")
    parser.add_argument(
        "--include-unknown",
        action="store_true",
        help="also send dead letters whose record has left its topic and whose row was not seen since: it may have "
        "changed in between, and an older state than Replenit's be sent",
    )
    options = parser.parse_args(arguments)
    with search() as looking:
        asking = Asking(looking.scan, looking.settings.replay_topic) if options.apply else None
        left = Left()
        settings = looking.settings
        dead = DeadRows(looking.names, looking.wire, settings.kafka_group_id, settings.families)
        for letter in looking.letters(options, left):
            if letter.record.topic not in settings.primary_keys:
                left.counts["of topics that these settings do not name"] += 1
                continue
            looking.reading(lambda letter=letter: dead.add(letter))  # type: ignore[misc] # it is a letter
        found = [
            _find(looking, dead, topic, left, include_unknown=options.include_unknown) for topic in sorted(dead.rows)
        ]
        replays = [*dead.family_replays(left.ends), *(replay for each in found for replay in each.replays)]
        print("\n".join(_told(looking, dead, found, left)))
        if asking is None:
            print("Nothing was sent: --apply does it." if replays else "There is nothing to send.")
            return 0
        if replays:
            asking.write(replays)
            print(f"The service is asked to send {_counted(replays)}. `dead-letters list` shows what is left.")
        if asking.unheard:
            print(asking.unheard)
    return 0


def _find(looking: Search, dead: DeadRows, topic: str, left: Left, *, include_unknown: bool) -> Found:
    """The newest records of a topic's dead rows, read from the first of them on."""
    rows = dead.rows[topic]
    bounds = looking.scan.bounds(topic)
    if bounds is None:
        return Found([], len(rows))
    newest, ends = Newest(rows, looking.names, looking.wire), {}
    for record, partition, offset in looking.scan.read(_starts(looking, dead.first(topic), topic, bounds)):
        if record is None:
            ends[partition.number] = offset
        else:
            looking.reading(lambda record=record: newest.see(record))  # type: ignore[misc] # it is a record
    records = dict(newest.records)
    if include_unknown:
        records = {name: row.letter.record for name, row in rows.items()} | records
    replays = list(dead.replays(topic, records, ends, left.ends))
    return Found(replays, len(rows) - len(replays))


def _starts(
    looking: Search, first: dict[Partition, int], topic: str, bounds: dict[Partition, tuple[int, int]]
) -> dict[Partition, int]:
    """From where each partition is read: a row's newer records may be in another one, if the topic has grown since."""
    lows = {partition: low for partition, (low, _) in bounds.items()}
    if any(offset < lows.get(partition, 0) for partition, offset in first.items()):
        return lows
    moments = []
    for partition, offset in first.items():
        record, _, _ = next(looking.scan.read({partition: offset}))
        moments.append(0 if record is None else record.timestamp_ms or 0)
    since = looking.scan.first_after(topic, min(moments) - _SKEW_MS)
    return {partition: min(since[partition], first.get(partition, since[partition])) for partition in lows}


def _told(looking: Search, dead: DeadRows, found: list[Found], left: Left) -> Iterator[str]:
    """What would be sent, what not, and what the mapping would refuse again."""
    families = f", documents of several tables: {len(dead.families)}" if dead.families else ""
    yield f"{letters(dead.letters)}, rows: {sum(map(len, dead.rows.values()))}{families}."
    replays = [replay for each in found for replay in each.replays]  # of rows
    settings = looking.settings
    mappings = {
        topic: Mapping(entity, settings.mapping[entity], settings.options(entity))
        for entity, topics in settings.topics.items()
        if entity not in settings.families  # whose rows do not tell a document by themselves
        for topic in topics
    }
    outcomes = Counter(_foretold(looking, mappings, replay.record) for replay in replays)
    for topic in sorted({replay.record.topic for replay in replays}):
        yield f"  {sum(replay.record.topic == topic for replay in replays)} rows of {topic} to send as they are now"
    for entity, number in sorted(Counter(entity for entity, _ in dead.families).items()):
        yield f"  {number} {entity} of several tables to send as they are now"
    for outcome, number in outcomes.most_common():
        if outcome:
            yield f"  {number} of these {outcome}"
    if unknown := sum(each.unknown for each in found):
        yield (
            f"  {unknown} rows can't be told: their record has left its topic, and nothing of them came since. "
            "--include-unknown sends them all the same"
        )
    if dead.unnamed:
        yield f"  {len(dead.unnamed)} letters name no row: change it in its table, or take a snapshot"
    if left.counts:
        yield left.told()


def _counted(replays: list[Replay]) -> str:
    documents = sum(bool(replay.family) for replay in replays)
    rows = len(replays) - documents
    told = [f"{rows} rows"] if rows else []
    return " and ".join([*told, *([f"{documents} documents of several tables"] if documents else [])])


def _foretold(looking: Search, mappings: dict[str, Mapping], record: Record) -> str:
    """What would become of the record; "" if it is an upsert, or not known."""
    mapping = mappings.get(record.topic)
    if mapping is None:
        return ""
    event: ChangeEvent | Skip | Reject
    try:
        event = looking.reading(lambda: debezium.parse(record, looking.wire.key(record), looking.wire.value(record)))
    except Undecodable:
        event = Reject(Reason.UNDECODABLE, ())
    if isinstance(event, ChangeEvent) and event.op is Op.DELETE:
        return "are deleted by now, and would be deleted at Replenit"
    refused = _refused(mapping, event) if isinstance(event, ChangeEvent) else event
    return (
        f"would be refused again by the mapping of these settings: {refused.reason}"
        if isinstance(refused, Reject)
        else ""
    )


def _refused(mapping: Mapping, event: ChangeEvent) -> object:
    """Why the mapping would refuse the row as it is, if it would."""
    verdict = mapping.map(replace(event, trusts_before=False), suppress=False)
    if isinstance(verdict, Upsert):
        return mapping.check(verdict, {})
    return verdict.reject if isinstance(verdict, Refused) else None
