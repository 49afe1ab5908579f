"""From a column's value to a field's, by the steps that a mapping names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from connector.core import documents
from connector.core.events import ColumnType, Entity, Reason
from connector.core.mapping_file import MappingFile
from connector.core.notes import BadValue, Notes
from connector.core.steps import IN_JSON, steps_of

if TYPE_CHECKING:
    from connector.core.values import Kind

SECRET = "jane@example.com"
INTEGER = ColumnType("int64", None, {})
MICROSECONDS = ColumnType("int64", "io.debezium.time.MicroTimestamp", {})
ZONED = ColumnType("string", "io.debezium.time.ZonedTimestamp", {})
CENTS_OF_SCHEMA = ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {"scale": "2"})
KINDS = {field.name: (entity, field.kind) for entity, fields in documents.FIELDS.items() for field in fields}


def source_of(field: str, **steps: Any) -> tuple[Any, Kind]:  # noqa: ANN401 (YAML is any)
    """As a mapping file says it of a column `c`. Raises ValidationError."""
    entity, kind = KINDS[field]
    file = MappingFile.model_validate({"version": 1, entity: {"fields": {field: {"column": "c", **steps}}}})
    return getattr(getattr(file, entity).fields, field), kind


def converted(field: str, value: object, described: ColumnType | None = None, **steps: Any) -> Any:  # noqa: ANN401
    source, kind = source_of(field, **steps)
    return steps_of(source, kind, described).convert(value, Notes())


def refusal(field: str, value: object, described: ColumnType | None = None, **steps: Any) -> BadValue:  # noqa: ANN401
    with pytest.raises(BadValue) as refused:
        converted(field, value, described, **steps)
    return refused.value


def test_the_steps_are_taken_in_their_order() -> None:
    """Path, unescape, trim, case, null_values, values: each works on what the one before it has made."""
    steps: dict[str, Any] = {
        "values": {"a&b": "de"},
        "null_values": ["-"],
        "case": "lower",
        "trim": True,
        "unescape": "html",
        "path": "x",
    }
    assert converted("Language", '{"x": "&nbsp;A&amp;B "}', **steps) == "de"
    assert converted("Language", '{"x": " - "}', **steps) is None
    assert refusal("Language", '{"x": "other"}', **steps).reason is Reason.UNCONVERTIBLE


# Numbers


@pytest.mark.parametrize(
    ("described", "steps", "value", "number"),
    [
        (None, {"scale": 2}, "BM4=", 12.3),
        (None, {"scale": 4}, "BM4=", 0.123),
        (None, {"scale": -2}, "Cg==", 1000),
        (None, {"scale": 2}, 12.5, 12.5),
        (None, {"scale": 2}, "12.5", 12.5),
        (None, {"scale": "text"}, "1250", 1250),
        (None, {"scale": "text"}, "12.50", 12.5),
        (CENTS_OF_SCHEMA, {"scale": 4}, "BM4=", 12.3),
        (None, {"scale": 0, "unit": "cents"}, "BM4=", 12.3),
        (None, {"unit": "cents"}, 1230, 12.3),
        (None, {"unit": "cents"}, "1230.5", 12.305),
        (CENTS_OF_SCHEMA, {"unit": "cents"}, "BM4=", 0.123),
        (None, {"path": "p"}, '{"p": "1250"}', 1250),
        (None, {"path": "p", "unit": "cents"}, {"p": "1250"}, 12.5),
        (IN_JSON, {"unit": "cents"}, "1250", 12.5),
    ],
)
def test_decimals_come_in_any_form(
    described: ColumnType | None, steps: dict[str, Any], value: object, number: float
) -> None:
    """What the message says of the column comes first; a text within JSON is no base64."""
    found = converted("TotalRevenue", value, described, **steps)
    assert found == number
    assert json.loads(json.dumps(found)) == number


@pytest.mark.parametrize(
    ("value", "steps", "reason"),
    [
        ("BM4=", {}, Reason.SCALE_UNKNOWN),
        ("1250", {}, Reason.SCALE_UNKNOWN),
        ("1250", {"unit": "cents"}, Reason.SCALE_UNKNOWN),
        ("1250", {"invalid": "omit"}, Reason.SCALE_UNKNOWN),
        ("BM4=", {"scale": "text"}, Reason.UNCONVERTIBLE),
        ("NaN", {"scale": "text"}, Reason.UNCONVERTIBLE),
        (True, {"unit": "cents"}, Reason.UNCONVERTIBLE),
    ],
)
def test_what_may_mean_two_numbers_is_refused(value: object, steps: dict[str, Any], reason: Reason) -> None:
    """Also where invalid values may be left out: a setting is at fault then, and not the value."""
    assert refusal("TotalRevenue", value, **steps).reason is reason


@given(cents=st.integers(-(10**13), 10**13))
def test_cents_are_exact(cents: int) -> None:
    """The number is the double next to a hundredth of them."""
    assert converted("TotalRevenue", cents, unit="cents") == float(Decimal(cents) / 100)


# Texts and flags


@pytest.mark.parametrize("value", [5, 2.5])
def test_steps_for_texts_leave_other_values_alone(value: float) -> None:
    """A number is no text to be trimmed."""
    assert converted("Name", value, trim=True, case="upper", unescape="html") == {5: "5", 2.5: "2.5"}[value]


@pytest.mark.parametrize(
    ("nulls", "values", "others"),
    [
        (["", "none"], ["", "none"], [" ", "None", 0]),
        ([0], [0, "0", 0.0], ["", False, 1]),
        ([False], [False, 0, "f"], ["", "none", 1]),
        ([True, ""], ["", 1, "t"], [0, "other"]),
        (["2025-01-01"], ["2025-01-01"], [5]),
    ],
)
def test_values_may_stand_for_null(nulls: list[object], values: list[object], others: list[object]) -> None:
    """As a filter's: by what they are, however a database writes it; what can't be one of them is none."""
    for value in values:
        assert converted("Username", value, null_values=nulls) is None
    for value in others:
        if not isinstance(value, bool):
            assert converted("Username", value, null_values=nulls) == str(value)


@pytest.mark.parametrize(
    ("value", "sent"), [(1, "de"), ("1", "de"), (1.0, "de"), (True, "en"), ("true", "en"), ("a b", "fr"), (2.5, "es")]
)
def test_a_table_of_values_reads_them_as_they_are_written(value: object, sent: str) -> None:
    """A number in its shortest form, true and false as words."""
    table = {"1": "de", "true": "en", "a b": "fr", "2.5": "es"}
    assert converted("Language", value, values=table) == sent


@pytest.mark.parametrize("value", ["other", "TRUE", 0, False, ""])
def test_what_a_table_does_not_list_is_refused_or_something_else(value: object) -> None:
    """`otherwise` may be null, which leaves the field out."""
    problem = refusal("Language", value, values={"1": "de"}).problem
    assert problem == "holds a value that the mapping's `values` does not list: list it there, or say `otherwise`"
    assert converted("Language", value, values={"1": "de"}, otherwise="xx") == "xx"
    assert converted("Language", value, values={"1": "de"}, otherwise=None) is None


@pytest.mark.parametrize(
    ("value", "parts"),
    [("A > B>C", ["A", "B", "C"]), (" > ", []), ("A", ["A"]), (["A", "B"], ["A", "B"]), ("A>>B", ["A", "B"])],
)
def test_a_text_is_split(value: object, parts: list[str]) -> None:
    """Without empty parts; a list is one already."""
    assert converted("Taxonomy", value, split=">") == parts


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (SECRET, "is a text that is no JSON; expected JSON"),
        (5, "is an integer; expected an object with `a` there"),
        ('{"a": "' + SECRET + '"}', "is a text; expected an object with `0` there"),
        ('{"a": {"0": {"b": ["' + SECRET + '"]}}}', "is a list; expected a text"),
    ],
)
def test_what_is_not_at_its_path_is_told_without_it(value: object, problem: str) -> None:
    """The type that is there, and what the path expects."""
    found = refusal("Name", value, path="a.0.b").problem
    assert found.startswith(problem)
    assert SECRET not in found


@pytest.mark.parametrize(
    "value", ["{}", '{"a": null}', '{"a": []}', '{"a": [null]}', '{"a": [{}]}', "null", '{"a": {}}']
)
def test_nothing_at_a_path_is_a_null(value: str) -> None:
    """Wherever the way ends."""
    assert converted("Name", value, path="a.0.b") is None
    assert converted("Name", json.loads(value) or {}, path="a.0.b") is None


def test_what_the_api_would_refuse_may_be_left_out() -> None:
    """It is counted; what is right stays."""
    source, kind = source_of("Phone", invalid="omit")
    notes = Notes()
    convert = steps_of(source, kind, None).convert
    assert convert("+14155550123", notes) == "+14155550123"
    assert (notes.omitted, convert("call me", notes), convert([1], notes)) == (0, None, None)
    assert notes.omitted == 2


# Times


@pytest.mark.parametrize(
    ("described", "steps", "value", "moment"),
    [
        (None, {"unit": "seconds"}, 0, "1970-01-01T00:00:00Z"),
        (None, {"unit": "seconds"}, -1, "1969-12-31T23:59:59Z"),
        (None, {"unit": "nanoseconds"}, 1741715273123456789, "2025-03-11T17:47:53.123456Z"),
        (None, {"unit": "microseconds"}, 1741715273123456, "2025-03-11T17:47:53.123456Z"),
        (None, {"unit": "days"}, -1, "1969-12-31T00:00:00Z"),
        (INTEGER, {"unit": "seconds"}, 60, "1970-01-01T00:01:00Z"),
        (MICROSECONDS, {"unit": "seconds"}, 60_000_000, "1970-01-01T00:01:00Z"),
        (None, {"unit": "seconds"}, "2025-07-01T12:00:00Z", "2025-07-01T12:00:00Z"),
        (None, {"unit": "seconds", "zone": "Europe/Berlin"}, 3600, "1970-01-01T00:00:00Z"),
        (MICROSECONDS, {"zone": "Europe/Berlin"}, 1751371200_000000, "2025-07-01T10:00:00Z"),
        (None, {"zone": "Europe/Berlin"}, "2025-01-01T12:00:00.25", "2025-01-01T11:00:00.25Z"),
        (None, {"zone": "Europe/Berlin"}, "2025-01-01T12:00:00Z", "2025-01-01T11:00:00Z"),
        (None, {"zone": "Europe/Berlin"}, "2025-01-01T12:00:00+05:00", "2025-01-01T07:00:00Z"),
        (None, {"zone": "Europe/Berlin"}, "2025-01-01", "2024-12-31T23:00:00Z"),
        (ZONED, {"zone": "Europe/Berlin"}, "2025-01-01T12:00:00Z", "2025-01-01T12:00:00Z"),
        (None, {"zone": "America/New_York"}, "2025-11-02 01:30:00", "2025-11-02T05:30:00Z"),
        (None, {"zone": "America/New_York"}, "2025-03-09 02:30:00", "2025-03-09T07:30:00Z"),
        (None, {"zone": "Asia/Kolkata"}, "2025-01-01 00:00:00", "2024-12-31T18:30:00Z"),
    ],
)
def test_times_come_in_any_form(
    described: ColumnType | None, steps: dict[str, Any], value: object, moment: str
) -> None:
    """What tells its own zone keeps it, but for a Z that the message does not vouch for."""
    assert converted("OrderDate", value, described, **steps) == moment


@pytest.mark.parametrize(
    ("value", "steps"),
    [
        (10**400, {"unit": "seconds"}),
        (-(10**30), {"unit": "days"}),
        ("0001-01-01", {"zone": "Asia/Tokyo"}),
        ("9999-12-31 23:59:59", {"zone": "America/New_York"}),
        ("2025-02-30", {"zone": "Asia/Tokyo"}),
        (True, {"unit": "seconds"}),
        (2.5, {"unit": "seconds"}),
        (5, {"zone": "Asia/Tokyo"}),
        (SECRET, {"zone": "Asia/Tokyo"}),
    ],
)
def test_times_that_are_none_are_refused(value: object, steps: dict[str, Any]) -> None:
    """In words, without them."""
    assert SECRET not in refusal("OrderDate", value, **steps).problem


@given(
    wall=st.datetimes(datetime(1980, 1, 1), datetime(2035, 1, 1)),  # noqa: DTZ001 (a clock on a wall)
    zone=st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]),
)
def test_a_wall_clock_shows_the_moment_that_is_sent(wall: datetime, zone: str) -> None:
    """Whoever reads the moment by a clock in the zone sees what the column holds, where that hour exists."""
    sent = datetime.fromisoformat(converted("OrderDate", wall.isoformat(), zone=zone)).astimezone(ZoneInfo(zone))
    exists = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
    assert (sent.replace(tzinfo=None) == wall) is exists


# Anything

STEPS = st.fixed_dictionaries(
    {},
    optional={
        "path": st.sampled_from(["a", "0", "a.0", ["a.b"]]),
        "unescape": st.just("html"),
        "trim": st.booleans(),
        "case": st.sampled_from(["lower", "upper"]),
        "null_values": st.lists(st.sampled_from(["", 0, True, False, None, 2.5, "x"]), min_size=1, max_size=3),
        "values": st.dictionaries(
            st.sampled_from(["a", "1", "true"]), st.sampled_from(["de", True, 1, None]), min_size=1
        ),
        "otherwise": st.sampled_from(["de", True, 1, None]),
        "scale": st.sampled_from([0, 2, -3, 1000, "text"]),
        "unit": st.sampled_from(["cents", "seconds", "nanoseconds", "days"]),
        "zone": st.sampled_from(["Europe/Berlin", "UTC"]),
        "split": st.sampled_from([">", ", "]),
        "invalid": st.just("omit"),
        "default": st.sampled_from(["de", 1, False]),
    },
)
TYPES = [
    None,
    IN_JSON,
    INTEGER,
    MICROSECONDS,
    ZONED,
    CENTS_OF_SCHEMA,
    ColumnType("bytes", None, {}),
    ColumnType("int32", "io.debezium.time.Date", {}),
    ColumnType("int64", "io.debezium.time.NanoTimestamp", {}),
    ColumnType("struct", "io.debezium.data.VariableScaleDecimal", {}),
]
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        ["BM4=", '{"a":[1]}', "[[]]", "1e999", "9" * 4000, 10**4000, "2025-13-01", "&#x110000;", "\ud7ff"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "0", "scale", "value"]), inner),
    max_leaves=5,
)


@given(field=st.sampled_from(sorted(KINDS)), steps=STEPS, described=st.sampled_from(TYPES), value=JSON)
@example(field="TotalRevenue", steps={"unit": "cents"}, described=INTEGER, value=10**390)
@example(field="Name", steps={"unescape": "html"}, described=None, value="&#xD800;&#0;")
def test_whatever_a_column_holds_it_is_converted_or_refused(
    field: str,
    steps: dict[str, Any],
    described: ColumnType | None,
    value: Any,  # noqa: ANN401
) -> None:
    """No step fails in any other way, and what it makes is JSON."""
    assume(value is not None)
    try:
        source, kind = source_of(field, **steps)
    except (ValidationError, AttributeError):
        assume(False)
    try:
        made = steps_of(source, kind, described).convert(value, Notes())
    except BadValue:
        return
    json.dumps(made, allow_nan=False).encode()


def test_each_field_of_the_documents_was_meant() -> None:
    """The names above are fields."""
    assert {entity for entity, _ in KINDS.values()} == set(Entity)
