"""The format of a mapping file: from which tables and columns each entity's documents are made.

These models are the format; their descriptions are those of its JSON Schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model, model_validator

from connector.core import documents
from connector.core.events import Entity
from connector.core.matching import Scalar
from connector.core.sources import Column, Optional, Path, Source, source_model
from connector.core.values import Kind

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)


def _one_or_more(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


_Scalars = Annotated[
    tuple[Scalar, ...],
    Field(min_length=1),
    BeforeValidator(_one_or_more, json_schema_input_type=Scalar | Annotated[list[Scalar], Field(min_length=1)]),
]
_Name = Annotated[str, Field(min_length=1, max_length=249)]
_Names = Annotated[
    tuple[_Name, ...],
    Field(min_length=1),
    BeforeValidator(_one_or_more, json_schema_input_type=_Name | Annotated[list[_Name], Field(min_length=1)]),
]


class Condition(BaseModel):
    """Which values of a column let a row through: some of them, or none of them."""

    model_config = _STRICT

    among: _Scalars = ()
    none_of: _Scalars = Field(default=(), alias="not")

    @model_validator(mode="after")
    def _can_hold(self) -> Self:
        refused = self.none_of
        if not self.model_fields_set:
            raise ValueError("names no value; expected a value, a list of values, null, or {not: …}")
        if self.among and not set(self.among) - set(refused):
            raise ValueError("refuses every value that it asks for, and can't be true; leave one of both out")
        if {True, False, None} <= {each for each in refused if each is None or isinstance(each, bool)}:
            raise ValueError("refuses true, false and null, and can't be true; leave one of them out")
        return self


When = Annotated[
    dict[
        Column,
        Annotated[
            Condition,
            BeforeValidator(
                lambda value: value if isinstance(value, dict) else {"among": value},
                json_schema_input_type=Scalar | Annotated[list[Scalar], Field(min_length=1)] | Condition,
            ),
        ],
    ],
    Field(
        min_length=1,
        description="Which rows are sent: column → a value, a list of values, null, or {not: …}. All must hold.",
    ),
]


class Table(BaseModel):
    """A table that is read: its rows, and how they are named."""

    model_config = _STRICT

    table: Annotated[_Name, Field(description="Its name: the last part of its topic's.")] | None = None
    primary_key: (
        Annotated[_Names, Field(description="Its columns, where the message key is another (message.key.columns).")]
        | None
    ) = None
    when: When | None = None


class Child(Table):
    """A table whose rows belong to those of another: `foreign_key` names the other's primary key."""

    topic: Annotated[_Names, Field(description="Its topics, where they are no siblings of the parent's.")] | None = None
    foreign_key: Annotated[_Names, Field(description="The columns that hold the parent's primary key.")] | None = None


class Side(Child):
    """A table with at most one row for each of another's. Its columns are named `side.column`."""

    table: Annotated[_Name, Field(description="Its name: the last part of its topic's.")]
    foreign_key: Annotated[_Names, Field(description="The columns that hold the other's primary key.")]


_Sides = Annotated[
    dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], Side],
    Field(min_length=1, description="Tables with at most one row for each of these, by a name of your choice."),
]


class Listed(Child):
    """Where a list's elements are: in a JSON column, in the row itself, or in rows of their own table."""

    column: Annotated[Column, Field(description="A JSON column that holds a list of objects.")] | None = None
    path: Path | None = None
    row: Annotated[Literal[True], Field(description="The row itself is the list's only element.")] | None = None
    side_tables: _Sides | None = None
    optional: Optional = False
    fields: Any

    def place(self) -> Source:
        """The source of a column's list."""
        given: dict[str, Any] = {"column": self.column, "path": self.path, "optional": self.optional}
        return Source(**{name: value for name, value in given.items() if name in self.model_fields_set})

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        places = [name for name in ("column", "row", "table") if getattr(self, name) is not None]
        if len(places) != 1:
            given = f"has {' and '.join(places)}" if places else "names no place where its elements are"
            raise ValueError(f"{given}; expected one of column, row and table")
        if self.table is not None and self.foreign_key is None:
            raise ValueError("has table without foreign_key; add the columns that hold the parent's primary key")
        allowed = {"column": {"path", "optional"}, "row": set(), "table": _OF_A_TABLE}[places[0]]
        useless = sorted(self.model_fields_set - allowed - {places[0], "when", "fields"})
        if useless:
            raise ValueError(f"has {' and '.join(useless)} beside {places[0]}, where they do nothing; leave them out")
        return self


_OF_A_TABLE = {"topic", "foreign_key", "primary_key", "side_tables"}


class Root(Table):
    """The table that feeds the documents of an entity."""

    side_tables: _Sides | None = None
    keep: (
        Annotated[
            _Names,
            Field(
                description="Columns whose last value is kept on disk, for updates that do not repeat a large one. It "
                "keeps all that the mapping reads of the table."
            ),
        ]
        | None
    ) = None
    fields: Any


def _fields(model: type[BaseModel], fields: tuple[documents.DocumentField, ...]) -> type[BaseModel]:
    """A model with a source for each field of the API's."""
    sources: dict[str, Any] = {}
    for field in fields:
        info = model.model_fields[field.name]
        sources[field.name] = (_source(model.__name__, field, info) | None, Field(None, description=info.description))
    described = f"A source for each field of {model.__name__}: a column's name, or more about it."
    return create_model(f"{model.__name__}Fields", __config__=_STRICT, __doc__=described, **sources)


def _source(of: str, field: documents.DocumentField, info: FieldInfo) -> Any:  # noqa: ANN401 (a type that pydantic reads)
    if field.kind is not Kind.OBJECTS:
        return source_model(f"{of}{field.name}", info, field.kind)
    inner = _fields(documents.element(info), field.elements)
    return create_model(field.name, __base__=Listed, __doc__=Listed.__doc__, fields=(inner, ...))


def _entity(entity: Entity) -> Any:  # noqa: ANN401 (a type that pydantic reads)
    fields = _fields(documents.MODELS["lenient"][entity], documents.FIELDS[entity])
    return create_model(entity.value.title(), __base__=Root, __doc__=Root.__doc__, fields=(fields, ...))


class _File(BaseModel):
    """From which tables and columns replenit-connector makes the documents that it sends."""

    model_config = _STRICT

    version: Annotated[Literal[1], Field(description="Of the format.")]

    @model_validator(mode="after")
    def _maps_something(self) -> Self:
        if all(getattr(self, entity) is None for entity in Entity):
            raise ValueError("maps nothing; expected at least one of customers, orders and products")
        return self


def _file() -> type[BaseModel]:
    entities: dict[str, Any] = {entity.value: (_entity(entity) | None, None) for entity in Entity}
    return create_model("MappingFile", __base__=_File, __doc__=_File.__doc__, **entities)


MappingFile = _file()
"""version; customers, orders, products: a `Root` each, or None."""
