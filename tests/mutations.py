"""Mistakes that somebody may make in a mapping file, made one at a time."""

from __future__ import annotations

import copy
import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from connector.core.events import Entity
from connector.core.yaml_text import Content, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEY = re.compile(r"""(?:^[ -]*|[{,] ?)"?([A-Za-z_0-9]+)"?:(?= |$)""", re.MULTILINE)
_OTHERS: tuple[object, ...] = ("x", "", 7, None, ["x"], {"x": 1})


def sections(text: str) -> list[str]:
    """A file for each entity that the file maps: what is wrong with one has nothing to do with the others."""
    marks = [match.start() for entity in Entity if (match := re.search(rf"^{entity}:", text, re.MULTILINE))]
    return [f"version: 1\n{text[start:end]}" for start, end in pairwise([*sorted(marks), len(text)])]


def lines_dropped(text: str) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    for index in range(len(lines)):
        yield "".join(lines[:index] + lines[index + 1 :])


def lines_shifted(text: str) -> Iterator[str]:
    lines = text.splitlines(keepends=True)
    for index, line in enumerate(lines):
        for shifted in (f" {line}", f"  {line}", f"\t{line}", line.removeprefix(" "), line.removeprefix("  ")):
            if shifted != line:
                yield "".join([*lines[:index], shifted, *lines[index + 1 :]])


def keys_renamed(text: str) -> Iterator[str]:
    for match in _KEY.finditer(text):
        for name in (f"{match[1]}s", match[1][1:] or "zz"):
            yield f"{text[: match.start(1)]}{name}{text[match.end(1) :]}"


def values_retyped(text: str) -> Iterator[str]:
    """With each value, the outer ones too, replaced by others of any type; written as JSON, which is YAML too."""
    content = parse(text)
    assert isinstance(content, Content), content
    for path in content.places:
        for other in _OTHERS:
            whole = copy.deepcopy(content.value)
            if _replace(whole, path, other):
                yield json.dumps(whole if path else other)


def _replace(holder: Any, path: tuple[str | int, ...], other: object) -> bool:  # noqa: ANN401 (YAML is any)
    """Whether that changes anything."""
    if not path:
        return True
    for part in path[:-1]:
        holder = holder[part]
    same = json.dumps(holder[path[-1]]) == json.dumps(other)
    holder[path[-1]] = other
    return not same
