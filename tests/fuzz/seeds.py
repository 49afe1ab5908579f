"""What each target begins with: what Debezium and the API really write, and what is known to be hostile."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    '"2025-13-45T99:99:99Z"',
    '"0001-01-01T00:00:00+14:00"',
    '"9999-12-31T23:59:59.999999999-14:00"',
    '"AQ="',
    '"AQ=="',
    '"' + "Af//" * 3000 + '"',
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
    '{"errors":{"[0].jane@example.com\\r\\nx: y":["x"],"[0].' + "a" * 200 + '":["\\ud800"]}}',
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
    """Some of the captured records of each table; of one of each, with each value replaced by each hostile one."""
    names = [topic.rpartition(".")[2] for _, topic in stages(kind)]
    for dialect in dialects:
        spoilt = set()
        for number, record in enumerate(islice(read(dialect), 0, None, 11)):
            choices = [index for index, name in enumerate(names) if name == record.table]
            if choices and record.value:
                head = bytes([choices[number % len(choices)]]) + (record.key or b"")
                yield head + SEPARATOR + record.value
                if record.table not in spoilt and (values := list(_spoilt(json.loads(record.value)))):
                    spoilt.add(record.table)
                    yield from (head + SEPARATOR + value.encode() for value in values)


def _spoilt(body: Any) -> Iterator[str]:  # noqa: ANN401 (JSON is any)
    event = body.get("payload", body) if body else None
    row = event.get("after") or {} if event else {}
    for column, value in row.items():
        row[column] = _MARK
        text = json.dumps(body)
        row[column] = value
        yield from (text.replace(json.dumps(_MARK), hostile) for hostile in (*NUMBERS, *TEXTS))


_MARK = "\x01"
