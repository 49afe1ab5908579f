"""Stories: what happens on a stage, one step after the other. A story is told, played, made up and shortened."""

from __future__ import annotations

import dataclasses
import re
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from family_shop import Dialect
from model.families import FAMILY_RULES, FamilyKind, FamilyStage
from model.rules import PROCESS_RULES
from model.stage import NAMES_BAD, SHOP_RULES, Kind, Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

RULES = {Kind: SHOP_RULES | PROCESS_RULES, FamilyKind: FAMILY_RULES}
"""Of each kind of stage."""


def stage_of(kind: Kind | FamilyKind) -> Stage | FamilyStage:
    return Stage(kind) if isinstance(kind, Kind) else FamilyStage(kind)


def call(stage: Stage | FamilyStage, rule: str, **arguments: Any) -> None:  # noqa: ANN401 (of the rule)
    """Let it happen."""
    getattr(stage.processes if rule in PROCESS_RULES else stage, rule)(**arguments)


@dataclass(frozen=True)
class Step:
    """One call of a rule."""

    rule: str
    arguments: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.rule}({', '.join(f'{name}={value!r}' for name, value in self.arguments)})"


def step(rule: str, **arguments: Any) -> Step:  # noqa: ANN401 (of the rule)
    return Step(rule, tuple(arguments.items()))


@dataclass(frozen=True)
class Story:
    """What happens, from the start of one process to its end with everything healed."""

    kind: Kind | FamilyKind
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        lines = [f"{number:4}. {step}" for number, step in enumerate(self.steps, 1)]
        return "\n".join([f"     {self.kind}", *lines])

    def play(self) -> list[str]:
        """What is wrong, nothing if all is well."""
        try:
            stage = stage_of(self.kind)
            for each in self.steps:
                call(stage, each.rule, **dict(each.arguments))
                if stage.broken:
                    return stage.broken
            return stage.end()
        except Exception:  # noqa: BLE001 (whatever the connector raises is a find)
            return [traceback.format_exc()]


def make_up(chance: Random) -> Story:
    """A story at random."""
    kind: Kind | FamilyKind
    seed, merges = chance.randrange(1000), chance.random() < 0.5
    if chance.random() < 0.7:
        also = {name: chance.random() < 0.2 for name in ("tight", "narrow", "queues")}
        kind = Kind(seed, merges, interleaves=chance.random() < 0.8, names_bad=chance.choice(NAMES_BAD), **also)
    else:
        kind = FamilyKind(seed, merges, chance.choice(list(Dialect)), by_order=chance.random() < 0.3)
    rules = RULES[type(kind)]
    few = chance.sample(list(rules), chance.randrange(6, len(rules)))  # few rules make other stories than all do
    few += ["write" if isinstance(kind, Kind) else "trade", "run", "turn", "start"]
    chosen = chance.choices(few, [rules[name].weight for name in few], k=chance.randrange(5, 50))
    steps = ((name, {each: chance.choice(of) for each, of in rules[name].arguments.items()}) for name in chosen)
    return Story(kind, tuple(step(name, **given) for name, given in steps))


def shorten(story: Story, wrong: Callable[[Story], bool]) -> Story:
    """The story without whatever can be left out of it while it still is wrong: delta debugging."""
    size = max(1, len(story.steps) // 2)
    while size:
        start = 0
        while start < len(story.steps):
            shorter = Story(story.kind, story.steps[:start] + story.steps[start + size :])
            if wrong(shorter):
                story = shorter
            else:
                start += size
        size //= 2
    for field in dataclasses.fields(story.kind):
        plain: dict[str, Any] = {field.name: field.default}
        plainer = Story(dataclasses.replace(story.kind, **plain), story.steps)
        story = plainer if wrong(plainer) else story
    return story


def alike(problems: Sequence[str]) -> str:
    """What is wrong, without the names and numbers of the story."""
    first = problems[0].strip().splitlines()[-1] if problems else ""
    return re.sub(r"shop\.\w+|customers|orders|products|[cop]?\d+(\.\d+)?", "…", first)
