"""Lanes that are suspended while the others go on: the real service in virtual time."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import pytest
from simulation import World

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.service import Service

FEWEST = 20
PROBE = 60


def suspended(service: Service) -> list[tuple[str, str]]:
    found: Any = service.status.get("suspended", [])
    return [(each["lane"], each["reason"]) for each in found]


def waiting(service: Service, lane: str) -> int:
    lanes: Any = service.status["lanes"]
    return int(lanes[lane]["waiting"])


def shop(world: World, customers: int, others: int = 50) -> None:
    for number in range(customers):
        world.write("customers", f"c{number}")
    for number in range(others):
        world.write("orders", f"o{number}")
        world.write("products", f"p{number}")


def without_consent_column(world: World, customers: int) -> None:
    """A snapshot of customers of whom no column tells whether they have given consent."""
    for number in range(customers):
        world.insert_silently("customers", f"c{number}")
        del world.tables["customers"][f"c{number}"]["gdpr_optin"]
    world.snapshot()


def settle_each(world: World, service: Service, *changes: Callable[[str, str], None]) -> None:
    """Let changes of one customer reach the API, one after the other."""
    for change in changes:
        change("customers", "c1")
        assert world.run(service, 60, world.settled)


@pytest.mark.parametrize("names", ["all", "first", "none"])
@pytest.mark.parametrize("latency", [(0.02, 0.3), (5.0, 8.0)])
def test_an_api_that_refuses_all_costs_few_letters_and_requests(
    names: Literal["all", "first", "none"], latency: tuple[float, float]
) -> None:
    """Whatever its answers name and however many requests are in flight, the others go on, and once mended so does it.

    At most 20 dead letters and 130 requests until the lane is suspended; mended, it is noticed at the next probe.
    """
    world = World(21)
    shop(world, 5_000)
    world.faults.refused, world.faults.names_bad, world.faults.latency = {"customers"}, names, latency
    service = world.service()
    assert world.run(service, 3000, lambda: ("customers", "rejected") in suspended(service))
    assert len(world.letters) < FEWEST
    assert sum(world.server.purposes.values()) <= 130
    world.run(service, 900)
    assert len(world.letters) < FEWEST
    assert (len(world.server.state["orders"]), len(world.server.state["products"])) == (50, 50)
    assert waiting(service, "customers") == 5_000 - len(world.letters)
    lost = len(world.letters)
    world.faults.refused = set()
    assert world.run(service, 900 + PROBE, lambda: not suspended(service))
    before = sum(world.server.purposes.values())
    assert world.run(service, 3000, world.settled)
    assert sum(world.server.purposes.values()) - before <= 5_000 / 500 + 3  # in whole batches again
    assert len(world.server.state["customers"]) == 5_000 - lost
    assert len(world.letters) == lost
    assert world.server.broken == []


@pytest.mark.parametrize("names", ["all", "first", "none"])
def test_a_few_good_ones_show_that_a_lane_works(names: Literal["all", "first", "none"]) -> None:
    """What was refused in doubt and is refused again, by a lane that works, is a dead letter."""
    world = World(22)
    shop(world, 300)
    world.faults.refused, world.faults.names_bad = {"customers"}, names
    service = world.service()
    assert world.run(service, 600, lambda: bool(suspended(service)))
    world.faults.refused = set()
    world.faults.poisoned = {("customers", f"c{number}") for number in range(0, 300, 10)}
    world.write("customers", "c301")
    assert world.run(service, 7200, world.settled)
    assert suspended(service) == []
    assert {letter.record.key for letter in world.letters} >= {
        json.dumps({"customer_id": f"c{number}"}).encode() for number in range(0, 300, 10)
    }
    assert len(world.letters) < 30 + FEWEST


@pytest.mark.parametrize(
    ("good", "bad", "letters", "breaks"),
    [
        (0, 19, 19, False),
        (0, 20, 19, True),
        (21, 20, 19, False),
        (20, 20, 19, True),
        (90, 49, 19, False),
        (90, 50, 19, True),
    ],
)
def test_the_mapping_s_refusals_are_weighed(good: int, bad: int, letters: int, breaks: bool) -> None:
    """Twenty refused that are half of all, or fifty in a row, suspend the lane; one less does not."""
    world = World(23)
    for number in range(good):
        world.write("orders", f"o{3 * number}")
    for number in range(bad):
        world.write("orders", f"o{3 * number}", currency="euros")
    service = world.service()
    world.run(service, 30)
    assert suspended(service) == ([("orders", "unmappable")] if breaks else [])
    assert len(world.letters) == letters
    lanes: Any = service.status["lanes"]
    assert lanes["orders"]["in_doubt"] == bad - letters


@pytest.mark.parametrize("names", ["mapping", "all", "first", "none"])
def test_a_cluster_of_bad_rows_suspends_nothing(
    names: Literal["mapping", "all", "first", "none"],
) -> None:
    """Forty bad rows in a row, good ones before and after: forty dead letters, once the good ones have shown it."""
    world = World(30)
    bad = [f"o{1000 + 3 * number}" for number in range(40)]
    if names == "mapping":
        columns: dict[str, Any] = {"currency": "euros"}
    else:
        columns, world.faults.names_bad = {}, names
        world.faults.poisoned = {("orders", each) for each in bad}
    for number in range(100):
        world.write("orders", f"o{3 * number}")
    for each in bad:
        world.write("orders", each, **columns)
    service = world.service()
    assert not world.run(service, 120, lambda: bool(suspended(service)))
    for number in range(100, 160):
        world.write("orders", f"o{3 * number}")
    assert world.run(service, 600, lambda: bool(suspended(service)) or world.settled())
    assert suspended(service) == []
    assert len(world.letters) == 40
    assert len(world.server.state["orders"]) == 160


def test_refusals_that_nothing_follows_suspend_the_lane_after_a_while() -> None:
    """Twenty in a row after a long good time, and then nothing: that is told, and not decided alone."""
    world = World(31)
    for number in range(200):
        world.write("orders", f"o{number}")
    service = world.service()
    assert world.run(service, 300, world.settled)
    for number in range(25):
        world.write("orders", f"o{number}", currency="euros")
    world.run(service, 800)
    assert suspended(service) == []
    world.run(service, 200)
    assert suspended(service) == [("orders", "unmappable")]
    assert len(world.letters) == 19


def test_a_column_that_broke_and_was_mended_costs_nothing_more() -> None:
    """Suspended with the field's name while every row is wrong; once the rows are mended it goes on by itself."""
    world = World(24)
    shop(world, 10, others=100)
    service = world.service()
    assert world.run(service, 300, world.settled)
    for number in range(100):
        world.write("orders", f"o{number}", currency="euros")
    world.write("customers", "c1")
    world.run(service, 30)
    assert suspended(service) == [("orders", "unmappable")]
    told: Any = service.status["suspended"]
    assert "Currency" in told[0]["detail"]
    assert "euros" not in json.dumps(told)
    died = len(world.letters)
    assert died < FEWEST
    for number in range(100):
        world.write("orders", f"o{number}")
    world.write("customers", "c2")
    assert world.run(service, 2 * PROBE, lambda: not suspended(service))
    assert world.run(service, 300, world.settled)
    assert world.differences() == []
    assert len(world.letters) == died
    assert world.server.broken == []


def test_since_when_what_is_in_doubt_waits_is_told() -> None:
    """While the mapping refuses all rows, the retention of their topic may come first, however hot the rows are."""
    world = World(24)
    service, began, told = world.service(), world.now, {"entity": "orders"}
    for _ in range(FEWEST):
        world.write("orders", "o1", currency="euros")
    world.run(service, 30)
    for _ in range(3):
        for number in range(10):
            world.write("orders", f"o{number}", currency="euros")
        world.run(service, 600)
    assert suspended(service) == [("orders", "unmappable")]
    oldest = service._metrics.registry.get_sample_value("connector_oldest_unacked_timestamp_seconds", told)  # noqa: SLF001
    assert oldest == began


def test_what_stays_wrong_is_a_dead_letter_once_the_lane_works() -> None:
    """Rows that nobody mends are kept in their order, and refused for good after the lane has resumed."""
    world = World(25)
    for number in range(40):
        world.write("orders", f"o{number}", currency="euros")
    service = world.service()
    world.run(service, 30)
    assert suspended(service) == [("orders", "unmappable")]
    for number in range(40, 90):
        world.write("orders", f"o{number}")
    assert world.run(service, 600, world.settled)
    assert suspended(service) == []
    assert len(world.letters) == 40
    assert len(world.server.state["orders"]) == 50


def test_a_lane_stays_suspended_while_nothing_is_mended() -> None:
    """It is tried in ever longer intervals; nothing is drained, memory is bounded, and nothing is lost."""
    world = World(26)
    for number in range(3000):
        world.write("orders", f"o{number}", currency="euros")
    service = world.service(PENDING_MAX_KEYS="1000")
    world.run(service, 50)
    assert 900 <= waiting(service, "orders") <= 2000
    world.run(service, 7200)
    assert suspended(service) == [("orders", "unmappable")]
    assert len(world.letters) < FEWEST
    service = world.service()
    for number in range(3000):
        world.write("orders", f"o{number}")
    assert world.run(service, 600, world.settled)
    assert world.differences() == []
    assert len(world.letters) < 2 * FEWEST


def test_one_row_that_can_be_mapped_by_chance_does_not_drain_the_others() -> None:
    """Half of the last forty must be understood before what is in doubt is given up."""
    world = World(32)
    for number in range(200):
        world.write("orders", f"o{number}", currency="EUR" if number % 20 == 10 else "euros")
    service = world.service()
    world.run(service, 3600)
    assert suspended(service) == [("orders", "unmappable")]
    assert len(world.letters) < FEWEST


def test_a_snapshot_s_orders_do_not_wait_for_customers_that_are_suspended() -> None:
    """They would wait for their customers, if those could be sent."""
    world = World(33)
    for number in range(50):
        world.insert_silently("customers", f"c{number}")
        world.insert_silently("orders", f"o{number}")
    world.snapshot()
    world.faults.refused = {"customers"}
    service = world.service()
    world.run(service, 300)
    assert suspended(service) == [("customers", "rejected")]
    assert len(world.server.state["orders"]) == 50


def test_a_successor_begins_where_the_suspended_lane_stood() -> None:
    """What is in doubt holds its offsets: after a crash it is read again."""
    world = World(27)
    for number in range(60):
        world.write("orders", f"o{number}", currency="euros")
    world.run(world.service(), 30)
    died = len(world.letters)
    told = {(letter.record.partition, letter.record.offset) for letter in world.letters}
    for partition, commit in world.committed.items():
        assert {(partition.number, offset) for offset in range(commit.offset)} <= told
    for number in range(60):
        world.write("orders", f"o{number}")
    service = world.service()
    assert world.run(service, 600, world.settled)
    assert world.differences() == []
    assert len(world.letters) <= died + FEWEST


def test_without_a_column_for_the_consent_no_customer_is_sent() -> None:
    """The customers wait, the others go on; once a column tells, who gave consent is sent, and who did not is not."""
    world = World(28)
    without_consent_column(world, 30)
    shop(world, 0)
    service = world.service()
    world.run(service, 120)
    assert suspended(service) == [("customers", "consent_unknown")]
    assert world.server.state["customers"] == {}
    assert len(world.server.state["orders"]) == 50
    assert world.letters == []
    for number in range(30):
        world.write("customers", f"c{number}", gdpr_optin=number % 2 == 0)
    assert world.run(service, 900, world.settled)
    assert suspended(service) == []
    assert world.differences() == []


@pytest.mark.parametrize("policy", ["assume", "forward"])
def test_a_policy_answers_for_rows_without_the_column(policy: str) -> None:
    """Under `assume` they are sent with consent, under `forward` without a word of it."""
    world = World(29)
    without_consent_column(world, 1)
    service = world.service(CONSENT_POLICY=policy)
    assert world.run(service, 300, world.settled)
    assert world.server.state["customers"]["c0"].get("GdprOptin") is (True if policy == "assume" else None)


@pytest.mark.parametrize("seed", range(12))
def test_nothing_of_a_customer_without_consent_stays(seed: int) -> None:
    """Consent that comes and goes, rows that come and go, faults and crashes: who has none is unknown, or retracted."""
    world = World(seed)
    chance = Random(seed)
    world.faults.loses_answer, world.faults.fails = 0.03, 0.05
    service = world.service(HTTP_TIMEOUT="30")
    for _ in range(60):
        for _ in range(chance.randrange(8)):
            identifier = f"c{chance.randrange(12)}"
            if chance.random() < 0.15:
                world.delete("customers", identifier)
            else:
                given = chance.random() < 0.5
                world.write("customers", identifier, gdpr_optin=given, with_before=chance.random() < 0.5)
        world.run(service, chance.choice([0.2, 5.0, 20.0]))
        if chance.random() < 0.05:
            service = world.service()
    world.faults.loses_answer = world.faults.fails = 0.0
    assert world.run(service, 3000, world.settled)
    assert world.differences() == []
    assert world.server.broken == []
    assert world.letters == []


@pytest.mark.parametrize("seed", range(6))
def test_customers_who_come_back_stay_whenever_their_delete_is_worked_off(seed: int) -> None:
    """Replenit queues a customer's DELETE: the upsert goes again once it is surely done, and costs no commit."""
    world = World(seed)
    world.faults.late_deletes = 890
    for number in range(40):
        world.write("customers", f"c{number}")
    service = world.service()
    assert world.run(service, 300, world.settled)
    for number in range(40):
        world.delete("customers", f"c{number}")
    assert world.run(service, 300, world.settled)
    for number in range(30):
        world.write("customers", f"c{number}")
    for number in range(10):
        world.delete("customers", f"c{number}")
    assert world.run(service, 300, world.settled)
    world.run(service, 2000)
    assert world.settled()
    assert world.differences() == []
    assert world.server.broken == []


def test_a_stop_does_not_wait_for_the_second_sending() -> None:
    """At a graceful stop who came back is sent again at once, as far as the budget allows."""
    world = World(3)
    service = world.service()
    settle_each(world, service, world.write, world.delete, world.write)
    before = sum(world.server.purposes.values())
    service.stop()
    assert sum(world.server.purposes.values()) == before + 1


def test_a_snapshot_takes_back_what_is_on_its_way() -> None:
    """A row whose consent nobody saw go is withheld; but if a request with it is under way, that is retracted."""
    world = World(4)
    world.faults.latency = (5.0, 8.0)
    world.write("customers", "c1")
    service = world.service()
    assert world.run(service, 60, lambda: bool(world.server.purposes))
    world.tables["customers"]["c1"]["gdpr_optin"] = False
    world.snapshot()
    assert world.run(service, 120, world.settled)
    assert world.server.state["customers"] == {"c1": {"CustomerId": "c1", "GdprOptin": False}}


def test_whoever_is_withheld_meanwhile_is_not_sent_a_second_time() -> None:
    """Deleted, back, sent, and then read without consent: the second sending does not come."""
    world = World(5)
    service = world.service()
    settle_each(world, service, world.write, world.delete, world.write)
    world.tables["customers"]["c1"]["gdpr_optin"] = False
    world.snapshot()
    assert world.run(service, 60, world.settled)
    before = sum(world.server.purposes.values())
    world.run(service, 2000)
    assert sum(world.server.purposes.values()) == before


def touch(world: World, entity: str, identifier: str) -> None:
    """An update that changes nothing of what is read."""
    row = world.tables[entity][identifier]
    world._emit(entity, identifier, "u", row, row)  # noqa: SLF001


def test_verdicts_that_prove_nothing_do_not_count() -> None:
    """Rows without consent, deletes, tombstones and touched rows say nothing of a column that is broken."""
    world = World(40)
    for number in range(1000):
        consent = number % 5 < 2
        world.write("customers", f"c{number}", gdpr_optin=consent, name={"x": 1})
        world.write("orders", f"o{number}", currency="euros")
        world.delete("orders", f"o{number}")
    service = world.service()
    world.run(service, 600)
    assert ("customers", "unmappable") in suspended(service)
    assert len(world.letters) < 2 * FEWEST


def test_what_is_in_doubt_is_not_lost_by_what_says_nothing_of_it() -> None:
    """A touched row is mapped again, and a refused delete is not settled by its own tombstone."""
    world = World(41)
    for number in range(60):
        world.write("orders", f"o{number}", currency="euros")
    service = world.service()
    world.run(service, 30)
    died, kept = len(world.letters), waiting(service, "orders")
    for number in range(60):
        touch(world, "orders", f"o{number}")
    world.run(service, 600)
    assert suspended(service) == [("orders", "unmappable")]
    assert waiting(service, "orders") >= kept
    for number in range(60):
        world.write("orders", f"o{number}")
    assert world.run(service, 2000, world.settled)
    assert world.differences() == []
    assert len(world.letters) == died


def test_customers_whose_consent_no_column_tells_wait_however_often_they_are_touched() -> None:
    """Until the policy says otherwise, at the next start."""
    world = World(42)
    without_consent_column(world, 30)
    service = world.service()
    world.run(service, 30)
    for _ in range(50):
        touch(world, "customers", "c1")
    world.run(service, 300)
    assert suspended(service) == [("customers", "consent_unknown")]
    assert world.run(world.service(CONSENT_POLICY="assume"), 900, world.settled)
    assert len(world.server.state["customers"]) == 30


@pytest.mark.parametrize(("rows", "suspends"), [(19, False), (20, True)])
def test_a_consent_column_that_vanishes_suspends_the_customers(rows: int, suspends: bool) -> None:
    """Single rows without it are withheld; twenty in a row are a table without the column."""
    world = World(43)
    for number in range(rows):
        world.write("customers", f"c{number}")
    service = world.service()
    assert world.run(service, 300, world.settled)
    for number in range(rows):
        row = world.tables["customers"][f"c{number}"]
        del row["gdpr_optin"]
        world._emit("customers", f"c{number}", "u", row, {**row, "name": "changed"})  # noqa: SLF001
    world.run(service, 60)
    assert suspended(service) == ([("customers", "consent_unknown")] if suspends else [])
    assert world.settled() != suspends
    assert world.letters == []


@pytest.mark.parametrize("names", ["all", "first", "none"])
def test_one_bad_record_does_not_keep_a_mended_lane_suspended(names: Literal["all", "first", "none"]) -> None:
    """The newest record is bad for good, and nothing new comes: other records try the lane."""
    world = World(22)
    for number in range(300):
        world.write("customers", f"c{number}")
    world.faults.refused, world.faults.names_bad = {"customers"}, names
    service = world.service()
    assert world.run(service, 600, lambda: bool(suspended(service)))
    for number in range(300, 310):
        world.write("customers", f"c{number}")
        world.run(service, 1)
    world.faults.refused = set()
    world.faults.poisoned = {("customers", "c309")}
    assert world.run(service, 3600, world.settled)
    assert suspended(service) == []
    assert len(world.server.state["customers"]) > 280


@pytest.mark.parametrize("latency", [(0.02, 0.3), (5.0, 8.0)])
def test_a_fault_that_comes_back_costs_few_letters_again(latency: tuple[float, float]) -> None:
    """What was refused in doubt once is weighed like all else after the lane has resumed."""
    world = World(5)
    for number in range(5000):
        world.write("customers", f"c{number}")
    world.faults.refused, world.faults.latency = {"customers"}, latency
    service = world.service()
    assert world.run(service, 3000, lambda: bool(suspended(service)))
    world.run(service, 20)
    world.faults.refused = set()
    assert world.run(service, 900, lambda: not suspended(service))
    world.run(service, 10)
    world.faults.refused = {"customers"}
    world.run(service, 300)
    assert len(world.letters) < 3 * FEWEST


def test_a_withdrawal_that_is_refused_is_not_followed_by_the_old_consent() -> None:
    """An upsert that something newer has superseded by its answer is not sent a second time."""
    world = World(1)
    service = world.service()
    settle_each(world, service, world.write, world.delete)
    world.faults.latency = (5.0, 8.0)
    world.write("customers", "c1")
    world.run(service, 60, lambda: service._dispatch.flying > 0)  # noqa: SLF001
    world.write("customers", "c1", gdpr_optin=False, with_before=True)
    world.run(service, 60, lambda: len(world.server.state["customers"]) > 0)
    world.faults.poisoned = {("customers", "c1")}
    assert world.run(service, 60, world.settled)
    assert len(world.letters) == 1
    before = sum(world.server.purposes.values())
    world.run(service, 1500)
    assert sum(world.server.purposes.values()) == before


def test_a_delete_without_an_answer_may_be_queued_all_the_same() -> None:
    """Whoever comes back after it is sent a second time, too."""
    world = World(6)
    world.faults.late_deletes = 890
    for number in range(40):
        world.write("customers", f"c{number}")
    service = world.service()
    assert world.run(service, 300, world.settled)
    for number in range(40):
        world.delete("customers", f"c{number}")
    world.faults.loses_answer = 1.0
    world.run(service, 40)
    world.faults.loses_answer = 0.0
    for number in range(40):
        world.write("customers", f"c{number}")
    world.run(service, 3000)
    assert world.differences() == []


@pytest.mark.parametrize("seed", range(8))
def test_a_second_sending_without_an_answer_at_a_stop_is_waited_for(seed: int) -> None:
    """Its record is settled: a successor must not let anything of its partition overtake it."""
    world = World(seed)
    service = world.service()
    settle_each(world, service, world.write, world.delete, world.write)
    world.faults.loses_answer = 1.0
    service.stop()
    world.faults.loses_answer = 0.0
    service = world.service()
    world.run(service, 12)
    world.write("customers", "c1", gdpr_optin=False, with_before=True)
    assert world.run(service, 400, world.settled)
    world.run(service, 100)
    assert world.server.broken == []
    assert world.server.state["customers"] == {"c1": {"CustomerId": "c1", "GdprOptin": False}}


def test_a_row_that_moved_to_another_partition_does_not_go_back() -> None:
    """What was kept in doubt is older than what was taken in of its document since, wherever that was read."""
    world = World(44)
    without_consent_column(world, 30)
    service = world.service()
    world.run(service, 30)
    assert suspended(service) == [("customers", "consent_unknown")]
    for number in range(30):
        world.moved_to[f"c{number}"] = (sum(f"c{number}".encode()) + 1) % 3
        world.write("customers", f"c{number}", gdpr_optin=True)
    assert world.run(service, 1500, world.settled)
    assert world.differences() == []


def test_a_memory_full_of_what_is_refused_does_not_hide_what_was_mended() -> None:
    """A hot row takes the room of one record, and each look that shows nothing lets some more in."""
    world = World(45)
    for number in range(1500):
        world.write("orders", f"o{number}", currency="euros")
    for _ in range(2000):
        world.write("orders", "o1", currency="euros")
    service = world.service(PENDING_MAX_KEYS="1000")
    world.run(service, 50)
    full = waiting(service, "orders")
    assert 900 <= full <= 1500
    world.run(service, 50)
    assert waiting(service, "orders") > full
    for number in range(1500):
        world.write("orders", f"o{number}")
    assert world.run(service, 3 * 3600, world.settled)
    assert world.differences() == []


def test_a_deletes_lane_resumes_when_the_api_no_longer_finds_what_to_delete() -> None:
    """A 404 that does not say what is missing means gone, where tenant and key were just right."""
    world = World(46)
    for number in range(60):
        world.write("orders", f"o{number}")
    service = world.service()
    assert world.run(service, 300, world.settled)
    for number in range(60):
        world.delete("orders", f"o{number}")
    world.faults.deletes = 400
    assert world.run(service, 600, lambda: ("deletes", "rejected") in suspended(service))
    world.faults.deletes = 404
    assert world.run(service, 120, lambda: not suspended(service))
    assert world.run(service, 600, world.settled)
    assert len(world.letters) < FEWEST
