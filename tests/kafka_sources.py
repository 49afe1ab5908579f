"""Where a broker for tests comes from: a container if that can be had, else Kafka's jars."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafka_container import ContainerNode
from kafka_jars import JarNode
from kafka_node import Node, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCES: dict[str, Callable[[], Node]] = {"container": ContainerNode, "jars": JarNode}


def start_node() -> Node:
    """Start a broker from the first source that has one. UnavailableError says why none of them has."""
    failures = []
    for name, source in SOURCES.items():
        try:
            return source()
        except UnavailableError as error:
            failures.append(f"{name}: {error}")
    raise UnavailableError("no Kafka broker: " + "; ".join(failures))
