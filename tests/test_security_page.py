"""The page on security: tests hold what it says, its settings exist, and the audit is as it says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from connector.settings import describe

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / ".github" / "SECURITY.md").read_text()
STATEMENTS = PAGE.partition("<!-- statements:begin -->")[2].partition("<!-- statements:end -->")[0]


@pytest.mark.parametrize("row", [row for row in STATEMENTS.splitlines() if "::" in row])
def test_each_statement_has_its_test(row: str) -> None:
    """A test that is renamed or deleted is missed here."""
    [(path, test)] = re.findall(r"`([a-z_/]+\.py)::(test_\w+)`", row)
    assert re.search(rf"^def {test}\(", (ROOT / "tests" / path).read_text(), re.MULTILINE)


def test_every_statement_is_held() -> None:
    """Each row of the table names a test."""
    rows = STATEMENTS.strip().splitlines()[2:]
    assert len(rows) > 20
    assert all("::test_" in row for row in rows)


def test_the_settings_that_it_names_are_there() -> None:
    """Those of librdkafka are its own."""
    known = {row.name for row in describe()}
    named = {name.partition("=")[0] for name in re.findall(r"`([A-Z_]{6,}(?:=[^`]*)?)`", PAGE)}
    assert (
        named - {"NAME_FILE", "SASL_SSL", "SSL_CERT_FILE"} - {each for each in named if each.startswith("KAFKA_")}
        <= known
    )


def test_it_is_one_page() -> None:
    """More would not be read."""
    assert len(PAGE.splitlines()) <= 90


def test_the_audit_asks_as_the_page_says_and_may_do_nothing_else() -> None:
    """It reads the code, with the platform's own action; its command fails where anything can't be told."""
    text = (ROOT / ".github" / "workflows" / "audit.yml").read_text()
    workflow: dict[Any, Any] = yaml.safe_load(text)
    [job] = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in job
    assert [step["uses"].partition("@")[0] for step in job["steps"] if "uses" in step] == ["actions/checkout"]
    assert job["steps"][0]["with"] == {"persist-credentials": False}
    assert "schedule" in workflow[True]  # `on`, as YAML 1.1 reads it
    options = "--strict --disable-pip --require-hashes -r requirements.lock"
    assert options in PAGE
    assert options in text
    assert "${{" not in text
