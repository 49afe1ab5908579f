"""Prometheus and its Alertmanager as processes of their own, and what receives the alerts."""

from __future__ import annotations

import json
import signal
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import httpx
import yaml
from deploy.programs import program
from kafka_node import free_port
from own_process import OwnProcess

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


def _get(address: str, path: str, **parameters: str | float) -> httpx.Response | None:
    """An answer; None while nobody serves."""
    try:
        return httpx.get(f"http://{address}{path}", params=parameters, trust_env=False, timeout=30)
    except httpx.HTTPError:
        return None


class _Server:
    """A program that serves HTTP on a free port of this machine, and is ready once it says so."""

    def __init__(self, name: str, configuration: dict[str, Any], *options: str) -> None:
        """Start it, or skip the test where it is not installed."""
        command = program(name)
        self.address = f"127.0.0.1:{free_port()}"
        self._process = OwnProcess(name)
        try:
            (self._process.folder / "configuration.yml").write_text(yaml.safe_dump(configuration))
            listen = (f"--web.listen-address={self.address}", "--config.file=configuration.yml")
            self._process.start(
                command, *listen, "--storage.path=data" if "alert" in name else "--storage.tsdb.path=data", *options
            )
            self._process.wait_until(self._ready, "it is ready")
        except BaseException:
            self._process.close()
            raise

    def wait_until(self, holds: Callable[[], bool], what: str) -> None:
        self._process.wait_until(holds, what)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.end(signal.SIGTERM)
        self._process.close()

    def _ready(self) -> bool:
        answer = _get(self.address, "/-/ready")
        return answer is not None and answer.status_code == HTTPStatus.OK


class Prometheus(_Server):
    """Scrapes one connector of the job `shop`, and follows rules once there are any."""

    def __init__(self, target: str, interval: str, alertmanager: Alertmanager | None = None) -> None:
        to = [] if alertmanager is None else [{"static_configs": [{"targets": [alertmanager.address]}]}]
        configuration = {
            "global": {"scrape_interval": interval, "scrape_timeout": interval, "evaluation_interval": interval},
            "scrape_configs": [{"job_name": "shop", "static_configs": [{"targets": [target]}]}],
            "rule_files": ["rules/*.yaml"],
            "alerting": {"alertmanagers": to},
        }
        super().__init__("prometheus", configuration)

    def follow(self, rules: str) -> None:
        """Evaluate rules from now on. It takes some seconds to find its target, in which there would be none."""
        self.wait_until(lambda: bool(self.series("up == 1", time.time() - 5, time.time(), 1)), "the target is scraped")
        (self._process.folder / "rules").mkdir()
        (self._process.folder / "rules" / "rules.yaml").write_text(rules)
        self._process.send(signal.SIGHUP)

    def series(self, expression: str, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of an expression over a time: `metric`, its labels, and `values`, pairs of time and text."""
        answer = _get(self.address, "/api/v1/query_range", query=expression, start=start, end=end, step=step)
        assert answer is not None
        content = answer.json()
        assert content["status"] == "success", content
        found: list[dict[str, Any]] = content["data"]["result"]
        return found


class Alertmanager(_Server):
    """Hands every alert to a receiver, at once."""

    def __init__(self, receiver: Receiver) -> None:
        route = {"receiver": "test", "group_by": ["alertname"], "group_wait": "0s", "group_interval": "1s"}
        hook = {"url": receiver.url, "send_resolved": True}
        configuration = {"route": route, "receivers": [{"name": "test", "webhook_configs": [hook]}]}
        super().__init__("prometheus-alertmanager", configuration, "--cluster.listen-address=")


class Receiver:
    """A webhook: remembers the alerts that it is told of, as Alertmanager tells them, in their order."""

    def __init__(self) -> None:
        self.alerts: list[dict[str, Any]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def firing(self, since: int = 0) -> set[str]:
        """The names of those that began to fire since so many were received."""
        return {each["labels"]["alertname"] for each in self.alerts[since:] if each["status"] == "firing"}

    def resolved(self, since: int = 0) -> set[str]:
        return {each["labels"]["alertname"] for each in self.alerts[since:] if each["status"] == "resolved"}

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        alerts = self.alerts

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                alerts.extend(content["alerts"])
                self.send_response(HTTPStatus.OK)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
                """What is received is told by the test."""

        return Handler
