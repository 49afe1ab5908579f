"""deploy/kubernetes, rendered as `kubectl apply -k` would: all of it fits Kubernetes, itself and the connector."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

import pytest
import yaml
from deploy.kubernetes.checks import CHECKS, problems
from deploy.kubernetes.cluster import Cluster
from deploy.kubernetes.prometheus_rule import PROMETHEUS_RULE, prometheus_rule
from deploy.kubernetes.rendering import EXAMPLES, MONITORING, copy, extend, render, rendered_text, secret
from deploy.rules import ALERTS

if TYPE_CHECKING:
    from pathlib import Path

OWN = {"ConfigMap", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount", "StatefulSet"}
MONITORS = {"PrometheusRule", "ServiceMonitor"}
COMBINATIONS = {
    "standalone": OWN,
    "standalone, monitored": OWN | MONITORS,
    "sidecar": {"ConfigMap", "Deployment", "Service"},
    "sidecar, monitored": {"ConfigMap", "Deployment", "Service"} | MONITORS,
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_combination_fits(rendered: dict[str, Cluster], combination: str, check: str) -> None:
    """Nothing that the checks look for is wrong."""
    assert list(CHECKS[check](rendered[combination])) == []


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_combination_is_whole(rendered: dict[str, Cluster], combination: str) -> None:
    """A kind that is left out would leave its checks nothing to look at."""
    cluster = rendered[combination]
    assert {each["kind"] for each in cluster.manifests} - {"Secret"} == COMBINATIONS[combination]
    assert len(cluster.programs) == 1
    dashboards = [each for each in cluster.of("ConfigMap") if "replenit-connector.json" in each["data"]]
    assert len(dashboards) == ("monitored" in combination)


def test_the_base_lacks_what_only_the_shop_knows(tmp_path: Path) -> None:
    """Applied as it is, it starts nothing that sends: the connector lists what it has to be told."""
    folder = copy(tmp_path)
    manifests = [*render(folder.parent / "base"), secret(folder / "standalone", "replenit")]
    for each in manifests:
        each["metadata"]["namespace"] = "replenit"
    found = [
        problem.partition(";")[0].partition(",")[0] for problem in problems(Cluster(manifests, tmp_path / "volumes"))
    ]
    assert found == [
        "KAFKA_BOOTSTRAP_SERVERS: is not set",
        "REPLENIT_TENANT_ID: is not set",
        "TOPIC_PRODUCTS: is not set",
        "StatefulSet/replenit-connector: container connector: its image replenit-connector names no version",
    ]


def test_a_stateful_shop_takes_the_sidecar_too(tmp_path: Path) -> None:
    """The label alone decides; a workload without it stays as it is."""
    folder = copy(tmp_path) / "sidecar"
    shop = yaml.safe_load((folder / "deployment.yaml").read_text())
    shop["kind"] = "StatefulSet"
    other = yaml.safe_load((folder / "deployment.yaml").read_text())
    other["metadata"] = {"name": "other"}
    (folder / "deployment.yaml").write_text(yaml.safe_dump_all([shop, other]))
    cluster = Cluster([*render(folder), secret(folder, "shop")], tmp_path / "volumes")
    assert [program.workload["kind"] for program in cluster.programs] == ["StatefulSet"]
    assert problems(cluster) == ["StatefulSet/shop: spec: 'serviceName' is a required property (Kubernetes 1.29)"]


def test_what_belongs_to_the_sidecar_s_manifest_stays(tmp_path: Path) -> None:
    """Its port, its time to stop and its memory are no matter of `connector.env`."""
    folder = copy(tmp_path) / "sidecar"
    with (folder / "connector.env").open("a") as settings:
        settings.write("HTTP_PORT=8080\nSHUTDOWN_TIMEOUT=50\nPENDING_MAX_BYTES=1GB\n")
    assert problems(Cluster([*render(folder), secret(folder, "shop")], tmp_path / "volumes")) == []


def test_nobody_runs_both_by_mistake(tmp_path: Path) -> None:
    """Kustomize refuses the sidecar beside the base: both have the same names."""
    folder = copy(tmp_path) / "standalone"
    extend(folder, {"components": ["../../components/sidecar"]})
    with pytest.raises(ValueError, match="already registered id: Service"):
        render(folder)


def test_the_operator_s_rules_are_prometheus_own() -> None:
    """The PrometheusRule is made of the rule file; this says how when one of them has changed."""
    made = "PYTHONPATH=tests python -m deploy.kubernetes.prometheus_rule"
    assert PROMETHEUS_RULE.read_text() == prometheus_rule(), made


def test_the_runbook_is_given_an_address_as_the_component_says(tmp_path: Path) -> None:
    """The command in the component's head changes the address of every alert, and nothing else."""
    folder = copy(tmp_path) / "standalone"
    extend(folder, MONITORING)
    [script] = re.findall("sed '(.+)'", PROMETHEUS_RULE.with_name("kustomization.yaml").read_text())
    before = rendered_text(folder)
    after = subprocess.run(["sed", script], input=before, check=True, capture_output=True, text=True).stdout
    pairs = zip(before.splitlines(), after.splitlines(), strict=True)
    changed = {new.strip() for old, new in pairs if old != new}
    address = "runbook_url: https://git.example.com/connector/blob/main/deploy/RUNBOOK.md#"
    assert changed == {address + alert.lower() for alert in ALERTS}


def test_the_examples_are_all() -> None:
    """An example that is added is rendered."""
    assert {path.name for path in PROMETHEUS_RULE.parents[2].joinpath("examples").iterdir() if path.is_dir()} == set(
        EXAMPLES
    )
