"""Logging: one line an event, JSON for machines or text for a terminal, without anybody's data.

Fields are names, counts, times and places such as topic-partition@offset; payloads, keys and ids are never given to a
log. An exception is written as its type and our own frames, without its text, which may quote a value.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from connector.errors import ConnectorError
from connector.log_sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.log_sampling import Held

EVENTS = {
    "starting": "The settings are valid and the service starts.",
    "consent_assumed": "By a setting, customers of whom no column tells it are taken to have given consent.",
    "ready": "The loop has turned once.",
    "stopping": "A signal came: nothing more is taken in.",
    "stopped": "Everything that could be finished is committed, and the group left.",
    "stop_forced": "The stop took too long, or a second signal came; what was unfinished comes again.",
    "crashed": "An error of the connector's own ended it.",
    "assigned": "Partitions were assigned.",
    "revoked": "Partitions were handed over, their offsets committed.",
    "lost": "Partitions were lost without a handover; another owner reads them again.",
    "lapsed": "The process stood still for longer than Kafka waits for it; Kafka confirms first what it owns.",
    "share": "This replica's part of the request budget is another one.",
    "gate_waiting": "The predecessor did not end cleanly: keys that it may have in flight wait.",
    "gate_opened": "A lane has read up to the high watermark and may send.",
    "rewound": "A partition is read again from an earlier offset: truncated, or another topic of that name.",
    "replay_refused": "A replay can not be sent safely, and went back among the dead letters.",
    "retention_gap": "Records were deleted from a topic before they were read.",
    "store_begun_anew": "What was kept on disk is made anew from the topics.",
    "store_refilled": "A partition is read again, since the store on disk does not hold its rows.",
    "paused": "So much waits that an entity's topics pause.",
    "resumed": "Topics that paused go on.",
    "kafka_error": "Kafka reported an error that it recovers from by itself.",
    "registry_unavailable": "The schema registry does not give a schema; records that need it wait.",
    "commit_failed": "Offsets could not be committed; the next commit covers them.",
    "halted": "Nothing is sent until what is named is mended.",
    "truncated": "A table was truncated; its rows stay at Replenit.",
    "column_missing": "The mapping names a column that no row has had; documents lack what it would feed.",
    "side_table_ambiguous": "A side table has several rows for one document, which is withheld.",
    "suspended": "One lane is not sent until what is named is mended; the others go on.",
    "lane_resumed": "A lane that was suspended goes on.",
    "recovered": "What was stopped goes on.",
    "request_failed": "A request failed and will be tried again.",
    "rate_limited": "The API refused a request since the limit was reached.",
    "rate_limit_headers_ignored": "The API states a limit that is not the minute's.",
    "fewer_accepted": "The API counted fewer records than were sent.",
    "dead_letter": "A record can't be brought to Replenit and went to the dead-letter topic.",
    "dead_letter_unconfirmed": "Kafka has not confirmed a dead letter; it is written again.",
    "withheld": "Records are held back on purpose, for the reason that is named.",
    "lines_held_back": "Lines of one kind were too many to write, or could not be written; how many is told here.",
    "library": "A line of a library that the connector uses.",
}

_PACKAGE = Path(__file__).parent
_COLOURS = {"DEBUG": "2", "INFO": "32", "WARNING": "33", "ERROR": "31", "CRITICAL": "31"}


@dataclass(frozen=True, slots=True)
class Log:
    """A logger whose lines have an event, a sentence and fields.

    The event must be one of `EVENTS`: KeyError otherwise, whatever the level. A field that is an exception becomes its
    type and our frames. Safe from every thread.
    """

    logger: logging.Logger

    def debug(self, event: str, sentence: str, /, **fields: object) -> None:
        self._write(logging.DEBUG, event, sentence, fields)

    def info(self, event: str, sentence: str, /, **fields: object) -> None:
        self._write(logging.INFO, event, sentence, fields)

    def warning(self, event: str, sentence: str, /, **fields: object) -> None:
        self._write(logging.WARNING, event, sentence, fields)

    def error(self, event: str, sentence: str, /, **fields: object) -> None:
        self._write(logging.ERROR, event, sentence, fields)

    def _write(self, level: int, event: str, sentence: str, fields: dict[str, object]) -> None:
        if event not in EVENTS:
            raise KeyError(f"the event {event!r} is not declared in EVENTS")
        # Without arguments logging takes the sentence as it is, percent signs included.
        self.logger.log(level, sentence, extra={"connector_event": event, "connector_fields": fields})


def get(name: str) -> Log:
    """The log of a part of the connector, such as `service`."""
    return Log(logging.getLogger(f"connector.{name}"))


def configure(level: str, form: str, stream: TextIO) -> None:
    """Send everything to `stream`: the connector's lines from `level` on, those of libraries from WARNING on.

    `form` is `json`, `text` or `auto`: text on a terminal, where it is coloured unless NO_COLOR is set, else JSON.
    The lines of httpx and httpcore below WARNING hold URLs, and these hold e-mail addresses. Errors that nobody catches
    are lines, too.
    """
    terminal = stream.isatty()
    text = form == "text" or (form == "auto" and terminal)
    handler = _Handler(stream)
    handler.setFormatter(_Text(colour=terminal and not os.environ.get("NO_COLOR")) if text else _Json())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.WARNING)
    logging.getLogger("connector").setLevel(level.upper())
    for library in ("httpx", "httpcore"):
        logging.getLogger(library).setLevel(logging.WARNING)
    threading.excepthook = _crashed
    sys.unraisablehook = _crashed


def _crashed(failed: threading.ExceptHookArgs | sys.UnraisableHookArgs) -> None:
    """What Python would print where nobody catches an error: with its text, which may quote a value."""
    get("thread").error("crashed", "An error of the connector's own was caught nowhere.", error=failed.exc_value)


def held_back(*, at_once: bool = False) -> list[Held]:
    """How many lines of each kind were not written in minutes that are over; `at_once`: in those that are not, too."""
    handlers = [handler for handler in logging.root.handlers if isinstance(handler, _Handler)]
    return [held for handler in handlers for held in handler.sampling.due(at_once=at_once)]


class _Handler(logging.StreamHandler[TextIO]):
    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self.sampling = Sampling()
        self.addFilter(self.sampling)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        """The stream takes no line: its disk is full, or nobody reads it. The service goes on all the same."""
        self.sampling.lost(record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": _time(record), "level": record.levelname.lower(), **_content(record)}
        return json.dumps(line, default=str)


class _Text(logging.Formatter):
    def __init__(self, *, colour: bool) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        content = _content(record)
        event, message = content.pop("event"), _printable(content.pop("message"))
        level = f"{record.levelname:<7}"
        if self._colour:
            level = f"\x1b[{_COLOURS.get(record.levelname, '0')}m{level}\x1b[0m"
        fields = "".join(f" {name}={json.dumps(value, default=str)}" for name, value in content.items())
        return f"{_time(record)} {level} {event}: {message}{fields}"


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _printable(text: str) -> str:
    """Return the text on one line, without what a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)


def _content(record: logging.LogRecord) -> dict[str, Any]:
    """The event, the message and the fields of a line; a field can't take the name of either."""
    fields: dict[str, Any] = getattr(record, "connector_fields", {})
    event = getattr(record, "connector_event", None)
    if event is None:
        event, fields = "library", {"logger": record.name}
    if record.exc_info and record.exc_info[1]:
        fields = {**fields, "error": record.exc_info[1]}
    named = {"event": event, "message": record.getMessage()}
    reserved = {"time", "level", *named}
    return named | {
        name: failure(value) if isinstance(value, BaseException) else value
        for name, value in fields.items()
        if name not in reserved
    }


def failure(error: BaseException) -> dict[str, Any]:
    """What may be told of an exception: its type, our frames, its cause. Our own exceptions' texts are safe to tell."""
    told: dict[str, Any] = {"type": type(error).__name__}
    if isinstance(error, ConnectorError):
        told["text"] = str(error)
    if frames := list(_frames(error)):
        told["frames"] = frames
    if error.__cause__ is not None:
        told["cause"] = failure(error.__cause__)
    return told


def _frames(error: BaseException) -> Iterator[str]:
    for frame, line in traceback.walk_tb(error.__traceback__):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_PACKAGE):
            yield f"{path.relative_to(_PACKAGE.parent)}:{line} {frame.f_code.co_name}"


class Repeats:
    """Keeps a line that repeats from flooding the log: one in `every` seconds for each event and key.

    For one thread, as the clock is the caller's. Keys are few names such as a reason or a topic; a thousand are
    remembered, and beyond that the oldest is forgotten with its count.
    """

    def __init__(self, every: float = 60.0, most: int = 1000) -> None:
        self._every = every
        self._most = most
        self._held: dict[tuple[str, str], tuple[float, int]] = {}  # since when, how many held back; oldest first

    def admit(self, event: str, key: str, now: float) -> int:
        """How many occurrences a line now would stand for, those held back included; 0: hold this one back too."""
        since, count = self._held.get((event, key), (None, 0))
        if since is not None and now < since + self._every:
            self._held[event, key] = (since, count + 1)
            return 0
        self._held.pop((event, key), None)  # so that it becomes the newest
        self._held[event, key] = (now, 0)
        if len(self._held) > self._most:
            del self._held[next(iter(self._held))]
        return count + 1

    def due(self, now: float) -> list[tuple[str, str, int]]:
        """Event, key and count of what was held back in windows that are over: the caller writes one line for each."""
        over = [name for name, (since, _) in self._held.items() if now >= since + self._every]
        counts = [(*name, self._held.pop(name)[1]) for name in over]
        return [each for each in counts if each[2]]
