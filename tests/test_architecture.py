"""The shape of the code: who may import whom, and what the core must not know."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "connector"
OUTSIDE = {"time", "threading", "queue", "socket", "selectors", "asyncio", "sqlite3", "http", "urllib.request", "ssl"}
LIBRARIES = {"confluent_kafka", "httpx", "prometheus_client"}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _starts(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("path", sorted((ROOT / "core").glob("*.py")), ids=lambda path: path.stem)
def test_the_core_is_pure(path: Path) -> None:
    """It knows no clock, thread, socket, Kafka, HTTP or SQL, nor anything of the connector outside of itself."""
    imports = _imports(path)
    assert not {name for name in imports if _starts(name, OUTSIDE | LIBRARIES)}
    assert not {name for name in imports if name.startswith("connector.") and not _starts(name, {"connector.core"})}


@pytest.mark.parametrize("path", sorted((ROOT / "adapters").glob("*.py")), ids=lambda path: path.stem)
def test_adapters_know_the_core_and_not_the_service(path: Path) -> None:
    """An adapter stands between one outside system and the core."""
    above = {"connector.service", "connector.ownership", "connector.letters", "connector.report", "connector.commands"}
    assert not {name for name in _imports(path) if _starts(name, above)}


def test_the_sandbox_shares_nothing_with_what_it_judges() -> None:
    """The API's stand-in reads the documents by itself; only the demo's broker uses a Kafka client."""
    for path in (ROOT / "sandbox").glob("*.py"):
        outside = {name for name in _imports(path) if name.startswith("connector") and "sandbox" not in name}
        assert not {name for name in outside if _starts(name, {"connector.core", "connector.adapters"})}, path
