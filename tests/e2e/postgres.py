"""A PostgreSQL server of the tests' own, whose log can be read by Debezium."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any

from kafka_node import free_port
from own_process import OwnProcess
from unavailable import UnavailableError

DATABASE = "postgres"
USER = "postgres"

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "wal_level": "logical",
    "fsync": "off",
    "timezone": "UTC",
}
_AS_ROOT = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups")
"""The server refuses root. This replaces itself by what it starts, so that the process is the server's own."""


class Postgres:
    """A running server with one empty database."""

    def __init__(self) -> None:
        """Create and start it. Raise UnavailableError where it is not installed or can't be started."""
        self._bin = _binaries()
        self.port = free_port()
        self._process = OwnProcess("postgres")
        self._own = _AS_ROOT if os.geteuid() == 0 else ()
        data = self._process.folder / "data"
        try:
            data.mkdir(mode=0o700)
            if self._own:
                shutil.chown(data, USER, USER)
                self._process.folder.chmod(0o755)  # it must get through
            initdb = ("-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D", data)
            self._process.run(*self._own, self._bin / "initdb", *initdb)
            options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
            self._process.start(*self._own, self._bin / "postgres", "-D", data, "-p", str(self.port), *options)
            self._process.wait_until(self._serves, "the database serves")
        except (OSError, LookupError) as error:
            self.close()
            raise UnavailableError(f"no PostgreSQL: {type(error).__name__}: {error}") from error
        except BaseException:
            self.close()
            raise

    def execute(self, statements: str) -> str:
        """Run SQL and return what it prints, unaligned. Raise RuntimeError with the server's words if it fails."""
        done = self._psql(statements)
        if done.returncode:
            raise RuntimeError(f"{done.stderr.strip()}\n{statements}")
        return done.stdout

    def rows(self, query: str) -> list[Any]:
        """Return the rows of a query whose only column is JSON; a number with a point is a Decimal."""
        return [json.loads(line, parse_float=Decimal) for line in self.execute(query).splitlines()]

    def close(self) -> None:
        """End it, clients or not, and remove its data."""
        self._process.end(signal.SIGQUIT)
        self._process.close()

    def _serves(self) -> bool:
        return self._psql("SELECT 1").returncode == 0

    def _psql(self, statements: str) -> subprocess.CompletedProcess[str]:
        options = ("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1")
        connection = ("--host=127.0.0.1", f"--port={self.port}", f"--username={USER}", DATABASE)
        return subprocess.run(
            [self._bin / "psql", *options, *connection], input=statements, check=False, capture_output=True, text=True
        )


def _binaries() -> Path:
    """Return the folder of the newest installed server, which Debian keeps off the PATH."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda each: float(each.parent.name), reverse=True)
    found = shutil.which("initdb")
    for folder in (*folders, *([Path(found).resolve().parent] if found else [])):
        if all((folder / name).exists() for name in ("initdb", "postgres", "psql")):
            return folder
    raise UnavailableError("no PostgreSQL server: install one, Debian's package is postgresql")
