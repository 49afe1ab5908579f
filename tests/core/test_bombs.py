"""Little that could become much: nesting, numbers, aliases. Each is refused as documented, in time as its length."""

from __future__ import annotations

import contextlib
import json
import tracemalloc
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from scaling import grows_faster

from connector.core import mapping_text, yaml_text
from connector.core.decoded import Undecodable
from connector.core.events import ColumnType
from connector.core.json_wire import JsonWire
from connector.core.notes import BadValue, Notes
from connector.core.outcomes import classify
from connector.core.requests import Answer, Endpoint, Request
from connector.core.values import Kind, converter

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (2_000, 20_000)
DECIMAL = ColumnType("bytes", "org.apache.kafka.connect.data.Decimal", {"scale": "2"})
HUGE = [
    "1e999999999",
    "-1e-999999999",
    "1e9999",
    "1e-9999",
    "9" * 5000,
    "9" * 200_001,
    "0." + "9" * 200_000,
    Decimal("1e999999999"),
    Decimal("-1e-999999999"),
    {"scale": 999_999_999, "value": "AQ=="},
    {"scale": -999_999_999, "value": "AQ=="},
    {"scale": 10**30, "value": "AQ=="},
    {"scale": 0, "value": "/w==" * 100_000},
    {"scale": 0, "value": b"\x7f" * 1_000_000},
]


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.INTEGER])
@pytest.mark.parametrize("value", HUGE, ids=range(len(HUGE)))
def test_a_number_that_nothing_holds_is_never_written_out(value: object, kind: Kind) -> None:
    """A few characters of an exponent stand for gigabytes of digits; the memory that is taken is the value's own."""
    described = ColumnType("string", None, {})
    tracemalloc.start()
    try:
        with pytest.raises(BadValue):
            converter(kind, described).convert(value, Notes())
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [Kind.TEXT, Kind.IDENTIFIER])
@pytest.mark.parametrize("value", [each for each in HUGE if isinstance(each, Decimal)])
def test_nor_is_it_as_a_text(value: object, kind: Kind) -> None:
    """A decimal becomes a text only if it is short."""
    with pytest.raises(BadValue):
        converter(kind, None).convert(value, Notes())


@pytest.mark.parametrize("exponent", ["1e300", "1e-300", "123456789e250"])
def test_what_a_double_holds_is_a_number(exponent: str) -> None:
    """The bounds are a double's."""
    assert converter(Kind.NUMBER, ColumnType("string", None, {})).convert(exponent, Notes()) == float(exponent)


@pytest.mark.parametrize("unit", ["9", "0", "0.", "A", "/", "1e", "-", " ", "\u0661"])
@pytest.mark.parametrize("head", ["", "0.", "2025-01-01T00:00:00."])
def test_texts_are_judged_in_time_as_their_length(head: str, unit: str) -> None:
    """For each kind of field, as columns of which the message tells the type and of which it does not."""
    texts = [head + unit * (size // len(unit)) for size in SIZES]
    for kind in Kind:
        for described in (None, DECIMAL, ColumnType("string", None, {})):
            convert = converter(kind, described).convert

            def judge(text: str, convert: Callable[[Any, Notes], Any] = convert) -> None:
                with contextlib.suppress(BadValue):
                    convert(text, Notes())

            assert not grows_faster(judge, texts), (kind, described)


@pytest.mark.parametrize(
    "bomb",
    [b"[" * 5_000_000, b'{"a":' * 1_000_000, b"9" * 5_000_000],
    ids=["lists", "objects", "digits"],
)
def test_a_record_that_nests_or_counts_without_end_is_undecodable(bomb: bytes) -> None:
    """It is refused where it goes too far, and nothing of it is kept."""
    for data in (bomb, b'{"schema":' + bomb, b'{"schema":{},"payload":' + bomb):
        tracemalloc.start()
        try:
            with pytest.raises(Undecodable):
                JsonWire().decode(data)
            assert tracemalloc.get_traced_memory()[1] < 6 * len(data)
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [b"[" * 4_000_000, b"9" * 4_000_000, b'{"message":"' + b"tenant " * 500_000 + b'"}', b'{"a":' * 800_000],
    ids=["lists", "digits", "words", "objects"],
)
@pytest.mark.parametrize("status", [200, 400, 404, 429])
def test_an_answer_may_hold_anything(body: bytes, status: int) -> None:
    """It has an outcome all the same."""
    for request in (Request(Endpoint.UPSERT_ORDERS, body=b"[]"), Request(Endpoint.DELETE_ORDER, ("o",))):
        classify(request, 1, Answer(status, {}, body))


def test_an_answer_with_more_errors_than_records_keeps_a_few() -> None:
    """What becomes a dead letter's header is short."""
    errors = {f"[{index % 3}].Email": ["x" * 10_000] * 1000 for index in range(1000)}
    body = json.dumps({"errors": errors | {f"$[{index}]": ["y"] for index in range(100_000)}}).encode()
    outcome = classify(Request(Endpoint.UPSERT_ORDERS, body=b"[]"), 3, Answer(400, {}, body))
    kept = [error for each in outcome.errors.values() for error in each]  # type: ignore[union-attr] # it is Refused
    assert len(kept) <= 3 * 20
    assert max(len(error.problem) for error in kept) == 300


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + level)}: &{chr(98 + level)} [{', '.join(['*' + chr(97 + level)] * 9)}]\n" for level in range(9)
)
YAML = {
    "billion laughs": (LAUGHS, "anchor or an alias"),
    "merge": ("a: &a { b: 1 }\nc:\n  <<: *a\n", "anchor or an alias"),
    "tag": ("version: !!python/object/apply:os.system [id]\n", "is a tag"),
    "own tag": ("version: !secret 1\n", "is a tag"),
    "timestamp tag": ("version: !!timestamp 2025-01-01\n", "is a tag"),
    "lists": ("[" * 200_000, "nested more than"),
    "dashes": ("- " * 100_000, "nested more than"),
    "questions": ("? " * 100_000, "nested more than"),
    "braces": ("{a: " * 50_000, "nested more than"),
    "long": ("#" * 300_000, "expected at most"),
    "digits": ("version: " + "9" * 5000, "version"),
    "hexadecimal": ("version: 0x" + "f" * 5000, "version"),
    "exponent": ("version: 1e999999999", "version"),
}


@pytest.mark.parametrize("which", YAML)
def test_a_mapping_file_that_would_unfold_is_refused(which: str) -> None:
    """With the line and what to do instead."""
    text, told = YAML[which]
    found = mapping_text.read(text)
    assert isinstance(found, list)
    assert told in found[0]
    assert len(found) <= 200


@pytest.mark.parametrize(
    "unit",
    [
        "a:\n",
        "a: 1\n",
        "- [a, b]\n",
        "a b ",
        '"a\n',
        '"\\\n',
        "- |\n",
        "&a ",
        "*a ",
        "!!x ",
        "[a]: b\n",
        "a,",
        "# \n",
        "'' ",
    ],
)
@pytest.mark.parametrize("head", ["", "{", "["])
def test_a_mapping_file_is_read_in_time_as_its_length(head: str, unit: str) -> None:
    """Whatever repeats in it."""
    texts = [head + unit * (size // len(unit)) for size in (2_000, 16_000)]
    assert not grows_faster(yaml_text.parse, texts)
