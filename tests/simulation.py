"""A world without a network: Kafka, the API and the dead-letter topic in virtual time, driven by a seed.

The service under it is the real one. The world judges as it goes: no key is at the server twice, none goes back in
time, no trailing window holds more than its limit.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from connector.adapters.kafka import Bounds, Commit, End
from connector.adapters.sender import Reply
from connector.core.events import Partition, Record
from connector.core.requests import Answer, NoAnswer
from connector.errors import PlatformError
from connector.metrics import Metrics
from connector.service import Clocks, Service
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from connector.adapters.dead_letters import DeadLetter
    from connector.adapters.kafka import Owner
    from connector.core.dispatch import Batch
    from connector.core.stored import Store
    from connector.sandbox.state import State
    from connector.service import Registry
    from connector.settings import Settings

TENANT = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
PARTITIONS = 3
TOPICS = {"customers": "shop.customers", "orders": "shop.orders", "products": "shop.products"}
IDS = {"customers": "customer_id", "orders": "order_id", "products": "product_id"}


def settings(**changes: str) -> Settings:
    """Settings as the environment would give them."""
    return load(
        {
            "REPLENIT_TENANT_ID": TENANT,
            "REPLENIT_API_KEY": "c2VjcmV0",
            "KAFKA_BOOTSTRAP_SERVERS": "simulated:9092",
            **{f"TOPIC_{entity.upper()}": topic for entity, topic in TOPICS.items()},
            **changes,
        }
    )


@dataclass
class Faults:
    """Shares of requests that go wrong, each in its way; seconds of latency; what the API refuses.

    `names_bad`: which of the bad records an answer names. `refused`: entities of which nothing is taken. `crashing`:
    records that make the server fail. `late_deletes`: the longest that a customer's DELETE stays in the API's queue.
    `deletes`: what each DELETE is answered with.
    """

    fails: float = 0.0
    refuses_connection: float = 0.0
    loses_answer: float = 0.0
    latency: tuple[float, float] = (0.02, 0.3)
    straggles: float = 0.0
    unauthorized: bool = False
    down: bool = False
    names_bad: Literal["all", "first", "none"] = "all"
    poisoned: set[tuple[str, str]] = field(default_factory=set)
    crashing: set[tuple[str, str]] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    late_deletes: float = 0.0
    deletes: int = 200
    letters_refused: bool = False
    letters_topic_shown: bool = False


class World:
    """Time, and what happens at it."""

    def __init__(self, seed: int) -> None:
        self.now = 1000.0
        self.random = random.Random(seed)
        random.seed(seed)  # the service's own: a run is the same each time
        self.faults = Faults()
        self.log: dict[Partition, list[Record]] = {
            Partition(topic, number): [] for topic in TOPICS.values() for number in range(PARTITIONS)
        }
        self.low = dict.fromkeys(self.log, 0)  # what retention has left of each log
        self.tables: dict[str, dict[str, dict[str, Any]]] = {entity: {} for entity in TOPICS}
        self.versions: Counter[tuple[str, str]] = Counter()
        self.committed: dict[Partition, Commit] = {}
        self.letters: list[DeadLetter] = []
        self.letters_tried = 0
        self.moved_to: dict[str, int] = {}  # identifiers whose partition is another since their topic has grown
        self.bounds_known_at = self.assigned_at = self.counts_known_at = 0.0
        self.compacted = False
        self.interleaves = False  # whether a poll gives a few records of some partitions, instead of all that are there
        self.stalled: dict[Partition, float] = {}  # partitions of which nothing comes until then
        self.store: Store | None = None
        self.schemas: Registry | None = None
        self.sources: list[SimulatedSource] = []
        self.judge_commit: Callable[[Partition, Commit], None] = lambda _, __: None
        self.server = Server(self)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._position = count(1)

    def at(self, time: float, call: Callable[[], None]) -> None:
        heappush(self._events, (time, next(self._order), call))

    def advance(self, seconds: float) -> None:
        """Let time pass, and happen what is due."""
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            time, _, call = heappop(self._events)
            self.now = max(self.now, time)
            call()
        self.now = end

    def next_event(self) -> float | None:
        return self._events[0][0] if self._events else None

    # The shop

    def write(self, entity: str, identifier: str, *, with_before: bool = False, **columns: Any) -> None:  # noqa: ANN401
        """Insert or update a row."""
        self.versions[entity, identifier] += 1
        old = self.tables[entity].get(identifier)
        row = {**self._row(entity, identifier, self.versions[entity, identifier]), **columns}
        self.tables[entity][identifier] = row
        self._emit(entity, identifier, "u" if old else "c", old if with_before else None, row)

    def snapshot(self) -> None:
        """Let Debezium read all tables, as it does at first and may do again."""
        for entity, rows in self.tables.items():
            for identifier, row in rows.items():
                self._emit(entity, identifier, "r", None, row, snapshot="true")

    def insert_silently(self, entity: str, identifier: str) -> None:
        """Insert a row that only a snapshot will tell of."""
        self.versions[entity, identifier] += 1
        self.tables[entity][identifier] = self._row(entity, identifier, self.versions[entity, identifier])

    def delete(self, entity: str, identifier: str, *, tombstone: bool = True) -> None:
        """Delete a row, if it is there."""
        old = self.tables[entity].pop(identifier, None)
        if old is not None:
            self._emit(entity, identifier, "d", {IDS[entity]: identifier}, None)
            if tombstone:
                self._append(entity, identifier, None)

    def emit_raw(self, entity: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        """Write a record that no Debezium would write."""
        log = self.log[Partition(TOPICS[entity], partition)]
        log.append(Record(TOPICS[entity], partition, len(log), key, value))

    def _row(self, entity: str, identifier: str, version: int) -> dict[str, Any]:
        if entity == "customers":
            return {"customer_id": identifier, "name": str(version), "gdpr_optin": True}
        if entity == "orders":
            item = {"product_id": "p", "sku": "s", "quantity": version, "price": 1}
            return {
                "order_id": identifier,
                "customer_id": "c",
                "currency": "EUR",
                "total_quantity": version,
                "order_items": json.dumps([item]),
            }
        variant = {"variant_id": "v", "sku": "s"}
        return {"product_id": identifier, "product_name": str(version), "product_variants": json.dumps([variant])}

    def _emit(  # noqa: PLR0917 (an event's parts)
        self, entity: str, identifier: str, op: str, before: object, after: object, snapshot: str = "false"
    ) -> None:
        position = next(self._position)
        source = {
            "connector": "postgresql",
            "snapshot": snapshot,
            "sequence": json.dumps([str(position), str(position)]),
            "ts_ms": int(self.now * 1000),
        }
        self._append(entity, identifier, {"before": before, "after": after, "source": source, "op": op})

    def _append(self, entity: str, identifier: str, value: object) -> None:
        number = self.moved_to.get(identifier, sum(identifier.encode()) % PARTITIONS)
        log = self.log[Partition(TOPICS[entity], number)]
        key = json.dumps({IDS[entity]: identifier}).encode()
        body = None if value is None else json.dumps(value).encode()
        log.append(Record(TOPICS[entity], number, len(log), key, body, timestamp_ms=int(self.now * 1000)))

    # The service's life

    def service(self, **changes: str) -> Service:
        """A new process of the connector."""
        self.sources.append(SimulatedSource(self))
        service = Service(
            settings(**changes),
            self.sources[-1],
            SimulatedSender(self),
            SimulatedTopic(self),
            self.schemas,
            self.store,
            metrics=Metrics(),
            clocks=Clocks(lambda: self.now, lambda: self.now),
        )
        service.start()
        return service

    def run(self, service: Service, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Turn the loop for so long, or until something holds; whether it does."""
        end = self.now + seconds
        while self.now < end and not until():
            service.step()
        return until()

    def settled(self) -> bool:
        """Everything that was read is committed."""
        return all(
            partition in self.committed and self.committed[partition].offset == len(log)
            for partition, log in self.log.items()
            if log
        )

    def differences(self) -> list[str]:
        """What the server holds and the tables do not, and the other way round, by versions."""
        found = []
        for entity, rows in self.tables.items():
            consented = [identifier for identifier, row in rows.items() if row.get("gdpr_optin", True)]
            expected = {identifier: self.versions[entity, identifier] for identifier in consented}
            actual = {
                identifier: _version(entity, document)
                for identifier, document in self.server.state[entity].items()
                if not (identifier in rows and document.get("GdprOptin") is False)
            }
            found += [
                f"{entity} {identifier}: expected {expected.get(identifier)}, found {actual.get(identifier)}"
                for identifier in sorted(expected.keys() | actual.keys())
                if expected.get(identifier) != actual.get(identifier)
            ]
        return found


def _version(entity: str, document: Mapping[str, Any]) -> int:
    field_of = {"customers": "Name", "orders": "TotalQuantity", "products": "ProductName"}
    return int(document[field_of[entity]])


class Server:
    """The API: applies requests at some moment between their sending and their answer, or later if that is lost.

    It `holds` what the sandbox would, whatever the documents are, or documents of the world's own shop, whose versions
    it watches. `watch` sees each request once it is applied.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.holds: State | None = None
        self.watch: Callable[[Batch], None] = lambda _: None
        self.state: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.arrivals: list[float] = []
        self.purposes: Counter[str] = Counter()
        self.broken: list[str] = []
        self._at_work: Counter[tuple[str, str]] = Counter()
        self._newest: dict[tuple[str, str], int] = {}

    def accept(self, batch: Batch, reply: Callable[[Answer | NoAnswer], None]) -> None:
        """Take a request in, and arrange its end and its answer."""
        world, faults = self.world, self.world.faults
        self.purposes[batch.purpose] += 1
        latency = world.random.uniform(*faults.latency)
        if faults.straggles and world.random.random() < faults.straggles:
            latency = world.random.uniform(1, 29)
        if faults.down or world.random.random() < faults.refuses_connection:
            world.at(world.now + 0.01, lambda: reply(NoAnswer("refused", ambiguous=False)))
            return
        keys = _keys(batch)
        for key in keys:
            if self._at_work[key]:
                self.broken.append(f"two requests for {key} at once at {world.now:.1f}")
            self._at_work[key] += 1
        arrival = world.now + world.random.uniform(0, latency)
        lost = world.random.random() < faults.loses_answer
        # A lost answer: the client gives up after 30 s, and the server may go on for 30 s more.
        done = arrival if not lost else world.now + world.random.uniform(0, 59)
        world.at(min(arrival, done), lambda: self.arrivals.append(world.now))
        answer: list[Answer] = []

        def apply() -> None:
            answer.append(self._apply(batch))
            self.watch(batch)
            for key in keys:
                self._at_work[key] -= 1

        world.at(done, apply)
        if lost:
            world.at(world.now + 30, lambda: reply(NoAnswer("timeout", ambiguous=True)))
        else:
            world.at(world.now + latency, lambda: reply(answer[0]))

    def _apply(self, batch: Batch) -> Answer:
        faults = self.world.faults
        if faults.unauthorized:
            return _answer(401, {"success": False, "message": "Unauthorized"})
        if self.world.random.random() < faults.fails or not faults.crashing.isdisjoint(_keys(batch)):
            return _answer(500, {"success": False, "message": "Internal server error"})
        if batch.request.body is None:
            return self._delete(batch)
        return self._upsert(batch)

    def _upsert(self, batch: Batch) -> Answer:
        assert batch.request.body is not None
        entity = batch.request.endpoint.removeprefix("upsert_")
        documents = json.loads(batch.request.body)
        ids = [document[_ID_FIELDS[entity]] for document in documents]
        faults = self.world.faults
        bad = [
            index
            for index, identifier in enumerate(ids)
            if (entity, identifier) in faults.poisoned or entity in faults.refused
        ]
        if bad:
            names = {"all": [f"[{index}].Name" for index in bad], "first": [f"$[{bad[0]}].Name"], "none": ["Name"]}
            errors = {key: ["The field Name is required."] for key in names[faults.names_bad]}
            return _answer(400, {"success": False, "message": "Validation failed", "errors": errors})
        if self.holds is not None:
            self.holds.upsert(entity, documents)
            return _answer(200, {"success": True, "message": "Saved.", "data": {"count": len(documents)}})
        for identifier, document in zip(ids, documents, strict=True):
            if document.get("GdprOptin") is not False:
                self._progress(entity, identifier, _version(entity, document))
            elif document.keys() != {"CustomerId", "GdprOptin"}:
                self.broken.append(f"more than a retraction of {identifier}")
            self.state[entity][identifier] = document
        return _answer(200, {"success": True, "message": "Saved.", "data": {"count": len(documents)}})

    def _delete(self, batch: Batch) -> Answer:
        entity = {"c": "customers", "o": "orders", "p": "products"}[batch.request.endpoint.split("_")[1][0]]
        if self.world.faults.deletes != 200:
            return _answer(self.world.faults.deletes, {"success": False, "message": "No."})
        if self.holds is not None:
            return _deleted(self.holds, entity, batch)
        if batch.item is not None:
            return _answer(200, {"success": True, "message": "Deleted.", "data": {}})
        [identifier] = batch.request.ids
        if entity == "customers" and self.world.faults.late_deletes:
            after = self.world.random.uniform(0, self.world.faults.late_deletes)

            def apply() -> None:
                self.state[entity].pop(unquote(identifier), None)

            self.world.at(self.world.now + after, apply)
            return _answer(200, {"success": True, "message": "Queued.", "data": {}})
        if self.state[entity].pop(unquote(identifier), None) is None and entity != "customers":
            return _answer(404, {"success": False, "message": f"{entity[:-1].title()} not found.", "data": {}})
        return _answer(200, {"success": True, "message": "Deleted.", "data": {}})

    def _progress(self, entity: str, identifier: str, version: int) -> None:
        newest = self._newest.get((entity, identifier), 0)
        if version < newest:
            self.broken.append(f"{entity} {identifier} went back from {newest} to {version} at {self.world.now:.1f}")
        self._newest[entity, identifier] = max(newest, version)

    def fullest(self, seconds: float) -> int:
        """The most requests that arrived within so long."""
        arrivals, most, first = sorted(self.arrivals), 0, 0
        for last, time in enumerate(arrivals):
            while arrivals[first] <= time - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


_ID_FIELDS = {"customers": "CustomerId", "orders": "OrderId", "products": "ProductId"}


def _keys(batch: Batch) -> list[tuple[str, str]]:
    return [(entry.key.entity.value, entry.key.id) for entry in batch.entries]


def _deleted(tenant: State, entity: str, batch: Batch) -> Answer:
    identifier = batch.entries[0].key.id
    try:
        if batch.item is not None:
            tenant.delete_element(entity, identifier, batch.item)
        else:
            tenant.delete(entity, identifier)
    except KeyError:
        return _answer(404, {"success": False, "message": "Not found."})
    return _answer(200, {"success": True, "message": "Deleted.", "data": {}})


def _answer(status: int, body: object) -> Answer:
    return Answer(status, {}, json.dumps(body).encode())


class SimulatedSource:
    """Kafka for one member, who gets all partitions. Asynchronous commits are answered with the next poll."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._positions: dict[Partition, int] = {}
        self._ended: dict[Partition, int] = {}
        self._paused: set[Partition] = set()
        self._outcomes: list[dict[Partition, bool]] = []
        self._owner: Owner | None = None
        self._hears: Callable[[Mapping[Partition, bool]], None] = lambda _: None

    def subscribe(self, owner: Owner, committed: Callable[[Mapping[Partition, bool]], None]) -> None:
        self._owner, self._hears = owner, committed

    def poll(self, limit: int, timeout: float) -> list[Record | End]:
        if not self._positions:
            if self._world.now < self._world.assigned_at:
                self._world.advance(timeout)
                return []
            self._assign()
        outcomes, self._outcomes = self._outcomes, []
        for outcome in outcomes:
            self._hears(outcome)
        found = list(self._fetch(limit))
        self._world.advance(0.001 if len(found) >= limit else timeout)
        return found

    def _assign(self) -> None:
        assert self._owner is not None
        committed = self._world.committed
        for partition in self._world.log:
            self._positions[partition] = committed[partition].offset if partition in committed else 0
        self._owner.assigned(list(self._positions))

    def _fetch(self, limit: int) -> Iterable[Record | End]:
        left, world = limit, self._world
        positions = list(self._positions.items())
        if world.interleaves:
            world.random.shuffle(positions)
        for partition, position in positions:
            if partition in self._paused or world.stalled.get(partition, 0.0) > world.now:
                continue
            log = world.log[partition]
            start = max(position, world.low[partition])
            few = world.random.choice([0, 1, 3, left]) if world.interleaves else left
            records = log[start : start + min(few, left)]
            self._positions[partition] = start + len(records)
            left -= len(records)
            yield from records
            if self._positions[partition] == len(log) and self._ended.get(partition) != len(log):
                self._ended[partition] = len(log)
                yield End(partition, len(log))

    def bounds(self, partitions: Iterable[Partition]) -> dict[Partition, Bounds]:
        committed = self._world.committed
        if self._world.now < self._world.bounds_known_at:
            return {}
        return {
            partition: Bounds(
                self._world.low[partition],
                len(self._world.log[partition]),
                committed[partition].offset if partition in committed else None,
                committed[partition].mark if partition in committed else None,
            )
            for partition in partitions
        }

    def high_watermark(self, partition: Partition) -> int | None:
        return len(self._world.log[partition])

    def compacted(self, topic: str) -> bool:
        return self._world.compacted

    def partition_count(self, topic: str) -> int:
        if self._world.now < self._world.counts_known_at:
            raise PlatformError(f"nobody says how many partitions {topic} has")
        return sum(partition.topic == topic for partition in self._world.log)

    def commit(self, commits: Mapping[Partition, Commit], *, wait: bool) -> bool:
        for partition, commit in commits.items():
            self._world.judge_commit(partition, commit)
            before = self._world.committed.get(partition)
            if before is not None and commit.offset < before.offset:
                self._world.server.broken.append(f"{partition}: commit back from {before.offset} to {commit.offset}")
            self._world.committed[partition] = commit
        if not wait:
            self._outcomes.append(dict.fromkeys(commits, True))
        return True

    def seek(self, partition: Partition, offset: int) -> None:
        self._positions[partition] = offset
        self._ended.pop(partition, None)

    def pause(self, partitions: Iterable[Partition]) -> None:
        self._paused.update(partitions)

    def resume(self, partitions: Iterable[Partition]) -> None:
        self._paused.difference_update(partitions)

    def take_away(self, partitions: Sequence[Partition]) -> None:
        """A rebalance gives these to another process."""
        assert self._owner is not None
        self._owner.revoked(partitions)
        for partition in partitions:
            del self._positions[partition]
            self._ended.pop(partition, None)

    def give_back(self, partitions: Sequence[Partition]) -> None:
        """A rebalance gives these to this process again."""
        assert self._owner is not None
        for partition in partitions:
            self._positions[partition] = self._world.committed[partition].offset
        self._owner.assigned(partitions)

    def close(self) -> None:
        assert self._owner is not None
        self._owner.revoked(list(self._positions))


class SimulatedSender:
    """Hands requests to the server; replies come when their time has come."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._replies: list[Reply] = []

    def send(self, batch: Batch, key: str) -> None:
        sent = self._world.now

        def reply(answer: Answer | NoAnswer) -> None:
            self._replies.append(Reply(batch, answer, self._world.now - sent))

        self._world.server.accept(batch, reply)

    def replies(self, timeout: float = 0.0) -> list[Reply]:
        end = self._world.now + timeout
        while not self._replies and self._world.now < end:
            event = self._world.next_event()
            self._world.advance(min(end, event if event is not None else end) - self._world.now)
        found, self._replies = self._replies, []
        return found


class SimulatedTopic:
    """The dead-letter topic: confirms with the next call of `serve`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._under_way: list[tuple[DeadLetter, Callable[[str | None], None]]] = []

    def missing(self) -> str | None:
        faults = self._world.faults
        return "it does not exist" if faults.letters_refused and not faults.letters_topic_shown else None

    def write(self, letter: DeadLetter, done: Callable[[str | None], None]) -> None:
        self._world.letters_tried += 1
        self._under_way.append((letter, done))

    def serve(self, timeout: float = 0.0) -> None:
        under_way, self._under_way = self._under_way, []
        for letter, done in under_way:
            if self._world.faults.letters_refused:
                done("not authorized")
            else:
                self._world.letters.append(letter)
                done(None)

    def restart(self) -> None:
        self._under_way = []

    def close(self, timeout: float) -> None:
        self.serve()
