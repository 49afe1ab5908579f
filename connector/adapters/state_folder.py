"""STATE_DIR: whose it is, whether the database in it can be used, and what is done with one that can't.

The database can always be made anew from the topics, so it is never repaired or converted: it is set aside.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import sqlite3
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from connector.adapters.database import DAMAGED, NAME, OVERTAKEN, Database, connect, is_damage, name_of, platform_error
from connector.errors import ConfigurationError, PlatformError, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEPT_ASIDE = 2
"""So many files that were set aside are kept: more would fill the disk."""

_ASIDE = "aside-*.sqlite3"
_COMPANIONS = ("", "-wal", "-journal")
_APPLICATION = 0x52504C54
_META = "CREATE TABLE meta (id TEXT NOT NULL, meaning TEXT NOT NULL)"
_TURN = 0.1
_UNUSABLE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.EISDIR, errno.ELOOP}


class Fate(StrEnum):
    """What became of the file that was there. All but an intact one begin anew."""

    INTACT = "intact"
    NEW = "new"
    OTHER_VERSION = "other_version"
    OTHER_MAPPING = "other_mapping"
    CORRUPT = "corrupt"
    OVERTAKEN = "overtaken"


class Layout(NamedTuple):
    """The tables, and the number of this layout: a file that has another is set aside."""

    version: int
    statements: tuple[str, ...]


class Opening(NamedTuple):
    """A database, and what became of what was there: where it was moved to, if it was, and why."""

    database: Database
    fate: Fate
    moved_to: Path | None
    why: str


def open_database(folder: Path, layout: Layout, meaning: str, stopping: Callable[[], bool] = lambda: False) -> Opening:
    """Open the folder's database, or begin a new one; hold the folder until it is closed or the process ends.

    `meaning` tells what its content was made by: content that something else made is set aside. `stopping`: whether
    there is no more use in it. Raises ConfigurationError, PlatformError, Stopped.
    """
    with _translated(folder), ExitStack() as stack:
        stack.callback(os.close, _lock(folder))
        fate, why = _judge(folder, layout, meaning, stopping)
        moved_to = None
        if fate not in (Fate.INTACT, Fate.NEW):
            moved_to = _set_aside(folder)
            for condemned in (DAMAGED, OVERTAKEN):
                (folder / condemned).unlink(missing_ok=True)
        connection = stack.enter_context(closing(connect(folder / NAME)))
        if fate is not Fate.INTACT:
            _create(connection, layout, meaning)
        return Opening(Database(connection, folder, stack.pop_all()), fate, moved_to, why)


def _lock(folder: Path) -> int:
    """Take the folder for this process. The system lets it go when the process ends, in whatever way."""
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise PlatformError(
            f"STATE_DIR: another process uses {folder}; give each process a folder of its own, or let the other end"
        ) from None
    except OSError:
        os.close(lock)
        raise
    return lock


def _judge(folder: Path, layout: Layout, meaning: str, stopping: Callable[[], bool]) -> tuple[Fate, str]:
    """What to do with what is there, and why. The check reads the whole file."""
    path = folder / NAME
    if (folder / DAMAGED).exists():
        return Fate.CORRUPT, "it was found to be damaged while it was in use"
    if (folder / OVERTAKEN).exists():
        return Fate.OVERTAKEN, "another process has sent since, with a store of its own"
    if not path.exists():
        return Fate.NEW, "there was none"
    try:
        with closing(connect(path, one_thread=False)) as connection:
            return _unless(stopping, connection, lambda: _verdict(connection, layout, meaning))
    except sqlite3.Error as error:
        if not is_damage(error, judging=True):
            raise
        return Fate.CORRUPT, f"it is damaged ({name_of(error)})"
    except UnicodeDecodeError:  # SQLite quotes what it can't read
        return Fate.CORRUPT, "it is damaged (its schema can't be read)"


def _unless(
    stopping: Callable[[], bool], connection: sqlite3.Connection, check: Callable[[], tuple[Fate, str]]
) -> tuple[Fate, str]:
    """What the check finds, in a thread of its own: Python hears of signals between two steps of this one only.

    Raises Stopped: what a check finds that was interrupted tells nothing of the file.
    """
    with ThreadPoolExecutor(1, "check") as pool:
        verdict = pool.submit(check)
        while not wait([verdict], _TURN).done:
            if stopping():
                connection.interrupt()
    if stopping():
        raise Stopped
    return verdict.result()


def _verdict(connection: sqlite3.Connection, layout: Layout, meaning: str) -> tuple[Fate, str]:
    def values(sql: str) -> list[Any]:
        return [value for (value,) in connection.execute(sql)]

    statements = values("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    if not statements:
        return Fate.NEW, "its making was interrupted"
    if values("PRAGMA application_id") != [_APPLICATION]:
        return Fate.CORRUPT, "it is no store of the connector"
    [version] = values("PRAGMA user_version")
    if version != layout.version:
        return Fate.OTHER_VERSION, f"its format is {version}, that of this release is {layout.version}"
    if values("SELECT meaning FROM meta") != [meaning]:
        return Fate.OTHER_MAPPING, "it was made with another mapping, or by a release that maps otherwise"
    if statements != [_META, *layout.statements] or values("PRAGMA quick_check(1)") != ["ok"]:
        return Fate.CORRUPT, "it is damaged (a check of its content fails)"
    return Fate.INTACT, ""


def _create(connection: sqlite3.Connection, layout: Layout, meaning: str) -> None:
    """Make the tables, all or none."""
    connection.execute("BEGIN")
    for statement in (_META, *layout.statements):
        connection.execute(statement)
    connection.execute("INSERT INTO meta (id, meaning) VALUES (?, ?)", (secrets.token_hex(8), meaning))
    connection.execute(f"PRAGMA application_id = {_APPLICATION:d}")
    connection.execute(f"PRAGMA user_version = {layout.version:d}")
    connection.execute("COMMIT")


def _set_aside(folder: Path) -> Path | None:
    """Rename the file and what belongs to it; delete the oldest of those that were set aside before."""
    if not (folder / NAME).exists():
        return None
    aside = folder / _ASIDE.replace("*", datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ"))
    for companion in _COMPANIONS:
        place = folder / f"{NAME}{companion}"
        with suppress(FileNotFoundError):
            if not place.is_symlink():
                place.chmod(0o600)
            place.rename(f"{aside}{companion}")
    for old in sorted(folder.glob(_ASIDE))[:-KEPT_ASIDE]:
        for companion in _COMPANIONS:
            (folder / f"{old.name}{companion}").unlink(missing_ok=True)
    return aside


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise platform_error(error) from None
    except OSError as error:
        if error.errno in _UNUSABLE:
            problem = (
                f"STATE_DIR: {folder} can't be used ({error.strerror}); name a folder that exists and that the "
                f"process's user ({os.geteuid()}) can write to; e.g. /var/lib/replenit-connector"
            )
            raise ConfigurationError([problem]) from error
        raise PlatformError(f"STATE_DIR: {folder} can't be used ({error.strerror}): look at the disk") from error
