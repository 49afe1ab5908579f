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
_MOST_DIGITS = 1000
_PREFIX = "tag:yaml.org,2002:"
_NO_CHARACTER = "holds an escape that stands for no character; remove it"
_SURROGATE = re.compile("[\ud800-\udfff]")


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
    """Notes in `wrong` what is refused, as it reads."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (the library's own)

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.wrong: list[Misplaced] = []
        self._depth = 0

    def get_event(self) -> Any:  # noqa: ANN401 (the library's own)
        event = super().get_event()  # type: ignore[no-untyped-call]  # the library's stubs lack it
        self._depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        self.wrong += [Misplaced(_place(event.start_mark), problem) for problem in self._surprises(event)]
        if self._depth > _DEEPEST:
            raise yaml.YAMLError
        return event

    def _surprises(self, event: Any) -> Iterator[str]:  # noqa: ANN401 (likewise)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            yield "is an anchor or an alias; write out what it stands for"
        if (tag := getattr(event, "tag", None)) and tag != "!":
            yield "is a tag; leave it out, and put what is a text in quotes"
        if isinstance(event, yaml.ScalarEvent) and _SURROGATE.search(event.value):
            yield _NO_CHARACTER
        if self._depth > _DEEPEST:
            yield f"is nested more than {_DEEPEST} levels deep; expected less"


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
    wrong: list[Misplaced] = []
    try:
        loader = _Loader(text)
        wrong = loader.wrong
        node = loader.get_single_node()
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        return wrong or [_malformed(error, text)]
    if node is None:
        return [Misplaced(Place(1, 1), "is empty; expected `version: 1` and what each entity is fed from")]
    places: dict[Path, Place] = {}
    value = None if wrong else _value(node, (), places, wrong)
    return wrong or Content(value, places)


_DEPTH = "stands at another depth than the lines above; indent it as they are, with spaces"
_WORDS = (
    ("<block end>", _DEPTH),
    ("<document start>", _DEPTH),
    ("another document", "begins a second document; keep one"),
    (
        "mapping values are not allowed",
        "has a colon where none can be; indent it as the lines above, or put it in quotes",
    ),
    (
        "cannot start any token",
        "begins with a character that YAML does not allow there; indent with spaces, quote texts",
    ),
    ("'<stream end>'", "ends within brackets, braces or quotes; close them"),
    ("end of stream", "ends within brackets, braces or quotes; close them"),
    ("',' or", "lacks a comma, or a closing bracket or brace, before this; add it"),
    ("could not find expected ':'", "lacks a colon; add it, or indent it as the lines above"),
)


def _malformed(error: Exception, text: str) -> Misplaced:
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        return Misplaced(_place(mark) if mark else Place(1, 1), _in_words(error.problem or ""))
    if isinstance(error, yaml.reader.ReaderError):
        return Misplaced(_end_of(text[: error.position]), "holds a character that YAML does not allow; remove it")
    match = re.search(r"\\U(?!00(?:0|10))", text)  # beyond Unicode
    where = _end_of(text[: match.start()]) if match else Place(1, 1)
    return Misplaced(where, _NO_CHARACTER)


def _end_of(before: str) -> Place:
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _in_words(problem: str) -> str:
    """What PyYAML found, as people would say it."""
    return next((words for part, words in _WORDS if part in problem), "is no YAML from here on; correct its form")


def _place(mark: Any) -> Place:  # noqa: ANN401 (the library's own)
    return Place(mark.line + 1, mark.column + 1)


def _value(node: yaml.Node, path: Path, places: dict[Path, Place], wrong: list[Misplaced]) -> object:
    places.setdefault(path, _place(node.start_mark))
    if isinstance(node, yaml.SequenceNode):
        return [_value(child, (*path, index), places, wrong) for index, child in enumerate(node.value)]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node)
    values: dict[str, object] = {}
    for key, child in node.value:
        if not isinstance(key, yaml.ScalarNode):
            wrong.append(Misplaced(_place(key.start_mark), "is a list or an object as a key; expected a name"))
        elif key.value in values:
            first = places[(*path, key.value)].line
            wrong.append(
                Misplaced(
                    _place(key.start_mark), f"is a second `{key.value}`, beside that of line {first}; one of them"
                )
            )
        else:
            places[(*path, key.value)] = _place(key.start_mark)
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
    """More digits than Python reads or prints are left as they are: no field holds them."""
    if len(text) > _MOST_DIGITS:
        return text
    return int(text, 0 if text.startswith(("0o", "0x")) else 10)
