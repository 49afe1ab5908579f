"""The alerts: each fires when it should, alone, and not before; each is explained; promtool runs the rules."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from deploy.alert_stories import HEALTHY, STORIES
from deploy.programs import program
from deploy.rules import ALERTS, RECORDINGS, RULES, thresholds

if TYPE_CHECKING:
    from deploy.alert_stories import Story

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
    cases = tmp_path / "stories.yaml"
    tests = [_promtool_test(story) for story in STORIES if max(story.fires) in minutes]
    assert tests
    content = {"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": tests}
    cases.write_text(yaml.safe_dump(content, sort_keys=False))
    done = subprocess.run([program("promtool"), "test", "rules", cases], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


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
