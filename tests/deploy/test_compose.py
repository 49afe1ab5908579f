"""The chain of `deploy/compose` fits together, the code, and the versions that the tests run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from e2e.connect import DEBEZIUM
from kafka_node import KAFKA_VERSION

from connector.settings import describe, load
from deploy.compose import FOLDER, composed, debezium, mounts, service, topics

# The Compose Specification's own schema, under the Apache License 2.0.
SPECIFICATION = jsonschema.Draft7Validator(json.loads(Path(__file__).with_name("compose-spec.json").read_text()))
OURS = ("connector", "sandbox")


def test_it_is_a_compose_file() -> None:
    """Its specification knows each field; a misspelt one is told."""
    assert [error.message for error in SPECIFICATION.iter_errors(composed())] == []
    misspelt: dict[str, Any] = {"services": {"connector": {"helthcheck": {}}}}
    assert any("helthcheck" in error.message for error in SPECIFICATION.iter_errors(misspelt))


def test_each_service_waits_for_what_can_come() -> None:
    """Dependencies exist, go round in no circle, and are healthy or complete as the services can be."""
    waits = {name: each.get("depends_on", {}) for name, each in composed()["services"].items()}
    [*TopologicalSorter({name: {*each} for name, each in waits.items()}).static_order()]
    conditions = {(on, each["condition"]) for wait in waits.values() for on, each in wait.items()}
    image_tells = "HEALTHCHECK" in (FOLDER.parent.parent / "Dockerfile").read_text()
    healthy = {name for name, each in composed()["services"].items() if "healthcheck" in each}
    assert {on for on, condition in conditions if condition == "service_healthy"} <= healthy | (
        {"connector"} if image_tells else set()
    )
    assert {on for on, condition in conditions if condition == "service_completed_successfully"} == {
        "topics",
        "debezium",
    }
    assert service("connector")["network_mode"] == "service:sandbox"


def test_what_is_mounted_exists_and_no_port_is_taken_twice() -> None:
    """Each file is there, and is used by something; ports are this machine's alone."""
    used = {file for name in composed()["services"] for file in mounts(name).values()}
    assert sorted(str(file) for file in used if not file.is_file()) == []
    own = {file for file in FOLDER.rglob("*") if file.is_file()}
    assert own - used == {FOLDER / "compose.yaml", FOLDER / "README.md"}
    ports = [port for each in composed()["services"].values() for port in each.get("ports", ())]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.split(":")[1] for port in ports}) == len(ports)


def test_its_page_names_what_there_is() -> None:
    """Services, ports and files of the README are those of the compose file."""
    page = (FOLDER / "README.md").read_text()
    named = re.findall(r"docker compose (?:logs -f|exec|kill|up -d) ([a-z]+)", page)
    assert len(named) > 3
    assert set(named) <= {*composed()["services"]}
    published = {port.split(":")[1] for each in composed()["services"].values() for port in each.get("ports", ())}
    assert (
        set(re.findall(r"localhost:(\d+)", page)) == published == set(re.findall(r"\b\d{4}\b", page.split("Ports ")[1]))
    )
    assert {FOLDER / name for name in re.findall(r"`([a-z]+\.(?:sql|json))`", page)} <= {*FOLDER.iterdir()}


def test_images_are_pinned_and_are_what_the_tests_run() -> None:
    images = {name: each["image"] for name, each in composed()["services"].items() if name not in OURS}
    assert [image for image in images.values() if not re.search(r":v?\d+\.\d+(\.\w+)*$", image)] == []
    assert {images["kafka"], images["topics"]} == {f"apache/kafka:{KAFKA_VERSION}"}
    assert {images["connect"], images["debezium"]} == {f"quay.io/debezium/connect:{DEBEZIUM}"}
    assert images["changes"] == images["postgres"]


@pytest.mark.parametrize("name", OURS)
def test_the_image_is_this_project_s_and_may_do_little(name: str) -> None:
    found = service(name)
    assert (FOLDER / found["build"]).resolve() == FOLDER.parent.parent
    assert found["read_only"]
    assert found["cap_drop"] == ["ALL"]


def test_the_connector_s_settings_are_known_and_right() -> None:
    """None is unknown, all together are accepted, and it may stop for as long as it may take."""
    environment: dict[str, str] = service("connector")["environment"]
    assert {*environment} <= {row.name for row in describe()}
    settings = load(environment)
    assert float(service("connector")["stop_grace_period"].removesuffix("s")) > settings.shutdown_timeout
    assert settings.replenit_base_url == f"http://127.0.0.1:{_option('sandbox', '--port')}"
    assert {*topics()} == {settings.dead_letter_topic, settings.replay_topic}
    configuration = debezium()
    prefix, tables = configuration["topic.prefix"], configuration["table.include.list"].split(",")
    assert {f"{prefix}.{table}" for table in tables} == {name for each in settings.topics.values() for name in each}
    sandbox = service("sandbox")["environment"]
    assert {name: environment[name] for name in sandbox} == sandbox


def test_addresses_are_those_of_services() -> None:
    """Each host is a service, or the service itself; the ports are those at which they serve."""
    services = composed()["services"]
    kafka = services["kafka"]["environment"]
    brokers = kafka["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")
    assert services["connector"]["environment"]["KAFKA_BOOTSTRAP_SERVERS"] == brokers
    assert services["connect"]["environment"]["BOOTSTRAP_SERVERS"] == brokers
    assert f"--bootstrap-server={brokers}" in services["topics"]["command"][-1]
    assert debezium()["database.hostname"] == services["changes"]["environment"]["PGHOST"] == "postgres"
    database, changes = services["postgres"]["environment"], services["changes"]["environment"]
    assert debezium()["database.dbname"] == changes["PGDATABASE"] == database["POSTGRES_DB"]
    assert debezium()["database.password"] == changes["PGPASSWORD"] == database["POSTGRES_PASSWORD"]
    assert "wal_level=logical" in services["postgres"]["command"]
    (scraped,) = _yaml("prometheus.yaml")["scrape_configs"]
    port = load(services["connector"]["environment"]).http_port
    assert scraped["static_configs"] == [{"targets": [f"sandbox:{port}"]}]
    assert any(each.endswith(f":{port}") for each in services["sandbox"]["ports"])
    (source,) = _yaml("grafana/datasource.yaml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    hosts = re.findall(r"https?://([a-z]+):\d", str(services))
    assert set(hosts) <= {*services, "localhost"}


def test_grafana_finds_the_dashboard_where_it_is_mounted() -> None:
    (provider,) = _yaml("grafana/dashboards.yaml")["providers"]
    home = service("grafana")["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(provider["options"]["path"])
    assert mounts("grafana")[home].name == "replenit-connector.json"


def test_prometheus_takes_its_configuration_and_its_rules(tmp_path: Path) -> None:
    """As the tool that comes with it says, from the places at which the files are mounted."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("no promtool: install one, Debian's package is prometheus")
    for inside, file in mounts("prometheus").items():
        shutil.copy(file, tmp_path / Path(inside).name)
    done = subprocess.run(
        [promtool, "check", "config", tmp_path / "prometheus.yml"], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "rule files found" in done.stdout


def _option(name: str, option: str) -> str:
    (value,) = [word.partition("=")[2] for word in service(name)["command"] if word.startswith(f"{option}=")]
    return str(value)


def _yaml(name: str) -> Any:  # noqa: ANN401 (YAML is any)
    return yaml.safe_load((FOLDER / name).read_text())
