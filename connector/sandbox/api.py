"""The ingestion API without a socket: one request in, its answer out, and a record of both."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connector.sandbox import answers, deletes, routes
from connector.sandbox.answers import Reply
from connector.sandbox.faults import Dealer, Fault, Faults
from connector.sandbox.journal import Journal, Seen
from connector.sandbox.rules import KEYS, Violation, identify, read
from connector.sandbox.state import State
from connector.sandbox.windows import RateLimits, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from connector.sandbox.config import SandboxConfig

_POLL = 0.005
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


@dataclass(slots=True)
class Call:
    """A request on its way through the sandbox. `body` None: it was too large to be kept."""

    number: int
    method: str
    route: routes.Route
    headers: Mapping[str, str]
    arrived: float
    standing: Standing
    fault: Fault | None
    slow: bool
    body: bytes | None = b""
    records: list[Any] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.headers.get("x-replenit-auth-key") or ""

    @property
    def touched(self) -> tuple[str, ...]:
        return tuple(each for each in self.ids if each)


class Api:
    """All that the sandbox knows, behind one lock. `stopping` cuts its waits short.

    `observe` hears of every request once it is done, in the thread that served it.
    """

    def __init__(
        self, config: SandboxConfig, stopping: threading.Event, observe: Callable[[Seen], None] | None = None
    ) -> None:
        self.config = config
        self.lock = threading.RLock()
        self._stopping = stopping
        self._observe = observe
        self._epoch = time.time() - config.clock()
        self.reset()

    def reset(self) -> None:
        """Everything as it was when the sandbox started."""
        config = self.config
        with self.lock:
            self.keys = {key: _lowered(tenants) for key, tenants in config.keys.items()}
            self.states = {
                tenant.lower(): State(config.upsert, config.delete_delay, late_deletes=config.late_deletes)
                for tenant in config.tenants
            }
            self.limits = RateLimits(config.per_minute, config.per_hour, count_refused=config.count_refused)
            self.journal = Journal()
            self.dealer = Dealer(config.faults)

    def allow(self, key: str, tenants: tuple[str, ...] | None) -> None:
        """Let a key access these tenants; None revokes it."""
        with self.lock:
            self.keys.pop(key, None)
            if tenants is not None:
                self.keys[key] = _lowered(tenants)

    def state(self, tenant: str) -> State:
        """A tenant's documents, with the queued deletes that are due applied. Raises KeyError for an unknown tenant."""
        with self.lock:
            state = self.states[tenant.lower()]
            state.settle(self.config.clock())
            return state

    def serve(
        self, method: str, target: str, headers: Mapping[str, str], read_body: Callable[[], bytes | None]
    ) -> Reply | None:
        """Answer one request; None = break the connection. Blocks as long as faults make it.

        `headers` have names in lower case; `read_body` returns None for a body above `max_body`, and raises
        ConnectionError if the client goes away before its end.
        """
        call, journal = self._arrive(method, target, headers)
        reply = None
        try:
            if call.fault is not Fault.RESET:
                call.body = read_body()
                self._understand(call)
                self._begin(call, journal)
                self._wait(call)
                reply = self._answer(call)
        except ConnectionError:
            reply = None
        finally:
            self._end(call, journal, reply)
        return reply and Reply(reply.status, reply.body, {**self._limit_headers(call.standing), **reply.headers})

    def _arrive(self, method: str, target: str, headers: Mapping[str, str]) -> tuple[Call, Journal]:
        route = routes.find(method, target)
        with self.lock:
            now = self.config.clock()
            standing = self.limits.arrive(headers.get("x-replenit-auth-key") or "", now)
            fault, slow = self.dealer.deal(route.entity, route.endpoint)
            call = Call(self.journal.number(), method, route, headers, now, standing, fault, slow)
            call.broken += [f"the trailing {span} holds more requests than the limit" for span in standing.newly]
            if route is routes.NOWHERE:
                call.broken.append("a request that no document knows")
            if not call.key:
                call.broken.append("a request without a key")
            return call, self.journal

    def _understand(self, call: Call) -> None:
        """Read a body into records, and what is to be read of the keys that the request touches."""
        route = call.route
        if route.endpoint.startswith("upsert_"):
            if call.body is not None:
                call.records, call.violations = read(route.entity, call.body, self.config.contract)
            call.ids = [identify(route.entity, record) for record in call.records]
            call.broken += dict.fromkeys(each.promise for each in call.violations if each.promise)
            if not _is_json(call.headers):
                call.broken.append("a body whose Content-Type is not application/json")
        elif route is not routes.NOWHERE:
            call.ids = [next(iter(route.parameters.values())) or route.parameters.get("email")]

    def _begin(self, call: Call, journal: Journal) -> None:
        with self.lock:
            call.broken += journal.begin(call.number, call.route.tenant.lower(), call.route.entity, call.touched)

    def _end(self, call: Call, journal: Journal, reply: Reply | None) -> None:
        with self.lock:
            seen = Seen(
                number=call.number,
                time=call.arrived + self._epoch,
                method=call.method,
                endpoint=call.route.endpoint,
                status=reply.status if reply else 0,
                records=len(call.ids),
                seconds=self.config.clock() - call.arrived,
                ids=call.touched,
                fault=" ".join([*([call.fault] if call.fault else []), *(["slow"] if call.slow else [])]),
                broken_promises=tuple(call.broken),
            )
            journal.end(seen, call.route.tenant.lower(), call.route.entity)
        if self._observe:
            self._observe(seen)

    def _wait(self, call: Call) -> None:
        faults = self.dealer.faults
        seconds = (faults.slow_seconds if call.slow else 0) + (faults.hang_seconds if call.fault is Fault.HANG else 0)
        while self.config.clock() < call.arrived + seconds and not self._stopping.wait(_POLL):
            pass

    def _answer(self, call: Call) -> Reply | None:
        if call.fault is Fault.HANG:
            return None
        with self.lock:
            faults = self.dealer.faults
            reply = self._door(call, faults) or self._tenant(call) or _misbehaviour(call, faults)
            reply = reply or self._content(call, faults) or self._apply(call)
        return None if call.fault is Fault.LOST else reply

    def _door(self, call: Call, faults: Faults) -> Reply | None:
        """Whoever has no key gets no further, and then whoever is over a limit."""
        if faults.down:
            return answers.failed(503, "Service unavailable.")
        if not call.key:
            return answers.failed(401, "The API key is missing.")
        if faults.revoked or call.key not in self.keys:
            return answers.failed(401, "The API key is invalid or was revoked.")
        if call.standing.exceeded:
            return answers.too_many(call.standing.retry_after)
        return None

    def _tenant(self, call: Call) -> Reply | None:
        tenant = call.route.tenant.lower()
        if call.route is routes.NOWHERE:
            return answers.failed(404, "Not found.")
        if not _GUID.fullmatch(tenant):
            return answers.failed(400, "Invalid tenant identifier.")
        if tenant not in self.states:
            return answers.failed(404, "Tenant not found.")
        if tenant not in self.keys[call.key]:
            return answers.failed(403, "The API key has no access to this tenant.")
        return None

    def _content(self, call: Call, faults: Faults) -> Reply | None:
        """Refuse what the contract or a marker refuses. Nothing of a request is saved when one record is bad."""
        entity = call.route.entity
        if call.body is None:
            return answers.failed(413, "The request body is too large.")
        if call.method == "POST" and not _is_json(call.headers):
            return answers.failed(415, "The Content-Type must be application/json.")
        if set(call.touched) & set(faults.crashing.get(entity, ())):
            return answers.failed(500, "Internal server error.")
        poisoned = faults.poisoned.get(entity, {})
        violations = call.violations
        if call.method == "POST" and poisoned and not any(each.conversion for each in violations):
            marked = [(number, poisoned.get(each or "")) for number, each in enumerate(call.ids)]
            violations = violations + [Violation(number, KEYS[entity][0], why) for number, why in marked if why]
        if violations:
            in_order = sorted(violations, key=lambda each: -1 if each.record is None else each.record)
            return answers.refused(in_order, self.config.errors)
        return None

    def _apply(self, call: Call) -> Reply:
        now = self.config.clock()
        state = self.state(call.route.tenant)
        if call.method == "DELETE":
            return deletes.delete(state, call.route, now)
        skipped = self.dealer.faults.skipped.get(call.route.entity, ())
        records = [record for record, each in zip(call.records, call.ids, strict=True) if each not in skipped]
        state.upsert(call.route.entity, records)
        return answers.saved(call.route.entity, len(records), now + self._epoch)

    def _limit_headers(self, standing: Standing) -> dict[str, str]:
        if standing.limit is None:
            return {}
        return {
            "X-RateLimit-Limit": str(standing.limit),
            "X-RateLimit-Remaining": str(standing.remaining),
            "X-RateLimit-Reset": str(int(standing.resets_at + self._epoch) + 1),
        }


def _misbehaviour(call: Call, faults: Faults) -> Reply | None:
    match call.fault:
        case Fault.ERROR:
            return answers.failed(500, "Internal server error.")
        case Fault.TOO_MANY:
            return answers.too_many(faults.retry_after)
        case Fault.HTML:
            return answers.page(faults.html_status)
        case Fault.UNSUCCESSFUL:
            return answers.failed(200, "The request could not be processed.")
        case Fault.REDIRECT:
            return Reply(302, "", {"Location": "/login"})
    return None


def _is_json(headers: Mapping[str, str]) -> bool:
    return headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"


def _lowered(tenants: Iterable[str]) -> frozenset[str]:
    return frozenset(tenant.lower() for tenant in tenants)
