"""A key or a value once its bytes have been read, whatever its format was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from connector.core.events import ColumnType

Types: TypeAlias = Mapping[str, ColumnType]
"""Column → what the message says of its type."""


class Undecodable(Exception):  # noqa: N818 (it names what the record is)
    """The bytes can't be read. The text says why, and quotes none of them."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A key or value: its value as JSON would give it, None for none, and the types of its columns if it tells them.

    The columns are a key's own fields, or those of the row within a Debezium envelope. Records of one schema share one
    `types`, so that what is derived from it can be kept by its identity. Where a schema of Avro says so, a decimal is a
    Decimal and bytes are bytes.
    """

    value: Any
    types: Types | None = None


NOTHING = Decoded(None)
