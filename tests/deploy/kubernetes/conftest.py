"""Everything that deploy/kubernetes can be put together to, rendered once."""

from __future__ import annotations

import pytest
from deploy.kubernetes.cluster import Cluster
from deploy.kubernetes.rendering import EXAMPLES, MONITORING, copy, extend, render, secret

NAMESPACES = {"standalone": "replenit", "sidecar": "shop"}


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Cluster]:
    """Give both examples, each alone and with the component `monitoring`, with the Secret of the README."""
    clusters = {}
    for monitored in (False, True):
        examples = copy(tmp_path_factory.mktemp("rendered"))
        for name in EXAMPLES:
            extend(examples / name, *([MONITORING] if monitored else []))
            manifests = [*render(examples / name), secret(examples / name, NAMESPACES[name])]
            clusters[f"{name}, monitored" if monitored else name] = Cluster(
                manifests, tmp_path_factory.mktemp("volumes")
            )
    return clusters
