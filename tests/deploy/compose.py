"""What stands in `deploy/compose`."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent.parent.parent / "deploy" / "compose"


@cache
def composed() -> dict[str, Any]:
    """The compose file, its anchors resolved."""
    file: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    return file


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = composed()["services"][name]
    return found


def debezium() -> dict[str, str]:
    """The configuration of Debezium's connector."""
    configuration: dict[str, str] = json.loads((FOLDER / "debezium.json").read_text())
    return configuration


def mounts(name: str) -> dict[str, Path]:
    """Where a service finds a file → the file."""
    volumes = [each.split(":") for each in service(name).get("volumes", ())]
    assert all(mode == ["ro"] for _, _, *mode in volumes), f"{name} may change a file of the project"
    return {inside: (FOLDER / outside).resolve() for outside, inside, *_ in volumes}


def topics() -> dict[str, dict[str, str]]:
    """The topics that the file creates, each with its configuration."""
    script = service("topics")["command"][-1]
    (names,) = re.findall(r"for topic in (.+); do", script)
    config = dict(each.split("=") for each in re.findall(r"--config=(\S+)", script))
    return dict.fromkeys(names.split(), config)
