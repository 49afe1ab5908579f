"""Dispatch: what follows from each kind of answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from connector.core.budget import Budget
from connector.core.dispatch import Batch, Consequences, Dispatch
from connector.core.events import Entity, Partition, Reason, Record
from connector.core.offsets import Offsets
from connector.core.outcomes import HaltReason
from connector.core.pending import Pending
from connector.core.requests import Answer, NoAnswer, Purpose
from connector.core.scheduler import Lingers
from connector.core.second_sendings import SecondSendings
from connector.core.states import GONE, Change, Key, State
from connector.core.suspensions import Suspensions

if TYPE_CHECKING:
    from connector.core.halts import Halt

P = Partition("shop.orders", 0)
OK = {"success": True, "message": "Saved.", "data": {"count": 1}}


def answer(status: int, body: object = None) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, {}, json.dumps(body).encode())


class Desk:
    """A dispatch with work of one partition, and a clock that is moved by hand."""

    def __init__(self) -> None:
        self.offsets = Offsets()
        self.offsets.assign(P)
        self.pending = Pending(self.offsets)
        self.now = 10_000.0
        self.dispatch = Dispatch(
            self.pending,
            Budget(now=0.0),
            entities=list(Entity),
            batch_max={Entity.CUSTOMERS: 500, Entity.ORDERS: 4, Entity.PRODUCTS: 100},
            lingers=Lingers(),
            suspicious=lambda _: False,
            jitter=lambda: 0.0,
            settle_time=60.0,
            suspensions=Suspensions(),
            second=SecondSendings(900.0),
        )
        self.dispatch.see_key("first", self.now)
        self._next = 0

    def put(self, *ids: str, entity: Entity = Entity.ORDERS, state: State | None = None) -> None:
        for identifier in ids:
            record = Record(P.topic, P.number, self._next, b"k", b"v")
            self._next += 1
            document = json.dumps({"OrderId": identifier, "OrderItems": []}).encode()
            self.pending.put(Change(Key(entity, identifier), state or State(document=document), record, P), self.now)

    def poll(self, patience: float) -> Batch | None:
        """The next batch, once its time has come within so many seconds."""
        end = self.now + patience
        while self.now <= end:
            batch = self.dispatch.next(self.now, set(Entity))
            if isinstance(batch, Batch):
                return batch
            self.now += min(max(batch, 0.01), 1.0)
        return None

    def next(self, patience: float = 100.0) -> Batch:
        batch = self.poll(patience)
        assert batch is not None
        return batch

    def quiet(self, seconds: float) -> bool:
        """Whether nothing is sent for so long."""
        return self.poll(seconds) is None

    def settle(self, batch: Batch, reply: Answer | NoAnswer) -> Consequences:
        return self.dispatch.settle(batch, reply, self.now)

    def halted(self, reply: Answer) -> Halt:
        self.put("a")
        follows = self.settle(self.next(), reply)
        assert follows.halted is not None
        assert follows.halted is self.dispatch.halting.halt
        return follows.halted


def ids(batch: Batch) -> list[str]:
    return [entry.key.id for entry in batch.entries]


def test_named_records_die_and_the_others_go_again_at_once() -> None:
    """An answer with indexes costs one more request, however many records it names."""
    desk = Desk()
    desk.put("a", "b", "c", "d")
    errors = {"[1].OrderItems[0].Sku": ["no"], "[3].Currency": ["no"], "unnamed": ["no"]}
    follows = desk.settle(desk.next(), answer(400, {"success": False, "errors": errors}))
    assert [(entry.key.id, reject.reason) for entry, reject in follows.dead] == [
        ("b", Reason.REJECTED),
        ("d", Reason.REJECTED),
    ]
    assert follows.dead[0][1].errors[0].path == "OrderItems[0].Sku"
    batch = desk.next(0.01)
    assert (ids(batch), batch.purpose) == (["a", "c"], Purpose.ISOLATION)


def test_too_large_is_halved_down_to_the_record() -> None:
    """A body that is too large is divided; one record alone is a dead letter."""
    desk = Desk()
    desk.put("a", "b")
    desk.settle(desk.next(), answer(413))
    batch = desk.next(5)
    assert ids(batch) == ["a"]
    assert not isinstance(desk.dispatch.next(desk.now, set(Entity)), Batch)  # one halving request at a time
    follows = desk.settle(batch, answer(413))
    assert [reject.reason for _, reject in follows.dead] == [Reason.TOO_LARGE]
    desk.settle(desk.next(5), answer(200, OK))
    assert desk.offsets.outstanding() == 1  # the dead letter's, till it is written


def test_a_failing_lane_pauses_and_tries_with_one_request() -> None:
    """After 1, 2, 4 … 60 s one request goes; the first success opens the lane."""
    desk = Desk()
    desk.put(*(str(number) for number in range(12)))
    waits = []
    for _ in range(8):
        sent = desk.now
        batch = desk.next(70)
        waits.append(round(desk.now - sent))
        assert len(waits) == 1 or desk.quiet(0.5)
        desk.settle(batch, answer(503, {"success": False}))
    desk.settle(desk.next(70), answer(200, OK))
    assert desk.next(5)
    assert desk.next(5)


def test_records_that_keep_failing_while_others_succeed_are_divided() -> None:
    """After five failures the batch is halved; the one record that fails for an hour is a dead letter."""
    desk = Desk()
    desk.put("a", "poison", "b", "c")
    dead = []
    for minute in range(300):
        desk.put(f"fine{minute}", entity=Entity.ORDERS)
        while (batch := desk.poll(20)) is not None:
            bad = "poison" in ids(batch)
            follows = desk.settle(batch, answer(500, {"success": False}) if bad else answer(200, OK))
            dead += [(entry.key.id, reject.reason) for entry, reject in follows.dead]
        if dead:
            break
    assert dead == [("poison", Reason.SERVER_ERROR)]
    assert desk.now - 10_000 >= 3600


def test_one_record_does_not_hold_up_all_that_ever_goes_with_it() -> None:
    """Where all that waits goes together each time, nothing else could succeed: trials carry a half, then the other."""
    desk = Desk()
    desk.put("a", "b", "bad", entity=Entity.CUSTOMERS)
    carried, dead = [], []
    for minute in range(100):
        desk.put(f"new {minute}", entity=Entity.CUSTOMERS)  # as often as the lane tries
        batch = desk.next(70)
        carried.append(len(batch.entries))
        crashes = "bad" in ids(batch)
        dead += desk.settle(batch, answer(500) if crashes else answer(200, OK)).dead
        desk.now += 60.0 if crashes else 0.0
    assert carried[:6] == [4, 5, 6, 7, 8, 5]  # the last of nine
    assert [(entry.key.id, reject.reason) for entry, reject in dead] == [("bad", Reason.SERVER_ERROR)]


def test_many_bad_records_are_found_too() -> None:
    """Trials become smaller until one succeeds, be it that a tenth of the records make the server fail."""
    desk = Desk()
    names = [f"{'bad' if number % 10 == 3 else 'good'} {number}" for number in range(100)]
    desk.put(*names, entity=Entity.CUSTOMERS)
    delivered: set[str] = set()
    began = desk.now
    while len(delivered) < 90 and desk.now < began + 2 * 3600:
        batch = desk.next(70)
        crashes = any("bad" in each for each in ids(batch))
        follows = desk.settle(batch, answer(500) if crashes else answer(200, OK))
        delivered |= {entry.key.id for entry in follows.delivered}
    assert delivered == {name for name in names if "good" in name}


def test_a_lane_without_any_success_waits_for_ever() -> None:
    """However long the API is down, no record is blamed for it."""
    desk = Desk()
    desk.put("a", "b")
    for _ in range(100):
        assert not desk.settle(desk.next(), answer(500, {"success": False})).dead
    assert desk.now - 10_000 > 3600


@pytest.mark.parametrize(
    ("after", "locked"), [(1, 60), (30, 60), (50, 80)], ids=["a reset", "a time-out", "a process that stood still"]
)
def test_a_lost_answer_locks_its_keys(after: float, locked: float) -> None:
    """For 60 s since it was sent, and 30 s at least, nothing of the key goes, whatever is new; other keys go on."""
    desk = Desk()
    desk.put("a")
    lost = desk.next()
    sent, desk.now = desk.now, desk.now + after
    desk.settle(lost, NoAnswer("reset", ambiguous=True))
    desk.put("a", "b")
    batch = desk.next()
    assert ids(batch) == ["b"]
    desk.settle(batch, answer(200, OK))
    assert ids(desk.next()) == ["a"]
    assert desk.now >= sent + locked


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer(401), HaltReason.UNAUTHORIZED),
        (answer(403, {"success": False}), HaltReason.FORBIDDEN),
        (answer(404, {"success": False, "message": "Tenant not found."}), HaltReason.TENANT_UNKNOWN),
        (answer(200, {"success": False, "message": "Tenant not found."}), HaltReason.TENANT_UNKNOWN),
        (answer(302), HaltReason.REDIRECTED),
    ],
)
def test_a_wrong_setting_stops_everything_but_probes(reply: Answer, reason: HaltReason) -> None:
    """Nothing is lost; an empty array is sent after 1, 2, 4, 8, 15, 15 minutes until it is accepted."""
    desk = Desk()
    assert desk.halted(reply).reason is reason
    gaps = []
    for _ in range(6):
        began = desk.now
        batch = desk.next(1000)
        assert (batch.purpose, batch.request.body, batch.entries) == (Purpose.PROBE, b"[]", ())
        gaps.append(round(desk.now - began))
        desk.settle(batch, reply if reply.status != 200 else answer(404, {"message": "Tenant not found."}))
    assert gaps == [60, 120, 240, 480, 900, 900]
    assert desk.settle(desk.next(1000), answer(200, OK)).recovered is not None
    assert ids(desk.next()) == ["a"]


def test_another_key_is_tried_at_once() -> None:
    """A changed key file ends the wait for the next probe; without a key nothing is sent at all."""
    desk = Desk()
    desk.halted(answer(401))
    desk.dispatch.see_key(None, desk.now)
    assert desk.quiet(2000)
    desk.dispatch.see_key("second", desk.now)
    began = desk.now
    batch = desk.next()
    assert desk.now - began < 2
    desk.settle(batch, answer(400, {"errors": {"": ["empty"]}}))
    assert desk.dispatch.halting.halt is None


def test_a_missing_key_halts_and_its_return_is_checked() -> None:
    """With the key gone nothing is sent; once it is back a probe comes before any record."""
    desk = Desk()
    desk.put("a")
    halted, _ = desk.dispatch.see_key(None, desk.now)
    assert halted is not None
    assert halted.reason is HaltReason.KEY_MISSING
    assert desk.quiet(1000)
    _, recovered = desk.dispatch.see_key("second", desk.now)
    assert recovered is halted
    probe = desk.next()
    assert probe.purpose is Purpose.PROBE
    assert desk.settle(probe, answer(401)).halted is not None


def test_a_404_that_says_nothing_is_cleared_up_by_one_probe() -> None:
    """Whether the record or the tenant is missing is asked once, and the delete goes again."""
    desk = Desk()
    desk.put("a", state=GONE)
    delete = desk.next()
    desk.settle(delete, Answer(404, {}, b"<html>"))
    probe = desk.next()
    assert probe.purpose is Purpose.PROBE
    desk.settle(probe, answer(200, OK))
    follows = desk.settle(desk.next(), Answer(404, {}, b"<html>"))
    assert [entry.key.id for entry in follows.delivered] == ["a"]
    assert desk.offsets.outstanding() == 0


def test_a_firewalls_403_is_not_blamed_on_a_record_before_the_tenant_is_proven() -> None:
    """A gateway that refuses the sender must not cost records: a probe tells it from one that dislikes a record."""
    desk = Desk()
    desk.put("a", "b")
    html = Answer(403, {}, b"<html>Forbidden</html>")
    desk.settle(desk.next(), html)
    probe = desk.next()
    assert probe.purpose is Purpose.PROBE
    assert desk.settle(probe, html).halted is not None


def test_a_throttled_request_goes_again_and_counts_for_nothing() -> None:
    """After a 429 everything waits as long as it asks for, and no record is blamed."""
    desk = Desk()
    desk.put("a")
    for _ in range(10):
        began = desk.now
        follows = desk.settle(desk.next(), Answer(429, {"retry-after": "7"}, b""))
        assert not follows.dead
        assert isinstance(desk.dispatch.next(desk.now, set(Entity)), float)
        assert began <= desk.now
    batch = desk.next()
    assert batch.entries[0].failures == 0


def test_fewer_counted_records_are_delivered_and_told() -> None:
    """The API may skip records by business logic: that is no failure."""
    desk = Desk()
    desk.put("a", "b")
    follows = desk.settle(desk.next(), answer(200, OK))
    assert (follows.short, len(follows.delivered)) == (1, 2)
