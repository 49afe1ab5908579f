"""The mapping among the settings: where it comes from, and its mistakes beside all others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from connector.core.events import Entity
from connector.errors import ConfigurationError
from connector.mapping_setting import DEFAULT_MAPPING
from connector.settings import load

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2-s3cr3t"
MINIMAL = {
    "REPLENIT_TENANT_ID": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "REPLENIT_API_KEY": SECRET,
    "KAFKA_BOOTSTRAP_SERVERS": "kafka:9092",
    "TOPIC_ORDERS": "shop.public.purchases",
}
ORDERS = """\
version: 1
orders:
  table: purchases
  fields:
    OrderId: id
    CustomerId: user
    Currency: currency
"""


def problems(environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(environ)
    assert caught.value.__cause__ is None
    assert SECRET not in str(caught.value)
    return caught.value.problems


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mapping.yaml"
    path.write_text(ORDERS, encoding="utf-8")
    return path


def test_without_a_mapping_the_default_one_holds() -> None:
    """It is the file that is shipped; since nobody has written it, errors name none of its lines."""
    default = load(MINIMAL).mapping
    written = load(MINIMAL | {"MAPPING_FILE": str(DEFAULT_MAPPING)}).mapping
    assert {entity: spec.table for entity, spec in default.items()} == {
        entity: spec.table for entity, spec in written.items()
    }
    assert not any(spec.lines for spec in default.values())
    assert all(spec.lines for spec in written.values())


def test_a_mapping_is_a_file_or_a_text(file: Path) -> None:
    """Both say the same; only what is mapped is there."""
    by_file = load(MINIMAL | {"MAPPING_FILE": str(file)}).mapping
    assert by_file == load(MINIMAL | {"MAPPING": ORDERS}).mapping
    assert list(by_file) == [Entity.ORDERS]
    assert by_file[Entity.ORDERS].table.table == "purchases"
    assert by_file[Entity.ORDERS].lines["fields", "Currency"] == 7


def test_a_mapping_is_given_once(file: Path) -> None:
    """A text beside a file is a mistake, whatever they hold."""
    [problem] = problems(MINIMAL | {"MAPPING_FILE": str(file), "MAPPING": ORDERS})
    assert problem.startswith("MAPPING_FILE: is set beside MAPPING; ")


@pytest.mark.parametrize("variable", ["MAPPING", "MAPPING_FILE"])
def test_its_mistakes_are_listed_beside_those_of_other_variables(variable: str, file: Path) -> None:
    """Each on a line of its own, by the variable that was set."""
    wrong = ORDERS.replace("Currency", "Curency").replace("id", "[]")
    file.write_text(wrong, encoding="utf-8")
    found = problems(
        MINIMAL | {variable: str(file) if variable == "MAPPING_FILE" else wrong, "LINGER_MAX": "x", "LOG_LEVEL": "y"}
    )
    assert [problem.partition(";")[0] for problem in found] == [
        "LINGER_MAX: is not a number",
        "LOG_LEVEL: is not one of the choices",
        f"{variable}: line 4, column 3: orders.fields has no source for Currency, which the API requires",
        f"{variable}: line 5, column 5: orders.fields.OrderId is a list",
        f"{variable}: line 7, column 5: orders.fields.Curency is unknown here",
    ]


@pytest.mark.parametrize(
    ("topics", "ends"),
    [
        ({"TOPIC_ORDERS": "purchases"}, None),
        ({"TOPIC_ORDERS": "shop.public.purchases,eu.shop.purchases"}, None),
        (
            {"TOPIC_ORDERS": "shop.orders"},
            "line 3: orders.table is purchases, and TOPIC_ORDERS names shop.orders; let them be the same",
        ),
        ({"TOPIC_ORDERS": "shop.old_purchases"}, "let them be the same"),
        (
            {"TOPIC_PRODUCTS": "shop.public.products"},
            "has nothing for products, and TOPIC_PRODUCTS is set; add `products:`, or unset the variable",
        ),
    ],
)
def test_tables_and_topics_are_the_same(topics: dict[str, str], ends: str | None) -> None:
    """A topic's last part is its table, and what has a topic has a mapping."""
    environ = MINIMAL | topics | {"MAPPING": ORDERS}
    if ends is None:
        assert load(environ).topics
    else:
        [problem] = problems(environ)
        assert problem.startswith("MAPPING: ")
        assert problem.endswith(ends)


def test_a_mapping_may_say_more_than_is_read() -> None:
    """One file for several processes, each with its topics."""
    assert load(MINIMAL | {"MAPPING": ORDERS + "products: { fields: { ProductId: id } }"}).topics.keys() == {
        Entity.ORDERS
    }


def test_the_contract_is_the_mapping_s_too() -> None:
    """What the stricter one requires must be fed."""
    found = problems(MINIMAL | {"MAPPING": ORDERS, "CONTRACT": "strict"})
    assert [problem.partition(" for ")[2].partition(",")[0] for problem in found] == [
        "Email",
        "OrderDate",
        "OrderItems",
        "TotalRevenue",
    ]


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xff\xfe", None, SECRET.encode(), f"{SECRET}: [".encode()])
def test_a_file_that_is_no_mapping_is_told_without_its_content(content: bytes | None, tmp_path: Path) -> None:
    """Somebody may have named a file of secrets."""
    path = tmp_path / "mapping.yaml"
    if content is not None:
        path.write_bytes(content)
    [problem] = problems(MINIMAL | {"MAPPING_FILE": str(path)})
    assert problem.startswith("MAPPING_FILE: ")


def test_a_misspelt_variable_is_no_default_in_silence() -> None:
    """The default mapping would be taken for the one that was meant."""
    [problem] = problems(MINIMAL | {"MAPPING_FIL": "mapping.yaml"})
    assert problem.endswith("e.g. MAPPING_FILE")
