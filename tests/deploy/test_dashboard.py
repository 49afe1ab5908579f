"""The dashboard's form: what Grafana needs to show it, and what whoever reads it needs to understand it."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from deploy.dashboard import CONTENT, DASHBOARD, PANELS, QUERIES, Query, substituted, thresholds
from deploy.programs import promtool_passes

from connector.core.requests import Purpose
from deploy import rules

RUNBOOK = Path(__file__).parents[2] / "deploy" / "RUNBOOK.md"


def _alerts(panel: dict[str, Any]) -> list[str]:
    return re.findall(r"\bConnector[A-Z]\w+", panel["description"])


def test_it_is_a_dashboard_of_the_classic_schema() -> None:
    """Provisioned as it is, changed in its file alone, over any data source."""
    assert CONTENT["schemaVersion"] == 42
    assert CONTENT["editable"] is False
    assert [each["name"] for each in CONTENT["templating"]["list"]] == ["datasource", "namespace", "job", "instance"]
    every = {each["name"]: each["allValue"] for each in CONTENT["templating"]["list"] if each.get("multi")}
    assert every == {"namespace": ".*", "job": ".+", "instance": ".+"}


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_each_panel_explains_itself(panel: dict[str, Any]) -> None:
    """A title, a sentence that says what is shown, a unit, and queries of the chosen data source."""
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    for target in panel["targets"]:
        assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert target["legendFormat"]


def test_panels_have_names_and_places_of_their_own() -> None:
    every = CONTENT["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    assert len({panel["title"] for panel in every}) == len(every)
    for one, other in combinations([panel["gridPos"] for panel in every], 2):
        apart = (one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]) or (
            one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)
    assert max(panel["gridPos"]["x"] + panel["gridPos"]["w"] for panel in every) == 24


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.title}: {query.legend}")
def test_each_query_is_of_what_was_chosen(query: Query) -> None:
    """Each series is one of the deployments and processes that were chosen; of counters only rates are shown."""
    chosen = 'namespace=~"$namespace", job=~"$job", instance=~"$instance"'
    names = re.findall(r"\b((?:connector|process)_\w+)(\{[^}]*\})?", query.expression)
    assert all(chosen in selector for _, selector in names), query.expression
    for name, _ in names:
        if name.endswith(("_total", "_sum", "_count", "_bucket")) and name != "connector_retention_gap_records_total":
            assert re.search(rf"\b(rate|increase)\({name}\b", query.expression), name


@pytest.mark.parametrize(
    ("chosen", "read"), [({}, 4), ({"namespace": "shop"}, 2), ({"namespace": "test"}, 0), ({"namespace": "gone"}, 0)]
)
def test_partitions_that_are_read_are_those_of_sources(tmp_path: Path, chosen: dict[str, str], read: int) -> None:
    """That of the replays is none; those without a namespace are seen while all are."""
    [query] = [query for query in QUERIES if query.title == "Kafka: partitions read"]
    lag, source = "connector_consumer_lag_messages", "connector_retention_gap_records_total"
    series = (
        f'{lag}{{namespace="shop",job="c",instance="a",topic="orders",partition="0"}}',
        f'{lag}{{namespace="shop",job="c",instance="a",topic="orders",partition="1"}}',
        f'{lag}{{namespace="test",job="c",instance="b",topic="replays",partition="0"}}',
        *(f'{lag}{{job="c",instance="d",topic="orders",partition="{number}"}}' for number in (0, 1)),
        f'{source}{{namespace="shop",job="c",instance="a",topic="orders"}}',
        f'{source}{{namespace="test",job="c",instance="b",topic="orders"}}',
        f'{source}{{job="c",instance="d",topic="orders"}}',
    )
    asked = substituted(query.expression, "1m", **chosen)
    test = {
        "interval": "1m",
        "input_series": [{"series": each, "values": "0x5"} for each in series],
        "promql_expr_test": [{"expr": asked, "eval_time": "3m", "exp_samples": [{"labels": "{}", "value": read}]}],
    }
    promtool_passes(tmp_path, {"tests": [test]})


def test_thresholds_are_those_of_the_alerts() -> None:
    """What an alert watches is coloured from the value on at which the alert fires, and nothing else is."""
    shown: dict[str, set[float]] = {}
    for panel in PANELS:
        of_alerts = {value for alert in _alerts(panel) for value in rules.thresholds(alert)}
        if of_alerts:
            assert thresholds(panel) == of_alerts, panel["title"]
        for alert in _alerts(panel):
            shown.setdefault(alert, set()).add(panel["title"])
    assert {alert for alert in rules.ALERTS if rules.thresholds(alert)} == shown.keys()


def test_the_runbook_names_panels_that_are_there() -> None:
    told = RUNBOOK.read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]
    named = set(re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", told))
    assert len(named) > 5
    assert named - {panel["title"] for panel in CONTENT["panels"]} == set()


def test_where_the_budget_went_names_each_purpose() -> None:
    [panel] = [panel for panel in PANELS if panel["title"] == "Where the budget went"]
    words = {Purpose.DELETE: "deletes", Purpose.ITEM_DELETE: "single items", Purpose.RETRY: "retries"}
    for purpose in Purpose:
        assert words.get(purpose, purpose) in panel["description"]


def test_the_picture_beside_it_is_one_and_small() -> None:
    """`tests/deploy/render.py` draws it."""
    picture = DASHBOARD.with_suffix(".png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) <= 300_000
