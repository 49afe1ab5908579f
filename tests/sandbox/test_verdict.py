"""The demo's verdict: right for a hundred days, and against whatever goes wrong."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import pytest
from simulation import SimulatedSource, SimulatedTopic, World

from connector.adapters.sender import Reply
from connector.core.events import Partition, Record
from connector.core.requests import Answer, NoAnswer
from connector.metrics import Metrics
from connector.sandbox.config import DEFAULT_TENANT, SandboxConfig
from connector.sandbox.day import Day, Troubles
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox
from connector.sandbox.shop import PARTITIONS, REFUSED, TOPICS, Place, Shop
from connector.sandbox.verdict import Evidence, judge
from connector.service import Clocks, Service
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from connector.adapters.kafka import End
    from connector.core.dispatch import Batch
    from connector.sandbox.shop import Change

LATENCY = 0.2
TURN = 1.0
LIMITS = (100, 5000)
BATCHES = {"customers": 500, "orders": 200, "products": 100}


class SlowSource(SimulatedSource):
    """Turns of a second: a day of 39 minutes would take too many of the service's own."""

    def poll(self, limit: int, timeout: float) -> list[Record | End]:
        return super().poll(limit, max(timeout, TURN))


class SandboxSender:
    """Requests that go to the sandbox without a socket, in simulated time."""

    def __init__(self, world: World, sandbox: Sandbox) -> None:
        self._world = world
        self._api = sandbox._api  # noqa: SLF001 (what its port serves)
        self._replies: list[Reply] = []
        self.arrivals: list[float] = []

    def send(self, batch: Batch, key: str) -> None:
        self.arrivals.append(self._world.now)
        request = batch.request
        headers = {"x-replenit-auth-key": key, "content-type": "application/json"}
        told = self._api.serve(request.method, request.target(DEFAULT_TENANT), headers, lambda: request.body or b"")
        reply: Answer | NoAnswer = NoAnswer("reset", ambiguous=True)
        if told is not None:
            body = told.body if isinstance(told.body, str) else json.dumps(told.body)
            reply = Answer(told.status, {name.lower(): text for name, text in told.headers.items()}, body.encode())
        self._world.at(self._world.now + LATENCY, lambda: self._replies.append(Reply(batch, reply, LATENCY)))

    def replies(self, timeout: float = 0.0) -> list[Reply]:
        found, self._replies = self._replies, []
        return found


def play(seed: int, directory: Path, faults: Faults | None = None, **settings: str) -> tuple[Shop, Evidence]:
    """A day with the real connector and the real sandbox, in simulated time."""
    world = World(seed)
    world.log = {Partition(topic, number): [] for topic in TOPICS.values() for number in range(PARTITIONS)}
    world.low = dict.fromkeys(world.log, 0)
    refused = {entity: dict.fromkeys(ids, "Is refused.") for entity, ids in REFUSED.items()}
    faults = dataclasses.replace(faults or Faults(), poisoned=refused)
    sandbox = Sandbox(SandboxConfig(clock=lambda: world.now, per_minute=None, per_hour=None, faults=faults))
    troubles = Troubles(sandbox, directory / "key")

    def write(change: Change) -> None:
        (topic, number, offset), key, value = change
        log = world.log[Partition(topic, number)]
        assert offset == len(log)
        log.append(Record(topic, number, offset, key, value))

    shop = Shop(seed, lambda: world.now, write)
    day = Day(shop, troubles, 0.02)
    environment = {
        "REPLENIT_TENANT_ID": DEFAULT_TENANT,
        "REPLENIT_API_KEY_FILE": str(directory / "key"),
        "KAFKA_BOOTSTRAP_SERVERS": "simulated:9092",
        **{f"TOPIC_{entity.upper()}": topic for entity, topic in TOPICS.items()},
        **settings,
    }
    sender = SandboxSender(world, sandbox)
    clocks = Clocks(lambda: world.now, lambda: world.now)
    topic = SimulatedTopic(world)
    service = Service(load(environment), SlowSource(world), sender, topic, metrics=Metrics(), clocks=clocks)
    service.start()
    dawn = world.now
    while not (day.over and service.settled() == shop.written) and world.now < dawn + day.end + 1800:
        day.advance(world.now - dawn)
        service.step()
    letters = {
        Place(letter.record.topic, letter.record.partition, letter.record.offset): dict(letter.headers)[
            "replenit.reason"
        ].decode()
        for letter in world.letters
    }
    unsettled = shop.written - service.settled()
    evidence = Evidence(sandbox.state, letters, sender.arrivals, LIMITS, BATCHES, sandbox.broken_promises, unsettled)
    return shop, evidence


def test_the_verdict_is_right(demo_day: int, tmp_path: Path) -> None:
    """All agree on every day, whatever happens on it, and nothing was left out of the comparison."""
    shop, evidence = play(demo_day, tmp_path)
    found = judge(shop, evidence)
    assert not found.disagreements
    for entity, tally in found.tallies.items():
        assert tally.rows == len(shop.tables[entity]) > 0
        assert tally.rows == tally.equal + tally.dead.total() + tally.withheld.total()
    assert found.requests >= found.fewest.total
    assert found.fullest[1] <= found.requests


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shop, Evidence]:
    return play(1, tmp_path_factory.mktemp("day"))


def _lost(shop: Shop, evidence: Evidence) -> Evidence:
    orders = {each: document for each, document in evidence.state["orders"].items() if each != "5"}
    return dataclasses.replace(evidence, state={**evidence.state, "orders": orders})


def _changed(shop: Shop, evidence: Evidence, entity: str, identifier: str, **fields: Any) -> Evidence:  # noqa: ANN401
    documents = {**evidence.state[entity], identifier: {**evidence.state[entity].get(identifier, {}), **fields}}
    return dataclasses.replace(evidence, state={**evidence.state, entity: documents})


def _gone(shop: Shop) -> str:
    return min(shop.gone["customers"])


def _withheld(shop: Shop) -> str:
    fates = shop.fates["customers"]
    return next(each for each in fates if fates[each] == "no_consent" and each not in shop.expected["customers"])


def _without_a_letter(shop: Shop, evidence: Evidence) -> Evidence:
    place = next(place for place, flaw in shop.flaws.items() if flaw.entity == "customers")
    return dataclasses.replace(evidence, letters={each: why for each, why in evidence.letters.items() if each != place})


def _with_another_reason(shop: Shop, evidence: Evidence) -> Evidence:
    place = next(place for place, flaw in shop.flaws.items() if flaw.reason == "invalid" and place in evidence.letters)
    return dataclasses.replace(evidence, letters={**evidence.letters, place: "no_key"})


def _with_a_letter_too_many(shop: Shop, evidence: Evidence) -> Evidence:
    number = next(each for each in range(1000) if Place(TOPICS["orders"], 0, each) not in shop.flaws)
    return dataclasses.replace(evidence, letters={**evidence.letters, Place(TOPICS["orders"], 0, number): "invalid"})


def _crowded(shop: Shop, evidence: Evidence, requests: int, seconds: float) -> Evidence:
    since = max(evidence.arrivals) + 4000
    arrivals = [*evidence.arrivals, *(since + seconds * number / requests for number in range(requests))]
    return dataclasses.replace(evidence, arrivals=arrivals)


DEFECTS: dict[str, tuple[Callable[[Shop, Evidence], Evidence], str]] = {
    "a lost record": (_lost, "orders 5: Replenit does not hold it"),
    "a stale record": (
        lambda shop, evidence: _changed(shop, evidence, "products", "1", ProductName="Older"),
        "products 1: Replenit holds another version: ProductName differ",
    ),
    "a field too many": (
        lambda shop, evidence: _changed(shop, evidence, "customers", "5", Surname="Other"),
        "customers 5: Replenit holds another version: Surname differ",
    ),
    "a deleted row": (
        lambda shop, evidence: _changed(shop, evidence, "customers", _gone(shop), CustomerId=_gone(shop)),
        "Replenit holds it although its row is gone",
    ),
    "a customer without consent": (
        lambda shop, evidence: _changed(shop, evidence, "customers", _withheld(shop), CustomerId=_withheld(shop)),
        "Replenit holds it although it is no_consent",
    ),
    "a dead letter lost": (_without_a_letter, "and has no dead letter"),
    "a dead letter's reason": (_with_another_reason, "and its dead letter says no_key"),
    "a dead letter too many": (_with_a_letter_too_many, "a dead letter of a change without flaw"),
    "a minute broken": (lambda shop, evidence: _crowded(shop, evidence, 101, 60), "the fullest minute had 101"),
    "an hour broken": (lambda shop, evidence: _crowded(shop, evidence, 5001, 3600), "the fullest hour had 5001"),
    "a promise broken": (
        lambda _, evidence: dataclasses.replace(evidence, broken_promises=["two requests in flight for one key"]),
        "promise broken: two requests in flight for one key",
    ),
    "changes unsettled": (
        lambda _, evidence: dataclasses.replace(evidence, unsettled=3),
        "3 changes are not settled",
    ),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_planted_defect_is_found(defect: str, day: tuple[Shop, Evidence]) -> None:
    """It is the one disagreement, in words that name it."""
    shop, evidence = day
    plant, sentence = DEFECTS[defect]
    [found] = judge(shop, plant(shop, evidence)).disagreements
    assert sentence in found


@pytest.mark.parametrize(("count", "seconds"), [(100, 60.0), (101, 60.7), (5000, 3600.0)])
def test_a_window_that_is_full_is_not_broken(count: int, seconds: float, day: tuple[Shop, Evidence]) -> None:
    """The limit itself is allowed, and the span is half-open: a request a whole window later is outside of it."""
    shop, evidence = day
    limits = (100 if seconds < 100 else 5000, 5000)
    crowded = dataclasses.replace(_crowded(shop, evidence, count, seconds), limits=limits)
    assert not judge(shop, crowded).disagreements


def test_a_record_that_the_api_forgets_is_missed(tmp_path: Path) -> None:
    """A 200 that saved nothing leaves the row without its document; the demo would not go on about success."""
    shop, evidence = play(2, tmp_path, Faults(skipped={"products": ["1"]}))
    found = judge(shop, evidence)
    assert list(found.disagreements) == ["products 1: Replenit does not hold it"]
    assert found.tallies["products"].wrong == 1


def test_a_connector_that_sends_too_much_is_found(tmp_path: Path) -> None:
    """With another limit than the API's it breaks the minute's window."""
    shop, evidence = play(3, tmp_path, RATE_LIMIT_PER_MINUTE="60", RATE_LIMIT_PER_HOUR="3600")
    found = judge(shop, dataclasses.replace(evidence, limits=(20, 5000)))
    assert [each.split(" had")[0] for each in found.disagreements] == ["the fullest minute"]
