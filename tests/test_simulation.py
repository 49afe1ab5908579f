"""The real service in a simulated world: its promises as invariants, under faults, over many seeds."""

from __future__ import annotations

import json
import random
from typing import Literal

import pytest
from simulation import World

from connector.core.events import Partition
from connector.core.outcomes import HaltReason

SEEDS = range(6)


def _shop(world: World, steps: int, *, keys: int = 25) -> None:
    """So many changes of rows, of all kinds, at once."""
    for _ in range(steps):
        entity = world.random.choice(["customers", "orders", "products"])
        identifier = f"{entity[0]}{world.random.randrange(keys)}"
        if world.random.random() < 0.2:
            world.delete(entity, identifier)
        else:
            world.write(entity, identifier)


def _verdict(world: World) -> list[str]:
    limits = []
    if (fullest := world.server.fullest(60)) > 100:
        limits.append(f"{fullest} requests in a minute")
    if (fullest := world.server.fullest(3600)) > 5000:
        limits.append(f"{fullest} requests in an hour")
    return world.server.broken + world.differences() + limits


@pytest.mark.parametrize("seed", SEEDS)
def test_a_quiet_shop_is_delivered(seed: int) -> None:
    """Without faults everything arrives, is committed, and nothing is ever at the server twice."""
    world = World(seed)
    for number in range(300):
        world.insert_silently(["customers", "orders", "products"][number % 3], f"s{number}")
    world.snapshot()
    _shop(world, 200)
    service = world.service()
    for turn in range(20):
        if turn == 10:
            world.snapshot()
        world.run(service, world.random.uniform(0, 5))
        _shop(world, 10)
    assert world.run(service, 600, world.settled)
    assert _verdict(world) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_of_the_api_lose_nothing_and_turn_nothing_back(seed: int) -> None:
    """Failures, lost answers, refused connections and stragglers: it converges all the same."""
    world = World(seed)
    world.faults.fails = 0.1
    world.faults.loses_answer = 0.05
    world.faults.refuses_connection = 0.05
    world.faults.straggles = 0.1
    service = world.service()
    for _ in range(60):
        _shop(world, 5)
        world.run(service, world.random.uniform(0, 10))
    assert world.run(service, 3600, world.settled)
    assert _verdict(world) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_kills_lose_nothing_and_turn_nothing_back(seed: int) -> None:
    """Killed at any moment, with requests in flight, and started again: it converges."""
    world = World(seed)
    world.faults.loses_answer = 0.05
    world.faults.latency = (0.05, 2.0)
    chance = random.Random(seed)
    for _ in range(12):
        service = world.service()
        for _ in range(chance.randrange(1, 25)):
            _shop(world, 3)
            world.run(service, chance.uniform(0, 4))
        world.advance(chance.choice([0, 1, 8]))
    service = world.service()
    assert world.run(service, 3600, world.settled)
    assert _verdict(world) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_graceful_stops_make_the_next_start_quick(seed: int) -> None:
    """A successor of a process that stopped in good order waits for nothing."""
    world = World(seed)
    for _ in range(8):
        service = world.service()
        _shop(world, 30)
        world.run(service, world.random.uniform(0, 20))
        service.stop()
    service = world.service()
    began = world.now
    assert world.run(service, 600, world.settled)
    assert world.now - began < 45
    assert _verdict(world) == []


@pytest.mark.parametrize("names_bad", ["all", "first", "none"])
def test_bad_records_cost_themselves_only(names_bad: Literal["all", "first", "none"]) -> None:
    """What the API refuses ends in the dead-letter topic, whether it says which records it means or not."""
    world = World(1)
    world.faults.names_bad = names_bad
    for number in range(300):
        world.write("customers", f"c{number}")
        world.write("orders", f"o{number}")
    bad = {("customers", "c7"), ("customers", "c151"), ("orders", "o299")}
    world.faults.poisoned = bad
    service = world.service()
    assert world.run(service, 600, world.settled)
    assert {f"{entity} {identifier}: expected 1, found None" for entity, identifier in bad} == set(_verdict(world))
    assert len(world.letters) == len(bad)


def test_a_revoked_key_stops_everything_and_keeps_its_place() -> None:
    """After 401 nothing but probes is sent and nothing is lost; once the key works again it goes on by itself."""
    world = World(2)
    world.faults.unauthorized = True
    _shop(world, 100)
    service = world.service()
    world.run(service, 1800)
    assert sum(world.server.purposes.values()) < 25
    assert not world.letters
    world.faults.unauthorized = False
    assert world.run(service, 1800, world.settled)
    assert _verdict(world) == []


def test_an_outage_of_hours_is_caught_up_with() -> None:
    """While the API is down, changes of a key coalesce; afterwards the backlog costs about a request a batch."""
    world = World(3)
    service = world.service()
    world.faults.down = True
    for _ in range(60):
        _shop(world, 50, keys=100)
        world.run(service, 60)
    sent = sum(world.server.purposes.values())
    world.faults.down = False
    assert world.run(service, 600, world.settled)
    assert _verdict(world) == []
    deletes = world.server.purposes["delete"] + world.server.purposes["retry"]
    assert sum(world.server.purposes.values()) - sent <= deletes + 20


def test_dead_letters_that_are_refused_halt_and_are_written_later() -> None:
    """Nothing is committed past a dead letter that the topic does not take."""
    world = World(4)
    world.write("customers", "c1")
    world.emit_raw("customers", 0, b'{"customer_id":"x"}', b"no json")
    place = Partition("shop.customers", 0)
    bad = len(world.log[place]) - 1
    service = world.service()
    world.faults.letters_refused = True
    assert not world.run(service, 600, world.settled)
    assert place not in world.committed or world.committed[place].offset <= bad
    world.faults.letters_refused = False
    assert world.run(service, 1800, world.settled)
    assert [letter.record.value for letter in world.letters] == [b"no json"]
    assert _verdict(world) == []


def test_a_backlog_uses_the_budget_and_not_more() -> None:
    """Under a backlog of single deletes 99% of the hourly limit is used, and no window overflows."""
    world = World(5)
    for number in range(7000):
        world.write("orders", f"o{number}")
    service = world.service()
    assert world.run(service, 600, world.settled)
    world.advance(7200)
    began = len(world.server.arrivals)
    for number in range(7000):
        world.delete("orders", f"o{number}", tombstone=False)
    world.run(service, 3600)
    assert 0.99 * 5000 <= len(world.server.arrivals) - began <= 5000
    assert world.server.fullest(60) <= 100
    assert world.server.fullest(3600) <= 5000


def test_a_backlog_costs_hardly_more_requests_than_batches_and_deletes() -> None:
    """At most 1.05 times the full batches, the deletes and one request for each answer that names bad records."""
    world = World(6)
    for entity, rows in {"customers": 5200, "orders": 3100, "products": 1050}.items():
        for number in range(rows):
            world.write(entity, f"{entity[0]}{number}")
    for number in range(40):
        world.delete("customers", f"c{number}")
    world.faults.poisoned = {("orders", "o1000"), ("orders", "o2000"), ("products", "p77")}
    service = world.service()
    assert world.run(service, 1200, world.settled)
    batches = -(-5160 // 500) + -(-3100 // 200) + -(-1050 // 100)
    assert sum(world.server.purposes.values()) <= 1.05 * (batches + 40 + 3)
    assert len(_verdict(world)) == 3


def test_a_full_entity_pauses_and_the_others_go_on() -> None:
    """At PENDING_MAX_KEYS the entity's topics pause, at half of it they go on; memory stays bounded all the while."""
    world = World(7)
    for number in range(6000):
        world.write("customers", f"c{number}")
    service = world.service(PENDING_MAX_KEYS="500")
    world.faults.down = True
    world.run(service, 300)
    waiting = service.status["lanes"]["customers"]  # type: ignore[index]
    assert 500 <= waiting["waiting"] <= 1500
    assert waiting["paused"]
    world.write("orders", "o1")
    world.faults.down = False
    assert world.run(service, 120, lambda: "o1" in world.server.state["orders"])
    assert world.run(service, 600, world.settled)
    assert _verdict(world) == []


def test_a_dead_letter_refused_during_another_halt_is_written_after_it() -> None:
    """Two things broken at once, the topic mended first: once sending goes on, the letter is written."""
    world = World(8)
    world.faults.letters_refused = True
    world.faults.letters_topic_shown = True
    world.bounds_known_at = world.now + 5  # till then everything is read, whatever is halted
    service = world.service()
    service.step()
    world.emit_raw("customers", 0, b'{"customer_id":"x"}', b"no json")
    service._dispatch.halting.stop(HaltReason.UNAUTHORIZED, world.now)  # noqa: SLF001 (the API said so before anything was read)
    world.run(service, 30)
    assert world.letters_tried == 1
    world.faults.letters_refused = False
    assert world.run(service, 300, world.settled)
    assert [letter.record.value for letter in world.letters] == [b"no json"]


def test_probes_of_a_denied_dead_letter_topic_become_rare() -> None:
    """While it takes nothing it is tried after 1, 2, 4, 8 and then every 15 minutes."""
    world = World(9)
    world.emit_raw("customers", 0, b'{"customer_id":"x"}', b"no json")
    service = world.service()
    world.faults.letters_refused = True
    world.faults.letters_topic_shown = True
    world.run(service, 3600)
    assert 4 <= world.letters_tried <= 9
    world.faults.letters_refused = False
    assert world.run(service, 1000, world.settled)


def test_a_partition_that_is_known_late_is_paused_all_the_same() -> None:
    """What is full stays bounded even if Kafka is slow to say where the partitions end."""
    world = World(10)
    for number in range(20_000):
        world.write("customers", f"c{number}")
    world.faults.down = True
    world.bounds_known_at = world.now + 3
    service = world.service(PENDING_MAX_KEYS="500")
    world.run(service, 60)
    assert service.status["lanes"]["customers"]["waiting"] <= 4500  # type: ignore[index]


@pytest.mark.parametrize("shown", [True, False])
def test_dead_letters_that_pile_up_pause_their_topics(shown: bool) -> None:
    """A topic of what nobody can read, and no topic to take it: memory stays bounded, and nothing is lost."""
    world = World(11)
    for number in range(10_000):  # a few more can be read than can't, or else the lane would be suspended
        world.emit_raw("customers", sum(f"c{number % 5}".encode()) % 3, b'{"customer_id":"x"}', b"no json")
        world.write("customers", f"c{number % 5}")
        world.write("customers", f"c{number % 5}")
    world.faults.letters_refused = True
    world.faults.letters_topic_shown = shown
    service = world.service(PENDING_MAX_KEYS="500")
    world.run(service, 120)
    assert 0 < int(str(service.status["dead_letters_unconfirmed"])) <= 1500
    world.faults.letters_refused = False
    assert world.run(service, 1800, world.settled)
    assert len(world.letters) == 10_000


def test_a_new_partition_waits_for_the_older_ones() -> None:
    """When a topic has grown, a key's older changes lie in another partition than its newer: they are read first."""
    world = World(12)
    keys = [f"c{number}" for number in range(60) if sum(f"c{number}".encode()) % 3]
    for key in keys:
        world.write("customers", key)
    service = world.service()
    assert world.run(service, 300, world.settled)
    service.stop()
    grown = Partition("shop.customers", 0)
    del world.committed[grown]  # nobody has ever read it
    for key in keys:
        world.write("customers", key)
    world.moved_to = dict.fromkeys(keys, 0)
    for key in keys:
        world.write("customers", key)
    service = world.service()
    assert world.run(service, 300, world.settled)
    assert _verdict(world) == []


def test_a_partition_that_is_read_again_begins_anew() -> None:
    """After a truncation offsets come a second time, while work of the first time waits: nothing crashes or is lost."""
    world = World(13)
    world.faults.down = True
    _shop(world, 100)
    service = world.service()
    world.run(service, 20)
    source = service._source  # noqa: SLF001 (Kafka's part is played here)
    for partition in list(world.log):
        source.seek(partition, 0)
    world.run(service, 20)
    world.faults.down = False
    assert world.run(service, 600, world.settled)
    assert world.differences() == []


@pytest.mark.parametrize("missed", [0, 7])
def test_what_retention_deletes_while_nothing_is_read_is_told(missed: int) -> None:
    """A halt that outlasts the topic's retention: the records that were deleted unread are counted, exactly."""
    world = World(14)
    service = world.service()
    world.write("customers", "c0")
    assert world.run(service, 60, world.settled)
    world.faults.unauthorized = True
    world.write("customers", "c0")
    world.run(service, 60)
    partition = next(iter(world.committed))
    for _ in range(9):
        world.write("customers", "c0")
    world.low[partition] = len(world.log[partition]) - 9 + missed
    world.faults.unauthorized = False
    assert world.run(service, 1800, world.settled)
    counted = service._metrics.registry.get_sample_value(  # noqa: SLF001
        "connector_retention_gap_records_total", {"topic": partition.topic}
    )
    assert (counted or 0) == missed


@pytest.mark.parametrize("pauses", [0, 8])
def test_a_record_that_makes_the_server_fail_is_found_and_its_lane_goes_on(pauses: int) -> None:
    """Isolated from its batch while others of its lane succeed, and after an hour of failures a dead letter.

    With some of the pauses all that waits would always go together, so that no other record succeeded.
    """
    world = World(15)
    random.seed(pauses)
    world.faults.crashing = {("customers", "c7")}
    for number in range(20):
        world.write("customers", f"c{number}")
    service = world.service()
    for hour in range(3):
        for minute in range(60):
            world.write("customers", f"n{minute % 5}")
            world.run(service, 60)
        if hour == 0:
            assert {f"c{number}" for number in range(20) if number != 7} <= world.server.state["customers"].keys()
    assert world.run(service, 3600, world.settled)
    [letter] = world.letters
    assert dict(letter.headers)["replenit.reason"] == b"server_error"
    assert json.loads(letter.record.key or b"") == {"customer_id": "c7"}
    assert service.status["suspended"] == []


@pytest.mark.parametrize("by", ["mapping", "api"])
def test_an_update_that_changes_nothing_is_sent_after_a_dead_letter(by: str) -> None:
    """What the row holds now was refused, or came with what nobody could read: Replenit has an older state."""
    world = World(16)
    service = world.service()
    world.write("customers", "c1")
    assert world.run(service, 60, world.settled)
    if by == "api":
        world.faults.poisoned = {("customers", "c1")}
        world.write("customers", "c1")
        assert world.run(service, 60, world.settled)
    else:
        world.insert_silently("customers", "c1")  # the row changes, and its event can't be read
        number = sum(b"c1") % 3
        world.emit_raw("customers", number, b'{"customer_id": "c1"}', b"no json")
        assert world.run(service, 60, world.settled)
    assert len(world.letters) == 1
    world.faults.poisoned = set()
    row = world.tables["customers"]["c1"]
    world._emit("customers", "c1", "u", row, row)  # noqa: SLF001
    assert world.run(service, 60, world.settled)
    assert world.differences() == []


@pytest.mark.parametrize("policy", ["ignore", "halt"])
def test_a_truncated_table_is_told_or_halts(policy: str, caplog: pytest.LogCaptureFixture) -> None:
    """A halt keeps the place, whatever probes would say, until a start with another setting."""
    world = World(17)
    world.write("customers", "c1")
    truncate = json.dumps({"op": "t", "source": {"connector": "postgresql"}, "before": None, "after": None})
    world.emit_raw("customers", 0, None, truncate.encode())
    partition = Partition("shop.customers", 0)
    service = world.service(TRUNCATES=policy)
    assert world.run(service, 3600, world.settled) == (policy == "ignore")
    assert "shop.customers-0@" in caplog.text
    if policy == "halt":
        assert service._dispatch.halting.halt is not None  # noqa: SLF001
        assert not world.server.purposes
        assert partition not in world.committed or world.committed[partition].offset < len(world.log[partition])
        assert world.run(world.service(), 300, world.settled)
    assert world.differences() == []


def test_what_is_unsettled_before_a_truncation_is_read_again() -> None:
    """The log goes on at an offset in the midst of what was read and not yet sent: nothing before it is lost."""
    world = World(18)
    world.faults.down = True
    _shop(world, 300, keys=200)
    service = world.service()
    world.run(service, 20)
    source = service._source  # noqa: SLF001 (Kafka's part is played here)
    for partition, log in world.log.items():
        source.seek(partition, max(0, len(log) - 3))
    world.run(service, 20)
    world.faults.down = False
    assert world.run(service, 900, world.settled)
    assert world.differences() == []
    assert world.server.broken == []


def test_a_truncation_that_is_read_during_another_halt_halts_after_it() -> None:
    """The other cause is mended, and nothing is sent past what the table's owner must decide."""
    world = World(19)
    world.bounds_known_at = world.now + 5  # till then everything is read, whatever is halted
    service = world.service(TRUNCATES="halt")
    service.step()
    truncate = json.dumps({"op": "t", "source": {"connector": "postgresql"}, "before": None, "after": None})
    world.emit_raw("customers", 0, None, truncate.encode())
    world.write("customers", "c1")
    service._dispatch.halting.stop(HaltReason.UNAUTHORIZED, world.now)  # noqa: SLF001 (the API said so before)
    world.run(service, 200)
    halt = service._dispatch.halting.halt  # noqa: SLF001
    assert halt is not None
    assert halt.reason is HaltReason.TRUNCATED
    assert world.server.state["customers"] == {}
