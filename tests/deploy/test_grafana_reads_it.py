"""Grafana's own models of a dashboard read the dashboard, and know all that stands in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from deploy.dashboard import CONTENT, PANELS
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_MODELLED = {"definition", "step", "titleFormat"}
"""What Grafana writes itself for a variable's query and an annotation of Prometheus, and its models leave out."""


def _lost(given: object, read: object, path: str = "") -> Iterator[str]:
    """What stands in the dashboard and is gone, or another, once the models have read it."""
    match given, read:
        case dict(), dict():
            for name, value in given.items():
                yield from _lost(value, read.get(name, "nothing"), f"{path}/{name}")
        case list(), list() if len(given) == len(read):
            for index, (value, other) in enumerate(zip(given, read, strict=True)):
                yield from _lost(value, other, f"{path}/{index}")
        case _ if given != read:
            yield f"{path}: {given!r}"


def _read(content: dict[str, object]) -> list[str]:
    register_default_plugins()
    lost = _lost(content, json.loads(JSONEncoder().encode(Dashboard.from_json(content))))
    return [each for each in lost if each.partition(":")[0].rpartition("/")[2] not in NOT_MODELLED]


def test_nothing_in_it_is_unknown_to_grafana() -> None:
    """A misspelt option is one that Grafana passes over, and nobody would see it."""
    assert _read(CONTENT) == []


def test_a_misspelt_option_is_told() -> None:
    changed = json.loads(json.dumps(CONTENT))
    changed["panels"][1]["fieldConfig"]["defaults"]["thresholdz"] = 1
    assert _read(changed) == ["/panels/1/fieldConfig/defaults/thresholdz: 1"]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel["title"])
def test_each_unit_is_one_of_grafana(panel: dict[str, dict[str, dict[str, str]]]) -> None:
    known = {value for name, value in vars(units).items() if not name.startswith("_")}
    assert panel["fieldConfig"]["defaults"]["unit"] in known
