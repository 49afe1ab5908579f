"""The parts of a document: what names them, and what becomes of two with one name."""

from __future__ import annotations

from fractions import Fraction
from math import inf
from typing import TYPE_CHECKING, Any

from connector.core.decimals import shortest
from connector.core.events import Entity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from connector.core.notes import Notes

    Item = dict[str, Any]

KEYS = {Entity.ORDERS: ("ProductId", "Sku"), Entity.PRODUCTS: ("VariantId",)}
"""The fields that name an item within its order, or a variant within its product, in the order of a DELETE's."""


def merge(items: list[Item], notes: Notes) -> list[Item]:
    """Items with one (ProductId, Sku) as one: where an upsert merges items, the second would overwrite the first.

    Items that lack what is required are left alone, to be refused as they are.
    """
    if len({(item.get("ProductId"), item.get("Sku")) for item in items}) == len(items):
        return items
    groups: dict[object, list[Item]] = {}
    for index, item in enumerate(items):
        key = (item.get("ProductId"), item.get("Sku")) if _complete(item) else index
        groups.setdefault(key, []).append(item)
    notes.merged_items += len(items) - len(groups)
    return [_one(group) if len(group) > 1 else group[0] for group in groups.values()]


def _complete(item: Item) -> bool:
    return all(item.get(field) is not None for field in ("ProductId", "Sku", "Quantity", "Price"))


def _one(group: Sequence[Item]) -> Item:
    """Quantities summed, prices as means weighted by them, the rest from the first."""
    merged = {**group[0], "Quantity": sum(item["Quantity"] for item in group)}
    for price in ("Price", "OriginalPrice"):
        priced = [(item["Quantity"], Fraction(str(item[price]))) for item in group if item.get(price) is not None]
        if priced:
            merged[price] = _number(_mean(priced))
    return merged


def _mean(weighted: Sequence[tuple[int, Fraction]]) -> Fraction:
    """The weighted mean, the plain one where the weights cancel out. Exact."""
    weight = sum(quantity for quantity, _ in weighted)
    if not weight:
        return sum((value for _, value in weighted), Fraction()) / len(weighted)
    return sum((quantity * value for quantity, value in weighted), Fraction()) / weight


def _number(exact: Fraction) -> int | float:
    """The double next to it; an infinite one, where quantities of both signs drive it there, is refused later."""
    try:
        return shortest(float(exact))
    except OverflowError:
        return inf
