"""Whether the connector finds in its container what its settings say: variables, secrets, the mapping, its store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from confluent_kafka import Consumer
from deploy.kubernetes.cluster import title
from deploy.kubernetes.volumes import lay_out, paths

from connector.adapters.kafka import consumer_properties, wrong_properties
from connector.errors import ConfigurationError
from connector.settings import Settings, describe, load

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.kubernetes.cluster import Cluster, Program
    from deploy.kubernetes.rendering import Manifest

_SECRETS = ("REPLENIT_API_KEY", "KAFKA_SASL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD", "SCHEMA_REGISTRY_PASSWORD")
_SETTINGS = {name for row in describe() for name in (row.name, f"{row.name}_FILE")}
_HASHED = re.compile(r"-[bcdfghkmt2456789]{10}$")
_INSTANCE = "KAFKA_GROUP_INSTANCE_ID"


class Loaded(NamedTuple):
    """A program whose settings are valid. Paths among these lead to where its volumes are laid out."""

    program: Program
    environment: dict[str, str]
    settings: Settings


def loaded(cluster: Cluster) -> Iterator[Loaded | ConfigurationError]:
    """Load the settings of each program from the environment and the files that it has."""
    for number, program in enumerate(cluster.programs):
        environment = lay_out(cluster, program, cluster.scratch / str(number))
        try:
            yield Loaded(program, cluster.environment(program), load(environment))
        except ConfigurationError as error:
            yield error


def valid(cluster: Cluster) -> Iterator[Loaded]:
    yield from (each for each in loaded(cluster) if isinstance(each, Loaded))


def settings(cluster: Cluster) -> Iterator[str]:
    """There is a connector; each variable is a setting; all are valid, and librdkafka knows its properties."""
    if not cluster.programs:
        yield "no container runs the connector"
    for program in cluster.programs:
        for name in cluster.environment(program):
            if name not in _SETTINGS and not name.startswith("KAFKA_"):
                yield f"{program.title}: {name} is no setting"
    for each in loaded(cluster):
        if isinstance(each, ConfigurationError):
            yield from each.problems
            continue
        try:
            with wrong_properties():
                Consumer(consumer_properties(each.settings.kafka, each.settings.kafka_group_id)).close()
        except ConfigurationError as error:
            yield from error.problems


def secrets(cluster: Cluster) -> Iterator[str]:
    """Secrets come from files of a Secret that changes in a running container, and are readable in it."""
    for program in cluster.programs:
        environment = cluster.environment(program)
        files = {path: (mount, volume) for path, mount, volume in paths(cluster, program) if "secret" in volume}
        for name in _SECRETS:
            path = environment.get(f"{name}_FILE")
            if name in environment:
                yield f"{program.title}: {name} is in the environment; {name}_FILE keeps it in a file"
            if path is not None and path not in files:
                yield f"{program.title}: {name}_FILE is {path}, which is no file of a Secret"
        for mount, volume in files.values():
            yield from (f"{program.title}: {why}" for why in _unlike_rotated(program, mount, volume["secret"]))
    for secret in cluster.of("Secret"):
        if secret.get("immutable"):
            yield f"{title(secret)}: is immutable, so no key can be changed"


def _unlike_rotated(program: Program, mount: Manifest, secret: Manifest) -> Iterator[str]:
    if "subPath" in mount:
        yield f"{mount['mountPath']} is mounted by subPath: a new key would not come"
    mode = secret.get("defaultMode", 0o644)
    if not (mode & 0o004 or (mode & 0o040 and "fsGroup" in program.pod.get("securityContext", {}))):
        yield f"the files of Secret/{secret['secretName']} can't be read by its user (mode {mode:04o})"


def restarts(cluster: Cluster) -> Iterator[str]:
    """What is read at the start only has a hash in its name, so that a change of it starts the process anew."""
    for program in cluster.programs:
        names = {source["configMapRef"]["name"] for source in program.container.get("envFrom", [])}
        names |= {volume["configMap"]["name"] for _, _, volume in paths(cluster, program) if "configMap" in volume}
        for name in sorted(names):
            if not _HASHED.search(name):
                yield f"{program.title}: ConfigMap/{name} has no hash in its name: a change would start nothing anew"


def state(cluster: Cluster) -> Iterator[str]:
    """Rows that are kept are kept on a volume that outlives the Pod, by one process."""
    for program, environment, found in valid(cluster):
        folder = environment.get("STATE_DIR")
        mount = next((each for each in program.mounts if each["mountPath"] == folder), {})
        claimed = "persistentVolumeClaim" in (program.volume(mount.get("name", "")) or {})
        if folder is not None and (not claimed or mount.get("readOnly") or "subPath" in mount):
            yield f"{program.title}: STATE_DIR is {folder}, where no volume of its own is mounted"
        if found.families and folder is None:
            yield f"{program.title}: the mapping keeps rows, and STATE_DIR is not set"
        if found.families and program.workload["spec"].get("replicas", 1) > 1:
            yield f"{title(program.workload)}: the mapping keeps rows, which takes one replica"


def instances(cluster: Cluster) -> Iterator[str]:
    """A member of the group is called as its Pod where that name lasts, and not at all where it does not."""
    for program in cluster.programs:
        lasting = program.workload["kind"] == "StatefulSet" and not program.is_sidecar
        variables = {each["name"]: each for each in program.container.get("env", [])}
        field = variables.get(_INSTANCE, {}).get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        if lasting and field != "metadata.name":
            yield f"{program.title}: {_INSTANCE} is not the Pod's name, which lasts"
        if not lasting and _INSTANCE in cluster.environment(program):
            yield f"{program.title}: {_INSTANCE} is set, and the Pod's name does not last"
