"""What Replenit must hold of the shop, as SQL says it, and how it differs from what it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from oracle import Expectation, difference

from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from collections.abc import Mapping

    from e2e.postgres import Postgres

ENTITIES = ("customers", "orders", "products")

Documents: TypeAlias = "Mapping[str, Mapping[str, Mapping[str, Any]]]"
"""Entity → id → document."""

_QUERY = Path(__file__).with_name("wanted.sql").read_text()


@dataclass(frozen=True, slots=True)
class Wanted:
    """The documents that Replenit must hold, and no others. `optional`: the customers of whom it may hold nothing."""

    documents: Documents
    optional: frozenset[str]

    def difference(self, held: Documents, upsert: Upsert) -> list[str]:
        """Name each thing that is held and must not be, or must be and is not, by how an upsert was read."""
        told = _told(held) if upsert is Upsert.MERGE else held
        absent = self.optional - told["customers"].keys()
        customers = {key: each for key, each in self.documents["customers"].items() if key not in absent}
        nothing: dict[str, dict[str, Any]] = {entity: {} for entity in ENTITIES}
        return difference(Expectation({**self.documents, "customers": customers}, nothing, {}, {}), told)


def wanted(postgres: Postgres) -> Wanted:
    """Ask the tables."""
    documents: dict[str, dict[str, Any]] = {entity: {} for entity in ENTITIES}
    optional = set()
    for row in postgres.rows(_QUERY):
        document = _without_nulls(row["document"])
        if "OrderDate" in document:
            document["OrderDate"] = datetime.fromisoformat(document["OrderDate"])
        documents[row["entity"]][row["id"]] = document
        if row.get("optional"):
            optional.add(row["id"])
    return Wanted(documents, frozenset(optional))


def _told(held: Documents) -> dict[str, dict[str, Any]]:
    """What was told last where an upsert merges: a null clears a field, and a retraction leaves what was there."""
    told: dict[str, dict[str, Any]] = _without_nulls(held)
    for key, document in told["customers"].items():
        if not document["GdprOptin"]:
            told["customers"][key] = {name: document[name] for name in ("CustomerId", "GdprOptin")}
    return told


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 (JSON is any)
    if isinstance(value, dict):
        return {name: _without_nulls(each) for name, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value
