"""The captured records of a shop whose tables are its own, and the rows that these held at the end.

See captures/README.md.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64decode
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastavro
from shop_captures import ALL_DIALECTS, CapturedRecord, record_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DIALECTS = (*ALL_DIALECTS, "json-keyed", "json-lost-offsets")
MARIADB = "mariadb-json"
ENTITIES = ("customers", "orders", "products")
SHOPS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "tables": {
        "customers": ("customers",),
        "orders": ("orders", "order_items"),
        "products": ("products", "product_variants"),
    },
    "json": {"customers": ("customers",), "orders": ("orders_json",), "products": ("products_json",)},
    "mariadb": {"customers": ("customers",), "orders": ("orders", "order_items"), "products": ("products",)},
}
"""Mapping file → entity → its tables, the root first."""

CASES = (
    *((dialect, "tables") for dialect in DIALECTS),
    *((dialect, "json") for dialect in DIALECTS),
    (MARIADB, "mariadb"),
)
"""Each dialect with each mapping file that its tables suit."""

FILTERED = ("json-full", "flat-schema")
"""Dialects whose mapping sends some rows only."""

KEPT = ("json-schema", "json-strings", "avro", "avro-full", "flat", "flat-avro", "json-lost-offsets")
"""Dialects whose mapping keeps the large columns of orders and products."""

_VARIATIONS = (
    (("json-keyed",), "# keyed: ", ""),
    (("json-connect",), "unit: microseconds", "unit: milliseconds"),
    (FILTERED, "# filtered: ", ""),
    (KEPT, "# kept: ", ""),
)
_DIRECTORY = Path(__file__).parent / "captures" / "shop"


@dataclass(frozen=True, slots=True)
class Table:
    """A table at the end. `columns`: column → SQL type; `rows`: primary key → column → SQL text.

    `defaults`: columns whose NULL arrives as this SQL text.
    """

    columns: Mapping[str, str]
    rows: Mapping[str, Mapping[str, str | None]]
    defaults: Mapping[str, str]


def partitions(dialect: str) -> int:
    return 3 if dialect == MARIADB else 4


def topic(dialect: str, table: str) -> str:
    return f"{dialect.replace('-', '_')}.shop.{table}"


@cache
def records(dialect: str) -> tuple[CapturedRecord, ...]:
    """All records of a dialect by timestamp; within a partition in the order of their offsets, which have gaps."""
    decode: Callable[[str], bytes] = b64decode if "avro" in dialect else str.encode
    with gzip.open(_DIRECTORY / f"{dialect}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return tuple(record_of(json.loads(line), decode) for line in lines)


@cache
def schemas(dialect: str) -> Mapping[str, object]:
    """The registry that an Avro dialect was written with: id → schema."""
    if "avro" not in dialect:
        return {}
    found: Mapping[str, object] = _read("avro-schemas-full" if dialect == "avro-full" else "avro-schemas")
    return found


@cache
def final_table(dialect: str, table: str) -> Table:
    """What the database held when the capture ended."""
    names = {"json-lost-offsets": "final-lost", MARIADB: "final-mariadb"}
    found = _read(names.get(dialect, "final"))["tables"][f"shop.{table}"]
    (key,) = found["key"]
    texts = {"loyalty_tier": "basic", "whatsapp_marketing": "false", "offline_only": "1"}
    rows = {row[key]: row for row in found["rows"]}
    return Table(found["columns"], rows, {column: texts[column] for column in found["defaults"]})


def mapping(dialect: str, shop: str) -> str:
    """The text of a mapping file."""
    text = (_DIRECTORY / f"{shop}.yaml").read_text(encoding="utf-8")
    for dialects, old, new in _VARIATIONS:
        text = text.replace(old, new) if dialect in dialects else text
    return text


def row_key(dialect: str, key: bytes | None, value: bytes | None) -> str:
    """The primary key of the row that a record tells of."""
    assert key is not None
    if "avro" in dialect:
        definition: Any = schemas(dialect)[str(int.from_bytes(key[1:5]))]
        told: Any = fastavro.schemaless_reader(BytesIO(key[5:]), fastavro.parse_schema(definition), None)
    else:
        told = json.loads(key)
        told = told.get("payload", told)
    if "id" not in told:  # another key than the primary one
        event = json.loads(value or b"")
        told = event["after"] or event["before"]
    return str(told["id"])


def _read(name: str) -> Any:  # noqa: ANN401 (JSON is any)
    return json.loads(gzip.decompress((_DIRECTORY / f"{name}.json.gz").read_bytes()))
