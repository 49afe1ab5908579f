"""The README's mapping file and each of its steps do what stands beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from mappings import mapping_of

from connector.core import documents
from connector.core.events import ChangeEvent, Entity, Op, Record, Row
from connector.core.mapping import Options
from connector.core.mapping_file import Listed, Table
from connector.core.mapping_text import read
from connector.core.sources import Source
from connector.core.verdicts import Refused, Upsert, Verdict, Withhold
from connector.settings import load

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
MAPPING, TABLES = (
    README.partition(f"<!-- mapping: {name} -->\n```yaml\n")[2].partition("```")[0] for name in ("example", "tables")
)
BASES: dict[Entity, dict[str, Any]] = {
    Entity.CUSTOMERS: {"CustomerId": "id", "GdprOptin": {"constant": True}},
    Entity.ORDERS: {"OrderId": "id", "CustomerId": {"constant": "5"}, "Currency": {"constant": "EUR"}},
    Entity.PRODUCTS: {"ProductId": "id"},
}


class Example(NamedTuple):
    """A row of the table. `column`: what the row holds. `result`: what the field holds, or what becomes of it."""

    step: str
    mapping: str
    column: str
    result: str


def _examples() -> list[Example]:
    """The table's rows, with the step's name where a row goes on with the one above."""
    table = README.partition("<!-- steps:begin -->")[2].partition("<!-- steps:end -->")[0]
    found: list[Example] = []
    for line in table.strip().splitlines()[2:]:
        step, _, *rest = (cell.strip() for cell in line.split("|")[1:-1])
        found.append(Example(step or found[-1].step, *rest))
    return found


EXAMPLES = _examples()


def _code(cell: str) -> str | None:
    match = re.fullmatch(r"`(.*)`", cell)
    return match[1] if match else None


def run(example: Example) -> tuple[Verdict, Any]:
    """What becomes of the row, and the document that is sent, if any."""
    [(name, said)] = yaml.safe_load(_code(example.mapping) or "").items()
    entity = next((each for each in Entity if any(field.name == name for field in documents.FIELDS[each])), None)
    owner = entity or Entity.CUSTOMERS
    table: dict[str, Any] = {"fields": BASES[owner] | ({name: said} if entity else {})}
    text = json.dumps({"version": 1, owner.value: table | ({} if entity else {name: said})})
    code = _code(example.column)
    value = None if code is None else json.loads(code)
    column = said if isinstance(said, str) else said.get("column")
    if entity is None or column is None:
        row = value or {}
    elif isinstance(value, dict):
        row = {column: json.dumps(value)}
    else:
        row = {} if code is None else {column: value}
    row = {"id": 1} | row
    mapping = mapping_of(owner, Options(), text)
    verdict = mapping.map(ChangeEvent(Record("t", 0, 0, None, None), Op.CREATE, Row({"id": row["id"]}), None, Row(row)))
    if not isinstance(verdict, Upsert):
        return verdict, None
    judged = mapping.check(verdict, {})
    assert isinstance(judged, dict), judged
    return verdict, judged.get(name, ...)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.step}: {example.column}")
def test_each_example_of_a_step_is_true(example: Example) -> None:
    """The field holds what the last column says, is left out, or the row is sent, withheld or refused."""
    verdict, value = run(example)
    match example.result:
        case "left out":
            assert value is ...
        case "refused":
            assert isinstance(verdict, Refused)
        case "withheld":
            assert isinstance(verdict, Withhold)
        case "sent":
            assert isinstance(verdict, Upsert)
        case result:
            expected = json.loads(_code(result) or "")
            assert (value, type(value)) == (expected, type(expected))


def test_every_step_is_documented_in_its_order() -> None:
    """All that a mapping may say of a source or a table has a row, but for other tables'."""
    order = [_code(step) for step in dict.fromkeys(example.step for example in EXAMPLES)]
    sources = {
        name: None for model in Source.__subclasses__() for each in model.__subclasses__() for name in each.model_fields
    }
    assert sources.keys() <= set(order)
    assert {"when", "primary_key", "row"} <= set(order)
    assert set(order) <= sources.keys() | Table.model_fields.keys() | Listed.model_fields.keys()
    taken = [
        "scale",
        "path",
        "unescape",
        "trim",
        "case",
        "null_values",
        "values",
        "unit",
        "zone",
        "split",
        "invalid",
        "default",
    ]
    assert [step for step in order if step in taken] == taken


def test_the_readme_s_mapping_is_one() -> None:
    """A newcomer's table is mapped by the file as it stands there."""
    mapping = mapping_of(Entity.CUSTOMERS, Options(), MAPPING)
    row = {"id": 7, "mail": " Ana@Example.com ", "first_name": "Ana", "last_name": "Bo", "newsletter": "yes"}
    live = row | {"role": "customer", "deleted_at": None}
    verdict = mapping.map(ChangeEvent(Record("t", 0, 0, None, None), Op.CREATE, Row({"id": 7}), None, Row(live)))
    assert isinstance(verdict, Upsert)
    assert mapping.check(verdict, {}) == {
        "CustomerId": "7",
        "Email": "ana@example.com",
        "Name": "Ana",
        "Surname": "Bo",
        "GdprOptin": True,
    }


def test_the_readme_s_mistakes_are_those_of_its_mapping() -> None:
    """They are told as it says."""
    wrong = MAPPING.replace("Email:", "EMail:").replace("values: { yes: true, no: false }", "otherwise: false")
    assert read(wrong) == [
        line.removeprefix("MAPPING_FILE: ") for line in README.splitlines() if line.startswith("MAPPING_FILE: line")
    ]


def test_the_readme_s_mapping_of_several_tables_names_their_topics() -> None:
    """It is valid as it stands there, and its tables' topics are the siblings of those that the settings name."""
    settings = load(
        {
            "REPLENIT_TENANT_ID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
            "REPLENIT_API_KEY": "c2VjcmV0",
            "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
            "TOPIC_ORDERS": "shop.public.orders",
            "TOPIC_PRODUCTS": "shop.public.products",
            "MAPPING": TABLES,
        }
    )
    assert settings.topics == {
        Entity.ORDERS: ("shop.public.orders", "shop.public.order_items"),
        Entity.PRODUCTS: tuple(f"shop.public.{table}" for table in ("products", "product_texts", "variants", "stock")),
    }
