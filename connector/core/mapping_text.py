"""A mapping file, from its text to its models, or to everything that is wrong with it.

Each mistake is told with its line and column, what was found, what was expected and, for a name, the nearest valid one.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from connector.core import documents, mapping_families, yaml_text
from connector.core.events import Entity
from connector.core.family_tables import is_family
from connector.core.mapping_file import MappingFile, Root
from connector.core.sources import template_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic_core import ErrorDetails

    from connector.core.documents import Contract
    from connector.core.sources import Source
    from connector.core.yaml_text import Content, Misplaced, Path

_MOST_ERRORS = 100
_TYPES = {bool: "true or false", int: "an integer", float: "a number", str: "a text", list: "a list"}
_EXPECTED = {
    "bool": "true or false",
    "int": "an integer",
    "float": "a number",
    "string": "a text; in quotes, where it looks like something else",
    "dict": "names with values, indented below it",
    "model": "names with values, indented below it",
    "list": "a list",
    "tuple": "a list",
}


_FREE_NAMES = frozenset({"when", "side_tables"})
_NULL_BELOW = frozenset({"when", "values", "null_values"})


class Spec(NamedTuple):
    """What a file says of one entity. `lines`: the path of a source within the entity → its line in the file."""

    table: Root
    lines: dict[tuple[str, ...], int]


def read(text: str, contract: Contract = "lenient") -> dict[Entity, Spec] | list[str]:
    """The entities that the file maps, or its mistakes, each as `line 3, column 5: path problem`."""
    content = yaml_text.parse(text)
    if isinstance(content, list):
        return _told(content)
    found = [
        yaml_text.Misplaced(content.place(path), f"{_name(path)} {problem}")
        for path, problem in _lacking(content.value, contract)
    ]
    empty = [yaml_text.Misplaced(content.place(path), f"{_name(path)} {problem}") for path, problem in _empty(content)]
    try:
        file = MappingFile.model_validate(content.value)
    except ValidationError as error:
        invalid = list(_invalid(error.errors(include_input=False, include_url=False), content))
        places = {each.place for each in invalid}
        return _told([*found, *invalid, *(each for each in empty if each.place not in places)])
    found += empty
    tables = {entity: getattr(file, entity) for entity in Entity if getattr(file, entity) is not None}
    found += [
        yaml_text.Misplaced(content.place(path), f"{_name(path)} {problem}")
        for entity, table in tables.items()
        for path, problem in _nonsense(entity, table)
    ]
    if found:
        return _told(found)
    lines = {path: place.line for path, place in content.places.items()}
    return {entity: Spec(table, _within(entity, lines)) for entity, table in tables.items()}


def _within(entity: Entity, lines: Mapping[Path, int]) -> dict[tuple[str, ...], int]:
    return {tuple(map(str, path[1:])): line for path, line in lines.items() if path and path[0] == entity.value}


def _told(found: Iterable[Misplaced]) -> list[str]:
    ordered = sorted(set(found))
    told = [f"line {place.line}, column {place.column}: {problem}" for place, problem in ordered[:_MOST_ERRORS]]
    more = len(ordered) - len(told)
    return [*told, f"{more} more mistakes"] if more else told


def _name(path: Iterable[object]) -> str:
    return ".".join(map(str, path)) or "the file"


# What the models find


def _invalid(details: Iterable[ErrorDetails], content: Content) -> Iterator[Misplaced]:
    """Of a value that may be of several types, only the first finding."""
    seen = set()
    for detail in details:
        path = detail["loc"]
        while path not in content.places:
            path = path[:-1]
        missing = detail["type"] == "missing"
        name = detail["loc"] if missing else path
        if (name, missing) not in seen:
            seen.add((name, missing))
            yield yaml_text.Misplaced(content.places[path], f"{_name(name)} {_problem(detail, content.value)}")


def _problem(detail: ErrorDetails, whole: object) -> str:
    kind, path, context = detail["type"], detail["loc"], detail.get("ctx", {})
    value = _at(whole, path)
    match kind:
        case "value_error":
            problem = str(context["error"])
        case "extra_forbidden":
            problem = _unknown(str(path[-1]), _names_at(path[:-1]))
        case "missing":
            problem = "is missing; it is required"
        case "literal_error":
            problem = f"is none of the choices; expected {context['expected'].replace('True', 'true')}"
        case "too_short":
            problem = "is empty; expected at least one"
        case "string_too_short":
            problem = "is empty; expected a text"
        case "string_pattern_mismatch" | "string_too_long" | "finite_number":
            problem = documents.broken_rule(detail, value, _field(path))
        case "greater_than_equal":
            problem = f"is out of range; expected at least {context['ge']}"
        case "less_than_equal":
            problem = f"is out of range; expected at most {context['le']}"
        case _:
            problem = f"is {_found(value)}; expected {_expected(kind, path)}"
    return problem


def _expected(kind: str, path: Path) -> str:
    if "scale" in path:
        return "an integer, or `text`"
    if kind == "model_type" and path[-2:] == ("fields", _field(path)) and "row" not in _names_at(path):
        return "a column's name, or names with values, indented below it"
    return _EXPECTED.get(kind.partition("_")[0], "another value")


def _field(path: Path) -> str:
    """The field of the API that a path leads to: their names begin in upper case."""
    return next((part for part in reversed(path) if isinstance(part, str) and part[:1].isupper()), "")


def _found(value: object) -> str:
    return "empty" if value is None else _TYPES.get(type(value), "an object")


def _unknown(name: str, valid: list[str]) -> str:
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.5) or [
        each for each in valid if each.lower() == name.lower().replace("_", "")
    ]
    hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(valid)}" if valid else "leave it out"
    return f"is unknown here; {hint}"


def _names_at(path: Path) -> list[str]:
    """The names that may stand at a path of the file."""
    model: Any = MappingFile
    named = False  # the next part is a name of the user's choice
    for part in path:
        if not named:
            field = model.model_fields.get(part)
            model = field and next(_models(field.annotation), None)
            named = part in _FREE_NAMES
        else:
            named = False
        if model is None:
            return []
    return [field.alias or name for name, field in model.model_fields.items()]


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _at(value: Any, path: Path) -> object:  # noqa: ANN401 (YAML is any)
    try:
        for part in path:
            value = value[part]
    except (KeyError, IndexError, TypeError):
        pass
    return value


# What only the whole shows


def _empty(content: Content) -> Iterator[tuple[Path, str]]:
    """Names with nothing behind them, where that does not stand for NULL."""
    for path in content.places:
        means_null = path[-1:] == ("otherwise",) or not _NULL_BELOW.isdisjoint(path[:-1])
        if path and not means_null and _at(content.value, path) is None:
            yield path, "is empty; give it a value, or leave it out"


def _lacking(content: object, contract: Contract) -> Iterator[tuple[Path, str]]:
    """Of what the file holds, be it right or not: fields that the API requires, and that nothing feeds."""
    for entity in Entity:
        fields = _at(content, (entity.value, "fields"))
        if not isinstance(content, dict) or entity.value not in content or not isinstance(fields, dict):
            continue
        first = documents.FIELDS[entity][0].name
        yield from _unfed((entity.value, "fields"), fields, documents.required(entity, contract) | {first})
        if entity is not Entity.PRODUCTS and not fields.keys() & {"CustomerId", "Email"}:
            yield (
                (entity.value, "fields"),
                "has no source for CustomerId or Email, of which the API requires one; add it",
            )
        for field in documents.FIELDS[entity]:
            inner = _at(fields, (field.name, "fields"))
            if field.elements and field.name in fields and isinstance(inner, dict):
                path = (entity.value, "fields", field.name, "fields")
                yield from _unfed(path, inner, documents.required(entity, contract, field.name))


def _unfed(path: Path, fed: Mapping[str, object], needed: Iterable[str]) -> Iterator[tuple[Path, str]]:
    for name in sorted(set(needed) - {name for name, source in fed.items() if source is not None}):
        yield path, f"has no source for {name}, which the API requires; add one"


def _nonsense(entity: Entity, table: Root) -> Iterator[tuple[Path, str]]:
    """What each part allows, and the whole does not."""
    name = documents.FIELDS[entity][0].name
    identifier: Source | None = getattr(table.fields, name)
    if identifier is None:
        return
    for problem in _bad_identifier(identifier, table):
        yield (entity.value, "fields", name), problem
    yield from mapping_families.mistakes(entity, table)
    keys = table.primary_key or identifier.columns
    for column, condition in (table.when or {}).items():
        if column in keys and set(condition.among) == {None}:
            yield (entity.value, "when", column), "asks for NULL, which no column of the primary key is: never true"


def _bad_identifier(source: Source, table: Root) -> Iterator[str]:
    if not source.columns:
        yield "is the same for every row, and would make all of them one document; expected a column of the primary key"
    if {"default", "nulls", "null_values", "path", "values", "invalid"} & source.model_fields_set:
        yield "identifies the row by a step that may make two rows one; expected a column of the primary key alone"
    if _joins_blindly(source):
        yield "joins columns without a text between them, which may make two rows one; expected one, such as {a}-{b}"
    outside = [column for column in source.columns if table.primary_key and column not in table.primary_key]
    if outside and not is_family(table):  # of those, what a deleted row held is kept
        yield (
            f"is made of {', '.join(outside)}, which primary_key does not name, and a delete may tell nothing else; "
            "expected a column of the primary key"
        )


def _joins_blindly(source: Source) -> bool:
    """Whether the text of a template does not tell where one column ends: 1 and 12 would be 11 and 2."""
    parts = template_parts(source.get("template") or "")
    return any(not text and name is not None for text, name in parts[1:])
