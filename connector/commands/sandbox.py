"""`sandbox`: Replenit's ingestion API on a local port, for trying the connector without an account."""

from __future__ import annotations

import argparse
import base64
import json
import os
import secrets
import signal
import sys
import uuid
from contextlib import ExitStack
from datetime import datetime
from queue import SimpleQueue
from typing import TYPE_CHECKING

from connector.errors import ConfigurationError, PlatformError
from connector.sandbox.answers import ErrorShape
from connector.sandbox.api import GUID
from connector.sandbox.config import SandboxConfig
from connector.sandbox.faults import Faults
from connector.sandbox.rules import Contract
from connector.sandbox.server import Sandbox
from connector.sandbox.state import Upsert

if TYPE_CHECKING:
    from connector.sandbox.journal import Seen

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_LAST_PORT = 65_535


def run(arguments: list[str]) -> int:
    """Serve until SIGINT or SIGTERM, one line a request. Raises ConfigurationError, and PlatformError for the port."""
    asked = _parser().parse_args(arguments)
    config = _config(asked)
    signals: SimpleQueue[int] = SimpleQueue()  # an Event may not be set by a handler that interrupts its wait
    before = {number: signal.signal(number, lambda number, _: signals.put(number)) for number in _SIGNALS}
    try:
        with ExitStack() as stack:
            sandbox = _listening(config, stack)
            _say(_introduction(sandbox.url, config, shows_key=not asked.key))
            signals.get()
            broken = len(sandbox.broken_promises)
            _say(f"stopped after {sandbox.counts.total()} requests, {broken} broken promises")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _listening(config: SandboxConfig, stack: ExitStack) -> Sandbox:
    try:
        return stack.enter_context(Sandbox(config, observe=_show))
    except OSError as error:
        raise PlatformError(f"cannot listen on {config.host}:{config.port}: {error.strerror}") from error


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
    parser.add_argument("--customers-by", choices=["CustomerId", "Email"], default="CustomerId")
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
    problems = _problems(asked, tenant)
    faults = Faults()
    try:
        faults = Faults.parse({name: json.loads(value) for name, _, value in (e.partition("=") for e in asked.fault)})
    except ValueError as error:
        problems.append(f"--fault: {error}")
    if problems:
        raise ConfigurationError(problems)
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
        customers_by=asked.customers_by,
        delete_delay=asked.delete_delay,
        late_deletes=asked.late_deletes,
        faults=faults,
    )


def _problems(asked: argparse.Namespace, tenant: str) -> list[str]:
    wrong = {
        "--tenant or REPLENIT_TENANT_ID must be a GUID, as Replenit's tenant ids are": not GUID.fullmatch(tenant),
        "--port must lie between 0 and 65535": not 0 <= asked.port <= _LAST_PORT,
        "--per-minute and --per-hour must not be negative": min(asked.per_minute, asked.per_hour) < 0,
        "--delete-delay must not be negative": not asked.delete_delay >= 0,
    }
    return [problem for problem, holds in wrong.items() if holds]


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
    line = f"{at}  {status}  {seen.method:<6} {seen.endpoint:<22} {records:>12} {seen.seconds * 1000:>8.1f} ms{fault}"
    _say("\n".join([line, *(f"          broken promise: {promise}" for promise in seen.broken_promises)]))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
