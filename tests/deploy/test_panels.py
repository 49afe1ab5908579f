"""Every query of the dashboard, asked of a real Prometheus that has watched the real process."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from deploy.dashboard import QUERIES, Query, substituted
from deploy.watched_day import watched_day

from connector.core.requests import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.watched_day import Watched
    from kafka_broker import Broker

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def day(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    folder, limits = tmp_path_factory.mktemp("day"), (600, 30_000)
    with watched_day(kafka, folder, speed=60, size=0.2, interval="500ms", limits=limits) as watched:
        yield watched


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.title}: {query.legend}")
def test_each_query_gives_series(query: Query, day: Watched) -> None:
    """At some moment of a day on which much goes wrong each has something to show."""
    found = day.prometheus.series(substituted(query.expression, "5s"), day.began, day.ended, 0.5)
    numbers = [float(value) for series in found for _, value in series["values"]]
    assert any(map(math.isfinite, numbers))


def test_it_is_seen_where_the_budget_went(day: Watched) -> None:
    """Fresh changes, deletes, retries and probes. The backlog is sent at once, maybe before the first look at it."""
    [query] = [query for query in QUERIES if query.title == "Where the budget went"]
    found = day.prometheus.series(substituted(query.expression, "5s"), day.began, day.ended, 0.5)
    spent = {each["metric"]["purpose"] for each in found if any(float(value) > 0 for _, value in each["values"])}
    assert {each["metric"]["purpose"] for each in found} == set(Purpose)
    assert spent >= {Purpose.FRESH, Purpose.DELETE, Purpose.ITEM_DELETE, Purpose.RETRY, Purpose.PROBE}
