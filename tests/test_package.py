"""What a newcomer's first command runs is the code that lies there."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_uvx_runs_the_code_as_it_is_after_an_edit(tmp_path: Path) -> None:
    """An edit of a module is seen by the next `uvx --from .`, which keeps what it built."""
    uv = os.environ.get("UV")
    if uv is None:
        pytest.skip("not run by `uv run`, which tells its path in UV")
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("pyproject.toml", "requirements.lock", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "connector", copy / "connector", ignore=shutil.ignore_patterns("__pycache__"))
    command = [uv, "tool", "run", "-q", "--from", ".", "-c", "requirements.lock", "replenit-connector", "--help"]
    first = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True)
    assert "Kafka, Docker or a database" in first.stdout
    edited = copy / "connector" / "cli.py"
    edited.write_text(edited.read_text().replace("Kafka, Docker or a database", "anything at all"))
    second = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True)
    assert "anything at all" in second.stdout
