"""The metrics: declared once, named after Prometheus' conventions, there from the start, and documented."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from simulation import World

from connector import __version__
from connector.core.events import Entity, Reason
from connector.core.outcomes import HaltReason
from connector.core.requests import UPSERTS
from connector.metrics import Metrics, main
from connector.settings import with_section

if TYPE_CHECKING:
    from prometheus_client import Metric

README = Path(__file__).parents[1] / "README.md"
NAMES = {
    "connector_build_info",
    "connector_events_total",
    "connector_consumer_lag_messages",
    "connector_source_to_ack_seconds",
    "connector_oldest_unacked_timestamp_seconds",
    "connector_last_progress_timestamp_seconds",
    "connector_batch_records",
    "connector_coalesced_events_total",
    "connector_api_requests_total",
    "connector_api_request_duration_seconds",
    "connector_api_retries_total",
    "connector_rate_limit_tokens",
    "connector_rate_limit_capacity_tokens",
    "connector_rate_limit_wait_seconds_total",
    "connector_pending_records",
    "connector_pending_bytes",
    "connector_inflight_requests",
    "connector_backlog_drain_seconds",
    "connector_dead_letters_total",
    "connector_halted",
    "connector_withheld_total",
    "connector_retention_gap_records_total",
    "connector_rebalances_total",
    "connector_paused_partitions",
    "connector_merged_items_total",
    "connector_rounded_values_total",
    "connector_fewer_accepted_records_total",
}


def families(metrics: Metrics) -> dict[str, Metric]:
    found = text_string_to_metric_families(metrics.exposition().decode())
    return {family.name + ("_total" if family.type == "counter" else ""): family for family in found}


def samples(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    every = (sample for family in families(metrics).values() for sample in family.samples if sample.name == name)
    return {tuple(sample.labels.values()): sample.value for sample in every}


def test_the_names_are_those_that_dashboards_and_alerts_rely_on() -> None:
    """A metric that is renamed or lost breaks what operators have built on it."""
    assert not NAMES - families(Metrics()).keys()


def test_the_process_is_measured_too() -> None:
    """Memory, CPU and file descriptors come beside the connector's own, and no series tells when it was created."""
    text = Metrics().exposition().decode()
    assert "process_resident_memory_bytes" in text
    assert "python_gc_collections_total" in text
    assert "_created" not in text


def test_two_registries_do_not_meet() -> None:
    """Each service of a process has metrics of its own."""
    first, second = Metrics(), Metrics()
    first.rebalances.inc()
    assert samples(first, "connector_rebalances_total") == {(): 1.0}
    assert samples(second, "connector_rebalances_total") == {(): 0.0}


def test_known_series_start_from_zero() -> None:
    """Dead letters of each reason, halts and requests exist before they happen, so that a rate sees the first one."""
    metrics = Metrics()
    assert samples(metrics, "connector_dead_letters_total") == {(e, r): 0.0 for e in Entity for r in Reason}
    assert samples(metrics, "connector_halted") == {(reason,): 0.0 for reason in HaltReason}
    assert set(samples(metrics, "connector_api_requests_total").values()) == {0.0}
    assert samples(metrics, "connector_fewer_accepted_records_total") == {(upsert,): 0.0 for upsert in UPSERTS.values()}
    assert samples(metrics, "connector_build_info") == {(__version__,): 1.0}


def test_gaps_of_each_source_start_from_zero() -> None:
    """Which topics are read is known before anything of theirs is missed."""
    gaps = samples(World(1).service()._metrics, "connector_retention_gap_records_total")  # noqa: SLF001
    assert gaps == {(f"shop.{entity}",): 0.0 for entity in Entity}


def test_freshness_is_told_from_a_quarter_of_a_second_to_an_hour() -> None:
    """An observation falls into every bucket from its own value on."""
    metrics = Metrics()
    metrics.source_to_ack.observe(4)
    buckets = samples(metrics, "connector_source_to_ack_seconds_bucket")
    assert [bound for (bound,) in buckets][:1] == ["0.25"]
    assert [bound for (bound,) in buckets][-2:] == ["3600.0", "+Inf"]
    assert (buckets["2.5",], buckets["5.0",]) == (0.0, 1.0)


def test_the_table_names_every_metric_with_its_labels() -> None:
    """The documentation lists what the exposition holds, by the name that queries use, each with a sentence."""
    metrics = Metrics()
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (.+\.) \|$", metrics.table(), re.MULTILINE)
    exposed = {name for name in families(metrics) if name.startswith("connector_")}
    assert {name for name, _, _ in rows} == exposed
    assert len(rows) == len(exposed)
    assert ("connector_events_total", "`topic`, `op`, `outcome`") in {row[:2] for row in rows}


def test_the_readme_documents_the_metrics() -> None:
    """The README's table is what the declarations give; `python -m connector.metrics README.md` writes it."""
    readme = README.read_text()
    assert with_section(readme, "metrics", Metrics().table()) == readme


def test_the_table_is_written_between_its_markers(tmp_path: Path) -> None:
    """What stands around the markers stays; a file without them is refused rather than overwritten."""
    path = tmp_path / "README.md"
    path.write_text("above\n<!-- metrics:begin --><!-- metrics:end -->\nbelow\n")
    main([str(path)])
    assert path.read_text() == f"above\n<!-- metrics:begin -->\n{Metrics().table()}\n<!-- metrics:end -->\nbelow\n"
    path.write_text("nothing")
    with pytest.raises(ValueError, match="markers"):
        main([str(path)])
    assert path.read_text() == "nothing"


def test_labels_are_closed_lists_or_places() -> None:
    """What records hold names no series: a thousand odd ones, of which each says something else, add none."""
    world, counts = World(1), []
    service = world.service()
    for _ in range(2):
        for number in range(500):
            odd = {"op": f"x{number}", "source": {"connector": f"c{number}"}, "after": {"order_id": str(number)}}
            snapshot = {"op": "r", "source": {"snapshot": f"s{number}"}, "after": {f"column_{number}": number}}
            for content in (odd, snapshot, {f"field_{number}": number}, number):
                world.emit_raw("orders", number % 3, f'{{"k{number}":1}}'.encode(), json.dumps(content).encode())
        world.run(service, 30)
        exposed = families(service._metrics).values()  # noqa: SLF001
        counts.append(sum(len(family.samples) for family in exposed))
    assert counts[0] == counts[1] < 1000


def test_what_a_restart_reads_again_is_told() -> None:
    """While nothing can be sent, all that was read since the committed offset; once all is settled, nothing."""
    world = World(1)
    service = world.service()
    told = "connector_unsettled_messages"
    world.faults.down = True
    for number in range(30):
        world.write("orders", f"o{number % 10}")
    world.run(service, 20)
    assert samples(service._metrics, told)["shop.orders",] == 30  # noqa: SLF001
    assert samples(service._metrics, "connector_threads")[()] >= 1  # noqa: SLF001
    world.faults.down = False
    assert world.run(service, 300, world.settled)
    world.run(service, 3)
    assert set(samples(service._metrics, told).values()) == {0.0}  # noqa: SLF001
