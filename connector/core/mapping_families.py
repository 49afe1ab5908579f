"""What a mapping file says of several tables: what is wrong with it that its parts alone do not show."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from connector.core import documents
from connector.core.family_tables import PARENT, listed_of
from connector.core.items import KEYS
from connector.core.sources import Source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from connector.core.events import Entity
    from connector.core.mapping_file import Listed, Root
    from connector.core.yaml_text import Path


def mistakes(entity: Entity, root: Root) -> Iterator[tuple[Path, str]]:
    """Each with the path of what is wrong."""
    identifier = documents.FIELDS[entity][0].name
    at: Path = (entity.value,)
    sides = root.side_tables or {}
    used: set[str] = set()
    yield from _level((*at, "fields"), root.fields, sides, {identifier}, used)
    yield from _keys((*at, "side_tables"), sides, root.primary_key, entity.value)
    yield from _kept(at, root)
    listed = listed_of(root)
    if listed is not None and listed.column is None:
        yield from _list(entity, root, listed, used)
    yield from _unused((*at, "side_tables"), sides, used)


def _list(entity: Entity, root: Root, listed: Listed, used: set[str]) -> Iterator[tuple[Path, str]]:
    """Of a list whose elements are rows: its columns may be of the root's tables too."""
    at: Path = (entity.value,)
    name = next(field.name for field in documents.FIELDS[entity] if field.elements)
    inner = listed.side_tables or {}
    declared = {**(root.side_tables or {}), **inner, **({} if listed.table is None else {PARENT: None})}
    yield from _level((*at, "fields", name, "fields"), listed.fields, declared, KEYS[entity], used)
    yield from _unused((*at, "fields", name, "side_tables"), inner, used)
    if listed.table is not None:
        child = {name: listed}
        yield from _keys((*at, "fields"), child, root.primary_key, entity.value)
        yield from _keys(
            (*at, "fields", name, "side_tables"), inner, listed.primary_key, f"{entity.value}.fields.{name}"
        )


def _level(
    at: Path, sources: object, sides: Mapping[str, object], naming: Collection[str], used: set[str]
) -> Iterator[tuple[Path, str]]:
    """Of the fields of the root, or of its list: whether their tables are declared; notes those that are `used`."""
    for field in type(sources).model_fields:  # type: ignore[attr-defined] # it is a model of pydantic
        source = getattr(sources, field)
        if not isinstance(source, Source) or not source.columns:
            continue
        prefixes = {column.partition(".")[0] if "." in column else "" for column in source.columns}
        used |= prefixes
        if len(prefixes) > 1:
            yield (*at, field), "has a template with columns of several tables; expected those of one"
        elif (side := prefixes.pop()) and side not in sides:
            yield (*at, field), _undeclared(side, sides)
        elif side and field in naming:
            yield (
                (*at, field),
                f"names the row and comes from the side table {side}; expected a column of its own table",
            )


def _unused(at: Path, sides: Iterable[str], used: set[str]) -> Iterator[tuple[Path, str]]:
    for side in sides:
        if side == PARENT:
            yield (*at, side), f"is called {PARENT}, which stands for the root table; choose another name"
        elif side not in used:
            yield (*at, side), "is a side table that no field names; leave it out"


def _undeclared(side: str, sides: Iterable[str]) -> str:
    near = difflib.get_close_matches(side, list(sides), n=1)
    hint = f"did you mean {near[0]}?" if near else "add it there, or name a column without a dot"
    return f"is from {side}, which side_tables does not declare; {hint}"


def _keys(
    at: Path, tables: Mapping[str, object], parent_key: tuple[str, ...] | None, parent: str
) -> Iterator[tuple[Path, str]]:
    """Whether a foreign key can name the parent's rows."""
    for name, table in tables.items():
        columns: tuple[str, ...] = table.foreign_key or ()  # type: ignore[attr-defined] # a `Child` of the format
        if parent_key is not None and len(columns) != len(parent_key):
            yield (
                (*at, name, "foreign_key"),
                f"has {len(columns)} columns, and primary_key of {parent} {len(parent_key)}; expected as many",
            )
        elif parent_key is None and len(columns) > 1:
            yield (
                (*at, name, "foreign_key"),
                f"has several columns, whose order only primary_key of {parent} tells; add that",
            )


def _kept(at: Path, root: Root) -> Iterator[tuple[Path, str]]:
    read = {column for name in type(root.fields).model_fields for column in _columns(getattr(root.fields, name))}
    for column in root.keep or ():
        if column not in read:
            yield (*at, "keep"), f"names {column}, which feeds no field; leave it out"


def _columns(source: object) -> tuple[str, ...]:
    if isinstance(source, Source):
        return source.columns
    column = getattr(source, "column", None)
    return () if column is None else (column,)
