"""What a captured record costs in each dialect, against parsing its bytes alone: CPU seconds, both sides in one run.

From the project's folder: `PYTHONPATH=tests python -m benchmarks.dialects`. One side parses key and value (orjson, or
fastavro with the schema at hand); the other does all that is done before a change waits to be sent: it decodes, tells
the change, maps it and judges the document.
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import statistics
import time
from functools import cache
from typing import TYPE_CHECKING, Any

import fastavro
import orjson
from mappings import mapping_of
from shop_captures import ALL_DIALECTS, TABLES, records, schemas

from connector.core import debezium
from connector.core.avro_wire import IdKind, Schema, SchemaId, parse
from connector.core.decoded import Undecodable
from connector.core.events import ChangeEvent, Entity, Record
from connector.core.mapping import Mapping, Options
from connector.core.verdicts import Upsert
from connector.core.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_REPEATS = 20
_FRAME = 5  # a zero byte and the schema's id


class Registry:
    """The schemas that a dialect was written with."""

    def __init__(self, dialect: str) -> None:
        found = schemas(dialect) if "avro" in dialect else {}
        self._schemas = {number: parse(definition) for number, definition in found.items()}

    def get(self, schema_id: SchemaId) -> Schema | None:
        assert schema_id.kind is IdKind.ID
        return self._schemas[schema_id.value]


@cache
def captured(dialect: str) -> tuple[Record, ...]:
    """The dialect's records of the three tables."""
    return tuple(
        Record(each.topic, each.partition, each.offset, each.key, each.value, each.headers) for each in records(dialect)
    )


def parsing(dialect: str) -> Callable[[], int]:
    """Parse every key and value, and nothing else; how many were parsed."""
    one: Callable[[bytes], Any] = _avro(dialect) if "avro" in dialect else orjson.loads

    def run() -> int:
        parsed = 0
        for record in captured(dialect):
            for data in (record.key, record.value):
                if data:
                    one(data)
                    parsed += 1
        return parsed

    return run


def _avro(dialect: str) -> Callable[[bytes], Any]:
    definitions: dict[int, Any] = {int(number): each for number, each in schemas(dialect).items()}
    parsed = {number: fastavro.parse_schema(_definition(each)) for number, each in definitions.items()}

    def one(data: bytes) -> Any:  # noqa: ANN401 (what the bytes hold)
        schema = parsed[int.from_bytes(data[1:_FRAME], "big")]
        return fastavro.schemaless_reader(io.BytesIO(data[_FRAME:]), schema, None)

    return one


def _definition(schema: Any) -> Any:  # noqa: ANN401 (a registry gives texts)
    return json.loads(schema) if isinstance(schema, str) else schema


def taking(dialect: str) -> Callable[[], int]:
    """Decode, tell, map and judge every record; how many changes there were."""
    wire = Wire(Registry(dialect))
    entities = {table: Entity(entity) for entity, table in TABLES.items()}
    mappings: dict[Entity, Mapping] = {entity: mapping_of(entity, Options()) for entity in Entity}

    def run() -> int:
        changes = 0
        for record in captured(dialect):
            try:
                event = debezium.parse(record, wire.key(record), wire.value(record))
            except Undecodable:
                continue
            if isinstance(event, ChangeEvent):
                mapping = mappings[entities[record.topic.rpartition(".")[2]]]
                verdict = mapping.map(event, suppress=False)
                if isinstance(verdict, Upsert):
                    mapping.check(verdict, {})
                changes += 1
        return changes

    return run


def cpu(run: Callable[[], int], repeats: int) -> float:
    """CPU seconds of a run, the least of several."""
    least = float("inf")
    for _ in range(repeats):
        gc.collect()
        began = time.process_time()
        run()
        least = min(least, time.process_time() - began)
    return least


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=_REPEATS)
    repeats = parser.parse_args(arguments).repeats
    print(f"{'CPU of a record, µs':<22}{'parsing alone':>15}{'taken in':>12}{'ratio':>9}")  # noqa: T201 (it reports)
    ratios = []
    for dialect in ALL_DIALECTS:
        count = len(captured(dialect))
        alone, whole = cpu(parsing(dialect), repeats) / count * 1e6, cpu(taking(dialect), repeats) / count * 1e6
        ratios.append(whole / alone)
        print(f"{dialect:<22}{alone:>15.1f}{whole:>12.1f}{whole / alone:>9.2f}")  # noqa: T201 (likewise)
    print(f"{'median ratio':<22}{statistics.median(ratios):>36.2f}")  # noqa: T201 (likewise)


if __name__ == "__main__":
    main()
