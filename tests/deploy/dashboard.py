"""The dashboard as a test reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

DASHBOARD = Path(__file__).parents[2] / "deploy" / "grafana" / "replenit-connector.json"
CONTENT: dict[str, Any] = json.loads(DASHBOARD.read_text())
PANELS: list[dict[str, Any]] = [panel for panel in CONTENT["panels"] if panel["type"] != "row"]


class Query(NamedTuple):
    """A query of a panel or an annotation, and how its series are called."""

    title: str
    expression: str
    legend: str


QUERIES = [
    *(Query(panel["title"], each["expr"], each["legendFormat"]) for panel in PANELS for each in panel["targets"]),
    *(Query(each["name"], each["expr"], each["titleFormat"]) for each in CONTENT["annotations"]["list"]),
]


def substituted(expression: str, rate_interval: str, **chosen: str) -> str:
    """As Grafana asks it, with all namespaces, deployments and processes chosen where nothing else is."""
    variables = {each["name"]: each.get("allValue") for each in CONTENT["templating"]["list"]}
    for name, value in {**variables, "__rate_interval": rate_interval, **chosen}.items():
        expression = expression.replace(f"${name}", value or "")
    assert "$" not in expression
    return expression


def thresholds(panel: dict[str, Any]) -> set[float]:
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    return {step["value"] for step in steps if step["value"] is not None}
