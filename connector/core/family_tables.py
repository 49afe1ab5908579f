"""The tables that a mapping names for one entity.

The root table's row makes the document; a child table's rows its items or variants; a side table has at most one row
for each row of the root or of the child.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.core import documents
from connector.core.events import Entity
from connector.core.mapping_file import Listed
from connector.core.rules import Said
from connector.core.sources import Source, template_of_columns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from collections.abc import Mapping as Table

    from connector.core.documents import DocumentField
    from connector.core.mapping_file import Child, Root, Side, When
    from connector.core.mapping_text import Spec

_ORDER = tuple(Entity)
_MOST_TABLES = 1000


class Role(Enum):
    """What a table is to the documents of its entity."""

    ROOT = auto()
    CHILD = auto()
    ROOT_SIDE = auto()
    CHILD_SIDE = auto()


@dataclass(frozen=True, slots=True)
class Member:
    """A table of a family. `number` names it in the store, among those of all entities.

    `sources`: for each of `fields` what feeds it from this table, or None. `part_sources`: likewise for each of
    `part_fields`, those of all of the list's elements.
    """

    number: int
    role: Role
    name: str
    topics: tuple[str, ...]
    primary_key: tuple[str, ...] | None
    foreign_key: tuple[str, ...]
    when: When | None
    sources: object
    fields: tuple[DocumentField, ...]
    said: Said
    sources_path: tuple[str, ...]
    when_path: tuple[str, ...]
    part_sources: object = None
    part_fields: tuple[DocumentField, ...] = ()
    part_path: tuple[str, ...] = ()


def is_family(root: Root) -> bool:
    """Whether the entity's documents are made of rows that must be kept."""
    listed = listed_of(root)
    return bool(root.side_tables or root.keep or (listed is not None and listed.table is not None))


def listed_of(root: Root) -> Listed | None:
    """What the mapping says of the entity's list of items or variants."""
    return next(
        (found for name in type(root.fields).model_fields if isinstance(found := getattr(root.fields, name), Listed)),
        None,
    )


def members(entity: Entity, spec: Spec, root_topics: Sequence[str]) -> list[Member]:
    """The tables of an entity, the root first. `root_topics`: where the root's rows are; siblings lie beside them."""
    root, fields = spec.table, documents.FIELDS[entity]
    listed = listed_of(root)
    list_field = next((each for each in fields if each.elements), None)
    sides = root.side_tables or {}
    parts = _Level(None, (), {}, (), frozenset())
    level = _Level(root.fields, fields, sides, ("fields",), frozenset(sides))
    places = [_Place(Role.ROOT, "", root, level, ()), *_sides(Role.ROOT_SIDE, level, ())]
    if listed is not None and list_field is not None:
        at, inner = ("fields", list_field.name), listed.side_tables or {}
        others = frozenset({*sides, *inner, PARENT})
        parts = _Level(listed.fields, list_field.elements, inner, (*at, "fields"), others)
        if listed.table is not None:
            places += [_Place(Role.CHILD, listed.table, listed, parts, at), *_sides(Role.CHILD_SIDE, parts, at)]
    first = _MOST_TABLES * _ORDER.index(entity)
    return [_member(number, place, parts, spec, root_topics) for number, place in enumerate(places, first)]


class _Place(NamedTuple):
    """A table as the mapping has it: its name among its siblings, its model, what it feeds, and where it stands."""

    role: Role
    name: str
    table: Any
    level: _Level
    at: tuple[str, ...]


def _sides(role: Role, level: _Level, at: tuple[str, ...]) -> Iterator[_Place]:
    for name, side in level.sides.items():
        yield _Place(role, name, side, level, (*at, "side_tables", name))


def _member(number: int, place: _Place, parts: _Level, spec: Spec, root_topics: Sequence[str]) -> Member:
    """`parts`: of the fields of the list's elements, which the root and its side tables may feed too."""
    role, name, table, level, at = place
    side, of_root = role in (Role.ROOT_SIDE, Role.CHILD_SIDE), role in (Role.ROOT, Role.ROOT_SIDE)
    return Member(
        number=number,
        role=role,
        name=name,
        topics=tuple(root_topics) if role is Role.ROOT else topics_of(table, spec.table, root_topics),
        primary_key=table.primary_key,
        foreign_key=() if role is Role.ROOT else table.foreign_key,
        when=table.when,
        sources=_of_side(name, level.sources, level.fields) if side else _own(level),
        fields=level.fields,
        said=Said(table.table or "", spec.lines),
        sources_path=level.at,
        when_path=(*at, "when"),
        part_sources=_of_side(name or PARENT, parts.sources, parts.fields) if of_root and parts.fields else None,
        part_fields=parts.fields if of_root else (),
        part_path=parts.at if of_root else (),
    )


PARENT = "parent"
"""In a list's fields, the prefix of the root table's own columns."""


class _Level(NamedTuple):
    """The root's fields, or those of its list: what feeds them, which side tables do, and all tables but their own."""

    sources: object
    fields: tuple[DocumentField, ...]
    sides: Table[str, Side]
    at: tuple[str, ...]
    others: frozenset[str]


def topics_of(child: Child, root: Root, root_topics: Sequence[str]) -> tuple[str, ...]:
    """The topics of a child or side table: those that the mapping names, else the siblings of the root's."""
    if child.topic is not None:
        return child.topic
    siblings = []
    for topic in root_topics:
        parent = root.table or topic.rpartition(".")[2]
        siblings.append(f"{topic.removesuffix(parent)}{child.table}")
    return tuple(dict.fromkeys(siblings))


def _own(level: _Level) -> object:
    """The sources of the table's own columns."""
    own: dict[str, Any] = {}
    for field in level.fields:
        source = getattr(level.sources, field.name)
        if isinstance(source, Listed) and source.row:
            elements = _Level(source.fields, field.elements, {}, (), level.others)
            source = source.model_copy(update={"fields": _own(elements)})
        own[field.name] = None if source is None or _side_of(source, level.others) else source
    return SimpleNamespace(**own)


def _of_side(name: str, sources: object, fields: Sequence[DocumentField]) -> object:
    """The sources of a side table's columns, by their names in that table."""
    own: dict[str, Source | None] = {}
    for field in fields:
        source = getattr(sources, field.name)
        own[field.name] = _without(source, name) if source is not None and _side_of(source, (name,)) else None
    return SimpleNamespace(**own)


def _side_of(source: object, sides: Collection[str]) -> str:
    """The side table of a source's columns; "" if they are the table's own."""
    if not isinstance(source, Source) or not source.columns:
        return ""
    prefix, dot, _ = source.columns[0].partition(".")
    return prefix if dot and prefix in sides else ""


def _without(source: Source, name: str) -> Source:
    """The source with the columns' own names."""
    if source.column is not None:
        return source.model_copy(update={"column": source.column.removeprefix(f"{name}.")})
    return source.model_copy(update={"template": template_of_columns(source.get("template"), f"{name}.")})
