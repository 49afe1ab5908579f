"""The broker that tests run against, and `--no-skips`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from kafka_broker import Broker

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from kafka_node import Node

BOOTSTRAP_SERVERS = "TEST_KAFKA_BOOTSTRAP_SERVERS"


@pytest.fixture(scope="session")
def start_kafka() -> Callable[[], Node]:
    """Give what starts a broker: in a container if that can be had, else from Kafka's jars, else skip."""
    from kafka_container import ContainerNode  # noqa: PLC0415 (slow, and most runs need none of it)
    from kafka_jars import JarNode  # noqa: PLC0415
    from unavailable import UnavailableError  # noqa: PLC0415

    sources: list[Callable[[], Node]] = [ContainerNode, JarNode]
    failures: list[str] = []

    def start() -> Node:
        while sources:
            try:
                return sources[0]()
            except UnavailableError as error:
                failures.append(str(error))
                del sources[0]  # what it lacks now it will lack for the next test too
        pytest.skip(f"no Kafka broker: {'; '.join(failures)}; {BOOTSTRAP_SERVERS} names a running one")

    return start


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """Give a real broker for the whole run; each test creates topics of its own in it."""
    given = os.environ.get(BOOTSTRAP_SERVERS)
    if given:
        broker = Broker(given)
        yield broker
        broker.delete_topics(*broker.topics)
        return
    node = request.getfixturevalue("start_kafka")()
    yield node.broker
    node.close()


@pytest.fixture
def own_kafka(start_kafka: Callable[[], Node]) -> Iterator[Node]:
    """Give a real broker for this test alone, to be stopped, killed and hung."""
    node = start_kafka()
    yield node
    node.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a test that is skipped has failed")
    parser.addoption("--days", type=int, default=10, help="the demo's days that are judged, each by another seed")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "demo_day" in metafunc.fixturenames:
        metafunc.parametrize("demo_day", range(metafunc.config.getoption("--days")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"kafka", "start_kafka"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(collector.config, report)
    return report


def _refuse_skip(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if report.skipped and config.getoption("--no-skips"):
        reason = report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped under --no-skips: {reason}"
