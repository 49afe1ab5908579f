"""A process to be killed: it commits one turn after another to the store of a folder, and prints the turn's number."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from adapters.stores import MEANING, ORDERS, record

from connector.adapters.store import open_store
from connector.core.events import Entity
from connector.core.stored import Family, StoredRow, There

store = open_store(Path(sys.argv[1]), MEANING).store
for turn in count(store.progress().get(ORDERS, 0)):
    store.put(0, "hot", StoredRow("", b"%d" % (turn + 1)))
    store.put(1, str(turn), StoredRow("hot", b"x" * 3000))
    store.keep_family(Entity.ORDERS, "hot", Family("hot", There.DOCUMENT, frozenset({(str(turn + 1),)})))
    for touched in store.touched(Entity.ORDERS, 0, 10):
        store.settle(Entity.ORDERS, touched.parent, touched.version)
    store.touch(Entity.ORDERS, str(turn), record(ORDERS, turn), snapshot=False, committed_ms=None)
    store.advance(ORDERS, turn + 1)
    store.commit()
    print(turn + 1, flush=True)  # noqa: T201 (whoever kills it reads it)
