"""The command line: one command, then its own arguments."""

from __future__ import annotations

import importlib
import os
import sys

from connector import __version__, logs
from connector.errors import ConfigurationError, ConnectorError

_LOG = logs.get("cli")

_INTERRUPTED = 130

COMMANDS = {
    "run": "bring the changes of the source topics to Replenit, until a signal comes",
    "demo": "see it at work, without Kafka, Docker or a database",
    "sandbox": "serve the ingestion API locally, to try things out",
    "health": "ask a running service whether its loop turns",
    "dead-letters list": "show which records could not be brought to Replenit, and why",
    "dead-letters show": "show one of them, and what to do",
    "dead-letters replay": "send their rows as they are now, once what refused them is mended",
    "dead-letters export": "write them into a file, byte for byte",
    "reconcile": "find deletes that were missed, and make up for them",
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit status: 78 for a wrong configuration, 69 where the platform does not serve."""
    status = _run(arguments)
    try:
        sys.stdout.flush()
    except OSError:  # its disk is full, or nobody reads it: Python would make a status of its own of that
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return status


def _run(arguments: list[str] | None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["--version"]:
        print(__version__)
        return 0
    name = next((words for count in (2, 1) if (words := " ".join(given[:count])) in COMMANDS), None)
    if name is None:
        asked = bool({"--help", "-h"} & set(given[:2]))  # of the program, or of a command of two words
        print(_usage(), file=sys.stdout if asked or not given else sys.stderr)
        return 0 if asked else 64
    try:
        command = importlib.import_module(f"connector.commands.{name.replace(' ', '_').replace('-', '_')}")
        status: int = command.run(given[len(name.split()) :])
    except ConfigurationError as error:
        print("\n".join(["The configuration is wrong:", *(f"  {each}" for each in error.problems)]), file=sys.stderr)
        return error.exit_status
    except ConnectorError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        status = _INTERRUPTED
    except Exception as error:  # noqa: BLE001 (its text and traceback may quote a customer's data)
        _LOG.error(
            "crashed", "An error of the connector's own ended it; what was unfinished is read again.", error=error
        )
        return ConnectorError.exit_status
    return status


def _usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {meaning}" for name, meaning in COMMANDS.items()]
    return "\n".join(["usage: replenit-connector COMMAND [options]", "", *lines])
