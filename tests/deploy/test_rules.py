"""The alerts: each fires when it should, alone, and not before; each is explained; promtool runs the rules."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from deploy.alert_stories import HEALTHY, STORIES
from deploy.programs import program, promtool_passes
from deploy.rules import ALERTS, RECORDINGS, RULES, thresholds

if TYPE_CHECKING:
    from deploy.alert_stories import Story

_NAMESPACE = "{{ with $labels.namespace }}{{ . }}/{{ end }}"
RUNBOOK = Path(__file__).parents[2] / "deploy" / "RUNBOOK.md"


def _series(name: str, values: str) -> dict[str, str]:
    metric, _, labels = name.partition("{")
    every = {"job": "c", "instance": "a:1", **dict(re.findall(r'(\w+)="([^"]*)"', labels))}
    return {"series": f"{metric}{{{_joined(every)}}}", "values": values}


def _joined(labels: dict[str, str]) -> str:
    return ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items())


def _firing(story: Story, alert: str, labels: dict[str, str]) -> dict[str, object]:
    job = {"job": story.job} if story.job else {}
    told = {"alertname": alert, "alertstate": "firing", **job, **ALERTS[alert]["labels"], **labels}
    return {"labels": f"ALERTS{{{_joined(told)}}}", "value": 1}


def _promtool_test(story: Story) -> dict[str, Any]:
    """What must fire at some minutes, and nothing else."""
    length = f"x{max(story.fires) + 1}"
    healthy = {} if story.alone else {name: values.replace("x3000", length) for name, values in HEALTHY.items()}
    series = {**healthy, **story.changes}
    firing = {story.of: story.labels, **story.also}
    return {
        "name": f"{story.of}: {story.what}",
        "interval": "1m",
        "input_series": [_series(name, values) for name, values in series.items() if values],
        "promql_expr_test": [
            {
                "expr": 'ALERTS{alertstate="firing"}',
                "eval_time": f"{minute}m",
                "exp_samples": [
                    _firing(story, alert, dict(labels))
                    for alert, labels in firing.items()
                    if fires or alert in story.also
                ],
            }
            for minute, fires in story.fires.items()
        ],
    }


@pytest.mark.parametrize(("minutes", "interval"), [(range(200), "1m"), (range(200, 3000), "10m")])
def test_each_alert_fires_alone_and_in_time(tmp_path: Path, minutes: range, interval: str) -> None:
    """Prometheus' own evaluation of the rules over each story fires what the story is about, and nothing else."""
    tests = [_promtool_test(story) for story in STORIES if max(story.fires) in minutes]
    assert tests
    promtool_passes(tmp_path, {"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": tests})


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_has_a_story_in_which_it_fires_and_one_in_which_it_does_not(alert: str) -> None:
    told = [set(story.fires.values()) for story in STORIES if story.of == alert]
    assert any(True in fires for fires in told)
    assert {False} in told


def test_prometheus_takes_the_rules() -> None:
    """Syntax, names and duplicates, as Prometheus' linter sees them."""
    words = (program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", RULES)
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_says_what_is_wrong_and_where_to_read_on(alert: str) -> None:
    """Whoever is woken gets a sentence with no gap in it, and a link that leads to a section of that name."""
    rule = ALERTS[alert]
    told = rule["annotations"]
    assert set(told) == {"summary", "description", "runbook_url"}
    assert rule["labels"] in ({"severity": "critical"}, {"severity": "warning"})
    assert told["runbook_url"] == f"deploy/RUNBOOK.md#{alert.lower()}"
    kept = {"job"} | {label for by in re.findall(r"by \(([^)]*)\)", _expanded(alert)) for label in by.split(", ")}
    assert set(re.findall(r"\$labels\.(\w+)", " ".join(told.values()))) <= kept


@pytest.mark.parametrize("alert", ALERTS)
def test_each_summary_tells_the_namespace_before_the_job(alert: str) -> None:
    """One name may stand for a deployment in several namespaces."""
    summary = ALERTS[alert]["annotations"]["summary"]
    absent = "No connector runs{{ with $labels.job }}: " + _NAMESPACE + "{{ . }}{{ end }}"
    assert summary == absent if alert == "ConnectorAbsent" else summary.startswith(_NAMESPACE + "{{ $labels.job }}")


@pytest.mark.parametrize(("namespace", "told"), [({"namespace": "shop"}, "shop/c"), ({}, "c")])
def test_a_summary_names_the_deployment_with_a_namespace_and_without(
    tmp_path: Path, namespace: dict[str, str], told: str
) -> None:
    """As Prometheus fills it in."""
    labels = {**namespace, "job": "c"}
    series = {"connector_schemas_missing": "3x30", "connector_build_info": "1x5 stale"}
    summaries = {
        "ConnectorSchemasMissing": f"{told} lacks schemas of the registry",
        "ConnectorAbsent": f"No connector runs: {told}",
    }
    test = {
        "interval": "1m",
        "input_series": [{"series": f"{name}{{{_joined(labels)}}}", "values": series[name]} for name in series],
        "alert_rule_test": [
            {"eval_time": "20m", "alertname": alert, "exp_alerts": [_alert(alert, labels, summary)]}
            for alert, summary in summaries.items()
        ],
    }
    promtool_passes(tmp_path, {"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]})


def _alert(alert: str, labels: dict[str, str], summary: str) -> dict[str, dict[str, str]]:
    told = {**ALERTS[alert]["annotations"], "summary": summary}
    filled = told["description"].replace("{{ $value }}", "3")
    told["description"] = filled.replace("{{ with $labels.job }} of {{ . }}{{ end }}", " of c")
    return {"exp_labels": {**labels, **ALERTS[alert]["labels"]}, "exp_annotations": told}


def _expanded(alert: str) -> str:
    """The alert's expression with those of the recordings that it takes."""
    fires = ALERTS[alert]["expr"]
    return " ".join([fires, *(expr for name, expr in RECORDINGS.items() if name in fires)])


def test_the_runbook_explains_each_alert_and_no_other() -> None:
    alerts = RUNBOOK.read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]
    sections = alerts.split("\n### ")
    explained = {title: body for title, _, body in (section.partition("\n") for section in sections[1:])}
    assert list(explained) == list(ALERTS)
    for alert, body in explained.items():
        parts = re.findall(r"^- \*\*(.+?)\*\*", body, flags=re.MULTILINE)
        assert parts == ["What it means:", "How to see it:", "What to do:", "What not to do:"], alert


def test_each_alert_has_a_threshold() -> None:
    """All but those that are about what is not there."""
    assert {alert for alert in ALERTS if not thresholds(alert)} == {"ConnectorAbsent", "ConnectorNotReading"}


def test_what_stops_the_way_to_replenit_wakes_somebody() -> None:
    """What waits for working hours goes on by itself, or has no other record wait."""
    waits = {
        alert.removeprefix("Connector") for alert, rule in ALERTS.items() if rule["labels"]["severity"] == "warning"
    }
    slow = {"FreshnessBudgetBurnSlow", "BacklogNotDraining", "RateLimitSaturated"}
    assert waits == slow | {"DeadLettersGrowing", "ColumnMissing"}
