"""The store's tables, the longer ones of its statements, and how values become columns and columns values.

What makes a value of columns raises ValueError where nothing of the kind was written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic_core import from_json, to_json

from connector.adapters.state_folder import Layout
from connector.core.events import Entity, Partition
from connector.core.stored import Family, StoredRow, There

if TYPE_CHECKING:
    from connector.core.states import ItemKey

LAYOUT = Layout(
    2,
    (
        """CREATE TABLE rows (
            source INTEGER NOT NULL CHECK (typeof(source) = 'integer'),
            parent TEXT NOT NULL CHECK (typeof(parent) = 'text'),
            key TEXT NOT NULL CHECK (typeof(key) = 'text'),
            body BLOB NOT NULL CHECK (typeof(body) = 'blob'),
            position TEXT,
            PRIMARY KEY (source, parent, key)
        ) WITHOUT ROWID""",  # the rows of a family stand side by side
        "CREATE UNIQUE INDEX row_keys ON rows (source, key)",
        """CREATE TABLE parents (
            entity TEXT NOT NULL,
            parent TEXT NOT NULL CHECK (typeof(parent) = 'text'),
            id TEXT NOT NULL CHECK (typeof(id) = 'text'),
            there INTEGER NOT NULL CHECK (there IN (0, 1, 2)),
            held TEXT NOT NULL,
            retired TEXT NOT NULL,
            PRIMARY KEY (entity, parent)
        ) WITHOUT ROWID""",
        "CREATE INDEX parent_ids ON parents (entity, id)",
        """CREATE TABLE dirty (
            ordinal INTEGER PRIMARY KEY,
            entity TEXT NOT NULL,
            parent TEXT NOT NULL CHECK (typeof(parent) = 'text'),
            version INTEGER NOT NULL CHECK (typeof(version) = 'integer'),
            partition INTEGER NOT NULL,
            "offset" INTEGER NOT NULL CHECK (typeof("offset") = 'integer'),
            key BLOB CHECK (typeof(key) IN ('blob', 'null')),
            value BLOB CHECK (typeof(value) IN ('blob', 'null')),
            headers TEXT NOT NULL,
            timestamp_ms INTEGER CHECK (typeof(timestamp_ms) IN ('integer', 'null')),
            snapshot INTEGER NOT NULL CHECK (snapshot IN (0, 1)),
            committed_ms INTEGER CHECK (typeof(committed_ms) IN ('integer', 'null'))
        )""",
        "CREATE UNIQUE INDEX dirty_parents ON dirty (entity, parent)",
        "CREATE INDEX dirty_entities ON dirty (entity, ordinal)",
        "CREATE INDEX dirty_times ON dirty (entity, committed_ms) WHERE committed_ms IS NOT NULL",
        """CREATE TABLE firsts (
            ordinal INTEGER NOT NULL,
            partition INTEGER NOT NULL,
            first INTEGER NOT NULL CHECK (typeof(first) = 'integer'),
            later INTEGER CHECK (typeof(later) IN ('integer', 'null')),
            PRIMARY KEY (ordinal, partition)
        ) WITHOUT ROWID""",  # `later`: the first offset since the state under way was taken
        "CREATE INDEX first_offsets ON firsts (partition, first)",
        """CREATE TABLE progress (
            partition INTEGER PRIMARY KEY,
            topic TEXT NOT NULL CHECK (typeof(topic) = 'text'),
            number INTEGER NOT NULL CHECK (typeof(number) = 'integer'),
            position INTEGER CHECK (typeof(position) IN ('integer', 'null'))
        )""",
    ),
)

PUT = """INSERT INTO rows (source, parent, key, body, position) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (source, key) DO UPDATE SET parent = excluded.parent, body = excluded.body,
    position = excluded.position"""
CHILDREN = "SELECT key, parent, body, position FROM rows WHERE source = ? AND parent = ? ORDER BY key LIMIT ?"
KEEP = """INSERT INTO parents (entity, parent, id, there, held, retired) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (entity, parent) DO UPDATE SET id = excluded.id, there = excluded.there, held = excluded.held,
    retired = excluded.retired"""
SOIL = """INSERT INTO dirty (ordinal, entity, parent, version, partition, "offset", key, value, headers, timestamp_ms,
    snapshot, committed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
SOIL_AGAIN = """UPDATE dirty SET version = ?, partition = ?, "offset" = ?, key = ?, value = ?, headers = ?,
    timestamp_ms = ?, snapshot = snapshot AND ?, committed_ms = coalesce(committed_ms, ?) WHERE ordinal = ?"""
TOUCHED = """SELECT ordinal, parent, version, partition, "offset", key, value, headers, timestamp_ms, snapshot,
    committed_ms FROM dirty INDEXED BY dirty_entities WHERE entity = ? AND ordinal > ? ORDER BY ordinal LIMIT ?"""
DUE = """SELECT ordinal, parent FROM dirty INDEXED BY dirty_entities WHERE entity = ? AND ordinal > ?
    ORDER BY ordinal LIMIT ?"""
COUNTS = "SELECT entity, count(*) FROM dirty INDEXED BY dirty_entities GROUP BY entity"
PROGRESS = "SELECT partition, topic, number, position FROM progress"
ONE_TOUCHED = """SELECT ordinal, parent, version, partition, "offset", key, value, headers, timestamp_ms, snapshot,
    committed_ms FROM dirty WHERE entity = ? AND parent = ?"""
OLDEST = """SELECT min(committed_ms) FROM dirty INDEXED BY dirty_times
    WHERE entity = ? AND committed_ms IS NOT NULL"""
COVER = """INSERT INTO firsts (ordinal, partition, first) VALUES (?, ?, ?)
    ON CONFLICT (ordinal, partition) DO UPDATE SET first = excluded.first WHERE excluded.first < first"""
COVER_LATER = """INSERT INTO firsts (ordinal, partition, first, later) VALUES (?, ?, ?, ?)
    ON CONFLICT (ordinal, partition) DO UPDATE SET later = excluded.later WHERE later IS NULL"""


def _list(text: str) -> list[Any]:
    """A list that was written as JSON. Raises ValueError."""
    value = from_json(text)
    if not isinstance(value, list):
        raise ValueError  # noqa: TRY004 (the contract of `Database.read`)
    return value


def to_position(position: tuple[int | str, ...] | None) -> str | None:
    return None if position is None else to_json(position).decode()


def row(parent: str, body: bytes, position: str | None) -> StoredRow:
    return StoredRow(parent, body, None if position is None else tuple(_list(position)))


def child(key: str, *columns: Any) -> tuple[str, StoredRow]:  # noqa: ANN401 (SQLite's values are any)
    return key, row(*columns)


def to_held(held: frozenset[ItemKey]) -> str:
    return to_json(sorted(held)).decode()


def to_retired(retired: frozenset[str]) -> str:
    return to_json(sorted(retired)).decode()


def family(document: str, there: int, held: str, retired: str) -> Family:
    return Family(document, There(there), frozenset(map(tuple, _list(held))), frozenset(_list(retired)))


def to_headers(headers: tuple[tuple[str, bytes | None], ...]) -> str:
    """Bytes are written as the text that has their numbers for its characters."""
    return to_json([[name, None if value is None else value.decode("latin-1")] for name, value in headers]).decode()


def headers(text: str) -> tuple[tuple[str, bytes | None], ...]:
    return tuple((name, None if value is None else value.encode("latin-1")) for name, value in _list(text))


def place(number: int, topic: str, partition: int, position: int | None) -> tuple[int, Partition, int | None]:
    return number, Partition(topic, partition), position


def count(entity: str, families: int) -> tuple[Entity, int]:
    return Entity(entity), families


def named(ordinal: int, parent: str) -> tuple[int, str]:
    return ordinal, parent


def pair(one: int, other: int) -> tuple[int, int]:
    return one, other


def first(offset: int | None) -> int | None:
    return offset
