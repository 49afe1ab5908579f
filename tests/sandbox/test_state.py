"""Both readings of an upsert, and customers whose deletion waits in a queue."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sandbox.caller import item, order

from connector.sandbox.state import State, Upsert


def _state(upsert: Upsert = Upsert.REPLACE, delay: float = 0.0, *, late: bool = False) -> State:
    return State(upsert, delay, late_deletes=late)


def test_replace_keeps_nothing_of_the_old() -> None:
    """Under `replace` the last document is all there is."""
    state = _state()
    state.upsert("orders", [order(TotalQuantity=1, OrderItems=[item("A"), item("B")])])
    state.upsert("orders", [order(OrderItems=[item("B", Price=1)])])
    assert state.documents("orders") == {"O-1": order(OrderItems=[item("B", Price=1)])}


def test_merge_keeps_what_is_not_sent() -> None:
    """Under `merge` absent fields stay, items merge by (ProductId, Sku), and a removed item stays."""
    state = _state(Upsert.MERGE)
    state.upsert("orders", [order(TotalQuantity=1, OrderItems=[item("A"), item("B", Size="L"), item("B", "S-2")])])
    state.upsert("orders", [order(Currency="USD", OrderItems=[item("B", Price=1), item("C")])])
    items = [item("A"), item("B", Size="L", Price=1), item("B", "S-2"), item("C")]
    assert state.documents("orders") == {"O-1": order(Currency="USD", TotalQuantity=1, OrderItems=items)}


def test_merge_of_variants_goes_by_variant_id() -> None:
    """Variants merge by VariantId within their product, whatever their Sku."""
    state = _state(Upsert.MERGE)
    state.upsert("products", [{"ProductId": "P", "ProductVariants": [{"VariantId": "V", "Sku": "1", "Stock": 3}]}])
    state.upsert("products", [{"ProductId": "P", "ProductVariants": [{"VariantId": "V", "Sku": "2"}]}])
    assert state.documents("products")["P"]["ProductVariants"] == [{"VariantId": "V", "Sku": "2", "Stock": 3}]


def test_merge_overwrites_the_first_of_two_items_with_one_key() -> None:
    """Within one document too, the second of two items with one key wins."""
    state = _state(Upsert.MERGE)
    state.upsert("orders", [order(OrderItems=[item(Quantity=1), item(Quantity=5)])])
    assert state.documents("orders")["O-1"]["OrderItems"] == [item(Quantity=5)]


def test_customers_are_kept_by_email_only_without_an_id() -> None:
    """CustomerId is the key where there is one, Email where there is none."""
    state = _state()
    state.upsert("customers", [{"CustomerId": "C", "Email": "a@b.de"}, {"Email": "a@b.de"}])
    assert sorted(state.documents("customers")) == ["C", "a@b.de"]


def test_deletes_by_email_remove_every_customer_with_that_address() -> None:
    """A DELETE by email goes by the document's field, not by the key it is kept under."""
    state = _state()
    state.upsert("customers", [{"CustomerId": "C", "Email": "a@b.de"}, {"Email": "a@b.de"}, {"CustomerId": "D"}])
    state.queue_delete("Email", "a@b.de", 0)
    assert sorted(state.documents("customers")) == ["D"]


def test_a_queued_delete_waits() -> None:
    """A delayed DELETE removes its customer when the delay is over, not before."""
    state = _state(delay=30)
    state.upsert("customers", [{"CustomerId": "C"}])
    state.queue_delete("CustomerId", "C", 100)
    state.settle(129)
    assert "C" in state.documents("customers")
    state.settle(130)
    assert "C" not in state.documents("customers")


def test_an_upsert_after_a_queued_delete_survives_where_order_is_kept() -> None:
    """By default a queued DELETE takes its place before the upserts that follow it."""
    state = _state(delay=30)
    state.upsert("customers", [{"CustomerId": "C", "Name": "old"}])
    state.queue_delete("CustomerId", "C", 100)
    state.upsert("customers", [{"CustomerId": "C"}])
    state.settle(1000)
    assert state.documents("customers") == {"C": {"CustomerId": "C"}}


def test_a_queued_delete_is_not_hastened_by_other_customers() -> None:
    """Upserts of other customers leave a DELETE in its queue; one that now has the address takes nothing with it."""
    state = _state(delay=30)
    state.upsert("customers", [{"CustomerId": "C", "Email": "a@b.de"}])
    state.queue_delete("Email", "a@b.de", 100)
    state.upsert("customers", [{"CustomerId": "D"}])
    assert sorted(state.documents("customers")) == ["C", "D"]
    state.upsert("customers", [{"CustomerId": "E", "Email": "a@b.de"}])
    state.settle(1000)
    assert sorted(state.documents("customers")) == ["D", "E"]


_customers = st.fixed_dictionaries(
    {"CustomerId": st.sampled_from("CDE")},
    optional={"Email": st.sampled_from(["a@b.de", "f@g.de"]), "Name": st.sampled_from("nm")},
)
_deletes = st.tuples(st.just("CustomerId"), st.sampled_from("CDE")) | st.tuples(
    st.just("Email"), st.sampled_from(["a@b.de", "f@g.de"])
)


@given(st.lists(_customers | _deletes, max_size=12), st.sampled_from(Upsert))
def test_a_queue_that_keeps_the_order_changes_nothing_in_the_end(
    steps: list[dict[str, str] | tuple[str, str]], upsert: Upsert
) -> None:
    """Whatever is upserted and deleted, delayed deletes come to the same customers as immediate ones."""
    at_once, queued = _state(upsert), _state(upsert, delay=3)
    for now, step in enumerate(steps):
        for state in (at_once, queued):
            state.settle(now)
            if isinstance(step, dict):
                state.upsert("customers", [step])
            else:
                state.queue_delete(*step, now)
    queued.settle(len(steps) + 3)
    assert queued.snapshot() == at_once.snapshot()


def test_a_snapshot_stays_as_it_is() -> None:
    """What was read does not change when documents are upserted, lose an item or are deleted."""
    state = _state(Upsert.MERGE)
    state.upsert("orders", [order(OrderItems=[item("A"), item("B")])])
    before = state.snapshot()
    state.upsert("orders", [order(OrderItems=[item("A", Price=1)])])
    assert state.delete_element("orders", "O-1", ("B", "S-1"))
    state.delete("orders", "O-1")
    assert before["orders"] == {"O-1": order(OrderItems=[item("A"), item("B")])}


def test_a_late_delete_removes_the_upsert_that_came_after_it() -> None:
    """With `late_deletes` a queued DELETE overtakes a later upsert of its customer."""
    state = _state(delay=30, late=True)
    state.queue_delete("CustomerId", "C", 100)
    state.upsert("customers", [{"CustomerId": "C"}])
    state.settle(130)
    assert state.documents("customers") == {}
