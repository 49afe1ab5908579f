"""The benchmark of the store measures what it says: both sides leave the same rows behind."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from benchmarks.store import ITEMS, plain, rows_alone, take_in, whole

from connector.adapters.database import NAME
from connector.adapters.store import open_store
from connector.core.events import Entity

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.store import Figures

COUNT = 2500


def rows(folder: Path) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(folder / NAME)
    found = connection.execute("SELECT * FROM rows ORDER BY source, key").fetchall()
    connection.close()
    return found


@pytest.mark.parametrize("side", [plain, rows_alone, whole])
def test_all_sides_put_the_same_rows(tmp_path: Path, side: Callable[[Path, Sequence[int]], Figures]) -> None:
    """Each row is there once, of the same bytes, whoever put it and in whatever order."""
    store = open_store(tmp_path, "").store
    take_in(store, range(COUNT - 1, -1, -1))
    store.close()
    expected = rows(tmp_path)
    (tmp_path / NAME).unlink()
    figures = side(tmp_path, range(COUNT))
    assert rows(tmp_path) == expected
    assert len(expected) == COUNT
    assert figures.get("families", COUNT / ITEMS) == COUNT / ITEMS
    store = open_store(tmp_path, "").store
    assert store.dirty(Entity.ORDERS) == 0
    store.close()
