"""From a change of a row to what it means for a document: columns to fields, by snake_case names.

`customer_id` feeds `CustomerId`; the items of an order and the variants of a product come from a JSON column of objects
whose keys are named alike. Other columns are not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from connector.core import consent, documents
from connector.core.events import ChangeEvent, ColumnType, Entity, FieldError, Op, Reason, Reject
from connector.core.items import KEYS, merge
from connector.core.notes import BadValue, Notes
from connector.core.values import UNAVAILABLE_TEXTS, Kind, converter, unavailable
from connector.core.verdicts import Delete, Refused, Unchanged, Unfed, Upsert, Verdict, Withhold

if TYPE_CHECKING:
    from collections.abc import Mapping as Table
    from collections.abc import Sequence

    from connector.core.documents import Contract, DocumentField
    from connector.core.events import Row
    from connector.core.states import ItemKey
    from connector.core.values import Convert

_UNAVAILABLE_REMEDY = (
    "did not change and is too large for the database's log to repeat it, and no earlier state of the row is at hand: "
    "set the table's REPLICA IDENTITY to FULL, or let Debezium reselect such columns (ReselectColumnsPostProcessor)"
)
_WITHHELD = {Entity.ORDERS: "no_items", Entity.PRODUCTS: "no_variants"}
_ABSENT = object()
_MOST_PLANS = 64
_IN_JSON = ColumnType("string", None, {})
"""Within a JSON column a text is a text, and no decimal in base64."""

_SCALARS = frozenset({bool, int, float})
_NONE: frozenset[str] = frozenset()
_NOTHING = re.compile(r"\s*(?:\[\s*\]|null)\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Options:
    """How a mapping judges. `empty`: what becomes of an order without items, or a product without variants.

    `consent`: whether a customer who has not given it is sent.
    """

    contract: Contract = "lenient"
    nulls: Literal["omit", "null"] = "omit"
    empty: Literal["withhold", "send"] = "withhold"
    consent: consent.Policy = "enforce"


_OBJECTS = converter(Kind.OBJECTS, None).convert


@dataclass(frozen=True, slots=True)
class _Rule:
    """What feeds a field. `plain`: values of exactly this type need no conversion.

    `default`: what a NULL is sent as, where the API documents a default.
    """

    field: str
    column: str
    plain: type | None
    convert: Convert
    default: bool | None


def _rule(field: DocumentField, column_type: ColumnType | None) -> _Rule:
    return _Rule(field.name, _snake(field.name), *converter(field.kind, column_type), field.default)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


_CONSENT_COLUMN = _snake(consent.FIELD)


class Mapping:
    """The mapping of one entity's table."""

    def __init__(self, entity: Entity, options: Options) -> None:
        self._entity = entity
        self._contract = options.contract
        self._nulls = options.nulls == "null"
        self._consent = options.consent if entity is Entity.CUSTOMERS else "forward"
        self._fields = documents.FIELDS[entity]
        self._columns = tuple(_snake(field.name) for field in self._fields)
        self._id_field, self._id_column = self._fields[0].name, self._columns[0]
        listed = next((field for field in self._fields if field.kind is Kind.OBJECTS), None)
        self._list_field = listed.name if listed else ""
        self._list_column = _snake(self._list_field)
        self._parts = tuple(_rule(part, _IN_JSON) for part in listed.elements) if listed else ()
        self._part_key = tuple(rule for rule in self._parts if rule.field in KEYS.get(entity, ()))
        self._withholds = listed is not None and options.empty == "withhold"
        self._required = documents.required(entity, options.contract) | ({listed.name} if listed else set())
        self._untyped = self._plan(None)
        self._typed: dict[int, tuple[Table[str, ColumnType], tuple[_Rule, ...]]] = {}

    def map(self, event: ChangeEvent, *, suppress: bool = True) -> Verdict:
        """What the change means. `suppress`: an update that changes nothing of what is read is `Unchanged`.

        A record without key is identified by its row: that its topic has one partition only, so that its changes have
        an order, is the caller's to know.
        """
        try:
            identifier = self._identify(event)
        except BadValue as bad:
            return _refused(bad.reason, [FieldError(self._id_field, f"column {self._id_column} {bad.problem}")])
        after = event.after
        if after is None:
            return Delete(identifier)
        before = event.before if event.trusts_before else None
        if suppress and before is not None and self._same(before.values, after.values):
            return Unchanged(identifier)
        if self._consent != "forward" and (verdict := self._judge_consent(identifier, event.op, before, after)):
            return verdict
        if self._withholds and self._holds_nothing(after.values):
            emptied = event.op is Op.UPDATE and not (before is not None and self._holds_nothing(before.values))
            return Delete(identifier) if emptied else Withhold(identifier, _WITHHELD[self._entity])
        return self._upsert(identifier, before, after)

    def check(self, upsert: Upsert, filled: Table[str, Any]) -> dict[str, Any] | Reject:
        """The document to send, or why it can't be.

        `filled`: an older document of the same key, from which the unavailable fields are taken. A field that neither
        has is left out, unless it is required or the list of items or variants.
        """
        document = upsert.document
        if upsert.unavailable:
            document = {**document, **{name: filled[name] for name in upsert.unavailable if name in filled}}
            if lacking := [name for name in upsert.unavailable & self._required if name not in document]:
                return Reject(
                    Reason.UNAVAILABLE, tuple(FieldError(name, _UNAVAILABLE_REMEDY) for name in sorted(lacking))
                )
        wrong = documents.problems(self._entity, document, self._contract)
        return Reject(Reason.INVALID, wrong) if wrong else document

    def _plan(self, types: Table[str, ColumnType] | None) -> tuple[_Rule, ...]:
        described = types or {}
        pairs = zip(self._fields, self._columns, strict=True)
        return tuple(_rule(field, described.get(column)) for field, column in pairs)

    def _rules(self, types: Table[str, ColumnType] | None) -> tuple[_Rule, ...]:
        """The rules for rows of these types, kept by identity: an entry holds its types, so no other has their id."""
        if types is None:
            return self._untyped
        known = self._typed.get(id(types))
        if known is None:
            if len(self._typed) >= _MOST_PLANS:
                self._typed.clear()
            known = self._typed[id(types)] = (types, self._plan(types))
        return known[1]

    def _identify(self, event: ChangeEvent) -> str:
        """The id, from the message key; the row's must be the same. Raises BadValue."""
        row = event.after or event.before
        if event.key is None:
            if row is None or (event.after is None and not event.trusts_before):
                raise _not_in_key()
            return self._id_of(row, event.op)
        if self._id_column not in event.key.values:
            raise _not_in_key()
        identifier = self._id_of(event.key, event.op)
        if event.after is not None and self._id_column in event.after.values:
            value = event.after.values[self._id_column]
            if value != identifier and self._id_of(event.after, event.op) != identifier:
                raise BadValue(
                    "differs between the message key and the row",
                    Reason.NO_KEY,
                    remedy="let the message key be the table's primary key, and let no transformation change it",
                )
        return identifier

    def _id_of(self, row: Row, op: Op) -> str:
        value = row.values.get(self._id_column)
        if value is None or unavailable(value):
            raise BadValue(
                "is NULL or not told; expected the row's id", Reason.NO_KEY, remedy="let it be the primary key"
            )
        rule, kind = self._rules(row.types)[0], type(value)
        identifier: str = value if kind is rule.plain else rule.convert(value, Notes())
        if op is Op.DELETE and identifier in ("", "0"):
            raise BadValue(
                "holds the empty value that PostgreSQL makes up for what it does not log; expected the row's own id",
                Reason.FABRICATED_ID,
                remedy="let the message key be the primary key, or set the table's REPLICA IDENTITY to FULL",
            )
        return identifier

    def _same(self, before: Table[str, Any], after: Table[str, Any]) -> bool:
        """Whether nothing that is read has changed. A column that is not told has not."""
        for column in self._columns:
            new, old = after.get(column, _ABSENT), before.get(column, _ABSENT)
            if (new != old or type(new) is not type(old)) and (old is _ABSENT or not unavailable(new)):
                return False
        return True

    def _holds_nothing(self, row: Table[str, Any]) -> bool:
        """Whether the column of items or variants is there and holds none."""
        value = row.get(self._list_column, _ABSENT)
        return value is None or value == [] or (isinstance(value, str) and _NOTHING.fullmatch(value) is not None)

    def _judge_consent(self, identifier: str, op: Op, before: Row | None, after: Row) -> Verdict | None:
        """What the consent makes of a row, whatever is wrong with its other columns; None: it may be sent."""
        try:
            given, was = self._consent_of(after), None if before is None else self._consent_of(before)
        except BadValue as bad:
            return _refused(bad.reason, [FieldError(consent.FIELD, f"column {_CONSENT_COLUMN} {bad.problem}")])
        match consent.judge(self._consent, op, now=given, before=was):
            case consent.Verdict.SEND:
                return None
            case consent.Verdict.RETRACT:
                return self.retraction(identifier)
            case consent.Verdict.WITHHOLD:
                return Withhold(identifier, consent.NO_CONSENT)
            case consent.Verdict.UNFED:
                return Unfed(identifier)

    def retraction(self, identifier: str) -> Upsert:
        """The upsert that takes a customer's consent back, and tells nothing else of him."""
        return Upsert(identifier, {self._id_field: identifier, consent.FIELD: False}, retracts=True)

    def _consent_of(self, row: Row) -> bool | None:
        """Whether the row says that consent was given; None if no column tells."""
        value = row.values.get(_CONSENT_COLUMN, _ABSENT)
        if value is True or value is False:
            return value
        if value is _ABSENT or unavailable(value):
            return None
        types = row.types or {}
        given: bool = value is not None and converter(Kind.BOOLEAN, types.get(_CONSENT_COLUMN)).convert(value, Notes())
        return given

    def _upsert(self, identifier: str, before: Row | None, after: Row) -> Verdict:
        notes = Notes()
        document, untold = self._convert(self._rules(after.types), after.values, notes)
        if untold and before is not None:
            told, still = self._convert(untold, before.values, notes)
            document |= told
            untold = [rule for rule in untold if rule.column not in before.values] + still
        document[self._id_field] = identifier
        if self._consent == "assume":
            document.setdefault(consent.FIELD, True)
        parts = document.get(self._list_field)
        if parts:
            document[self._list_field] = self._convert_parts(parts, notes)
        elif parts is not None and self._withholds:
            return Withhold(identifier, _WITHHELD[self._entity])
        if notes.errors:
            unknown = all(reason is Reason.SCALE_UNKNOWN for reason, _ in notes.errors)
            reason = Reason.SCALE_UNKNOWN if unknown else Reason.UNCONVERTIBLE
            return _refused(reason, [error for _, error in notes.errors])
        held = self._held(before.values) if before is not None and self._parts else frozenset()
        unavailable_fields = frozenset([rule.field for rule in untold]) if untold else _NONE
        return Upsert(identifier, document, unavailable_fields, held, notes.merged_items, notes.rounded)

    def _convert(
        self, rules: Sequence[_Rule], row: Table[str, Any], notes: Notes
    ) -> tuple[dict[str, Any], list[_Rule]]:
        """The fields that the row feeds, and the rules of those that it does not tell.

        An absent column is left alone; a NULL is omitted, unless the API documents a default, which is sent.
        """
        document: dict[str, Any] = {}
        untold: list[_Rule] = []
        get = row.get
        for rule in rules:
            value = get(rule.column, _ABSENT)
            kind = type(value)
            if kind is rule.plain and (kind is not str or value not in UNAVAILABLE_TEXTS):
                document[rule.field] = value
                continue
            if value is _ABSENT:
                continue
            if value is not None:
                if kind not in _SCALARS and unavailable(value):
                    untold.append(rule)
                    continue
                try:
                    value = rule.convert(value, notes)
                except BadValue as bad:
                    notes.errors.append((bad.reason, FieldError(rule.field, f"column {rule.column} {bad.problem}")))
                    continue
            if value is not None:
                document[rule.field] = value
            elif rule.default is not None or self._nulls:
                document[rule.field] = rule.default
        return document, untold

    def _convert_parts(self, parts: list[dict[str, Any]], notes: Notes) -> list[dict[str, Any]]:
        errors = notes.errors
        converted = []
        for index, part in enumerate(parts):
            start = len(errors)
            converted.append(self._convert(self._parts, part, notes)[0])
            for position in range(start, len(errors)):
                reason, error = errors[position]
                errors[position] = (reason, error._replace(path=f"{self._list_field}[{index}].{error.path}"))
        return merge(converted, notes) if self._entity is Entity.ORDERS else converted

    def _held(self, before: Table[str, Any]) -> frozenset[ItemKey]:
        """The keys of the items or variants that the row had, as far as they can be told."""
        value = before.get(self._list_column)
        try:
            parts = None if value is None or unavailable(value) else _OBJECTS(value, Notes())
        except BadValue:
            return frozenset()
        keys = (self._convert(self._part_key, part, Notes())[0] for part in parts or ())
        return frozenset(tuple(key.values()) for key in keys if len(key) == len(self._part_key) and all(key.values()))


def _not_in_key() -> BadValue:
    return BadValue(
        "is not a column of the message key; expected its primary key there",
        Reason.NO_KEY,
        remedy="make it the table's primary key, or name it in Debezium's message.key.columns",
    )


def _refused(reason: Reason, errors: list[FieldError]) -> Refused:
    return Refused(Reject(reason, tuple(errors)))
