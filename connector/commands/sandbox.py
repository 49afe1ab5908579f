"""`sandbox`: Replenit's ingestion API on a local port, for trying the connector without an account."""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import signal
import sys
import threading
import uuid
from datetime import datetime
from typing import TYPE_CHECKING

from connector.errors import ConfigurationError, PlatformError
from connector.sandbox.answers import ErrorShape
from connector.sandbox.config import SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.rules import Contract
from connector.sandbox.server import Sandbox
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from connector.sandbox.journal import Seen


def run(arguments: list[str]) -> int:
    """Serve until SIGINT or SIGTERM, one line a request. Raises ConfigurationError, and PlatformError for the port."""
    asked = _parser().parse_args(arguments)
    config = _config(asked)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with Sandbox(config, observe=_show) as sandbox:
            _say(_introduction(sandbox.url, config, shows_key=asked.key is None))
            stop.wait()
            broken = len(sandbox.broken_promises)
            _say(f"stopped after {len(sandbox.requests)} requests, {broken} broken promises")
    except OSError as error:
        raise PlatformError(f"cannot listen on {config.host}:{config.port}: {error.strerror}") from error
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="replenit-connector sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8099, help="0 takes any that is free (default: 8099)")
    parser.add_argument("--tenant", default=os.environ.get("REPLENIT_TENANT_ID"), help="GUID (default: generated)")
    parser.add_argument("--key", default=os.environ.get("REPLENIT_API_KEY"), help="API key (default: generated)")
    parser.add_argument("--contract", type=Contract, choices=list(Contract), default=Contract.LENIENT)
    parser.add_argument("--upsert", type=Upsert, choices=list(Upsert), default=Upsert.REPLACE)
    parser.add_argument("--errors", type=ErrorShape, choices=list(ErrorShape), default=ErrorShape.INDEXED)
    parser.add_argument("--per-minute", type=int, default=100, help="requests a minute, 0 = unlimited (default: 100)")
    parser.add_argument("--per-hour", type=int, default=5000, help="requests an hour, 0 = unlimited (default: 5000)")
    parser.add_argument("--delete-delay", type=float, default=0.0, help="seconds that a customer's DELETE is queued")
    parser.add_argument("--late-deletes", action="store_true", help="a queued DELETE removes later upserts too")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="misbehaviour, repeatable: a share (error, too_many, reset, lost, hang, html, unsuccessful, redirect, "
        "slow) such as error=0.1, or any other field of the faults as JSON, such as slow_seconds=40",
    )
    return parser


def _config(asked: argparse.Namespace) -> SandboxConfig:
    tenant = asked.tenant or str(uuid.uuid4())
    key = asked.key or base64.b64encode(secrets.token_bytes(24)).decode()
    try:
        faults = Faults.parse({name: json.loads(value) for name, _, value in (e.partition("=") for e in asked.fault)})
    except ValueError as error:
        raise ConfigurationError([f"--fault: {error}"]) from error
    return SandboxConfig(
        host=asked.host,
        port=asked.port,
        tenants=(tenant,),
        keys={key: (tenant,)},
        contract=asked.contract,
        upsert=asked.upsert,
        errors=asked.errors,
        per_minute=asked.per_minute or None,
        per_hour=asked.per_hour or None,
        delete_delay=asked.delete_delay,
        late_deletes=asked.late_deletes,
        faults=faults,
    )


def _introduction(url: str, config: SandboxConfig, *, shows_key: bool) -> str:
    key = next(iter(config.keys)) if shows_key else "<the key you gave>"
    return (
        f"Replenit's ingestion API, sandboxed: {config.contract} contract, upserts {config.upsert}.\n"
        f"For the connector:\n"
        f"  REPLENIT_BASE_URL={url}\n"
        f"  REPLENIT_TENANT_ID={config.tenants[0]}\n"
        f"  REPLENIT_API_KEY={key}\n"
        f"Documents: {url}/_sandbox/state   requests: {url}/_sandbox/requests   Ctrl-C ends it."
    )


def _show(seen: Seen) -> None:
    """One line without an identifier: they may be personal data, and terminals are recorded."""
    at = datetime.fromtimestamp(seen.time).astimezone().strftime("%H:%M:%S")
    records = f"{seen.records} record{'' if seen.records == 1 else 's'}"
    fault = f"  ({seen.fault})" if seen.fault else ""
    status = seen.status or "---"
    _say(f"{at}  {status}  {seen.method:<6} {seen.endpoint:<22} {records:>12} {seen.seconds * 1000:>8.1f} ms{fault}")
    for promise in seen.broken_promises:
        _say(f"          broken promise: {promise}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
