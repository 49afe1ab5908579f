"""What takes records in, as the service has it, of tables that make documents alone or together."""

from __future__ import annotations

import atexit
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from connector.adapters.store import open_store
from connector.core.avro_wire import Schema, SchemaId, SchemaMissing
from connector.core.entries import QUEUES
from connector.core.events import Entity, Partition, Record
from connector.core.gate import Gate
from connector.core.intake import Intake
from connector.core.mapping import Mapping
from connector.core.offsets import Offsets
from connector.core.pending import Pending
from connector.core.requests import DELETES, ITEM_DELETES, Request
from connector.core.second_sendings import SecondSendings
from connector.core.suspensions import Suspensions
from connector.core.wire import Wire
from connector.keeping import families_of
from connector.settings import load

if TYPE_CHECKING:
    from connector.core.avro_wire import Schemas
    from connector.core.events import Reject
    from connector.core.families import Families

_TENANT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
_ENVIRONMENT = {
    "REPLENIT_TENANT_ID": _TENANT,
    "REPLENIT_API_KEY": "c2VjcmV0",
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
}
_LONGEST_LIFE = 2000  # records: then it begins anew, so that memory does not fill


class Stage:
    """Takes one record after the other; what waits is sent, as far as that can be without a network."""

    def __init__(self, settings: dict[str, str], schemas: Schemas | None = None) -> None:
        self._settings = load(_ENVIRONMENT | settings)
        self._schemas = schemas
        self._entities = {topic: entity for entity, topics in self._settings.topics.items() for topic in topics}
        self.topics = tuple(self._entities)
        self._folder = tempfile.TemporaryDirectory()
        self._store = open_store(Path(self._folder.name), "fuzz").store if self._settings.families else None
        atexit.register(self._folder.cleanup)
        self._begin()

    def _begin(self) -> None:
        offsets = Offsets()
        gate = Gate(60.0)
        pending = self._pending = Pending(offsets)
        second = SecondSendings(900.0)
        mappings = {
            entity: Mapping(entity, self._settings.mapping[entity], self._settings.options(entity))
            for entity in self._settings.topics
            if entity not in self._settings.families
        }
        self._families: dict[Entity, Families] = {}
        if self._store is not None:
            self._families = dict(families_of(self._settings, self._store, pending, Suspensions(), second))
        for topic in self.topics:
            offsets.assign(Partition(topic, 0))
            gate.assign(Partition(topic, 0), 0.0)
            gate.know(Partition(topic, 0), 0, None, 0.0)
            gate.read(Partition(topic, 0), 0)
        self._intake = Intake(
            Wire(self._schemas),
            mappings,
            self._entities,
            pending,
            gate,
            partition_count=lambda _: 1,
            suppress=True,
            second=second,
            families=self._families,
        )
        self._offset = 0
        self._now = 0.0

    def take(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Take a record in and send what waits. Raises whatever the connector would raise, which it must not."""
        partition = Partition(topic, 0)
        record = Record(topic, 0, self._offset, key, value, (), 1)
        try:
            taken = self._intake.take(record, partition, self._now)
        except SchemaMissing:
            return
        finally:
            self._offset += 1
        if taken.reject is not None:
            _check_reject(taken.reject)
        self._now += 10.0
        for families in self._families.values():
            for told in families.turn(self._now):
                if told.reject is not None:
                    _check_reject(told.reject)
        if self._store is not None:
            self._store.advance(partition, self._offset)
        self._send()
        if self._offset >= _LONGEST_LIFE:
            if self._store is not None:
                self._store.commit()
            self._begin()

    def _send(self) -> None:
        self._pending.advance(self._now)
        for entry in self._pending.take(QUEUES, 100):
            entity, identifier = entry.key
            for families in self._families.values():
                families.leaving(entry)
            if entry.state.document is not None:
                assert isinstance(json.loads(entry.state.document), dict)
            assert Request(DELETES[entity], (identifier,)).target(_TENANT).isascii()
            for item in entry.state.stale:
                assert Request(ITEM_DELETES[entity], (identifier, *item)).target(_TENANT).isascii()
            while entry.state.stale and entry.state.document is None and not entry.state.delete:
                self._pending.item_deleted(entry, min(entry.state.stale))
                return
            self._pending.delivered(entry)


def _check_reject(reject: Reject) -> None:
    """A dead letter's headers can carry it."""
    assert reject.errors
    for error in reject.errors:
        error.path.encode()
        error.problem.encode()


class OneSchema:
    """A registry that gives one schema for whatever id."""

    def __init__(self, schema: Schema | None = None) -> None:
        self.schema = schema

    def get(self, schema_id: SchemaId) -> Schema | None:
        return self.schema
