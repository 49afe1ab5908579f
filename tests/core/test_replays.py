"""What is told of dead letters and replays: headers, names of rows, newest records, and what is masked."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.core.dead_letter import Letter
from connector.core.dead_rows import DeadRows, Mended
from connector.core.events import ChangeEvent, Entity, FieldError, Op, Partition, Reason, Record, Reject, Row
from connector.core.leftovers import Leftovers
from connector.core.masking import masked, shape
from connector.core.newest import Newest
from connector.core.replays import HEADER, Memory, Replay
from connector.core.row_names import RowNames
from connector.core.wire import Wire

P = Partition("shop.orders", 0)
NAMES = RowNames({"shop.keyed": ("id",)})


def _letter(offset: int, key: int = 1, *, errors: str = "Currency: is wrong", reason: str = "invalid") -> Record:
    told = {
        "__connect.errors.topic": "shop.orders",
        "__connect.errors.partition": "0",
        "__connect.errors.offset": str(offset),
        "replenit.reason": reason,
        "replenit.entity": "orders",
        "replenit.errors": errors,
        "replenit.time": "2026-03-01T12:00:00.000Z",
    }
    headers = (("own", b"1"), *((name, value.encode()) for name, value in told.items()))
    return Record("dead", 0, offset, json.dumps({"id": key}).encode(), b"{}", headers)


def _read(carrier: Record) -> Letter:
    letter = Letter.read(carrier)
    assert letter is not None
    return letter


def test_a_letter_tells_its_record_and_its_errors() -> None:
    """The record is as it was, its own headers among it; the rest is read from the headers."""
    letter = _read(_letter(7, errors="OrderItems[2].Sku: is blank\nwhole: thing\nno path here"))
    assert letter.record.where == "shop.orders-0@7"
    assert letter.record.headers == (("own", b"1"),)
    assert letter.errors[0] == FieldError("OrderItems[2].Sku", "is blank")
    assert letter.errors[2] == FieldError("", "no path here")
    assert letter.fields == ("OrderItems[].Sku", "whole")


def test_the_apis_words_are_not_shown_as_they_are() -> None:
    """They may quote a value: known words stay."""
    letter = _read(_letter(7, errors="[0].ana@example.com: ana@example.com is not valid", reason="rejected"))
    assert "ana" not in str(letter.shown)
    assert "valid" in str(letter.shown)
    assert "ana" not in str(letter.fields)


@pytest.mark.parametrize("name", ["replenit.time", "replenit.reason", "__connect.errors.offset"])
def test_what_is_no_letter_of_ours_is_none(name: str) -> None:
    """Whatever else writes into the topic is passed over."""
    carrier = _letter(7)
    for headers in ((), ((name, b"nonsense"),)):
        kept = tuple(header for header in carrier.headers if header[0] != name)
        assert Letter.read(replace(carrier, headers=kept + headers)) is None


def _replay(record: Record, letters: dict[int, int]) -> Replay:
    reject = Reject(Reason.INVALID, (FieldError("Currency", "is wrong"),))
    return Replay(record, {0: 9}, Entity.ORDERS, "group", letters, reject)


def test_a_replay_is_read_as_it_was_written() -> None:
    """What a record of the topic of replays carries is what was put in."""
    replay = _replay(Record("shop.orders", 0, 7, b"k", None, (("own", None),), 5), {0: 3})
    carrier = Record("replays", 2, 11, b"k", None, replay.headers, 5)
    assert Replay.read(carrier) == replay


@given(st.one_of(st.binary(max_size=40), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_whatever_else_is_in_the_header_is_no_replay(told: bytes | str) -> None:
    """Nothing in the topic can break the loop."""
    data = told if isinstance(told, bytes) else told.encode()
    assert Replay.read(Record("replays", 0, 0, b"k", b"v", ((HEADER, data),))) is None


@pytest.mark.parametrize(
    "told",
    [
        {"origin": ["shop.orders", 0, math.inf]},
        {"origin": ["shop.orders", 0, 2**70]},
        {"origin": ["shop.orders", -1, 0]},
        {"family": "\ud800"},
        {"leftovers": {"ids": [], "items": [["a"]]}},
        {"leftovers": {"ids": [7], "items": []}},
        {"leftovers": {"ids": ["\ud800"], "items": []}},
    ],
)
def test_what_could_not_be_kept_or_sent_is_no_replay(told: dict[str, object]) -> None:
    """Whoever may write to the topic can't end the process at every start."""
    replay = _replay(Record("shop.orders", 0, 7, b"k", b"v"), {0: 3})
    [(_, header)] = [each for each in replay.headers if each[0] == HEADER]
    assert header is not None
    carrier = Record("replays", 0, 0, b"k", b"v", ((HEADER, json.dumps(json.loads(header) | told).encode()),))
    assert Replay.read(carrier) is None


def test_a_letter_tells_of_what_is_left_only_what_its_header_holds() -> None:
    """Bytes count, and not characters: the topic must have room for it above its records."""
    left = Leftovers(("o1", "o2"), frozenset(("\N{CJK UNIFIED IDEOGRAPH-5546}" * 8, str(n)) for n in range(2000)))
    header = left.header()
    assert 31_000 < len(header.encode()) < 32_100
    told = Leftovers.read(Entity.ORDERS, json.loads(header))
    assert told.ids == ("o1", "o2")
    assert left.holds(told)
    assert not told.holds(left)


def test_a_replay_mends_the_letters_that_were_there_when_it_was_asked_for() -> None:
    """Those of its row, below the end up to which they were read; a later one is open."""
    mended = Mended(NAMES, Wire(), ())
    mended.add(_replay(Record("shop.orders", 0, 7, b'{"id":1}', b"{}"), {0: 3}))
    assert [mended.covers(_read(_letter(offset))) for offset in (2, 3)] == [True, False]
    assert not mended.covers(_read(_letter(2, key=2)))


def test_an_older_replay_that_is_read_later_opens_no_letter() -> None:
    """The topic of replays has partitions, and no order between them."""
    mended = Mended(NAMES, Wire(), ())
    for end in (3, 1):
        mended.add(_replay(Record("shop.orders", 0, 7, b'{"id":1}', b"{}"), {0: end}))
    assert [mended.covers(_read(_letter(offset))) for offset in (0, 2, 3)] == [True, True, False]


def test_the_letters_of_a_row_are_one_replay() -> None:
    """From the first of its records on it is looked for its newest; a letter without a key names no row."""
    dead = DeadRows(NAMES, Wire(), "group", ())
    for offset in (5, 3, 8):
        dead.add(_read(_letter(offset)))
    dead.add(_read(replace(_letter(9), key=None)))
    assert dead.first("shop.orders") == {P: 3}
    assert len(dead.unnamed) == 1
    newest = {next(iter(dead.rows["shop.orders"])): Record("shop.orders", 0, 8, b'{"id":1}', b"{}")}
    [replay] = dead.replays("shop.orders", newest, {0: 9}, {0: 4})
    assert replay.record.offset == 8


def test_the_letters_of_a_family_are_one_replay_whatever_rows_they_are_of() -> None:
    """It stands for that family's letters; one that is of two families waits for both."""

    def letter(offset: int, key: int, *families: str) -> Letter:
        carrier = _letter(offset, key)
        told = ("replenit.families", json.dumps(families).encode())
        return _read(replace(carrier, headers=(*carrier.headers, told)))

    letters = [letter(3, 1, "a"), letter(5, 2, "a"), letter(6, 2, "a", "b")]
    dead, mended = DeadRows(NAMES, Wire(), "group", [Entity.ORDERS]), Mended(NAMES, Wire(), [Entity.ORDERS])
    for each in letters[:2]:
        dead.add(each)
    [replay] = dead.family_replays({0: 7})
    assert (replay.family, dead.rows, dead.letters) == ("a", {}, 2)
    assert Replay.read(replace(replay.record, headers=replay.headers)) == replay
    mended.add(replay)
    assert [mended.covers(each) for each in letters] == [True, True, False]
    alone = Mended(NAMES, Wire(), ())  # orders are of one table by now: the letter is its row's
    alone.add(_replay(letters[2].record, {0: 7}))
    assert alone.covers(letters[2])


def _key(payload: object, *, schema: bool = False) -> bytes:
    return json.dumps({"schema": {"type": "struct"}, "payload": payload} if schema else payload).encode()


def test_a_row_has_one_name_whatever_its_key_is_written_in() -> None:
    """With a schema or without, its columns in any order."""
    bare = NAMES.read(Record("t", 0, 0, _key({"a": 1, "b": "x"}), None), Wire())
    schema = NAMES.read(Record("t", 0, 0, _key({"b": "x", "a": 1}, schema=True), None), Wire())
    assert bare == schema != NAMES.read(Record("t", 0, 0, _key({"a": 1, "b": "y"}), None), Wire())
    assert NAMES.read(Record("t", 0, 0, b"no json", None), Wire()) is None


def test_where_the_message_key_is_another_the_row_names_itself() -> None:
    """By the columns that the mapping names, in the row as it is or was; a tombstone tells none."""
    source = {"connector": "postgresql", "snapshot": "false"}
    body = {"before": None, "after": {"id": 7, "order_id": 1}, "op": "c", "source": source}
    record = Record("shop.keyed", 0, 0, _key({"order_id": 1}), json.dumps(body).encode())
    assert NAMES.read(record, Wire()) == "id=7"
    assert NAMES.read(replace(record, value=None), Wire()) is None
    assert NAMES.read(replace(record, key=_key({"id": 7})), Wire()) == "id=7"


def test_of_a_topic_that_has_grown_the_later_record_is_the_newest() -> None:
    """By the source's position, else by time, in whichever order the partitions are read."""

    def record(partition: int, position: int, timestamp: int) -> Record:
        source = {"connector": "postgresql", "snapshot": "false", "sequence": json.dumps(["1", str(position)])}
        body = {"before": None, "after": {"id": 1}, "op": "u", "source": source}
        return Record("t", partition, 0, _key({"id": 1}), json.dumps(body).encode(), (), timestamp)

    for records in ((record(0, 5, 9), record(1, 6, 2)), (record(1, 6, 2), record(0, 5, 9))):
        newest = Newest({"id=1"}, NAMES, Wire())
        for each in records:
            newest.see(each)
        assert newest.records["id=1"].partition == 1


def _event(offset: int, number: int) -> ChangeEvent:
    return ChangeEvent(Record("shop.orders", 0, offset, b"k", b"v"), Op.UPDATE, Row({"id": number}))


def test_the_memory_reaches_back_over_at_least_its_size() -> None:
    """Where it no longer reaches is told; a partition that was away is remembered from its return on."""
    memory = Memory(NAMES)
    memory.most = 10
    memory.active = True
    memory.begin(P, 100)
    assert memory.reach(P, 100) == 100
    for offset in range(100, 135):
        memory.note(_event(offset, offset), P)
    assert memory.reach(P, 135) <= 125
    assert memory.last(P, "id=130") == 130
    assert memory.last(P, "id=101") == -1
    memory.forget([P])
    assert memory.last(P, "id=130") == -1
    assert memory.reach(P, 140) == 140


def test_what_is_personal_is_masked_and_what_is_wrong_can_be_seen() -> None:
    """Who he is, and when he bought under which number; not what, for how much and with which flags."""
    customer = {"CustomerId": "C-17", "Email": "Ana.Ü@example.com", "Language": "de", "GdprOptin": True, "Own": "x1"}
    assert masked(Entity.CUSTOMERS, customer) == {
        "CustomerId": "X-99",
        "Email": "Xxx.X@xxxxxxx.xxx",
        "Language": "de",
        "GdprOptin": True,
        "Own": "x9",
    }
    order = {"OrderId": "O7", "OrderDate": "2026-03-01T00:00:00Z", "Currency": "EUR", "OrderItems": [{"Sku": "T-7"}]}
    assert masked(Entity.ORDERS, order) == {
        "OrderId": "X9",
        "OrderDate": "9999-99-99X99:99:99X",
        "Currency": "EUR",
        "OrderItems": [{"Sku": "T-7"}],
    }
    assert shape({"a": [17, None, False, -1.5]}) == {"a": [99, None, False, "-9.9"]}
