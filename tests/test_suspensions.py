"""Lanes that are suspended while the others go on: the real service in virtual time."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any, Literal

import pytest
from simulation import World

if TYPE_CHECKING:
    from connector.service import Service

FEWEST = 20
PROBE = 60


def suspended(service: Service) -> list[tuple[str, str]]:
    found: Any = service.status.get("suspended", [])
    return [(each["lane"], each["reason"]) for each in found]


def waiting(service: Service, lane: str) -> int:
    lanes: Any = service.status["lanes"]
    return int(lanes[lane]["waiting"]) + int(lanes[lane]["in_doubt"])


def shop(world: World, customers: int, others: int = 50) -> None:
    for number in range(customers):
        world.write("customers", f"c{number}")
    for number in range(others):
        world.write("orders", f"o{number}")
        world.write("products", f"p{number}")


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
    """More is read at each probe, in ever longer intervals, and kept: nothing is drained, and nothing is lost."""
    world = World(26)
    for number in range(3000):
        world.write("orders", f"o{number}", currency="euros")
    service = world.service()
    world.run(service, 7200)
    assert suspended(service) == [("orders", "unmappable")]
    assert len(world.letters) < FEWEST
    assert waiting(service, "orders") <= 1000 + 12 * 1500
    for number in range(3000):
        world.write("orders", f"o{number}")
    assert world.run(service, 5_000, world.settled)
    assert world.differences() == []


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
    for number in range(30):
        world.write("customers", f"c{number}")
        del world.tables["customers"][f"c{number}"]["gdpr_optin"]
    world.log = {partition: [] for partition in world.log}
    world.snapshot()
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
    world.write("customers", "c1")
    del world.tables["customers"]["c1"]["gdpr_optin"]
    world.log = {partition: [] for partition in world.log}
    world.snapshot()
    service = world.service(CONSENT_POLICY=policy)
    assert world.run(service, 300, world.settled)
    assert world.server.state["customers"]["c1"].get("GdprOptin") is (True if policy == "assume" else None)


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
    world.write("customers", "c1")
    service = world.service()
    assert world.run(service, 60, world.settled)
    world.delete("customers", "c1")
    assert world.run(service, 60, world.settled)
    world.write("customers", "c1")
    assert world.run(service, 60, world.settled)
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
    for change in (world.write, world.delete, world.write):
        change("customers", "c1")
        assert world.run(service, 60, world.settled)
    world.tables["customers"]["c1"]["gdpr_optin"] = False
    world.snapshot()
    assert world.run(service, 60, world.settled)
    before = sum(world.server.purposes.values())
    world.run(service, 2000)
    assert sum(world.server.purposes.values()) == before
