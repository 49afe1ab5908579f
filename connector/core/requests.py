"""The eight requests that the ingestion API knows, and what comes back from sending one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

from connector.core.events import Entity

if TYPE_CHECKING:
    from collections.abc import Mapping


class Endpoint(StrEnum):
    """The API's endpoints, one a row of its reference; the values are the label `endpoint` of the metrics."""

    UPSERT_CUSTOMERS = "upsert_customers"
    DELETE_CUSTOMER = "delete_customer"
    UPSERT_ORDERS = "upsert_orders"
    DELETE_ORDER = "delete_order"
    DELETE_ORDER_ITEM = "delete_order_item"
    UPSERT_PRODUCTS = "upsert_products"
    DELETE_PRODUCT = "delete_product"
    DELETE_PRODUCT_VARIANT = "delete_product_variant"


class Purpose(StrEnum):
    """What a request is spent on: where the budget went."""

    FRESH = "fresh"
    BACKLOG = "backlog"
    DELETE = "delete"
    ITEM_DELETE = "item_delete"
    RETRY = "retry"
    ISOLATION = "isolation"
    PROBE = "probe"


_PATHS = {
    Endpoint.UPSERT_CUSTOMERS: "/customers/{tenant}",
    Endpoint.DELETE_CUSTOMER: "/customers/{tenant}?{by}={}",
    Endpoint.UPSERT_ORDERS: "/orders/{tenant}",
    Endpoint.DELETE_ORDER: "/orders/{tenant}/{}",
    Endpoint.DELETE_ORDER_ITEM: "/orders/{tenant}/{}/items?productId={}&sku={}",
    Endpoint.UPSERT_PRODUCTS: "/products/{tenant}",
    Endpoint.DELETE_PRODUCT: "/products/{tenant}/{}",
    Endpoint.DELETE_PRODUCT_VARIANT: "/products/{tenant}/{}/variants/{}",
}

UPSERTS = {
    Entity.CUSTOMERS: Endpoint.UPSERT_CUSTOMERS,
    Entity.ORDERS: Endpoint.UPSERT_ORDERS,
    Entity.PRODUCTS: Endpoint.UPSERT_PRODUCTS,
}
DELETES = {
    Entity.CUSTOMERS: Endpoint.DELETE_CUSTOMER,
    Entity.ORDERS: Endpoint.DELETE_ORDER,
    Entity.PRODUCTS: Endpoint.DELETE_PRODUCT,
}
ITEM_DELETES = {
    Entity.ORDERS: Endpoint.DELETE_ORDER_ITEM,
    Entity.PRODUCTS: Endpoint.DELETE_PRODUCT_VARIANT,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One request: `ids` fill the path in the order of the API's reference, `body` is the JSON array of an upsert.

    `by`: what names a customer that is deleted, `customerId` or `email`.
    """

    endpoint: Endpoint
    ids: tuple[str, ...] = ()
    body: bytes | None = None
    by: str = "customerId"

    @property
    def method(self) -> str:
        return "DELETE" if self.body is None else "POST"

    def target(self, tenant: str) -> str:
        """Path and query. Identifiers are the shop's data: whatever of theirs could mean something is encoded.

        The dots of an identifier that consists of dots too: `..` would name another resource.
        """
        ids = [quote(each, safe="") if each.strip(".") else each.replace(".", "%2E") for each in self.ids]
        return _PATHS[self.endpoint].format(*ids, tenant=tenant, by=self.by)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The connection failed. `ambiguous`: the request may have reached the server, which may be working on it still.

    `detail`: what more is known, without anybody's data.
    """

    reason: str
    ambiguous: bool
    detail: str = ""


UNTRUSTED = "untrusted"
"""The reason of a NoAnswer where TLS did not trust the server; the detail says why."""
