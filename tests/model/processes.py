"""The processes of the connector, up to two at a time in one group: how they start, end and stand still, and time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.group import SESSION, Group, Member
from simulation import SimulatedTopic, World

from connector.adapters.sender import Reply
from connector.core.lease import Lease
from connector.core.requests import NoAnswer
from connector.service import Clocks

if TYPE_CHECKING:
    from collections.abc import Callable

    from connector.core.dispatch import Batch
    from connector.core.requests import Answer
    from connector.service import Service

    Accept = Callable[[Batch, Callable[[Answer | NoAnswer], None]], None]


class Sender:
    """The threads of one process. A request is written only in the term of the lease in which it was handed over.

    What a process hands over is written within `delay` seconds, unless the process is `still` then: it stands still, or
    has ended.
    """

    def __init__(self, world: World, lease: Lease, accept: Accept, delay: float) -> None:
        self.lease = lease
        self._world, self._accept = world, accept
        self._unwritten: list[Callable[[], None]] = []
        self._replies: list[Reply] = []
        self._still = False
        self._delay = delay

    @property
    def still(self) -> bool:
        return self._still

    @still.setter
    def still(self, still: bool) -> None:
        self._still = still
        unwritten, self._unwritten = self._unwritten, []
        for write in unwritten:
            write()

    def send(self, batch: Batch, key: str) -> None:
        sent, term = self._world.now, self.lease.term

        def reply(answer: Answer | NoAnswer) -> None:
            self._replies.append(Reply(batch, answer, self._world.now - sent))

        def write() -> None:
            if self._still:
                self._unwritten.append(write)
            elif not self.lease.holds(term):
                reply(NoAnswer("stale", ambiguous=False))
            else:
                self._accept(batch, reply)

        self._world.at(sent + self._world.random.uniform(0, self._delay), write)

    def replies(self, timeout: float = 0.0) -> list[Reply]:
        end = self._world.now + timeout
        while not self._replies and self._world.now < end:
            event = self._world.next_event()
            self._world.advance(min(end, end if event is None else event) - self._world.now)
        found, self._replies = self._replies, []
        return found


@dataclass(frozen=True, eq=False)
class Process:
    """One life of the connector."""

    service: Service
    member: Member
    sender: Sender
    topic: SimulatedTopic


class Processes:
    """See above.

    `accept` is where the requests of a place go, `launch` makes a service, `meanwhile` lets rows change while one
    stands still. Nothing goes on once something is `broken`. `ended` hears of a place whose process has ended at once.
    """

    def __init__(
        self,
        world: World,
        group: Group,
        broken: list[str],
        *,
        accept: Callable[[int], Accept],
        launch: Callable[[Member, Sender, SimulatedTopic, Clocks], Service],
        meanwhile: Callable[[int], None],
        ended: Callable[[int], None] = lambda _: None,
        delay: float = 0.02,
    ) -> None:
        self.world = world
        self.group = group
        self.running: dict[int, Process] = {}
        self._broken = broken
        self._accept = accept
        self._launch = launch
        self._meanwhile = meanwhile
        self._ended = ended
        self._delay = delay
        self._wall_ahead = 0.0
        self._uncertain_until = 0.0  # a process has ended, or stood still: its successor waits by the wall clock
        self._frozen: set[int] = set()

    # Lives

    def start(self, slot: int) -> None:
        """Start a process, unless one runs in this place, or a topic has grown and its rows' records are divided."""
        grown = any(partition not in self.group.first for partition in self.world.log)
        if slot in self.running or (grown and self.running and not self.world.settled()):
            return
        member = Member(self.group, f"process {slot}")
        topic = SimulatedTopic(self.world)
        clocks = Clocks(lambda: self.world.now, lambda: self.world.now + self._wall_ahead)
        sender = Sender(self.world, Lease(SESSION, clocks.monotonic), self._accept(slot), self._delay)
        service = self._launch(member, sender, topic, clocks)
        service.start()
        self.running[slot] = Process(service, member, sender, topic)

    def stop(self, slot: int) -> None:
        """End a process in good order."""
        process = self.running.pop(slot, None)
        if process is not None:
            process.service.stop()
            process.sender.still = True
            self._unclean()

    def crash(self, slot: int, *, known: bool) -> None:
        """End a process at once. `known`: its successor takes its place in the group; else that takes a session."""
        process = self.running.pop(slot, None)
        if process is None:
            return
        process.sender.still = True
        if known:
            self.group.evict(process.member)
        else:
            self.group.silent(process.member, math.inf)
            process.topic.serve()  # its dead letters have arrived, and it never learnt of it
        self._ended(slot)
        self._unclean()

    def freeze(self, slot: int, seconds: float, number: int) -> None:
        """Stop a process in the midst of a poll, and let it go on later with what it knew; rows change meanwhile."""
        process = self.running.get(slot)
        if process is None:
            return

        def stand_still() -> None:
            self._frozen.add(slot)
            process.sender.still = True
            self.group.silent(process.member, seconds)
            self._meanwhile(number)
            self.run(seconds, 0.5)
            self._frozen.discard(slot)
            process.sender.still = False

        process.member.stopped_within = stand_still
        self._unclean()
        process.service.step()
        self._unclean()

    def expel(self, slot: int) -> None:
        """The group gives a process up that lives: its heartbeats did not arrive."""
        if slot in self.running:
            self.group.evict(self.running[slot].member)
            self._unclean()

    def _unclean(self) -> None:
        self._uncertain_until = self.world.now + 100

    # Kafka

    def rotate(self) -> None:
        """Every partition is given to another process, if there are several."""
        self.group.rotation += 1

    def commit_faults(self, fault: str, count: int) -> None:
        """What becomes of the next commits."""
        self.group.commit_faults = [fault] * count

    def silence(self, seconds: float) -> None:
        """Kafka does not answer questions about offsets for so long."""
        self.world.bounds_known_at = self.world.now + seconds

    def letters(self, *, taken: bool, shown: bool) -> None:
        """Whether the dead-letter topic takes anything from now on; else whether it is there."""
        self.world.faults.letters_refused, self.world.faults.letters_topic_shown = not taken, shown

    def heal(self) -> None:
        """Nothing of all this goes wrong any more, and a process runs."""
        self.letters(taken=True, shown=True)
        self.commit_faults("", 0)
        self.world.bounds_known_at = 0.0
        self.world.stalled.clear()
        if not self.running:
            self.start(0)

    # Time

    def turn(self, steps: int) -> None:
        """Let all processes turn so many times."""
        for _ in range(steps):
            self._step(0.0, 0.1)

    def run(self, seconds: float, least_wait: float) -> None:
        """Let all processes turn for so long. `least_wait`: seconds that a poll takes at least."""
        end = self.world.now + seconds
        while self.world.now < end and not self._broken:
            longest = 4.0 / max(1, len(self.running))  # each polls well within its session
            self._step(min(max(least_wait, seconds / 150), longest), end - self.world.now)

    def rest(self, seconds: float, settled: Callable[[], bool]) -> bool:
        """Let all processes turn until all is settled, at most for so long; whether it is."""
        began = self.world.now
        while self.world.now < began + seconds and not self._broken and not settled():
            self._step(0.2 if self.world.now < began + 20 else 1.0, 1.0)
        return settled()

    def sleep(self, seconds: float) -> None:
        """Nobody turns for so long: the machine sleeps."""
        for process in self.running.values():
            self.group.silent(process.member, seconds)
            process.sender.still = True
        self._unclean()
        self.world.advance(seconds)
        self._unclean()
        for process in self.running.values():
            process.sender.still = False

    def jump(self, seconds: float) -> None:
        """The wall clock jumps. Not ahead while a successor has to wait by it."""
        if seconds < 0 or self.world.now > self._uncertain_until:
            self._wall_ahead += seconds

    def _step(self, least_wait: float, idle: float) -> None:
        running = [process for slot, process in self.running.items() if slot not in self._frozen]
        if not running:
            self.world.advance(idle)
        for process in running:
            process.member.least_wait = least_wait
            process.service.step()
