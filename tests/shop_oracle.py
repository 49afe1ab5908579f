"""What Replenit must hold of a shop's tables: plain Python over the final rows, without a line of the connector's."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from family_shop import BAD, SOLD

if TYPE_CHECKING:
    from family_shop import Shop

    Document = dict[str, Any]


class Expected(NamedTuple):
    """`documents`: entity → id → document. `withheld`: families of which an older document may be there, by their tag.

    `silent`: customers who may have a retraction there, and nothing else.
    """

    documents: dict[str, dict[str, Document]]
    withheld: set[str]
    silent: set[str]


def expected(shop: Shop) -> Expected:
    found = Expected({"customers": {}, "orders": {}, "products": {}}, set(), set())
    _customers(shop, found)
    _orders(shop, found)
    _products(shop, found)
    return found


def _first(shop: Shop, table: str, parent: Any) -> dict[str, Any] | None:  # noqa: ANN401 (a column's value)
    return next((shop.rows[table][key] for key in shop.of(table, parent)), None)


def _customers(shop: Shop, found: Expected) -> None:
    for (number,), row in shop.rows["customers"].items():
        consent, profile = _first(shop, "consents", number), _first(shop, "profiles", number)
        if consent is None or not consent["given"]:
            found.silent.add(row["code"])
            continue
        document = {"CustomerId": row["code"], "Name": row["tag"], "GdprOptin": True}
        if row["bio"] is not None:
            document["Username"] = row["bio"]
        if profile is not None and profile["surname"] is not None:
            document["Surname"] = profile["surname"]
        found.documents["customers"][row["code"]] = document


def _orders(shop: Shop, found: Expected) -> None:
    for (number,), row in shop.rows["orders"].items():
        if row["state"] not in SOLD:
            continue
        items = [shop.rows["order_items"][key] for key in sorted(shop.of("order_items", number))]
        prices = [_first(shop, "item_prices", item["id"]) for item in items]
        bad = [row["revenue"], *(item["quantity"] for item in items), *(p["price"] for p in prices if p)]
        if BAD in bad or None in prices or row["currency"] == "eu" or row["number"] is None:
            found.withheld.add(f"orders {number}")
        elif items:
            found.documents["orders"][row["number"]] = {
                "OrderId": row["number"],
                "CustomerId": row["tag"],
                "Currency": row["currency"],
                "TotalRevenue": row["revenue"],
                "OrderItems": _merged(
                    [(item, price["price"]) for item, price in zip(items, prices, strict=True) if price]
                ),
            }


def _merged(items: list[tuple[dict[str, Any], int]]) -> list[Document]:
    groups = defaultdict(list)
    for item, price in items:
        groups[item["product"], item["sku"]].append((item, price))
    merged = []
    for (product, sku), group in groups.items():
        quantity = sum(item["quantity"] for item, _ in group)
        document = {
            "ProductId": product,
            "Sku": sku,
            "Quantity": quantity,
            "Price": round(sum(item["quantity"] * price for item, price in group) / quantity, 6),
        }
        if group[0][0]["brand"] is not None:
            document["Brand"] = group[0][0]["brand"]
        merged.append(document)
    return merged


def _products(shop: Shop, found: Expected) -> None:
    for (number,), row in shop.rows["products"].items():
        text = shop.rows["product_texts"].get((number, "en"))
        variants = []
        for key in sorted(shop.of("product_variants", number)):
            variant, stock = shop.rows["product_variants"][key], _first(shop, "variant_stocks", key[0])
            if stock is not None and stock["quantity"] == BAD:
                found.withheld.add(f"products {number}")
            document = {"VariantId": str(variant["id"]), "Sku": variant["sku"]}
            if variant["image"] is not None:
                document["Image"] = variant["image"]
            if stock is not None:
                document["Stock"] = stock["quantity"]
            variants.append(document)
        if variants and f"products {number}" not in found.withheld:
            document = {"ProductId": row["code"], "Taxonomy": row["tag"].split(">"), "ProductVariants": variants}
            if text is not None:
                document["ProductName"] = text["title"]
            found.documents["products"][row["code"]] = document


def tag_of(entity: str, document: Document) -> str:
    """The family that a document is of, and its version, as the shop writes them into each."""
    if entity == "products":
        return ">".join(document["Taxonomy"])
    return str(document["Name" if entity == "customers" else "CustomerId"])


def differences(shop: Shop, kept: dict[str, dict[str, Document]], *, merges: bool) -> list[str]:
    """What Replenit holds and should not, and the other way round. `merges`: fields that were once sent may be left."""
    found = expected(shop)
    told = []
    for entity, documents in found.documents.items():
        for identifier in sorted(documents.keys() | kept[entity].keys()):
            want, have = documents.get(identifier), kept[entity].get(identifier)
            if want is None and have is not None and _excused(entity, identifier, have, found):
                continue
            if not _same(want, have, merges=merges):
                told.append(f"{entity} {identifier}: expected {want}, found {have}")
    return told


def _excused(entity: str, identifier: str, have: Document, found: Expected) -> bool:
    if entity == "customers" and have.get("GdprOptin") is False:
        return identifier in found.silent
    tag = tag_of(entity, have)
    return f"{entity} {tag.split('>')[0].split(':')[0]}" in found.withheld


_LISTS = {"OrderItems": ("ProductId", "Sku"), "ProductVariants": ("VariantId",)}


def _same(want: Document | None, have: Document | None, *, merges: bool) -> bool:
    if want is None or have is None:
        return want is have
    if not (want.keys() <= have.keys() if merges else want.keys() == have.keys()):
        return False
    return all(
        _same_list(value, have[name], _LISTS[name], merges=merges) if name in _LISTS else _equal(value, have[name])
        for name, value in want.items()
    )


def _same_list(want: list[Document], have: list[Document], names: tuple[str, ...], *, merges: bool) -> bool:
    wanted = {tuple(each[name] for name in names): each for each in want}
    held = {tuple(each[name] for name in names): each for each in have}
    return wanted.keys() == held.keys() and all(_same(wanted[key], held[key], merges=merges) for key in wanted)


def _equal(want: Any, have: Any) -> bool:  # noqa: ANN401 (JSON is any)
    if isinstance(want, float) or isinstance(have, float):
        return bool(abs(want - have) < 1e-4)
    return bool(want == have)
