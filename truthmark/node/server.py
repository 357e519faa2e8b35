# SPDX-License-Identifier: Apache-2.0
"""A node's endpoints for its operator: `/health` and `/metrics`."""

import json
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from truthmark.errors import ConfigError
from truthmark.node.status import Health, Metrics


class StatusServer:
    """Answers until it is closed.

    Args:
        health: What `/health` says; 200 if ready, else 503.
        metrics: What `/metrics` says.
        host: Where to listen; anything else than loopback shows the figures to others.
        port: 0 takes a free one.

    Raises:
        ConfigError: The address cannot be used.
    """

    def __init__(
        self, health: Health, metrics: Metrics, *, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """Listen at once."""
        handler = type("Handler", (_Handler,), {"health": health, "metrics": metrics})
        try:
            self._server = ThreadingHTTPServer((host, port), handler)
        except OSError as error:
            raise ConfigError(
                f"cannot listen at {host}:{port} ({error.strerror}); choose another port"
            ) from error
        self.url = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    health: Health
    metrics: Metrics
    timeout = 10

    def do_GET(self) -> None:
        if self.path == "/health":
            status = HTTPStatus.OK if self.health.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
            self._answer(status, "application/json", json.dumps(self.health.to_dict()).encode())
        elif self.path == "/metrics":
            self._answer(HTTPStatus.OK, "text/plain; version=0.0.4", self.metrics.text())
        else:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"see /health and /metrics\n")

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: health checks come every few seconds."""
