"""What a PromQL expression names: metrics, the labels asked of each, and the labels it groups by."""

from __future__ import annotations

import re
from typing import NamedTuple

_SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)\s*\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_STRING = re.compile(r'"[^"]*"')
_RANGE = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
_NAME = re.compile(r"[a-zA-Z_:][\w:]*(?!\s*\()\b(?!\s*\()")
_OPERATORS = {"and", "or", "unless", "bool"}
_AGGREGATIONS = {"avg", "count", "group", "max", "min", "sum"}


class Matcher(NamedTuple):
    """A label that is asked of a metric, by which operator, and with which value."""

    metric: str
    label: str
    operator: str
    value: str


class Named(NamedTuple):
    """What an expression names. What is no operator, aggregation or function and stands alone is a metric."""

    metrics: set[str]
    matchers: list[Matcher]
    groupings: set[str]


def named(expression: str) -> Named:
    selectors: list[tuple[str, str]] = _SELECTOR.findall(expression)
    matchers = [Matcher(metric, *matcher) for metric, inside in selectors for matcher in _MATCHER.findall(inside)]
    groupings = {label.strip() for _, labels in _GROUPING.findall(expression) for label in labels.split(",")}
    bare = _GROUPING.sub(" ", _RANGE.sub(" ", _STRING.sub(" ", _SELECTOR.sub(r"\1 ", expression))))
    metrics = set(_NAME.findall(bare)) - _OPERATORS - _AGGREGATIONS
    return Named(metrics, matchers, groupings - {""})
