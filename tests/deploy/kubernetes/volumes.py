"""What a kubelet lays out for a container: the files of Secrets and ConfigMaps, and folders to write into."""

from __future__ import annotations

import base64
import shutil
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from deploy.kubernetes.cluster import Cluster, Program
    from deploy.kubernetes.rendering import Manifest


def lay_out(cluster: Cluster, program: Program, root: Path) -> dict[str, str]:
    """Write what the container has mounted below `root`; return its environment with paths that lead there."""
    for mount in program.mounts:
        folder = root / mount["mountPath"].lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        publish(folder, files(cluster, program.volume(mount["name"]) or {}))
    environment = cluster.environment(program)
    return {name: f"{root}{value}" if value.startswith("/") else value for name, value in environment.items()}


def files(cluster: Cluster, volume: Manifest) -> dict[str, bytes]:
    """Return the files of a volume that is made of a Secret or of a ConfigMap."""
    secret = cluster.named("Secret", volume.get("secret", {}).get("secretName", ""))
    config = cluster.named("ConfigMap", volume.get("configMap", {}).get("name", ""))
    if secret is not None:
        return {name: base64.b64decode(value) for name, value in secret["data"].items()}
    return {} if config is None else {name: value.encode() for name, value in config["data"].items()}


def publish(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Put files where they are mounted, or others in their place, all at once: by a link that is replaced."""
    if not contents:
        return
    version = folder / f"..{uuid4()}"
    version.mkdir()
    for name, octets in contents.items():
        (version / name).write_bytes(octets)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    before = (folder / "..data").resolve()
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").replace(folder / "..data")
    shutil.rmtree(before, ignore_errors=True)


def paths(cluster: Cluster, program: Program) -> Iterator[tuple[str, Manifest, Manifest]]:
    """Every file that is mounted, with its mount and its volume."""
    for mount in program.mounts:
        volume = program.volume(mount["name"]) or {}
        for name in files(cluster, volume):
            yield f"{mount['mountPath']}/{name}", mount, volume
