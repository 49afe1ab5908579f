"""The API's answers: its envelope, and the shapes in which its documents show a refusal."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from connector.sandbox.rules import ONE_OF

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from connector.sandbox.rules import Violation


class ErrorShape(StrEnum):
    """How a 400 names what is wrong: each of these is documented somewhere."""

    INDEXED = "indexed"  # the envelope, all bad records named: "[0].Email", "[3].OrderItems[1].Sku"
    PROBLEM = "problem"  # RFC 7231 problem details with the same keys
    UNINDEXED = "unindexed"  # the envelope, keys that name no record: "OrderId", ""
    FIRST = "first"  # as INDEXED, only the first bad record named


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to send: `body` is JSON, or the text of a page."""

    status: int
    body: Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)


def saved(entity: str, count: int, unix: float) -> Reply:
    moment = datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    data = {"count": count, "processedAt": moment}
    return Reply(200, {"success": True, "message": f"{entity.capitalize()} saved.", "data": data})


def done(message: str, **data: str) -> Reply:
    return Reply(200, {"success": True, "message": message, "data": data})


def failed(status: int, message: str, **data: int) -> Reply:
    """The envelope of every failure but a validation error."""
    return Reply(status, {"success": False, "message": message, "data": data})


def too_many(retry_after: int) -> Reply:
    reply = failed(429, "Rate limit exceeded.", retryAfter=retry_after)
    return Reply(429, reply.body, {"Retry-After": str(retry_after)})


def page(status: int) -> Reply:
    """What a gateway answers that never asked the API."""
    return Reply(status, f"<html><body><h1>{status}</h1></body></html>\n")


def refused(violations: list[Violation], shape: ErrorShape) -> Reply:
    """400 for a request with at least one violation."""
    if shape is ErrorShape.FIRST:
        violations = [each for each in violations if each.record == violations[0].record]
    errors = _grouped((_key(each, shape), each.message) for each in violations)
    if shape is not ErrorShape.PROBLEM:
        return Reply(400, {"success": False, "message": "Validation failed", "data": {}, "errors": errors})
    if violations[0].conversion:
        # Such a server names its missing argument too, beside the field that it could not convert.
        errors["request"] = ["The request field is required."]
    return Reply(
        400,
        {
            "type": "https://tools.ietf.org/html/rfc7231#section-6.5.1",
            "title": "One or more validation errors occurred.",
            "status": 400,
            "traceId": f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00",
            "errors": errors,
        },
        {"Content-Type": "application/problem+json; charset=utf-8"},
    )


def _key(violation: Violation, shape: ErrorShape) -> str:
    if shape is ErrorShape.UNINDEXED:
        return "" if violation.message == ONE_OF else re.sub(r"\[\d+\]|\$", "", violation.path)
    if violation.record is None:
        return violation.path
    below = f".{violation.path}" if violation.path else ""
    return f"{'$' if violation.conversion else ''}[{violation.record}]{below}"


def _grouped(messages: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for key, message in messages:
        grouped.setdefault(key, []).append(message)
    return grouped
