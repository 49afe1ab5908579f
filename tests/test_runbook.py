"""The runbook names what there is, and misses none: tests that hold its rows, metrics, events, reasons, settings."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connector.core.halts import SuspendReason
from connector.core.outcomes import HaltReason
from connector.logs import EVENTS
from connector.metrics import Metrics
from connector.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics import MetricWrapperBase

ROOT = Path(__file__).parents[1]
RUNBOOK = (ROOT / "deploy" / "RUNBOOK.md").read_text()
SOURCES = [path.read_text() for path in sorted((ROOT / "connector").rglob("*.py"))]


class Row(NamedTuple):
    """A row of a table: its first cell, and what stands in backquotes in each of its cells, by the column's name."""

    what: str
    named: dict[str, list[str]]


def rows() -> Iterator[Row]:
    columns: list[str] = []
    for line in RUNBOOK.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
        if not cells or set(line) <= set("|- "):
            columns = columns if cells else []
        elif not columns:
            columns = cells
        elif any(cells[1:]):
            assert len(cells) == len(columns), line
            quoted = [re.findall("`([^`]+)`", cell) for cell in cells]
            yield Row(cells[0], dict(zip(columns, quoted, strict=True)))


ROWS = list(rows())


@cache
def _functions(path: Path) -> set[str]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_each_row_is_held_by_a_test(row: Row) -> None:
    """Tests that are renamed or removed leave no row behind that nothing holds."""
    assert row.named["Test"]
    for test in row.named["Test"]:
        path, _, name = test.partition("::")
        assert name in _functions(ROOT / path), test


@cache
def _metrics() -> tuple[dict[str, MetricWrapperBase], set[str]]:
    """Those that are declared, by name, and the names of all samples."""
    metrics = Metrics()
    declared = {described.name: each for each in metrics._declared for described in each.describe()}  # noqa: SLF001
    families = text_string_to_metric_families(metrics.exposition().decode())
    return declared, {sample.name for family in families for sample in family.samples}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_each_metric_is_there_with_its_labels(row: Row) -> None:
    """A metric, a label or a reason that is renamed is renamed here, too."""
    declared, exposed = _metrics()
    for named in row.named["Metric"]:
        name, _, labels = named.rstrip("}").partition("{")
        if name.startswith("process_"):
            assert name in exposed
            continue
        metric = declared[name.removesuffix("_total")]
        assert (metric._type == "counter") == name.endswith("_total"), named  # noqa: SLF001
        for label, value in re.findall(r'(\w+)="(\w+)"', labels):
            assert label in metric._labelnames, named  # noqa: SLF001
            assert any(f'"{value}"' in source for source in SOURCES), named


@pytest.mark.parametrize("row", [row for row in ROWS if "Logged" in row.named], ids=lambda row: row.what)
def test_each_event_is_one_of_the_log(row: Row) -> None:
    """What stands in the column of events is an event, a reason of a halt or a suspension, or a code of SQLite."""
    known = {*EVENTS, *HaltReason, *SuspendReason, "assume", "SQLITE_FULL"}
    assert [event for event in row.named["Logged"] if event not in known] == []


def test_each_setting_is_there() -> None:
    """Whatever is written as a variable is one, or its file, or a property of librdkafka."""
    named = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=\w+)?`", RUNBOOK)) - {"SQLITE_FULL"}
    properties = {name for name in named if name.startswith("KAFKA_")} - {"KAFKA_GROUP_ID"}
    assert {name.lower().removesuffix("_file") for name in named - properties} - Settings.model_fields.keys() == set()
    assert len(named) > 10


def test_no_reason_to_stop_is_missed() -> None:
    """Whoever is woken by a halt or a suspension finds it here."""
    logged = {name for row in ROWS for name in row.named.get("Logged", ())}
    assert {*HaltReason, *SuspendReason} - logged == set()


def test_no_warning_is_missed() -> None:
    """Each event that the code logs as a warning or an error has a row."""
    logged = {
        call.args[0].value
        for source in SOURCES
        for call in ast.walk(ast.parse(source))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"warning", "error"}
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and call.args[0].value in EVENTS
    }
    assert len(logged) > 15
    assert logged - {name for row in ROWS for name in row.named.get("Logged", ())} == set()
