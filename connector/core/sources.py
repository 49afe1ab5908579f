"""What may feed a field in a mapping file: a column, a template or a constant, and the steps that its value takes.

These models are the format: their descriptions are those of the JSON Schema, and their fields stand in the order in
which the steps are taken.
"""

from __future__ import annotations

import functools
from string import Formatter
from types import GenericAlias
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, cast
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    create_model,
    model_validator,
)

from connector.core.matching import Scalar
from connector.core.values import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic.fields import FieldInfo


def _steps(text: object) -> object:
    """The names and indexes on the way, from a text or a list."""
    if isinstance(text, str):
        if "[" in text or text.startswith("$"):
            raise ValueError("is no path; expected names and indexes joined by dots, such as lines.0.price")
        return tuple(text.split("."))
    return tuple(text) if isinstance(text, list) else text


def _zone(name: str) -> str:
    if name not in _zones():
        raise ValueError("is no time zone; expected one of the IANA names, such as Europe/Berlin")
    return name


@functools.cache
def _zones() -> set[str]:
    return available_timezones()


def columns_of(template: str) -> tuple[str, ...]:
    """The columns that a template names. Raises ValueError."""
    return tuple(name for _, name in template_parts(template) if name is not None)


def template_parts(template: str) -> list[tuple[str, str | None]]:
    """Pairs of a text and the column after it, None at the end. Raises ValueError."""
    try:
        parts = list(Formatter().parse(template))
    except ValueError:
        raise ValueError("has a brace without its other one; expected {column}, or {{ for a brace") from None
    for _, name, form, conversion in parts:
        if name == "" or form or conversion:
            raise ValueError("holds braces that name no column; expected {column}, or {{ for a brace")
    return [(text, name) for text, name, _, _ in parts]


def template_of_columns(template: str, prefix: str) -> str:
    """The template with its columns' names without the prefix."""
    escaped = [(text.replace("{", "{{").replace("}", "}}"), name) for text, name in template_parts(template)]
    return "".join(text if name is None else f"{text}{{{name.removeprefix(prefix)}}}" for text, name in escaped)


def _template(template: str) -> str:
    if not columns_of(template):
        raise ValueError("names no column; expected {column} in it, or `constant` instead of `template`")
    return template


Column = Annotated[str, Field(min_length=1, max_length=200, description="The column's name, as events have it.")]
_Step = Annotated[str, Field(min_length=1, max_length=200)]
Path = Annotated[
    tuple[_Step, ...],
    Field(min_length=1),
    BeforeValidator(
        _steps,
        json_schema_input_type=Annotated[str, Field(min_length=1)] | Annotated[list[_Step], Field(min_length=1)],
    ),
    Field(description="Where the value is within a JSON column: names or indexes, joined by dots."),
]
_Values = Annotated[
    tuple[Scalar, ...], BeforeValidator(lambda value: tuple(value) if isinstance(value, list) else value)
]
_Null = Annotated[_Values, Field(min_length=1, description='Values that stand for NULL, such as "" or 0.')]
_Trim = Annotated[bool, Field(description="Without the white space at both ends.")]
_Case = Annotated[Literal["lower", "upper"], Field(description="In lower or upper case.")]


Optional = Annotated[bool, Field(description="The column may be missing, and that is not worth a warning.")]


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


class Source(BaseModel):
    """What feeds a field: exactly one of `column`, `template` and `constant`."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    column: Column | None = None
    path: Path | None = None
    null_values: _Null | None = None
    nulls: Annotated[Literal["omit", "null"], Field(description="How NULL is sent, instead of NULLS.")] | None = None
    optional: Optional = False
    invalid: (
        Annotated[
            Literal["omit"],
            Field(
                description="A value that the API would refuse is left out, and counted, instead of its whole record."
            ),
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        """Steps that would do nothing are mistakes too."""
        given = [name for name in ("column", "template", "constant") if self.get(name) is not None]
        if len(given) != 1:
            possible = [name for name in ("column", "constant", "template") if name in type(self).model_fields]
            raise ValueError(f"has {_joined(given) or 'no source'}; expected one of {_joined(possible)}")
        said = self.model_fields_set - set(given)
        if given == ["constant"] and said:
            raise ValueError(f"has {_joined(sorted(said))} beside a constant, where it does nothing; leave it out")
        for step, needed in (("path", "column"), ("null_as", "template"), ("otherwise", "values")):
            if step in said and self.get(needed) is None:
                raise ValueError(f"has {step} without {needed}; leave it out, or add {needed}")
        for step in ("unit", "zone", "split"):
            if step in said and self.get("values") is not None:
                raise ValueError(f"has {step} beside values, where it does nothing; leave it out")
        if self.path is not None and isinstance(self.get("scale"), int):
            raise ValueError("has a scale beside path, but a number within JSON has none; leave scale out")
        if {"default", "nulls"} <= said:
            raise ValueError("has default and nulls, which both say what becomes of NULL; expected one of them")
        return self

    def get(self, name: str) -> Any:  # noqa: ANN401 (a step's own type)
        """A step of this source; None where it is not given, or its kind has no such step."""
        return getattr(self, name, None)

    @classmethod
    def rule(cls) -> TypeAdapter[Any]:
        """What the API asks of the field's value."""
        annotation: Any = cls.model_fields["default"].annotation
        return TypeAdapter(annotation)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it is made of, in their order."""
        template = self.get("template")
        if template is not None:
            return columns_of(template)
        return () if self.column is None else (self.column,)


class _Text(Source):
    template: (
        Annotated[
            str,
            AfterValidator(_template),
            Field(min_length=1, description="A text with columns in braces: {first_name} {last_name}."),
        ]
        | None
    ) = None
    null_as: (
        Annotated[str, Field(description="What a NULL is in the template. Without it, one NULL makes all NULL.")] | None
    ) = None
    unescape: Annotated[Literal["html"], Field(description="&amp; becomes &, and so on.")] | None = None
    trim: _Trim = False
    case: _Case | None = None


_Scale = Annotated[
    Annotated[int, Field(ge=-1000, le=1000)] | Literal["text"],
    Field(
        description="How decimals come where no schema tells: in base64 with so many digits after the point, or as "
        "text."
    ),
]


class _Number(Source):
    scale: _Scale | None = None
    unit: Annotated[Literal["cents"], Field(description="The column counts hundredths.")] | None = None


class _Integer(Source):
    scale: _Scale | None = None


class _Moment(Source):
    unit: (
        Annotated[
            Literal["seconds", "milliseconds", "microseconds", "nanoseconds", "days"],
            Field(description="What an integer counts since 1970, where no schema tells."),
        ]
        | None
    ) = None
    zone: (
        Annotated[
            str,
            AfterValidator(_zone),
            Field(description="Where the column's clock hangs, by IANA's name; without it in UTC."),
        ]
        | None
    ) = None


class _Texts(Source):
    trim: _Trim = False
    split: (
        Annotated[
            str,
            Field(min_length=1, description="What stands between the parts of a text; white space around them goes."),
        ]
        | None
    ) = None


class _Flag(Source):
    trim: _Trim = False
    case: _Case | None = None


_MODELS: dict[Kind, type[Source]] = {
    Kind.IDENTIFIER: _Text,
    Kind.TEXT: _Text,
    Kind.BOOLEAN: _Flag,
    Kind.INTEGER: _Integer,
    Kind.NUMBER: _Number,
    Kind.MOMENT: _Moment,
    Kind.TEXTS: _Texts,
}
_BUILT: dict[object, type[Source]] = {}


def source_model(name: str, field: FieldInfo, kind: Kind) -> Any:  # noqa: ANN401 (a type that pydantic reads)
    """The model of what feeds a field of the API: constants and defaults obey the field's own rules."""
    holds = value_type(field)
    if holds not in _BUILT:
        said = {
            "constant": "The same value for every row.",
            "default": "What is sent for NULL.",
            "otherwise": "What is sent for a value that `values` does not list; without it such a row is refused.",
        }
        extra: dict[str, Any] = {
            name: (Annotated[holds, Field(description=text)] | None, None) for name, text in said.items()
        }
        listed = Field(min_length=1, description="The column's value, as it is written → what is sent for it.")
        extra["values"] = (Annotated[GenericAlias(dict, (str, holds | None)), listed] | None, None)
        _BUILT[holds] = create_model(f"{name}Source", __base__=_MODELS[kind], __doc__=Source.__doc__, **extra)
    model = _BUILT[holds]
    return Annotated[model, BeforeValidator(shorthand, json_schema_input_type=Column | model)]


def value_type(field: FieldInfo) -> Any:  # noqa: ANN401 (likewise)
    """What the field holds, without null."""
    annotation = field.annotation
    if type(None) in getattr(annotation, "__args__", ()):
        return cast("Any", annotation).__args__[0]
    return Annotated[annotation, *field.metadata] if field.metadata else annotation


def shorthand(value: object) -> object:
    """A column's name alone is short for `column: name`."""
    return {"column": value} if isinstance(value, str) else value


def zone_of(source: Source) -> ZoneInfo | None:
    """The time zone that a source names."""
    name = source.get("zone")
    return None if name is None else ZoneInfo(name)
