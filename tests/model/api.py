"""The API for several processes at once, with the faults that a step of a story turns on.

It judges as it goes: no key is at work twice, none goes back in time, no trailing window holds more than its limit.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from connector.core.requests import Answer, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.history import History, Row
    from simulation import World

    from connector.core.dispatch import Batch

FAULTS = (
    *("none", "slow", "refused", "error", "unavailable", "throttled", "unauthorized", "unknown_tenant"),
    *("too_large", "html", "unprocessed", "gateway", "timeout", "reset"),
)
"""What may become of a request. After `gateway`, `timeout` and `reset` the server works on, and may well succeed."""

SERVER_IS_DONE = 59.0
"""Seconds after its sending within which the server is done with any request."""

QUEUED = 600.0
"""Seconds that a customer's DELETE may take, where they are queued."""

_ID_FIELDS = {"customers": "CustomerId", "orders": "OrderId", "products": "ProductId"}
_LISTS = {"orders": ("OrderItems", "Sku"), "products": ("ProductVariants", "VariantId")}
_LIMITS = ((60.0, "minute"), (3600.0, "hour"))


class Api:
    """Replenit. `merges`: an upsert merges a document's items, else it replaces them. `share`: of requests that fail.

    It refuses `poisoned` rows, and fails over `crashing` ones. `limits`: what all processes may
    send within a minute and an hour; requests of others count for the answers only. `works_on`: it does so after its
    client has given up. `queues`: it takes its time for the DELETE of a customer; where that removes a row that came
    back since, `overtaken` tells when it was accepted.
    """

    def __init__(
        self, world: World, history: History, *, merges: bool, names_bad: str, limits: tuple[int, int]
    ) -> None:
        self.world = world
        self.history = history
        self.merges = merges
        self.names_bad = names_bad
        self.limits = limits
        self._limit = limits[0]
        self.fault = "none"
        self.share = 1.0
        self.works_on = True
        self.queues = False
        self.overtaken: dict[Row, float] = {}
        self.poisoned: set[Row] = set()
        self.crashing: set[Row] = set()
        self.broken: list[str] = []
        self.purposes: Counter[str] = Counter()
        self.held: dict[Row, dict[str, Any]] = {}
        self.told: dict[Row, float] = {}
        self._at_work: Counter[Row] = Counter()
        self._ours: tuple[deque[float], ...] = (deque(), deque())
        self._all: deque[float] = deque()

    def others(self, requests: int) -> None:
        """Another client of the same key sends so many requests."""
        self._all.extend([self.world.now] * requests)

    def accept(self, batch: Batch, reply: Callable[[Answer | NoAnswer], None]) -> None:
        """Take a request in, and arrange its end and its answer."""
        world, chance = self.world, self.world.random
        self.purposes[batch.purpose] += 1
        fault = self.fault if chance.random() < self.share else "none"
        if fault == "refused":
            world.at(world.now + 0.01, lambda: reply(NoAnswer("refused", ambiguous=False)))
            return
        rows = [(entry.key.entity.value, entry.key.id) for entry in batch.entries]
        for row in rows:
            if self._at_work[row]:
                self.broken.append(f"{row} is at the server twice")
            self._at_work[row] += 1
        latency = chance.uniform(1, 29) if fault == "slow" else chance.uniform(0.02, 0.3)
        answered = 30.0 if fault == "timeout" else latency
        late = fault in {"timeout", "gateway", "reset"}
        at_most = SERVER_IS_DONE if late and self.works_on else latency
        done = chance.uniform(0, at_most)
        arrival = world.now + min(done, chance.uniform(0, latency))
        applied = not late or chance.random() < 0.7
        answers: list[Answer] = []

        def arrive() -> None:
            throttled = self._arrive()
            failing = "error" if self.crashing.intersection(rows) else fault
            answers.append(throttled or self._refuse(failing, len(rows)) or Answer(200, {}, b""))

        def finish() -> None:
            if answers[0].status == 200 and applied and fault != "unprocessed":
                answers[0] = self._apply(batch, rows)
            self._at_work.subtract(rows)

        def answer() -> None:
            if late and fault != "gateway":
                reply(NoAnswer(fault, ambiguous=True))
            else:
                given = Answer(502, {}, b"<html>Bad gateway") if late else answers[0]
                given = Answer(200, {}, b"<html>") if fault in {"html", "unprocessed"} else given
                reply(Answer(given.status, {**self._headers(), **given.headers}, given.body))

        world.at(arrival, arrive)
        world.at(world.now + done, finish)
        world.at(world.now + answered, answer)

    # Limits

    def _arrive(self) -> Answer | None:
        now = self.world.now
        self._all.append(now)
        for (seconds, name), limit, ours in zip(_LIMITS, self.limits, self._ours, strict=True):
            ours.append(now)
            while ours[0] <= now - seconds:
                ours.popleft()
            if len(ours) > limit:
                self.broken.append(f"{len(ours)} requests within a {name}")
        if self._counted() > self._limit:
            return _answer(429, {"success": False, "message": "Too many requests"}, {"retry-after": "7"})
        return None

    def _counted(self) -> int:
        while self._all and self._all[0] <= self.world.now - 60:
            self._all.popleft()
        return len(self._all)

    def _headers(self) -> dict[str, str]:
        limit = self._limit
        return {"x-ratelimit-limit": str(limit), "x-ratelimit-remaining": str(max(0, limit - self._counted()))}

    # Answers

    @staticmethod
    def _refuse(fault: str, records: int) -> Answer | None:
        match fault:
            case "too_large" if records > 1:
                return Answer(413, {}, b"<html>Too large")
            case "error" | "unavailable":
                return _answer(500 if fault == "error" else 503, {"success": False, "message": "Internal error"})
            case "throttled":
                return _answer(429, {"success": False, "message": "Too many requests"}, {"retry-after": "3"})
            case "unauthorized":
                return _answer(401, {"success": False, "message": "Unauthorized"})
            case "unknown_tenant":
                return _answer(404, {"success": False, "message": "Tenant not found.", "data": {}})
        return None

    def _apply(self, batch: Batch, rows: list[Row]) -> Answer:
        if batch.request.body is None:
            return self._delete(batch, rows[0])
        entity = batch.request.endpoint.removeprefix("upsert_")
        documents = json.loads(batch.request.body)
        bad = [index for index, each in enumerate(documents) if (entity, each[_ID_FIELDS[entity]]) in self.poisoned]
        if bad:
            return self._invalid(bad)
        for entry, document in zip(batch.entries, documents, strict=True):
            record = entry.record
            self._upsert(entity, document, self.history.at(record))
        return _answer(200, {"success": True, "message": "Saved.", "data": {"count": len(documents)}})

    def _invalid(self, bad: list[int]) -> Answer:
        if self.names_bad == "page":
            return Answer(403, {}, b"<html>A firewall dislikes it")
        names = {"all": [f"[{index}].Name" for index in bad], "first": [f"$[{bad[0]}].Name"], "none": ["Name"]}
        errors = {key: ["The field Name is required."] for key in names[self.names_bad]}
        return _answer(400, {"success": False, "message": "Validation failed", "errors": errors})

    def _upsert(self, entity: str, document: dict[str, Any], version: float) -> None:
        row = (entity, document[_ID_FIELDS[entity]])
        if document.get("GdprOptin") is not False:
            version = _version(entity, document)
        self._progress(row, version)
        items = _items(entity, document)
        if self.merges:
            items |= self.held.get(row, {}).get("items", set())
        consent = document.get("GdprOptin") is not False
        self.held[row] = {"version": version, "consent": consent, "items": items, "leaves": False}

    def _delete(self, batch: Batch, row: Row) -> Answer:
        held, entry = self.held.get(row), batch.entries[0]
        if batch.item is not None:
            if held is None or batch.item[-1] not in held["items"]:
                return _answer(404, {"success": False, "message": "Item not found.", "data": {}})
            held["items"].discard(batch.item[-1])
            return _answer(200, {"success": True, "message": "Deleted.", "data": {}})
        [identifier] = batch.request.ids
        assert unquote(identifier) == row[1]
        if entry.state.document is None:  # else the row that was inserted again follows
            self._progress(row, self.history.at(entry.record))
        if self.queues and row[0] == "customers":
            accepted, version = self.world.now, self.told[row]
            if held is not None:
                held["leaves"] = True
            self.world.at(accepted + self.world.random.uniform(0, QUEUED), lambda: self._leave(row, version, accepted))
            return _answer(200, {"success": True, "message": "Queued.", "data": {}})
        self.held.pop(row, None)
        if held is None and row[0] != "customers":
            what = self.world.random.choice(["Order", "Record"])  # it is told apart from a tenant, or it is not
            return _answer(404, {"success": False, "message": f"{what} not found.", "data": {}})
        return _answer(200, {"success": True, "message": "Deleted.", "data": {}})

    def _leave(self, row: Row, version: float, accepted: float) -> None:
        """A customer's DELETE has its turn in the queue, at last."""
        held = self.held.pop(row, None)
        if held is not None and held["version"] > version:
            self.overtaken[row] = accepted

    def _progress(self, row: Row, version: float) -> None:
        told = self.told.get(row, 0.0)
        if version < told and self.works_on:
            self.broken.append(f"{row} goes back from version {told} to {version}")
        self.told[row] = max(told, version)


def _version(entity: str, document: dict[str, Any]) -> float:
    return float(document[{"customers": "Name", "orders": "TotalQuantity", "products": "ProductName"}[entity]])


def _items(entity: str, document: dict[str, Any]) -> set[str]:
    if entity not in _LISTS:
        return set()
    name, key = _LISTS[entity]
    return {item[key] for item in document[name]}


def _answer(status: int, body: object, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status, headers or {}, json.dumps(body).encode())
