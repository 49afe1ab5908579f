"""Threads that send requests, and do nothing else: what comes back waits in a queue for the loop."""

from __future__ import annotations

import queue
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.core.requests import NoAnswer

if TYPE_CHECKING:
    from connector.adapters.api import Api
    from connector.core.dispatch import Batch
    from connector.core.lease import Lease
    from connector.core.requests import Answer


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of a batch, and how long it took, in seconds."""

    batch: Batch
    reply: Answer | NoAnswer
    duration: float


class Sender:
    """Sends up to `threads` requests at a time, as long as the lease holds under which they were handed over."""

    def __init__(self, api: Api, threads: int, lease: Lease) -> None:
        self._api = api
        self._lease = lease
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="send")
        self._replies: queue.SimpleQueue[Reply] = queue.SimpleQueue()

    def send(self, batch: Batch, key: str) -> None:
        """Send soon; the reply comes in `replies`, exactly one for each batch."""
        self._threads.submit(self._exchange, batch, key, self._lease.term)

    def replies(self, timeout: float = 0.0) -> list[Reply]:
        """What has come back, waiting at most `timeout` seconds for a first one."""
        found = []
        try:
            found.append(self._replies.get(timeout=timeout) if timeout > 0 else self._replies.get_nowait())
            while True:
                found.append(self._replies.get_nowait())
        except queue.Empty:
            return found

    def close(self) -> None:
        """Let the threads end; a request under way is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._api.close()

    def _exchange(self, batch: Batch, key: str, term: int) -> None:
        began = time.monotonic()
        reply: Answer | NoAnswer = NoAnswer("failed", ambiguous=True)
        try:
            reply = self._api.send(batch.request, key, lambda: self._lease.holds(term))
        finally:
            self._replies.put(Reply(batch, reply, time.monotonic() - began))
