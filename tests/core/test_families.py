"""Families: what is sent of them, by the order in which their rows are read, and what is written down before."""

from __future__ import annotations

import pytest
from family_shop import BAD, Dialect
from family_stage import Stage

from connector.core.events import Entity, Partition


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


# Rows that can't be read


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
