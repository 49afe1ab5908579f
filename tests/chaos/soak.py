"""What the connector's processes use of the machine: looked at each second, and judged in the end."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from resource import getpagesize
from statistics import median
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from chaos.judge import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from chaos.members import Member

_MB = 1_000_000
_GROWN_UP = 20.0
"""Seconds after which a process has read what it was started with: from then on it should not grow."""

_FEWEST_LIVES = 9


class Use(NamedTuple):
    """Of a process: MB of memory, open files and threads; and MB on its disk."""

    memory: float
    files: float
    threads: float
    disk: float

    def __str__(self) -> str:
        memory, files, threads, disk = self
        return f"RSS {memory:.0f} MB, fds {files:.0f}, threads {threads:.0f}, disk {disk:.1f} MB"


_NONE = Use(0, 0, 0, 0)
MOST = Use(130, 80, 50, 24)
MOST_GROWTH = 25.0
"""MB by which the memory of processes of one age may grow during a run, and that of one process during its life."""


@dataclass
class Life:
    """A process from when it had grown up: MB of memory then, and last."""

    began: float
    young: float = 0.0
    old: float = 0.0
    age: float = 0.0


@dataclass
class Soak:
    """`peak`: of everything the most that any process ever used. Where there is no /proc nothing is seen."""

    members: Sequence[Member]
    peak: Use = _NONE
    lives: dict[tuple[str, int], Life] = field(default_factory=dict)
    _due: float = 0.0

    def look(self) -> None:
        """Look at all processes, if it is time."""
        now = monotonic()
        if now < self._due:
            return
        self._due = now + 1
        for member in self.members:
            if member.process is not None:
                with suppress(OSError):  # it has just ended
                    self._note(member, now)

    def _note(self, member: Member, now: float) -> None:
        process = Path(f"/proc/{member.process.process.pid}") if member.process else Path()
        memory = int((process / "statm").read_text().split()[1]) * getpagesize() / _MB
        files, threads = (len([*(process / each).iterdir()]) for each in ("fd", "task"))
        self.peak = Use(*map(max, self.peak, Use(memory, files, threads, member.disk_use() / _MB)))
        life = self.lives.setdefault((member.name, member.starts), Life(now))
        life.age = now - life.began
        if life.age >= _GROWN_UP:
            life.young, life.old = life.young or memory, memory

    def growth(self) -> float:
        """MB by which those of the run's last third are larger than those of its first, at the same age."""
        young = [life.young for life in self.lives.values() if life.young]
        third = len(young) // 3
        return median(young[-third:]) - median(young[:third]) if len(young) >= _FEWEST_LIVES else 0.0

    def faults(self) -> Iterator[Fault]:
        """What was used beyond all bounds."""
        for name, used, most in zip(Use._fields, self.peak, MOST, strict=True):
            if used > most:
                yield Fault(f"{name}: {used:.0f} at most, and the bound is {most:.0f}")
        if self.growth() > MOST_GROWTH:
            yield Fault(f"processes of {_GROWN_UP:.0f} s grew by {self.growth():.0f} MB during the run")
        for life in self.lives.values():
            if life.old - life.young > MOST_GROWTH:
                yield Fault(f"a process grew from {life.young:.0f} to {life.old:.0f} MB in {life.age:.0f} s")

    def __str__(self) -> str:
        oldest = max(self.lives.values(), key=lambda life: life.age, default=Life(0))
        return (
            f"peak {self.peak}; {self.growth():+.0f} MB at {_GROWN_UP:.0f} s; "
            f"the oldest process lived {oldest.age:.0f} s, {oldest.old - oldest.young:+.0f} MB"
        )
