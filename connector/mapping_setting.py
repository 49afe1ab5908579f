"""MAPPING_FILE: the mapping of each entity, and whether it fits the other settings."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from connector.core import mapping_text
from connector.core.events import Entity
from connector.core.family_tables import members
from connector.core.mapping_text import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connector.core.documents import Contract

    Topics: TypeAlias = Mapping[Entity, Sequence[str]]

SOURCES = {Entity.CUSTOMERS: "topic_customers", Entity.ORDERS: "topic_orders", Entity.PRODUCTS: "topic_products"}
"""Entity → the setting that names the topics of its table."""

DEFAULT_MAPPING = Path(__file__).with_name("default_mapping.yaml")


class MistakesError(ValueError):
    """What is wrong with a mapping file, a sentence each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("is no valid mapping")
        self.mistakes = mistakes


def read(text: str, topics: Topics, contract: Contract, consent_policy: str) -> dict[Entity, Spec]:
    """The mapping of each entity, from a file's text; the default one where that is empty.

    `topics`: those of each entity, which may be none. Raises MistakesError.
    """
    if not text:
        return default_mapping()
    specs = mapping_text.read(text, contract)
    if isinstance(specs, dict):
        mistakes = [*_unlike_topics(specs, topics), *_same_topics(specs, topics)]
        mistakes += _without_consent(specs, topics) if consent_policy == "enforce" else ()
        specs = mistakes or specs
    if isinstance(specs, list):
        raise MistakesError(specs)
    return specs


def _unlike_topics(specs: Mapping[Entity, Spec], topics: Topics) -> Iterator[str]:
    for entity, names in topics.items():
        variable, spec = SOURCES[entity].upper(), specs.get(entity)
        if names and spec is None:
            yield f"has nothing for {entity}, and {variable} is set; add `{entity}:`, or unset the variable"
        table = spec.table.table if spec else None
        if spec is None or table is None:
            continue
        for topic in names:
            if topic != table and not topic.endswith(f".{table}"):
                line = spec.lines["table",]
                yield f"line {line}: {entity}.table is {table}, and {variable} names {topic}; let them be the same"


def _same_topics(specs: Mapping[Entity, Spec], topics: Topics) -> Iterator[str]:
    """Each topic holds the rows of one table."""
    seen: dict[str, str] = {}
    for entity, names in topics.items():
        spec = specs.get(entity)
        for table in members(entity, spec, names) if spec and names else ():
            for topic in table.topics:
                if topic in seen:
                    yield f"reads {topic} as {table.name or entity} and as {seen[topic]}; expected one of them"
                seen[topic] = table.name or entity.value


def _without_consent(specs: Mapping[Entity, Spec], topics: Topics) -> Iterator[str]:
    """Under the policy that enforces consent."""
    spec = specs.get(Entity.CUSTOMERS)
    if spec is not None and topics.get(Entity.CUSTOMERS) and spec.table.fields.GdprOptin is None:
        line = spec.lines["fields",]
        yield (
            f"line {line}: customers.fields has no source for GdprOptin, and CONSENT_POLICY is enforce: nobody would "
            "be sent; add the column that tells the consent, or choose another policy"
        )


@functools.cache
def default_mapping() -> dict[Entity, Spec]:
    """What holds without a mapping file. Nobody has written it, so errors name none of its lines."""
    specs = mapping_text.read(DEFAULT_MAPPING.read_text(encoding="utf-8"))
    assert isinstance(specs, dict), specs
    return {entity: Spec(spec.table, {}) for entity, spec in specs.items()}
