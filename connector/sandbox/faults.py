"""The sandbox's misbehaviour, on request: what share of requests goes wrong, and how."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import TYPE_CHECKING, Any

from connector.sandbox.answers import Reply, failed, page, too_many
from connector.sandbox.routes import ENDPOINTS
from connector.sandbox.rules import KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Fault(StrEnum):
    """What happens to one request; each is also the name of its share in `Faults`. Only `LOST` applies the request."""

    ERROR = "error"  # 500
    TOO_MANY = "too_many"  # 429, although no window is full
    RESET = "reset"  # the connection breaks before the body is read
    LOST = "lost"  # applied, then the connection breaks: the answer is lost
    HANG = "hang"  # never answered; the connection breaks after `hang_seconds`
    HTML = "html"  # a page of some gateway, with status `html_status`
    UNSUCCESSFUL = "unsuccessful"  # 200 with success: false
    REDIRECT = "redirect"  # 302


@dataclass(frozen=True, slots=True)
class Faults:
    """Shares of requests (0 to 1, together at most 1) and how they go wrong; replaced as a whole at runtime.

    `slow` is a share of its own: such requests are worked on after `slow_seconds` of the sandbox's clock, also if the
    client has gone by then. `revoked`: every key is. `down`: 503 for everything. `after`, `times`, `only`: the shares
    spare the first requests, end after so many faults, hit one entity or endpoint only. `poisoned`: entity → id →
    message of the 400 for that record, although the documents call it valid. `crashing`: entity → ids; a request that
    touches one is answered with 500. `skipped`: entity → ids that a 200 does not save, nor count.
    """

    error: float = 0.0
    too_many: float = 0.0
    reset: float = 0.0
    lost: float = 0.0
    hang: float = 0.0
    html: float = 0.0
    unsuccessful: float = 0.0
    redirect: float = 0.0
    slow: float = 0.0
    retry_after: int = 1
    slow_seconds: float = 1.0
    hang_seconds: float = 45.0
    html_status: int = 502
    revoked: bool = False
    down: bool = False
    after: int = 0
    times: int | None = None
    only: str = ""
    seed: int = 0
    poisoned: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    crashing: Mapping[str, Sequence[str]] = field(default_factory=dict)
    skipped: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raise ValueError where shares are no shares, or hit what there is not: a misspelt fault would never come."""
        shares = [getattr(self, each) for each in Fault]
        if not all(0 <= share <= 1 for share in (*shares, self.slow)) or sum(shares) > 1 + 1e-9:
            raise ValueError("shares of faults lie between 0 and 1, and sum up to 1 at most")
        if self.only not in {"", *KEYS, *ENDPOINTS}:
            raise ValueError(f"only is one of {', '.join([*KEYS, *ENDPOINTS])}")
        if not KEYS.keys() >= {*self.poisoned, *self.crashing, *self.skipped}:
            raise ValueError(f"poisoned, crashing and skipped are by entity: {', '.join(KEYS)}")

    @classmethod
    def parse(cls, values: object) -> Faults:
        """Faults from JSON; what it does not name is off. Raises ValueError with the name that is wrong."""
        if not isinstance(values, dict):
            raise ValueError("faults are a JSON object")  # noqa: TRY004 # one error for all of the input
        known = {each.name: getattr(cls(), each.name) for each in dataclasses.fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise ValueError(f"there is no fault {name!r}; known are {', '.join(known)}")
            if not _fits(name, value, known[name]):
                raise ValueError(f"the value of {name} has the wrong type")
        return cls(**values)


def _fits(name: str, value: object, default: object) -> bool:
    if name == "times":
        return value is None or (isinstance(value, int) and not isinstance(value, bool))
    if name == "poisoned":
        return isinstance(value, dict) and all(
            isinstance(each, dict) and _are_texts(each.values()) for each in value.values()
        )
    if name in {"crashing", "skipped"}:
        return isinstance(value, dict) and all(
            isinstance(each, list | tuple) and _are_texts(each) for each in value.values()
        )
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(each, str) for each in values)


class Dealer:
    """Deals faults to requests by chance; the same seed and order of requests give the same faults."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._random = Random(faults.seed)  # noqa: S311 # repeatable chance, no secret
        self._seen = 0
        self._dealt = 0

    def deal(self, entity: str, endpoint: str) -> tuple[Fault | None, bool]:
        """The fault of the next request, and whether it is slow."""
        faults = self.faults
        if faults.only not in {"", entity, endpoint}:
            return None, False
        self._seen += 1
        if self._seen <= faults.after or (faults.times is not None and self._dealt >= faults.times):
            return None, False
        fault, slow = self._draw(), self._random.random() < faults.slow
        self._dealt += bool(fault or slow)
        return fault, slow

    def _draw(self) -> Fault | None:
        drawn = self._random.random()
        for fault in Fault:
            share: Any = getattr(self.faults, fault)
            if drawn < share:
                return fault
            drawn -= share
        return None


def misbehaviour(fault: Fault | None, faults: Faults) -> Reply | None:
    """The answer that a fault gives instead of the API's, None for one that is no answer."""
    match fault:
        case Fault.ERROR:
            return failed(500, "Internal server error.")
        case Fault.TOO_MANY:
            return too_many(faults.retry_after)
        case Fault.HTML:
            return page(faults.html_status)
        case Fault.UNSUCCESSFUL:
            return failed(200, "The request could not be processed.")
        case Fault.REDIRECT:
            return Reply(302, "", {"Location": "/login"})
    return None
