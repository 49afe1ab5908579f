"""The eight endpoints: which one a method and target name, with percent-encoded identifiers decoded."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint and its parameters as sent, by the names of the API's reference; "" where one is missing."""

    endpoint: str
    entity: str
    tenant: str
    parameters: dict[str, str]


ENDPOINTS = (
    *("upsert_customers", "delete_customer", "upsert_orders", "delete_order", "delete_order_item"),
    *("upsert_products", "delete_product", "delete_product_variant"),
)
NOWHERE = Route("unknown", "", "", {})


def find(method: str, target: str) -> Route:
    """The endpoint that the request line names; NOWHERE if no document knows it."""
    path, _, query = target.partition("?")
    segments = path.split("/")[1:]
    if {".", ".."} & set(segments):
        return NOWHERE
    try:
        ids = [unquote(each, errors="strict") for each in segments]
        asked = dict(parse_qsl(query, keep_blank_values=True, errors="strict"))
    except UnicodeDecodeError:
        return NOWHERE
    return _match(method, segments, ids, asked)


def _match(method: str, segments: list[str], ids: list[str], asked: dict[str, str]) -> Route:
    match method, segments:
        case "POST", [("customers" | "orders" | "products") as entity, tenant]:
            return Route(f"upsert_{entity}", entity, tenant, {})
        case "DELETE", ["customers", tenant]:
            return Route("delete_customer", "customers", tenant, _pick(asked, "customerId", "email"))
        case "DELETE", [("orders" | "products") as entity, tenant, _]:
            noun = entity.removesuffix("s")
            return Route(f"delete_{noun}", entity, tenant, {f"{noun}Id": ids[2]})
        case "DELETE", ["orders", tenant, _, "items"]:
            parameters = {"orderId": ids[2], **_pick(asked, "productId", "sku")}
            return Route("delete_order_item", "orders", tenant, parameters)
        case "DELETE", ["products", tenant, _, "variants", _]:
            parameters = {"productId": ids[2], "variantId": ids[4]}
            return Route("delete_product_variant", "products", tenant, parameters)
    return NOWHERE


def _pick(asked: dict[str, str], *names: str) -> dict[str, str]:
    return {name: asked.get(name, "") for name in names}
