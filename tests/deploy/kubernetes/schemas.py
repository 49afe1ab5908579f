"""Whether manifests are what Kubernetes and the Prometheus operator accept: fields, types, words, quantities, names."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import kubernetes_validate
import yaml
from deploy.kubernetes.cluster import title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.kubernetes.cluster import Cluster

VERSIONS = ("1.29", kubernetes_validate.latest_version())
"""The oldest release in which a sidecar is on by default, and the newest that is known."""

_WORDS = {
    "accessModes": {"ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany", "ReadOnlyMany"},
    "clusterIP": {"None"},
    "drop": {"ALL"},
    "fsGroupChangePolicy": {"Always", "OnRootMismatch"},
    "podManagementPolicy": {"OrderedReady", "Parallel"},
    "policyTypes": {"Ingress", "Egress"},
    "restartPolicy": {"Always"},
    "seccompProfile.type": {"RuntimeDefault", "Localhost"},
    "unhealthyPodEvictionPolicy": {"AlwaysAllow", "IfHealthyBudget"},
}
"""Fields that take one of a few words, which the published schemas don't tell."""

_FREE = ("data", "metadata", "env", "groups", "kind")
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|[kMGT]|[KMG]i|)")
_UNITS = {"": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30}


def fields(cluster: Cluster) -> Iterator[str]:
    """Every field is one that is known, and of its type."""
    for manifest in cluster.manifests:
        for version in VERSIONS if "monitoring.coreos.com" not in manifest["apiVersion"] else ():
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{title(manifest)}: {_where(error)}: {error.message} (Kubernetes {version})"
            except kubernetes_validate.SchemaNotFoundError as error:
                yield f"{title(manifest)}: {error.message}"
        if "monitoring.coreos.com" in manifest["apiVersion"]:
            for found in _prometheus_operator().iter_errors(manifest):
                yield f"{title(manifest)}: {_where(found)}: {found.message}"


def _where(error: jsonschema.ValidationError) -> str:
    return ".".join(map(str, error.absolute_path)) or "it"


@cache
def _prometheus_operator() -> jsonschema.Draft202012Validator:
    path = Path(__file__).with_name("prometheus_operator.yaml")
    return jsonschema.Draft202012Validator(yaml.safe_load(path.read_text()))


def words(cluster: Cluster) -> Iterator[str]:
    """Every field that takes one of a few words has one of them; a field with such a word is known here."""
    for manifest in cluster.manifests:
        for path, value in _leaves(manifest, ()):
            known = _WORDS.get(path[-1]) or _WORDS.get(".".join(path[-2:]))
            where = f"{title(manifest)}: {'.'.join(path)}"
            if known is not None and value not in known:
                yield f"{where}: {value} is none of {', '.join(sorted(known))}"
            elif known is None and isinstance(value, str) and re.fullmatch("[A-Z][A-Za-z]+", value):
                yield f"{where}: {value} is a word that the tests do not know; add the field to schemas.py"


def _leaves(node: object, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every value that is no list and no mapping, with the names that lead to it."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name not in _FREE:
                yield from _leaves(value, (*path, name))
    elif isinstance(node, list):
        for value in node:
            yield from _leaves(value, path)
    else:
        yield path, node


def quantity(text: object) -> float:
    """Bytes, or cores; NaN, which is neither more nor less than anything, if it is no quantity."""
    match = _QUANTITY.fullmatch(str(text))
    return float(match[1]) * _UNITS[match[2]] if match else math.nan


def quantities(cluster: Cluster) -> Iterator[str]:
    """Every quantity is one, and no container asks for more than its limit."""
    for manifest in cluster.manifests:
        for path, value in _leaves(manifest, ()):
            if path[-1] in {"cpu", "memory", "storage", "sizeLimit"} and math.isnan(quantity(value)):
                yield f"{title(manifest)}: {'.'.join(path)}: {value} is no quantity"
    for program in cluster.programs:
        resources = program.container.get("resources", {})
        for name, limit in resources.get("limits", {}).items():
            if quantity(resources.get("requests", {}).get(name, 0)) > quantity(limit):
                yield f"{program.title}: asks for more {name} than its limit of {limit}"


_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_PORT = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")


def names(cluster: Cluster) -> Iterator[str]:
    """Names of objects, containers, volumes and ports, and values of labels, are of their form."""
    for manifest in cluster.manifests:
        for pattern, name in _named(manifest, ""):
            if not isinstance(name, str) or not pattern.fullmatch(name):
                yield f"{title(manifest)}: {name} is no name of its kind"


def _named(node: Any, within: str) -> Iterator[tuple[re.Pattern[str], object]]:  # noqa: ANN401 (any YAML)
    if isinstance(node, list):
        for each in node:
            yield from _named(each, within)
    elif isinstance(node, dict):
        if within in {"labels", "matchLabels"}:
            yield from ((_LABEL, value) for value in node.values())
        elif within == "ports":
            yield from ((_PORT, node[field]) for field in ("name", "port") if isinstance(node.get(field), str))
        elif within in {"metadata", "containers", "initContainers", "volumes"} and "name" in node:
            yield _NAME, node["name"]
        for name, value in node.items():
            if name not in {"data", "env", "groups"}:
                yield from _named(value, name)
