"""Rules and dashboard name metrics, labels and values of labels that the code has."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deploy.dashboard import QUERIES, Query
from deploy.promql import Matcher, named
from deploy.rules import ALERTS, RECORDINGS
from prometheus_client.parser import text_string_to_metric_families

from connector.core.entries import Lane
from connector.core.events import Entity, Reason
from connector.core.halts import SuspendReason
from connector.core.outcomes import HaltReason
from connector.core.requests import Endpoint, Purpose
from connector.metrics import Metrics

if TYPE_CHECKING:
    from enum import StrEnum

SOURCES = [path.read_text() for path in sorted((Path(__file__).parents[2] / "connector").rglob("*.py"))]
EXPRESSIONS = {
    **{f"the recording {name}": expression for name, expression in RECORDINGS.items()},
    **{f"the alert {name}": rule["expr"] for name, rule in ALERTS.items()},
    **{f"{query.title}: {query.legend}": query.expression for query in QUERIES},
}
TARGET = {"job", "instance", "namespace"}
"""Labels that a scrape adds."""

CLOSED: dict[str, tuple[type[StrEnum], ...]] = {
    "entity": (Entity,),
    "lane": (Lane,),
    "endpoint": (Endpoint,),
    "purpose": (Purpose,),
    "reason": (Reason, HaltReason, SuspendReason),
}


@cache
def _known() -> dict[str, set[str]]:
    """Each name by which a metric can be asked for, with its labels."""
    metrics = Metrics()
    known: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            known.setdefault(sample.name, set()).update(sample.labels)
    for metric in metrics._declared:  # noqa: SLF001 (those that have no series yet)
        [described] = metric.describe()
        total = "_total" if described.type == "counter" else ""
        parts = ("_bucket", "_sum", "_count") if described.type == "histogram" else (total,)
        for part in parts:
            labels = {*metric._labelnames, *(("le",) if part == "_bucket" else ())}  # noqa: SLF001
            known.setdefault(described.name + part, set()).update(labels)
    return known


@cache
def _bounds(metric: str) -> set[str]:
    [family] = [each for each in Metrics()._declared if f"{each._name}_bucket" == metric]  # noqa: SLF001
    bounds: list[float] = getattr(family, "_upper_bounds")  # noqa: B009 (its type has none)
    return {str(bound) for bound in bounds}


def unknown(expression: str) -> list[str]:
    """What the expression names and the code does not have."""
    asked = named(expression)
    metrics = asked.metrics - RECORDINGS.keys()
    labels = {label for name in metrics for label in _known().get(name, ())} | TARGET
    for recording in asked.metrics & RECORDINGS.keys():
        labels |= named(RECORDINGS[recording]).groupings
    return [
        *sorted(metrics - _known().keys()),
        *sorted(asked.groupings - labels),
        *(f"{each.metric}{{{each.label}}}" for each in asked.matchers if not _has_label(each)),
        *(f'{each.label}="{each.value}"' for each in asked.matchers if _has_label(each) and not _has_value(each)),
    ]


def _has_label(asked: Matcher) -> bool:
    return asked.label in _known().get(asked.metric, set()) | TARGET


def _has_value(asked: Matcher) -> bool:
    if asked.label in TARGET or asked.label == "code":  # HTTP's
        return True
    if asked.label == "le":
        return asked.value in _bounds(asked.metric)
    if asked.label in CLOSED:
        return asked.value in {value for values in CLOSED[asked.label] for value in values}
    return any(f'"{asked.value}"' in source for source in SOURCES)


@pytest.mark.parametrize("expression", EXPRESSIONS.values(), ids=list(EXPRESSIONS))
def test_each_name_is_there(expression: str) -> None:
    assert unknown(expression) == []


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("sum(rate(connector_event_total[5m])) >= 1", ["connector_event_total"]),
        ("connector_events_total or connector_halt offset 5m", ["connector_halt"]),
        ("sum by (topik) (connector_events_total)", ["topik"]),
        ("job:connector_stopped:max unless on (entity) connector_schemas_missing", ["entity"]),
        ('connector_halted{lane="orders"}', ["connector_halted{lane}"]),
        ('connector_halted{reason="unauthorised"}', ['reason="unauthorised"']),
        ('connector_api_requests_total{purpose!="probes"}', ['purpose="probes"']),
        ('label_replace(connector_suspended, "entity", "$1", "line", "(.+)")', []),
        ('connector_rate_limit_tokens{window="day"}', ['window="day"']),
        ('connector_source_to_ack_seconds_bucket{le="301.0"}', ['le="301.0"']),
        ('connector_source_to_ack_seconds_bucket{job=~"$job", le="300.0"}', []),
    ],
)
def test_a_name_that_is_not_there_is_told(expression: str, told: list[str]) -> None:
    """A metric, a label or a value that was renamed fails with its name."""
    assert unknown(expression) == told


def test_everything_that_is_asked_is_understood() -> None:
    """Expressions that name no metric would be checked for nothing."""
    assert all(named(expression).metrics for expression in EXPRESSIONS.values())


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.title}: {query.legend}")
def test_what_names_a_series_is_a_label_of_it(query: Query) -> None:
    asked = named(query.expression)
    kept = asked.groupings or {label for metric in asked.metrics for label in _known()[metric] | TARGET}
    assert set(re.findall(r"{{(\w+)}}", query.legend)) <= kept
