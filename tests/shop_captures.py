"""The captured records of a shop's three tables, and the rows that these held at the end: see captures/README.md."""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIALECTS = ("json", "json-schema", "json-strings", "json-connect")
"""Those by which the oracle itself is proven."""

ALL_DIALECTS = (*DIALECTS, "json-full", "avro", "avro-full", "flat", "flat-rewrite", "flat-schema", "flat-avro")
PARTITIONS = 4
TABLES = {"customers": "customers_plain", "orders": "orders_plain", "products": "products_plain"}
"""Entity → table."""

_DIRECTORY = Path(__file__).parent / "captures"


@dataclass(frozen=True, slots=True)
class CapturedRecord:
    """A record as Debezium wrote it. `timestamp` is Kafka's, in milliseconds."""

    topic: str
    table: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table at the end: `columns` is column → SQL type, `rows` is primary key → column → SQL text."""

    columns: Mapping[str, str]
    rows: Mapping[str, Mapping[str, str | None]]


def topic(dialect: str, entity: str) -> str:
    return f"{dialect.replace('-', '_')}.shop.{TABLES[entity]}"


@cache
def records(dialect: str) -> tuple[CapturedRecord, ...]:
    """All records of a dialect by timestamp; within a partition in the order of their offsets."""
    with gzip.open(_DIRECTORY / f"{dialect}.jsonl.gz", "rt", encoding="ascii") as lines:
        return tuple(record_of(json.loads(line), _bytes) for line in lines)


@cache
def schemas(dialect: str) -> Mapping[str, object]:
    """The registry that an Avro dialect was written with: id → schema."""
    name = "avro-schemas-full" if dialect == "avro-full" else "avro-schemas"
    found: Mapping[str, object] = json.loads((_DIRECTORY / f"{name}.json").read_bytes())
    return found


@cache
def final_table(entity: str) -> Table:
    """What the database held when the capture ended."""
    table = json.loads((_DIRECTORY / "final.json").read_bytes())["tables"][f"shop.{TABLES[entity]}"]
    (key,) = table["key"]
    return Table(table["columns"], {row[key]: row for row in table["rows"]})


def record_of(fields: Mapping[str, Any], decode: Callable[[str], bytes]) -> CapturedRecord:
    """A record from the fields that its line has; `decode`: from the text of its bytes."""

    def in_bytes(text: str | None) -> bytes | None:
        return None if text is None else decode(text)

    return CapturedRecord(
        topic=fields["topic"],
        table=fields["topic"].rpartition(".")[2],
        partition=fields["partition"],
        offset=fields["offset"],
        timestamp=fields["timestamp"],
        key=in_bytes(fields["key"]),
        value=in_bytes(fields["value"]),
        headers=tuple((name, in_bytes(value)) for name, value in fields["headers"]),
    )


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)
