"""What each target begins with: what Debezium and the API really write, and what is known to be hostile."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import family_captures
import shop_captures
from fuzz.targets import SEPARATOR, stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_ROOT = Path(__file__).parents[2]

NUMBERS = [
    "1e999999999",
    "-1e-999999999",
    "1" * 4300,
    "9" * 5000,
    "0." + "9" * 5000,
    "-0",
    "1E400",
    "18446744073709551616",
    '"1e9999"',
    '"1e99999"',
    '"' + "9" * 20_000 + '"',
    '{"scale":999999999,"value":"AQ=="}',
    '{"scale":-999999999,"value":"AQ=="}',
    '{"scale":-99999999999999999999,"value":"AQ=="}',
    '{"scale":2,"value":"' + "Af//" * 3000 + '"}',
    '{"scale":2}',
    "9223372036854775807",
    "-9223372036854775808",
]
TEXTS = [
    '"\\u0000"',
    '"\\u0000\\r\\nx: y"',
    '"../../x"',
    '"\\ud83d\\ude00"',
    '"__debezium_unavailable_value"',
    '"' + "a" * 70_000 + '"',
    '"[' + "[" * 190 + "]" * 190 + ']"',
    "[" * 150 + "]" * 150,
    '{"__debezium_unavailable_value":"__debezium_unavailable_value"}',
    '"[{\\"product_id\\":1e308}]"',
    "[{}]",
    "[]",
    "{}",
    "null",
    "true",
]
ANSWERS = [
    '{"success":true,"data":{"count":1}}',
    '{"success":false,"message":"Tenant not found."}',
    '{"success":false,"message":"Order not found."}',
    '{"success":false,"errors":{"[0].Email":["The field is not valid."],"$[3]":["x"]}}',
    '{"success":false,"errors":["x"]}',
    '{"title":"One or more validation errors occurred.","errors":{"tenantId":["x"]}}',
    '{"success":false,"data":{"retryAfter":30}}',
    '{"data":{"retryAfter":1e999}}',
    '{"errors":{"[999999999].a":{"b":[]}},"message":' + "[" * 3000,
    "<html>502</html>",
    '"\\ud800"',
]
MAPPINGS = [
    "version: 1\n" + "a: &a [x]\nb: *a\n",
    "version: 1\ncustomers: !!python/object/apply:os.system [id]\n",
    "[" * 60,
    "? " * 60,
    "version: 1\ncustomers: {fields: {CustomerId: {template: '" + "{a}" * 500 + "'}}}\n",
    "version: 0x" + "f" * 2000,
    'version: "\\ud800"',
    "version: 1\ncustomers: { when: { a: 1e999, b: [.5, 0o17, NO] }, fields: { CustomerId: id, GdprOptin: consent } }",
]
SCHEMAS = [
    '{"type":"array","items":"null"}',
    '{"type":"record","name":"L","fields":[{"name":"n","type":["null","L"]}]}',
    (
        '{"type":"record","name":"R","fields":['
        '{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},'
        '{"name":"b","type":{"type":"map","values":"int"}},'
        '{"name":"c","type":{"type":"int","logicalType":"date"}},'
        '{"name":"d","type":{"type":"string","logicalType":"uuid"}}]}'
    ),
    '{"type":"enum","name":"E","symbols":["a"]}',
    '{"type":"fixed","name":"F","size":999999999999}',
    '["null","string"]',
]


def of(target: str) -> Iterator[bytes]:
    """The seeds of a target."""
    yield b""
    match target:
        case "plain_record":
            yield from _records("plain", shop_captures.records, ("json", "json-schema", "json-strings", "flat-rewrite"))
        case "family_record":
            yield from _records("tables", family_captures.records, ("json", "json-keyed", "flat"))
        case "avro_record":
            yield from _avro_records()
        case "avro_schema":
            for definition in (*map(json.dumps, shop_captures.schemas("avro").values()), *SCHEMAS):
                yield definition.encode() + SEPARATOR + b"\2\4\6" * 20
        case "mapping_file":
            examples = [*_ROOT.glob("deploy/examples/*.yaml"), _ROOT / "tests" / "rich_mapping.yaml"]
            yield from (path.read_bytes() for path in examples)
            yield from (text.encode() for text in MAPPINGS)
        case "answer":
            for number, text in enumerate(ANSWERS):
                yield from (bytes([status, number]) + b"30" + SEPARATOR + text.encode() for status in range(21))


def _avro_records() -> Iterator[bytes]:
    """Each with the number of its schema."""
    numbers, tables = list(shop_captures.schemas("avro")), list(shop_captures.TABLES.values())
    for record in islice(shop_captures.records("avro"), 0, None, 5):
        if record.value is not None:
            schema = numbers.index(str(int.from_bytes(record.value[1:5], "big")))
            yield bytes([schema, tables.index(record.table)]) + record.value[5:]


def _records(
    kind: str, read: Callable[[str], tuple[shop_captures.CapturedRecord, ...]], dialects: Iterable[str]
) -> Iterator[bytes]:
    """Some of the captured records of each table, and some with a value replaced by a hostile one."""
    names = [topic.rpartition(".")[2] for _, topic in stages(kind)]
    for dialect in dialects:
        for number, record in enumerate(islice(read(dialect), 0, None, 11)):
            choices = [index for index, name in enumerate(names) if name == record.table]
            if choices:
                head = bytes([choices[number % len(choices)]]) + (record.key or b"")
                yield head + SEPARATOR + (record.value or b"")
                yield from _spoilt(head, record.value, number)


def _spoilt(head: bytes, value: bytes | None, number: int) -> Iterator[bytes]:
    body = json.loads(value or b"null")
    if not isinstance(body, dict) or not isinstance(after := body.get("after"), dict):
        return
    columns = list(after)
    hostile = [*NUMBERS, *TEXTS]
    column, text = columns[number % len(columns)], hostile[number % len(hostile)]
    spoilt = json.dumps({**body, "after": {**after, column: "\1"}}).replace('"\\u0001"', text)
    yield head + SEPARATOR + spoilt.encode()
