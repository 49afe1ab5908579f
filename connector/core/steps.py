"""From what a mapping says of a source to what turns a column's value into a field's.

The order of the steps is fixed: what the message itself says of the column, else `scale`; `path`, `unescape`, `trim`,
`case`, `null_values`; then `values`, or the field's own kind with `unit`, `zone` or `split`; `invalid`. What becomes of
NULL is not said here.
"""

from __future__ import annotations

import html
from functools import partial
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import from_json

from connector.core import decimals, moments
from connector.core.events import ColumnType, Reason
from connector.core.matching import matches, written
from connector.core.notes import BadValue, Notes, found
from connector.core.sources import template_parts, zone_of
from connector.core.values import Converter, Kind, converter, of_kind, reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from connector.core.sources import Source
    from connector.core.values import Convert

    Step = Callable[[Any], Any]
    """Takes a value that is not NULL; gives None for NULL. Raises BadValue."""

IN_JSON = ColumnType("string", None, {})
"""What is known of a text within JSON, or in a template: that it is one, and no decimal in base64."""

_NO_STEPS = frozenset({"column", "template", "null_as", "default", "nulls", "optional"})
_REMEDY = "correct it in the source table or in the mapping"


def steps_of(source: Source, kind: Kind, described: ColumnType | None) -> Converter:
    """How a column's value, or a template's, becomes a field. `described`: what the message says of the column."""
    if source.model_fields_set <= _NO_STEPS:
        return converter(kind, described)
    before = list(_before(source, described))
    finish = _finish(source, kind, described)
    if source.invalid is not None:
        finish = _valid_or_nothing(finish, type(source))

    def convert(value: Any, notes: Notes) -> Any:  # noqa: ANN401 (a column's value is any)
        for step in before:
            value = step(value)
            if value is None:
                return None
        return finish(value, notes)

    return Converter(None, convert)


def template_of(source: Source, described: Sequence[ColumnType | None]) -> Callable[[Sequence[Any]], str | None]:
    """What makes a text of the values of the template's columns. None: NULL. Raises BadValue."""
    parts = template_parts(source.get("template"))
    texts = [converter(Kind.TEXT, column).convert for column in described]
    null_as: str | None = source.get("null_as")

    def compose(values: Sequence[Any]) -> str | None:
        if null_as is None and None in values:
            return None
        pairs = zip(values, texts, strict=True)
        told = iter([null_as if value is None else text(value, Notes()) for value, text in pairs])
        return "".join(literal if name is None else f"{literal}{next(told)}" for literal, name in parts)

    return compose


def _before(source: Source, described: ColumnType | None) -> Iterator[Step]:
    """The steps up to `null_values`."""
    scale = source.get("scale")
    if described is not None and (read := reader(described)) is not None:
        yield read
    elif described is None and isinstance(scale, int):
        yield decimals.scaled(scale)
    if source.path is not None:
        yield partial(_at, source.path)
    if source.get("unescape"):
        yield _on_texts(html.unescape)
    if source.get("trim"):
        yield _on_texts(str.strip)
    if case := source.get("case"):
        yield _on_texts(str.lower if case == "lower" else str.upper)
    if nulls := source.null_values:
        yield lambda value: None if _is_one_of(value, nulls) else value


def _is_one_of(value: object, scalars: Sequence[Any]) -> bool:
    try:
        return matches(value, scalars)
    except BadValue:
        return False


def _on_texts(step: Callable[[str], str]) -> Step:
    return lambda value: step(value) if isinstance(value, str) else value


def _at(path: Sequence[str], value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    if isinstance(value, str):
        try:
            value = from_json(value, allow_inf_nan=False)
        except ValueError:
            raise BadValue("is a text that is no JSON; expected JSON", remedy=_REMEDY) from None
    for name in path:
        if value is None:
            return None
        if isinstance(value, dict):
            value = value.get(name)
        elif isinstance(value, list) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            raise found(value, f"an object with `{name}` there, as the mapping's path says")
    return value


def _finish(source: Source, kind: Kind, described: ColumnType | None) -> Convert:
    """The last step, which gives what the field holds."""
    table = source.get("values")
    if table is not None:
        return partial(_looked_up, table, "otherwise" in source.model_fields_set, source.get("otherwise"))
    convert = of_kind(kind)
    if kind in (Kind.NUMBER, Kind.INTEGER):
        if source.get("unit") == "cents":
            convert = _cents
        known = described is not None or source.path is not None or source.get("scale") is not None
        return convert if known else decimals.unless_base64(convert)
    if kind is Kind.MOMENT:
        return _moment(source, described)
    if separator := source.get("split"):
        return lambda value, notes: _split(separator, value) if isinstance(value, str) else convert(value, notes)
    return convert


def _valid_or_nothing(convert: Convert, source: type[Source]) -> Convert:
    """Leaves out what can't be converted, and what breaks the field's own rules; a setting's fault is none of these."""
    rule = source.rule()

    def checked(value: object, notes: Notes) -> Any:  # noqa: ANN401 (a field's value is any)
        try:
            converted = convert(value, notes)
            rule.validate_python(converted, strict=True)
        except (BadValue, ValidationError) as wrong:
            if isinstance(wrong, BadValue) and wrong.reason is Reason.SCALE_UNKNOWN:
                raise
            notes.omitted += 1
            return None
        return converted

    return checked


def _looked_up(table: dict[str, Any], others: bool, otherwise: Any, value: object, _: Notes) -> Any:  # noqa: ANN401, FBT001 (bound once)
    text = written(value)
    if text in table:
        return table[text]
    if not others:
        raise BadValue(
            "holds a value that the mapping's `values` does not list",
            remedy="list it there, or say `otherwise`",
        )
    return otherwise


def _cents(value: object, notes: Notes) -> int | float:
    return decimals.number(decimals.decimal(value).scaleb(-2), notes)


def _split(separator: str, text: str) -> list[str]:
    return [part.strip() for part in text.split(separator) if part.strip()]


def _moment(source: Source, described: ColumnType | None) -> Convert:
    unit, zone = source.get("unit"), zone_of(source)
    if described is not None and described.name in moments.ZONED:
        zone = None

    def convert(value: object, notes: Notes) -> str:
        if unit is not None and isinstance(value, int) and not isinstance(value, bool):
            value = moments.counted(value, unit)
        if zone is not None:
            value = moments.local(value, zone)
        return moments.moment(value, notes)

    return convert
