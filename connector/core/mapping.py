"""From a change of a row to what it means for a document: columns to fields, by snake_case names.

`customer_id` feeds `CustomerId`; the items of an order and the variants of a product come from a JSON column of objects
whose keys are named alike. Other columns are not looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal

from connector.core import documents, values
from connector.core.events import ChangeEvent, Entity, FieldError, Op, Reason, Reject, Row
from connector.core.values import BadValue, Notes
from connector.core.verdicts import Delete, Refused, Unchanged, Upsert, Verdict, Withhold

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Mapping as Table

    from connector.core.documents import Contract
    from connector.core.events import ColumnType
    from connector.core.states import ItemKey

    Convert = Callable[[Any, ColumnType | None, Notes], Any]

_UNAVAILABLE_REMEDY = (
    "did not change and is too large for the database's log to repeat it, and no earlier state of the row is at hand: "
    "set the table's REPLICA IDENTITY to FULL, or let Debezium reselect such columns (ReselectColumnsPostProcessor)"
)
_KEY_REMEDY = (
    "is not a column of the message key: make it the table's primary key, or name it in Debezium's message.key.columns"
)


@dataclass(frozen=True, slots=True)
class Options:
    """How a mapping judges. `empty`: what becomes of an order without items, or a product without variants."""

    contract: Contract = "lenient"
    nulls: Literal["omit", "null"] = "omit"
    empty: Literal["withhold", "send"] = "withhold"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field and what feeds it. `default`: what a NULL is sent as, where the API documents a default."""

    name: str
    column: str
    convert: Convert
    default: bool | None = None


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _fields(**converts: Convert | tuple[Convert, bool]) -> tuple[_Field, ...]:
    return tuple(
        _Field(name, _snake(name), *(convert if isinstance(convert, tuple) else (convert,)))
        for name, convert in converts.items()
    )


_OFF = (values.boolean, False)
_CUSTOMER = _fields(
    CustomerId=values.identifier,
    Email=values.text,
    Name=values.text,
    Surname=values.text,
    Phone=values.text,
    Language=values.text,
    Username=values.text,
    EmailOptin=values.boolean,
    SmsOptin=values.boolean,
    WhatsappOptin=values.boolean,
    AppPushOptin=values.boolean,
    GdprOptin=_OFF,
    IsExcluded=_OFF,
)
_ORDER = _fields(
    OrderId=values.identifier,
    CustomerId=values.identifier,
    Email=values.text,
    OrderDate=values.moment,
    TotalRevenue=values.number,
    Currency=values.text,
    TotalQuantity=values.integer,
    UniqueQuantity=values.integer,
    IsOrderCancelled=_OFF,
)
_ITEM = _fields(
    ProductId=values.identifier,
    Sku=values.identifier,
    Quantity=values.integer,
    Price=values.number,
    OriginalPrice=values.number,
    Size=values.text,
    Color=values.text,
    Brand=values.text,
    IsGift=_OFF,
)
_PRODUCT = _fields(
    ProductId=values.identifier,
    ProductName=values.text,
    Taxonomy=values.texts,
    IsOfflineExclusive=_OFF,
)
_VARIANT = _fields(
    VariantId=values.identifier,
    Sku=values.identifier,
    Name=values.text,
    Image=values.text,
    Size=values.text,
    Stock=values.integer,
    OriginalPrice=values.number,
    SalePrice=values.number,
    Currency=values.text,
    IsAvailable=values.boolean,
    Language=values.text,
    BrandName=values.text,
)


@dataclass(frozen=True, slots=True)
class _List:
    """The list of parts that a document has: its field, what feeds it, its parts' fields and their key."""

    field: _Field
    parts: tuple[_Field, ...]
    key: tuple[str, ...]
    withheld: str


@dataclass(frozen=True, slots=True)
class _Shape:
    """What a document is made of; its first field identifies it."""

    fields: tuple[_Field, ...]
    list: _List | None = None


def _parts(name: str, parts: tuple[_Field, ...], key: tuple[str, ...], withheld: str) -> _List:
    return _List(_Field(name, _snake(name), lambda value, _kind, _notes: values.objects(value)), parts, key, withheld)


_SHAPES = {
    Entity.CUSTOMERS: _Shape(_CUSTOMER),
    Entity.ORDERS: _Shape(_ORDER, _parts("OrderItems", _ITEM, ("ProductId", "Sku"), "no_items")),
    Entity.PRODUCTS: _Shape(_PRODUCT, _parts("ProductVariants", _VARIANT, ("VariantId",), "no_variants")),
}


class Mapping:
    """The mapping of one entity's table."""

    def __init__(self, entity: Entity, options: Options) -> None:
        self._entity = entity
        self._options = options
        self._shape = _SHAPES[entity]
        self._id = self._shape.fields[0]
        listed = (self._shape.list.field,) if self._shape.list else ()
        self._columns = tuple(field.column for field in (*self._shape.fields, *listed))
        self._required = documents.required(entity, options.contract) | {field.name for field in listed}

    def map(self, event: ChangeEvent, *, suppress: bool = True) -> Verdict:
        """What the change means. `suppress`: an update that changes nothing of what is read is `Unchanged`."""
        try:
            identifier = self._identify(event)
        except BadValue as bad:
            return _refused(bad.reason, [FieldError(self._id.name, f"column {self._id.column} {bad.problem}")])
        if event.op is Op.DELETE or event.after is None:
            return Delete(identifier)
        after = self._filled(event, event.after)
        if suppress and event.trusts_before and event.before is not None and self._same(event.before, after):
            return Unchanged(identifier)
        return self._empty(event, after, identifier) or self._upsert(event, after, identifier)

    def check(self, upsert: Upsert, filled: Table[str, Any]) -> dict[str, Any] | Reject:
        """The document to send, or why it can't be.

        `filled`: an older document of the same key, from which the unavailable fields are taken.
        """
        document = upsert.document
        missing = upsert.unavailable
        if missing:
            document = {**document, **{name: filled[name] for name in missing if name in filled}}
            if lacking := [name for name in missing if name not in document and name in self._required]:
                errors = tuple(FieldError(name, _UNAVAILABLE_REMEDY) for name in sorted(lacking))
                return Reject(Reason.UNAVAILABLE, errors)
        wrong = documents.problems(self._entity, document, self._options.contract)
        return Reject(Reason.INVALID, wrong) if wrong else document

    def _identify(self, event: ChangeEvent) -> str:
        row = event.key if event.key is not None else event.after or event.before
        column = self._id.column
        if row is None or column not in row.values:
            raise BadValue(_KEY_REMEDY, Reason.NO_KEY)
        value = row.values[column]
        identifier = values.identifier(value, _kind(row, column), Notes())
        if event.op is Op.DELETE and identifier in ("", "0"):
            raise BadValue(
                "holds the empty value that PostgreSQL makes up for what it does not log, so nobody can tell what was "
                "deleted: let the message key be the primary key, or set the table's REPLICA IDENTITY to FULL",
                Reason.FABRICATED_ID,
            )
        return identifier

    def _filled(self, event: ChangeEvent, after: Row) -> Row:
        """The row, with what it does not tell taken from a trustworthy before-image."""
        if not event.trusts_before or event.before is None:
            return after
        told = {
            column: event.before.values[column]
            for column in self._columns
            if values.unavailable(after.values.get(column)) and column in event.before.values
        }
        return Row({**after.values, **told}, after.types) if told else after

    def _same(self, before: Row, after: Row) -> bool:
        absent = object()
        return all(
            _equal(before.values.get(column, absent), after.values.get(column, absent)) for column in self._columns
        )

    def _empty(self, event: ChangeEvent, after: Row, identifier: str) -> Verdict | None:
        """A document without parts is withheld; one that an update empties is deleted."""
        listed = self._shape.list
        if listed is None or self._options.empty == "send" or not _holds_nothing(after, listed.field.column):
            return None
        emptied = event.op is Op.UPDATE and not (
            event.trusts_before and event.before is not None and _holds_nothing(event.before, listed.field.column)
        )
        return Delete(identifier) if emptied else Withhold(identifier, listed.withheld)

    def _upsert(self, event: ChangeEvent, after: Row, identifier: str) -> Verdict:
        notes = Notes()
        document, unavailable = self._convert(self._shape.fields, after, "", notes)
        document[self._id.name] = identifier
        if self._shape.list is not None:
            unavailable |= self._convert_list(self._shape.list, after, document, notes)
        if notes.errors:
            unknown = all(reason is Reason.SCALE_UNKNOWN for reason, _ in notes.errors)
            reason = Reason.SCALE_UNKNOWN if unknown else Reason.UNCONVERTIBLE
            return _refused(reason, [error for _, error in notes.errors])
        held = self._held(event)
        return Upsert(identifier, document, frozenset(unavailable), held, notes.merged_items, notes.rounded)

    def _convert(
        self, fields: tuple[_Field, ...], row: Row, path: str, notes: Notes
    ) -> tuple[dict[str, Any], set[str]]:
        """The fields that the row feeds, and the names of those that it does not tell.

        An absent column is left alone; a NULL is omitted, unless the API documents a default, which is sent.
        """
        document: dict[str, Any] = {}
        unavailable: set[str] = set()
        for field in fields:
            column = field.column
            if column not in row.values:
                continue
            value = row.values[column]
            if value is None:
                if field.default is not None:
                    document[field.name] = field.default
                elif self._options.nulls == "null":
                    document[field.name] = None
            elif values.unavailable(value):
                unavailable.add(field.name)
            else:
                try:
                    document[field.name] = field.convert(value, _kind(row, column), notes)
                except BadValue as bad:
                    error = FieldError(path + field.name, f"column {column} {bad.problem}")
                    notes.errors.append((bad.reason, error))
        return document, unavailable

    def _convert_list(self, listed: _List, row: Row, document: dict[str, Any], notes: Notes) -> set[str]:
        """Add the list of parts to the document."""
        field = listed.field
        found, unavailable = self._convert((field,), row, "", notes)
        if (parts := found.get(field.name)) is not None:
            converted = [
                self._convert(listed.parts, Row(part), f"{field.name}[{index}].", notes)[0]
                for index, part in enumerate(parts)
            ]
            found = {field.name: _merged(converted, notes) if self._entity is Entity.ORDERS else converted}
        document |= found
        return unavailable

    def _held(self, event: ChangeEvent) -> frozenset[ItemKey]:
        """The keys of the parts that the row had, as far as a trustworthy before-image tells."""
        listed = self._shape.list
        if listed is None or not event.trusts_before or event.before is None:
            return frozenset()
        value = event.before.values.get(listed.field.column)
        if value is None or values.unavailable(value):
            return frozenset()
        try:
            parts = values.objects(value)
        except BadValue:
            return frozenset()
        keys = set()
        for part in parts:
            known = self._convert(listed.parts[:2], Row(part), "", Notes())[0]
            if all(name in known for name in listed.key):
                keys.add(tuple(known[name] for name in listed.key))
        return frozenset(keys)


def _refused(reason: Reason, errors: list[FieldError]) -> Refused:
    return Refused(Reject(reason, tuple(errors)))


def _kind(row: Row, column: str) -> ColumnType | None:
    return row.types.get(column) if row.types else None


def _equal(one: object, other: object) -> bool:
    """Equal as JSON is: 1 is not true."""
    return type(one) is type(other) and one == other


def _holds_nothing(row: Row, column: str) -> bool:
    """Whether the column is there and holds no part."""
    if column not in row.values:
        return False
    value = row.values[column]
    return value is None or value == [] or (isinstance(value, str) and value.strip().replace(" ", "") in ("[]", "null"))


def _merged(items: list[dict[str, Any]], notes: Notes) -> list[dict[str, Any]]:
    """Items with one (ProductId, Sku) as one: where an upsert merges items, the second would overwrite the first."""
    merged: dict[object, list[dict[str, Any]]] = {}
    for index, item in enumerate(items):
        key = (item.get("ProductId"), item.get("Sku"))
        merged.setdefault(index if None in key else key, []).append(item)
    if len(merged) == len(items):
        return items
    notes.merged_items += len(items) - len(merged)
    return [_one(group) if len(group) > 1 else group[0] for group in merged.values()]


def _one(group: list[dict[str, Any]]) -> dict[str, Any]:
    """One item of several: quantities summed, prices as means weighted by them, the rest from the first."""
    quantities = [item.get("Quantity") or 0 for item in group]
    total = sum(quantities)
    item = dict(group[0])
    if any("Quantity" in each for each in group):
        item["Quantity"] = total
    for price in ("Price", "OriginalPrice"):
        pairs = zip(quantities, group, strict=True)
        priced = [(quantity, Fraction(str(each[price]))) for quantity, each in pairs if each.get(price) is not None]
        if priced:
            item[price] = _number(_mean(priced))
    return item


def _mean(weighted: list[tuple[int, Fraction]]) -> Fraction:
    weight = sum(quantity for quantity, _ in weighted)
    if not weight:
        return sum((value for _, value in weighted), Fraction()) / len(weighted)
    return sum((quantity * value for quantity, value in weighted), Fraction()) / weight


def _number(exact: Fraction) -> int | float:
    return exact.numerator if exact.denominator == 1 else float(exact)
