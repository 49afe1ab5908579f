"""The ingestion API without a socket: one request in, its answer out, and a record of both."""

from __future__ import annotations

import re
import threading
import time
from typing import TYPE_CHECKING

from connector.sandbox import answers, deletes, routes
from connector.sandbox.answers import Reply
from connector.sandbox.call import Call
from connector.sandbox.faults import Dealer, Fault, misbehaviour
from connector.sandbox.journal import Journal, Seen
from connector.sandbox.rules import KEYS, Violation
from connector.sandbox.windows import RateLimits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from connector.sandbox.config import SandboxConfig
    from connector.sandbox.rules import Document

_POLL = 0.005
GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


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
        self.epoch = time.time() - config.clock()
        self.reset()

    def reset(self) -> None:
        """Everything as it was when the sandbox started."""
        config = self.config
        with self.lock:
            self.keys = {key: _lowered(tenants) for key, tenants in config.keys.items()}
            self.states = {
                tenant.lower(): config.state(
                    config.upsert,
                    config.delete_delay,
                    late_deletes=config.late_deletes,
                    customers_by=config.customers_by,
                )
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

    def documents(self, tenant: str) -> dict[str, dict[str, Document]]:
        """Return a tenant's documents by entity and id, as they are now. Raises KeyError for an unknown tenant."""
        with self.lock:
            state = self.states[tenant.lower()]
            state.settle(self.config.clock())
            return state.snapshot()

    def serve(
        self, method: str, target: str, headers: Mapping[str, str], read_body: Callable[[], bytes | Reply]
    ) -> Reply | None:
        """Answer one request; None = break the connection. Blocks as long as faults make it.

        `headers` have names in lower case; `read_body` returns the refusal of a body that it can't give, and raises
        ConnectionError if the client goes away before its end.
        """
        call = self._arrive(method, target, headers)
        reply = None
        try:
            if call.fault is not Fault.RESET:
                call.understand(read_body(), self.config.contract, self.config.customers_by)
                self._begin(call)
                self._wait(call)
                reply = self._answer(call)
        except ConnectionError:
            reply = None
        finally:
            self._end(call, reply)
        limits = call.standing.headers(self.epoch) if self.config.tells_limits else {}
        return reply and Reply(reply.status, reply.body, {**limits, **reply.headers})

    def _arrive(self, method: str, target: str, headers: Mapping[str, str]) -> Call:
        route = routes.find(method, target)
        with self.lock:
            now, number = self.config.clock(), self.journal.number()
            standing = self.limits.arrive(headers.get("x-replenit-auth-key") or "", now)
            fault, slow = self.dealer.deal(route.entity, route.endpoint)
            faults = self.dealer.faults
            call = Call(number, method, route, headers, now, standing, faults, fault, slow, self.journal)
        call.broken += [f"the trailing {span} holds more requests than the limit" for span in standing.newly]
        if route is routes.NOWHERE:
            call.broken.append("a request that no document knows")
        if not call.key:
            call.broken.append("a request without a key")
        return call

    def _begin(self, call: Call) -> None:
        with self.lock:
            call.broken += call.journal.begin(call.number, call.tenant, call.route.entity, call.touched)

    def _end(self, call: Call, reply: Reply | None) -> None:
        with self.lock:
            seen = Seen(
                number=call.number,
                time=call.arrived + self.epoch,
                method=call.method,
                endpoint=call.route.endpoint,
                status=reply.status if reply else 0,
                records=len(call.ids),
                seconds=self.config.clock() - call.arrived,
                ids=call.touched,
                fault=" ".join([*([call.fault] if call.fault else []), *(["slow"] if call.slow else [])]),
                broken_promises=tuple(call.broken),
            )
            call.journal.end(seen, call.tenant, call.route.entity)
        if self._observe:
            self._observe(seen)

    def _wait(self, call: Call) -> None:
        seconds = call.faults.slow_seconds if call.slow else 0.0
        if call.fault is Fault.HANG:
            seconds += call.faults.hang_seconds
        while self.config.clock() < call.arrived + seconds and not self._stopping.wait(_POLL):
            pass

    def _answer(self, call: Call) -> Reply | None:
        if call.fault is Fault.HANG:
            return None
        with self.lock:
            if call.journal is not self.journal:  # what a reset has cleared in between stays clear
                return None
            reply = self._door(call) or self._tenant(call) or misbehaviour(call.fault, call.faults)
            reply = reply or self._content(call) or self._apply(call)
        return None if call.fault is Fault.LOST else reply

    def _door(self, call: Call) -> Reply | None:
        """Whoever has no key gets no further, and then whoever is over a limit."""
        if call.faults.down:
            return answers.failed(503, "Service unavailable.")
        if not call.key:
            return answers.failed(401, "The API key is missing.")
        if call.faults.revoked or call.key not in self.keys:
            return answers.failed(401, "The API key is invalid or was revoked.")
        if call.standing.exceeded:
            return answers.too_many(call.standing.retry_after)
        return None

    def _tenant(self, call: Call) -> Reply | None:
        if call.route is routes.NOWHERE:
            return answers.failed(404, "Not found.")
        if not GUID.fullmatch(call.tenant):
            return answers.failed(400, "Invalid tenant identifier.")
        if call.tenant not in self.states:
            return answers.failed(404, "Tenant not found.")
        if call.tenant not in self.keys[call.key]:
            return answers.failed(403, "The API key has no access to this tenant.")
        return None

    def _content(self, call: Call) -> Reply | None:
        """Refuse what the contract or a marker refuses. Nothing of a request is saved when one record is bad."""
        entity, faults = call.route.entity, call.faults
        if call.unread:
            return call.unread
        if call.method == "POST" and not call.is_json:
            return answers.failed(415, "The Content-Type must be application/json.")
        if not set(faults.crashing.get(entity, ())).isdisjoint(call.touched):
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
        now, entity, state = self.config.clock(), call.route.entity, self.states[call.tenant]
        state.settle(now)
        if call.method == "DELETE":
            return deletes.delete(state, call.route, now)
        skipped = set(call.faults.skipped.get(entity, ()))
        records = [record for record, each in zip(call.records, call.ids, strict=True) if each not in skipped]
        state.upsert(entity, records)
        return answers.saved(entity, len(records), now + self.epoch)


def _lowered(tenants: Iterable[str]) -> frozenset[str]:
    return frozenset(tenant.lower() for tenant in tenants)
