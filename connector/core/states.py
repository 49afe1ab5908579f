"""What a key is owed, and how what happens to a row changes that."""

from __future__ import annotations

import json
from typing import NamedTuple

from connector.core.events import Entity, Partition, Record

ItemKey = tuple[str, ...]
"""What names an item within its document: (ProductId, Sku) of an order, (VariantId,) of a product."""


class Key(NamedTuple):
    """What names a document at Replenit."""

    entity: Entity
    id: str


class State(NamedTuple):
    """What a key is owed, in this order: a DELETE; an upsert of `document` (encoded JSON); DELETEs of `stale` items.

    `stale` holds items that Replenit may hold, as before-images say; those of the document itself need no DELETE.
    `retracts`: the document takes a consent back; nothing but a newer document or a DELETE may take its place.
    """

    delete: bool = False
    document: bytes | None = None
    stale: frozenset[ItemKey] = frozenset()
    retracts: bool = False

    @property
    def nothing(self) -> bool:
        return not self.delete and self.document is None and not self.stale


NOTHING = State()
GONE = State(delete=True)


def combine(older: State, newer: State, entity: Entity, *, removals: bool) -> State:
    """What is owed once `newer` has happened to a row of which `older` is still owed and was never sent.

    A row that was deleted and inserted again goes as DELETE, then POST, if `removals` are wanted: where an upsert
    merges items, its old ones would stay. A customer has no items, and its DELETE is queued at Replenit: it is upserted
    only.
    """
    if newer.delete:
        return newer
    if newer.document is None and older.retracts:
        return older
    if newer.document is None:
        return GONE if older.delete or older.stale else NOTHING
    if older.delete and removals and entity is not Entity.CUSTOMERS:
        return State(delete=True, document=newer.document)
    return newer if not older.stale else newer._replace(stale=older.stale | newer.stale)


def item_keys(entity: Entity, document: bytes) -> frozenset[ItemKey]:
    """The keys of a document's items or variants."""
    if entity is Entity.CUSTOMERS:
        return frozenset()
    body = json.loads(document)
    if entity is Entity.ORDERS:
        return frozenset((item["ProductId"], item["Sku"]) for item in body.get("OrderItems") or ())
    return frozenset((variant["VariantId"],) for variant in body.get("ProductVariants") or ())


class Change(NamedTuple):
    """A row event that the mapping has understood: the new state of a key, and the record that said so.

    `created`: the row is new, and nothing of it can have been sent before, by this process or another. `repeated`: the
    record holds no offset back: the state was sent before, or it is kept on disk. `others`: partitions whose loss ends
    the work too. `origin`: the family that it was made of, and its version. `replay`: the state was read before, and is
    sent once more since a record at this place of the topic of replays says so.
    """

    key: Key
    state: State
    record: Record
    partition: Partition
    snapshot: bool = False
    created: bool = False
    committed_ms: int | None = None
    repeated: bool = False
    others: tuple[Partition, ...] = ()
    origin: tuple[str, int] | None = None
    replay: tuple[Partition, int] | None = None
