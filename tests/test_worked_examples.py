"""Each worked mapping on real changes of a shop with such tables, against what SQL says of these tables."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
import yaml
from worked_examples import CAPTURED, DIALECTS, FILES, SHOPS, Event, Shop, events, expected, mapping_file, settings

from connector.core.documents import problems
from connector.core.events import Entity
from connector.core.mapping_file import Listed
from connector.core.mapping_text import read
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from connector.core.mapping_file import Root, Table
    from connector.core.sources import Source

SILENT = {"magento": {("orders", "5003"): {"CustomerId": "2"}}}
"""What a foreign key's ON DELETE SET NULL did to an order, which is not in MySQL's log: shop → row → what it held."""


def should_hold(shop: str, moment: str) -> dict[str, dict[str, Any]]:
    """What the tables say, where consent is given; of a customer who took it back, that alone."""
    documents = {entity: dict(found) for entity, found in expected(shop, moment).items()}
    before = expected(shop, "start")["customers"]
    for identifier, document in list(documents["customers"].items()):
        if not document["GdprOptin"]:
            del documents["customers"][identifier]
            if before[identifier]["GdprOptin"]:
                documents["customers"][identifier] = {"CustomerId": identifier, "GdprOptin": False}
    for entity, identifier in SILENT.get(shop, {}) if moment == "end" else ():
        documents[entity][identifier] = {**documents[entity][identifier], **SILENT[shop][entity, identifier]}
    return documents


def differences(shop: Shop, name: str, moment: str) -> list[str]:
    """What Replenit holds and should not, and the other way round.

    Of a customer who took his consent back nothing else is told: an upsert that merges leaves it there.
    """
    holds, should = shop.documents, should_hold(name, moment)
    found = []
    for entity in Entity:
        for identifier in sorted(holds[entity].keys() | should[entity].keys()):
            there, right = holds[entity].get(identifier), should[entity].get(identifier)
            if shop.upsert is Upsert.MERGE and there and right and right.get("GdprOptin") is False:
                there = {field: there.get(field) for field in right}
            if written(there) != written(right):
                found.append(f"{entity} {identifier}:\n  holds  {written(there)}\n  should {written(right)}")
    return found


def written(value: object) -> str:
    """A document as text, the same for the same: numbers by value, items in any order."""
    return json.dumps(_ordered(value), sort_keys=True)


def _ordered(value: object) -> object:
    if isinstance(value, dict):
        return {name: _ordered(inner) for name, inner in value.items()}
    if isinstance(value, list):
        inner = [_ordered(each) for each in value]
        return sorted(inner, key=written) if any(isinstance(each, dict) for each in inner) else inner
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.parametrize("upsert", Upsert)
@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("name", SHOPS)
def test_replenit_holds_what_the_tables_say(name: str, dialect: str, upsert: Upsert) -> None:
    """After the snapshot, and after all changes, whichever way an upsert is read; nothing is refused."""
    told = events(name, dialect)
    shop = Shop(settings(name), upsert)
    shop.tell(event for event in told if event.initial)
    shop.wait()
    assert differences(shop, name, "start") == []
    shop.tell(event for event in told if not event.initial)
    shop.wait()
    assert differences(shop, name, "end") == []
    assert not shop.letters


def interleaved(told: Sequence[Event], chance: random.Random) -> list[Event]:
    """The events in another order, in which those of one topic keep theirs."""
    topics = [event.topic for event in told]
    chance.shuffle(topics)
    streams = {topic: iter([event for event in told if event.topic == topic]) for topic in topics}
    return [next(streams[topic]) for topic in topics]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("name", SHOPS)
def test_topics_need_no_order_among_them(name: str, seed: int) -> None:
    """Items before their orders, sides before and after: in any order, and with kills in between, it ends the same."""
    chance = random.Random(seed)
    shop = Shop(settings(name), chance.choice(list(Upsert)), seed)
    for event in interleaved(events(name, "precise"), chance):
        shop.tell([event])
        if chance.random() < 0.3:
            shop.run(chance.uniform(0, 8))
        if chance.random() < 0.05:
            shop.restart()
    shop.wait()
    withheld = {
        f"customers {identifier}:\n  holds  null\n  should {written(document)}"
        for identifier, document in should_hold(name, "end")["customers"].items()
        if not document["GdprOptin"]
    }  # who took the consent back before he was ever sent was not
    assert set(differences(shop, name, "end")) <= withheld
    assert not shop.letters


@pytest.mark.parametrize("name", SHOPS)
def test_the_newest_reference_accepts_what_is_sent(name: str) -> None:
    """Nothing that it requires is missing, but for who an order is from where the shop does not know both."""
    for moment in ("start", "end"):
        for entity, documents in should_hold(name, moment).items():
            for document in documents.values():
                found = problems(Entity(entity), document, "strict")
                assert {problem.path for problem in found} <= {"CustomerId", "Email"}, found


@pytest.mark.parametrize("name", SHOPS)
def test_the_file_is_valid(name: str) -> None:
    """By either contract, or the file says that it is not; and by the schema that editors check it with."""
    text = mapping_file(name).read_text(encoding="utf-8")
    assert isinstance(read(text, "lenient"), dict)
    assert isinstance(read(text, "strict"), dict) != ("CONTRACT=strict refuses this file" in text)
    schema = json.loads((FILES.parents[1] / "schemas" / "mapping.schema.json").read_bytes())
    jsonschema.validate(yaml.safe_load(text), schema, jsonschema.Draft202012Validator)


@pytest.mark.parametrize("name", SHOPS)
def test_every_column_is_in_its_table(name: str) -> None:
    """The shop's schema, or the SQL beside the file, declares each table and column that the file names."""
    declared = dict(tables(CAPTURED / name / "schema.sql"))
    for file in FILES.glob(f"{name}-*.sql"):
        declared |= tables(file)
    assert not [(table, column) for table, column in named_by(name) if column not in declared.get(table, ())]


def named_by(name: str) -> list[tuple[str, str]]:
    """Table and column of all that the shop's file names."""
    specs = read(mapping_file(name).read_text(encoding="utf-8"))
    assert isinstance(specs, dict)
    return [pair for spec in specs.values() for pair in columns_of(spec.table)]


def tables(file: Path) -> dict[str, set[str]]:
    """Table → its columns, of each CREATE TABLE: one column a line, indented."""
    found: dict[str, set[str]] = {}
    for name, body in _CREATE.findall(file.read_text(encoding="utf-8")):
        lines = (_COLUMN.match(line) for line in body.splitlines())
        found[name] = {line[1] for line in lines if line and line[1].upper() not in _NO_COLUMNS}
    return found


_CREATE = re.compile(r"^CREATE TABLE (?:IF NOT EXISTS )?(?:public\.)?`?(\w+)`? \(\n(.*?)^\)", re.MULTILINE | re.DOTALL)
_COLUMN = re.compile(r"\s+`?(\w+)`? ")
_NO_COLUMNS = {"PRIMARY", "UNIQUE", "KEY", "CONSTRAINT"}


def columns_of(root: Root) -> Iterator[tuple[str, str]]:
    """Table and column of all that a mapping names of an entity; what lies within a JSON column is none."""
    sides = root.side_tables or {}
    known: dict[str, Table] = {"": root, **sides}
    yield from of_tables(known.values())
    for field, source in root.fields:
        if not isinstance(source, Listed):
            yield from of_fields([(field, source)], known)
        elif source.column is not None:
            assert root.table is not None
            yield root.table, source.column
        else:
            inner = source.side_tables or {}
            yield from of_tables([source, *inner.values()])
            own = root if source.row else source
            yield from of_fields(source.fields, {**known, **inner, "parent": root, "": own})


def of_tables(found: Iterable[Table]) -> Iterator[tuple[str, str]]:
    for table in found:
        for column in [*(table.when or ()), *(getattr(table, "foreign_key", None) or ()), *(table.primary_key or ())]:
            assert table.table is not None
            yield table.table, column


def of_fields(fields: Iterable[tuple[str, Source | None]], known: Mapping[str, Table]) -> Iterator[tuple[str, str]]:
    for _, source in fields:
        for column in () if source is None else source.columns:
            prefix, _, name = column.rpartition(".")
            table = known[prefix].table
            assert table is not None
            yield table, name


@pytest.mark.parametrize("name", SHOPS)
def test_the_readme_names_what_debezium_must_capture(name: str) -> None:
    """The tables that are read, and none of their columns left out; and each file of the shop's."""
    readme = (FILES / "README.md").read_text(encoding="utf-8")
    said = dict(_PROPERTY.findall(_properties(readme, name)))
    read_topics = {topic for topics in settings(name).topics.values() for topic in topics}
    assert {f"shop.{table}" for table in said["table.include.list"].split(",")} == read_topics
    for pattern in said.get("column.exclude.list", "none").split(","):
        assert not [column for column in all_columns(name) if re.fullmatch(pattern, column)]
    assert not [file for file in FILES.glob(f"{name}*") if f"`{file.name}`" not in readme]


_PROPERTY = re.compile(r"^([a-z.]+)=(.+)$", re.MULTILINE)


def _properties(readme: str, name: str) -> str:
    """The README's lines of a shop, those that go on joined."""
    (block,) = re.findall(r"```properties\n(.*?)```", readme, re.DOTALL)
    (found,) = [part for part in block.split("\n\n") if part.lower().startswith(f"# {name}")]
    return re.sub(r"\\\n\s+", "", found)


def all_columns(name: str) -> list[str]:
    """All that the mapping names, as Debezium's patterns do."""
    schema = "public" if name == "saleor" else name
    return [f"{schema}.{table}.{column}" for table, column in named_by(name)]
