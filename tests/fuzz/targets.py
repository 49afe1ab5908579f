"""What is fed with arbitrary bytes. Each target returns, whatever it is given: what it raises is a defect.

The documented outcomes, such as a dead letter or a list of mistakes, are values, of which a target asserts what must
hold.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import family_captures
import shop_captures
from fuzz.stage import OneSchema, Stage

from connector.core import avro_wire, mapping_text
from connector.core.decoded import Undecodable
from connector.core.mapping import Mapping, Options
from connector.core.outcomes import Refused, Suspect, classify
from connector.core.requests import Answer, Endpoint, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.core.events import FieldError

SEPARATOR: Final = b"\xff"  # which no JSON holds
_TESTS = Path(__file__).parents[1]
_PLAIN = {f"TOPIC_{entity.upper()}": f"shop.{table}" for entity, table in shop_captures.TABLES.items()}
_RICH = {"TOPIC_CUSTOMERS": "shop.users", "TOPIC_ORDERS": "shop.purchases", "TOPIC_PRODUCTS": "shop.articles"}
_TABLES = {f"TOPIC_{entity.upper()}": f"shop.{entity}" for entity in family_captures.ENTITIES}


@cache
def stages(kind: str) -> list[tuple[Stage, str]]:
    """Each topic, with what takes its records in."""
    rich = (_TESTS / "rich_mapping.yaml").read_text()
    tables = (_TESTS / "captures" / "shop" / "tables.yaml").read_text()
    settings: list[dict[str, str]] = {
        "plain": [_PLAIN, {**_RICH, "MAPPING": rich}, {**_PLAIN, "CONTRACT": "strict", "NULLS": "null"}],
        "tables": [{**_TABLES, "MAPPING": tables}, {**_TABLES, "MAPPING": tables, "CUSTOMER_IDENTIFIER": "Email"}],
    }[kind]
    made = [Stage(each) for each in settings]
    return [(stage, topic) for stage in made for topic in stage.topics]


def _parts(data: bytes) -> tuple[int, bytes | None, bytes | None]:
    """A choice, and a key and a value, each of which may be null."""
    key, _, value = data[1:].partition(SEPARATOR)
    return data[0] if data else 0, key or None, value or None


def plain_record(data: bytes) -> None:
    """A record in JSON, of a table that makes documents alone."""
    choice, key, value = _parts(data)
    every = stages("plain")
    stage, topic = every[choice % len(every)]
    stage.take(topic, key, value)


def family_record(data: bytes) -> None:
    """A record in JSON, of one of the tables that make documents together."""
    choice, key, value = _parts(data)
    every = stages("tables")
    stage, topic = every[choice % len(every)]
    stage.take(topic, key, value)


@cache
def schemas() -> list[avro_wire.Schema]:
    """Those that Debezium has written."""
    return [avro_wire.parse(each) for each in shop_captures.schemas("avro").values()]


_REGISTRY = OneSchema()


@cache
def _avro_stage() -> Stage:
    return Stage(_PLAIN, _REGISTRY)


def avro_record(data: bytes) -> None:
    """A value in Avro, with one of Debezium's own schemas."""
    if len(data) > 1:
        stage = _avro_stage()
        _REGISTRY.schema = schemas()[data[0] % len(schemas())]
        topic = stage.topics[data[1] % len(stage.topics)]
        stage.take(topic, None, b"\0\0\0\0\1" + data[2:])


def avro_schema(data: bytes) -> None:
    """A schema out of a registry, and a value that is read with it."""
    text, _, body = data.partition(SEPARATOR)
    try:
        definition = json.loads(text)
    except (ValueError, RecursionError):
        return
    try:
        _REGISTRY.schema = avro_wire.parse(definition)
    except Undecodable:
        return
    stage = _avro_stage()
    stage.take(stage.topics[0], None, b"\0\0\0\0\1" + body)


def mapping_file(data: bytes) -> None:
    """A mapping file: what it maps, or its mistakes, a sentence each."""
    try:
        text = data.decode()
    except ValueError:
        return
    found = mapping_text.read(text)
    if isinstance(found, list):
        assert found
        assert all(re.match("line [0-9]+, column [0-9]+: .", mistake) for mistake in found), found
        return
    for entity, spec in found.items():
        Mapping(entity, spec, Options())


_ANSWERED = (
    (Request(Endpoint.UPSERT_ORDERS, body=b"[]"), 0),
    (Request(Endpoint.UPSERT_ORDERS, body=b"[]"), 1),
    (Request(Endpoint.UPSERT_ORDERS, body=b"[]"), 100),
    (Request(Endpoint.DELETE_ORDER, ("o",)), 1),
)
_STATUSES = (200, 201, 202, 204, 302, 400, 401, 403, 404, 408, 409, 413, 414, 422, 425, 429, 500, 502, 503, 504, 524)


def answer(data: bytes) -> None:
    """An answer of the API, to each kind of request."""
    if len(data) < 2:
        return
    status = _STATUSES[data[0] % len(_STATUSES)]
    request, sent = _ANSWERED[data[1] % len(_ANSWERED)]
    header, _, body = data[2:].partition(SEPARATOR)
    outcome = classify(request, sent, Answer(status, {"retry-after": header.decode("latin-1")}, body))
    errors: list[FieldError] = []
    if isinstance(outcome, Refused):
        assert outcome.errors
        assert all(0 <= index < sent for index in outcome.errors)
        errors = [error for each in outcome.errors.values() for error in each]
    if isinstance(outcome, Suspect):
        errors = list(outcome.errors)
    for error in errors:
        assert re.fullmatch(r"[A-Za-z0-9_.\[\]]{0,100}", error.path)
        assert len(error.problem.encode()) <= 4 * 300


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (plain_record, family_record, avro_record, avro_schema, mapping_file, answer)
}
