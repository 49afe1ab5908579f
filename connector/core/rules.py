"""The rules by which rows of one shape become fields: what the mapping says, made ready for what the message tells.

A rule is made once for each shape of row that comes, and then run for every row.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from connector.core.events import FieldError, Reason
from connector.core.mapping_file import Listed
from connector.core.matching import matches
from connector.core.notes import BadValue, Notes
from connector.core.steps import IN_JSON, steps_of, template_of
from connector.core.values import UNAVAILABLE_TEXTS, reader, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connector.core.documents import DocumentField
    from connector.core.events import ColumnType
    from connector.core.mapping_file import When
    from connector.core.sources import Source
    from connector.core.values import Convert

    Types: TypeAlias = Mapping[str, ColumnType]
    Lines: TypeAlias = Mapping[tuple[str, ...], int]

ABSENT = object()
"""Stands for a column that a row does not have, which is not NULL."""

_SCALARS = frozenset({bool, int, float})
_ENOUGH_ROWS = 100  # fewer say little of a column that only some rows have


class Said(NamedTuple):
    """Who said what a rule does, for errors: the table, where the mapping names it, and the lines of the mapping.

    `lines` is empty for the default mapping, which nobody has written.
    """

    table: str = ""
    lines: Lines = {}  # noqa: RUF012 (never changed)

    def column(self, name: str) -> str:
        """How an error names a column."""
        return f"column {self.name(name)}"

    def name(self, column: str) -> str:
        """The column's name with its table's."""
        return f"{self.table}.{column}" if self.table else column

    def line(self, *path: str) -> str:
        """Where the mapping says it, as the end of a sentence."""
        line = self.lines.get(path)
        return f" (line {line} of the mapping)" if line else ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What feeds a field. `columns`: more than one only for a template, whose text `compose` makes of their values.

    `plain`: values of exactly this type need no conversion. `default`: what NULL is sent as; else it is sent as null if
    `nulls`, and left out if not. `label` and `line` begin and end the sentence of an error.
    """

    field: str
    column: str
    plain: type | None
    convert: Convert
    default: Any
    nulls: bool
    optional: bool
    label: str
    line: str
    columns: tuple[str, ...]
    compose: Callable[[Sequence[Any]], str | None] | None = None

    def error(self, bad: BadValue) -> FieldError:
        return FieldError(self.field, f"{self.label} {bad.problem}{self.line}")

    def value(self, row: Mapping[str, Any], notes: Notes) -> Any:  # noqa: ANN401 (a field's value is any)
        """What the row says; ABSENT where it tells nothing, be it absent or unavailable. Raises BadValue."""
        value = self.raw(row)
        if value is ABSENT or unavailable(value):
            return ABSENT
        return None if value is None else self.convert(value, notes)

    def is_unavailable(self, row: Mapping[str, Any]) -> bool:
        """Whether a column of it did not change, and is not told."""
        return any(unavailable(row.get(column)) for column in self.columns)

    def raw(self, row: Mapping[str, Any]) -> Any:  # noqa: ANN401 (likewise)
        """The column's value, or the template's; of one with an unavailable column, that column's. Raises BadValue."""
        if self.compose is None:
            return row.get(self.column, ABSENT)
        values = [row.get(column, ABSENT) for column in self.columns]
        untold = [value for value in values if value is ABSENT or unavailable(value)]
        if untold:
            return untold[0]
        return self.compose(values)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one shape of row. `constants`: fields that are the same for every row."""

    rules: tuple[Rule, ...]
    templates: tuple[Rule, ...]
    constants: Mapping[str, Any]

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> Rules:
        """These rules alone."""
        single = tuple(rule for rule in rules if rule.compose is None)
        return cls(single, tuple(rule for rule in rules if rule.compose is not None), {})

    def rule(self, field: str) -> Rule | None:
        """The rule of a field; None where nothing, or a constant, feeds it."""
        return next((rule for rule in (*self.rules, *self.templates) if rule.field == field), None)

    def only(self, fields: Sequence[str]) -> Rules:
        """The rules of these fields alone."""
        return Rules(
            tuple(rule for rule in self.rules if rule.field in fields),
            tuple(rule for rule in self.templates if rule.field in fields),
            {field: value for field, value in self.constants.items() if field in fields},
        )

    def convert(  # noqa: C901 (the way of every value: a call more would cost)
        self, row: Mapping[str, Any], notes: Notes, missing: dict[str, int]
    ) -> tuple[dict[str, Any], list[Rule]]:
        """The fields that the row feeds, and the rules of those that it does not tell.

        An absent column is left alone, and counted in `missing`; what NULL becomes is the rule's to say.
        """
        document: dict[str, Any] = {**self.constants}
        untold: list[Rule] = []
        get = row.get
        for rule in self.rules:
            value = get(rule.column, ABSENT)
            kind = type(value)
            if kind is rule.plain and (kind is not str or value not in UNAVAILABLE_TEXTS):
                document[rule.field] = value
                continue
            if value is ABSENT:
                if not rule.optional:
                    missing[rule.column] = missing.get(rule.column, 0) + 1
                continue
            if value is not None:
                if kind not in _SCALARS and unavailable(value):
                    untold.append(rule)
                    continue
                try:
                    value = rule.convert(value, notes)
                except BadValue as bad:
                    notes.errors.append((bad.reason, rule.error(bad)))
                    continue
            if value is not None:
                document[rule.field] = value
            elif rule.default is not None or rule.nulls:
                document[rule.field] = rule.default
        if self.templates:
            self._compose(row, notes, missing, document, untold)
        return document, untold

    def filled(
        self, row: Mapping[str, Any], before: Mapping[str, Any] | None, notes: Notes, missing: dict[str, int]
    ) -> tuple[dict[str, Any], list[Rule]]:
        """As `convert`; what the row does not tell is taken from a trustworthy image of it as it was."""
        document, untold = self.convert(row, notes, missing)
        if untold and before is not None:
            told, untold = Rules.of(untold).convert(whole(row, before), notes, {})
            document |= told
        return document, untold

    def _compose(  # what `convert` does, for templates
        self,
        row: Mapping[str, Any],
        notes: Notes,
        missing: dict[str, int],
        document: dict[str, Any],
        untold: list[Rule],
    ) -> None:
        for rule in self.templates:
            for column in rule.columns:
                if column not in row and not rule.optional:
                    missing[column] = missing.get(column, 0) + 1
            try:
                value = rule.raw(row)
                if value is ABSENT:
                    continue
                if value is not None and unavailable(value):
                    untold.append(rule)
                    continue
                value = None if value is None else rule.convert(value, notes)
            except BadValue as bad:
                notes.errors.append((bad.reason, rule.error(bad)))
                continue
            if value is not None:
                document[rule.field] = value
            elif rule.default is not None or rule.nulls:
                document[rule.field] = rule.default


def whole(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The row with what it does not tell of itself taken from an image of it as it was. Absent columns stay absent."""
    if before is None:
        return row
    return {column: before.get(column, value) if unavailable(value) else value for column, value in row.items()}


def rules_of(  # noqa: PLR0913 (what a shape of row is)
    sources: object,
    fields: Sequence[DocumentField],
    types: Types | None,
    said: Said,
    path: tuple[str, ...],
    *,
    nulls: bool,
    in_json: bool = False,
) -> Rules:
    """The rules of fields. `sources`: the mapping's model, with a `Source`, a `Listed` or None for each of them.

    `types`: what the message says of the columns. `path`: of the sources in the mapping. `nulls`: NULL is sent as null.
    `in_json`: the row is an object within a JSON column.
    """
    rules: list[Rule] = []
    templates: list[Rule] = []
    constants: dict[str, Any] = {}
    for field in fields:
        source = getattr(sources, field.name)
        if isinstance(source, Listed):
            source = None if source.column is None else source.place()
        if source is None:
            continue
        constant = source.get("constant")
        if constant is not None:
            constants[field.name] = constant
            continue
        rule = _rule(field, source, types, said, path, nulls=nulls, in_json=in_json)
        (rules if rule.compose is None else templates).append(rule)
    return Rules(tuple(rules), tuple(templates), constants)


def _rule(  # noqa: PLR0913 (as `rules_of`)
    field: DocumentField,
    source: Source,
    types: Types | None,
    said: Said,
    path: tuple[str, ...],
    *,
    nulls: bool,
    in_json: bool,
) -> Rule:
    columns = source.columns
    described = [IN_JSON if in_json else (types or {}).get(column) for column in columns]
    template = source.get("template")
    plain, convert = steps_of(source, field.kind, described[0] if template is None else IN_JSON)
    default = source.get("default")
    return Rule(
        field=field.name,
        column=columns[0],
        plain=plain,
        convert=convert,
        default=field.default if default is None else default,
        nulls=nulls if source.nulls is None else source.nulls == "null",
        optional=source.optional,
        label=said.column(columns[0])
        if len(columns) == 1
        else f"template of {' and '.join(map(said.column, columns))}",
        line=said.line(*path, field.name),
        columns=columns,
        compose=None if template is None else template_of(source, described),
    )


@dataclass(slots=True)
class Seen:
    """How many rows were seen, and in how many of them a column was absent."""

    rows: int = 0
    missing: dict[str, int] = dataclasses.field(default_factory=dict)

    def unseen(self) -> dict[str, int]:
        """The columns that none of enough rows had → how many rows there were."""
        if self.rows < _ENOUGH_ROWS:
            return {}
        return {column: self.rows for column, rows in self.missing.items() if rows == self.rows}


# Filters


class Test(NamedTuple):
    """A column of a filter, and what it asks of it."""

    column: str
    read: Callable[[Any], Any] | None
    among: tuple[Any, ...]
    none_of: tuple[Any, ...]
    label: str
    line: str


_UNTOLD = BadValue(
    "is not told by the event, and the mapping's `when` asks for it; expected a value",
    Reason.UNAVAILABLE,
    remedy="name another column, or set the table's REPLICA IDENTITY to FULL",
)


class Filter:
    """Which rows are sent. `in_json`: rows are objects, and what one of them lacks is null."""

    def __init__(
        self, when: When | None, types: Types | None, said: Said, path: tuple[str, ...], *, in_json: bool = False
    ) -> None:
        described = types or {}
        self._in_json = in_json
        self._tests = tuple(
            Test(
                column,
                reader(described[column]) if column in described else None,
                condition.among,
                condition.none_of,
                said.column(column),
                said.line(*path, column),
            )
            for column, condition in (when or {}).items()
        )

    def __bool__(self) -> bool:
        return bool(self._tests)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(test.column for test in self._tests)

    def passes(self, row: Mapping[str, Any]) -> bool:
        """Whether the row is sent. Raises Unjudged."""
        return all(self._holds(test, row) for test in self._tests)

    def _holds(self, test: Test, row: Mapping[str, Any]) -> bool:
        value = row.get(test.column, None if self._in_json else ABSENT)
        if value is ABSENT or unavailable(value):
            raise Unjudged(test, _UNTOLD)
        try:
            if value is not None and test.read is not None:
                value = test.read(value)
            return (not test.among or matches(value, test.among)) and not matches(value, test.none_of)
        except BadValue as bad:
            raise Unjudged(test, bad) from None


class Unjudged(Exception):  # noqa: N818 (it names what the row is)
    """A filter can't tell whether the row passes."""

    def __init__(self, test: Test, bad: BadValue) -> None:
        self.error = FieldError("", f"{test.label} {bad.problem}{test.line}")
        super().__init__(self.error.problem)
        self.reason = bad.reason
