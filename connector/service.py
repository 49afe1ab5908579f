"""The loop: from Kafka's records to Replenit's answers, one step after the other in one thread. Read this first.

One thread owns the consumer and all state, so nothing here needs a lock. Threads of the sender do HTTP; what comes back
waits in a queue until the loop takes it. The loop waits in one place, for records.
"""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from connector import __version__
from connector.core import documents
from connector.core.avro_wire import SchemaMissing, Schemas
from connector.core.budget import Budget
from connector.core.dispatch import Batch, Dispatch
from connector.core.doubts import Doubts
from connector.core.events import Entity, Partition, Record
from connector.core.gate import Gate
from connector.core.intake import Intake, Uncounted
from connector.core.lease import Lease
from connector.core.leftovers import Leftovers
from connector.core.mapping import Mapping
from connector.core.offsets import Offsets
from connector.core.outcomes import Delivered, HaltReason
from connector.core.pending import Pending
from connector.core.replays import Memory
from connector.core.requests import Answer
from connector.core.row_names import RowNames
from connector.core.scheduler import Lingers
from connector.core.second_sendings import SecondSendings
from connector.core.suspensions import Suspensions
from connector.core.wire import Wire
from connector.keeping import Keeping, families_of
from connector.letters import Letters
from connector.ownership import Ownership
from connector.replaying import NotYet, Parts, Replaying
from connector.report import Report
from connector.sharing import Sharing
from connector.taking import Taking
from connector.telling import Teller
from connector.unrepeated import Unrepeated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from connector.adapters.sender import Reply
    from connector.core.dispatch import Consequences
    from connector.core.entries import Entry
    from connector.core.events import Reject
    from connector.core.halts import Halt
    from connector.core.stored import Store
    from connector.letters import Topic
    from connector.metrics import Metrics
    from connector.ownership import Source
    from connector.settings import Settings

CONNECTIONS = 8
"""Requests in flight at a time: at 100 a minute they would have to take 5 s each to be too few."""

READ_AT_ONCE = 1000
SHORTEST_WAIT = 0.01
LONGEST_WAIT = 0.1
SERVER_SETTLES = 30.0
"""Seconds after a request's time-out in which the server may still be working on it."""

LONGEST_DRAIN = 20.0
PUBLISH_INTERVAL = 1.0


class Registry(Schemas, Protocol):
    """What `adapters.registry.Registry` does."""

    @property
    def missing(self) -> int: ...
    def arrived(self) -> bool: ...


class Send(Protocol):
    """What `adapters.sender.Sender` does."""

    def send(self, batch: Batch, key: str) -> None: ...
    def replies(self, timeout: float = 0.0) -> list[Reply]: ...


@dataclass(frozen=True, slots=True)
class Clocks:
    """Monotonic seconds, by which everything is timed, and UNIX seconds, for what others read."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]


class Service:
    """The connector between its outside systems. `step` turns the loop once; `stop` ends it."""

    def __init__(  # noqa: PLR0913, PLR0917 (its outside systems)
        self,
        settings: Settings,
        source: Source,
        sender: Send,
        topic: Topic,
        schemas: Registry | None = None,
        store: Store | None = None,
        *,
        metrics: Metrics,
        clocks: Clocks,
        lease: Lease | None = None,
    ) -> None:
        now = clocks.monotonic()
        self._settings = settings
        self._source = source
        self._sender = sender
        self._schemas = schemas
        self._metrics = metrics
        self._tell = Teller(metrics)
        self._clock = clocks.monotonic
        self._wall = clocks.wall
        self._lease = lease or Lease(math.inf, clocks.monotonic)
        self._offsets = Offsets()
        settle_time = settings.http_timeout + SERVER_SETTLES
        self._gate = Gate(settle_time)
        removals, batch_bytes = settings.removals == "each", settings.batch_max_bytes
        self._pending = Pending(self._offsets, removals=removals, batch_bytes=batch_bytes)
        self._suspensions = Suspensions()
        self._doubts = Doubts(self._offsets, self._suspensions, settings.topics)
        self._second = SecondSendings(settings.customer_delete_settle)
        self._budget = Budget(settings.rate_limit_per_minute, settings.rate_limit_per_hour, now=now, share=0.0)
        sources = [topic for topics in settings.topics.values() for topic in topics]
        self._sharing = Sharing(self._budget, self._suspensions, settings.topics, sources, source.partition_count)
        self._dispatch = Dispatch(
            self._pending,
            self._budget,
            entities=settings.topics,
            batch_max=settings.batch_max,
            lingers=Lingers(settings.linger_max, settings.delete_linger),
            suspicious=_suspicious,
            jitter=random.random,
            settle_time=settle_time,
            suspensions=self._suspensions,
            second=self._second,
            customers_by="email" if settings.customer_identifier == "Email" else "customerId",
        )
        self._mappings = {
            entity: Mapping(entity, settings.mapping[entity], settings.options(entity))
            for entity in settings.topics
            if entity not in settings.families
        }
        self._keeping = None
        assert store is not None or not settings.families
        if store is not None:
            families = families_of(settings, store, self._pending, self._suspensions, self._second)
            self._keeping = Keeping(
                store,
                families,
                self._offsets,
                self._suspensions,
                partition_count=self._sharing.count,
                compacted=source.compacted,
            )
        self._ownership = Ownership(
            source,
            offsets=self._offsets,
            gate=self._gate,
            pending=self._pending,
            topics=settings.topics,
            metrics=metrics,
            clock=clocks.monotonic,
            wall=clocks.wall,
            drain=self._drain,
            forget=self._forget,
            unclean=self._budget.close_until,
            sharing=self._sharing,
            lease=self._lease,
            keeping=self._keeping,
        )
        self._letters = Letters(topic, self._offsets, metrics, clocks.wall, self._letters_refused)
        entities = {topic: entity for entity, topics in settings.topics.items() for topic in topics}
        memory = Memory(RowNames(settings.primary_keys))
        self._intake = Intake(
            Wire(schemas),
            self._mappings,
            entities,
            self._pending,
            self._gate,
            partition_count=self._sharing.count,
            suppress=settings.suppress_unchanged,
            second=self._second,
            families={} if self._keeping is None else self._keeping.families,
            memory=memory,
        )
        self._taking = Taking(
            self._intake,
            self._doubts,
            offsets=self._offsets,
            letters=self._letters,
            metrics=metrics,
            entities=entities,
            halts=self._truncated if settings.truncates == "halt" else None,
        )
        self._unrepeated = Unrepeated(self._gate, self._ownership, self._pending)
        self._second.may_go = self._unrepeated.may_go
        self._replaying = Replaying(
            settings.replay_topic,
            settings.kafka_group_id,
            Parts(
                self._intake,
                self._taking,
                self._letters,
                self._ownership,
                self._offsets,
                self._gate,
                self._pending,
                memory,
                self._unrepeated,
                topics=settings.topics,
                kept={} if self._keeping is None else self._keeping.families,
            ),
        )
        self._report = Report(
            settings,
            source,
            metrics,
            offsets=self._offsets,
            gate=self._gate,
            pending=self._pending,
            budget=self._budget,
            dispatch=self._dispatch,
            ownership=self._ownership,
            letters=self._letters,
            doubts=self._doubts,
            keeping=self._keeping,
            wall=clocks.wall,
        )
        self._full: set[Entity] = set()
        self._stopping = False
        self._checked_letters = False
        self._letters_mended = False
        self._truncated_at = ""
        self._wait = 0.0
        self._turned_at = self._publish_at = now
        self.heartbeat = now
        self.ready = False
        self.status: dict[str, object] = {"version": __version__, "ready": False}

    # The loop

    def start(self) -> None:
        """Join the group. What the loop has to do from now on comes from Kafka."""
        self._source.subscribe(self._ownership, self._ownership.committed)

    def step(self) -> None:
        """Turn once, in the order in which data flows."""
        now = self.heartbeat = self._clock()
        self._check_key(now)
        self._read(now)
        self._settle(self._sender.replies())
        self._mend(now)
        self._assemble(now)
        self._send()
        self._unrepeated.turn(now)
        self._ownership.commit(now)
        stopped = self._dispatch.halting.halt is not None or self._stopping
        self._ownership.hold(stopped=stopped, full=self._full)
        self._tell.suspensions(self._suspensions.changes(), now)
        self.ready = True
        if now >= self._publish_at:
            self._publish_at = now + PUBLISH_INTERVAL
            self._tell.held_back()
            self._metrics.schemas_missing.set(0 if self._schemas is None else self._schemas.missing)
            for entity, mapping in self._mappings.items():
                self._tell.unseen(entity, mapping.unseen())
            for entity, families in {} if self._keeping is None else self._keeping.families.items():
                self._tell.unseen(entity, families.rows.unseen())
                self._tell.several(entity, families.several())
            self.status = self._report.publish(now, stopping=self._stopping, full=self._full)

    def stop(self) -> None:
        """Take nothing in any more, send what the budget allows at once, hand over, leave the group.

        Nothing is lost by what stays unsent: it is read again.
        """
        self._stopping = True
        self._dispatch.lingers = dataclasses.replace(self._dispatch.lingers, over=True)
        deadline = self._clock() + min(self._settings.http_timeout, LONGEST_DRAIN)
        self._send()
        while self._wait <= 0 and self._dispatch.flying and self._clock() < deadline:
            self._settle(self._sender.replies(LONGEST_WAIT))
            self._send()
        self._source.close()
        self._letters.flush(1.0)
        self._tell.held_back(at_once=True)

    def settled(self) -> int:
        """How many offsets of the owned partitions are settled, counted from the first of each."""
        return sum(self._offsets.committable(partition) or 0 for partition in self._ownership.partitions)

    # Reading

    def _read(self, now: float) -> None:
        wait = min(max(self._wait, SHORTEST_WAIT), LONGEST_WAIT)
        touched: dict[Partition, None] = {}
        outcomes: Counter[tuple[str, str, str]] = Counter()
        if (self._schemas is not None and self._schemas.arrived()) | self._replaying.turn(now):
            self._ownership.read_on()
        items = self._source.poll(READ_AT_ONCE, wait)
        if not self._lease.renew():
            self._ownership.doubt()
        self._take_over(now)
        for partition, item in self._ownership.admit(items):
            touched[partition] = None
            if isinstance(item, Record):
                try:
                    if item.topic == self._replaying.topic:
                        taken = self._replaying.take(item, partition, now, self._full)
                    else:
                        taken = self._taking.take(item, partition, now)
                except (SchemaMissing, Uncounted, NotYet):
                    self._ownership.hold_back(partition, item.offset)
                    continue
                outcomes[item.topic, taken.op, taken.outcome] += 1
        for labels, count in outcomes.items():
            self._metrics.events.labels(*labels).inc(count)
        self._ownership.rewind()
        for partition in touched:
            self._ownership.passes(partition)
        self._taking.turn(now, self._full)
        self._fill()

    def _fill(self) -> None:
        """Entities with so much waiting that their topics pause, until half of it is gone."""
        for entity in self._settings.topics:
            entries = self._pending.entries(entity) + self._letters.count(entity) + self._doubts.count(entity)
            taken = self._pending.bytes(entity) + self._letters.weight(entity) + self._doubts.weight(entity)
            allowance = min(self._doubts.allowance(entity), self._settings.pending_max_keys)
            most = self._settings.pending_max_keys + allowance
            room = self._settings.pending_max_bytes * most // self._settings.pending_max_keys
            few = 1 if allowance else 2  # a little room is used at once where what was mended is looked for
            if entity not in self._full and (entries >= most or taken >= room):
                self._full.add(entity)
                self._tell.paused(entity, entries)
            elif entity in self._full and few * entries < most and few * taken < room:
                self._full.discard(entity)
                self._tell.resumed(entity, entries)

    def _take_over(self, now: float) -> None:
        if self._ownership.learn(now) and not self._checked_letters:
            self._checked_letters = True
            self._check_letters(now)

    def _assemble(self, now: float) -> None:
        """Make documents of the families that are due; all that was read and settled by now is durable afterwards."""
        if self._keeping is None:
            return
        for entity, families in self._keeping.families.items() if self._sharing.counted else ():
            if self._gate.open(self._settings.topics[entity], now) and self._keeping.whole(entity, now):
                self._taking.assembled(entity, families.turn(now), families.settle)
        self._keeping.commit()

    # Sending

    def _send(self) -> None:
        """Send while something may go; remember when to ask again."""
        now = self._clock()
        key = self._settings.replenit_api_key.value()
        turned, self._turned_at = self._turned_at, now
        self._wait = LONGEST_WAIT
        if not self._sharing.counted or not self._lease.holds(self._lease.term):
            return
        ready = self._ownership.open(self.heartbeat, self._full)  # of what was open when families were assembled
        while key is not None and self._dispatch.flying < CONNECTIONS:
            batch = self._dispatch.next(now, ready)
            if not isinstance(batch, Batch):
                self._wait = batch
                if self._dispatch.halting.halt is None and self._budget.wait(now) > 0 and self._pending.ready():
                    self._metrics.rate_limit_wait.inc(now - turned)
                return
            self._wait = 0.0
            self._metrics.inflight.inc()
            if batch.request.body is not None and batch.entries:
                self._metrics.batch_records.labels(batch.request.endpoint).observe(len(batch.entries))
            if self._keeping is not None:
                self._keeping.leaving(batch.entries)
            self._sender.send(batch, key)

    def _settle(self, replies: Iterable[Reply]) -> None:
        for reply in replies:
            now = self._clock()
            code = str(reply.reply.status) if isinstance(reply.reply, Answer) else reply.reply.reason
            endpoint = reply.batch.request.endpoint
            self._metrics.inflight.dec()
            self._metrics.requests.labels(endpoint, code, reply.batch.purpose).inc()
            self._metrics.request_duration.labels(endpoint).observe(reply.duration)
            carried = [entry.committed_ms for entry in reply.batch.entries]
            follows = self._dispatch.settle(reply.batch, reply.reply, now)
            self._follow(reply, follows, code, now)
            if follows.delivered or follows.dead or follows.condemned:
                self._report.progressed()
            if isinstance(follows.outcome, Delivered):
                self._observe_freshness(reply.batch.entries, carried, follows)

    def _observe_freshness(
        self, entries: Sequence[Entry], carried: Sequence[int | None], follows: Consequences
    ) -> None:
        done = set(map(id, follows.delivered))
        wall = self._wall()
        for entry, committed_ms in zip(entries, carried, strict=True):
            if committed_ms is not None and id(entry) in done:
                self._metrics.source_to_ack.observe(max(0.0, wall - committed_ms / 1000))

    def _follow(self, reply: Reply, follows: Consequences, code: str, now: float) -> None:
        endpoint = reply.batch.request.endpoint
        status = reply.reply.status if isinstance(reply.reply, Answer) else None
        for entry, reject in follows.condemned:
            self._bury(entry, reject, endpoint, None)  # which answer it was is not remembered
        for entry, reject in follows.dead:
            self._bury(entry, reject, endpoint, status)
        self._tell.halted(follows.halted)
        self._tell.recovered(follows.recovered, now)
        self._tell.answered(follows, endpoint, code, now)
        self._tell.other_limit(self._budget.unexpected_limit())

    def _bury(self, entry: Entry, reject: Reject, endpoint: str, status: int | None) -> None:
        record, entity = entry.record, entry.key.entity
        place = Partition(record.topic, record.partition)
        leftovers = Leftovers(items=self._intake.refused(record, place, entry.key, entry.state.stale))
        attempts = entry.failures + 1
        confirmed = None
        if entry.origins and self._keeping is not None:
            leftovers |= self._keeping.families[entity].refused(entry)
            confirmed = partial(self._keeping.families[entity].settled, entry)
        self._letters.write(
            record, entry.places, entity, reject, endpoint, status, attempts, confirmed, entry.origins, leftovers
        )

    # Halts

    def _check_key(self, now: float) -> None:
        halted, recovered = self._dispatch.see_key(self._settings.replenit_api_key.fingerprint(), now)
        self._tell.halted(halted)
        self._tell.recovered(recovered, now)

    def _mend(self, now: float) -> None:
        """Serve the dead-letter topic; while it takes nothing, try it again when the time has come.

        The halt ends once it has taken what it refused. What was refused during another halt goes when that ends.
        """
        self._letters.serve()
        owned = any(map(self._ownership.partitions_of, self._settings.topics))
        if not owned:  # replays alone give no part of the budget
            self._tell.recovered(self._dispatch.halting.nothing_to_send(), now)
        halt = self._dispatch.halting.halt
        if halt is None:
            if self._truncated_at:  # it was read while another halt was under way, which is over
                self._truncated(self._truncated_at)
            if self._letters.unwritten:
                self._letters.rewrite()
        elif halt.reason is HaltReason.DEAD_LETTER_TOPIC:
            if now >= halt.probes.next_at:
                halt.probes.postpone(now)
                self._retry_letters(halt)
            if self._letters_mended and not self._letters.unconfirmed:
                self._dispatch.halting.resume()
                self._tell.recovered(halt, now)

    def _retry_letters(self, halt: Halt) -> None:
        why = self._letters.missing()
        self._letters_mended = why is None
        if why is None:
            self._letters.rewrite()
        else:
            halt.detail = why

    def _check_letters(self, now: float) -> None:
        why = self._letters.missing()
        self._letters_mended = why is None
        if why is not None:
            self._tell.halted(self._dispatch.halting.stop(HaltReason.DEAD_LETTER_TOPIC, now, why))

    def _letters_refused(self, why: str) -> None:
        self._letters_mended = False
        self._tell.halted(self._dispatch.halting.stop(HaltReason.DEAD_LETTER_TOPIC, self._clock(), why))

    def _truncated(self, where: str) -> None:
        self._truncated_at = where
        self._tell.halted(self._dispatch.halting.stop(HaltReason.TRUNCATED, self._clock(), where))

    # Handing over

    def _drain(self, partitions: Sequence[Partition]) -> None:
        """Wait for what is in flight of the partitions, and for dead letters, before they go to another process."""
        deadline = self._clock() + min(self._settings.http_timeout, LONGEST_DRAIN)
        while any(map(self._pending.flying, partitions)) and (left := deadline - self._clock()) > 0:
            self._settle(self._sender.replies(min(left, LONGEST_WAIT)))
        if self._letters.unconfirmed:
            self._letters.flush(max(1.0, deadline - self._clock()))
        if self._keeping is not None:
            self._keeping.commit()

    def _forget(self, partitions: Sequence[Partition]) -> None:
        """The partitions are another process's, or are read anew."""
        self._taking.forget(partitions)
        self._replaying.forget(partitions)
        self._unrepeated.forget(partitions)
        self._second.forget(partitions)
        if self._keeping is not None:
            self._keeping.forget(partitions)


def _suspicious(entry: Entry) -> bool:
    return entry.state.document is not None and documents.strictly_wrong(entry.key.entity, entry.state.document)
