"""`dead-letters show`: one dead letter, what is wrong with it, and what to do.

With `--support` what Replenit's support asks for: the payload is printed with everything personal masked, the API's
answer as it was kept, which may quote a value.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import TYPE_CHECKING, Any

from connector.core import debezium
from connector.core.decoded import Undecodable
from connector.core.events import ChangeEvent, Reason
from connector.core.mapping import Mapping
from connector.core.masking import masked, shape
from connector.core.requests import UPSERTS
from connector.core.verdicts import Upsert
from connector.letter_search import place, search

if TYPE_CHECKING:
    from connector.core.dead_letter import Letter
    from connector.letter_search import Search

REMEDIES = {
    Reason.UNDECODABLE: "Let Debezium's connector alone write to the topic, set SCHEMA_REGISTRY_URL where records are "
    "in Avro; then replay it.",
    Reason.NO_KEY: "Give the table a primary key, or set Debezium's message.key.columns. Then change the row, or take "
    "a snapshot of the table.",
    Reason.FABRICATED_ID: "Set the table's REPLICA IDENTITY to FULL, or name its primary_key in the mapping. Delete "
    "the row at Replenit by hand.",
    Reason.INVALID: "Correct the row in its table, which sends it by itself; or correct the mapping, restart, and "
    "replay it.",
    Reason.UNCONVERTIBLE: "Correct the row in its table, which sends it by itself; or correct the mapping, restart, "
    "and replay it.",
    Reason.SCALE_UNKNOWN: "Say `scale` in the mapping, or set Debezium's decimal.handling.mode; then replay it.",
    Reason.UNAVAILABLE: "Set the table's REPLICA IDENTITY to FULL, or let Debezium reselect such columns. Then change "
    "the row.",
    Reason.REJECTED: "Correct the row in its table, which sends it by itself; or mend what feeds the field, and "
    "replay it. Where the API is wrong, show its support what --support prints.",
    Reason.TOO_LARGE: "Make the row smaller; the API takes no larger request.",
    Reason.SERVER_ERROR: "Show Replenit's support what --support prints; once it is mended there, replay it.",
}


def run(arguments: list[str]) -> int:
    """Print one letter. Raises ConfigurationError and PlatformError."""
    parser = argparse.ArgumentParser(prog="replenit-connector dead-letters show", description=__doc__)
    parser.add_argument(
        "place", type=place, metavar="TOPIC-PARTITION@OFFSET", help="the letter's own place, or its record's"
    )
    parser.add_argument("--support", action="store_true", help="print what Replenit's support asks for")
    options = parser.parse_args(arguments)
    with search() as found:
        letter = found.one(*options.place)
        if letter is None:
            print(f"No dead letter in {found.settings.dead_letter_topic} is or came from there.")
            return 1
        if options.support:
            print("\n".join(_for_support(letter, found)))
        else:
            print("\n".join(f"{name + ':':<11} {told}" for name, told in _for_us(letter)))
    return 0


def _for_us(letter: Letter) -> list[tuple[str, str]]:
    problems = [": ".join(filter(None, error)) for error in letter.shown]
    return [
        ("record", letter.record.where),
        ("letter", letter.carrier.where),
        ("time", _time(letter)),
        ("entity", letter.entity),
        ("reason", letter.reason),
        *(("problem", problem) for problem in problems),
        ("answer", _answer(letter)),
        ("what to do", REMEDIES[letter.reason]),
    ]


def _for_support(letter: Letter, found: Search) -> list[str]:
    payload, about = _payload(letter, found)
    return [
        f"tenant:     {os.environ.get('REPLENIT_TENANT_ID') or '(REPLENIT_TENANT_ID is not set)'}",
        f"time (UTC): {_time(letter)}",
        f"endpoint:   {letter.endpoint or UPSERTS[letter.entity]}",
        f"answer:     {_answer(letter)}",
        *(f"  {': '.join(filter(None, error))}" for error in letter.errors),
        f"{about}:",
        json.dumps(payload, indent=1, ensure_ascii=False),
    ]


def _payload(letter: Letter, found: Search) -> tuple[Any, str]:
    """The document that the record makes, or else the row, masked; and what it is."""
    record, entity, settings = letter.record, letter.entity, found.settings
    try:
        event = found.reading(lambda: debezium.parse(record, found.wire.key(record), found.wire.value(record)))
    except Undecodable:
        return None, "payload (its record can't be read)"
    if not isinstance(event, ChangeEvent):
        return None, "payload (its record is no change of a row)"
    if entity in settings.topics and entity not in settings.families:
        verdict = Mapping(entity, settings.mapping[entity], settings.options(entity)).map(event, suppress=False)
        if isinstance(verdict, Upsert):
            return masked(entity, verdict.document), "payload (what is personal is masked)"
    row = event.after or event.before or event.key
    return shape({} if row is None else dict(row.values)), "row (masked: a letter is an x, a digit a 9)"


def _answer(letter: Letter) -> str:
    if not letter.endpoint:
        return "none: the connector refused it itself, and no request was made"
    if not letter.status:
        return f"which one it was is not known, from {letter.endpoint}"
    return f"{letter.status} from {letter.endpoint}, attempt {letter.attempts}"


def _time(letter: Letter) -> str:
    return letter.time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
