"""What the API must hold once a shop's own tables were delivered, and which records must be dead letters.

It imports nothing of the connector: see `oracle`, whose rules of the API it shares, and `family_documents`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from family_captures import ENTITIES, SHOPS, final_table
from family_documents import FOREIGN_KEYS, FULL, Case, Judged, customer, judged, last_rows, order, product, values_of
from oracle import Expectation, payload, retracted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from family_documents import Row
    from oracle import Document

LOST = "json-lost-offsets"
UNREPORTED = "1006"
"""A customer whose deletion was never reported in the dialect `LOST`."""

_STOCKS = (121, *range(40))  # that variant 901102 had


class Dead(NamedTuple):
    """A row of which a record is a dead letter."""

    table: str
    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """`state`: what the API must hold.

    Dead letters: `bad` rows, of each of which one must be a record; of each set in `refused` one; of no others than
    those and `doubtful` rows, which end well, but not in every order.
    """

    state: Expectation
    bad: frozenset[Dead]
    refused: tuple[frozenset[Dead], ...]
    doubtful: frozenset[tuple[str, str]]


def expected(dialect: str, shop: str, *, consent: Literal["forward", "enforce"], merges: bool = False) -> Wanted:
    """What the API must hold at the end if all records of a dialect were delivered as a mapping file says.

    `merges`: an upsert changes no field that it does not hold.
    """
    found = {entity: dict(judged(dialect, shop, entity)) for entity in ENTITIES}
    if dialect == LOST:
        found["customers"][UNREPORTED] = customer(Case(dialect, shop), _unreported())
    earlier: dict[str, dict[str, Sequence[Document]]] = {entity: {} for entity in ENTITIES}
    if consent == "enforce":
        _judge_consent(Case(dialect, shop), found["customers"], earlier["customers"], merges=merges)
    if shop == "tables":
        _before_their_bad_rows(dialect, found, earlier)
    if dialect in FULL and shop == "tables":
        _without_new_column(found["customers"], earlier["customers"])
    return _wanted(Case(dialect, shop), found, earlier)


def _without_new_column(found: Mapping[str, Judged], earlier: dict[str, Sequence[Document]]) -> None:
    """A column that was added with a default may first come with a change of another, which is not sent.

    Before-images, where they are trusted, have it already: nothing that is read has changed.
    """
    for key, (verdict, _) in found.items():
        if not isinstance(verdict, str) and verdict.get("IsExcluded") is False:
            without = {name: value for name, value in verdict.items() if name != "IsExcluded"}
            earlier[key] = [*earlier.get(key, ()), without]


def _judge_consent(
    case: Case, found: dict[str, Judged], earlier: dict[str, Sequence[Document]], *, merges: bool
) -> None:
    """What was never sent need not be taken back: of a new customer, and where that is kept, none may be there at all.

    Where upserts merge, the fields that were sent before stay beside the consent that is taken back. Of a withdrawal
    that only a second snapshot tells nothing is known, unless it is kept what was sent.
    """
    told = _told_as(case.dialect)
    taken_back = retracted(values_of(case.dialect, "customers"), "id")
    for key, (verdict, _) in list(found.items()):
        if isinstance(verdict, str) or verdict["GdprOptin"]:
            continue
        found[key] = Judged("withheld:no_consent")
        sent = _sent_with_consent(case, key)
        before = [{**document, "GdprOptin": False} for document in sent] if merges else []
        if key in (told.consented if case.shop == "json" else taken_back & told.created):
            earlier[key] = [_retraction(key), *before]
        elif case.shop != "json" and key in taken_back:
            found[key], earlier[key] = Judged(_retraction(key)), before
        elif case == Case(LOST, "tables"):
            earlier[key] = sent


def _retraction(key: str) -> Document:
    return {"CustomerId": key, "GdprOptin": False}


def _sent_with_consent(case: Case, key: str) -> list[Document]:
    """The documents of all rows that a customer had with his consent."""
    rows = [row for row in _told_as(case.dialect).rows if str(row["id"]) == key and row["gdpr_optin"] in (True, 1)]
    sent = [customer(case, {name: _sql(value) for name, value in row.items()}, row).verdict for row in rows]
    return [document for document in sent if not isinstance(document, str)]


def _wanted(
    case: Case,
    found: Mapping[str, Mapping[str, Judged]],
    earlier: Mapping[str, Mapping[str, Sequence[Document]]],
) -> Wanted:
    verdicts = {entity: {key: verdict for key, (verdict, _) in all_.items()} for entity, all_ in found.items()}
    documents = {entity: {k: v for k, v in all_.items() if not isinstance(v, str)} for entity, all_ in verdicts.items()}
    excepted = {entity: {k: v for k, v in all_.items() if isinstance(v, str)} for entity, all_ in verdicts.items()}
    bad = {Dead(*row, "unconvertible") for all_ in found.values() for each in all_.values() for row in each.bad}
    refused = [
        frozenset(Dead(*row, reason.removeprefix("dead:")) for row in _family(case, entity, key))
        for entity, all_ in excepted.items()
        for key, reason in all_.items()
        if reason.startswith("dead:")
    ]
    broken = [
        row
        for entity, all_ in excepted.items()
        for key, reason in all_.items()
        if reason.startswith("dead:") or reason == "withheld:incomplete"
        for row in _family(case, entity, key)
    ]
    state = Expectation(documents, excepted, earlier, {})
    return Wanted(state, frozenset(bad), tuple(refused), frozenset((*broken, *_DOUBTFUL)))


_DOUBTFUL = {
    ("product_variants", "901000"): "its price is NaN for a while",
    ("product_variants", "900900"): "it is the variant of a product whose name is too long, for a while",
    ("products", "9009"): "such a product, whose variants may be filtered",
    ("orders_json", "OJ-9001"): "its items do not come with every event",
    ("products_json", "9001"): "nor do its variants",
    ("products_json", "9901"): "nor do they under its new key",
}


def unlike(wanted: Wanted, dead: set[Dead]) -> list[str]:
    """One line for each row, or set of rows, that is no dead letter and must be, or is and must not be."""
    lines = [f"{each}: no dead letter" for each in sorted(wanted.bad - dead)]
    lines += [f"none is a dead letter of {sorted(rows)}" for rows in wanted.refused if rows.isdisjoint(dead)]
    return lines + [f"{each}: a dead letter" for each in sorted(dead) if each[:2] not in wanted.doubtful]


def without_nulls(value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    """What is null, and must be where upserts merge, is as good as absent."""
    if isinstance(value, list):
        return [without_nulls(each) for each in value]
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return value


def _family(case: Case, entity: str, key: str) -> set[tuple[str, str]]:
    """The rows that a document was ever made of, as pairs of table and primary key."""
    root, *children = SHOPS[case.shop][entity]
    rows = {
        (child, inner)
        for child in children
        for inner, row in last_rows(case.dialect, child).items()
        if str(row[FOREIGN_KEYS[child]]) == key
    }
    return {(root, key), *rows}


class _ToldAs(NamedTuple):
    """All rows of customers; those who ever had given their consent, and those whose insertion was told as such."""

    rows: tuple[Mapping[str, Any], ...]
    consented: frozenset[str]
    created: frozenset[str]


@cache
def _told_as(dialect: str) -> _ToldAs:
    told = [each for each in map(payload, values_of(dialect, "customers")) if each is not None]
    rows = [row for each in told if (row := each.get("after") if "op" in each else each) is not None]
    created = [each["after"] if "op" in each else each for each in told if "c" in (each.get("op"), each.get("__op"))]
    return _ToldAs(
        tuple(rows),
        frozenset(str(row["id"]) for row in rows if row["gdpr_optin"] in (True, 1)),
        frozenset(str(row["id"]) for row in created),
    )


def _unreported() -> Row:
    """The last row that was told, as SQL would write it."""
    row = last_rows(LOST, "customers")[UNREPORTED]
    return {name: _sql(value) for name, value in row.items()}


def _sql(value: object) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _before_their_bad_rows(
    dialect: str, found: Mapping[str, Mapping[str, Judged]], earlier: Mapping[str, dict[str, Sequence[Document]]]
) -> None:
    """A family of which a row is bad stays as it was before: without that row, if the good ones came first.

    The rows of a family lie on several partitions, which have no order. Only SO-9024 and product 9011 have good rows
    beside bad ones, one each; that of 9011 had many stocks.
    """
    case = Case(dialect, "tables")
    if isinstance(found["orders"]["SO-9024"].verdict, str):
        alone = order(case, final_table(dialect, "orders").rows["SO-9024"], only="50271").verdict
        assert not isinstance(alone, str)
        earlier["orders"]["SO-9024"] = [alone]
    if isinstance(found["products"]["9011"].verdict, str):
        alone = product(case, final_table(dialect, "products").rows["9011"], only="901102").verdict
        assert not isinstance(alone, str)
        [variant] = alone["ProductVariants"]
        stocks = [{**alone, "ProductVariants": [{**variant, "Stock": stock}]} for stock in _STOCKS]
        earlier["products"]["9011"] = stocks
