"""The generated descriptions of the API."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from connector.core.openapi import openapi, printed, schemas
from connector.core.requests import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.mark.parametrize("name", schemas())
def test_the_files_are_what_the_models_say(name: str) -> None:
    """The committed descriptions are up to date."""
    file = SCHEMAS / name
    stale = f"schemas/{name} is stale; run: python -m connector.core.openapi schemas/"
    assert file.exists(), stale
    assert file.read_text(encoding="utf-8") == printed(schemas()[name]), stale


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in openapi()["paths"].items():
        for operation in methods.values():
            yield path, operation


def test_each_endpoint_is_described_once() -> None:
    """The eight operations are those of the connector's requests."""
    assert sorted(operation["operationId"] for _, operation in operations()) == sorted(Endpoint)


def test_each_path_names_its_parameters() -> None:
    """What stands in braces is declared, and nothing else."""
    for path, operation in operations():
        declared = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
        assert re.findall(r"{(\w+)}", path) == declared


def test_each_reference_leads_somewhere() -> None:
    """Every `$ref` is found in the file."""
    description = openapi()
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(description)):
        found: Any = description
        for part in reference.split("/"):
            found = found[part]
        assert found
