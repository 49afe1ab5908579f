"""What is kept of the rows of a family's tables, and how an event becomes that.

What a row gives is converted at once, by the rules of its own table: what is kept are fields of the API.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import from_json, to_json

from connector.core.events import Entity, FieldError, Op, Reason, Reject, Row
from connector.core.family_tables import Role
from connector.core.mapping import Mapping
from connector.core.notes import BadValue, Notes
from connector.core.rules import Filter, Rule, Rules, Seen, Unjudged, rules_of, whole
from connector.core.sources import Source
from connector.core.values import Kind, converter, unavailable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from collections.abc import Mapping as Table

    from connector.core.events import ChangeEvent, ColumnType
    from connector.core.family_tables import Member
    from connector.core.mapping import Options
    from connector.core.mapping_text import Spec

KEPT_FORMAT = "1"
"""Of what is kept of a row. Another one, and a store is made anew."""

_MOST_PLANS = 64
_IDENTIFIER = Kind.IDENTIFIER
_MADE_UP = ("", "0")


def readers_of(entity: Entity, spec: Spec, tables: Sequence[Member], options: Options) -> list[Reader]:
    """What reads the rows of an entity's tables, as `members` gives them."""
    own = spec._replace(table=spec.table.model_copy(update={"fields": tables[0].sources}))
    nulls = options.nulls == "null"
    root = Reader(tables[0], nulls=nulls, mapping=Mapping(entity, own, options))
    return [root, *(Reader(table, nulls=nulls) for table in tables[1:])]


class Body(NamedTuple):
    """What is kept of a row: fields of the API, and those of them whose value was never told.

    `bad`: not all of the row could be converted, so its family is not sent. `moved`: it is what a row of another key
    held, kept until that row's own event under the new key comes. `parts`: fields of every element of the list.
    """

    fields: dict[str, Any]
    untold: tuple[str, ...] = ()
    bad: bool = False
    moved: bool = False
    parts: Table[str, Any] = {}

    def encode(self) -> bytes:
        rest = [list(self.untold), self.bad, self.moved, self.parts]
        return to_json([self.fields, *rest] if any(rest) else [self.fields])

    @classmethod
    def decode(cls, body: bytes) -> Body:
        fields, *rest = from_json(body)
        if not rest:
            return cls(fields)
        untold, bad, moved, parts = rest
        return cls(fields, tuple(untold), bad, moved, parts)


class Read(NamedTuple):
    """What an event says of a row. `parent`: whose it is, None where it is nobody's. `body`: None if it is gone.

    `rounded`, `merged_items` and `omitted`: for counting. `reject`: it could not be converted.
    """

    key: str
    parent: str | None
    body: Body | None
    rounded: int = 0
    merged_items: int = 0
    omitted: int = 0
    reject: Reject | None = None


class _Plan(NamedTuple):
    rules: Rules
    part_rules: Rules
    filter: Filter


class Reader:
    """Reads the rows of one table. `mapping`: of the root table's own columns, which has a list beside its fields."""

    def __init__(self, member: Member, *, nulls: bool, mapping: Mapping | None = None) -> None:
        self.member = member
        self._nulls = nulls
        self._plans: dict[int, tuple[object, _Plan]] = {}
        self._untyped = self._plan(None)
        self._mapping = mapping
        self._seen, self._seen_for_parts = Seen(), Seen()

    def read(self, event: ChangeEvent, key: str, kept: Body) -> Read:
        """What the event says of the row. `kept`: what was kept of it, for fields that it does not tell.

        Raises BadValue where its parent can't be told.
        """
        after = event.after
        if after is None:
            return Read(key, None, None)
        parent = "" if self.member.role is Role.ROOT else self.parent(after)
        before = event.before if event.trusts_before else None
        filtered = self._plan_of(after).filter
        try:
            if filtered and not filtered.passes(whole(after.values, None if before is None else before.values)):
                return Read(key, None, None)
        except Unjudged as unjudged:
            return Read(key, parent, Body({}, bad=True), reject=Reject(unjudged.reason, (unjudged.error,)))
        notes = Notes()
        if self._mapping is None:
            fields, untold = self._filled(self._plan_of(after).rules, self._seen, before, after, notes)
        else:
            fields, untold = self._mapping.convert_kept(before, after, notes)
        part_rules = self._plan_of(after).part_rules
        parts, untold_parts = self._filled(part_rules, self._seen_for_parts, before, after, notes)
        fields |= {rule.field: kept.fields[rule.field] for rule in untold if rule.field in kept.fields}
        parts |= {rule.field: kept.parts[rule.field] for rule in untold_parts if rule.field in kept.parts}
        if notes.errors:
            return Read(key, parent, Body(fields, bad=True, parts=parts), reject=notes.reject())
        lacking = tuple(rule.field for rule in untold if rule.field not in kept.fields)
        return Read(key, parent, Body(fields, lacking, parts=parts), notes.rounded, notes.merged_items, notes.omitted)

    @staticmethod
    def _filled(
        rules: Rules, seen: Seen, before: Row | None, after: Row, notes: Notes
    ) -> tuple[dict[str, Any], list[Rule]]:
        seen.rows += 1
        return rules.filled(after.values, None if before is None else before.values, notes, seen.missing)

    def unseen(self) -> dict[str, int]:
        """Columns that the mapping names, and that none of enough rows had → how many rows there were."""
        own = {} if self._mapping is None else self._mapping.unseen()
        found = self._seen.unseen() | self._seen_for_parts.unseen()
        return own | {self.member.said.name(column): rows for column, rows in found.items()}

    # Names of rows

    def is_named(self, event: ChangeEvent) -> bool:
        """Whether the message key is the row's primary key, as far as the mapping says."""
        primary = self.member.primary_key
        return primary is None or (event.key is not None and event.key.values.keys() == set(primary))

    def key(self, event: ChangeEvent) -> str:
        """What names the row: its primary key. Raises BadValue."""
        primary = self.member.primary_key
        row = event.after or event.before
        if self.is_named(event):
            if event.key is None or not event.key.values:
                raise BadValue("is missing; expected the row's key", Reason.NO_KEY, remedy=_KEY_REMEDY)
            columns = primary or tuple(sorted(event.key.values))
            key = self._text(event.key, columns)
        elif row is None:
            raise BadValue("does not name the row; expected its primary key", Reason.NO_KEY, remedy=_KEY_REMEDY)
        else:
            columns = primary or ()
            key = self._text(row, columns)
        if event.op is Op.DELETE and len(columns) == 1 and key in _MADE_UP:
            raise BadValue(
                "holds the empty value that PostgreSQL makes up for what it does not log; expected the row's own key",
                Reason.FABRICATED_ID,
                remedy="name the table's primary_key in the mapping, or set the table's REPLICA IDENTITY to FULL",
            )
        return key

    def key_of(self, values: Table[str, Any]) -> str | None:
        """The key that a header of Debezium tells; None if it can't be told."""
        try:
            return self._text(Row(values), self.member.primary_key or tuple(sorted(values)))
        except BadValue:
            return None

    def parent(self, row: Row) -> str | None:
        """Whose row it is; None where its foreign key is NULL. Raises BadValue."""
        if any(row.values.get(column, "") is None for column in self.member.foreign_key):
            return None
        return self._text(row, self.member.foreign_key)

    def columns(self, event: ChangeEvent) -> tuple[str, ...]:
        """The columns of the row's primary key, in the order in which `key` takes them; none where it is not told."""
        return self.member.primary_key or (() if event.key is None else tuple(sorted(event.key.values)))

    def holds_parent(self, columns: Collection[str]) -> bool:
        """Whether a key of these columns holds the parent's, and changes with it."""
        return bool(columns) and set(self.member.foreign_key) <= set(columns)

    def renamed(self, key: str, columns: Sequence[str], moved: str) -> str:
        """The row's key, of these columns, once its parent's has become `moved`: another one where it holds that."""
        foreign = self.member.foreign_key
        if not self.holds_parent(columns):
            return key
        if len(columns) == 1:
            return moved
        parts = dict(zip(columns, json.loads(key), strict=True))
        parts |= zip(foreign, [moved] if len(foreign) == 1 else json.loads(moved), strict=True)
        return json.dumps(list(parts.values()), ensure_ascii=False, separators=(",", ":"))

    def _text(self, row: Row, columns: Sequence[str]) -> str:
        """One identifier as it is, several as a JSON list."""
        texts = []
        for column in columns:
            value = row.values.get(column)
            label = self.member.said.column(column)
            if value is None or unavailable(value):
                raise BadValue(
                    f"{label} is NULL or not told; expected the key of a row", Reason.NO_KEY, remedy=_KEY_REMEDY
                )
            described = (row.types or {}).get(column)
            text: str = value if type(value) is str else converter(_IDENTIFIER, described).convert(value, Notes())
            texts.append(text)
        return texts[0] if len(texts) == 1 else json.dumps(texts, ensure_ascii=False, separators=(",", ":"))

    # Plans

    def _plan(self, types: Table[str, ColumnType] | None) -> _Plan:
        member = self.member
        rules = rules_of(member.sources, member.fields, types, member.said, member.sources_path, nulls=self._nulls)
        part_rules = Rules((), (), {})
        if member.part_sources is not None:
            part_rules = rules_of(
                member.part_sources, member.part_fields, types, member.said, member.part_path, nulls=self._nulls
            )
        return _Plan(rules, part_rules, Filter(member.when, types, member.said, member.when_path))

    def _plan_of(self, row: Row) -> _Plan:
        if row.types is None:
            return self._untyped
        known = self._plans.get(id(row.types))
        if known is None:
            if len(self._plans) >= _MOST_PLANS:
                self._plans.clear()
            known = self._plans[id(row.types)] = (row.types, self._plan(row.types))
        return known[1]

    def without_row(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """The fields of the document, and those of all elements of its list, of a side table that has no row."""
        return self._defaults(self.member.sources), self._defaults(self.member.part_sources)

    @staticmethod
    def _defaults(sources: object) -> dict[str, Any]:
        named = {} if sources is None else vars(sources)
        given = {name: source.get("default") for name, source in named.items() if isinstance(source, Source)}
        return {name: default for name, default in given.items() if default is not None}

    def last_told(self, event: ChangeEvent, field: str) -> dict[str, Any]:
        """The field as the event of a row that has gone tells it; nothing where it does not."""
        for row in (event.before if event.trusts_before else None, event.key):
            if row is not None:
                rules = self._plan_of(row).rules.only((field,))
                columns = [column for rule in (*rules.rules, *rules.templates) for column in rule.columns]
                if all(map(row.values.__contains__, columns)):
                    return rules.convert(row.values, Notes(), {})[0]
        return {}

    def feeds(self, fields: frozenset[str]) -> bool:
        """Whether one of these fields of the document comes from this table."""
        return not fields.isdisjoint(_fed(self._untyped.rules))

    def feeds_parts(self, fields: frozenset[str]) -> bool:
        """Whether one of these fields of all elements of the list does."""
        return not fields.isdisjoint(_fed(self._untyped.part_rules))


_KEY_REMEDY = "let the message key be the table's primary key, or name it as primary_key in the mapping"


def _fed(rules: Rules) -> Iterator[str]:
    """The fields that the rules feed."""
    for rule in (*rules.rules, *rules.templates):
        yield rule.field
    yield from rules.constants


def bad_name(bad: BadValue) -> Reject:
    """The refusal of a row that can't be named."""
    return Reject(bad.reason, (FieldError("", bad.problem),))
