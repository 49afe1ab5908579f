"""One run: a shop's changes, faults among them, then quiet, and the verdict."""

from __future__ import annotations

from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from random import Random
from shutil import copy
from time import monotonic
from typing import TYPE_CHECKING

from chaos import judge
from chaos.faults import TRACKS
from chaos.judge import Fault
from chaos.stage import LIMITS, Stage
from chaos.story import logged, story

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from chaos.faults import Course, Kind
    from kafka_node import Node

RATE, CALM_RATE = 25.0, 2.5
"""Changes in a real second while the shop is busy, and else: more would take more requests than are allowed."""

BUSY, STORM, CYCLE = 80.0, 240.0, 480.0
"""Real seconds: for so long the shop is busy, and processes suffer, in each cycle of a long run; then those live on."""

CALMED = ("processes", "machine")

PATIENCE = 240.0
"""Real seconds within which all is settled once all is well, and a tenth of the run's: what waits may have grown."""

_STORIES = 3


@dataclass
class Outcome:
    """What a run came to. `broken`: each promise that was, with its story."""

    seed: int
    broken: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    fullest: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    quiet_after: float = 0.0
    use: str = ""

    def __str__(self) -> str:
        return (
            f"seed {self.seed}: {'broken' if self.broken else 'clean'} after {self.seconds:.0f} s, of which "
            f"{self.quiet_after:.0f} s without faults; fullest minute {self.fullest[0]}, hour {self.fullest[1]}; "
            f"{_listed(self.counts)}\n  faults: {_listed(self.faults)}\n  {self.use}"
        )


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(counts.items()))


class Track:
    """Deals faults from a shuffled deck, one after the other."""

    def __init__(self, name: str, stage: Stage) -> None:
        self.dealt: Counter[str] = Counter()
        self.name = name
        self._gaps, self._kinds = TRACKS[name]
        self._deck: list[Kind] = []
        self._stage = stage
        self._random = Random(f"{stage.seed} {name}")
        self._course: Course | None = None
        self._due = monotonic() + self._random.uniform(*self._gaps)

    def turn(self, *, calm: bool = False) -> None:
        """Begin a fault, or go on with it, if it is time; while it is calm none begins."""
        if monotonic() >= self._due:
            if self._course is None and not calm:
                self._course = self._deal()
            if self._course is not None:
                self._go_on(self._course)

    def end(self) -> bool:
        """Go on with what is under way, as it is time; False once there is nothing."""
        if self._course is not None and monotonic() >= self._due:
            self._go_on(self._course)
        return self._course is not None

    def _deal(self) -> Course:
        self._deck = self._deck or self._random.sample(self._kinds, len(self._kinds))
        kind = self._deck.pop()
        self.dealt[kind.__name__] += 1
        self._stage.tell(f"{self.name}: {kind.__name__.replace('_', ' ')}")
        return kind(self._stage)

    def _go_on(self, course: Course) -> None:
        wait = next(course, None)
        if wait is None:
            self._course = None
            wait = self._random.uniform(*self._gaps)
        self._due = monotonic() + wait


def play(
    seed: int, seconds: float, node: Node, tracks: Iterable[str] = tuple(TRACKS), logs: Path | None = None
) -> Outcome:
    """Run for so many seconds and until all is quiet; `node` is a broker of the run's own.

    What the connector's processes print is copied to the folder `logs`.
    """
    outcome = Outcome(seed)
    with ExitStack() as stack:
        stage = Stage(node, seed, stack)
        began = monotonic()
        dealt = [Track(name, stage) for name in tracks]
        faults = _trouble(stage, dealt, began + seconds)
        outcome.faults = sum((track.dealt for track in dealt), Counter())
        quiet = monotonic()
        faults = faults or _quiet(stage, PATIENCE + seconds / 10)
        outcome.use = str(stage.soak)
        outcome.quiet_after, outcome.seconds = monotonic() - quiet, monotonic() - began
        for member in stage.members:
            member.kill()
        _judge(stage, faults, outcome)
        for output in stage.folder.glob("output-*") if logs else ():
            copy(output, f"{logs}/{seed}-{output.name}")
    return outcome


def _trouble(stage: Stage, tracks: list[Track], end: float) -> list[Fault]:
    """Change the shop, and let faults befall everything; what is found broken ends it."""
    began = last = monotonic()
    due, others_at = 0.0, 0.0
    stage.members[0].start()
    while (now := monotonic()) < end and not (found := _broken(stage)):
        passed = (now - began) % CYCLE
        due += (now - last) * (RATE if passed < BUSY else CALM_RATE)
        last = now
        while due >= 1:
            stage.shop.turn()
            due -= 1
        for track in tracks:
            track.turn(calm=passed >= STORM and track.name in CALMED)
        _look_after(stage)
        if stage.other_client and now >= others_at:
            others_at = now + stage.other_client
            stage.send_as_other()
    while any([track.end() for track in tracks]):  # noqa: C419 (each has its turn)
        _look_after(stage)
    return _broken(stage) if now >= end else found


def _look_after(stage: Stage) -> None:
    stage.topics.serve(0.01)
    stage.soak.look()
    for member in stage.members:
        status = member.restart_if_ended(well=stage.well)
        if status is not None:
            stage.tell(f"{member.name} has ended by itself with {status}, and is started anew")


def _quiet(stage: Stage, patience: float) -> list[Fault]:
    """Let all be well again, and wait until everything is settled."""
    stage.tell("all is well again")
    stage.trouble()
    stage.stop(stage.members[1])
    stage.shop.mend()
    end = monotonic() + patience
    while left := stage.unsettled():
        if found := _broken(stage):
            return found
        if monotonic() > end:
            return [Fault(f"not settled within {patience:.0f} s: {left}")]
        _look_after(stage)
        stage.topics.serve(0.1)
    stage.stop(stage.members[0])
    return _broken(stage)


def _broken(stage: Stage) -> list[Fault]:
    return [*stage.watched.broken, *map(Fault, stage.broken())]


def _excuses(stage: Stage) -> tuple[dict[str, list[float]], list[float]]:
    """The UNIX times at which each partition was assigned, and those of what befell Kafka."""
    assigned = defaultdict(list)
    for time, _, said in logged(stage):
        for partition in said["partitions"] if said["event"] == "assigned" else ():
            assigned[partition].append(time)
    clock = stage.clock
    return assigned, [clock.began + at / clock.speed for at, what in stage.told if what.startswith("Kafka: ")]


def _judge(stage: Stage, faults: list[Fault], outcome: Outcome) -> None:
    ours = [each for each in stage.sandbox.requests if each.ids != (judge.OTHERS,)]
    outcome.fullest, over = judge.windows(ours, LIMITS)
    faults = [*faults, *over, *stage.soak.faults()]
    letters = stage.topics.all_letters()
    if not faults:
        faults += judge.final_state(stage.shop, stage.sandbox.state, stage.upsert)
        faults += judge.letters(stage.shop, letters)
        faults += judge.repeated(letters, *_excuses(stage))
    takeovers = sum(said["event"] == "assigned" for _, _, said in logged(stage))
    if not faults:
        faults += judge.waste(stage.shop, stage.watched.told, ours, takeovers)
    outcome.counts = Counter(
        takeovers=takeovers,
        deletes=sum(each.method == "DELETE" for each in ours),
        events=len(stage.shop.changes),
        requests=len(ours),
        others=len(stage.sandbox.requests) - len(ours),
        dead_letters=len(letters),
        unanswered=sum(not each.status for each in ours),
        refused=sum(each.status not in {0, 200, 404} for each in ours),
        **{f"upserts_{name}": count for name, count in stage.watched.told.items()},
    )
    outcome.broken = [f"{fault}\n{story(stage, fault)}" for fault in faults[:_STORIES]]
