"""Dead letters as the commands find them: which are asked for, which are still open, and of which rows they are."""

from __future__ import annotations

import argparse
import os
import re
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from connector.adapters.registry import Access, Registry
from connector.adapters.scan import Scan
from connector.core.avro_wire import SchemaMissing
from connector.core.dead_letter import Letter
from connector.core.dead_rows import Mended
from connector.core.events import Entity, Partition, Reason
from connector.core.replays import Replay
from connector.core.row_names import RowNames
from connector.core.wire import Wire
from connector.errors import PlatformError
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from connector.settings import Settings

T = TypeVar("T")

REGISTRY_PATIENCE = 30.0
_AGO = re.compile(r"(\d{1,6})\s*([smhd])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_UNUSED = {"REPLENIT_API_KEY": "unused", "REPLENIT_TENANT_ID": "00000000-0000-0000-0000-000000000000"}


def settings_without_key(environ: Mapping[str, str]) -> Settings:
    """The settings for commands that do not speak to Replenit: neither the key nor the tenant need be set.

    Raises ConfigurationError.
    """
    rest = {name: value for name, value in environ.items() if name.removesuffix("_FILE") not in _UNUSED}
    return load({**rest, **_UNUSED})


# --- Which letters are asked for


def moment(text: str) -> datetime:
    """The time that a text tells: ISO 8601, in UTC unless it says otherwise, or how long ago, such as 2h."""
    try:
        if ago := _AGO.fullmatch(text.strip()):
            return datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        told = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("expected a time such as 2026-03-01T12:00 (UTC), or 2h, 3d ago") from None
    return told.replace(tzinfo=told.tzinfo or UTC)


def add_filters(parser: argparse.ArgumentParser) -> None:
    """The options by which letters are chosen."""
    group = parser.add_argument_group("which letters")
    group.add_argument("--reason", choices=[reason.value for reason in Reason], action="append", help="for this reason")
    group.add_argument("--entity", choices=[entity.value for entity in Entity], action="append", help="of this entity")
    group.add_argument("--field", action="append", help="where this field is wrong: Currency, OrderItems[].Sku")
    group.add_argument("--topic", action="append", help="whose record came from this topic")
    group.add_argument("--since", type=moment, metavar="TIME", help="written at this time or later; 2h, 3d: ago")
    group.add_argument("--until", type=moment, metavar="TIME", help="written before")
    group.add_argument("--all", action="store_true", help="also those that were replayed")


def chosen(options: argparse.Namespace, letter: Letter) -> bool:
    """Whether the options ask for the letter."""
    return (
        (not options.reason or letter.reason in options.reason)
        and (not options.entity or letter.entity in options.entity)
        and (not options.field or not set(options.field).isdisjoint(letter.fields))
        and (not options.topic or letter.record.topic in options.topic)
        and (options.since is None or letter.time >= options.since)
        and (options.until is None or letter.time < options.until)
    )


# --- Reading them


@dataclass(slots=True)
class Left:
    """How many letters were passed over, and why; and how far the dead-letter topic was read."""

    counts: Counter[str] = field(default_factory=Counter)
    ends: dict[int, int] = field(default_factory=dict)

    def told(self) -> str:
        """A sentence about them, "" if there are none."""
        parts = [f"{count} {what}" for what, count in self.counts.items()]
        return f"Left out: {', '.join(parts)}." if parts else ""


def letters(count: int) -> str:
    """So many letters, in words."""
    return f"{count} dead letter{'s' * (count != 1)}"


class Search:
    """The dead-letter topic, the topic of replays, and what reads their records."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.names = RowNames(settings.primary_keys)
        self.registry = None if not settings.schema_registry_url else Registry(_access(settings))
        self.wire = Wire(self.registry)
        self.scan = Scan(settings.kafka, settings.kafka_group_id)

    def reading(self, read: Callable[[], T]) -> T:
        """What `read` gives, once the registry has given the schemas that it needs. Raises PlatformError."""
        deadline = time.monotonic() + REGISTRY_PATIENCE
        while True:
            try:
                return read()
            except SchemaMissing as missing:
                if time.monotonic() > deadline:
                    raise PlatformError(f"The schema registry does not give the schema with {missing}") from None
                time.sleep(0.05)

    def letters(self, options: argparse.Namespace, left: Left) -> Iterator[Letter]:
        """The letters that are asked for, in the order of their topic's partitions. Raises PlatformError."""
        starts = self._starts()
        mended = self._mended()
        for record, partition, offset in self.scan.read(starts):
            if record is None:
                left.ends[partition.number] = offset
                continue
            letter = Letter.read(record)
            if letter is None:
                left.counts["that the connector did not write"] += 1
            elif chosen(options, letter):
                state = self.reading(lambda letter=letter: _state(letter, *mended))  # type: ignore[misc] # it is a letter
                if state and not options.all:
                    left.counts[state] += 1
                else:
                    yield letter

    def _mended(self) -> tuple[Mended, Mended]:
        """What replays have mended, and what those will that the service has not taken in yet."""
        done, waiting = (Mended(self.names, self.wire, self.settings.families) for _ in range(2))
        bounds = self.scan.bounds(self.settings.replay_topic) or {}
        committed = self.scan.committed(bounds)
        for record, partition, offset in self.scan.read({each: low for each, (low, _) in bounds.items()}):
            if record is not None and (replay := Replay.read(record)) is not None:
                one = done if offset < committed.get(partition, 0) else waiting
                self.reading(lambda one=one, replay=replay: one.add(replay))  # type: ignore[misc] # they are what they are
        return done, waiting

    def one(self, partition: Partition, offset: int) -> Letter | None:
        """The letter at a place: its own, or its record's; of several the newest."""
        found, where = None, f"{partition}@{offset}"
        for record, _, _ in self.scan.read(self._starts()):
            letter = None if record is None else Letter.read(record)
            if letter is not None and where in (letter.carrier.where, letter.record.where):
                found = letter
        return found

    def _starts(self) -> dict[Partition, int]:
        topic = self.settings.dead_letter_topic
        bounds = self.scan.bounds(topic)
        if bounds is None:
            raise PlatformError(f"The topic {topic} does not exist, or may not be seen: is DEAD_LETTER_TOPIC right?")
        return {partition: low for partition, (low, _) in bounds.items()}

    def close(self) -> None:
        self.scan.close()
        if self.registry is not None:
            self.registry.close()


@contextmanager
def search(environ: Mapping[str, str] = os.environ) -> Iterator[Search]:
    """A search by the settings of the environment. Raises ConfigurationError and PlatformError."""
    found = Search(settings_without_key(environ))
    try:
        yield found
    finally:
        found.close()


def place(text: str) -> tuple[Partition, int]:
    """The partition and offset that TOPIC-PARTITION@OFFSET names."""
    match = re.fullmatch(r"(.+)-(\d{1,9})@(\d{1,18})", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError("expected TOPIC-PARTITION@OFFSET, such as shop.public.orders-0@4711")
    return Partition(match[1], int(match[2])), int(match[3])


def _state(letter: Letter, done: Mended, waiting: Mended) -> str:
    if waiting.covers(letter):
        return "whose replay waits for the service"
    return "that were replayed" if done.covers(letter) else ""


def _access(settings: Settings) -> Access:
    return Access(
        settings.schema_registry_url,
        settings.schema_registry_username,
        settings.schema_registry_password,
        settings.schema_registry_ca_path,
    )
