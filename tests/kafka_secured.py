"""A broker that speaks TLS, and one that asks for a password as well, beside the plain one that tests look through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kafka_jars import JarNode
from kafka_node import free_port

if TYPE_CHECKING:
    from pathlib import Path

    from certificates import Authority
    from kafka_broker import Broker

USER = "ana"


class SecuredNode:
    """A broker of our own. `tls` and `login` are the addresses of its listeners; `password` is that of `USER`."""

    def __init__(self, authority: Authority, folder: Path, password: str) -> None:
        """Start it. Raise UnavailableError where Java or the jars can't be had."""
        self._ports = {"TLS": free_port(), "LOGIN": free_port()}
        self._keystore = authority.sign("localhost").written(folder)
        self._password = password
        self.tls, self.login = (f"localhost:{port}" for port in self._ports.values())
        self._node = JarNode(self._secure)

    @property
    def broker(self) -> Broker:
        return self._node.broker

    def close(self) -> None:
        self._node.close()

    def _secure(self, properties: dict[str, str]) -> None:
        listeners = "".join(f",{name}://localhost:{port}" for name, port in self._ports.items())
        properties["listeners"] += listeners
        properties["advertised.listeners"] += listeners
        properties["listener.security.protocol.map"] += ",TLS:SSL,LOGIN:SASL_SSL"
        properties["ssl.keystore.type"] = "PEM"
        properties["ssl.keystore.location"] = str(self._keystore)
        properties["listener.name.login.sasl.enabled.mechanisms"] = "PLAIN"
        properties["listener.name.login.plain.sasl.jaas.config"] = (
            f'org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{self._password}";'
        )
