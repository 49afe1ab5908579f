"""A record of the dead-letter topic, read: where it came from, and what its headers say."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from connector.core.events import Entity, FieldError, Reason, Reject
from connector.core.leftovers import NONE_LEFT, Leftovers
from connector.core.rejections import any_index, showable

if TYPE_CHECKING:
    from connector.core.events import Record

_OWN = ("__connect.errors.", "replenit.")
_PATH = re.compile(r"([\w.\[\]$]{1,200}): (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Letter:
    """`carrier`: as it stands in the dead-letter topic; `record`: as it stood in its own, byte for byte.

    `errors` are in the API's words where it refused the record, and these may quote the record; `shown` never does.
    `families`: the keys of those whose document was refused, where it is made of several tables; else the row was.
    """

    carrier: Record
    record: Record
    entity: Entity
    reason: Reason
    errors: tuple[FieldError, ...]
    endpoint: str
    status: str
    attempts: str
    time: datetime
    families: tuple[str, ...] = ()
    leftovers: Leftovers = NONE_LEFT

    @classmethod
    def read(cls, carrier: Record) -> Letter | None:
        """The dead letter that a record is; None if it is none of the connector's."""
        told = {name: (value or b"").decode("utf-8", "replace") for name, value in carrier.headers}
        try:
            record = replace(
                carrier,
                topic=told["__connect.errors.topic"],
                partition=int(told["__connect.errors.partition"]),
                offset=int(told["__connect.errors.offset"]),
                headers=tuple(header for header in carrier.headers if not header[0].startswith(_OWN)),
            )
            return cls(
                carrier,
                record,
                Entity(told["replenit.entity"]),
                Reason(told["replenit.reason"]),
                tuple(_error(line) for line in told.get("replenit.errors", "").split("\n") if line),
                told.get("replenit.endpoint", ""),
                told.get("replenit.status", ""),
                told.get("replenit.attempts", ""),
                datetime.fromisoformat(told["replenit.time"]).astimezone(UTC),
                tuple(map(str, json.loads(told.get("replenit.families", "[]")))),
                _leftovers(Entity(told["replenit.entity"]), told.get("replenit.leftovers", "")),
            )
        except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
            return None

    @property
    def reject(self) -> Reject:
        return Reject(self.reason, self.errors)

    @property
    def shown(self) -> tuple[FieldError, ...]:
        """The errors, as anybody may read them."""
        return tuple(showable(self.reason, error) for error in self.errors)

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that are wrong, each once; a list's elements alike."""
        return tuple(dict.fromkeys(any_index(error.path) for error in self.shown if error.path))


def _leftovers(entity: Entity, told: str) -> Leftovers:
    return Leftovers.read(entity, json.loads(told)) if told else NONE_LEFT


def _error(line: str) -> FieldError:
    match = _PATH.fullmatch(line)
    return FieldError("", line) if match is None else FieldError(*match.groups())
