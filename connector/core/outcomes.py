"""What an answer of the ingestion API means, as one pure function from request and answer to a closed union.

The API's words (`FieldError.problem`) may quote a customer's data. They may go into a dead letter, which stays with its
owner, and nowhere else: never log a problem. A path, a status and a reason may be logged: they are reduced to a few
characters that cannot carry data.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from connector.core.events import FieldError
from connector.core.requests import UNTRUSTED, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.core.requests import Answer, Request

MAX_PROBLEM = 300  # characters kept of one message
MAX_ERRORS = 20  # messages kept of one record
MAX_PAUSE = 3600.0  # seconds: no limit of the API looks back further, a longer Retry-After is a mistake


class HaltReason(StrEnum):
    """Why nothing is sent. The values are a label of the metrics and what `/status` says."""

    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    TENANT_UNKNOWN = "tenant_unknown"
    REDIRECTED = "redirected"
    KEY_MISSING = "key_missing"
    DEAD_LETTER_TOPIC = "dead_letter_topic"
    TRUNCATED = "truncated"
    UNTRUSTED = "untrusted"


@dataclass(frozen=True, slots=True)
class Delivered:
    """Done: release the tickets. `count` is what the API says it took, None where it does not say.

    A count below what was sent is worth a metric and a log line, no more: the API skips records by business logic.
    """

    count: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """The records at these places of the batch are bad, and no record of the batch was saved: send the others again.

    Not `complete`: the answer stems from reading the JSON, which ends at the first bad record. The records after the
    named one are unknown. There is always at least one record.
    """

    errors: Mapping[int, tuple[FieldError, ...]]
    complete: bool


@dataclass(frozen=True, slots=True)
class Suspect:
    """Some record is bad and the answer does not say which: isolate it; a lone record or a DELETE is a dead letter.

    With `status` 403 it was a gateway that refused and not the API, perhaps for one record's text, perhaps for this
    sender's address: send one `POST []` before isolating, and halt as `forbidden` where that is refused too.
    """

    errors: tuple[FieldError, ...]
    status: int


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The body is too large: halve the batch; a lone record is a dead letter."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """Over the limit: the same again, later. `retry_after`: seconds, by the header or the body, None by neither."""

    retry_after: float | None


@dataclass(frozen=True, slots=True)
class Transient:
    """Not done, and no record's fault: retry with backoff. `reason` is a label of the metrics, such as `http_500`.

    `ambiguous`: the server may be working on it still, so its keys stay locked for a while.
    """

    reason: str
    ambiguous: bool


@dataclass(frozen=True, slots=True)
class Stopped:
    """A setting is wrong, no request can succeed: halt, keep everything, probe. `detail`: without anybody's data."""

    reason: HaltReason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """A DELETE met 404 and the answer does not say whether the record is missing (delivered) or the tenant (halt).

    The record is, if this tenant worked within the last minutes; else one `POST []` decides.
    """


Outcome: TypeAlias = Delivered | Refused | Suspect | TooLarge | Throttled | Transient | Stopped | Unclear

# A code that a gateway gives when it did not see the end of what the server behind it does; 52x are Cloudflare's.
_AMBIGUOUS = frozenset({408, 502, 504, *range(520, 530)})
# Answers that have no body by their nature.
_BARE = frozenset({201, 202, 204})

_INDEX = re.compile(r"(\$?)\[([0-9]{1,9})\]\.?")
_PATH = re.compile(r"[A-Za-z0-9_.\[\]]{0,100}")
_ABSENT = r"\b[^\n]{0,200}\b(?:not found|not exist)"
_RECORD_MISSING = re.compile(rf"\b(?:customer|order|item|product|variant){_ABSENT}", re.IGNORECASE)
_TENANT_MISSING = re.compile(rf"\btenant{_ABSENT}", re.IGNORECASE)
_TENANT_INVALID = re.compile(r"\b(?:invalid|missing) tenant\b", re.IGNORECASE)


def classify(request: Request, sent: int, reply: Answer | NoAnswer) -> Outcome:
    """What `reply` means for `request`, which carried `sent` records (1 for a DELETE, 0 for a probe's empty array).

    Never raises, whatever the body holds, and takes time proportional to its length.
    """
    if isinstance(reply, NoAnswer):
        if reply.reason == UNTRUSTED:
            return Stopped(HaltReason.UNTRUSTED, reply.detail)
        return Transient(reply.reason, reply.ambiguous)
    answer = _object(reply.body)
    match reply.status // 100:
        case 2:
            return _accepted(request, sent, reply, answer)
        case 3:
            return Stopped(HaltReason.REDIRECTED)
        case 4:
            return _refused(request, sent, reply, answer)
        case _:
            return Transient(f"http_{reply.status}", reply.status in _AMBIGUOUS)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The pause in seconds that a 429 asks for, None where there is none or it is no number (the API's is one)."""
    try:
        return _pause(float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _pause(seconds: object) -> float | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    return float(min(seconds, MAX_PAUSE)) if seconds >= 0 else None


def _accepted(request: Request, sent: int, reply: Answer, answer: Mapping[str, Any] | None) -> Outcome:
    """The 2xx: only `success` makes it a delivery."""
    if reply.status in _BARE and not reply.body:
        return Delivered(None)
    if answer is None:
        return Transient("not_json", ambiguous=True)
    if answer.get("success") is True:
        return Delivered(_count(answer))
    if missing := _missing(request, _message(answer)):
        return missing
    if answer.get("errors"):
        return _bad_records(sent, reply, answer)
    return Transient("not_successful", ambiguous="success" not in answer)


def _refused(request: Request, sent: int, reply: Answer, answer: Mapping[str, Any] | None) -> Outcome:  # noqa: PLR0911 - a row each
    """The 4xx."""
    match reply.status:
        case 401:
            return Stopped(HaltReason.UNAUTHORIZED)
        case 403 if answer is not None or not reply.body.strip() or sent == 0:
            return Stopped(HaltReason.FORBIDDEN)
        case 404 if request.body is not None:
            return Stopped(HaltReason.TENANT_UNKNOWN)
        case 404:
            return _missing(request, _message(answer or {})) or Unclear()
        case 413:
            return TooLarge()
        case 429:
            return Throttled(_retry_after(reply, answer))
        case 408 | 425:
            return Transient(f"http_{reply.status}", reply.status in _AMBIGUOUS)
        case _:
            return _bad_records(sent, reply, answer)


def _missing(request: Request, message: str) -> Outcome | None:
    """What a "… not found." makes of the request, None where that can't be told."""
    match _lacks(message):
        case "tenant":
            return Stopped(HaltReason.TENANT_UNKNOWN)
        case "record" if request.body is None:
            return Delivered(None)
        case _:
            return None


def _lacks(message: str) -> Literal["tenant", "record"] | None:
    """What a message says is missing, None where it says nothing, or two things at once."""
    tenant, record = _TENANT_MISSING.search(message), _RECORD_MISSING.search(message)
    if bool(tenant) == bool(record):
        return None
    return "tenant" if tenant else "record"


def _bad_records(sent: int, reply: Answer, answer: Mapping[str, Any] | None) -> Outcome:
    """Which records an answer blames: by index where it has indexes, else all together."""
    if answer is None:
        return Suspect(_words(reply.body[: 4 * MAX_PROBLEM].decode("utf-8", "replace")), reply.status)
    named: dict[int, list[FieldError]] = {}
    unnamed: list[FieldError] = []
    complete = True
    for key, problem in _problems(answer.get("errors")):
        found = _INDEX.match(key)
        if found is None:
            _keep(unnamed, key, problem)
        elif (index := int(found[2])) < sent:
            complete = complete and not found[1]
            _keep(named.setdefault(index, []), key[found.end() :], problem)
    if named:
        return Refused({index: tuple(errors) for index, errors in named.items()}, complete)
    message = _message(answer)
    if _blames_tenant(unnamed, message):
        return Stopped(HaltReason.TENANT_UNKNOWN)
    return Suspect(tuple(unnamed) or _words(message), reply.status)


def _blames_tenant(errors: list[FieldError], message: str) -> bool:
    """The tenant id in the path is not even an id: a setting's fault, which must not cost a record."""
    if errors:
        return all(error.path.lower() == "tenantid" for error in errors)
    return bool(_TENANT_INVALID.search(message)) or _lacks(message) == "tenant"


def _problems(errors: object) -> Iterator[tuple[str, str]]:
    """The `errors` of an answer as pairs of key and message; a list or a text has no keys."""
    if isinstance(errors, Mapping):
        for key, value in errors.items():
            for message in islice(value, MAX_ERRORS) if isinstance(value, list) and value else (value,):
                yield key, message if isinstance(message, str) else ""
    elif isinstance(errors, list):
        yield from (("", message if isinstance(message, str) else "") for message in errors)
    elif isinstance(errors, str):
        yield "", errors


def _keep(errors: list[FieldError], path: str, problem: str) -> None:
    if len(errors) < MAX_ERRORS:
        errors.append(FieldError(path if _PATH.fullmatch(path) else "", _text(problem)))


def _words(text: str) -> tuple[FieldError, ...]:
    return (FieldError("", _text(text)),) if text.strip() else ()


def _text(text: str) -> str:
    """The text, short enough for a header and free of lone surrogates, which no header can carry."""
    return text[:MAX_PROBLEM].encode("utf-8", "replace").decode("utf-8")


def _object(body: bytes) -> Mapping[str, Any] | None:
    """The body as a JSON object, None where it is none."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _message(answer: Mapping[str, Any]) -> str:
    """The sentence of an answer, in either of its shapes; the second is RFC 7807's."""
    texts = (answer.get(name) for name in ("message", "detail", "title"))
    return next((text[:MAX_PROBLEM] for text in texts if isinstance(text, str) and text), "")


def _data(answer: Mapping[str, Any] | None, name: str) -> object:
    data = (answer or {}).get("data")
    return data.get(name) if isinstance(data, dict) else None


def _count(answer: Mapping[str, Any]) -> int | None:
    count = _data(answer, "count")
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def _retry_after(reply: Answer, answer: Mapping[str, Any] | None) -> float | None:
    header = retry_after(reply.headers)
    return _pause(_data(answer, "retryAfter")) if header is None else header
