"""In which dialects the shop's changes come, and what a connector is told of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from e2e.capture import DIALECT

from connector.sandbox.state import Upsert
from deploy.compose import debezium

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Dialect:
    """Properties of Debezium's connector and settings of ours, and how the API that is told reads an upsert.

    `children`: tables that are read beside those of the three entities.
    """

    properties: Mapping[str, str]
    upsert: Upsert
    settings: Mapping[str, str] = field(default_factory=dict)
    children: tuple[str, ...] = ()


def dialects(registry_url: str) -> dict[str, Dialect]:
    """Name → dialect. Each of the two ways in which a column can be cleared is in one of them.

    `json` is that of `deploy/compose`, where a decimal is a text: in base64 it would lack its scale. Of `tables` the
    mapping makes documents of several tables, with decimals in base64.
    """
    return {
        "json": Dialect(
            {name: value for name, value in debezium().items() if name.startswith(DIALECT)},
            Upsert.REPLACE,
        ),
        "avro": Dialect(
            _converters("io.confluent.connect.avro.AvroConverter", "schema.registry.url", registry_url),
            Upsert.MERGE,
            {"SCHEMA_REGISTRY_URL": registry_url, "NULLS": "null"},
        ),
        "tables": Dialect(
            _converters("org.apache.kafka.connect.json.JsonConverter", "schemas.enable", "false"),
            Upsert.MERGE,
            {"MAPPING_FILE": str(Path(__file__).with_name("tables.yaml")), "NULLS": "null"},
            ("order_items", "product_variants"),
        ),
    }


def _converters(name: str, option: str, value: str) -> dict[str, str]:
    sides = ("key.converter", "value.converter")
    return {**dict.fromkeys(sides, name), **{f"{side}.{option}": value for side in sides}}
