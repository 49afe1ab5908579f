"""A shop's own tables, as Debezium told them, through a real broker, the connector's process and its store on disk."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import pytest
from connector_process import Connector, connector
from family_captures import CASES, SHOPS, mapping, partitions, records, row_key, schemas
from family_oracle import Dead, Wanted, expected, unlike, without_nulls
from kafka_broker import Raw
from oracle import difference
from registry_server import serving

from connector.core.events import Partition
from connector.sandbox.config import DEFAULT_KEY, SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.server import Sandbox
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from kafka_broker import Broker
    from shop_captures import CapturedRecord

pytestmark = pytest.mark.kafka

Case: TypeAlias = "tuple[str, str, Upsert]"
"""A dialect, a mapping file, and what an upsert does."""

_TABLES = [(dialect, name) for dialect, name in CASES if name != "json"]
_CASES: list[Case] = [(*case, list(Upsert)[number % 2]) for number, case in enumerate(_TABLES)]
_CASES += [
    ("json", "json", Upsert.MERGE),
    ("json-strings", "json", Upsert.MERGE),
    ("flat-avro", "json", Upsert.REPLACE),
]
_AT_ONCE = 6  # connectors that wait side by side
_GROUPS = [_CASES[start : start + _AT_ONCE] for start in range(0, len(_CASES), _AT_ONCE)]


class Shop:
    """The captured topics of one dialect on a broker, and a connector that reads them, as its mapping file says."""

    def __init__(self, kafka: Broker, dialect: str, name: str, upsert: Upsert, folder: Path) -> None:
        self._kafka, self._name, self.dialect, self.upsert = kafka, name, dialect, upsert
        tables = [table for each in SHOPS[name].values() for table in each]
        self._letters = kafka.topic("dead-letters")
        self._group = self._letters.replace("dead-letters", "group")
        self._topics = {table: kafka.topic(table, partitions(dialect), prefix=self._group) for table in tables}
        self._ends: Counter[Partition] = Counter()
        folder.mkdir()
        self._folder = folder
        self.records = [each for each in records(dialect) if each.table in tables]

    def produce(self, captured: Iterable[CapturedRecord]) -> None:
        """Write records, each to the partition that it was captured from."""
        for table, topic in self._topics.items():
            own = [each for each in captured if each.table == table]
            self._kafka.produce(topic, *(Raw(e.value, e.key, e.partition, e.headers, e.timestamp) for e in own))
            self._ends.update(Partition(topic, each.partition) for each in own)

    def settled_by(self, process: Connector) -> bool:
        told = process.status().get("partitions", {})
        return all(told.get(str(place), {}).get("committable") == end for place, end in self._ends.items())

    def committed(self) -> bool:
        committed = self._kafka.committed(self._group)
        return all(committed[place].offset == end for place, end in self._ends.items())

    def connector(self, url: str, **changes: str) -> AbstractContextManager[Connector]:
        """A process of the connector, to be used in a `with` block."""
        roots = {f"TOPIC_{entity.upper()}": self._topics[tables[0]] for entity, tables in SHOPS[self._name].items()}
        merges = self.upsert is Upsert.MERGE
        settings = {
            "KAFKA_GROUP_ID": self._group,
            "DEAD_LETTER_TOPIC": self._letters,
            "STATE_DIR": str(self._folder),
            "MAPPING": mapping(self.dialect, self._name),
            "CONSENT_POLICY": "enforce" if merges else "forward",
            "NULLS": "null" if merges else "omit",
            "RATE_LIMIT_PER_HOUR": "300000",
            "LINGER_MAX": "8",
        }
        return connector(self._kafka.bootstrap_servers, url, {**settings, **roots, **changes})

    @property
    def wanted(self) -> Wanted:
        merges = self.upsert is Upsert.MERGE
        return expected(self.dialect, self._name, consent="enforce" if merges else "forward", merges=merges)

    def dead(self) -> set[Dead]:
        """The rows of which a record is a dead letter."""
        tables = {topic: table for table, topic in self._topics.items()}
        found = set()
        for letter in self._kafka.read(self._letters):
            told = {name: (value or b"").decode() for name, value in letter.headers}
            key = row_key(self.dialect, letter.key, letter.value)
            found.add(Dead(tables[told["__connect.errors.topic"]], key, told["replenit.reason"]))
        return found

    def converged(self, sandbox: Sandbox) -> None:
        """The API holds what the tables hold, row by row; what it can't hold are dead letters, and no other rows."""
        wanted = self.wanted
        assert difference(wanted.state, without_nulls(sandbox.state)) == []
        assert unlike(wanted, self.dead()) == []
        assert sandbox.broken_promises == []
        assert self.committed()


def _ended_well(process: Connector) -> None:
    assert process.stop() == 0, process.lines()
    for nobodys in ("crashed", "@example.com", "+1555", '"SO-', DEFAULT_KEY):  # no failure, no data, no secret
        assert nobodys not in process.lines()


@contextmanager
def running(shop: Shop, faults: Faults) -> Iterator[tuple[Sandbox, Callable[[], AbstractContextManager[Connector]]]]:
    """The API, and what starts a process of the connector, for one shop."""
    config = SandboxConfig(upsert=shop.upsert, per_minute=None, per_hour=None, faults=faults)
    with Sandbox(config) as sandbox, serving() as registry:
        for number, definition in schemas(shop.dialect).items():
            registry.answers[f"/schemas/ids/{number}"] = (200, {"schema": json.dumps(definition)})
        yield sandbox, lambda: shop.connector(sandbox.url, SCHEMA_REGISTRY_URL=registry.url, HTTP_TIMEOUT="2")


@pytest.mark.parametrize("cases", _GROUPS, ids=lambda cases: "+".join(dialect for dialect, _, _ in cases))
def test_the_shops_own_tables_converge(kafka: Broker, tmp_path: Path, cases: Sequence[Case]) -> None:
    """In each dialect: items and variants of tables of their own, or in JSON columns; replaced or merged."""
    with ExitStack() as stack:
        runs = []
        for number, case in enumerate(cases):
            shop = Shop(kafka, *case, tmp_path / str(number))
            shop.produce(shop.records)
            sandbox, start = stack.enter_context(running(shop, Faults()))
            runs.append((shop, sandbox, stack.enter_context(start())))
        for shop, sandbox, process in runs:
            process.wait_until(partial(shop.settled_by, process), f"everything settled of {shop.dialect}")
            assert process.status()["suspended"] == []
            _ended_well(process)
            shop.converged(sandbox)


def test_killed_midway_they_go_on_where_they_were(kafka: Broker, tmp_path: Path) -> None:
    """SIGKILL with requests in flight: a new process, with the store or without it, leaves nothing behind."""
    slow = Faults(slow=1.0, slow_seconds=1.0)
    shops = [Shop(kafka, "json-keyed", "tables", Upsert.MERGE, tmp_path / name) for name in ("kept", "lost")]
    with ExitStack() as stack:
        runs = [(shop, *stack.enter_context(running(shop, slow))) for shop in shops]
        for shop, sandbox, start in runs:
            shop.produce(shop.records[: len(shop.records) // 2])
            with start() as process:
                process.wait_until(lambda: sandbox.in_flight > 1, "requests in flight")  # noqa: B023 (called at once)
                process.kill()
        shutil.rmtree(tmp_path / "lost")
        (tmp_path / "lost").mkdir()
        for shop, sandbox, _ in runs:
            shop.produce(shop.records[len(shop.records) // 2 :])
            sandbox.faults = replace(slow, slow=0.0)
        processes = [stack.enter_context(start()) for _, _, start in runs]
        for (shop, sandbox, _), process in zip(runs, processes, strict=True):
            process.wait_until(partial(shop.settled_by, process), "everything settled")
            _ended_well(process)
            shop.converged(sandbox)
