"""Restricted Pod Security: what the admission controller asks for at that level, and what the project asks beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.kubernetes.cluster import containers, pod, title

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.kubernetes.cluster import Cluster
    from deploy.kubernetes.rendering import Manifest

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}


def restricted(cluster: Cluster) -> Iterator[str]:
    """Every Pod passes the level `restricted`."""
    for workload in cluster.workloads:
        spec = pod(workload)
        for name in ("hostNetwork", "hostPID", "hostIPC"):
            if spec.get(name):
                yield f"{title(workload)}: {name} is set"
        for volume in spec.get("volumes", []):
            for kind in volume.keys() - _VOLUMES - {"name"}:
                yield f"{title(workload)}: the volume {volume['name']} is a {kind}"
        if spec.get("securityContext", {}).get("sysctls"):
            yield f"{title(workload)}: sysctls are set"
        for container, _ in containers(spec):
            context = spec.get("securityContext", {}) | container.get("securityContext", {})
            for why in _unrestricted(context, container):
                yield f"{title(workload)}: container {container['name']}: {why}"


def _unrestricted(context: Manifest, container: Manifest) -> Iterator[str]:
    if context.get("privileged"):
        yield "is privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if context.get("runAsNonRoot") is not True or context.get("runAsUser") == 0:
        yield "may run as root"
    if context.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"}:
        yield "seccompProfile is not RuntimeDefault"
    if "ALL" not in context.get("capabilities", {}).get("drop", []):
        yield "capabilities are not dropped"
    if added := set(context.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
        yield f"capabilities are added: {', '.join(sorted(added))}"
    for port in container.get("ports", []):
        if "hostPort" in port:
            yield f"the host's port {port['hostPort']} is taken"


TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where a container gets the token of its Pod's ServiceAccount, unless it mounts something else there."""


def hardened(cluster: Cluster) -> Iterator[str]:
    """The connector has a read-only file system, no token of the cluster's API, and no variables of other Services."""
    for program in cluster.programs:
        if program.container.get("securityContext", {}).get("readOnlyRootFilesystem") is not True:
            yield f"{program.title}: readOnlyRootFilesystem is not true"
        for mount in program.mounts:
            kinds = (program.volume(mount["name"]) or {}).keys()
            if kinds & {"secret", "configMap"} and not mount.get("readOnly"):
                yield f"{program.title}: {mount['mountPath']} is not readOnly"
        if program.is_sidecar:  # the rest of the Pod is the shop's
            empty = [
                mount["mountPath"] for mount in program.mounts if "emptyDir" in (program.volume(mount["name"]) or {})
            ]
            if TOKEN not in empty:
                yield f"{program.title}: nothing takes the place of the token at {TOKEN}"
            continue
        account = cluster.named("ServiceAccount", program.pod.get("serviceAccountName", "")) or {}
        for whose, spec in (("its Pods", program.pod), ("its ServiceAccount", account)):
            if spec.get("automountServiceAccountToken") is not False:
                yield f"{title(program.workload)}: automountServiceAccountToken of {whose} is not false"
        if program.pod.get("enableServiceLinks") is not False:
            yield f"{title(program.workload)}: enableServiceLinks is not false"
