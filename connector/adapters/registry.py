"""The schema registry: Confluent's API, which Apicurio speaks too, or Apicurio's own.

A thread asks; the loop never waits for it. Whatever is learnt once is kept: a schema never changes under its id.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from connector import logs
from connector.adapters.http_client import HttpClient, trusting
from connector.core.avro_wire import IdKind, Schema, SchemaId, parse
from connector.core.decoded import Undecodable
from connector.core.requests import NoAnswer
from connector.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Callable

_LOG = logs.get("registry")

TIMEOUT = 10.0
PATIENCE = 300.0
"""Seconds for which a registry that does not know an id is asked again before the records are taken for unreadable."""

MOST_SCHEMAS = 1000
"""Schemas that are remembered; of more, the one that was learnt first is asked for again when it is needed."""

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_CONFLUENT = {IdKind.GUID: "schemas/guids/{}"}
_APICURIO = {IdKind.GLOBAL: "ids/globalIds/{}"}
_NOT_FOUND = 404
_CLOSING = 1.0


@dataclass(frozen=True, slots=True)
class Access:
    """Where the registry is, and how to enter. `ca_path`: certificates to trust instead of the system's, in PEM."""

    url: str
    username: str = ""
    password: str = field(default="", repr=False)
    ca_path: str = ""


@dataclass(slots=True)
class _Wanted:
    """A schema that is asked for. Times are monotonic seconds; `unknown_since`: when the registry first denied it."""

    next_at: float
    pause: float = _FIRST_PAUSE
    unknown_since: float | None = None


class Registry:
    """Schemas by their ids. `get`, `missing` and `arrived` are for the loop; one thread of its own does the asking.

    Raises ConfigurationError.
    """

    def __init__(self, access: Access, clock: Callable[[], float] = time.monotonic, most: int = MOST_SCHEMAS) -> None:
        self._clock = clock
        self._most = most
        self._paths = _APICURIO if "/apis/registry/" in access.url else _CONFLUENT
        self._other = "ids/contentIds/{}" if self._paths is _APICURIO else "schemas/ids/{}"
        self._client = HttpClient(
            access.url,
            trusting(access.ca_path, "SCHEMA_REGISTRY_CA_PATH"),
            TIMEOUT,
            auth=(access.username, access.password) if access.username else None,
        )
        self._condition = threading.Condition()
        self._known: dict[SchemaId, Schema | str] = {}  # or why there is none that can be used
        self._wanted: dict[SchemaId, _Wanted] = {}
        self._arrived = False
        self._closed = False
        self._repeats = logs.Repeats()
        self._thread = threading.Thread(target=self._work, name="registry", daemon=True)
        self._thread.start()

    def get(self, schema_id: SchemaId) -> Schema | None:
        """The schema; None while the registry has not been heard. Raises Undecodable if there is none for this id."""
        known = self._known.get(schema_id)
        if known is None:
            with self._condition:
                if schema_id not in self._wanted:
                    self._wanted[schema_id] = _Wanted(self._clock())
                    self._condition.notify()
            return None
        if isinstance(known, str):
            raise Undecodable(known)
        return known

    @property
    def missing(self) -> int:
        """How many schemas were asked for and not received."""
        return len(self._wanted)

    def arrived(self) -> bool:
        """Whether something was learnt since the last call.

        Raises PlatformError where nobody asks any more: records would wait for ever.
        """
        if not self._thread.is_alive():
            raise PlatformError("The thread that asks the schema registry has ended. The process must start anew.")
        with self._condition:
            arrived, self._arrived = self._arrived, False
            return arrived

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join(_CLOSING)
        if not self._thread.is_alive():  # else it waits for an answer, and ends with the process
            self._client.close()

    def _work(self) -> None:
        while (schema_id := self._next()) is not None:
            found = self._ask(schema_id)
            with self._condition:
                wanted = self._wanted[schema_id]
                if isinstance(found, Schema) or found:
                    self._remember(schema_id, found)
                    if isinstance(found, Schema):
                        del self._wanted[schema_id]
                        continue
                wanted.next_at = self._clock() + wanted.pause
                wanted.pause = min(2 * wanted.pause, _LONGEST_PAUSE)

    def _remember(self, schema_id: SchemaId, found: Schema | str) -> None:
        self._known[schema_id] = found
        self._arrived = True
        if len(self._known) > self._most:
            forgotten = next(iter(self._known))
            del self._known[forgotten]
            self._wanted.pop(forgotten, None)

    def _next(self) -> SchemaId | None:
        """Wait until a schema is to be asked for; None once closed."""
        with self._condition:
            while not self._closed:
                due = min(self._wanted.items(), key=lambda item: item[1].next_at, default=None)
                wait = None if due is None else due[1].next_at - self._clock()
                if due is not None and wait is not None and wait <= 0:
                    return due[0]
                self._condition.wait(wait)
            return None

    def _ask(self, schema_id: SchemaId) -> Schema | str:
        """The schema, or why there is none that can be used; "" to ask again."""
        answer = self._client.ask("GET", self._paths.get(schema_id.kind, self._other).format(schema_id.value))
        if isinstance(answer, NoAnswer):
            return self._wait(f"it can't be reached ({': '.join(filter(None, (answer.reason, answer.detail)))})")
        if answer.status == _NOT_FOUND:
            return self._unknown(schema_id)
        if answer.status // 100 != 2:  # noqa: PLR2004 (a success)
            return self._wait(f"it answers {answer.status}")
        try:
            return parse(_definition(json.loads(answer.body)))
        except Undecodable as error:
            return str(error)
        except (ValueError, RecursionError):
            return self._wait("its answer is no JSON")

    def _wait(self, why: str) -> str:
        if times := self._repeats.admit("registry_unavailable", why, self._clock()):
            _LOG.warning(
                "registry_unavailable",
                f"The schema registry does not give a schema: {why}. Records that need it wait; it is asked again. "
                "Check SCHEMA_REGISTRY_URL, its credentials and its certificate.",
                times=times,
            )
        return ""

    def _unknown(self, schema_id: SchemaId) -> str:
        """A registry may lag behind what its producers write, so it is asked for some minutes before it is believed."""
        wanted, now = self._wanted[schema_id], self._clock()
        wanted.unknown_since = now if wanted.unknown_since is None else wanted.unknown_since
        self._wait(f"it knows none with {schema_id}")
        if now - wanted.unknown_since < PATIENCE:
            return ""
        return f"has a schema that the registry does not know ({schema_id}): set the right SCHEMA_REGISTRY_URL"


def _definition(answer: object) -> object:
    """Confluent's answer wraps the schema as a text; Apicurio's own is the schema. Raises Undecodable."""
    if not isinstance(answer, dict) or not isinstance(answer.get("schema"), str):
        return answer
    kind = answer.get("schemaType", "AVRO")
    if kind != "AVRO":
        raise Undecodable("has a schema in the registry that is no Avro schema: set the converter to Avro or JSON")
    if answer.get("references"):
        raise Undecodable("has a schema in the registry that refers to others, which Debezium's never do")
    try:
        return json.loads(answer["schema"])
    except ValueError:
        return None
