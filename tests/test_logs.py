"""Log lines: their shape, what they must not hold, and that each event is declared."""

from __future__ import annotations

import ast
import io
import json
import logging
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector import logs
from connector.errors import ConfigurationError, PlatformError
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Iterator

SECRET = "jane@example.com"
PACKAGE = Path(__file__).parents[1] / "connector"
_LOG = logs.get("test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Give each test the loggers as they are, and restore them."""
    touched = [logging.root, *map(logging.getLogger, ("connector", "httpx", "httpcore"))]
    before = [(logger, logger.level, logger.handlers[:]) for logger in touched]
    hooks = threading.excepthook, sys.unraisablehook
    yield
    threading.excepthook, sys.unraisablehook = hooks
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def configured(level: str = "info", form: str = "json", stream: io.StringIO | None = None) -> io.StringIO:
    stream = stream or io.StringIO()
    logs.configure(level, form, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_event_message_and_fields() -> None:
    """One line an event; the time is in UTC with milliseconds, and percent signs mean nothing."""
    stream = configured()
    _LOG.info("halted", "100% of it stops:\n%s", reason="forbidden", next_try_in=2.5, where=Path("x"))
    [line] = lines(stream)
    assert list(line) == ["time", "level", "event", "message", "reason", "next_try_in", "where"]
    assert (line["level"], line["event"], line["message"]) == ("info", "halted", "100% of it stops:\n%s")
    assert (line["reason"], line["next_try_in"], line["where"]) == ("forbidden", 2.5, "x")
    assert len(line["time"]) == len("2026-01-01T00:00:00.000Z")
    assert line["time"].endswith("Z")


def test_a_field_can_not_pose_as_something_else() -> None:
    """Fields named as a line's own parts don't replace them."""
    stream = configured()
    _LOG.info("halted", "Stops.", level="none", event="other", message="other", time="never")
    [line] = lines(stream)
    assert (line["level"], line["event"], line["message"]) == ("info", "halted", "Stops.")
    assert line["time"] != "never"


def test_the_level_holds_for_our_lines_and_libraries_stay_at_warning() -> None:
    """At debug every line of ours comes, while those of httpx and other libraries, which hold URLs, don't."""
    stream = configured("debug")
    _LOG.debug("gate_opened", "Open.")
    for name in ("httpx", "httpcore.connection", "urllib3"):
        logging.getLogger(name).info("GET https://example.com/customers?email=%s", SECRET)
        logging.getLogger(name).warning("retrying")
    assert [line["event"] for line in lines(stream)] == ["gate_opened", "library", "library", "library"]
    assert [line.get("logger") for line in lines(stream)] == [None, "httpx", "httpcore.connection", "urllib3"]
    assert SECRET not in stream.getvalue()

    stream = configured("warning")
    _LOG.info("gate_opened", "Open.")
    _LOG.warning("paused", "Full.")
    _LOG.error("halted", "Stops.")
    assert [line["level"] for line in lines(stream)] == ["warning", "error"]


def test_configuring_again_replaces_the_former_stream() -> None:
    """No line is written twice."""
    first, second = configured(), configured()
    _LOG.info("ready", "Ready.")
    assert not first.getvalue()
    assert len(lines(second)) == 1


@pytest.mark.parametrize(("form", "terminal", "text"), [
    ("auto", True, True), ("auto", False, False), ("text", False, True), ("json", True, False)
])  # fmt: skip
def test_auto_is_text_on_a_terminal(form: str, terminal: bool, text: bool) -> None:
    """The form is what was asked for, and by default what suits the stream."""
    stream = configured(form=form, stream=Terminal() if terminal else io.StringIO())
    _LOG.info("ready", "Ready.", port=1)
    assert stream.getvalue().startswith("{") != text


def test_text_is_coloured_on_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours unless NO_COLOR is set; a file gets none."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    coloured, plain = configured(form="text", stream=Terminal()), io.StringIO()
    _LOG.error("halted", "Stops.")
    assert "\x1b[31mERROR  \x1b[0m halted: Stops.\n" in coloured.getvalue()
    configured(form="text", stream=plain)
    _LOG.error("halted", "Stops.")
    assert "\x1b" not in plain.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    uncoloured = configured(form="text", stream=Terminal())
    _LOG.error("halted", "Stops.")
    assert "\x1b" not in uncoloured.getvalue()


@given(st.text(), st.text())
def test_text_is_one_line_that_no_terminal_obeys(message: str, field: str) -> None:
    """Whatever a message or a field holds, it adds no line and no control character."""
    stream = configured(form="text")
    _LOG.info("halted", message, field=field)
    line, end = stream.getvalue()[:-1], stream.getvalue()[-1]
    assert end == "\n"
    assert line.isprintable()


@given(st.text(), st.text())
def test_json_survives_any_text(message: str, field: str) -> None:
    """Whatever a message or a field holds, the line reads back as it was and fits any encoding."""
    stream = configured()
    _LOG.info("halted", message, field=field)
    [line] = lines(stream)
    assert (line["message"], line["field"]) == (message, field)
    assert stream.getvalue().isascii()


def failing() -> None:
    email = SECRET
    try:
        int(email)
    except ValueError as error:
        raise PlatformError("The disk is full.") from error


def test_an_exception_is_told_by_type_and_frames() -> None:
    """Text and locals of a foreign exception may be anybody's data: only its type, our frames and our texts appear."""
    stream = configured()
    with pytest.raises(PlatformError) as caught:
        failing()
    with pytest.raises(ConfigurationError) as refused:
        load({})
    _LOG.error("crashed", "Ends.", error=caught.value)
    _LOG.error("crashed", "Ends.", error=refused.value)
    platform, configuration = lines(stream)
    assert platform["error"] == {"type": "PlatformError", "text": "The disk is full.", "cause": {"type": "ValueError"}}
    assert configuration["error"]["frames"][0].startswith("connector/settings.py:")
    assert configuration["error"]["frames"][0].endswith(" load")
    assert SECRET not in stream.getvalue()


def test_the_exceptions_of_libraries_are_told_likewise() -> None:
    """A library's traceback, which stdlib logging would print with its text, comes as a type."""
    stream = configured()
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("library").exception("failed")
    [line] = lines(stream)
    assert (line["message"], line["error"]) == ("failed", {"type": "ValueError"})
    assert SECRET not in stream.getvalue()


def test_an_error_that_nobody_catches_is_told_likewise(capfd: pytest.CaptureFixture[str]) -> None:
    """In a thread, or where an object is deleted: Python would print its text."""

    class Failing:
        def __del__(self) -> None:
            int(SECRET)

    stream = configured()
    thread = threading.Thread(target=int, args=(SECRET,))
    thread.start()
    thread.join()
    Failing()
    assert [(line["event"], line["error"]["type"]) for line in lines(stream)] == [("crashed", "ValueError")] * 2
    assert SECRET not in stream.getvalue() + "".join(capfd.readouterr())


def test_an_event_that_is_not_declared_is_refused() -> None:
    """It is refused even where its level would not be written, so that any test that comes by finds it."""
    configured("error")
    with pytest.raises(KeyError, match="no_such_event"):
        _LOG.debug("no_such_event", "Nothing.")


def events_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and event of each call of `_LOG`, and of each function that passes its parameter `event` on to it."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    passing = {each.name for each in functions if any(map(passes_on, ast.walk(each)))}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("_LOG")), args=[event, *_]) if not passes_on(node):
                yield node.lineno, ast.literal_eval(event)
            case ast.Call(func=ast.Attribute(attr=name), args=[event, *_]) if name in passing:
                yield node.lineno, ast.literal_eval(event)


def passes_on(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name("_LOG")), args=[ast.Name("event"), *_]):
            return True
    return False


def test_every_event_in_use_is_declared() -> None:
    """All log calls of the package name a declared event literally: none can raise in the midst of the service."""
    sources = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "logs.py"]
    used = [(path.name, *each) for path in sources for each in events_of(ast.parse(path.read_text()))]
    assert {"starting", "assigned", "halted"} <= {event for *_, event in used}
    assert [each for each in used if each[-1] not in logs.EVENTS] == []


def test_events_have_a_line_of_meaning() -> None:
    """Each declared name is lower case with underscores, and explained in one sentence."""
    for event, meaning in logs.EVENTS.items():
        assert event.replace("_", "").isalpha()
        assert event == event.lower()
        assert meaning.endswith(".")
        assert "\n" not in meaning


def test_a_line_that_repeats_is_counted() -> None:
    """Within a minute one line is written for each key; the next one says how many it stands for."""
    repeats = logs.Repeats(60)
    assert [repeats.admit("rate_limited", "a", now) for now in (0.0, 1.0, 59.9, 60.0)] == [1, 0, 0, 3]
    assert repeats.admit("rate_limited", "b", 1.0) == 1


def test_what_was_held_back_is_told_when_nothing_follows() -> None:
    """A window that is over gives its count once; one that held nothing back gives none."""
    repeats = logs.Repeats(60)
    for now in (0.0, 1.0, 2.0):
        repeats.admit("rate_limited", "a", now)
    repeats.admit("paused", "", 0.0)
    assert repeats.due(59.9) == []
    assert repeats.due(60.0) == [("rate_limited", "a", 2)]
    assert repeats.due(61.0) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=60))
def test_no_occurrence_is_lost(steps: list[tuple[str, float]]) -> None:
    """Lines that were written and counts that were told add up to what happened, and windows are kept."""
    repeats, now, told, written = logs.Repeats(60), 0.0, 0, dict[str, float]()
    for key, wait in steps:
        now += wait
        if times := repeats.admit("paused", key, now):
            assert key not in written or now >= written[key] + 60
            written[key] = now
        told += times
    told += sum(count for _, _, count in repeats.due(now + 60))
    assert told == len(steps)


def test_memory_for_repeats_is_bounded() -> None:
    """Of too many keys the oldest is forgotten."""
    repeats = logs.Repeats(60, most=2)
    assert [repeats.admit("paused", key, 0.0) for key in "abca"] == [1, 1, 1, 1]
    assert repeats.admit("paused", "c", 1.0) == 0
