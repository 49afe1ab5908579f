"""An API that accepts everything at once, to be started as a process of its own: it prints its port.

A GET tells what it holds: customer → surname.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HELD: dict[str, str] = {}


class Handler(BaseHTTPRequestHandler):
    """Upserts of customers, and what came of them."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        documents = json.loads(self.rfile.read(int(self.headers["content-length"])))
        HELD.update((document["CustomerId"], document["Surname"]) for document in documents)
        self._answer({"success": True, "message": "Saved.", "data": {"count": len(documents)}})

    def do_GET(self) -> None:
        self._answer(HELD)

    def _answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)  # noqa: T201
    server.serve_forever()
