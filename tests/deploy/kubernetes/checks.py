"""All that is asked of what was rendered, each by a function whose findings name what does not fit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.kubernetes import lifecycle, monitoring, programs, schemas, security, wiring

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from deploy.kubernetes.cluster import Cluster

CHECKS: dict[str, Callable[[Cluster], Iterator[str]]] = {
    each.__name__: each
    for each in (
        schemas.fields,
        schemas.words,
        schemas.quantities,
        schemas.names,
        wiring.references,
        wiring.selectors,
        wiring.ports,
        wiring.scraped,
        programs.settings,
        programs.secrets,
        programs.restarts,
        programs.state,
        programs.instances,
        lifecycle.image,
        lifecycle.probes,
        lifecycle.grace,
        lifecycle.memory,
        security.restricted,
        security.hardened,
        monitoring.rules,
        monitoring.dashboard,
        monitoring.pace,
    )
}


def problems(cluster: Cluster) -> list[str]:
    return [problem for check in CHECKS.values() for problem in check(cluster)]
