"""What may grow is bounded by bytes: what is counted of it is what it takes, whatever keys and values are."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from test_letters import Topic

from connector.core import debezium
from connector.core.absences import Absences
from connector.core.doubts import Doubts
from connector.core.entries import QUEUES
from connector.core.events import ChangeEvent, Entity, FieldError, Partition, Reason, Record, Reject
from connector.core.gate import Mark
from connector.core.json_wire import JsonWire
from connector.core.offsets import Offsets
from connector.core.pending import Pending
from connector.core.remembered import Remembered
from connector.core.second_sendings import SecondSendings
from connector.core.states import Change, Key, State
from connector.core.suspensions import Suspensions
from connector.core.wire import Wire
from connector.letters import Letters
from connector.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Callable

P = Partition("shop.public.orders", 0)
HEADERS = (("__debezium.context.taskId", b"0"), ("trace", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
MANY = 2_000
HONEST = 1.15
"""What is taken may be this much of what is counted: the allocator's own, and dictionaries that have just grown."""


def _record(number: int, size: int, *, headers: bool) -> Record:
    key = b'{"order_id":%d}' % number
    return Record(P.topic, 0, number, key, bytes(size), _own(HEADERS) if headers else (), 1_700_000_000_000 + number)


def _own(headers: tuple[tuple[str, bytes], ...]) -> tuple[tuple[str, bytes], ...]:
    """Copies, as each record that librdkafka delivers has."""
    return tuple((name.encode().decode(), bytes(bytearray(value))) for name, value in headers)


def _offsets() -> Offsets:
    offsets = Offsets()
    offsets.assign(P)
    offsets.advance(P, 0)
    return offsets


def _reject(number: int) -> Reject:
    return Reject(
        Reason.INVALID, (FieldError(f"OrderItems[{number}].Sku", f"is missing in line {number}; expected it"),)
    )


def _pending(size: int, *, headers: bool) -> Callable[[], int]:
    pending = Pending(_offsets())

    def fill() -> int:
        for number in range(MANY):
            stale = frozenset({(f"product-{number}", f"sku-{number}")})
            state, record = State(document=bytes(size), stale=stale), _record(number, size, headers=headers)
            change = Change(Key(Entity.ORDERS, f"order-{number}"), state, record, P, committed_ms=1_700_000 + number)
            pending.put(change, 1000.0 + number)
        return pending.bytes(Entity.ORDERS)

    return fill


def _letters(size: int, *, headers: bool) -> Callable[[], int]:
    offsets = _offsets()
    letters = Letters(Topic(), offsets, Metrics(), lambda: 1_700_000_000.0, lambda _: None)

    def fill() -> int:
        for number in range(MANY):
            record = _record(number, size, headers=headers)
            letters.write(record, [offsets.hold(P, number)], Entity.ORDERS, _reject(number), "upsert_orders", 400, 1)
        return letters.weight(Entity.ORDERS)

    return fill


def _doubts(size: int, *, headers: bool) -> Callable[[], int]:
    doubts = Doubts(_offsets(), Suspensions(), [Entity.ORDERS])

    def fill() -> int:
        for number in range(MANY):
            doubts.refuse(Entity.ORDERS, _record(number, size, headers=headers), P, _reject(number), 1.0)
        return doubts.weight(Entity.ORDERS)

    return fill


def _taken_in_meanwhile(size: int, *, headers: bool) -> Callable[[], int]:
    """Names of documents, while some records are in doubt: of these, what was kept is older."""
    doubts = Doubts(_offsets(), Suspensions(), [Entity.ORDERS])
    for number in range(50):
        doubts.refuse(Entity.ORDERS, _record(number, 0, headers=False), P, _reject(number), 1.0)
    record, before = _record(50, size, headers=headers), doubts.weight(Entity.ORDERS)

    def fill() -> int:
        for number in range(MANY):
            doubts.accept(Entity.ORDERS, record, P, f"order-{number}", proven=False)
        return doubts.weight(Entity.ORDERS) - before

    return fill


def _remembered(size: int, *, headers: bool) -> Callable[[], int]:
    remembered: Remembered[tuple[Partition, bytes | None], Partition] = Remembered(
        MANY, lambda place, _: len(place[1] or b""), 10**9
    )

    def fill() -> int:
        for number in range(MANY):
            remembered.put((P, _record(number, size, headers=headers).key), P)
        return remembered.weight

    return fill


@pytest.mark.parametrize("headers", [False, True])
@pytest.mark.parametrize("what", [_pending, _letters, _doubts, _taken_in_meanwhile, _remembered])
def test_what_is_counted_is_what_is_taken(what: Callable[..., Callable[[], int]], headers: bool) -> None:
    """PENDING_MAX_BYTES bounds memory only if small records weigh what they take, and headers and errors are in it."""
    fill = what(100, headers=headers)
    gc.collect()
    tracemalloc.start()
    try:
        counted = fill()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken <= HONEST * counted
    assert counted <= 2 * taken


def test_huge_keys_are_forgotten_before_many() -> None:
    """A hundred megabytes of keys that change nothing at Replenit leave 64 MB behind, of which the newest are known."""
    absences = Absences()
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(100):
            absences.note(Key(Entity.ORDERS, f"{number:03}" + "x" * 1_000_000), P)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 67_000_000
    assert Key(Entity.ORDERS, "099" + "x" * 1_000_000) in absences
    assert Key(Entity.ORDERS, "000" + "x" * 1_000_000) not in absences
    absences.forget(P)
    assert Key(Entity.ORDERS, "099" + "x" * 1_000_000) not in absences


def test_second_sendings_are_bounded_by_bytes() -> None:
    """A thousand customers of 1 MB who were deleted and came back take no gigabyte until their second sending."""
    second, offsets = SecondSendings(900.0), _offsets()
    pending = Pending(offsets)
    for number in range(1000):
        key = Key(Entity.CUSTOMERS, str(number))
        second.deleted(key, 1.0)
        pending.put(Change(key, State(document=bytes(1_000_000)), _record(number, 0, headers=False), P), 1.0)
        [entry] = pending.take(QUEUES, 1)
        second.delivered(entry, entry.state, 2.0)
        pending.delivered(entry)
    due = second.due(1000.0)
    assert sum(len(change.state.document or b"") for change in due) <= 64_000_000
    assert [change.key.id for change in due] == [str(number) for number in range(1000 - len(due), 1000)]
    assert len(due) > 60


def test_schemas_that_come_with_records_are_bounded_by_bytes() -> None:
    """Ten different ones of 300 kB each are read, and not kept."""
    wire = JsonWire()
    names = "".join(f'{{"type":"string","optional":true,"field":"column_{number}"}},' for number in range(5000))
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(10):
            schema = f'{{"type":"struct","name":"t{number}","fields":[{names}{{"type":"int64","field":"id"}}]}}'
            decoded = wire.decode(f'{{"schema":{schema},"payload":{{"id":{number}}}}}'.encode())
            assert decoded.value == {"id": number}
        del decoded, schema
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 1_000_000


@pytest.mark.parametrize("length", [20, 100, 101, 100_000])
def test_what_a_commit_says_fits_into_its_metadata(length: int) -> None:
    """Kafka refuses more than 4,096 bytes, and nothing would be committed any more: a position beyond all is none."""
    source = {"connector": "sqlserver", "commit_lsn": "0" * length, "change_lsn": "f" * length, "event_serial_no": 1}
    row = {"order_id": "1"}
    value = json.dumps({"op": "c", "before": None, "after": row, "source": source}).encode()
    record = Record(P.topic, 0, 0, json.dumps(row).encode(), value)
    wire = Wire(None)
    event = debezium.parse(record, wire.key(record), wire.value(record))
    assert isinstance(event, ChangeEvent)
    mark = Mark(waiting_since=1_700_000_000.123456, newest=event.position, beyond=True)
    assert len(mark.encode()) < 1000
    assert Mark.decode(mark.encode()) == mark
    assert (event.position is None) is (length > 100)
