"""Mapping files: what is wrong with one is told, with its place and what would be right."""

from __future__ import annotations

import json
import re
from itertools import chain, islice, pairwise
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from mutations import keys_renamed, lines_dropped, lines_shifted, sections, values_retyped

from connector.core import yaml_text
from connector.core.events import ChangeEvent, ColumnType, Entity, Op, Record, Row
from connector.core.mapping import Mapping, Options
from connector.core.mapping_text import Spec, read
from connector.core.openapi import mapping_file
from connector.core.verdicts import Refused, Upsert
from connector.mapping_setting import DEFAULT_MAPPING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Mutate = Callable[[str], Iterator[str]]

RICH = Path(__file__).parents[1] / "rich_mapping.yaml"
FILES = [DEFAULT_MAPPING, RICH]
EXAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "examples").glob("*.yaml"))
ALIKE = sections(DEFAULT_MAPPING.read_text(encoding="utf-8"))
"""Nearly all of their fields are fed in one way: there some of them stand for all."""
SECTIONS = [*ALIKE, *sections(RICH.read_text(encoding="utf-8"))]

ORDERS = """\
version: 1
orders:
  fields:
    OrderId: id
    CustomerId: user
    Currency: currency
"""
MESSAGE = re.compile(r"line [1-9][0-9]*, column [1-9][0-9]*: \S.*")
REMEDY = re.compile(
    r"expected|did you mean|leave|add|remove|required|one of|indent|write out|keep one|close|correct|declare"
)
FOREIGN = re.compile(
    r"pydantic|Input should|Field required|validation|Traceback|Error|<class|\bdict|\btuple|\bNone\b|\bTrue\b|\bFalse\b"
    r"|\bstr\b|\bint\b|\bbool\b|\bfloat\b|Extra inputs|Value error|<block|another value|block mapping|expected one of $"
)
UNSEEN = re.compile(r"primary_key does not name|names no column|no time zone")
"""What no JSON Schema can see."""

VALIDATOR = Draft202012Validator(mapping_file())


def mistakes(text: str) -> list[str]:
    found = read(text)
    assert isinstance(found, list), "no mistake was found"
    return found


# Each mistake with its place


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ORDERS + "    Curency: x\n",
            "line 7, column 5: orders.fields.Curency is unknown here; did you mean Currency?",
        ),
        (
            ORDERS + "    order_date: x\n",
            "line 7, column 5: orders.fields.order_date is unknown here; did you mean OrderDate?",
        ),
        (
            "version: 1\nordres: {}\n",
            "line 2, column 1: ordres is unknown here; did you mean orders?",
        ),
        (
            ORDERS + "    TotalRevenue: { column: total, scal: 2 }\n",
            "line 7, column 36: orders.fields.TotalRevenue.scal is unknown here; did you mean scale?",
        ),
        (
            ORDERS + "    TotalRevenue: { column: total, zzz: 2 }\n",
            "line 7, column 36: orders.fields.TotalRevenue.zzz is unknown here; expected one of column, path",
        ),
        (
            ORDERS + "  when: { state: { note: x } }\n",
            "line 7, column 20: orders.when.state.note is unknown here; did you mean not?",
        ),
        (
            ORDERS + "    TotalRevenue: { column: total, scale: two }\n",
            "line 7, column 36: orders.fields.TotalRevenue.scale is a text; expected an integer, or `text`",
        ),
        (
            ORDERS + "    TotalRevenue: [total]\n",
            (
                "line 7, column 5: orders.fields.TotalRevenue is a list; expected a column's name, or names with "
                "values, indented below it"
            ),
        ),
        (
            ORDERS + "    Email: 5\n",
            (
                "line 7, column 5: orders.fields.Email is an integer; expected a column's name, or names with "
                "values, indented below it"
            ),
        ),
        (
            ORDERS + "    OrderItems: lines\n",
            "line 7, column 5: orders.fields.OrderItems is a text; expected names with values, indented below it",
        ),
        (
            ORDERS + "    Email: { column: mail, optional: yes }\n",
            "line 7, column 28: orders.fields.Email.optional is a text; expected true or false",
        ),
        (
            ORDERS + "    Email: { column: mail, case: Lower }\n",
            "line 7, column 28: orders.fields.Email.case is none of the choices; expected 'lower' or 'upper'",
        ),
        (
            ORDERS + "    Email:\n",
            "line 7, column 5: orders.fields.Email is empty; give it a value, or leave it out",
        ),
        (
            ORDERS + "    Email: { column: mail, default: x@example }\n",
            (
                "line 7, column 28: orders.fields.Email.default is not of the form that the API asks for; "
                "expected a valid e-mail address"
            ),
        ),
        (
            ORDERS + "    TotalQuantity: { constant: many }\n",
            "line 7, column 22: orders.fields.TotalQuantity.constant is a text; expected an integer",
        ),
        (
            ORDERS + "    OrderDate: { column: placed, zone: Berlin }\n",
            (
                "line 7, column 34: orders.fields.OrderDate.zone is no time zone; expected one of the IANA names,"
                " such as Europe/Berlin"
            ),
        ),
        (
            ORDERS + "    Email: { column: mail, template: '{mail}' }\n",
            (
                "line 7, column 5: orders.fields.Email has column and template; expected one of column, constant "
                "and template"
            ),
        ),
        (
            ORDERS + "    OrderDate: { zone: UTC }\n",
            "line 7, column 5: orders.fields.OrderDate has no source; expected one of column and constant",
        ),
        (
            ORDERS + "    Email: { constant: a@example.com, optional: true }\n",
            "line 7, column 5: orders.fields.Email has optional beside a constant, where it does nothing; leave it out",
        ),
        (
            ORDERS + "    Email: { column: mail, null_as: x }\n",
            "line 7, column 5: orders.fields.Email has null_as without template; leave it out, or add template",
        ),
        (
            ORDERS + "    OrderDate: { column: day, values: { a: 2025-01-01T00:00:00Z }, zone: UTC }\n",
            "line 7, column 5: orders.fields.OrderDate has zone beside values, where it does nothing; leave it out",
        ),
        (
            ORDERS + "    TotalRevenue: { column: doc, path: total, scale: 2 }\n",
            (
                "line 7, column 5: orders.fields.TotalRevenue has a scale beside path, but a number within JSON "
                "has none; leave scale out"
            ),
        ),
        (
            ORDERS + "    TotalRevenue: { column: doc, path: 'lines[0].price' }\n",
            (
                "line 7, column 34: orders.fields.TotalRevenue.path is no path; expected names and indexes joined by "
                "dots, such as lines.0.price"
            ),
        ),
        (
            ORDERS + "    Email: { template: 'mail' }\n",
            (
                "line 7, column 14: orders.fields.Email.template names no column; expected {column} in it, or "
                "`constant` instead of `template`"
            ),
        ),
        (
            ORDERS + "    Email: { template: '{mail' }\n",
            (
                "line 7, column 14: orders.fields.Email.template has a brace without its other one; expected "
                "{column}, or {{ for a brace"
            ),
        ),
        (
            ORDERS.replace("    Currency: currency\n", ""),
            "line 3, column 3: orders.fields has no source for Currency, which the API requires; add one",
        ),
        (
            ORDERS.replace("    OrderId: id\n", ""),
            "line 3, column 3: orders.fields has no source for OrderId, which the API requires; add one",
        ),
        (
            ORDERS.replace("    CustomerId: user\n", ""),
            (
                "line 3, column 3: orders.fields has no source for CustomerId or Email, of which the API requires"
                " one; add it"
            ),
        ),
        (
            ORDERS + "    OrderItems: { column: x, fields: { ProductId: p, Sku: s, Quantity: q } }\n",
            (
                "line 7, column 30: orders.fields.OrderItems.fields has no source for Price, which the API "
                "requires; add one"
            ),
        ),
        (
            ORDERS + "    OrderItems: { fields: { ProductId: p, Sku: s, Quantity: q, Price: r } }\n",
            (
                "line 7, column 5: orders.fields.OrderItems names no place where its elements are; expected one "
                "of column, row and table"
            ),
        ),
        (
            ORDERS + "  when: { id: null }\n",
            "line 7, column 11: orders.when.id asks for NULL, which no column of the primary key is: never true",
        ),
        (
            ORDERS + "  when: { state: { among: [a, b], not: [b, a] } }\n",
            (
                "line 7, column 11: orders.when.state refuses every value that it asks for, and can't be true; "
                "leave one of both out"
            ),
        ),
        (
            ORDERS + "  when: { sent: { not: [true, false, null] } }\n",
            (
                "line 7, column 11: orders.when.sent refuses true, false and null, and can't be true; leave one "
                "of them out"
            ),
        ),
        (
            ORDERS + "  when: { state: [] }\n",
            "line 7, column 11: orders.when.state is empty; expected at least one",
        ),
        (
            ORDERS.replace("OrderId: id", "OrderId: { constant: '5' }"),
            (
                "line 4, column 5: orders.fields.OrderId is the same for every row, and would make all of them "
                "one document; expected a column of the primary key"
            ),
        ),
        (
            ORDERS.replace("OrderId: id", "OrderId: { column: id, default: '5' }"),
            (
                "line 4, column 5: orders.fields.OrderId identifies the row by a step that may make two rows one;"
                " expected a column of the primary key alone"
            ),
        ),
        (
            ORDERS.replace("OrderId: id", "OrderId: { template: '{shop}{id}' }"),
            (
                "line 4, column 5: orders.fields.OrderId joins columns without a text between them, which may "
                "make two rows one; expected one, such as {a}-{b}"
            ),
        ),
        (
            ORDERS + "  primary_key: number\n",
            (
                "line 4, column 5: orders.fields.OrderId is made of id, which primary_key does not name, and a "
                "delete may tell nothing else; expected a column of the primary key"
            ),
        ),
        (
            ORDERS + "    Currency: other\n",
            "line 7, column 5: is a second `Currency`, beside that of line 6; one of them",
        ),
        ("version: 2\norders: {}\n", "line 1, column 1: version is none of the choices; expected 1"),
        ("orders: {}\n", "line 1, column 1: version is missing; it is required"),
        (
            "version: 1\n",
            ("line 1, column 1: the file maps nothing; expected at least one of customers, orders and products"),
        ),
        ("", "line 1, column 1: is empty; expected `version: 1` and what each entity is fed from"),
        ("5", "line 1, column 1: the file is an integer; expected names with values, indented below it"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(text: str, message: str) -> None:
    """Line and column lead to it; the sentence says what is there, and what should be."""
    found = mistakes(text)
    assert any(each.startswith(message) for each in found), found


def test_all_mistakes_are_told_at_once() -> None:
    """In the order of the lines, whatever found them: the models, the rules of the whole, or what the API requires."""
    text = """\
version: 1
customers:
  fields:
    Id: x
    Email: { column: mail, trim: 1 }
orders:
  whn: {}
  fields:
    OrderId: { constant: x }
    TotalQuantity: { column: n, scale: [] }
products:
  fields: 5
"""
    assert [message.partition(": ")[0] for message in mistakes(text)] == [
        "line 3, column 3",  # no CustomerId
        "line 4, column 5",
        "line 5, column 28",
        "line 7, column 3",
        "line 8, column 3",  # no Currency
        "line 8, column 3",  # no customer
        "line 10, column 33",
        "line 12, column 3",
    ]


def test_what_only_the_whole_shows_is_told_once_the_parts_are_right() -> None:
    """Two of a kind in one file."""
    text = ORDERS.replace("OrderId: id", "OrderId: { constant: x }") + "  when: { state: { among: [1], not: [1] } }\n"
    assert len(mistakes(text)) == 1
    assert len(mistakes(text.replace("among: [1], not: [1]", "not: 1").replace("state", "id"))) == 1


def test_no_more_than_a_hundred_mistakes_are_told() -> None:
    """The rest is counted."""
    found = mistakes(ORDERS + "".join(f"    x{number}: y\n" for number in range(150)))
    assert len(found) == 101
    assert found[-1] == "50 more mistakes"


def test_a_stricter_contract_asks_for_more_sources() -> None:
    """What the newest reference requires must be fed too."""
    assert isinstance(read(ORDERS), dict)
    assert read(ORDERS, "strict") == [
        f"line 3, column 3: orders.fields has no source for {name}, which the API requires; add one"
        for name in ("Email", "OrderDate", "OrderItems", "TotalRevenue")
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\norders: *x\n", "line 2, column 9: is an anchor or an alias; write out what it stands for"),
        ("version: &x 1\norders: {}\n", "line 1, column 10: is an anchor or an alias; write out what it stands for"),
        ("version: !!int 1\n", "line 1, column 10: is a tag; leave it out, and put what is a text in quotes"),
        ("version: 1\n[a]: 5\n", "line 2, column 1: is a list or an object as a key; expected a name"),
        ("version: 1\n  orders: 5\n", "line 2, column 9: has a colon where none can be"),
        ("version: 1\norders:\n  a: 1\n b: 2\n", "line 4, column 2: stands at another depth than the lines above"),
        ("version: 1\norders:\n\ta: 1\n", "line 3, column 1: begins with a character that YAML does not allow there"),
        ("version: 1\norders: {a: [1}\n", "line 2, column 15: lacks a comma, or a closing bracket or brace"),
        ("version: 1\norders: {a: [1\n", "line 3, column 1: ends within brackets, braces or quotes; close them"),
        ('version: 1\norders: "a\n', "line 3, column 1: ends within brackets, braces or quotes; close them"),
        ("version: 1\norders\n", "line 3, column 1: lacks a colon; add it, or indent it as the lines above"),
        ("version: 1\n---\nversion: 1\n", "line 2, column 1: begins a second document; keep one"),
        ("version: 1\nx: a\x00\n", "line 2, column 5: holds a character that YAML does not allow; remove it"),
        ('version: 1\nx: "\\UFFFFFFFF"\n', "line 2, column 5: holds an escape that stands for no character; remove it"),
        ('version: 1\nx: "\\uD800"\n', "line 2, column 4: holds an escape that stands for no character; remove it"),
        ("x" * 300_000, "line 1, column 1: has 300000 characters; expected at most 262144"),
        ("[" * 60, "line 1, column 51: is nested more than 50 levels deep; expected less"),
    ],
)
def test_what_is_no_yaml_is_told_in_plain_words(text: str, message: str) -> None:
    """The first place where its form is wrong, and what to do about it."""
    [found] = mistakes(text)
    assert found.startswith(message)
    assert not FOREIGN.search(found)


def test_scalars_are_what_they_look_like() -> None:
    """Norway is a text; what is in quotes is a text; a key is a text as it was written."""
    content = yaml_text.parse(
        'a: [no, on, 0o17, 0x1F, 010, "1", 1.50, ~, null, "", 1e3, .5, 2025-01-01, 1_000]\n01: x\nyes: y'
    )
    assert isinstance(content, yaml_text.Content)
    assert content.value == {
        "a": ["no", "on", 15, 31, 10, "1", 1.5, None, None, "", 1000.0, 0.5, "2025-01-01", "1_000"],
        "01": "x",
        "yes": "y",
    }
    assert content.places["a", 2] == (1, 13)
    assert content.place(("a", 2, "beyond")) == (1, 13)


# Files that are right


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_good_files_are_accepted_by_the_schema_too(file: Path) -> None:
    """What an editor checks with finds nothing in them."""
    text = file.read_text(encoding="utf-8")
    content = yaml_text.parse(text)
    assert isinstance(content, yaml_text.Content)
    assert list(VALIDATOR.iter_errors(content.value)) == []
    specs = read(text)
    assert isinstance(specs, dict)
    assert set(specs) == set(Entity)
    lines = text.splitlines()
    assert lines[specs[Entity.ORDERS].lines["fields", "Currency"] - 1].lstrip().startswith("Currency:")


def test_the_schema_is_one() -> None:
    """By the dialect that it names."""
    Draft202012Validator.check_schema(mapping_file())


# Mutations


VALUES: tuple[object, ...] = (
    None,
    True,
    False,
    0,
    7,
    2.5,
    "",
    "x",
    "2025-03-01T09:27:54Z",
    '{"name":{"first":"A"},"lines":[{"kind":1}]}',
    [],
    {},
)
TEXTS = ColumnType("string", None, {})


def changes(entity: Entity, spec: Spec) -> Iterator[ChangeEvent]:
    """Changes of rows that hold each value in all columns, named by a key, by the row, or by none."""
    columns = sorted(set(re.findall(r"[a-z_]+", spec.table.model_dump_json())))
    for index, value in enumerate(VALUES):
        row = dict.fromkeys(columns, value) | {"id": f"i{index}", "sku": index}
        identity = Row({name: row[name] for name in columns if name.endswith("id") or name == "sku"})
        typed = Row(row, dict.fromkeys(columns, TEXTS))
        record = Record("t", 0, 0, None, None)
        yield ChangeEvent(record, Op.CREATE, identity, None, Row(row))
        yield ChangeEvent(record, Op.UPDATE, None, Row({**row, "id": "j"}), typed, trusts_before=True)
        yield ChangeEvent(record, Op.DELETE, identity, Row(row), None, trusts_before=bool(index % 2))


def run(entity: Entity, spec: Spec) -> None:
    """Whatever a mapping file says that is accepted can be done, or the record is refused."""
    mapping = Mapping(entity, spec, Options())
    for event in changes(entity, spec):
        verdict = mapping.map(event)
        if isinstance(verdict, Upsert):
            json.dumps(mapping.check(verdict, {}), default=repr)
        elif isinstance(verdict, Refused):
            assert verdict.reject.errors


def judged(text: str) -> dict[Entity, Spec]:
    """What the file says, nothing if it is refused; that is then told in clear messages."""
    found = read(text)
    if isinstance(found, dict):
        return found
    assert found
    for message in found[:100]:
        assert MESSAGE.fullmatch(message), message
        assert REMEDY.search(message), message
        assert not FOREIGN.search(message), message
    return {}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda text: f"{text.split(':')[1].split()[-1]}-{len(text)}")
@pytest.mark.parametrize("mutate", [lines_dropped, lines_shifted, keys_renamed, values_retyped])
def test_each_mutation_is_accepted_and_works_or_is_told(section: str, mutate: Mutate) -> None:
    """A line less, a name or a value of another kind: never a stack trace, never somebody else's words."""
    refused = 0
    step = 4 if mutate is values_retyped and section in ALIKE else 1
    for text in islice(mutate(section), 0, None, step):
        specs = judged(text)
        refused += not specs
        for entity, spec in specs.items():
            run(entity, spec)
    assert refused


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
@pytest.mark.parametrize("mutate", [lines_dropped, keys_renamed])
def test_worked_mappings_too_are_accepted_or_told(file: Path, mutate: Mutate) -> None:
    """With their child and side tables; as they stand, the schema finds nothing in them."""
    text = file.read_text(encoding="utf-8")
    content = yaml_text.parse(text)
    assert isinstance(content, yaml_text.Content)
    assert VALIDATOR.is_valid(content.value)
    assert judged(text)
    step = 1 if mutate is lines_dropped else 3
    mutated = chain.from_iterable(islice(mutate(section), 0, None, step) for section in sections(text))
    assert sum(not judged(each) for each in mutated) > 10


@pytest.mark.parametrize("mutate", [keys_renamed, values_retyped])
def test_the_schema_and_the_service_agree(mutate: Mutate) -> None:
    """An editor never complains of what is right, and sees all that needs no look at the whole."""
    seen = 0
    for text in chain.from_iterable(islice(mutate(section), 0, None, 17) for section in SECTIONS):
        content = yaml_text.parse(text)
        assert isinstance(content, yaml_text.Content)
        found = read(text)
        if not VALIDATOR.is_valid(content.value):
            assert isinstance(found, list), text
            seen += 1
        else:
            assert isinstance(found, dict) or all(map(UNSEEN.search, found)), found
    assert seen > 15


LINES = RICH.read_text(encoding="utf-8").splitlines()
WORDS = st.sampled_from([*sorted(set(re.findall(r"\w+", "\n".join(LINES)))), "", "x", "{id}"])
STRUCTURE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=6),
    max_leaves=20,
)
ENTITIES = st.dictionaries(st.sampled_from([*Entity, "version"]), st.fixed_dictionaries({"fields": STRUCTURE}))


@settings(deadline=None, max_examples=150)
@given(
    text=st.text()
    | st.text("abc:-{}[],&*!|>'\"%@`#?~ \n\t1.\\xuU0")
    | st.lists(st.sampled_from(LINES), max_size=20).map("\n".join)
    | (STRUCTURE | ENTITIES).map(lambda content: json.dumps(content))  # noqa: PLW0108 (a default argument of it)
)
@example("version: 1\norders: {fields: {OrderId: {constant: .inf}}}")
@example("version: 1\norders: {when: {a: 0x" + "f" * 5000 + "}, fields: {OrderId: id, Currency: c, Email: e}}")
@example("version: 1\norders: {when: {a: " + "9" * 5000 + "}, fields: {OrderId: id, Currency: c, Email: e}}")
@example("version: 1\norders: {when: {a: 1e999}, fields: {OrderId: id, Currency: c, Email: e}}")
def test_any_text_is_a_mapping_or_is_told_to_be_none(text: str) -> None:
    """Whatever is in the file, it is read or refused, and what is read can be run."""
    for entity, spec in judged(text).items():
        run(entity, spec)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x,x,x,x,x,x,x]\n" + "".join(f"{b}: &{b} [{f'*{a},' * 9}]\n" for a, b in pairwise("abcdefgh")),
        "[" * 200_000,
        "{a: " * 60_000,
        "- " * 100_000,
        "version: " + "9" * 200_000,
        "version: 0x" + "f" * 200_000,
        "version: 1e" + "9" * 1000,
        "version: -" + "0" * 100_000 + "1",
        "x: " + "a" * 200_000,
        "? " * 50_000,
        "\x00" * 1000,
        "version: 1\norders: {" + "".join(f"k{n}: 1, " for n in range(2000)) + "}",
        "version: 1\n" + "a: 1\n" * 3000,
        "%TAG ! tag:x,2000:\n---\nversion: !y 1",
        "<<: {version: 1}",
        "version: 1\norders: " + json.dumps({"fields": {"OrderId": {"template": "{" * 5000}}}),
        "version: 1\norders: " + json.dumps({"fields": {"OrderId": {"template": "{a}" * 5000}}}),
        "version: 1\norders: " + json.dumps({"primary_key": ["a"] * 5000, "fields": {"OrderId": "b"}}),
    ],
    ids=lambda text: text[:12].strip(),
)  # fmt: skip
def test_what_is_made_to_hurt_is_refused_at_once(text: str) -> None:
    """Aliases that unfold, depth, numbers without end, characters that are none: a second at most, and in words."""
    began = perf_counter()
    assert not judged(text)
    assert perf_counter() - began < 5
