"""Whether a cluster is watched as the README says, by the rules of deploy/prometheus, on deploy/grafana's dashboard."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import yaml
from deploy.kubernetes.cluster import title
from deploy.kubernetes.prometheus_rule import RULES
from deploy.kubernetes.rendering import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.kubernetes.cluster import Cluster

DASHBOARD = ROOT / "deploy" / "grafana" / "replenit-connector.json"
_FOUND_BY = "grafana_dashboard"
_LARGEST = 250_000
"""Bytes. `kubectl apply` notes what it applied in an annotation, which takes 262,144."""


def rules(cluster: Cluster) -> Iterator[str]:
    """Every PrometheusRule holds Prometheus' own rules; the operator merges groups of one name."""
    wanted = yaml.safe_load(RULES.read_text())
    for rule in cluster.of("PrometheusRule"):
        if rule["spec"] != wanted:
            yield (
                f"{title(rule)}: differs from deploy/prometheus/rules.yaml: "
                "PYTHONPATH=tests python -m deploy.kubernetes.prometheus_rule makes it anew"
            )
        names = [group["name"] for group in rule["spec"].get("groups", [])]
        for name in sorted({each for each in names if names.count(each) > 1}):
            yield f"{title(rule)}: several groups are called {name}"


def dashboard(cluster: Cluster) -> Iterator[str]:
    """The dashboard is where Grafana's sidecar looks, is the project's, and is small enough to be applied."""
    for config in cluster.of("ConfigMap"):
        if _FOUND_BY not in config["metadata"].get("labels", {}):
            if DASHBOARD.name in config["data"]:
                yield f"{title(config)}: has a dashboard, and not the label {_FOUND_BY} by which it is found"
            continue
        for name, text in config["data"].items():
            if name != DASHBOARD.name or json.loads(text) != json.loads(DASHBOARD.read_text()):
                yield f"{title(config)}: {name} differs from deploy/grafana/{DASHBOARD.name}"
            if len(text.encode()) > _LARGEST:
                yield f"{title(config)}: {name} is larger than {_LARGEST} bytes, and can't be applied"


def pace(cluster: Cluster) -> Iterator[str]:
    """Every process is scraped as often as the README says, which the dashboard's rates are made for."""
    [seconds] = re.findall(r"`/metrics`\s+every\s+(\d+)\s+s\b", (ROOT / "README.md").read_text())
    for monitor in cluster.of("ServiceMonitor"):
        for endpoint in monitor["spec"]["endpoints"]:
            if endpoint.get("interval") != f"{seconds}s":
                yield f"{title(monitor)}: its interval is {endpoint.get('interval')}, and the README's {seconds}s"
