"""One request on its way through the sandbox: what it asks, what the limits and the faults say to it, what it broke."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from connector.sandbox import routes
from connector.sandbox.rules import identify, read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.sandbox.answers import Reply
    from connector.sandbox.faults import Fault, Faults
    from connector.sandbox.journal import Journal
    from connector.sandbox.rules import Contract, Violation
    from connector.sandbox.windows import Standing


@dataclass(slots=True)
class Call:
    """A request. `faults` are those of its arrival, and `journal` is where it is written down, a reset later included.

    `unread` is the refusal of a body that could not be read. `ids` has one key per record, None where there is none.
    """

    number: int
    method: str
    route: routes.Route
    headers: Mapping[str, str]
    arrived: float
    standing: Standing
    faults: Faults
    fault: Fault | None
    slow: bool
    journal: Journal
    unread: Reply | None = None
    records: list[Any] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    ids: list[str | None] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.headers.get("x-replenit-auth-key") or ""

    @property
    def tenant(self) -> str:
        return self.route.tenant.lower()

    @property
    def touched(self) -> tuple[str, ...]:
        return tuple(each for each in self.ids if each)

    @property
    def is_json(self) -> bool:
        return self.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"

    def understand(self, body: bytes | Reply, contract: Contract, customers_by: str) -> None:
        """Read a body into records, and what is to be read of the keys that the request touches."""
        route = self.route
        if not isinstance(body, bytes):
            self.unread = body
        if route.endpoint.startswith("upsert_"):
            if isinstance(body, bytes):
                self.records, self.violations = read(route.entity, body, contract)
            self.ids = [identify(route.entity, record, customers_by) for record in self.records]
            self.broken += dict.fromkeys(each.promise for each in self.violations if each.promise)
            if not self.is_json:
                self.broken.append("a body whose Content-Type is not application/json")
        elif route is not routes.NOWHERE:
            self.ids = [next(iter(route.parameters.values())) or route.parameters.get("email")]
