"""What befalls a connector as Prometheus sees it, one sample a minute, and which alerts must fire when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

HEALTHY = {
    'connector_build_info{version="1"}': "1x3000",
    "process_start_time_seconds": "1x3000",
    'connector_halted{reason="unauthorized"}': "0x3000",
    'connector_halted{reason="forbidden"}': "0x3000",
    'connector_suspended{lane="orders",reason="rejected"}': "0x3000",
    'connector_suspended{lane="orders",reason="topic_missing"}': "0x3000",
    "connector_last_progress_timestamp_seconds": "0+60x3000",
    'connector_oldest_unacked_timestamp_seconds{entity="orders"}': "0x3000",
    'connector_unsettled_messages{topic="shop.orders"}': "0x3000",
    'connector_consumer_lag_messages{topic="shop.orders",partition="0"}': "0x3000",
    "connector_schemas_missing": "0x3000",
    'connector_source_to_ack_seconds_bucket{le="300.0"}': "0+60x3000",
    "connector_source_to_ack_seconds_count": "0+60x3000",
    "connector_backlog_drain_seconds": "0x3000",
    "connector_rate_limit_wait_seconds_total": "0x3000",
    'connector_dead_letters_total{entity="orders",reason="invalid"}': "0x3000",
}
"""A process of the job `c` that has nothing to complain of: values in promtool's notation, for 3000 minutes."""


@dataclass(frozen=True, slots=True)
class Story:
    """Series that differ from the healthy ones (None: it is not there), and what fires at some minutes.

    `of`: the alert that the story is about; one that fires has the labels `labels` beside its job. `alone`: no process
    was ever seen. `also`: what fires with it, rightly.
    """

    of: str
    what: str
    fires: Mapping[int, bool]
    changes: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    job: str = "c"
    alone: bool = False
    also: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def _late(in_time: str, all_of_them: str = HEALTHY["connector_source_to_ack_seconds_count"]) -> dict[str, str | None]:
    """Of 60 changes a minute so many come in time, and the others late."""
    return {
        'connector_source_to_ack_seconds_bucket{le="300.0"}': in_time,
        "connector_source_to_ack_seconds_count": all_of_them,
    }


def _in_a_loop(value: str) -> str:
    """Of a process that starts every five minutes, and runs for two."""
    return " ".join(f"{value}x1 stale _ _".format(start=start) for start in range(0, 12_000, 300))


_KEY = 'connector_halted{reason="unauthorized"}'
_LANE = 'connector_suspended{lane="orders",reason="rejected"}'
_PRODUCTS = 'connector_suspended{lane="products",reason="rejected"}'
_MISSING = 'connector_suspended{lane="orders",reason="topic_missing"}'
_PROGRESS = "connector_last_progress_timestamp_seconds"
_OLDEST = 'connector_oldest_unacked_timestamp_seconds{entity="orders"}'
_OLDEST_PRODUCT = 'connector_oldest_unacked_timestamp_seconds{entity="products"}'
_LAG = 'connector_consumer_lag_messages{topic="shop.orders",partition="0"}'
_ITEMS = 'connector_unsettled_messages{topic="shop.order_items"}'
_BUILD = 'connector_build_info{version="1"}'
_DRAIN = "connector_backlog_drain_seconds"
_WAIT = "connector_rate_limit_wait_seconds_total"
_DEAD = 'connector_dead_letters_total{entity="orders",reason="invalid"}'
_START = "process_start_time_seconds"
_ORDERS = {"entity": "orders"}
_REJECTED = {"lane": "orders", "reason": "rejected"}
_COLUMN = 'connector_mapping_missing_column_rows{entity="orders",column="eur"}'
_GAP = 'connector_retention_gap_records_total{topic="shop.orders"}'

STORIES = (
    Story("ConnectorHalted", "the key is revoked", {5: False, 6: True}, {_KEY: "0 1x60"}, {"reason": "unauthorized"}),
    Story("ConnectorHalted", "a new key comes within four minutes", {5: False, 9: False}, {_KEY: "0 1x3 0x60"}),
    Story("ConnectorSuspended", "orders are refused", {15: False, 16: True}, {_LANE: "0 1x60"}, _REJECTED),
    Story("ConnectorSuspended", "a lane is mended by its first probe", {16: False, 30: False}, {_LANE: "0 1x2 0x60"}),
    Story("ConnectorStalled", "the API is down", {25: False, 26: True}, {_PROGRESS: "0+60x10 600x90"}),
    Story(
        "ConnectorStalled",
        "it is down for ten minutes",
        {20: False, 40: False},
        {_PROGRESS: "0+60x10 600x9 1200+60x90"},
    ),
    Story("ConnectorStalled", "a large store is checked at the start", {5: False, 40: False}, {_PROGRESS: "0x90"}),
    Story(
        "ConnectorHalted",
        "while all is halted nothing is stalled, and nothing is told of what follows from it",
        {120: True},
        {_KEY: "0 1x200", _PROGRESS: "60x200", _OLDEST: "60x200", _DRAIN: "0+120x200"},
        {"reason": "unauthorized"},
    ),
    Story("ConnectorAbsent", "the process is gone", {15: False, 16: True}, {_BUILD: "1x10 stale"}),
    Story(
        "ConnectorAbsent",
        "it is gone for two days while another deployment runs",
        {30: True, 1500: True, 2900: True},
        {_BUILD: "1x10 stale", 'connector_build_info{job="d",instance="d:1"}': "1x3000"},
    ),
    Story("ConnectorAbsent", "it is restarted", {12: False, 40: False}, {_BUILD: "1x10 stale _x2 1x90"}),
    Story("ConnectorAbsent", "it was never there", {4: False, 5: True}, job="", alone=True),
    Story(
        "ConnectorAbsent",
        "one of two replicas is gone",
        {40: False},
        {'connector_build_info{instance="b:1"}': "1x9 stale"},
    ),
    Story(
        "ConnectorNotReading", "Kafka is down", {20: False, 21: True}, {_LAG: "0x10 stale"}, {"topic": "shop.orders"}
    ),
    Story("ConnectorNotReading", "partitions move", {15: False, 40: False}, {_LAG: "0x10 stale _x4 0x90"}),
    Story(
        "ConnectorSuspended",
        "a table has no topic, which is told once",
        {40: True},
        {_ITEMS: "0x90", _MISSING: "1x90"},
        {"lane": "orders", "reason": "topic_missing"},
    ),
    Story(
        "ConnectorNotReading",
        "Kafka is down while a table has no topic",
        {20: False, 21: True},
        {_LAG: "0x10 stale", _MISSING: "1x90"},
        {"topic": "shop.orders"},
        also={"ConnectorSuspended": {"lane": "orders", "reason": "topic_missing"}},
    ),
    Story(
        "ConnectorSchemasMissing",
        "the registry is down",
        {10: False, 11: True},
        {"connector_schemas_missing": "0 1x90"},
    ),
    Story(
        "ConnectorSchemasMissing",
        "a new schema takes a minute",
        {2: False, 40: False},
        {"connector_schemas_missing": "0 1 0x90"},
    ),
    Story("ConnectorFreshnessBudgetBurnFast", "a fifth comes late", {10: False, 11: True, 60: True}, _late("0+48x90")),
    Story("ConnectorFreshnessBudgetBurnFast", "a tenth comes late, for an hour", {60: False}, _late("0+54x90")),
    Story(
        "ConnectorFreshnessBudgetBurnFast",
        "half an hour's outage is over",
        {65: False, 66: False, 90: False},
        _late("0+60x30 1800x30 2160+60x90", "0+60x30 1800x30 3660+60x90"),
    ),
    Story(
        "ConnectorFreshnessBudgetBurnSlow", "a tenth comes late", {60: False, 70: True, 480: True}, _late("0+54x600")
    ),
    Story("ConnectorFreshnessBudgetBurnSlow", "one in twenty comes late", {480: False}, _late("0+57x600")),
    Story(
        "ConnectorFreshnessBudgetBurnSlow",
        "an hour's outage is over",
        {390: False, 480: False},
        _late("0+60x300 18000x60 18360+60x600", "0+60x300 18000x60 21660+60x600"),
    ),
    Story("ConnectorOverdue", "an order is not settled", {74: False, 75: True}, {_OLDEST: "0x9 600x900"}, _ORDERS),
    Story(
        "ConnectorOverdue",
        "the API is down for all others while products are suspended",
        {65: False, 66: True, 180: True},
        {_PRODUCTS: "1x200", _PROGRESS: "60x200", _OLDEST: "60x200", _OLDEST_PRODUCT: "60x200"},
        _ORDERS,
        also={"ConnectorSuspended": {"lane": "products", "reason": "rejected"}},
    ),
    Story(
        "ConnectorSuspended",
        "deletes are refused, so that no entity's oldest change need be settled",
        {120: True},
        {'connector_suspended{lane="deletes",reason="rejected"}': "1x200", _OLDEST: "60x200"},
        {"lane": "deletes", "reason": "rejected"},
    ),
    Story(
        "ConnectorStalled",
        "the API is down for hours, which is told once",
        {180: True},
        {_PROGRESS: "60x200", _OLDEST: "60x200"},
    ),
    Story("ConnectorOverdue", "it is settled within the hour", {70: False, 90: False}, {_OLDEST: "0x9 600x58 0x90"}),
    Story("ConnectorBacklogNotDraining", "more comes than goes", {89: False, 90: True}, {_DRAIN: "3600+30x300"}),
    Story("ConnectorBacklogNotDraining", "a first load", {90: False, 180: False}, {_DRAIN: "18000-60x300"}),
    Story("ConnectorRateLimitSaturated", "all of the budget is used", {60: False, 76: True}, {_WAIT: "0+58x300"}),
    Story("ConnectorRateLimitSaturated", "half of it is used", {90: False, 180: False}, {_WAIT: "0+30x300"}),
    Story(
        "ConnectorRetentionRisk",
        "a change waits for two days",
        {2890: False, 2900: True},
        {_OLDEST: "0x9 600x2990"},
        _ORDERS,
        also={"ConnectorOverdue": _ORDERS},
    ),
    Story("ConnectorRetentionRisk", "it waits for half an hour", {35: False}, {_OLDEST: "60x90"}),
    Story(
        "ConnectorRetentionGap",
        "records were deleted unread",
        {2: False, 5: True},
        {_GAP: "_x3 7x90"},
        {"topic": "shop.orders"},
    ),
    Story(
        "ConnectorRetentionGap",
        "a restart mends nothing, and a day later it is over",
        {30: True, 1440: True, 1460: False},
        {_GAP: "_x3 7x10 0x2990"},
        {"topic": "shop.orders"},
    ),
    Story(
        "ConnectorRetentionGap",
        "another process takes its place",
        {10: True, 180: True},
        {_GAP: "_x3 7x10 stale", f'{_GAP[:-1]},instance="b:1"}}': "_x15 0x200"},
        {"topic": "shop.orders"},
    ),
    Story("ConnectorRetentionGap", "none was", {5: False, 90: False}, {_GAP: "0x90"}),
    Story(
        "ConnectorDeadLettersGrowing",
        "one order is refused",
        {9: False, 11: True, 69: True, 75: False},
        {_DEAD: "0x9 1x90"},
        {**_ORDERS, "reason": "invalid"},
    ),
    Story("ConnectorDeadLettersGrowing", "those of yesterday", {75: False, 190: False}, {_DEAD: "500x200"}),
    Story(
        "ConnectorDeadLettersGrowing",
        "those of yesterday, and Prometheus was away for a while",
        {95: False, 105: False, 160: False},
        {_DEAD: "500x29 _x15 500x200"},
    ),
    Story(
        "ConnectorDeadLettersGrowing",
        "a new process has written some before it is first looked at",
        {68: False, 69: True, 128: True, 129: False},
        {f'{_DEAD[:-1]},instance="b:1"}}': "_x69 3x200"},
        {**_ORDERS, "reason": "invalid"},
    ),
    Story(
        "ConnectorColumnMissing",
        "a column is misspelt",
        {15: False, 16: True},
        {_COLUMN: "_ 100+5x90"},
        {**_ORDERS, "column": "eur"},
    ),
    Story(
        "ConnectorColumnMissing", "the first row with it is late", {16: False, 90: False}, {_COLUMN: "_ 100x5 stale"}
    ),
    Story(
        "ConnectorRestarting",
        "it crashes every five minutes, and each start counts as progress",
        {15: False, 22: True, 90: True, 180: True},
        {
            _BUILD: _in_a_loop("1"),
            _START: _in_a_loop("{start}"),
            _PROGRESS: _in_a_loop("{start}"),
            _OLDEST: _in_a_loop("60"),
        },
    ),
    Story("ConnectorRestarting", "two upgrades within an hour", {25: False, 90: False}, {_START: "0x4 300x4 600x90"}),
)
