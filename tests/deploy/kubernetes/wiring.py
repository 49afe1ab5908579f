"""Whether what one manifest says of another is so: names, selectors, ports."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from deploy.kubernetes.cluster import containers, labels, pod, selects, title
from deploy.kubernetes.pages import is_served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.kubernetes.cluster import Cluster
    from deploy.kubernetes.rendering import Manifest

_NOT_MADE = "replenit-connector-mapping"
"""The optional ConfigMap, where kustomize has put no hash behind its name: the default mapping holds."""


def references(cluster: Cluster) -> Iterator[str]:
    """Whatever a Pod names is there, in its namespace."""
    for workload in cluster.workloads:
        for kind, name in _named(workload):
            if cluster.named(kind, name) is None:
                yield f"{title(workload)}: names {kind}/{name}, which is not there"
        there = {volume["name"] for volume in pod(workload).get("volumes", [])}
        there |= {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", [])}
        mounted = {mount["name"] for each, _ in containers(pod(workload)) for mount in each.get("volumeMounts", [])}
        yield from (
            f"{title(workload)}: mounts {name}, which is no volume of its Pods" for name in sorted(mounted - there)
        )
        yield from (f"{title(workload)}: the volume {name} is not mounted" for name in sorted(there - mounted))
    if len(spaces := {str(each["metadata"].get("namespace")) for each in cluster.manifests}) > 1:
        yield f"the namespaces differ: {', '.join(sorted(spaces))}"


def _named(workload: Manifest) -> Iterator[tuple[str, str]]:
    spec = pod(workload)
    if "serviceAccountName" in spec:
        yield "ServiceAccount", spec["serviceAccountName"]
    if "serviceName" in workload["spec"]:
        yield "Service", workload["spec"]["serviceName"]
    for volume in spec.get("volumes", []):
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "configMap" in volume and volume["configMap"]["name"] != _NOT_MADE:
            yield "ConfigMap", volume["configMap"]["name"]
    for container, _ in containers(spec):
        for source in container.get("envFrom", []):
            yield "ConfigMap", source["configMapRef"]["name"]


def selectors(cluster: Cluster) -> Iterator[str]:
    """Each selector matches, and one that restricts or counts Pods matches the connector's own alone."""
    for workload in cluster.workloads:
        if not selects(workload["spec"]["selector"]["matchLabels"], labels(workload)):
            yield f"{title(workload)}: its selector does not match the labels of its Pods"
    for manifest, selector in _selectors(cluster):
        selected = _selected(cluster, selector)
        if not selected:
            yield f"{title(manifest)}: its selector matches no Pod"
        for workload in selected if manifest["kind"] != "Service" else ():
            if any(program.is_sidecar for program in cluster.programs if program.workload is workload):
                yield f"{title(manifest)}: its selector matches the Pods of the shop's own {title(workload)}"
    for monitor in cluster.of("ServiceMonitor"):
        if not _monitored(cluster, monitor):
            yield f"{title(monitor)}: its selector matches no Service"


def _selectors(cluster: Cluster) -> Iterator[tuple[Manifest, dict[str, str]]]:
    yield from ((each, each["spec"]["selector"]) for each in cluster.of("Service"))
    yield from ((each, each["spec"]["selector"]["matchLabels"]) for each in cluster.of("PodDisruptionBudget"))
    yield from ((each, each["spec"]["podSelector"]["matchLabels"]) for each in cluster.of("NetworkPolicy"))


def _selected(cluster: Cluster, selector: dict[str, str]) -> list[Manifest]:
    return [workload for workload in cluster.workloads if selects(selector, labels(workload))]


def _monitored(cluster: Cluster, monitor: Manifest) -> list[Manifest]:
    selector = monitor["spec"]["selector"]["matchLabels"]
    return [each for each in cluster.of("Service") if selects(selector, each["metadata"].get("labels", {}))]


def ports(cluster: Cluster) -> Iterator[str]:
    """No two containers of a Pod have one port; those of Services and NetworkPolicies are ports of its containers."""
    for workload in cluster.workloads:
        own = [port for each, _ in containers(pod(workload)) for port in each.get("ports", [])]
        for value, count in Counter(str(port[field]) for port in own for field in ("name", "containerPort")).items():
            if count > 1:
                yield f"{title(workload)}: several of its containers have the port {value}"
    for manifest, selector in _selectors(cluster):
        rules = manifest["spec"].get("ingress", [])
        wanted = [port["port"] for rule in rules for port in rule.get("ports", [])]
        wanted += [port.get("targetPort", port["port"]) for port in manifest["spec"].get("ports", [])]
        for workload in _selected(cluster, selector):
            yield from _of_pod(manifest, wanted, workload)


def _of_pod(manifest: Manifest, wanted: list[str | int], workload: Manifest) -> Iterator[str]:
    """Ports of a Pod, by name or number; a sidecar's by number: not every cluster finds it by name."""
    known = set()
    for container, is_sidecar in containers(pod(workload)):
        for port in container.get("ports", []):
            known |= {port["containerPort"]} if is_sidecar else {port["containerPort"], port["name"]}
    for port in wanted:
        if port not in known:
            yield f"{title(manifest)}: no container of {title(workload)} has the port {port}"


def scraped(cluster: Cluster) -> Iterator[str]:
    """What a ServiceMonitor has fetched is a page of the connector's, at a port that its Service names."""
    for monitor in cluster.of("ServiceMonitor"):
        for endpoint in monitor["spec"]["endpoints"]:
            if not is_served(endpoint["path"]):
                yield f"{title(monitor)}: {endpoint['path']} is no page of the connector's"
            for service in _monitored(cluster, monitor):
                if endpoint["port"] not in [port.get("name") for port in service["spec"]["ports"]]:
                    yield f"{title(monitor)}: {title(service)} has no port of the name {endpoint['port']}"
