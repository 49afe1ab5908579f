"""Programs that the tests of what is deployed run."""

from __future__ import annotations

import shutil

import pytest

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
