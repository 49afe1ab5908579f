"""Stories that the search has found, each the least one that broke a promise once."""

from __future__ import annotations

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
