"""To which partition of the topic of replays a replay goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from connector.asking import Asking
from connector.core.events import Entity, Partition, Record
from connector.core.replays import Replay
from connector.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from connector.adapters.scan import Scan


class Cluster:
    """A topic of replays with four partitions, and who reads what."""

    def __init__(self, owners: dict[Partition, str], *, exists: bool = True) -> None:
        self._owners = owners
        self._exists = exists
        self.written: list[int] = []

    def bounds(self, topic: str) -> dict[Partition, tuple[int, int]] | None:
        return {Partition(topic, number): (0, 0) for number in range(4)} if self._exists else None

    def owners(self) -> dict[Partition, str]:
        return self._owners

    def write(self, topic: str, records: Iterable[tuple[int, Record]]) -> int:
        self.written += [number for number, record in records if record.topic == topic]
        return len(self.written)


def _ask(cluster: Cluster, *sources: int) -> Asking:
    asking = Asking(cast("Scan", cluster), "replays")
    asking.write(Replay(Record("orders", number, 1, b"k", None), {}, Entity.ORDERS, "group", {}) for number in sources)
    return asking


def test_a_replay_goes_to_who_reads_its_row() -> None:
    """Whichever partition of the topic that replica has."""
    owners = {Partition("orders", 0): "a", Partition("orders", 1): "b"}
    cluster = Cluster({**owners, Partition("replays", 1): "b", Partition("replays", 3): "a"})
    asking = _ask(cluster, 0, 1, 0)
    assert cluster.written == [3, 1, 3]
    assert not asking.unheard


def test_who_reads_none_of_the_topic_can_not_be_asked() -> None:
    """Another replica would only give it back: it is said what to do."""
    owners = {Partition("orders", 0): "a", Partition("replays", 1): "b"}
    with pytest.raises(PlatformError, match="partitions"):
        _ask(Cluster(owners), 0)


def test_without_a_service_replays_wait_for_one() -> None:
    """And that is said; likewise where it has not noticed the topic."""
    cluster = Cluster({})
    assert "does not run" in _ask(cluster, 0, 5).unheard
    assert cluster.written == [0, 1]
    assert "does not read replays yet" in _ask(Cluster({Partition("orders", 0): "a"}), 0).unheard


def test_without_the_topic_it_is_said_how_to_create_it() -> None:
    """It is never created: its partitions and retention are for its owner to choose."""
    with pytest.raises(PlatformError, match="create it"):
        _ask(Cluster({}, exists=False))
