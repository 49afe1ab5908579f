"""The five DELETE endpoints: what each needs, does and answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connector.sandbox.answers import Reply, done, failed

if TYPE_CHECKING:
    from connector.sandbox.routes import Route
    from connector.sandbox.state import State

_LABELS = {"orderId": "Order ID", "productId": "Product ID", "sku": "SKU", "variantId": "Variant ID"}
_ELEMENTS = {"orders": "Order item", "products": "Product variant"}


def delete(state: State, route: Route, now: float) -> Reply:
    """Apply a DELETE of a known tenant: 400 where a parameter is missing, 404 where there is nothing to delete."""
    if route.entity == "customers":
        return _delete_customer(state, route.parameters, now)
    missing = next((name for name, value in route.parameters.items() if not value), None)
    if missing:
        return failed(400, f"{_LABELS[missing]} is required.")
    noun = {"orders": "Order", "products": "Product"}[route.entity]
    key, *element = route.parameters.values()
    if key not in state.documents(route.entity):
        return failed(404, f"{noun} not found.")
    if not element:
        state.delete(route.entity, key)
        return done(f"{noun} deleted.", **route.parameters)
    if not state.delete_element(route.entity, key, tuple(element)):
        return failed(404, f"{_ELEMENTS[route.entity]} not found.")
    return done(f"{_ELEMENTS[route.entity]} deleted.", **route.parameters)


def _delete_customer(state: State, asked: dict[str, str], now: float) -> Reply:
    """Queued whether or not there is such a customer: the caller never learns."""
    if asked["customerId"]:
        state.queue_delete("CustomerId", asked["customerId"], now)
    elif asked["email"]:
        state.queue_delete("Email", asked["email"], now)
    else:
        return failed(400, "customerId or email is required.")
    return done("Customer delete queued.")
