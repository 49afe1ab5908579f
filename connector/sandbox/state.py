"""What Replenit would hold: the documents as received, under either reading of an upsert."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.sandbox.rules import KEYS, identify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from connector.sandbox.rules import Document

# The list of an entity's documents, and the fields that are the key of its elements.
_LISTS = {"orders": ("OrderItems", ("ProductId", "Sku")), "products": ("ProductVariants", ("VariantId",))}


class Upsert(StrEnum):
    """The documents don't say whether an upsert replaces a record or merges into it: both can be tried."""

    REPLACE = "replace"
    MERGE = "merge"


class _Queued(NamedTuple):
    """A customer's DELETE that is not applied yet."""

    due: float
    field: str
    value: str


class State:
    """The documents of one tenant, by id. Customers are kept by what identifies them.

    A customer's DELETE is queued for `delete_delay` seconds. With `late_deletes` it then removes whatever is there, an
    upsert that came after it included; else it keeps its place in the order of requests.
    """

    def __init__(
        self, upsert: Upsert, delete_delay: float, *, late_deletes: bool, customers_by: str = "CustomerId"
    ) -> None:
        self._documents: dict[str, dict[str, Document]] = {entity: {} for entity in KEYS}
        self._upsert = upsert
        self._delete_delay = delete_delay
        self._late_deletes = late_deletes
        self._customers_by = customers_by
        self._queued: deque[_Queued] = deque()

    def documents(self, entity: str) -> dict[str, Document]:
        return self._documents[entity]

    def snapshot(self) -> dict[str, dict[str, Document]]:
        """Return all documents by entity and id. Documents are replaced, never changed: it stays as it is."""
        return {entity: dict(kept) for entity, kept in self._documents.items()}

    def upsert(self, entity: str, records: Iterable[Document]) -> None:
        """Save valid records, one after the other."""
        kept = self.documents(entity)
        for record in records:
            key = identify(entity, record, self._customers_by)
            assert key is not None, "valid records have a key"
            if entity == "customers" and not self._late_deletes:
                self._settle_before(record, kept.get(key, {}))
            kept[key] = record if self._upsert is Upsert.REPLACE else _merged(entity, kept.get(key, {}), record)

    def delete(self, entity: str, key: str) -> None:
        """Remove an order or product with all that it holds. Raises KeyError if there is none."""
        del self.documents(entity)[key]

    def delete_element(self, entity: str, key: str, element: tuple[str, ...]) -> bool:
        """Remove an order's item (ProductId, Sku) or a product's variant (VariantId,); False if it has none such.

        Raises KeyError if there is no such order or product.
        """
        name, fields = _LISTS[entity]
        document = self.documents(entity)[key]
        elements = document.get(name) or []
        kept = [each for each in elements if tuple(each[field] for field in fields) != element]
        self.documents(entity)[key] = {**document, name: kept}
        return len(kept) < len(elements)

    def queue_delete(self, field: str, value: str, now: float) -> None:
        """Delete the customers whose `field` (CustomerId or Email) has that value, once the delay is over."""
        self._queued.append(_Queued(now + self._delete_delay, field, value))
        self.settle(now)

    def settle(self, now: float) -> None:
        """Apply the queued deletes that are due."""
        while self._queued and self._queued[0].due <= now:
            self._remove(self._queued.popleft())

    def _settle_before(self, new: Document, old: Document) -> None:
        """Apply those queued deletes that would hit this customer as it was or as it is to be, and no others."""
        hits = [each for each in self._queued if each.value in (new.get(each.field), old.get(each.field))]
        for each in hits:
            self._queued.remove(each)
            self._remove(each)

    def _remove(self, queued: _Queued) -> None:
        customers = self.documents("customers")
        if queued.field == "CustomerId":  # it is the key of whoever has one
            found = [queued.value] if customers.get(queued.value, {}).get("CustomerId") == queued.value else []
        else:
            found = [key for key, document in customers.items() if document.get(queued.field) == queued.value]
        for key in found:
            del customers[key]


def _merged(entity: str, old: Document, new: Document) -> Document:
    merged = {**old, **new}
    if entity in _LISTS and isinstance(new.get(_LISTS[entity][0]), list):
        name, fields = _LISTS[entity]
        merged[name] = _merged_list(old.get(name) or [], new[name], lambda each: tuple(each[f] for f in fields))
    return merged


def _merged_list(
    old: list[Document], new: list[Document], key: Callable[[Document], tuple[Any, ...]]
) -> list[Document]:
    merged: dict[tuple[Any, ...], Document] = {key(each): each for each in old}
    for each in new:
        merged[key(each)] = {**merged.get(key(each), {}), **each}
    return list(merged.values())
