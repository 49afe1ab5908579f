"""From a record's bytes to the values of its key and its value, in whichever format they were written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from connector.core.avro_wire import MAGIC, AvroWire
from connector.core.decoded import NOTHING, Decoded, Undecodable
from connector.core.json_wire import JsonWire

if TYPE_CHECKING:
    from connector.core.avro_wire import Schemas
    from connector.core.events import Record

_NO_REGISTRY = "is written with a schema of a registry: set SCHEMA_REGISTRY_URL"


class Wire:
    """Tells JSON and Avro apart, record by record. `schemas`: the registry's, None where none is set."""

    def __init__(self, schemas: Schemas | None = None) -> None:
        self._json = JsonWire()
        self._avro = None if schemas is None else AvroWire(schemas)

    def key(self, record: Record) -> Decoded:
        """Raises Undecodable, and SchemaMissing while the registry has not been heard."""
        return self._decode("key", record.key, record)

    def value(self, record: Record) -> Decoded:
        """Raises Undecodable, and SchemaMissing while the registry has not been heard."""
        return self._decode("value", record.value, record)

    def _decode(self, part: Literal["key", "value"], data: bytes | None, record: Record) -> Decoded:
        if data is None:
            return NOTHING
        if self._avro is not None and (framed := self._avro.framing(part, data, dict(record.headers))) is not None:
            return self._avro.decode(*framed)
        if data.startswith(MAGIC):
            raise Undecodable(_NO_REGISTRY)
        return self._json.decode(data)
