"""Columns that the mapping names and no row has: told once, counted, and forgotten once they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from memory_store import MemoryStore
from prometheus_client import generate_latest
from simulation import World

from connector.core.events import Entity
from connector.mapping_setting import DEFAULT_MAPPING
from connector.metrics import Metrics
from connector.telling import Teller

if TYPE_CHECKING:
    from logging import LogRecord

MAPPING = DEFAULT_MAPPING.read_text(encoding="utf-8").replace("{ column: total_revenue, optional: true }", "revenue")


def told(caplog: pytest.LogCaptureFixture) -> list[LogRecord]:
    return [record for record in caplog.records if getattr(record, "connector_event", "") == "column_missing"]


@pytest.mark.parametrize("kept", ["", "  keep: total_quantity\n"])
def test_the_service_tells_of_a_column_that_never_comes_and_goes_on(
    kept: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Once for all rows, be they kept or not; the rest of the document is sent."""
    world = World(1)
    world.store = MemoryStore()
    service = world.service(MAPPING=MAPPING.replace("orders:\n", f"orders:\n{kept}"))
    for number in range(300):
        world.write("orders", f"o{number}")
    assert world.run(service, 120, world.settled)
    world.run(service, 120)
    [line] = told(caplog)
    assert line.getMessage().startswith("orders: none of ")
    assert "the column revenue" in line.getMessage()
    assert world.differences() == []


def test_it_is_told_again_if_it_goes_again(caplog: pytest.LogCaptureFixture) -> None:
    """The metric has it as long as it is missing."""
    metrics = Metrics()
    teller = Teller(metrics)
    sample = b'connector_mapping_missing_column_rows{column="revenue",entity="orders"} '
    for columns in ({"revenue": 100}, {"revenue": 250}, {}, {"revenue": 400}):
        teller.unseen(Entity.ORDERS, columns)
        teller.unseen(Entity.CUSTOMERS, {})
        shown = generate_latest(metrics.registry)
        assert (sample in shown) is bool(columns)
        assert not columns or sample + str(float(columns["revenue"])).encode() in shown
    assert len(told(caplog)) == 2


def test_a_side_table_with_several_rows_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """Once a table, however many documents wait for it."""
    teller = Teller(Metrics())
    for _ in range(3):
        teller.several(Entity.PRODUCTS, {"texts"})
        teller.several(Entity.PRODUCTS, {"texts", "prices"})
    lines = [each for each in caplog.records if getattr(each, "connector_event", "") == "side_table_ambiguous"]
    assert [each.getMessage().split()[1] for each in lines] == ["texts", "prices"]
