"""TLS towards the API and the registry: whom the connector trusts, with real servers and certificates made here."""

from __future__ import annotations

import ssl
import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from certificates import Authority, self_signed
from raw_server import OK, serving

from connector.adapters.api import Api
from connector.adapters.http_client import trusting
from connector.adapters.registry import Access, Registry
from connector.core.avro_wire import IdKind, SchemaId
from connector.core.outcomes import HaltReason, Stopped, classify
from connector.core.requests import UNTRUSTED, Answer, Endpoint, NoAnswer, Request
from connector.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

UPSERT = Request(Endpoint.UPSERT_CUSTOMERS, body=b"[]")
KEY = "c2VjcmV0"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def ask(url: str, ca_path: str = "") -> Answer | NoAnswer:
    api = Api(url, "tenant", 5.0, 1, ca_path)
    try:
        return api.send(UPSERT, KEY)
    finally:
        api.close()


def test_an_authority_of_the_shops_own_is_trusted_by_its_file(authority: Authority, tmp_path: Path) -> None:
    """And only then: the system does not know it. The name in the address must be the certificate's."""
    with serving(context=authority.sign("localhost", "127.0.0.1").server(tmp_path)) as server:
        for host in ("localhost", "127.0.0.1"):
            answer = ask(f"https://{host}:{server.port}", str(authority.path))
            assert isinstance(answer, Answer)
            assert answer.status == 200
        assert len(server.read) == 2
        assert ask(f"https://localhost:{server.port}") == NoAnswer(
            UNTRUSTED, ambiguous=False, detail="unable to get local issuer certificate"
        )
        assert len(server.read) == 2


def test_the_systems_store_is_trusted_where_no_file_is_named(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSL_CERT_FILE stands for it, as OpenSSL has it; a file that is named replaces it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    other = Authority(tmp_path)
    with serving(context=authority.sign("localhost").server(tmp_path)) as server:
        assert isinstance(ask(f"https://localhost:{server.port}"), Answer)
        assert isinstance(ask(f"https://localhost:{server.port}", str(other.path)), NoAnswer)


@pytest.mark.parametrize(
    ("which", "why"),
    [
        ("other host", "certificate is not valid for 'localhost'"),
        ("expired", "certificate has expired"),
        ("self-signed", "self-signed certificate"),
        ("plain", ""),
    ],
)
def test_who_is_not_trusted_gets_no_key_and_the_reason_is_told(
    authority: Authority, tmp_path: Path, which: str, why: str
) -> None:
    """Another's certificate, one whose time is over, one of its own making, none: a setting's fault, no record's."""
    pair = {
        "other host": authority.sign("other.example"),
        "expired": authority.sign("localhost", expires=timedelta(days=-1)),
        "self-signed": self_signed(),
        "plain": None,
    }[which]
    context = None if pair is None else pair.server(tmp_path)
    with serving(b"HTTP/1.1 400 Bad Request\r\n\r\n" if pair is None else OK, context) as server:
        reply = ask(f"https://localhost:{server.port}", str(authority.path))
    assert isinstance(reply, NoAnswer)
    assert (reply.reason, reply.ambiguous) == (UNTRUSTED, False)
    assert why in reply.detail
    assert reply.detail
    assert KEY not in b"".join(server.read).decode("latin-1")
    assert classify(UPSERT, 1, reply) == Stopped(HaltReason.UNTRUSTED, reply.detail)


def test_a_connection_that_breaks_off_within_the_handshake_is_no_question_of_trust() -> None:
    """It is tried again as any other."""
    with serving(b"") as server:
        assert ask(f"https://localhost:{server.port}") == NoAnswer("refused", ambiguous=False)


@pytest.mark.parametrize("named", [False, True])
def test_the_registry_is_verified_alike(
    authority: Authority, tmp_path: Path, named: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """With its authority named it is asked; without, the line says why it is not, and no password has left."""
    body = b'{"schema":"\\"int\\""}'
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)
    wanted = SchemaId(IdKind.ID, "7")
    with serving(answer, authority.sign("localhost").server(tmp_path)) as server:
        url = f"https://localhost:{server.port}"
        registry = Registry(Access(url, "ana", "hunter2", str(authority.path) if named else ""))
        waiting = threading.Event()
        for _ in range(200):
            if registry.get(wanted) is not None or caplog.records:
                break
            waiting.wait(0.05)
        assert (registry.get(wanted) is not None) is named
        registry.close()
    told = " ".join(record.getMessage() for record in caplog.records)
    assert bool(server.read) is named
    assert ("unable to get local issuer certificate" in told) is not named
    assert "hunter2" not in told


def test_certificates_that_are_none_are_a_wrong_setting(tmp_path: Path) -> None:
    """The message names the setting and not the file's content."""
    wrong = tmp_path / "ca.pem"
    wrong.write_text("secret")
    for path in (wrong, tmp_path / "missing"):
        with pytest.raises(ConfigurationError, match="REPLENIT_CA_PATH: names no readable file") as caught:
            Api("https://127.0.0.1:1", "tenant", 1.0, 1, str(path))
        assert "secret" not in str(caught.value)


def test_nothing_older_than_tls_1_2_is_spoken() -> None:
    """Certificates are required, and so are their names."""
    context = trusting("", "REPLENIT_CA_PATH")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
