"""`reconcile`: find deletes that were missed, and make up for them.

After lost offsets Debezium takes a new snapshot of the tables; what was deleted in between is never reported. Such a
row's newest record in the topic lies before the snapshot, and is no delete. Without --apply nothing is sent. Only a
complete snapshot tells, as Debezium takes it at a start or by a blocking signal, and not an incremental one.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from connector.asking import Asking
from connector.core.replays import Replay
from connector.core.resnapshot import Resnapshot
from connector.letter_search import search

if TYPE_CHECKING:
    from connector.core.events import Entity, Record
    from connector.letter_search import Search

MOST_UNASKED = 0.05
_MOST_SHOWN = 10


class Missed(NamedTuple):
    """A topic's rows, those of them whose delete was missed, and how far the topic was read."""

    topic: str
    entity: Entity
    rows: int
    records: list[Record]
    ends: dict[int, int]

    @property
    def share(self) -> float:
        return len(self.records) / self.rows if self.rows else 0.0


def run(arguments: list[str]) -> int:
    """Look, and with --apply ask the service. Raises ConfigurationError and PlatformError."""
    parser = argparse.ArgumentParser(prog="replenit-connector reconcile", description=__doc__)
    parser.add_argument("--topic", action="append", help="only this source topic")
    parser.add_argument("--apply", action="store_true", help="delete them at Replenit; without it nothing is sent")
    parser.add_argument("--yes", action="store_true", help=f"even if they are more than {MOST_UNASKED:.0%}% of a table")
    options = parser.parse_args(arguments)
    with search() as looking:
        asking = Asking(looking.scan, looking.settings.replay_topic) if options.apply else None
        every = looking.settings.topics.items()
        chosen = [(topic, entity) for entity, topics in every for topic in topics]
        found = [_look(looking, *each) for each in chosen if not options.topic or each[0] in options.topic]
        missed = [each for each in found if each is not None and each.records]
        if not missed:
            if told := [each.topic for each in found if each is not None]:
                print(f"No delete was missed in {', '.join(told)}.")
            return 0
        if asking is None:
            print("Nothing was sent: --apply does it.")
            return 0
        many = [each for each in missed if each.share > MOST_UNASKED]
        if many and not options.yes:
            print(f"Nothing was sent: more than {MOST_UNASKED:.0%} of {many[0].topic} would be deleted. If that is")
            print("right, add --yes.")
            return 1
        count = asking.write(_delete(looking, each, record) for each in missed for record in each.records)
        print(f"The service is asked to delete {count} rows.")
        if asking.unheard:
            print(asking.unheard)
    return 0


def _look(looking: Search, topic: str, entity: Entity) -> Missed | None:
    """Read a topic from its start, and say what was found."""
    bounds = looking.scan.bounds(topic)
    if bounds is None:
        print(f"{topic}: does not exist, or may not be seen.")
        return None
    if looking.settings.primary_keys[topic] is not None:
        print(f"{topic}: its rows can't be deleted by their message keys, since the mapping names another primary_key.")
        return None
    seen, ends = Resnapshot(looking.names, looking.wire), {}
    for record, partition, offset in looking.scan.read({each: low for each, (low, _) in bounds.items()}):
        if record is None:
            ends[partition.number] = offset
        else:
            looking.reading(lambda record=record: seen.see(record))  # type: ignore[misc] # it is a record
    if seen.snapshot is None:
        print(f"{topic}: {seen.rows} rows. No complete snapshot is in the topic, so nothing can be told.")
        return None
    found = Missed(topic, entity, seen.rows, seen.missed(), ends)
    print(f"{topic}: {found.rows} rows, {seen.snapshot} records of the latest complete snapshot.")
    if found.records:
        print(f"  {len(found.records)} rows ({found.share:.1%}) were deleted without a record of it; their last ones:")
        places = [record.where for record in found.records[:_MOST_SHOWN]]
        print(
            "\n".join([*(f"    {where}" for where in places), *(["    …"] if len(found.records) > _MOST_SHOWN else [])])
        )
    return found


def _delete(looking: Search, missed: Missed, record: Record) -> Replay:
    """What makes the service delete the row: a tombstone, unless it has read something newer."""
    group = looking.settings.kafka_group_id
    return Replay(replace(record, value=None), missed.ends, missed.entity, group, {})
