"""What was rendered, as the checks read it: workloads, their Pods, and the containers that run the connector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from deploy.kubernetes.rendering import Manifest

IMAGE = "replenit-connector"


@dataclass(frozen=True, slots=True)
class Program:
    """A container that runs the connector, and the workload whose Pods have it."""

    workload: Manifest
    container: Manifest
    is_sidecar: bool

    @property
    def pod(self) -> Manifest:
        return pod(self.workload)

    @property
    def title(self) -> str:
        return f"{title(self.workload)}: container {self.container['name']}"

    @property
    def mounts(self) -> list[Manifest]:
        mounts: list[Manifest] = self.container.get("volumeMounts", [])
        return mounts

    def volume(self, name: str) -> Manifest | None:
        """Return the volume of this name; a claim of a StatefulSet's as a volume of the claim."""
        for each in self.pod.get("volumes", []):
            if each["name"] == name:
                return dict(each)
        claims = self.workload["spec"].get("volumeClaimTemplates", [])
        return {"persistentVolumeClaim": {}} if name in {each["metadata"]["name"] for each in claims} else None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Manifests that are applied together; `scratch` is a folder for what is mounted."""

    manifests: list[Manifest]
    scratch: Path

    def of(self, kind: str) -> list[Manifest]:
        return [each for each in self.manifests if each["kind"] == kind]

    def named(self, kind: str, name: str) -> Manifest | None:
        return next((each for each in self.of(kind) if each["metadata"]["name"] == name), None)

    @property
    def workloads(self) -> list[Manifest]:
        return [each for each in self.manifests if "template" in each.get("spec", {})]

    @property
    def programs(self) -> list[Program]:
        return [
            Program(workload, container, is_sidecar)
            for workload in self.workloads
            for container, is_sidecar in containers(pod(workload))
            if container["image"].rpartition("/")[2].partition(":")[0].partition("@")[0] == IMAGE
        ]

    def environment(self, program: Program) -> dict[str, str]:
        """Return the environment of a container in the workload's first Pod. What is not found is left out."""
        found: dict[str, str] = {}
        for source in program.container.get("envFrom", []):
            config = self.named("ConfigMap", source.get("configMapRef", {}).get("name", ""))
            found |= {} if config is None else config.get("data", {})
        for variable in program.container.get("env", []):
            field = variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
            first = f"{program.workload['metadata']['name']}-0"
            found[variable["name"]] = first if field == "metadata.name" else variable.get("value", "")
        return found


def title(manifest: Mapping[str, Any]) -> str:
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def pod(workload: Manifest) -> Manifest:
    spec: Manifest = workload["spec"]["template"]["spec"]
    return spec


def containers(spec: Manifest) -> Iterator[tuple[Manifest, bool]]:
    """All containers of a Pod, and whether each stands where a sidecar does."""
    for each in spec.get("initContainers", []):
        yield each, True
    for each in spec["containers"]:
        yield each, False


def labels(workload: Manifest) -> Manifest:
    """Return the labels of the workload's Pods."""
    found: Manifest = workload["spec"]["template"]["metadata"].get("labels", {})
    return found


def selects(selector: Mapping[str, str], found: Mapping[str, str]) -> bool:
    return bool(selector) and selector.items() <= found.items()
