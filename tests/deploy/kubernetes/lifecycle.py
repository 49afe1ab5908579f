"""Whether the platform lets the connector start, live and stop as it must: image, probes, grace period, memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from deploy.kubernetes.cluster import title
from deploy.kubernetes.pages import is_served
from deploy.kubernetes.programs import valid
from deploy.kubernetes.rendering import ROOT
from deploy.kubernetes.schemas import quantity

from connector.cli import COMMANDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.kubernetes.cluster import Cluster
    from deploy.kubernetes.rendering import Manifest

STOP_MARGIN = 10.0
"""Seconds of a grace period beyond SHUTDOWN_TIMEOUT: the runtime takes some for itself."""

_ASKED = (("livenessProbe", "/livez"), ("readinessProbe", "/readyz"))
_DEFAULT_GRACE = 30.0
_DEFAULT_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "failureThreshold": 3}
_PATIENT = {"timeoutSeconds": 5, "failureThreshold": 3}
_MEMORY_OF_PENDING = 7
"""README.md: PENDING_MAX_BYTES is at most a seventh of what the process has."""


def image(cluster: Cluster) -> Iterator[str]:
    """It is the image's own user, and its program, at a version that does not change by itself."""
    user = re.findall(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[-1]
    for program in cluster.programs:
        context = program.pod.get("securityContext", {}) | program.container.get("securityContext", {})
        found = str(context.get("runAsUser")), str(context.get("runAsGroup"))
        if found != user:
            yield f"{program.title}: runs as {':'.join(found)}, the image as {':'.join(user)}"
        if not program.is_sidecar and str(context.get("fsGroup")) != user[1]:
            yield f"{program.title}: its volume belongs to {context.get('fsGroup')}, the image runs as {user[1]}"
        if "command" in program.container:
            yield f"{program.title}: its command replaces the image's entry point"
        if (words := " ".join(program.container.get("args", ["run"]))) not in COMMANDS:
            yield f"{program.title}: {words} is no command of the connector's"
        tag = program.container["image"].rpartition("/")[2].partition(":")[2]
        if tag in {"", "latest"}:
            yield f"{program.title}: its image {program.container['image']} names no version"


def probes(cluster: Cluster) -> Iterator[str]:
    """Probes ask the right page of its own port, with patience; a sidecar is asked nothing that counts for the Pod."""
    for program in cluster.programs:
        own = {port["name"]: port["containerPort"] for port in program.container.get("ports", [])}
        wanted = cluster.environment(program).get("HTTP_PORT", "8080")
        if str(next(iter(own.values()), None)) != wanted:
            yield f"{program.title}: HTTP_PORT is {wanted}, and its port {next(iter(own.values()), 'none')}"
        for name, path in _ASKED[: 1 if program.is_sidecar else 2]:
            if name not in program.container:
                yield f"{program.title}: has no {name}"
            else:
                yield from (f"{program.title}: {name}: {why}" for why in _wrong(program.container[name], path, own))
        for name in ("readinessProbe", "startupProbe") if program.is_sidecar else ():
            if name in program.container:
                yield f"{program.title}: has a {name}, which would take the shop's Pod out of service"
        if program.is_sidecar and program.container.get("restartPolicy") != "Always":
            yield f"{program.title}: restartPolicy is not Always: the shop's containers would wait for its end"


def _wrong(probe: Manifest, path: str, own: dict[str, int]) -> Iterator[str]:
    asked = probe["httpGet"]
    if not is_served(asked["path"]):
        yield f"{asked['path']} is no page of the connector's"
    elif asked["path"] != path:
        yield f"asks {asked['path']} instead of {path}"
    if asked["port"] not in {*own, *own.values()}:
        yield f"the container has no port {asked['port']}"
    for field, least in _PATIENT.items():
        if {**_DEFAULT_PROBE, **probe}[field] < least:
            yield f"{field} is below {least}: a busy machine would fail it"


def grace(cluster: Cluster) -> Iterator[str]:
    """The grace period is longer than the program's own deadline, with room for the platform."""
    for program, _, found in valid(cluster):
        period = program.pod.get("terminationGracePeriodSeconds", _DEFAULT_GRACE)
        if period < found.shutdown_timeout + STOP_MARGIN:
            yield (
                f"{title(program.workload)}: terminationGracePeriodSeconds is {period:g}, SHUTDOWN_TIMEOUT "
                f"{found.shutdown_timeout:g}: it takes {found.shutdown_timeout + STOP_MARGIN:g} at least"
            )


def memory(cluster: Cluster) -> Iterator[str]:
    """The limit of memory holds what may wait; no limit of CPU makes the process stand still."""
    for program, _, found in valid(cluster):
        limits = program.container.get("resources", {}).get("limits", {})
        needed = _MEMORY_OF_PENDING * found.pending_max_bytes
        if "memory" not in limits:
            yield f"{program.title}: has no limit of memory"
        elif quantity(limits["memory"]) < needed:
            yield f"{program.title}: its memory of {limits['memory']} is less than 7 times PENDING_MAX_BYTES"
        if "cpu" in limits:
            yield f"{program.title}: a limit of CPU makes it stand still, and its session end"
