"""The rules as a test reads them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yaml"


def _all() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


RECORDINGS: dict[str, str] = {rule["record"]: rule["expr"] for rule in _all() if "record" in rule}
ALERTS: dict[str, dict[str, Any]] = {rule["alert"]: rule for rule in _all() if "alert" in rule}


def thresholds(alert: str) -> set[float]:
    """From which values on it fires. What silences it, and what it compares with itself, is none."""
    fires = ALERTS[alert]["expr"].partition(" unless ")[0]
    return {float(number) for number in re.findall(r">= ([\d.]+)", fires)}
