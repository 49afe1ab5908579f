"""The rules sixty times as fast: a copy in which every duration is a sixtieth, so that a test need not wait for hours.

Ranges, offsets, `for`, and the thresholds that are seconds; nothing else. Real processes run at their real pace.
"""

from __future__ import annotations

import re

import yaml
from deploy.rules import RULES

SPEED = 60
SCRAPE_INTERVAL = "250ms"
"""Of 15 s."""

_UNITS = {"m": 60, "h": 3600, "d": 86400}
_IN_SECONDS = re.compile(r"(_age:seconds|_drain_seconds\)) >= (\d+)")


def _milliseconds(duration: str) -> str:
    return f"{int(duration[:-1]) * _UNITS[duration[-1]] * 1000 // SPEED}ms"


def _hurried(expression: str) -> str:
    expression = re.sub(r"\[(\w+)\]", lambda found: f"[{_milliseconds(found[1])}]", expression)
    expression = re.sub(r"\boffset (\w+)", lambda found: f"offset {_milliseconds(found[1])}", expression)
    expression = _IN_SECONDS.sub(lambda found: f"{found[1]} >= {int(found[2]) / SPEED:g}", expression)
    return expression.replace('le="300.0"', 'le="5.0"')


def hurried_rules() -> str:
    """The copy."""
    content = yaml.safe_load(RULES.read_text())
    for rule in (rule for group in content["groups"] for rule in group["rules"]):
        rule["expr"] = _hurried(rule["expr"])
        if "for" in rule:
            rule["for"] = _milliseconds(rule["for"])
    return yaml.safe_dump(content)
