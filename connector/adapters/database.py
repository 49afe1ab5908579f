"""A SQLite file: its transaction, what it is opened with, and what its failures mean."""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from connector.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack
    from pathlib import Path

T = TypeVar("T")

NAME = "store.sqlite3"
DAMAGED, OVERTAKEN = "damaged", "overtaken"
"""An empty file of such a name beside it says that the next start must not use it, and why."""

_PATIENCE = 1.0
"""Seconds for which another program, one that does not heed the folder's lock, may have the file."""

_FEWEST_FREE = 4096
_AT_ONCE = 256
"""Pages given back to the disk after a commit, once a quarter of the file, and 16 MB, is free."""

_PRAGMAS = (
    "PRAGMA auto_vacuum = INCREMENTAL",  # before all else: it can't be changed later
    "PRAGMA locking_mode = EXCLUSIVE",  # no other program comes between, and no shared memory is needed
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # a commit is on the disk when it returns
    "PRAGMA journal_size_limit = 33554432",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",  # the file system may be read-only elsewhere
    "PRAGMA secure_delete = ON",  # what a shop deletes does not stay in the file
    "PRAGMA cell_size_check = ON",
    "PRAGMA trusted_schema = OFF",
)
_MISTAKES = (sqlite3.ProgrammingError, sqlite3.IntegrityError)  # the caller's
_DAMAGES = {
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,  # what is there is replaced: only a table and an index that differ can clash
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
}
_JUDGED_DAMAGES = _DAMAGES | {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY}
"""While a file is judged: its header can ask for a newer SQLite, or say that it is not to be written."""
_REMEDIES = {
    sqlite3.SQLITE_FULL: "its disk is full: give it more room, or delete the aside-* files in it",
    sqlite3.SQLITE_IOERR: "its disk fails or is full: look at the disk, give it more room",
    sqlite3.SQLITE_BUSY: "another program has its file open: end that program",
    sqlite3.SQLITE_READONLY: "it can't be written to: mount it for reading and writing",
    sqlite3.SQLITE_CANTOPEN: "its file can't be opened: check that the folder is there, and who may write to it",
    sqlite3.SQLITE_NOMEM: "memory is short: give the process more",
}


class DamagedError(PlatformError):
    """The file's content turned out to be wrong. The next start sets it aside and begins a new one."""


class Database:
    """An open file, always within a transaction. One thread uses it.

    Each call may raise PlatformError or its kind DamagedError; what was not committed is undone then, and the database
    is closed.
    """

    def __init__(self, connection: sqlite3.Connection, folder: Path, held: ExitStack) -> None:
        """`held` closes the connection, and then whatever else must not outlive it."""
        self._connection = connection
        self._folder = folder
        self._held = held
        self.run("BEGIN")
        [self.id] = self.read(str, "SELECT id FROM meta")

    def read(self, make: Callable[..., T], sql: str, values: tuple[object, ...] = ()) -> list[T]:
        """What `make` makes of each row. It raises ValueError for what was not written so."""
        try:
            rows = self._connection.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._failure(error) from None
        try:
            return [make(*row) for row in rows]
        except ValueError:
            raise self._damaged("what is in it was not written so") from None

    def run(self, sql: str, values: tuple[object, ...] = ()) -> None:
        try:
            self._connection.execute(sql, values)
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def commit(self) -> None:
        """Make all changes since the last commit durable, as one. What was deleted gives its room back, bit by bit."""
        self.run("COMMIT")
        pages, free = self._pages()
        if free > max(_FEWEST_FREE, pages // 4):
            self._vacuum()
        self.run("BEGIN")

    def _vacuum(self) -> None:
        try:  # as a script: a single statement's execution would end after its first page
            self._connection.executescript(f"PRAGMA incremental_vacuum({_AT_ONCE:d})")
        except sqlite3.Error as error:
            raise self._failure(error) from None

    def sizes(self) -> dict[str, int]:
        """Bytes of the file that hold something, that are free for what comes, and of the log of what was committed."""
        pages, free = self._pages()
        [size] = self.read(int, "PRAGMA page_size")
        log = 0
        with suppress(FileNotFoundError):
            log = (self._folder / f"{NAME}-wal").stat().st_size
        return {"used": size * (pages - free), "free": size * free, "log": log}

    def _pages(self) -> tuple[int, int]:
        [pages], [free] = self.read(int, "PRAGMA page_count"), self.read(int, "PRAGMA freelist_count")
        return pages, free

    def close(self) -> None:
        """Undo what was not committed; let the folder go."""
        self._held.close()

    def overtaken(self) -> PlatformError:
        """What is in it is no longer so, as another process knows better. The next start sets it aside."""
        self._condemn(OVERTAKEN)
        return PlatformError(
            f"STATE_DIR: another process has sent since {NAME} was used last, with a store of its own. The next start "
            "sets it aside and reads the topics anew; let one volume follow the process that sends."
        )

    def _failure(self, error: sqlite3.Error) -> Exception:
        """What to raise: the library's words stay here, as they may quote what is stored."""
        if is_damage(error):
            return self._damaged(name_of(error))
        if isinstance(error, _MISTAKES) or _primary(error) == sqlite3.SQLITE_ERROR:
            return error
        self.close()
        return platform_error(error)

    def _damaged(self, what: str) -> DamagedError:
        self._condemn(DAMAGED)
        return DamagedError(
            f"STATE_DIR: {NAME} is damaged ({what}). The next start sets it aside and reads the topics anew; "
            "look at the disk, which has lost or changed data."
        )

    def _condemn(self, why: str) -> None:
        with suppress(OSError):  # the next start may still find out by itself
            (self._folder / why).touch(0o600)
        self.close()


def connect(path: Path, *, one_thread: bool = True) -> sqlite3.Connection:
    """Open the file. It is its owner's alone, and so is what SQLite puts beside it: it takes its mode.

    `one_thread`: no other than this one may use it. A link in its place would lead to another file, and is refused.
    """
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        os.fchmod(file, 0o600)
    finally:
        os.close(file)
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=one_thread)
    try:
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def _primary(error: sqlite3.Error) -> int | None:
    """SQLite's code, without what extends it; None for what the library itself could not read."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def name_of(error: sqlite3.Error) -> str:
    return getattr(error, "sqlite_errorname", type(error).__name__)


def is_damage(error: sqlite3.Error, *, judging: bool = False) -> bool:
    """Whether the file's content is wrong. What Python can't read, such as a text that is no UTF-8, has no code."""
    if isinstance(error, sqlite3.ProgrammingError):
        return False
    codes = {None, *(_JUDGED_DAMAGES if judging else _DAMAGES)}
    return bool(codes & {_primary(error), getattr(error, "sqlite_errorcode", None)})


def platform_error(error: sqlite3.Error) -> PlatformError:
    """What the disk or the system does not do, with its remedy."""
    remedy = _REMEDIES.get(_primary(error) or 0, "look at its disk")
    return PlatformError(f"STATE_DIR: the store can't be used ({name_of(error)}): {remedy}")
