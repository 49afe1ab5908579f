"""Hypothesis makes up stories rule by rule; what breaks a promise is shown as the least story that does."""

from __future__ import annotations

from typing import Any

from family_shop import Dialect
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from model.families import FamilyKind, FamilyStage
from model.stage import NAMES_BAD, Kind, Stage
from model.story import RULES, call, stage_of

SEEDS = st.integers(0, 999)
KINDS = st.builds(
    Kind,
    seed=SEEDS,
    merges=st.booleans(),
    tight=st.booleans(),
    interleaves=st.booleans(),
    narrow=st.booleans(),
    queues=st.booleans(),
    names_bad=st.sampled_from(NAMES_BAD),
)
FAMILY_KINDS = st.builds(
    FamilyKind, seed=SEEDS, merges=st.booleans(), dialect=st.sampled_from(Dialect), by_order=st.booleans()
)


def _rule(name: str, arguments: dict[str, Any]) -> Any:  # noqa: ANN401 (what hypothesis makes of a function)
    def happens(self: Machine, **given: Any) -> None:  # noqa: ANN401 (of the rule)
        call(self.stage, name, **given)

    happens.__name__ = name
    declare: Any = rule
    return declare(**arguments)(happens)


class Machine(RuleBasedStateMachine):
    """A stage, of which nothing is ever broken, and which converges once everything is healed."""

    stage: Stage | FamilyStage

    @invariant()
    def nothing_is_broken(self) -> None:
        assert self.stage.broken == []

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            assert self.stage.end() == []


def _machine(kind: type[Kind | FamilyKind], kinds: st.SearchStrategy[Kind | FamilyKind], stories: int) -> Any:  # noqa: ANN401 (a test case)
    @initialize(kind=kinds)
    def begin(self: Machine, kind: Kind | FamilyKind) -> None:
        self.stage = stage_of(kind)

    rules = {
        name: _rule(name, {each: st.sampled_from(values) for each, values in of.arguments.items()})
        for name, of in RULES[kind].items()
    }
    machine: Any = type(kind.__name__, (Machine,), {"begin": begin, **rules})
    case = machine.TestCase
    case.settings = settings(
        max_examples=stories,
        stateful_step_count=30,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    return case


TestShop = _machine(Kind, KINDS, 200)
TestFamilies = _machine(FamilyKind, FAMILY_KINDS, 80)
