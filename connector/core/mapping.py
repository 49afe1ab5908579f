"""From a change of a row to what it means for a document, as the mapping file says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from connector.core import consent, documents
from connector.core.events import ChangeEvent, Entity, FieldError, Op, Reason, Reject
from connector.core.items import KEYS, merge
from connector.core.notes import BadValue, Notes
from connector.core.rules import ABSENT, Filter, Rule, Rules, Said, Seen, Unjudged, rules_of, whole
from connector.core.values import Kind, unavailable
from connector.core.verdicts import Delete, Refused, Unchanged, Unfed, Upsert, Verdict, Withhold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from collections.abc import Mapping as Table

    from connector.core.documents import Contract
    from connector.core.events import ColumnType, Row
    from connector.core.mapping_file import Listed
    from connector.core.mapping_text import Spec
    from connector.core.states import ItemKey

FILTERED = "filtered"
"""Why a row is withheld that the mapping's `when` does not let through."""

UNAVAILABLE_REMEDY = (
    "did not change and is too large for the database's log to repeat it, and no earlier state of the row is at hand: "
    "set the table's REPLICA IDENTITY to FULL, or let Debezium reselect such columns (ReselectColumnsPostProcessor)"
)
WITHHELD = {Entity.ORDERS: "no_items", Entity.PRODUCTS: "no_variants"}
_MOST_PLANS = 64
_MADE_UP = frozenset({"", "0"})
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


class _Plan(NamedTuple):
    """What the mapping does with rows of one shape. `parts`: with the elements of its list."""

    identity: Rule
    rules: Rules
    filter: Filter
    consent: Rule | None
    listed: Rule | None
    parts: Rules
    part_keys: Rules
    part_filter: Filter


class Mapping:
    """The mapping of one entity's table."""

    def __init__(self, entity: Entity, spec: Spec, options: Options) -> None:
        self._entity = entity
        self._table = spec.table
        self._said = Said(spec.table.table or "", spec.lines)
        self._contract = options.contract
        self._nulls = options.nulls == "null"
        self._consent = options.consent if entity is Entity.CUSTOMERS else "forward"
        self._fields = documents.FIELDS[entity]
        self._id_field = self._fields[0].name
        listed = next((each for each in self._fields if each.kind is Kind.OBJECTS), None)
        self._list_field = listed.name if listed else ""
        self._list: Listed | None = getattr(spec.table.fields, self._list_field, None)
        self._plain_list = self._list is not None and not self._list.model_fields_set & {"row", "path", "when"}
        self._elements = listed.elements if listed else ()
        self._withholds = self._list is not None and options.empty == "withhold"
        self._required = documents.required(entity, options.contract) | ({listed.name} if listed else set())
        self._seen, self._seen_elements = Seen(), Seen()
        self._untyped = self._plan(None)
        self._columns = tuple(self._read(self._untyped))
        self._id_columns = self._untyped.identity.columns
        self._typed: dict[int, tuple[Table[str, ColumnType], _Plan]] = {}

    def map(self, event: ChangeEvent, *, suppress: bool = True) -> Verdict:
        """What the change means. `suppress`: an update that changes nothing of what is read is `Unchanged`.

        A record without key is identified by its row: that its topic has one partition only, so that its changes have
        an order, is the caller's to know.
        """
        try:
            identifier = self._identify(event)
        except BadValue as bad:
            return _refused(bad.reason, [self._untyped.identity.error(bad)])
        after = event.after
        before = event.before if event.trusts_before else None
        if suppress and before is not None and after is not None and self._same(before.values, after.values):
            return Unchanged(identifier)
        verdict: Verdict | None = None
        if self._table.when:
            verdict = self._judge_filter(identifier, event.op, before, after)
        if verdict is None and after is not None and self._consent != "forward":
            verdict = self._judge_consent(identifier, event.op, before, after)
        if verdict is None and after is not None and self._withholds and self._holds_nothing(after):
            verdict = self._judge_empty(identifier, event.op, before)
        if verdict is not None:
            return verdict
        return Delete(identifier) if after is None else self._upsert(identifier, before, after)

    def unseen(self) -> dict[str, int]:
        """Columns that the mapping names, and that none of enough rows had → how many rows there were."""
        prefix = "" if self._list is None or self._list.column is None else f"{self._list.column}[]."
        elements = {f"{prefix}{column}": rows for column, rows in self._seen_elements.unseen().items()}
        return {self._said.name(column): rows for column, rows in (self._seen.unseen() | elements).items()}

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
                    Reason.UNAVAILABLE, tuple(FieldError(name, UNAVAILABLE_REMEDY) for name in sorted(lacking))
                )
        wrong = documents.problems(self._entity, document, self._contract)
        return Reject(Reason.INVALID, wrong) if wrong else document

    # What is done with rows of one shape

    def _plan(self, types: Table[str, ColumnType] | None) -> _Plan:
        sources, said, nulls = self._table.fields, self._said, self._nulls
        rules = rules_of(sources, self._fields, types, said, ("fields",), nulls=nulls)
        identity = rules.rule(self._id_field)
        assert identity is not None
        parts, part_filter, at = Rules((), (), {}), Filter(None, None, said, ()), ("fields", self._list_field)
        if self._list is not None:
            in_json = self._list.row is None
            shape = None if in_json else types
            parts = rules_of(
                self._list.fields, self._elements, shape, said, (*at, "fields"), nulls=nulls, in_json=in_json
            )
            part_filter = Filter(self._list.when, shape, said, (*at, "when"), in_json=in_json)
        return _Plan(
            identity,
            rules,
            Filter(self._table.when, types, said, ("when",)),
            rules.rule(consent.FIELD),
            rules.rule(self._list_field),
            parts,
            parts.only(KEYS.get(self._entity, ())),
            part_filter,
        )

    def _plan_of(self, types: Table[str, ColumnType] | None) -> _Plan:
        """The plan for rows of these types, kept by identity: an entry holds its types, so no other has their id."""
        if types is None:
            return self._untyped
        known = self._typed.get(id(types))
        if known is None:
            if len(self._typed) >= _MOST_PLANS:
                self._typed.clear()
            known = self._typed[id(types)] = (types, self._plan(types))
        return known[1]

    def _read(self, plan: _Plan) -> Iterator[str]:
        """The columns that are read."""
        for rule in (*plan.rules.rules, *plan.rules.templates):
            yield from rule.columns
        yield from plan.filter.columns
        if self._list is not None and self._list.row:
            for rule in (*plan.parts.rules, *plan.parts.templates):
                yield from rule.columns
            yield from plan.part_filter.columns

    # Which row it is

    def _identify(self, event: ChangeEvent) -> str:
        """The id, from the message key; the row's must be the same. Raises BadValue.

        Where the mapping names the primary key and the message key is another, from the row: of what PostgreSQL makes
        up for a deleted one, only the primary key's columns are real.
        """
        row = event.after or event.before
        key = event.key
        if row is not None and self.names_rows_otherwise(event):
            return self._id_of(row, event.op)
        if key is None:
            if row is None or (event.after is None and not event.trusts_before):
                raise _not_in_key()
            return self._id_of(row, event.op)
        if not all(column in key.values for column in self._id_columns):
            raise _not_in_key()
        identifier = self._id_of(key, event.op)
        if event.after is not None and self._differs(identifier, event.after, event.op):
            raise BadValue(
                "differs between the message key and the row",
                Reason.NO_KEY,
                remedy="let the message key be the table's primary key, and let no transformation change it",
            )
        return identifier

    def names_rows_otherwise(self, event: ChangeEvent) -> bool:
        """Whether the message key is not what the mapping says of the primary key."""
        primary = self._table.primary_key
        return primary is not None and (event.key is None or event.key.values.keys() != set(primary))

    def _differs(self, identifier: str, row: Row, op: Op) -> bool:
        """Whether the row tells another id."""
        columns = self._id_columns
        if len(columns) == 1 and row.values.get(columns[0]) == identifier:
            return False
        return all(column in row.values for column in columns) and self._id_of(row, op) != identifier

    def _id_of(self, row: Row, op: Op) -> str:
        rule = self._plan_of(row.types).identity
        value: Any = rule.raw(row.values)
        if value is None or value is ABSENT or unavailable(value):
            raise BadValue(
                "is NULL or not told; expected the row's id", Reason.NO_KEY, remedy="let it be the primary key"
            )
        identifier = str(value if type(value) is rule.plain else rule.convert(value, Notes()))
        if op is Op.DELETE and self._made_up(identifier, rule, row):
            raise BadValue(
                "holds the empty value that PostgreSQL makes up for what it does not log; expected the row's own id",
                Reason.FABRICATED_ID,
                remedy="let the message key be the primary key, name that in the mapping's `primary_key`, or set the "
                "table's REPLICA IDENTITY to FULL",
            )
        return identifier

    def _made_up(self, identifier: str, rule: Rule, row: Row) -> bool:
        """Of several columns one that is zero may be another than the primary key's, unless the mapping names that."""
        enough = any if self._table.primary_key is None else all
        return identifier in _MADE_UP or (
            rule.compose is not None and enough(row.values[column] in ("", 0) for column in rule.columns)
        )

    # What is told of it

    def _same(self, before: Table[str, Any], after: Table[str, Any]) -> bool:
        """Whether nothing that is read has changed. A column that is not told has not."""
        for column in self._columns:
            new, old = after.get(column, ABSENT), before.get(column, ABSENT)
            if (new != old or type(new) is not type(old)) and (old is ABSENT or not unavailable(new)):
                return False
        return True

    def _judge_filter(self, identifier: str, op: Op, before: Row | None, after: Row | None) -> Verdict | None:
        """What the mapping's `when` makes of a row; None: it goes on.

        A row that no longer passes is deleted, unless it did not pass before. Of a new one, and of one that a snapshot
        reads, nothing is known to be at Replenit.
        """
        was = None if before is None else self._passed(before)
        if after is None:
            return Withhold(identifier, FILTERED) if was is False else Delete(identifier, doubtful=was is None)
        values = after.values if before is None else whole(after.values, before.values)
        try:
            if self._plan_of(after.types).filter.passes(values):
                return None
        except Unjudged as unjudged:
            return Refused(Reject(unjudged.reason, (unjudged.error,)), self._had(before))
        if op is not Op.UPDATE or was is False:
            return Withhold(identifier, FILTERED)
        return Delete(identifier, doubtful=was is None)

    def _passed(self, before: Row) -> bool | None:
        """Whether the row was let through as it was; None if its image can't tell."""
        try:
            return self._plan_of(before.types).filter.passes(before.values)
        except Unjudged:
            return None

    def _holds_nothing(self, row: Row) -> bool:
        """Whether the row tells its items or variants, and has none."""
        plan = self._plan_of(row.types)
        if self._plain_list and plan.listed is not None:
            value = row.values.get(plan.listed.column, ABSENT)
            return value is None or value == [] or (isinstance(value, str) and _NOTHING.fullmatch(value) is not None)
        try:
            parts = self._parts_of(plan, row)
        except (BadValue, Unjudged):
            return False
        return parts is not None and not parts

    def _judge_empty(self, identifier: str, op: Op, before: Row | None) -> Verdict:
        """What becomes of a row without items or variants: if an update took its last one, it is deleted."""
        emptied = op is Op.UPDATE and not (before is not None and self._holds_nothing(before))
        return Delete(identifier) if emptied else Withhold(identifier, WITHHELD[self._entity])

    def _parts_of(self, plan: _Plan, row: Row) -> list[Table[str, Any]] | None:
        """The elements of the row's list that are sent, unconverted; None if it does not tell.

        Raises BadValue and Unjudged.
        """
        parts: list[Table[str, Any]] = [row.values]
        if plan.listed is not None:
            told = plan.listed.value(row.values, Notes())
            if told is ABSENT:
                return None
            parts = told or []
        return [part for part in parts if plan.part_filter.passes(part)] if plan.part_filter else parts

    def _judge_consent(self, identifier: str, op: Op, before: Row | None, after: Row) -> Verdict | None:
        """What the consent makes of a row, whatever is wrong with its other columns; None: it may be sent."""
        try:
            given = self._consent_of(after)
            rule = self._untyped.consent
            if given is None and rule is not None and rule.is_unavailable(after.values):
                if before is None:
                    error = FieldError(consent.FIELD, f"{rule.label} {UNAVAILABLE_REMEDY}{rule.line}")
                    return _refused(Reason.UNAVAILABLE, [error])
                given = self._consent_of(before)
        except BadValue as bad:
            rule = self._untyped.consent
            assert rule is not None
            return _refused(bad.reason, [rule.error(bad)])
        was = None if before is None else self._consented(before)
        match consent.judge(self._consent, op, now=given, before=was):
            case consent.Verdict.SEND:
                return None
            case consent.Verdict.RETRACT:
                return self.retraction(identifier)
            case consent.Verdict.WITHHOLD:
                return Withhold(identifier, consent.NO_CONSENT)
            case consent.Verdict.UNFED:
                return Unfed(identifier)

    def _consented(self, before: Row) -> bool | None:
        """Whether the row was sent with a consent, as its image tells; None if it can't tell."""
        if self._passed(before) is False:
            return False
        try:
            return self._consent_of(before)
        except BadValue:
            return None

    def retraction(self, identifier: str) -> Upsert:
        """The upsert that takes a customer's consent back, and tells nothing else of him."""
        return Upsert(identifier, {self._id_field: identifier, consent.FIELD: False}, retracts=True)

    def _consent_of(self, row: Row) -> bool | None:
        """Whether the row says that consent was given; None if nothing tells. Raises BadValue."""
        plan = self._plan_of(row.types)
        rule = plan.consent
        if rule is None:
            constant: bool | None = plan.rules.constants.get(consent.FIELD)
            return constant
        value = row.values.get(rule.column, ABSENT)
        if rule.plain is None or (value is not True and value is not False):
            value = rule.value(row.values, Notes())
        if value is ABSENT:
            return None
        given: bool = rule.default if value is None else value
        return given

    def _upsert(self, identifier: str, before: Row | None, after: Row) -> Verdict:
        notes = Notes()
        document, untold = self.convert(before, after, notes)
        document[self._id_field] = identifier
        if self._consent == "assume":
            document.setdefault(consent.FIELD, True)
        if notes.errors:
            return Refused(notes.reject(), self._had(before))
        if self._withholds and document.get(self._list_field) == []:
            return Withhold(identifier, WITHHELD[self._entity])
        held = self._had(before)
        unavailable_fields = frozenset([rule.field for rule in untold]) if untold else _NONE
        return Upsert(identifier, document, unavailable_fields, held, notes.merged_items, notes.rounded, notes.omitted)

    def convert(self, before: Row | None, after: Row, notes: Notes) -> tuple[dict[str, Any], list[Rule]]:
        """The fields that a row feeds, its list's elements converted, and the rules of fields that it does not tell."""
        plan = self._plan_of(after.types)
        self._seen.rows += 1
        was = None if before is None else before.values
        document, untold = plan.rules.filled(after.values, was, notes, self._seen.missing)
        if self._list is not None:
            parts: list[Any] | None = [whole(after.values, was)] if self._list.row else document.get(self._list_field)
            if parts:
                document[self._list_field] = self._convert_parts(plan, parts, notes)
        return document, untold

    def convert_kept(self, before: Row | None, after: Row, notes: Notes) -> tuple[dict[str, Any], list[Rule]]:
        """As `convert`; a list that is NULL is an empty one."""
        document, untold = self.convert(before, after, notes)
        if self._list_field and document.get(self._list_field) is None and self._holds_nothing(after):
            document[self._list_field] = []
        return document, untold

    def _convert_parts(self, plan: _Plan, parts: list[Table[str, Any]], notes: Notes) -> list[dict[str, Any]]:
        errors = notes.errors
        converted = []
        for index, part in enumerate(parts):
            start = len(errors)
            if not plan.part_filter or self._part_passes(plan, part, notes):
                self._seen_elements.rows += 1
                converted.append(plan.parts.convert(part, notes, self._seen_elements.missing)[0])
            for position in range(start, len(errors)):
                reason, error = errors[position]
                path = f"{self._list_field}[{index}].{error.path}".rstrip(".")
                errors[position] = (reason, error._replace(path=path))
        return merge(converted, notes) if self._entity is Entity.ORDERS else converted

    def _part_passes(self, plan: _Plan, part: Table[str, Any], notes: Notes) -> bool:
        try:
            return plan.part_filter.passes(part)
        except Unjudged as unjudged:
            notes.errors.append((unjudged.reason, unjudged.error))
            return False

    def _had(self, before: Row | None) -> frozenset[ItemKey]:
        """The keys of the items or variants that the row had, as far as they can be told."""
        if before is None or self._list is None:
            return frozenset()
        plan = self._plan_of(before.types)
        try:
            parts = self._parts_of(plan, before)
        except (BadValue, Unjudged):
            return frozenset()
        names = KEYS[self._entity]
        keys = (plan.part_keys.convert(part, Notes(), {})[0] for part in parts or ())
        return frozenset(tuple(key[name] for name in names) for key in keys if all(map(key.get, names)))


def _not_in_key() -> BadValue:
    return BadValue(
        "is not a column of the message key; expected its primary key there",
        Reason.NO_KEY,
        remedy="make it the table's primary key, or name it in Debezium's message.key.columns",
    )


def _refused(reason: Reason, errors: list[FieldError]) -> Refused:
    return Refused(Reject(reason, tuple(errors)))
