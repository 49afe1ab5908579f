"""What no longer fits is named: each check, given manifests in which one field was broken on purpose."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml
from deploy.kubernetes.checks import CHECKS
from deploy.kubernetes.cluster import Cluster

if TYPE_CHECKING:
    from deploy.kubernetes.rendering import Manifest

_POD = "spec.template.spec."
_OWN = {"standalone": f"{_POD}containers.0", "sidecar": f"{_POD}initContainers.0"}


class Broken(NamedTuple):
    """A row of `broken.yaml`."""

    combination: str
    check: str
    manifest: str
    path: str
    value: object
    says: str


BROKEN = [
    Broken(combination, check, *row)
    for combination, checks in yaml.safe_load(Path(__file__).with_name("broken.yaml").read_text()).items()
    for check, rows in checks.items()
    for row in rows
]


def _break(manifests: list[Manifest], broken: Broken) -> None:
    """Do what a row says. One that leads nowhere raises KeyError, IndexError or StopIteration."""
    kind, _, called = broken.manifest.partition("/")
    name = re.compile(f"{called or 'replenit-connector'}(-[a-z0-9]{{10}})?")
    node: Any = next(each for each in manifests if each["kind"] == kind and name.fullmatch(each["metadata"]["name"]))
    path = re.sub("^own", _OWN[broken.combination.partition(",")[0]], broken.path)
    *way, last = re.sub(r"^pod\.", _POD, path).split(".")
    for step in way:
        node = node[int(step)] if isinstance(node, list) else node[step]
    key: Any = int(last) if isinstance(node, list) else last
    if broken.value is None:
        del node[key]
    else:
        node[key] = broken.value


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: f"{broken.check}: {broken.says}")
def test_what_does_not_fit_is_named(rendered: dict[str, Cluster], broken: Broken, tmp_path: Path) -> None:
    """One field is wrong, and the check says which and how."""
    manifests = deepcopy(rendered[broken.combination].manifests)
    _break(manifests, broken)
    found = list(CHECKS[broken.check](Cluster(manifests, tmp_path)))
    assert any(broken.says in problem for problem in found), found


def test_a_dashboard_that_can_t_be_applied_is_named(rendered: dict[str, Cluster], tmp_path: Path) -> None:
    """What `kubectl apply` notes in an annotation is bounded by the API server."""
    row = next(each for each in BROKEN if each.check == "dashboard")
    manifests = deepcopy(rendered[row.combination].manifests)
    _break(manifests, row._replace(value={"replenit-connector.json": f'"{"." * 250_000}"'}))
    [_, too_large] = CHECKS["dashboard"](Cluster(manifests, tmp_path))
    assert too_large.endswith("replenit-connector.json is larger than 250000 bytes, and can't be applied")


def test_each_check_was_seen_to_find_something() -> None:
    """A check that is added is broken here, too."""
    assert CHECKS.keys() == {broken.check for broken in BROKEN}
