"""Families: what is sent of them, by the order in which their rows are read, and what is written down before."""

from __future__ import annotations

import pytest
from family_shop import BAD, Dialect
from family_stage import Stage
from memory_store import MemoryStore

from connector.core.entries import Lane
from connector.core.events import Entity, Partition
from connector.core.halts import SuspendReason
from connector.core.rejections import LONGEST_DOUBT


def _customer(stage: Stage, number: int = 1, code: str = "a", *, given: bool = True) -> None:
    stage.shop.insert("customers", id=number, code=code, tag=f"{number}:1", bio=None)
    stage.shop.insert("consents", customer_id=number, given=given)


def _order(stage: Stage, number: int = 1, name: str = "o", skus: str = "x") -> None:
    stage.shop.insert("orders", id=number, number=name, tag="c", state="paid", currency="EUR", revenue=1)
    for place, sku in enumerate(skus):
        item = 10 * number + place
        stage.shop.insert("order_items", id=item, order_id=number, product="p", sku=sku, quantity=1, brand=None)
        stage.shop.insert("item_prices", item_id=item, price=1)


# Consent


def test_an_id_that_was_never_sent_is_not_told_to_take_consent_back() -> None:
    """A customer who takes back his consent under another id is deleted under the one that is there."""
    stage = Stage(Entity.CUSTOMERS)
    _customer(stage)
    assert stage.settle() == ["post a"]
    stage.shop.update("consents", (1,), given=False)
    stage.shop.update("customers", (1,), code="b")
    assert stage.settle() == ["delete a"]
    stage.shop.update("consents", (1,), given=True)
    assert stage.settle() == ["post b"]


def test_a_retraction_is_deleted_when_the_id_changes() -> None:
    """What is left of a customer without consent goes with the id that he has no longer."""
    stage = Stage(Entity.CUSTOMERS)
    _customer(stage)
    stage.settle()
    stage.shop.update("consents", (1,), given=False)
    assert stage.settle() == ["retract a"]
    stage.shop.update("customers", (1,), code="b")
    assert stage.settle() == ["delete a"]
    stage.shop.delete("customers", (1,))
    assert stage.settle() == []


def test_a_customer_who_was_removed_under_his_old_id_is_not_retracted_meanwhile() -> None:
    """While the DELETE of the old id is under way nothing is there by the new one."""
    stage = Stage(Entity.CUSTOMERS)
    _customer(stage)
    stage.settle()
    stage.shop.update("consents", (1,), given=False)
    stage.shop.update("customers", (1,), code="b")
    stage.read()
    stage.turn(6.0)
    stage.shop.update("customers", (1,), tag="1:2")
    assert stage.settle() == ["delete a"]


def test_what_waits_of_a_customer_does_not_go_out_once_it_is_known_that_he_takes_consent_back() -> None:
    """A family is left to settle for a moment before it is assembled; that is no reason to send him meanwhile."""
    stage = Stage(Entity.CUSTOMERS)
    _customer(stage)
    stage.read()
    stage.turn()
    stage.shop.update("consents", (1,), given=False)
    stage.read()
    stage.turn(0.0)
    assert stage.fly() == []
    stage.shop.update("consents", (1,), given=True)
    stage.shop.update("customers", (1,), tag="1:2")
    assert stage.settle() == ["post a"]


def test_consent_is_taken_back_whatever_is_wrong_with_the_rest_of_a_customer() -> None:
    """A row that can't be read keeps a family from being sent, and not from being retracted."""
    stage = Stage(Entity.CUSTOMERS)
    _customer(stage)
    stage.settle()
    stage.shop.update("customers", (1,), bio=["no", "text"])
    stage.settle()
    assert stage.sent == ["post a"]
    stage.shop.update("consents", (1,), given=False)
    assert stage.settle() == ["retract a"]


def test_a_consent_that_cannot_be_read_tells_nothing() -> None:
    """Neither is the customer sent, nor is what is there taken back."""
    stage = Stage(Entity.CUSTOMERS)
    _customer(stage)
    stage.settle()
    stage.shop.update("consents", (1,), given="perhaps")
    stage.shop.update("customers", (1,), tag="1:2")
    assert stage.settle() == []


# Rows that can't be read


def test_a_row_that_is_mended_has_its_large_column_still() -> None:
    """What the bad row's event told, or what was kept before, is not repeated by the one that mends it."""
    stage = Stage(Entity.ORDERS, Dialect.DEFAULT)
    stage.shop.insert("orders", id=1, number="o", tag="c", state="paid", currency="EUR", revenue=1)
    stage.shop.insert("order_items", id=1, order_id=1, product="p", sku="x", quantity=1, brand="Acme")
    stage.shop.insert("item_prices", item_id=1, price=1)
    stage.settle()
    stage.shop.update("order_items", (1,), quantity=BAD)
    assert stage.settle() == []
    stage.shop.update("order_items", (1,), quantity=2)
    stage.settle()
    assert stage.documents["o"]["OrderItems"] == [
        {"ProductId": "p", "Sku": "x", "Quantity": 2, "Brand": "Acme", "Price": 1}
    ]


def test_a_row_that_cannot_be_read_is_refused_each_time_that_it_comes() -> None:
    """Read again before its dead letter was confirmed, or once its doubt is over, it is no unchanged row."""
    stage = Stage(Entity.ORDERS)
    _order(stage)
    stage.shop.update("order_items", (10,), quantity=BAD)
    taken = stage.read()
    assert [each.outcome for each in taken if each.reject is not None] == ["dead_letter"]
    [bad] = [record for log in stage.shop.log.values() for record in log if BAD.encode() in (record.value or b"")]
    again = stage.intake.take_again(bad, Partition(bad.topic, bad.partition), stage.now, set())
    assert again.reject is not None


def _refusable(stage: Stage, numbers: range) -> None:
    """Orders that the API would refuse, and that can be read."""
    for number in numbers:
        _order(stage, number, f"o{number}")
        stage.shop.update("orders", (number,), currency="eu")


def test_what_was_due_when_refusals_suspended_the_lane_comes_again() -> None:
    """Families that the turn did not come to are assembled once the suspension ends."""
    stage = Stage(Entity.ORDERS)
    _refusable(stage, range(1, 60))
    _order(stage, 99, "good")
    stage.read()
    stage.turn()
    lane = Lane.ORDERS
    assert stage.suspensions.get(lane, SuspendReason.UNMAPPABLE) is not None
    stage.shop.update("orders", (99,), tag="c2")
    stage.read()
    stage.suspensions.end(lane, SuspendReason.UNMAPPABLE)
    for _ in range(4):
        stage.turn()
        stage.suspensions.end(lane, SuspendReason.UNMAPPABLE)
    stage.fly()
    assert stage.sent == ["post good with x"]


def test_refusals_that_nothing_follows_do_not_wait_for_ever() -> None:
    """A quiet shop's refusals are in doubt for a while only: then its lane is suspended, which is told."""
    stage = Stage(Entity.ORDERS)
    for number in range(100, 130):
        _order(stage, number, f"good{number}")
    stage.settle()
    _refusable(stage, range(1, 21))
    stage.read()
    dead = [told for told in stage.turn() if told.reject is not None]
    assert len(dead) == 19
    assert stage.turn(LONGEST_DOUBT / 2) == []
    stage.turn(LONGEST_DOUBT / 2 + 1)
    assert stage.suspensions.get(Lane.ORDERS, SuspendReason.UNMAPPABLE) is not None
    stage.suspensions.end(Lane.ORDERS, SuspendReason.UNMAPPABLE)
    assert [told.reject is not None for _ in range(3) for told in stage.turn()] == [True]


def test_a_hot_family_hides_none_that_waits_on_disk() -> None:
    """A family that waits for an earlier process's requests is sent then, although another is touched all the time."""
    stage = Stage(Entity.ORDERS)
    _order(stage, 1, "left")
    stage.read()
    stage.commit()
    stage.crash()
    stage.families.put_off(stage.now + 6)
    _order(stage, 2, "hot")
    for version in range(40):
        stage.shop.update("orders", (2,), tag=f"c{version}")
        stage.read()
        stage.turn(0.4)
        stage.fly()
    assert "post left with x" in stage.sent


def test_what_waits_of_a_family_that_cannot_be_sent_is_taken_back_when_it_must_not() -> None:
    """An older document still waits while a row can't be read; then the order loses its items, and is withheld."""
    stage = Stage(Entity.ORDERS)
    _order(stage)
    stage.read()
    stage.turn()
    stage.shop.update("order_items", (10,), quantity=BAD)
    stage.read()
    stage.turn()
    stage.shop.delete("order_items", (10,))
    assert stage.settle() == []


# Ids that go from one family to another


def test_items_of_a_former_order_go_from_the_id_that_another_has_taken_over() -> None:
    """Where an upsert merges, what the former family's document held would stay in the other's."""
    stage = Stage(Entity.ORDERS)
    one, other = _apart(stage)
    _order(stage, one, "a", "xy")
    assert stage.settle() == ["post a with x y"]
    stage.shop.update("orders", (one,), number="b")
    _order(stage, other, "a", "yz")
    stage.read("orders", key=other)
    stage.read("order_items")
    stage.read("item_prices")
    stage.turn()
    stage.arrive(stage.fly())
    assert stage.sent[1:] == ["post a with y z"]
    assert stage.settle() == ["post b with x y", "post a with y z", "delete p x of a"]


def test_an_item_that_is_deleted_of_one_order_may_still_be_in_another() -> None:
    """What is known to be at the former family's new id stays known."""
    stage = Stage(Entity.ORDERS)
    _order(stage, 1, "a", "xy")
    stage.settle()
    stage.shop.update("orders", (1,), number="b")
    _order(stage, 3, "a", "z")
    stage.settle()
    families = {family.id: family.held for family in map(stage.family, ("1", "3")) if family is not None}
    assert families["b"] >= {("p", "x"), ("p", "y")}
    assert families["a"] >= {("p", "z")}


def test_a_document_that_anothers_superseded_is_sent_once_that_one_leaves() -> None:
    """Two orders have one number for a while; the one that had it first changes, and then leaves it."""
    stage = Stage(Entity.ORDERS)
    _order(stage, 1, "a", "x")
    _order(stage, 2, "b", "y")
    stage.settle()
    stage.shop.update("orders", (2,), number="a")
    stage.read()
    stage.turn()
    stage.shop.update("orders", (1,), tag="c2")
    stage.read()
    stage.turn()
    stage.shop.update("orders", (1,), number="c")
    stage.settle()
    assert [item["Sku"] for item in stage.documents["a"]["OrderItems"]] == ["y"]
    assert stage.sent[-1] in {"post a with y", "delete p x of a"}


def test_an_id_that_no_row_has_is_deleted_of_a_family_that_is_withheld_too() -> None:
    """An order with a row that can't be read stays as it is under its own id, and not under one that it has left."""
    stage = Stage(Entity.ORDERS)
    _order(stage, 1, "a")
    stage.settle()
    stage.shop.update("order_items", (10,), quantity=BAD)
    assert stage.settle() == []
    stage.shop.update("orders", (1,), number="b")
    assert stage.settle() == ["delete a"]
    stage.shop.update("order_items", (10,), quantity=1)
    assert stage.settle() == ["post b with x"]


def _apart(stage: Stage) -> tuple[int, int]:
    """Two orders whose events lie on two partitions."""
    return 1, next(n for n in range(2, 50) if stage.shop.partition("orders", n) != stage.shop.partition("orders", 1))


# Keys that change


@pytest.mark.parametrize("first", ["old", "new"])
def test_a_child_row_whose_key_changes_keeps_its_large_column(first: str) -> None:
    """The event under the new key does not repeat it, whichever of the two keys' partitions is read first."""
    stage = Stage(Entity.ORDERS, Dialect.DEFAULT)
    stage.shop.insert("orders", id=1, number="o", tag="c", state="paid", currency="EUR", revenue=1)
    stage.shop.insert("order_items", id=1, order_id=1, product="p", sku="x", quantity=1, brand="Acme")
    stage.shop.insert("item_prices", item_id=1, price=1)
    stage.settle()
    new = next(
        n for n in range(2, 50) if stage.shop.partition("order_items", n) != stage.shop.partition("order_items", 1)
    )
    stage.shop.change_key("order_items", (1,), new)
    stage.read("order_items", key=1 if first == "old" else new)
    stage.read("order_items", key=new if first == "old" else 1)
    stage.settle()
    assert stage.documents["o"]["OrderItems"][0]["Brand"] == "Acme"


def test_a_large_column_is_taken_from_an_older_event_of_another_partition() -> None:
    """message.key.columns: an item goes to another order, which is read before its insertion under the first."""
    stage = Stage(Entity.ORDERS, Dialect.DEFAULT, items_by_order=True)
    one, other = _apart(stage)
    for number, name in ((one, "a"), (other, "b")):
        stage.shop.insert("orders", id=number, number=name, tag="c", state="paid", currency="EUR", revenue=1)
    stage.shop.insert("order_items", id=1, order_id=one, product="p", sku="x", quantity=1, brand="Acme")
    stage.shop.insert("item_prices", item_id=1, price=1)
    stage.shop.commit()
    stage.shop.update("order_items", (1,), order_id=other)
    stage.read("order_items", order=other)
    stage.settle()
    assert stage.documents["b"]["OrderItems"][0]["Brand"] == "Acme"


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("order", ["root first", "side first"])
def test_consent_does_not_outlive_a_key_that_mysql_changed_silently(order: str, known: bool) -> None:
    """A side table's key that is its parent's changes by cascade, unlogged: it is deleted under a key never told."""
    stage = Stage(Entity.CUSTOMERS, Dialect.MYSQL)
    _customer(stage)
    assert stage.settle() == ["post a"]
    stage.shop.change_key("customers", (1,), 2)
    if known:
        stage.shop.update("consents", (2,), given=True)
    stage.shop.delete("consents", (2,))
    stage.shop.send_again(2)
    for table in ("customers", "consents") if order == "root first" else ("consents", "customers"):
        stage.read(table)
    assert "post a" not in stage.settle()
    assert stage.sent[-1] == "delete a"


def test_items_follow_an_order_whose_key_mysql_changed_twice() -> None:
    """The later change, in another partition, is read before the earlier one."""
    stage = Stage(Entity.ORDERS, Dialect.MYSQL)
    one, other = _apart(stage)
    _order(stage, one, "o")
    stage.settle()
    stage.shop.change_key("orders", (one,), other)
    stage.shop.change_key("orders", (other,), 1000)
    stage.read("orders", key=other)
    stage.read("orders", key=one)
    stage.settle()
    assert stage.sent[-1] == "post o with x"


def test_a_row_that_is_read_late_fell_to_the_cascade_of_its_time() -> None:
    """MySQL: an order is deleted, its key used again, and changed; an item of the first one belongs to none of them."""
    stage = Stage(Entity.ORDERS, Dialect.MYSQL)
    _order(stage, 1, "a")
    stage.shop.delete("orders", (1,))
    _order(stage, 1, "b", "")
    stage.shop.change_key("orders", (1,), 2)
    stage.read("orders")
    assert stage.settle() == []
    stage.shop.insert("order_items", id=20, order_id=2, product="p", sku="y", quantity=1, brand=None)
    stage.shop.insert("item_prices", item_id=20, price=1)
    assert stage.settle() == ["post b with y"]


def test_a_side_row_keeps_its_own_key_that_happens_to_be_its_parents() -> None:
    """Only a key that holds the foreign key changes with it: two numbers that are equal by chance say nothing."""
    stage = Stage(Entity.PRODUCTS, Dialect.MYSQL)
    stage.shop.insert("products", id=1, code="p", tag="1>1")
    stage.shop.insert("product_variants", id=2, product_id=1, sku="x", image=None)
    stage.shop.insert("variant_stocks", id=2, variant_id=2, quantity=5)
    stage.settle()
    stage.shop.change_key("product_variants", (2,), 3)
    stage.settle()
    stage.shop.update("variant_stocks", (2,), quantity=6)
    stage.settle()
    assert stage.documents["p"]["ProductVariants"] == [{"VariantId": "3", "Sku": "x", "Stock": 6}]


def test_rows_of_a_child_row_follow_what_mysql_does_silently() -> None:
    """Its key changes, then it is deleted and comes back: the prices of its side table follow, and end with it."""
    stage = Stage(Entity.ORDERS, Dialect.MYSQL)
    _order(stage, 1, "o", "xy")
    stage.settle()
    stage.shop.change_key("order_items", (10,), 20)
    stage.shop.update("orders", (1,), tag="c2")
    stage.settle()
    assert [item["Sku"] for item in stage.documents["o"]["OrderItems"]] == ["y", "x"]
    stage.shop.delete("order_items", (20,))
    stage.shop.insert("order_items", id=20, order_id=1, product="p", sku="z", quantity=1, brand=None)
    before = len(stage.sent)
    stage.settle()
    assert stage.sent[before:] == []  # it has no price yet
    stage.shop.insert("item_prices", item_id=20, price=7)
    stage.settle()
    assert [item["Price"] for item in stage.documents["o"]["OrderItems"]] == [1, 7]


def test_a_row_that_comes_back_as_it_was_outlives_an_earlier_cascade() -> None:
    """Deleted by cascade and inserted again with the same values, which is read before the cascade."""
    stage = Stage(Entity.ORDERS, Dialect.MYSQL)
    _order(stage)
    stage.settle()
    stage.shop.delete("orders", (1,))
    _order(stage)
    stage.read("order_items")
    stage.read("item_prices")
    stage.read("orders")
    stage.settle()
    assert stage.sent[-1] == "post o with x"


def test_a_deletion_that_is_a_tombstone_alone_counts_where_the_mapping_names_the_key() -> None:
    """Flattened events tell a deletion so; the key names the row, as the mapping says too."""
    stage = Stage(Entity.PRODUCTS)
    stage.shop.insert("products", id=1, code="p", tag="1>1")
    stage.shop.insert("product_variants", id=1, product_id=1, sku="x", image=None)
    stage.shop.insert("product_texts", product_id=1, language="en", title="Tea")
    stage.settle()
    assert stage.documents["p"]["ProductName"] == "Tea"
    stage.shop.delete_flattened("product_texts", (1, "en"))
    stage.settle()
    assert "ProductName" not in stage.documents["p"]


# A store that is filled anew


def test_a_side_row_that_was_not_settled_is_sent_though_its_child_row_was() -> None:
    """It may be read first, when nothing tells whose it is: that is remembered until its child row comes."""
    stage = Stage(Entity.PRODUCTS)
    stage.shop.insert("products", id=1, code="p", tag="1>1")
    stage.shop.insert("product_variants", id=1, product_id=1, sku="x", image=None)
    stage.shop.insert("variant_stocks", id=1, variant_id=1, quantity=5)
    for table in ("products", "product_variants"):
        place = stage.shop.partition(table, 1)
        stage.families.rows.refill(place, len(stage.shop.log[place]), len(stage.shop.log[place]))
    stocks = stage.shop.partition("variant_stocks", 1)
    stage.families.rows.refill(stocks, 0, 1)
    stage.read("variant_stocks")
    stage.read("product_variants")
    stage.read("products")
    stage.settle()
    assert stage.documents["p"]["ProductVariants"][0]["Stock"] == 5


def test_an_item_is_recalled_that_goes_in_a_cascade_which_is_read_before_it() -> None:
    """The lost store's process had sent it under an id that another order has now: it is deleted there."""
    stage = Stage(Entity.ORDERS, Dialect.MYSQL)
    _order(stage, 1, "o", "xy")
    assert stage.settle() == ["post o with x y"]
    settled = {place: len(log) for place, log in stage.shop.log.items()}
    stage.shop.delete("orders", (1,))
    _order(stage, 2, "o", "z")
    stage.start(MemoryStore())
    stage._read = dict.fromkeys(stage.shop.log, 0)  # noqa: SLF001
    for place, log in stage.shop.log.items():
        if place.topic in stage.families.rows.topics:
            stage.families.rows.refill(place, settled[place], len(log))
    stage.read("orders")
    stage.read("order_items")
    stage.read("item_prices")
    assert stage.settle() == ["post o with z", "delete p x of o", "delete p y of o"]


def test_an_item_that_another_row_has_too_is_recalled() -> None:
    """Its former key's deletion is read after it, and was settled."""
    stage = Stage(Entity.ORDERS)
    _order(stage)
    stage.shop.change_key("order_items", (10,), 11)
    for place, log in stage.shop.log.items():
        if place.topic in stage.families.rows.topics:
            stage.families.rows.refill(place, len(log), len(log))
    stage.read("orders")
    stage.read("order_items", key=11)
    stage.read("order_items")
    stage.read("item_prices")
    family = stage.family("1")
    assert family is not None
    assert family.held == {("p", "x")}


@pytest.mark.parametrize("dialect", Dialect)
def test_an_item_that_changes_its_order_leaves_the_one_and_comes_to_the_other(dialect: Dialect) -> None:
    """Both orders are told, although the event names the new one alone where there is no before-image."""
    stage = Stage(Entity.ORDERS, dialect)
    _order(stage, 1, "o1", "xy")
    _order(stage, 2, "o2", "z")
    stage.settle()
    stage.shop.update("order_items", (11,), order_id=2)
    assert sorted(stage.settle()) == ["delete p y of o1", "post o1 with x", "post o2 with y z"]


def test_a_document_goes_of_which_a_compacted_topic_has_the_deletion_alone() -> None:
    """The lost store's process had sent it: the before-image tells by which id."""
    stage = Stage(Entity.ORDERS, Dialect.MYSQL)
    _order(stage, 1, "o1")
    assert stage.settle() == ["post o1 with x"]
    stage.shop.delete("orders", (1,))
    place = stage.shop.partition("orders", 1)
    stage.start(MemoryStore())
    stage._read = {partition: len(log) for partition, log in stage.shop.log.items()} | {place: 1}  # noqa: SLF001
    stage.families.rows.refill(place, 1, len(stage.shop.log[place]))
    assert stage.settle() == ["delete o1"]
