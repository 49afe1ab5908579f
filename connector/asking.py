"""How the commands ask the service to send something once more: through the topic of replays, to which it listens."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from connector.core.events import Partition
from connector.errors import PlatformError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from connector.adapters.scan import Scan
    from connector.core.events import Record
    from connector.core.replays import Replay

LISTENS_WITHIN = "The service notices a new topic within five minutes"


class Asking:
    """The topic of replays, and which of its partitions is read by whom. Raises PlatformError.

    Only the process that reads a row's own partition may send it: nobody else knows what is newer, or in flight. So a
    replay goes into a partition that the same process reads. If that has changed by the time it comes, it goes back
    among the dead letters.
    """

    def __init__(self, scan: Scan, topic: str) -> None:
        self._scan = scan
        self._topic = topic
        bounds = scan.bounds(topic)
        if bounds is None:
            raise PlatformError(
                f"The topic {topic} does not exist, or may not be seen: create it with a few partitions for "
                "each replica and with the dead-letter topic's retention, and grant Read, Write and Describe on it. "
                f"{LISTENS_WITHIN}."
            )
        self._count = len(bounds)
        self._owners = scan.owners()
        self._read_by: dict[str, int] = {}
        for number in range(self._count):
            if (member := self._owners.get(Partition(topic, number))) is not None:
                self._read_by.setdefault(member, number)

    @property
    def unheard(self) -> str:
        """Why nobody listens to the topic now; "" if somebody does."""
        if not self._owners:
            return "The service does not run, or is just starting: it takes up what was asked once it does."
        if not self._read_by:
            return f"The service does not read {self._topic} yet. {LISTENS_WITHIN}; a restart does it at once."
        return ""

    def write(self, replays: Iterable[Replay]) -> int:
        """Ask for these; how many there were."""
        return self._scan.write(self._topic, self._placed(replays))

    def _placed(self, replays: Iterable[Replay]) -> Iterator[tuple[int, Record]]:
        for replay in replays:
            record = replay.record
            number = self._number(Partition(record.topic, record.partition))
            yield number, replace(record, topic=self._topic, partition=number, headers=replay.headers)

    def _number(self, source: Partition) -> int:
        """The partition of the topic whose reader reads the source partition too."""
        member = self._owners.get(source)
        if member is None or not self._read_by:
            return source.number % self._count
        if member not in self._read_by:
            raise PlatformError(
                f"{self._topic} has {self._count} partitions, and the replica that reads {source} reads none of them: "
                "give it more partitions (a few for each replica), or run one replica meanwhile"
            )
        return self._read_by[member]
