"""What another release's process left: its store is made anew, and nothing is lost, sent again or left behind."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from adapters.stores import MEANING
from family_shop import Dialect
from family_world import FamilyWorld

from connector.adapters.database import NAME
from connector.adapters.state_folder import Fate
from connector.adapters.store import open_store
from connector.adapters.store_tables import LAYOUT
from connector.sandbox.state import Upsert

EARLIER = Path(__file__).parent / "earlier" / "store-layout-1.sql"
"""What the first layout's own code wrote, as SQL: two orders of three items, all of it still to be sent."""


def _earlier(folder: Path) -> None:
    for old in folder.glob(f"{NAME}*"):
        old.unlink()
    with closing(sqlite3.connect(folder / NAME)) as database:
        database.executescript(EARLIER.read_text())


def _later(folder: Path) -> None:
    with closing(sqlite3.connect(folder / NAME)) as database:
        database.execute(f"PRAGMA user_version = {LAYOUT.version + 1:d}")


def test_an_earlier_store_is_set_aside_whole(tmp_path: Path) -> None:
    """With the rows that are in it: who goes back to the earlier release can put it back."""
    _earlier(tmp_path)
    store, fate, moved_to, why = open_store(tmp_path, MEANING)
    assert (fate, store.progress()) == (Fate.OTHER_VERSION, {})
    assert "its format is 1" in why
    store.close()
    assert moved_to is not None
    with closing(sqlite3.connect(moved_to)) as kept:
        assert kept.execute("SELECT count(*) FROM rows").fetchone() == (8,)
        assert kept.execute("PRAGMA user_version").fetchone() == (1,)


@pytest.mark.parametrize("other", [_earlier, _later])
@pytest.mark.parametrize("reading", list(Upsert))
def test_what_another_release_kept_is_read_anew(tmp_path: Path, reading: Upsert, other: object) -> None:
    """In the middle of things: what was settled is not sent again, what was not is, what vanishes later is deleted."""
    assert callable(other)
    world = FamilyWorld(11, Dialect.FULL, reading)
    opened = open_store(tmp_path, MEANING)
    world.use(opened.store)
    world.life(20)
    service = world.service()
    assert world.run(service, 300)
    for settled in (True, False):
        if not settled:
            world.life(10)
            world.world.run(service, 3)
        requests = len(world.server.requests)
        opened.store.close()
        other(tmp_path)
        opened = open_store(tmp_path, MEANING)
        assert opened.fate is Fate.OTHER_VERSION
        world.use(opened.store)
        service = world.service()
        world.world.run(service, 200)
        assert not settled or len(world.server.requests) == requests
    world.life(10)
    assert world.run(service, 600)
    assert world.differences() == []
    opened.store.close()
