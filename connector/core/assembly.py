"""From the rows of a family to its document: what should be at Replenit of it, by what is kept now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.core import consent, documents
from connector.core.events import Entity, FieldError, Reason, Reject
from connector.core.family_reader import Body
from connector.core.family_tables import Role, listed_of
from connector.core.items import KEYS, merge
from connector.core.mapping import UNAVAILABLE_REMEDY, WITHHELD
from connector.core.notes import Notes
from connector.core.stored import There

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connector.core.events import ChangeEvent
    from connector.core.family_reader import Reader
    from connector.core.mapping import Options
    from connector.core.mapping_text import Spec
    from connector.core.states import ItemKey
    from connector.core.stored import Family, Store

INCOMPLETE = "incomplete"
"""Why a family is withheld: a row without which the API would refuse it is missing, or one could not be read, or is not
the only one of its side table."""

NO_IDENTIFIER = "no_email"
"""Why a customer is withheld who has no address, where that identifies him."""

_CONSENT = frozenset((consent.FIELD,))

MOST_ITEMS = 10_000
"""Rows of one document, so that a wrong foreign key does not fill the memory."""

_TOO_MANY = f"has more than {MOST_ITEMS} rows, and is not sent in part; expected fewer: choose them by `when`"


class Send(NamedTuple):
    """The document as it should be there. `retracts`: it takes a consent back, and holds nothing else."""

    id: str
    document: dict[str, Any]
    retracts: bool = False
    merged_items: int = 0


@dataclass(frozen=True, slots=True)
class Remove:
    """Nothing of the family should be there. `emptied`: its last item has gone, which may be for a moment."""

    emptied: bool = False


@dataclass(frozen=True, slots=True)
class Keep:
    """Nothing is to be sent, and that is no error. `reason`: a label of the metrics, "" where there is no document."""

    reason: str


Judged = Send | Remove | Keep | Reject


class _Untellable(Exception):  # noqa: N818 (it names what the family is)
    """Of a row of the family something could not be read or is missing; with `reject` that will not come right."""

    def __init__(self, reject: Reject | None = None) -> None:
        super().__init__()
        self.reject = reject


class Assembly:
    """Makes the documents of one entity. `readers`: those of its tables, the root's first.

    `by_email`: a customer is identified by his address, which is in lower case then. `several`: side tables that were
    found to have several rows for one.
    """

    def __init__(  # noqa: PLR0913 (what it makes them of)
        self,
        entity: Entity,
        spec: Spec,
        readers: Sequence[Reader],
        options: Options,
        store: Store,
        *,
        by_email: bool = False,
    ) -> None:
        self.shares_ids = self._by_email = by_email
        self.several: set[str] = set()
        self._entity = entity
        self._store = store
        self._contract = options.contract
        self._policy: consent.Policy = options.consent if entity is Entity.CUSTOMERS else "forward"
        fields = documents.FIELDS[entity]
        self._id_field = "Email" if by_email else fields[0].name
        listed = listed_of(spec.table)
        self._list_field = next((field.name for field in fields if field.elements), "") if listed else ""
        self._withholds = listed is not None and options.empty == "withhold"
        self._required = documents.required(entity, options.contract)
        self._part_required = documents.required(entity, options.contract, self._list_field) if listed else frozenset()
        self._root = readers[0]
        self._child = next((reader for reader in readers if reader.member.role is Role.CHILD), None)
        self._sides = [reader for reader in readers if reader.member.role is Role.ROOT_SIDE]
        self._part_sides = [reader for reader in readers if reader.member.role is Role.CHILD_SIDE]

    def judge(self, parent: str, family: Family | None) -> Judged:
        """What should be at Replenit of the family."""
        there = There.NOTHING if family is None else family.there
        root = self._body(self._root, parent)
        if root is None or root.moved:
            return Remove() if there else Keep("")
        document, shared, untold, unread = self._with_sides(self._sides, parent, root)
        identifier = self._identify(document)
        if not identifier and not unread:
            return Remove() if there else Keep(NO_IDENTIFIER)
        verdict = self._judge_consent(identifier, document, unread, family)
        if verdict is None and unread:
            verdict = self._withhold(parent, identifier, family)
        if verdict is not None:
            return verdict
        notes = Notes()
        try:
            if self._child is not None:
                document[self._list_field] = self._parts(parent, shared, untold, notes)
            elif shared and document.get(self._list_field):
                document[self._list_field] = [{**shared, **part} for part in document[self._list_field]]
        except _Untellable as untellable:
            return untellable.reject or self._withhold(parent, identifier, family)
        if self._withholds and document.get(self._list_field) == []:
            return Remove(emptied=True) if there else Keep(WITHHELD[self._entity])
        return self._checked(identifier, document, untold, notes)

    def _withhold(self, parent: str, identifier: str, family: Family | None) -> Judged:
        """What becomes of a family of which not all can be told: what is certain to be wrong there goes."""
        if family is None or not family.there:
            return Keep(INCOMPLETE)
        if identifier and family.id not in ("", identifier):  # no row has the id any more that is there
            return Remove()
        holds_none = self._child is not None and not self._store.children(self._child.member.number, parent, 1)
        return Remove(emptied=True) if holds_none and self._withholds else Keep(INCOMPLETE)

    def may_send(self, root: Body) -> bool:
        """Whether the root row alone does not forbid it, by a consent that was not given."""
        return self._policy == "forward" or root.fields.get(consent.FIELD) is not False

    def id_of(self, root: Body) -> str:
        """The id of the document of a root row."""
        return self._identify(dict(root.fields))

    def id_told(self, event: ChangeEvent) -> str:
        """The id of the document of a root row that has gone, "" where its event does not tell it."""
        return self._identify(self._root.last_told(event, self._id_field))

    def _identify(self, document: dict[str, Any]) -> str:
        """The document's id, "" where it has none."""
        identifier = document.get(self._id_field)
        if identifier is not None and self._by_email:
            identifier = document[self._id_field] = str(identifier).lower()
        return "" if identifier is None else str(identifier)

    def key_of(self, part: Mapping[str, Any]) -> ItemKey | None:
        """What names an item or a variant within its document; None where it lacks that."""
        names = KEYS.get(self._entity, ())
        return tuple(str(part[name]) for name in names) if all(part.get(name) for name in names) else None

    def keys_of(self, document: Mapping[str, Any]) -> frozenset[ItemKey]:
        """The keys of the document's items."""
        parts = document.get(self._list_field) or ()
        return frozenset(key for part in parts if (key := self.key_of(part)) is not None)

    def _body(self, reader: Reader, key: str) -> Body | None:
        row = self._store.row(reader.member.number, key)
        return None if row is None or not row.body else Body.decode(row.body)

    def _with_sides(
        self, sides: Sequence[Reader], parent: str, body: Body, *, part: bool = False
    ) -> tuple[dict[str, Any], dict[str, Any], set[str], list[Reader]]:
        """The fields of a row and of its side rows; those of all elements of its list; those that were never told.

        `part`: the row is such an element. Last the tables of which a row is missing, or could not be read as a whole.
        """
        unread = [self._child if part and self._child else self._root] if body.bad else []
        required = self._part_required if part else self._required
        fields, parts, untold = dict(body.fields), dict(body.parts), set(body.untold)
        for side in sides:
            rows = self._store.children(side.member.number, parent, MOST_ITEMS)
            if len(rows) > 1:  # which of them is meant is not known, perhaps for a moment
                unread.append(side)
                self.several.add(side.member.said.table)
                if side.feeds(_CONSENT) and not all(Body.decode(row.body).fields.get(consent.FIELD) for _, row in rows):
                    fields[consent.FIELD] = False  # one of them may be a withdrawal
                continue
            if rows:
                beside = Body.decode(rows[0][1].body)
                unread += [side] if beside.bad else []
                fields |= beside.fields
                parts |= beside.parts
                untold.update(beside.untold)
                continue
            told, told_of_parts = side.without_row()
            fields |= told
            parts |= told_of_parts
            if side.feeds(required - told.keys()) or side.feeds_parts(self._part_required - told_of_parts.keys()):
                unread.append(side)
        return fields, parts, untold, unread

    def _parts(self, parent: str, shared: dict[str, Any], untold: set[str], notes: Notes) -> list[dict[str, Any]]:
        """The items or variants, from their rows. Raises _Untellable."""
        assert self._child is not None
        parts = []
        rows = self._store.children(self._child.member.number, parent, MOST_ITEMS + 1)
        if len(rows) > MOST_ITEMS:
            raise _Untellable(Reject(Reason.TOO_LARGE, (FieldError(self._list_field, _TOO_MANY),)))
        for key, row in rows:
            part, _, lacking, unread = self._with_sides(self._part_sides, key, Body.decode(row.body), part=True)
            if unread:
                raise _Untellable
            if not self._part_required.isdisjoint(lacking):
                untold.add(self._list_field)
            parts.append({**shared, **part})
        return merge(parts, notes) if self._entity is Entity.ORDERS else parts

    def _judge_consent(
        self, identifier: str, document: Mapping[str, Any], unread: Sequence[Reader], family: Family | None
    ) -> Judged | None:
        """None: as far as consent goes, the customer may be sent. Whatever else of him could not be read.

        An id by which nothing is there is told to nobody without consent.
        """
        given: bool | None = document.get(consent.FIELD)
        if self._policy == "forward" or given or (given is None and self._policy == "assume"):
            return None
        if given is None and any(reader.feeds(_CONSENT) for reader in unread):
            return None
        there = There.NOTHING if family is None else family.there
        if family is not None and there and family.id != (identifier or family.id):
            return Remove()
        if family is not None and family.id and there is There.DOCUMENT:
            return Send(family.id, {self._id_field: family.id, consent.FIELD: False}, retracts=True)
        return Keep(consent.UNKNOWN if given is None else consent.NO_CONSENT)

    def _checked(self, identifier: str, document: dict[str, Any], untold: set[str], notes: Notes) -> Judged:
        if self._policy == "assume":
            document.setdefault(consent.FIELD, True)
        required = self._required | ({self._list_field} if self._list_field else set())
        if lacking := sorted(untold & required):
            return Reject(Reason.UNAVAILABLE, tuple(FieldError(name, UNAVAILABLE_REMEDY) for name in lacking))
        wrong = documents.problems(self._entity, document, self._contract)
        if wrong:
            return Reject(Reason.INVALID, wrong)
        return Send(identifier, document, merged_items=notes.merged_items)
