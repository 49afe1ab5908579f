"""Programs that the tests of what is deployed run."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from pathlib import Path

_PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
}


def program(name: str) -> str:
    """Return where it is; skip the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name}: install it, Debian's package is {_PACKAGES[name]}")
    return found


def promtool_passes(folder: Path, content: dict[str, Any]) -> None:
    """Run Prometheus' unit tests of rules and expressions; what it says of those that fail fails the test."""
    cases = folder / "cases.yaml"
    cases.write_text(yaml.safe_dump(content, sort_keys=False))
    done = subprocess.run([program("promtool"), "test", "rules", cases], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
