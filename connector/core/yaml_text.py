"""YAML with the place of everything in it, and without what surprises: `NO` is a text, a key stands once.

Scalars are as in YAML 1.2's core schema. Anchors, aliases and tags are refused: a mapping needs none, and an alias can
make a small file unfold into a huge one. A key is the text that was written.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str | int, ...]

_LONGEST = 256 * 1024
_DEEPEST = 50
_PREFIX = "tag:yaml.org,2002:"


class Place(NamedTuple):
    """Line and column, counted from 1."""

    line: int
    column: int


class Misplaced(NamedTuple):
    """Something wrong with the text, and where."""

    place: Place
    problem: str


class Content(NamedTuple):
    """What a text holds. `places`: the path of each value → where it stands, or its key, where it has one."""

    value: Any
    places: dict[Path, Place]

    def place(self, path: Path) -> Place:
        """Of the value, or of the innermost that holds it."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (the library's own)


for _tag, _pattern, _firsts in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_PREFIX + _tag, re.compile(f"(?:{_pattern})$"), _firsts)


def parse(text: str) -> Content | list[Misplaced]:
    """The content of a text, or everything that is wrong with its form."""
    if len(text) > _LONGEST:
        return [Misplaced(Place(1, 1), f"has {len(text)} characters; expected at most {_LONGEST}")]
    try:
        wrong = list(_surprises(text))
        if wrong:
            return wrong
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        said = " ".join(filter(None, (error.context, error.problem)))
        return [Misplaced(where, f"is no YAML ({said}); expected it to be, with spaces for indentation")]
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        where = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        return [Misplaced(where, "holds a character that YAML does not allow; remove it")]
    if node is None:
        return [Misplaced(Place(1, 1), "is empty; expected `version: 1` and what each entity is fed from")]
    places: dict[Path, Place] = {}
    value = _value(node, (), places, wrong)
    return wrong or Content(value, places)


def _surprises(text: str) -> Iterator[Misplaced]:
    """What is refused before anything is built of it. Raises yaml.YAMLError."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        where = (
            Place(0, 0) if event.start_mark is None else Place(event.start_mark.line + 1, event.start_mark.column + 1)
        )
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield Misplaced(where, "is an anchor or an alias; write out what it stands for")
        if (tag := getattr(event, "tag", None)) and tag != "!":
            yield Misplaced(where, "is a tag; leave it out, and put what is a text in quotes")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            yield Misplaced(where, f"is nested more than {_DEEPEST} levels deep")
            return


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _value(node: yaml.Node, path: Path, places: dict[Path, Place], wrong: list[Misplaced]) -> object:
    places.setdefault(path, _place(node))
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*path, index), places, wrong) for index, child in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    values: dict[str, object] = {}
    for key, child in node.value:
        if not isinstance(key, yaml.ScalarNode):
            wrong.append(Misplaced(_place(key), "is a list or an object as a key; expected a name"))
        elif key.value in values:
            first = places[(*path, key.value)].line
            wrong.append(Misplaced(_place(key), f"is a second `{key.value}`, beside that of line {first}; one of them"))
        else:
            places[(*path, key.value)] = _place(key)
            values[key.value] = _value(child, (*path, key.value), places, wrong)
    return values


def _scalar(node: yaml.Node) -> object:
    text: str = node.value
    match node.tag.removeprefix(_PREFIX):
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return _integer(text)
        case "float":
            return float(text)
    return text


def _integer(text: str) -> object:
    """More digits than Python reads are left as they are: no field holds them."""
    try:
        return int(text, 0 if text.startswith(("0o", "0x")) else 10)
    except ValueError:
        return text
