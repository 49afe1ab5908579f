"""`run`: the service, from the environment to the end of the process."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
import threading
import time
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from connector import __version__, logs
from connector.adapters.api import Api
from connector.adapters.dead_letters import DeadLetterTopic
from connector.adapters.kafka import KafkaSource, session_timeout
from connector.adapters.registry import Access, Registry
from connector.adapters.sender import Sender
from connector.adapters.state_folder import Fate
from connector.adapters.status import Pages, StatusServer
from connector.adapters.store import open_store
from connector.core.family_reader import KEPT_FORMAT
from connector.core.lease import LONGEST_LEASE, Lease
from connector.errors import Stopped
from connector.metrics import Metrics
from connector.service import CONNECTIONS, Clocks, Service
from connector.settings import Settings, load

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from connector.core.stored import Store
    from connector.ownership import Source

_LOG = logs.get("run")

SYSTEM_CLOCKS = Clocks(time.monotonic, time.time)
_FORCED = 130
_TOO_LATE = 1


class Signals:
    """The first SIGTERM or SIGINT asks for a graceful stop, a second one ends the process at once.

    A handler may only set a flag: an exception out of it would cost records that librdkafka has handed over. The signal
    is not raised again in the end: as PID 1 the process would stay alive.
    """

    def __init__(self, shutdown_timeout: float) -> None:
        self.asked = False
        self._timeout = shutdown_timeout
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._handle)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self.asked:
            os._exit(_FORCED)
        self.asked = True
        watchdog = threading.Timer(self._timeout, _give_up)
        watchdog.daemon = True
        watchdog.start()


def _give_up() -> None:
    _LOG.error("stop_forced", "The stop took longer than SHUTDOWN_TIMEOUT; what is unfinished is read again.")
    os._exit(_TOO_LATE)


def run(arguments: list[str]) -> int:
    """Run until a signal comes. Raises ConfigurationError and PlatformError."""
    argparse.ArgumentParser(prog="replenit-connector run", description=__doc__).parse_args(arguments)
    settings = load(os.environ)
    logs.configure(settings.log_level, settings.log_format, sys.stdout)
    serve(settings, Signals(settings.shutdown_timeout))
    return 0


def build(  # noqa: PLR0913 (what it is built by)
    settings: Settings,
    metrics: Metrics,
    stack: ExitStack,
    clocks: Clocks = SYSTEM_CLOCKS,
    around: Callable[[Source], Source] = lambda source: source,
    *,
    stopping: Callable[[], bool] = lambda: False,
) -> Service:
    """The service with its outside systems, ready to start. The stack closes them.

    With other `clocks` than the system's, `around` is to wrap the source: how long it polls is told in their seconds.
    Raises Stopped once `stopping` holds while a large store is checked.
    """
    tenant, ca_path = settings.replenit_tenant_id, settings.replenit_ca_path
    api = Api(settings.replenit_base_url, tenant, settings.http_timeout, CONNECTIONS, ca_path)
    topics = [topic for topics in settings.topics.values() for topic in topics]
    held = Lease(min(session_timeout(settings.kafka), LONGEST_LEASE), _uptime)
    sender = Sender(api, CONNECTIONS, held)
    stack.callback(sender.close)
    return Service(
        settings,
        around(KafkaSource(settings.kafka, settings.kafka_group_id, topics, settings.replay_topic)),
        sender,
        DeadLetterTopic(settings.kafka, settings.dead_letter_topic),
        _registry(settings, stack),
        _store(settings, stack, stopping),
        metrics=metrics,
        clocks=clocks,
        lease=held,
    )


def _uptime() -> float:
    """Seconds that pass while the machine sleeps, too, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def _registry(settings: Settings, stack: ExitStack) -> Registry | None:
    if not settings.schema_registry_url:
        return None
    registry = Registry(
        Access(
            settings.schema_registry_url,
            settings.schema_registry_username,
            settings.schema_registry_password,
            settings.schema_registry_ca_path,
        )
    )
    stack.callback(registry.close)
    return registry


def _store(settings: Settings, stack: ExitStack, stopping: Callable[[], bool]) -> Store | None:
    """The store of families, if the mapping makes documents of several tables."""
    if not settings.families:
        return None
    opened = open_store(Path(settings.state_dir), _meaning(settings), stopping)
    stack.callback(opened.store.close)
    if opened.fate not in (Fate.INTACT, Fate.NEW):
        aside = f"; the old one is {opened.moved_to}" if opened.moved_to else ""
        _LOG.warning(
            "store_begun_anew",
            f"The store in STATE_DIR is made anew from the topics, since {opened.why}{aside}.",
            fate=opened.fate,
        )
    return opened.store


def _meaning(settings: Settings) -> str:
    """A digest of what decides what is kept of a row: what another mapping kept is of no use."""
    told = [KEPT_FORMAT, settings.nulls]
    for entity, tables in settings.families.items():
        told += [entity.value, settings.mapping[entity].table.model_dump_json()]
        told += [f"{table.number} {','.join(table.topics)}" for table in tables]
    return sha256("\n".join(told).encode()).hexdigest()


def collect_rarely() -> None:
    """Let Python look for cycles seldom: what waits lives long and has few, and looking takes a fifth of the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def serve(
    settings: Settings,
    signals: Signals,
    clocks: Clocks = SYSTEM_CLOCKS,
    around: Callable[[Source], Source] = lambda source: source,
) -> None:
    """Turn the service's loop until a signal comes, and serve its HTTP port meanwhile."""
    with ExitStack() as stack:
        try:
            _serve(settings, signals, clocks, around, stack)
        except Stopped:
            _LOG.info("stopped", "Nothing was begun: the store was still being checked.")


def _serve(
    settings: Settings,
    signals: Signals,
    clocks: Clocks,
    around: Callable[[Source], Source],
    stack: ExitStack,
) -> None:
    metrics = Metrics()
    built: list[Service] = []  # none yet while a large store is checked: the process is alive, and not ready
    pages = Pages(
        metrics=metrics.exposition,
        heartbeat_age=lambda: clocks.monotonic() - built[0].heartbeat if built else 0.0,
        ready=lambda: bool(built) and built[0].ready,
        status=lambda: built[0].status if built else {"version": __version__, "ready": False},
    )
    status = StatusServer(settings.http_host, settings.http_port, pages)
    status.start()
    stack.callback(status.stop)
    service = build(settings, metrics, stack, clocks, around, stopping=lambda: signals.asked)
    built.append(service)
    entities = ", ".join(settings.topics)
    _LOG.info(
        "starting", f"replenit-connector {__version__} starts: {entities}.", version=__version__, port=status.port
    )
    if settings.consent_policy == "assume":
        _LOG.warning(
            "consent_assumed",
            "CONSENT_POLICY is assume: where no column tells, customers are sent as having given consent. Whoever set "
            "it answers for that.",
        )
    collect_rarely()
    service.start()
    while not signals.asked:
        service.step()
    _LOG.info("stopping", "Nothing more is taken in; what is in flight is finished.")
    service.stop()
    _LOG.info("stopped", "Everything that is finished is committed.")
