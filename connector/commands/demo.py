"""`demo`: a shop's day through an embedded broker, the connector and the sandbox, without anything to set up."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, cast

from rich.console import Console

from connector import logs
from connector.adapters.status import Pages, StatusServer
from connector.commands.run import Signals, build, collect_rarely
from connector.metrics import Metrics
from connector.sandbox import screen
from connector.sandbox.broker import Broker
from connector.sandbox.config import DEFAULT_TENANT, SandboxConfig
from connector.sandbox.day import LARGEST, SMALLEST, Day, Troubles
from connector.sandbox.faults import Faults
from connector.sandbox.hurry import Clock, Hurried
from connector.sandbox.readings import Readings, Watch
from connector.sandbox.screen import Figures
from connector.sandbox.server import Sandbox
from connector.sandbox.shop import REFUSED, TOPICS, Shop
from connector.sandbox.show import Show
from connector.sandbox.verdict import Evidence, judge
from connector.service import Clocks, Service
from connector.settings import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.ownership import Source
    from connector.sandbox.verdict import Verdict

SPEED = 60.0
LETTERS = "replenit-connector.dead-letters"
_LIMITS = (100, 5000)
# From the end of the day until all is to be settled: seconds of the demo's clock, and at least so many real ones.
_LONGEST = 1200.0
_LONGEST_REAL = 30.0
_STOP = 10.0
_STOPPED = 130
_NEWS = {"recovered", "lane_resumed"}  # beside warnings
_NO_NEWS = {"dead_letter", "request_failed"}  # the figures tell them


class _News(logging.Handler):
    """What a spectator should see of the log, in place of a stream that would tear the screen."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        super().__init__(logging.INFO)
        self._tell = tell

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "connector_event", "library")
        if event in _NEWS or (record.levelno >= logging.WARNING and event not in _NO_NEWS):
            style = "green" if event in _NEWS else "red" if record.levelno >= logging.ERROR else "yellow"
            self._tell(f"{event.replace('_', ' ')}: {record.getMessage()}", style)


def run(arguments: list[str]) -> int:
    """Run to the end: 0 if all agree, 1 if anything does not, 130 if it was stopped before."""
    parser = argparse.ArgumentParser(prog="replenit-connector demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed is another day (default: %(default)s)")
    parser.add_argument("--speed", type=float, default=SPEED, help="times faster than real time (default: 60)")
    parser.add_argument("--size", type=float, default=LARGEST, help=f"a smaller shop, from {SMALLEST} to {LARGEST}")
    parser.add_argument("--keep", action="store_true", help="stay until Ctrl-C, and serve metrics and status")
    options = parser.parse_args(arguments)
    if not (0 < options.speed <= 10_000 and SMALLEST <= options.size <= LARGEST):  # noqa: PLR2004 # beyond is no sense
        parser.error(f"--speed is a number from 0 to 10000, --size one from {SMALLEST} to {LARGEST}")
    signals = Signals(_STOP)
    with ExitStack() as stack:
        return _Demo(options, signals, stack).run()


class _Demo:
    """One run: the connector's loop, and between its turns the shop's day and the screen."""

    def __init__(self, options: argparse.Namespace, signals: Signals, stack: ExitStack) -> None:
        self._signals = signals
        self._keep: bool = options.keep
        self._console = Console(highlight=False)
        self._show = Show(self._console)
        self._clock = clock = Clock(options.speed)
        self._dawn: float | None = None
        logs.configure("info", "text", sys.stdout)
        logging.root.handlers[:] = [_News(self._tell)]
        self._watch = Watch(clock.monotonic)
        faults = Faults(poisoned={entity: dict.fromkeys(ids, "Is refused.") for entity, ids in REFUSED.items()})
        config = SandboxConfig(clock=clock.monotonic, per_minute=_LIMITS[0], per_hour=_LIMITS[1], faults=faults)
        self._sandbox = stack.enter_context(Sandbox(config, self._watch))
        key_file = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "key"
        troubles = Troubles(self._sandbox, key_file)
        self._broker = Broker([*TOPICS.values(), LETTERS])
        self._settings = settings = load(_environment(self._broker.address, self._sandbox.url, key_file))
        self._shop = Shop(options.seed, clock.wall, self._broker.write)
        self._day = Day(self._shop, troubles, options.size)
        metrics = Metrics()
        self._readings = Readings(metrics.registry, TOPICS, self._watch)
        self._service = build(
            settings,
            metrics,
            stack,
            Clocks(clock.monotonic, clock.wall),
            lambda source: cast("Source", Hurried(source, clock.speed)),
        )
        if self._keep:
            self._addresses = _serve(self._service, metrics, clock, stack)
            self._console.print(self._addresses)

    def run(self) -> int:
        collect_rarely()
        self._service.start()
        with self._show:
            finished = self._join() and self._play()
        if not finished:
            self._service.stop()
            self._console.print(
                f"Stopped in minute {_told(self._time())} of the day, before anything could be compared."
            )
            return _STOPPED
        found = self._judge()
        self._readings.take(self._clock.monotonic())
        spent = self._readings.counts("connector_api_requests", "purpose")
        fresh = self._readings.freshness(recent=False)
        self._console.print(screen.verdict(found, spent, fresh, self._console.width))
        if self._keep:
            self._stay()
        self._service.stop()
        return 1 if found.disagreements else 0

    def _join(self) -> bool:
        """Let the connector get its partitions, before the day begins."""
        while not self._service.status.get("partitions") and not self._signals.asked:
            self._service.step()
            self._show.draw(self._figures)
        self._dawn = self._clock.monotonic()
        return not self._signals.asked

    def _play(self) -> bool:
        """Let the day pass until all is settled, or it takes too long; False if a signal came first."""
        phase, longest = None, max(_LONGEST, _LONGEST_REAL * self._clock.speed)
        while not self._signals.asked:
            now = self._time()
            if self._day.phase(now) is not phase:
                phase = self._day.phase(now)
                self._tell(phase.title, "bold")
            self._day.advance(now)
            self._service.step()
            self._show.draw(self._figures)
            if now > self._day.end + longest or (self._day.over and not self._unsettled()):
                return True
        return False

    def _stay(self) -> None:
        self._console.print(f"\n{self._addresses}\nThe connector goes on until Ctrl-C.")
        while not self._signals.asked:
            self._service.step()

    def _tell(self, sentence: str, style: str) -> None:
        self._show.tell(f"{_told(self._time())} {sentence}", style)

    def _time(self) -> float:
        """Seconds since the day began."""
        return 0.0 if self._dawn is None else self._clock.monotonic() - self._dawn

    def _unsettled(self) -> int:
        """How many changes are not finished, requests among them that have no answer yet."""
        flying = self._service.status.get("requests_in_flight", 0)
        return self._shop.written - self._service.settled() + int(cast("int", flying))

    def _figures(self) -> Figures:
        now, day, readings = self._time(), self._day, self._readings
        readings.take(self._clock.monotonic())
        phase = "The last changes are on their way" if day.over else day.phase(now).title
        return Figures(
            phase="The connector joins its consumer group" if self._dawn is None else phase,
            clock=f"minute {_told(now)} of {day.end / 60:.0f}, {self._clock.speed:g} times as fast as real",
            share=min(1.0, now / day.end),
            events=self._shop.written,
            lanes=readings.lanes(self._service.status),
            windows=(self._watch.within(60), self._watch.within(3600)),
            limits=_LIMITS,
            requests=readings.counts("connector_api_requests", "purpose"),
            freshness=readings.freshness(recent=True),
            dead=readings.counts("connector_dead_letters", "reason"),
            withheld=readings.counts("connector_withheld", "reason"),
            news=self._show.news,
        )

    def _judge(self) -> Verdict:
        self._broker.flush()
        evidence = Evidence(
            state=self._sandbox.state,
            letters=self._broker.letters(LETTERS),
            arrivals=self._watch.arrivals,
            limits=_LIMITS,
            batches={str(entity): most for entity, most in self._settings.batch_max.items()},
            broken_promises=self._sandbox.broken_promises,
            unsettled=self._unsettled(),
        )
        return judge(self._shop, evidence)


def _told(seconds: float) -> str:
    return f"{int(seconds) // 60:02}:{int(seconds) % 60:02}"


def _environment(brokers: str, url: str, key_file: Path) -> dict[str, str]:
    return {
        "REPLENIT_TENANT_ID": DEFAULT_TENANT,
        "REPLENIT_API_KEY_FILE": str(key_file),
        "REPLENIT_BASE_URL": url,
        "KAFKA_BOOTSTRAP_SERVERS": brokers,
        "KAFKA_FETCH_WAIT_MAX_MS": "5",  # the embedded broker lets new records wait as long, and these are real ones
        "DEAD_LETTER_TOPIC": LETTERS,
        "RATE_LIMIT_PER_MINUTE": str(_LIMITS[0]),
        "RATE_LIMIT_PER_HOUR": str(_LIMITS[1]),
        **{f"TOPIC_{entity.upper()}": topic for entity, topic in TOPICS.items()},
    }


def _serve(service: Service, metrics: Metrics, clock: Clock, stack: ExitStack) -> str:
    """Serve metrics and status as `run` does, on any free port; where they are, in words."""
    pages = Pages(
        metrics=metrics.exposition,
        heartbeat_age=lambda: (clock.monotonic() - service.heartbeat) / clock.speed,
        ready=lambda: service.ready,
        status=lambda: service.status,
    )
    server = StatusServer("127.0.0.1", 0, pages)
    server.start()
    stack.callback(server.stop)
    address = f"http://127.0.0.1:{server.port}"
    return f"Metrics: {address}/metrics\nStatus:  {address}/status"
