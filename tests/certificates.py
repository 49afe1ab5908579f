"""Certificates for tests: an authority of our own, and what it has signed, or not."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain, and its key, in PEM."""

    chain: bytes
    key: bytes

    def server(self, folder: Path) -> ssl.SSLContext:
        """What a server proves itself with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.written(folder))
        return context

    def written(self, folder: Path) -> Path:
        """Both in one file, as Kafka and OpenSSL read it."""
        path = folder / "server.pem"
        path.write_bytes(self.key + self.chain)
        return path


class Authority:
    """Signs, and can be trusted: `path` holds its certificate."""

    def __init__(self, folder: Path) -> None:
        self._authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(self.path)

    def sign(self, *hosts: str, expires: timedelta = timedelta(days=1)) -> Pair:
        """A certificate for hosts; one whose time is over if it expires before now."""
        signed = self._authority.issue_cert(
            *hosts,
            not_before=datetime.now(UTC) - timedelta(days=2),
            not_after=datetime.now(UTC) + expires,
            key_type=trustme.KeyType.ECDSA,
        )
        chain = b"".join(part.bytes() for part in signed.cert_chain_pems)
        return Pair(chain, _pkcs8(signed.private_key_pem.bytes()))


def _pkcs8(key: bytes) -> bytes:
    """The form in which Kafka reads a key."""
    loaded = load_pem_private_key(key, None)
    return loaded.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@cache
def self_signed() -> Pair:
    """A certificate that nobody but itself vouches for."""
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    return Pair(authority.cert_pem.bytes(), authority.private_key_pem.bytes())
