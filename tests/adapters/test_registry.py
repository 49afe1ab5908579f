"""The registry's client against a real HTTP server: both APIs, outages, ids that nobody knows."""

from __future__ import annotations

import json
import threading
from base64 import b64encode
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from registry_server import serving

from connector.adapters.registry import PATIENCE, Access, Registry
from connector.core.avro_wire import IdKind, Schema, SchemaId
from connector.core.decoded import Undecodable
from connector.errors import ConfigurationError, PlatformError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEY = {"type": "record", "name": "Key", "fields": [{"name": "id", "type": "long"}]}
GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


class Clock:
    """A clock that is moved by hand; the registry's thread looks at it when it is woken."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def registry(access: Access, clock: Callable[[], float] | None = None) -> Iterator[Registry]:
    """A client that is closed in the end."""
    client = Registry(access) if clock is None else Registry(access, clock)
    yield client
    client.close()


def arrives(client: Registry, schema_id: SchemaId) -> Schema:
    """Wait for a schema."""
    found = client.get(schema_id)
    waiting = threading.Event()
    for _ in range(200):
        if found is not None:
            return found
        waiting.wait(0.05)
        found = client.get(schema_id)
    raise TimeoutError(schema_id)


@pytest.mark.parametrize(
    ("base", "schema_id", "path"),
    [
        ("", SchemaId(IdKind.ID, "7"), "/schemas/ids/7"),
        ("", SchemaId(IdKind.GUID, GUID), f"/schemas/guids/{GUID}"),
        ("/apis/ccompat/v7", SchemaId(IdKind.ID, "7"), "/apis/ccompat/v7/schemas/ids/7"),
        ("/apis/registry/v2", SchemaId(IdKind.GLOBAL, "7"), "/apis/registry/v2/ids/globalIds/7"),
        ("/apis/registry/v3", SchemaId(IdKind.CONTENT, "7"), "/apis/registry/v3/ids/contentIds/7"),
        ("/apis/registry/v3", SchemaId(IdKind.ID, "7"), "/apis/registry/v3/ids/contentIds/7"),
    ],
)
def test_each_kind_of_id_has_its_path(base: str, schema_id: SchemaId, path: str) -> None:
    """Asked for once, with the credentials; the loop is told that something has arrived, once."""
    with serving() as server, registry(Access(server.url + base, "ana", "secret")) as client:
        server.answers[path] = (200, KEY if "registry" in base else {"schema": json.dumps(KEY)})
        assert arrives(client, schema_id).types["id"].type == "long"
        assert (client.missing, client.arrived(), client.arrived()) == (0, True, False)
        assert client.get(schema_id) is not None
        assert server.asked == [(path, f"Basic {b64encode(b'ana:secret').decode()}")]


@pytest.mark.parametrize("answer", [(503, {}), (401, {}), (200, b"<html>"), (404, {})])
def test_a_registry_that_does_not_answer_is_asked_again(answer: tuple[int, object]) -> None:
    """Whatever it says that is no schema; meanwhile the schema is missing, and nobody's record is refused."""
    wanted = SchemaId(IdKind.ID, "7")
    with serving() as server, registry(Access(server.url)) as client:
        server.answers["/schemas/ids/7"] = answer
        assert client.get(wanted) is None
        assert server.heard.wait(10)
        assert client.get(wanted) is None
        assert client.missing == 1
        server.answers["/schemas/ids/7"] = (200, {"schema": json.dumps(KEY)})
        assert arrives(client, wanted).types["id"].type == "long"


def test_what_the_registry_keeps_denying_is_unreadable_until_it_is_there() -> None:
    """After minutes the records are refused, with the id and the remedy; it is still asked for."""
    clock, wanted = Clock(), SchemaId(IdKind.ID, "7")
    with serving() as server, registry(Access(server.url), clock) as client:
        assert client.get(wanted) is None
        refused = None
        for _ in range(200):
            server.heard.wait(0.05)
            server.heard.clear()
            clock.now += PATIENCE / 4
            client.get(SchemaId(IdKind.ID, str(clock.now)))  # which wakes the thread
            try:
                client.get(wanted)
            except Undecodable as error:
                refused = str(error)
                break
        assert refused is not None
        assert "id 7" in refused
        assert "SCHEMA_REGISTRY_URL" in refused


@pytest.mark.parametrize(
    "body",
    [
        {"schema": '"nonsense"'},
        {"schema": "{"},
        {"schema": json.dumps(KEY), "references": [{"name": "x"}]},
        {"schema": "syntax = 'proto3'", "schemaType": "PROTOBUF"},
        {"schema": "5"},
    ],
)
def test_what_is_no_schema_of_avro_is_unreadable(body: object) -> None:
    """It will not change: the record is refused at once, with the reason."""
    wanted = SchemaId(IdKind.ID, "7")
    with serving() as server, registry(Access(server.url)) as client:
        server.answers["/schemas/ids/7"] = (200, body)
        with pytest.raises(Undecodable, match="registry"):
            arrives(client, wanted)


def test_a_registry_that_nobody_asks_ends_the_process() -> None:
    """Once its thread is gone, records would wait for ever without a word."""
    client = Registry(Access("http://127.0.0.1:1"))
    client.close()
    with pytest.raises(PlatformError, match="start anew"):
        client.arrived()


def test_certificates_that_are_none_are_a_wrong_setting(tmp_path: Path) -> None:
    """The message names the setting and not the file's content."""
    wrong = tmp_path / "ca.pem"
    wrong.write_text("nothing")
    for path in (wrong, tmp_path / "missing"):
        with pytest.raises(ConfigurationError, match="SCHEMA_REGISTRY_CA_PATH"):
            Registry(Access("https://127.0.0.1:1", ca_path=str(path)))


def test_only_so_many_schemas_are_remembered() -> None:
    """Broken bytes can name any id: what is learnt of them takes bounded memory, and the newest is known still."""
    with serving() as server:
        server.answers = {f"/schemas/ids/{number}": (200, {"schema": json.dumps(KEY)}) for number in range(1, 6)}
        client = Registry(Access(server.url), most=3)
        for number in range(1, 6):
            arrives(client, SchemaId(IdKind.ID, str(number)))
        assert client.get(SchemaId(IdKind.ID, "5")) is not None
        assert client.get(SchemaId(IdKind.ID, "3")) is not None
        assert client.get(SchemaId(IdKind.ID, "1")) is None  # it is asked for anew
        arrives(client, SchemaId(IdKind.ID, "1"))
        client.close()
