"""Stories that the search has found, each the least one that broke a promise once."""

from __future__ import annotations

import pytest
from model.families import FamilyKind
from model.stage import Kind
from model.story import Story, step


def test_a_gateway_gives_up_long_before_the_server_is_done() -> None:
    """The key waits until a minute after its request was sent, not only until half a minute after the 502."""
    steps = [
        step("write", entity="customers", number=1, shape=1),
        step("api_fault", fault="gateway", share=1.0),
        step("run", seconds=45, least_wait=0.3),
        step("api_fault", fault="none", share=1.0),
        step("write", entity="customers", number=1, shape=1),
        step("run", seconds=45, least_wait=0.3),
    ]
    assert [Story(Kind(seed), tuple(steps)).play() for seed in range(8)] == [[]] * 8


@pytest.mark.parametrize("unread", ["halted", "asked in vain", "stalled", "halted, and it is empty"])
def test_a_partition_is_added_while_older_ones_have_unread_records(unread: str) -> None:
    """A process that runs reads those first, be its group new: a row's newer state is in the new partition."""
    before = {
        "halted": [step("api_fault", fault="unauthorized", share=1.0)],
        "asked in vain": [step("silence", seconds=20)],
        "stalled": [step("stall", entity="products", number=0, seconds=8)],
    }
    steps = [
        step("write", entity="customers", number=1, shape=1),
        step("run", seconds=2, least_wait=0.3),
        *before[unread.split(",", maxsplit=1)[0]],
        step("write", entity="customers", number=1, shape=1),
        step("run", seconds=15 if "halted" in unread else 0.1, least_wait=0.1),
        step("write", entity="products", number=2, shape=4),
        step("grow", entity="products"),
        step("run", seconds=2 if "empty" in unread else 0.01, least_wait=0.0),
        step("write", entity="products", number=2, shape=4),
        step("run", seconds=6, least_wait=0.3),
    ]
    assert Story(Kind(), tuple(steps)).play() == []


def test_repetitions_in_an_older_partition_do_not_hold_a_new_one_back_for_ever() -> None:
    """The one has been read, and nothing comes there any more that would tell that its repetitions have ended."""
    steps = [
        step("guest", there=True),
        step("trade", chance=116, transactions=5, bad=0.0),
        step("run", seconds=2, least_wait=0.3),
        step("snapshot"),
        step("trade", chance=998, transactions=1, bad=0.0),
    ]
    assert Story(FamilyKind(), tuple(steps)).play() == []
