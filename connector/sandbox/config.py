"""How a sandbox behaves."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector.sandbox.answers import ErrorShape
from connector.sandbox.faults import Faults
from connector.sandbox.rules import Contract
from connector.sandbox.state import State, Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEFAULT_TENANT = "5f0c6a52-9d1e-4c38-b7a4-0e2d8f1b6c93"
DEFAULT_KEY = "c2FuZGJveC1rZXk="  # base64 of "sandbox-key"


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """How the sandbox behaves. `keys`: API key → the tenants that it may access.

    `per_minute`, `per_hour`: None = unlimited. `count_refused`: requests answered with 429 count in the windows too.
    `tells_limits`: in the headers of its answers.
    `customers_by`: what identifies a customer, CustomerId or Email, which is a tenant's setting.
    `clock` returns seconds and may run faster than real time; every duration here is in its seconds. `state`: what
    keeps a tenant's documents, for whoever wants to watch.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tenants: tuple[str, ...] = (DEFAULT_TENANT,)
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: {DEFAULT_KEY: (DEFAULT_TENANT,)})
    contract: Contract = Contract.LENIENT
    upsert: Upsert = Upsert.REPLACE
    errors: ErrorShape = ErrorShape.INDEXED
    per_minute: int | None = 100
    per_hour: int | None = 5000
    count_refused: bool = True
    tells_limits: bool = True
    max_body: int = 30_000_000
    customers_by: str = "CustomerId"
    delete_delay: float = 0.0
    late_deletes: bool = False
    faults: Faults = field(default_factory=Faults)
    clock: Callable[[], float] = time.monotonic
    state: type[State] = State
