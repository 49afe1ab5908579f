"""`health`: whether the loop of a running service turns, for the image's health check."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys

import httpx

_TIMEOUT = 3.0


def run(arguments: list[str]) -> int:
    """Ask `/livez` on this machine; 0 if it is well, 1 if not."""
    parser = argparse.ArgumentParser(prog="replenit-connector health", description=__doc__)
    parser.add_argument("--port", type=int, default=os.environ.get("HTTP_PORT") or 8080, help="the service's HTTP_PORT")
    port = parser.parse_args(arguments).port
    try:
        url = httpx.URL(scheme="http", host=_host(), port=port, path="/livez")
        answer = httpx.get(url, timeout=_TIMEOUT, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        sys.stdout.write(f"port {port} does not answer: {type(error).__name__}\n")
        return 1
    well = answer.status_code == httpx.codes.OK
    sys.stdout.write("the loop turns\n" if well else "the loop stands still\n")
    return 0 if well else 1


def _host() -> str:
    """Return where the service listens: at HTTP_HOST, unless that stands for every address of this machine."""
    host = os.environ.get("HTTP_HOST", "").strip()
    return host if host and not ipaddress.ip_address(host).is_unspecified else "127.0.0.1"
