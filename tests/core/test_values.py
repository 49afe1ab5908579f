"""Values of columns to what fields hold."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.events import ColumnType, Reason
from connector.core.notes import BadValue, Notes
from connector.core.values import Kind, converter, unavailable

PLACEHOLDER = "__debezium_unavailable_value"
TEXT_COLUMN = ColumnType("string", None, {})
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**25), max_value=10**25, places=6)


def decimal_column(scale: object) -> ColumnType:
    parameters: Any = {} if scale is None else {"scale": scale}
    return ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", parameters)


def named(name: str, kind: str = "int64") -> ColumnType:
    return ColumnType(kind, name, {})


VARIABLE = named("io.debezium.data.VariableScaleDecimal", "struct")


def unscaled(value: Decimal, scale: int) -> str:
    """Connect's base64 of a decimal."""
    number = int(value.scaleb(scale))
    size = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return base64.b64encode(number.to_bytes(size, "big", signed=True)).decode()


def convert(kind: Kind, value: object, column: ColumnType | None = None) -> Any:  # noqa: ANN401
    """As the mapping does: what is plain needs no conversion, and converts to itself."""
    plain, function = converter(kind, column)
    converted = function(value, Notes())
    if type(value) is plain:
        assert converted == value
    return converted


def refusal(kind: Kind, value: object, column: ColumnType | None = None) -> BadValue:
    with pytest.raises(BadValue) as refused:
        convert(kind, value, column)
    return refused.value


def attempted(kind: Kind, value: object, column: ColumnType | None) -> BadValue | None:
    """The refusal, if it is one; what is converted instead must be JSON."""
    try:
        json.dumps(convert(kind, value, column), allow_nan=False)
    except BadValue as bad:
        return bad
    return None


def same(found: object, expected: object) -> bool:
    return type(found) is type(expected) and found == expected


# Numbers


@pytest.mark.parametrize(
    ("value", "column", "number"),
    [
        ("BM4=", decimal_column("2"), 12.3),
        ("+w==", decimal_column("2"), -0.05),
        ("A+g=", decimal_column("2"), 10),
        ("AA==", decimal_column("2"), 0),
        ("AQ==", decimal_column("-3"), 1000),
        ("AQ==", decimal_column("10"), 1e-10),
        (12.3, decimal_column("2"), 12.3),
        ({"scale": 4, "value": "EtaH"}, VARIABLE, 123.4567),
        ({"scale": 4, "value": "EtaH"}, None, 123.4567),
        ({"scale": 0, "value": "Cg=="}, VARIABLE, 10),
        ({"scale": 2, "value": b"\x04\xce"}, VARIABLE, 12.3),
        ({"scale": -20, "value": "AQ=="}, VARIABLE, 1e20),
        ("12.500", None, 12.5),
        ("-0.05", None, -0.05),
        ("10.0", None, 10),
        ("100", None, 100),
        ("1E-10", None, 1e-10),
        ("1234", TEXT_COLUMN, 1234),
        ("1E+20", None, 1e20),
        (12.5, None, 12.5),
        (104.0, None, 104),
        (-0.0, None, 0),
        (7, None, 7),
        (2**62, None, 4.611686018427388e18),
        (1e300, None, 1e300),
    ],
)
def test_each_representation_of_a_decimal_is_its_number(value: object, column: ColumnType | None, number: Any) -> None:  # noqa: ANN401
    """Base64 with a scale, a structure, a text and a double, in the shortest form."""
    assert same(convert(Kind.NUMBER, value, column), number)


@given(value=DECIMALS, scale=st.integers(6, 30))
def test_a_decimal_is_the_same_number_in_each_representation(value: Decimal, scale: int) -> None:
    """What JSON says is the double nearest to the column's decimal, however that was written."""
    digits = unscaled(value, scale)
    forms = [
        convert(Kind.NUMBER, digits, decimal_column(str(scale))),
        convert(Kind.NUMBER, {"scale": scale, "value": digits}, VARIABLE),
        convert(Kind.NUMBER, str(value), TEXT_COLUMN),
        convert(Kind.NUMBER, float(value), TEXT_COLUMN),
    ]
    assert all(same(form, forms[0]) for form in forms)
    assert json.loads(json.dumps(forms[0])) == float(value)


@given(value=st.decimals(min_value=-(10**9), max_value=10**9, places=6))
def test_up_to_15_digits_json_equals_the_decimal(value: Decimal) -> None:
    """Not just the nearest double: the digits that are sent are the column's."""
    assert Decimal(json.dumps(convert(Kind.NUMBER, str(value), TEXT_COLUMN))) == value


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_stays_what_it_is(value: float) -> None:
    """Doubles are sent as the same double, and never in a longer form than Python's."""
    printed = json.dumps(convert(Kind.NUMBER, value))
    assert float(printed) == value
    assert len(printed) <= len(repr(value))


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        ("123456789012345", 0),
        ("1234567890.12345", 0),
        ("1234567890123450.000", 0),
        ("1234567890.123456", 1),
        (1234567890.123456, 1),
        (0.1, 0),
        (0.1 + 0.2, 1),
        (10**15 - 1, 0),
        (10**20, 0),
        (9007199254740993, 1),
        ("1E-350", 1),
        ("0E-350", 0),
    ],
)
def test_more_than_15_digits_are_counted_as_rounded(value: object, rounded: int) -> None:
    """They are sent, and said to be rounded."""
    notes = Notes()
    converter(Kind.NUMBER, TEXT_COLUMN).convert(value, notes)
    assert notes.rounded == rounded


@pytest.mark.parametrize("value", ["NaN", "NAN", "nan", "Infinity", "-Infinity", "1E+500", float("nan"), float("inf")])
@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.INTEGER])
def test_what_is_not_finite_is_no_number(value: object, kind: Kind) -> None:
    """In any form, and without being taken for base64."""
    assert refusal(kind, value).reason is Reason.UNCONVERTIBLE
    assert refusal(kind, value, TEXT_COLUMN).reason is Reason.UNCONVERTIBLE


@pytest.mark.parametrize("value", ["BM4=", "+w==", "ChA=", "AJc5", "1234", "12345678", "1E20", "+123", "AAAAAAAA"])
@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.INTEGER])
def test_what_may_be_base64_is_refused_where_the_message_has_no_schema(value: str, kind: Kind) -> None:
    """Neither the scale nor whether it is one can be known; the sentence names the settings that tell."""
    refused = refusal(kind, value)
    assert refused.reason is Reason.SCALE_UNKNOWN
    assert "decimal.handling.mode" in refused.problem
    assert "schemas.enable" in refused.problem


@pytest.mark.parametrize("scale", [None, "x", "", 2, "9" * 6])
def test_a_schema_without_a_scale_is_none(scale: object) -> None:
    """A scale that can't be read is not guessed."""
    assert refusal(Kind.NUMBER, "BM4=", decimal_column(scale)).reason is Reason.SCALE_UNKNOWN


@pytest.mark.parametrize(
    ("value", "column"),
    [
        ("abc", None),
        ("", None),
        ("1_000", None),
        ("١٢", None),
        ("1.5 ", None),
        ("1E99999", TEXT_COLUMN),
        (True, None),
        ([], None),
        ({"scale": 2}, None),
        ({"scale": "2", "value": "BM4="}, VARIABLE),
        ({"scale": 10**9, "value": "BM4="}, VARIABLE),
        ({"scale": -(10**30), "value": "BM4="}, VARIABLE),
        ("not base64!", decimal_column("2")),
        (base64.b64encode(b"\x01" * 4000).decode(), decimal_column("2")),
        ("AQID", named("", "bytes")),
    ],
)
def test_what_is_no_number_is_refused(value: object, column: ColumnType | None) -> None:
    """Texts, structures and sizes that are no number, or none that JSON can hold."""
    assert refusal(Kind.NUMBER, value, column).reason is Reason.UNCONVERTIBLE


@pytest.mark.parametrize(
    ("value", "column", "integer"),
    [
        (5, None, 5),
        (-(2**63), None, -(2**63)),
        (5.0, None, 5),
        ("5", None, 5),
        ("5.00", None, 5),
        ("1234", TEXT_COLUMN, 1234),
        ("A+g=", decimal_column("2"), 10),
    ],
)
def test_integers_come_from_whatever_has_no_fraction(value: object, column: ColumnType | None, integer: int) -> None:
    """Integers, decimals and their texts."""
    assert same(convert(Kind.INTEGER, value, column), integer)


@pytest.mark.parametrize("value", [5.5, "5.01", "1E-300", True, "x", None, [5]])
def test_a_fraction_is_no_integer(value: object) -> None:
    """Nor is what is no number."""
    assert refusal(Kind.INTEGER, value).reason is Reason.UNCONVERTIBLE


# Times

MICRO = named("io.debezium.time.MicroTimestamp")
DAYS = named("io.debezium.time.Date", "int32")


@pytest.mark.parametrize(
    ("value", "column", "iso"),
    [
        (20150, DAYS, "2025-03-03T00:00:00Z"),
        (20150, named("org.apache.kafka.connect.data.Date", "int32"), "2025-03-03T00:00:00Z"),
        (-719162, DAYS, "0001-01-01T00:00:00Z"),
        (2932896, DAYS, "9999-12-31T00:00:00Z"),
        (1741715273123, named("io.debezium.time.Timestamp"), "2025-03-11T17:47:53.123Z"),
        (1741715273000, named("org.apache.kafka.connect.data.Timestamp"), "2025-03-11T17:47:53Z"),
        (1741715273123456, MICRO, "2025-03-11T17:47:53.123456Z"),
        (-1, MICRO, "1969-12-31T23:59:59.999999Z"),
        (1741715273123456789, named("io.debezium.time.NanoTimestamp"), "2025-03-11T17:47:53.123456Z"),
        ("2024-03-10T10:00:00.500000Z", named("io.debezium.time.ZonedTimestamp", "string"), "2024-03-10T10:00:00.5Z"),
        ("2025-03-11T17:47:53.5Z", None, "2025-03-11T17:47:53.5Z"),
        ("2025-03-11T17:47:53.500Z", None, "2025-03-11T17:47:53.5Z"),
        ("2025-03-11T17:47:53.000000Z", None, "2025-03-11T17:47:53Z"),
        ("2025-03-11T17:47:53.123456789Z", None, "2025-03-11T17:47:53.123456Z"),
        ("2025-03-11T19:47:53+02:00", None, "2025-03-11T17:47:53Z"),
        ("2025-03-11 12:17:53.25-0530", None, "2025-03-11T17:47:53.25Z"),
        ("2025-03-11T17:47:53", None, "2025-03-11T17:47:53Z"),
        ("2025-03-11T17:47Z", None, "2025-03-11T17:47:00Z"),
        ("2025-03-03Z", named("io.debezium.time.IsoDate", "string"), "2025-03-03T00:00:00Z"),
        ("2025-03-03", None, "2025-03-03T00:00:00Z"),
        ("0001-01-01T00:00:00Z", None, "0001-01-01T00:00:00Z"),
    ],
)
def test_each_representation_of_a_time_is_iso_8601_in_utc(value: object, column: ColumnType | None, iso: str) -> None:
    """Days, milliseconds, microseconds, nanoseconds and texts, with no more digits than it takes."""
    assert convert(Kind.MOMENT, value, column) == iso


@pytest.mark.parametrize(
    ("value", "column"),
    [
        (2146033979, DAYS),
        (-2147472691, DAYS),
        (-622191234, DAYS),
        (-625821272, DAYS),
        (9223372036854775807, MICRO),
        (-9223372036854775808, MICRO),
        (9223372036825200000, named("io.debezium.time.Timestamp")),
        (-9223372036832400000, named("org.apache.kafka.connect.data.Timestamp")),
        (2932897, DAYS),
        (-719163, DAYS),
        (10**40, MICRO),
        ("+292278994-08-16T23:00:00Z", None),
        ("-292275055-05-16T23:00:00Z", None),
        ("infinity", named("io.debezium.time.ZonedTimestamp", "string")),
        ("0001-01-01T00:00:00+01:00", None),
        ("9999-12-31T23:59:59-01:00", None),
        ("0000-01-01T00:00:00Z", None),
        ("2025-02-30T00:00:00Z", None),
        ("2025-03-01T25:00:00Z", None),
        ("01.03.2025", None),
        ("", None),
        (True, MICRO),
        (1.5, MICRO),
        ({}, None),
    ],
)
def test_what_is_infinite_or_no_time_is_refused(value: object, column: ColumnType | None) -> None:
    """Each of Debezium's infinities, dates that do not exist, and other types."""
    assert refusal(Kind.MOMENT, value, column).reason is Reason.UNCONVERTIBLE


@pytest.mark.parametrize("column", [None, named("x"), ColumnType("int64", None, {})])
def test_an_integer_of_unknown_unit_is_no_time(column: ColumnType | None) -> None:
    """Whether it counts milliseconds or microseconds is not guessed; the sentence names the settings that tell."""
    problem = refusal(Kind.MOMENT, 1741715273123456, column).problem
    assert "schemas.enable" in problem
    assert "time.precision.mode" in problem


@given(moment=st.datetimes(timezones=st.just(UTC)))
def test_a_time_is_the_same_in_each_representation(moment: datetime) -> None:
    """What is sent reads back as the very microsecond."""
    microseconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    texts = {convert(Kind.MOMENT, microseconds, MICRO), convert(Kind.MOMENT, moment.isoformat())}
    texts.add(convert(Kind.MOMENT, microseconds * 1000 + 999, named("io.debezium.time.NanoTimestamp")))
    (text,) = texts
    assert datetime.fromisoformat(text) == moment
    assert text.endswith("Z")
    assert not text.endswith(("0Z", ".Z")) or "." not in text


@given(day=st.dates())
def test_a_date_is_the_start_of_its_day(day: date) -> None:
    """Days since 1970 and ISO dates are one."""
    days = (day - date(1970, 1, 1)).days
    assert convert(Kind.MOMENT, days, DAYS) == convert(Kind.MOMENT, f"{day.isoformat()}Z") == f"{day}T00:00:00Z"


# Texts, identifiers, booleans, lists


@pytest.mark.parametrize(
    ("value", "column", "text"),
    [
        (" eu ", None, " eu "),
        ("", None, ""),
        (5, None, "5"),
        (9007199254740993, None, "9007199254740993"),
        (12.5, None, "12.5"),
        (104.0, None, "104"),
        (1e20, None, "100000000000000000000"),
        ("BM4=", decimal_column("2"), "12.3"),
        ("AA==", decimal_column("2"), "0"),
        ("BM4=", None, "BM4="),
        (20150, DAYS, "2025-03-03T00:00:00Z"),
    ],
)
def test_texts_are_left_alone_and_numbers_written_out(value: object, column: ColumnType | None, text: str) -> None:
    """The blanks of a char(n) included."""
    assert convert(Kind.TEXT, value, column) == text


@pytest.mark.parametrize("value", [True, [], {}, float("nan"), float("inf")])
def test_other_types_are_no_text(value: object) -> None:
    """Nothing is printed that has no one way to be."""
    assert refusal(Kind.TEXT, value).reason is Reason.UNCONVERTIBLE


def test_bytes_are_no_text() -> None:
    """What a column of bytes holds has no known encoding."""
    assert refusal(Kind.TEXT, "AQID", ColumnType("bytes", None, {})).reason is Reason.UNCONVERTIBLE


@pytest.mark.parametrize(
    ("value", "column", "identifier"),
    [
        ("A/1 ", None, "A/1 "),
        (-1, None, "-1"),
        (2**63 - 1, None, "9223372036854775807"),
        ("Aw==", decimal_column("0"), "3"),
        ({"scale": 0, "value": "Aw=="}, VARIABLE, "3"),
    ],
)
def test_identifiers_are_byte_for_byte(value: object, column: ColumnType | None, identifier: str) -> None:
    """Texts as they are, integers as their digits, an Oracle NUMBER too."""
    assert convert(Kind.IDENTIFIER, value, column) == identifier


@pytest.mark.parametrize(
    ("value", "column"), [(True, None), (1.0, None), ([], None), ({}, None), ("BM4=", decimal_column("2"))]
)
def test_other_types_are_no_identifier(value: object, column: ColumnType | None) -> None:
    """A number with a fraction has no one spelling."""
    assert refusal(Kind.IDENTIFIER, value, column).reason is Reason.UNCONVERTIBLE


@pytest.mark.parametrize(("yes", "no"), [(True, False), (1, 0), ("t", "f"), ("TRUE", "False"), ("1", "0"), (1.0, 0.0)])
def test_booleans_come_from_what_databases_make_of_them(yes: object, no: object) -> None:
    """A tinyint(1) is an integer, a boolean's text is t or true."""
    assert convert(Kind.BOOLEAN, yes) is True
    assert convert(Kind.BOOLEAN, no) is False


@pytest.mark.parametrize("value", [2, -1, "", "yes", "2", 0.5, [], {}])
def test_other_values_are_no_boolean(value: object) -> None:
    """A tinyint(1) may hold 2."""
    assert refusal(Kind.BOOLEAN, value).reason is Reason.UNCONVERTIBLE


@pytest.mark.parametrize(
    ("value", "texts"),
    [('["A", "B"]', ["A", "B"]), (["A", 5], ["A", "5"]), ("[]", []), (" [ ] ", []), ("null", None), (None, None)],
)
def test_a_list_of_texts_comes_from_json_or_a_list(value: object, texts: list[str] | None) -> None:
    """A jsonb column is a text, a text[] a list; JSON's null is none."""
    assert convert(Kind.TEXTS, value) == texts


@pytest.mark.parametrize("value", ['"A > B"', "A > B", '{"a":1}', '["A", null]', "[1.5]", "[true]", '["A"', "[NaN]", 5])
def test_what_is_no_list_of_texts_is_refused(value: object) -> None:
    """A null element too: nothing can stand in its place."""
    assert refusal(Kind.TEXTS, value).reason is Reason.UNCONVERTIBLE


@pytest.mark.parametrize("value", ["{}", '[{"a":1}, 5]', "[null]", "text", 5, {}, "[" * 1000])
def test_what_is_no_list_of_objects_is_refused(value: object) -> None:
    """Items are objects in a list."""
    assert refusal(Kind.OBJECTS, value).reason is Reason.UNCONVERTIBLE


# All of them


@pytest.mark.parametrize(
    "value",
    [
        PLACEHOLDER,
        base64.b64encode(PLACEHOLDER.encode()).decode(),
        [PLACEHOLDER],
        [ord(character) for character in PLACEHOLDER],
        {PLACEHOLDER: PLACEHOLDER},
        json.dumps({PLACEHOLDER: PLACEHOLDER}),
        json.dumps({PLACEHOLDER: PLACEHOLDER}, separators=(",", ":")),
        ["b68a35a7-17ad-35b3-af2a-ae46edb4545a"],
        "b68a35a7-17ad-35b3-af2a-ae46edb4545a",
    ],
)
def test_each_form_of_the_placeholder_is_known(value: object) -> None:
    """What Debezium puts in place of a large unchanged column of any type."""
    assert unavailable(value)


@given(value=JSON)
def test_nothing_else_is_the_placeholder(value: object) -> None:
    """Ordinary values are never taken for it."""
    assert not unavailable(value)


COLUMNS = st.sampled_from(
    [
        None,
        TEXT_COLUMN,
        VARIABLE,
        MICRO,
        DAYS,
        named("io.debezium.time.NanoTimestamp"),
        ColumnType("bytes", None, {}),
        *(decimal_column(scale) for scale in (None, "0", "2", "-5", "99999")),
    ]
)


@given(kind=st.sampled_from(Kind), value=JSON, column=COLUMNS)
def test_whatever_json_a_column_holds_there_is_an_answer(kind: Kind, value: object, column: ColumnType | None) -> None:
    """A value of any type and size becomes what the field holds, or is refused in a sentence without it."""
    bad = attempted(kind, value, column)
    if bad is not None:
        assert bad.reason in (Reason.UNCONVERTIBLE, Reason.SCALE_UNKNOWN)
        assert "; expected " in bad.problem
        assert ": " in bad.problem
        assert not isinstance(value, str) or len(value) < 30 or value not in bad.problem


@given(digits=st.binary(max_size=40), scale=st.integers(-400, 400), kind=st.sampled_from(Kind))
def test_any_decimal_has_an_answer(digits: bytes, scale: int, kind: Kind) -> None:
    """Whatever two's complement and scale say, nothing but a refusal is raised."""
    text = base64.b64encode(digits).decode()
    for value, column in ((text, decimal_column(str(scale))), ({"scale": scale, "value": text}, VARIABLE)):
        bad = attempted(kind, value, column)
        assert bad is None or bad.problem
