"""The PrometheusRule of the monitoring component: Prometheus' own rule file, as it is, under a head.

`PYTHONPATH=tests python -m deploy.kubernetes.prometheus_rule` writes it. Kustomize can't make a field of a file.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

_DEPLOY = Path(__file__).parents[3] / "deploy"
RULES = _DEPLOY / "prometheus" / "rules.yaml"
PROMETHEUS_RULE = _DEPLOY / "kubernetes" / "components" / "monitoring" / "prometheusrule.yaml"

_HEAD = """\
# Made of deploy/prometheus/rules.yaml: PYTHONPATH=tests python -m deploy.kubernetes.prometheus_rule
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: replenit-connector
  labels:
    app.kubernetes.io/name: replenit-connector
spec:
"""


def prometheus_rule() -> str:
    return _HEAD + indent(RULES.read_text(), "  ")


if __name__ == "__main__":
    PROMETHEUS_RULE.write_text(prometheus_rule())
