"""What a change of a row is, once its bytes have been understood, and what a mapping makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Entity(StrEnum):
    """What Replenit keeps: each has a topic, an endpoint and a lane of its own."""

    CUSTOMERS = "customers"
    ORDERS = "orders"
    PRODUCTS = "products"


class Partition(NamedTuple):
    """A partition of a topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.number}"


_OF_A_RECORD = 400
_OF_A_HEADER = 200


@dataclass(frozen=True, slots=True)
class Record:
    """A record as Kafka delivers it. `timestamp_ms` is Kafka's, None where it has none."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp_ms: int | None = None

    @property
    def weight(self) -> int:
        """About the memory that it takes, in bytes."""
        headers = sum(_OF_A_HEADER + len(name) + len(value or b"") for name, value in self.headers)
        return _OF_A_RECORD + len(self.key or b"") + len(self.value or b"") + headers

    @property
    def where(self) -> str:
        """The name of the record in logs and errors: its key may be personal data, this is not."""
        return f"{self.topic}-{self.partition}@{self.offset}"


class Op(StrEnum):
    """Debezium's `op` of a row event. A snapshot's `r` is an upsert; it is kept apart for its priority."""

    CREATE = "c"
    UPDATE = "u"
    DELETE = "d"
    READ = "r"


@dataclass(frozen=True, slots=True)
class ColumnType:
    """What a message's own schema says of a column: Connect's type, the semantic type's name, its parameters.

    For example `ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {"scale": "2"})`.
    """

    type: str
    name: str | None
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Row:
    """A row or a message key: column → value as JSON gives it. `types` is None where the message has no schema."""

    values: Mapping[str, Any]
    types: Mapping[str, ColumnType] | None = None


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One change of one row.

    `before` and `after` are None where the message has none. `trusts_before`: `before` is the row as it was, and not
    what PostgreSQL makes up for a delete under REPLICA IDENTITY DEFAULT. `position` orders the events of one partition
    (tuples of one shape compare), None where the source gives none. `committed_ms` is the source's commit time.
    `tombstone`: a record without a value, which says only that its key is gone. `silent_cascades`: the source does not
    log what a foreign key's cascade does.
    """

    record: Record
    op: Op
    key: Row | None
    before: Row | None = None
    after: Row | None = None
    trusts_before: bool = False
    snapshot: bool = False
    position: tuple[int | str, ...] | None = None
    committed_ms: int | None = None
    tombstone: bool = False
    silent_cascades: bool = False


@dataclass(frozen=True, slots=True)
class Skip:
    """A record that is no change of a row and needs no attention; `kind` is the label of its counter.

    Kinds: `heartbeat`, `transaction`, `schema_change`, `message`, `truncate`, `empty`.
    """

    kind: str


class Reason(StrEnum):
    """Why a record is a dead letter."""

    UNDECODABLE = "undecodable"
    NO_KEY = "no_key"
    FABRICATED_ID = "fabricated_id"
    INVALID = "invalid"
    UNCONVERTIBLE = "unconvertible"
    SCALE_UNKNOWN = "scale_unknown"
    UNAVAILABLE = "unavailable"
    REJECTED = "rejected"
    TOO_LARGE = "too_large"
    SERVER_ERROR = "server_error"


class FieldError(NamedTuple):
    """What is wrong with one field: a path such as `OrderItems[1].Sku` ("" for the record as a whole) and a sentence.

    The sentence says what was expected, the type that was found and the remedy; it never quotes the value.
    """

    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The record can't be brought to Replenit as it is: a dead letter."""

    reason: Reason
    errors: tuple[FieldError, ...]
