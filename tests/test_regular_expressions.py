"""Every regular expression takes time in proportion to the text, whatever that holds.

Pydantic's patterns are left out: its engine knows no backtracking.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from scaling import grows_faster

import connector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(connector.__file__).parent
EVERYWHERE = {"search", "sub", "subn", "findall", "finditer", "split"}
SIZES = (12, 24, 2_000, 20_000)
HEADS = ("", "[", "+", "2025-01-01T00:00:00.", "product ", "A_")
UNITS = [
    *"a0A .-@[]=+/_:\\",
    "a.",
    "a-",
    "[0]",
    "0.",
    "[ ",
    " ]",
    "tenant ",
    "product ",
    "not ",
    "\\U00",
    "A_",
    "0,",
    "a:1",
]
TAILS = ("", "!", "\n")


class Found(NamedTuple):
    """A pattern, and how it is tried: by `fullmatch` and `match` at the text's beginning, by `search` everywhere."""

    pattern: re.Pattern[str]
    tries: Callable[[str], object]


def _is_re(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "re"


def _in(path: Path) -> Iterator[tuple[str, Found]]:
    """Patterns that are written where they are used, and those that have a name in the module."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    methods = [(node, node.func) for node in calls if isinstance(node.func, ast.Attribute)]
    for node, method in methods:
        written = node.args[0] if node.args else None
        if _is_re(method.value) and isinstance(written, ast.Constant) and isinstance(written.value, str):
            yield f"{path.stem}:{node.lineno}", _found(re.compile(written.value), everywhere=method.attr in EVERYWHERE)
    searched = {
        method.value.id for _, method in methods if isinstance(method.value, ast.Name) and method.attr in EVERYWHERE
    }
    module = ".".join(("connector", *path.relative_to(ROOT).with_suffix("").parts))
    for name, value in vars(importlib.import_module(module)).items():
        if isinstance(value, re.Pattern):
            yield f"{path.stem}.{name}", _found(value, everywhere=name in searched)


def _found(pattern: re.Pattern[str], *, everywhere: bool) -> Found:
    return Found(pattern, pattern.search if everywhere else pattern.fullmatch)


def _patterns() -> dict[str, Found]:
    found: dict[str, Found] = {}
    for path in sorted(ROOT.rglob("*.py")):
        if path.stem != "__main__":
            found.update(_in(path))
    resolvers = importlib.import_module("connector.core.yaml_text")._Loader.yaml_implicit_resolvers  # noqa: SLF001
    return found | {tag: Found(pattern, pattern.match) for each in resolvers.values() for tag, pattern in each}


PATTERNS = _patterns()


@pytest.mark.parametrize("where", PATTERNS)
def test_time_grows_as_the_text_does(where: str) -> None:
    """Whatever repeats in a text: ten times as much of it takes no hundred times as long."""
    for head, unit, tail in itertools.product(HEADS, UNITS, TAILS):
        texts = [head + unit * (size // len(unit)) + tail for size in SIZES]
        assert not grows_faster(PATTERNS[where].tries, texts), (head, unit, tail)


def test_the_patterns_are_found() -> None:
    """Those of the mapping's texts, of numbers, of answers, of settings."""
    assert len(PATTERNS) > 20
    assert {"decimals._NUMBER", "outcomes._TENANT_MISSING", "tag:yaml.org,2002:float"} <= PATTERNS.keys()
    assert PATTERNS["outcomes._TENANT_MISSING"].tries.__name__ == "search"


@pytest.mark.parametrize("pattern", ["(a+)+b", "(a|a)*b", "a*a*b"])
def test_a_pattern_that_backtracks_is_told(pattern: str) -> None:
    """By the same measure, which would tell nothing else."""
    texts = ["a" * size for size in (10, 20, *SIZES[2:])]
    compiled = re.compile(pattern)
    assert grows_faster(compiled.fullmatch, texts[:2] if "(" in pattern else texts)
