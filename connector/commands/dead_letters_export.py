"""`dead-letters export`: dead letters into a file, byte for byte.

THE FILE HOLDS CUSTOMERS' DATA, as the topic does: only its owner may read it, and it is yours to delete.
Each line is an object of JSON; the record's key, value and headers are in base64, null where there is none.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from base64 import b64encode
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from connector.errors import PlatformError
from connector.letter_search import Left, add_filters, letters, search

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from connector.core.dead_letter import Letter


def run(arguments: list[str]) -> int:
    """Write the dead letters that are asked for. Raises ConfigurationError and PlatformError."""
    parser = argparse.ArgumentParser(prog="replenit-connector dead-letters export", description=__doc__)
    add_filters(parser)
    parser.add_argument("file", help="a file that does not exist yet")
    parser.add_argument("--values", action="store_true", help="only the records' values, one a line, as they are")
    options = parser.parse_args(arguments)
    left, count = Left(), 0
    with search() as found, _own(options.file) as file:
        for letter in found.letters(options, left):
            file.write(((letter.record.value or b"") if options.values else _line(letter)) + b"\n")
            count += 1
    print(f"{letters(count)} in {options.file}. It holds customers' data: delete it when you are done.")
    if left.counts:
        print(left.told(), file=sys.stderr)
    return 0


@contextmanager
def _own(path: str) -> Iterator[BinaryIO]:
    """A new file that only its owner may read; it goes again if it can't be finished."""
    try:
        file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        raise PlatformError(f"{path} can't be written: {error.strerror}") from error
    try:
        with file:
            yield file
    except BaseException as error:
        Path(path).unlink()
        if isinstance(error, OSError):
            raise PlatformError(f"{path} can't be written: {error.strerror}") from error
        raise


def _line(letter: Letter) -> bytes:
    record = letter.record
    told = {
        "letter": letter.carrier.where,
        "record": record.where,
        "time": letter.time.isoformat(),
        "entity": letter.entity,
        "reason": letter.reason,
        "errors": letter.errors,
        "endpoint": letter.endpoint,
        "status": letter.status,
        "timestamp_ms": letter.carrier.timestamp_ms,
        "key": _base64(record.key),
        "value": _base64(record.value),
        "headers": [[name, _base64(value)] for name, value in record.headers],
    }
    return json.dumps(told).encode()


def _base64(data: bytes | None) -> str | None:
    return None if data is None else b64encode(data).decode()
