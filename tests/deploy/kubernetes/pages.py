"""What the connector's HTTP port serves, as the server itself says."""

from __future__ import annotations

from functools import cache

import httpx

from connector.adapters.status import Pages, StatusServer


@cache
def is_served(path: str) -> bool:
    """Whether there is such a page."""
    pages = Pages(metrics=lambda: b"", heartbeat_age=lambda: 0.0, ready=lambda: True, status=dict)
    server = StatusServer("127.0.0.1", 0, pages)
    server.start()
    try:
        answer = httpx.get(f"http://127.0.0.1:{server.port}{path}", trust_env=False)
    finally:
        server.stop()
    return answer.status_code == httpx.codes.OK
