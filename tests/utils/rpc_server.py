# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that answers JSON-RPC as a test tells it to, or passes it on with faults."""

import contextlib
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

Answer = tuple[int, bytes] | tuple[int, bytes, str] | None
"""HTTP status, body, maybe its encoding; None closes the connection without an answer."""


@dataclass
class RpcServer:
    """A running server.

    Attributes:
        url: Where it listens.
        bodies: What it was sent.
        headers: What it sends beside what belongs to the body.
    """

    url: str = ""
    bodies: list[bytes] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def methods(self) -> list[str]:
        """What it was asked, in order."""
        asked = []
        for body in self.bodies:
            parsed = json.loads(body)
            entries = parsed if isinstance(parsed, list) else [parsed]
            asked += [entry["method"] for entry in entries]
        return asked


@contextlib.contextmanager
def serve(answer: Callable[[bytes], Answer]) -> Iterator[RpcServer]:
    """Run a server whose answers `answer` makes from the bodies of requests."""
    server = RpcServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one packet: in two, each answer waits 40 ms for an acknowledgement.
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            server.bodies.append(body)
            reply = answer(body)
            if reply is None:
                self.close_connection = True
                return
            with contextlib.suppress(OSError):  # the other side may have hung up
                self.send_response(reply[0])
                self.send_header("content-length", str(len(reply[1])))
                for name, value in server.headers.items():
                    self.send_header(name, value)
                if len(reply) == 3:
                    self.send_header("content-encoding", reply[2])
                self.end_headers()
                self.wfile.write(reply[1])

        def log_message(self, format: str, *args: Any) -> None:
            """Be silent."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


def results(**by_method: Any) -> Callable[[bytes], Answer]:
    """Answer each method by a value, by what a function makes of the parameters, or an error."""

    def one(request: dict[str, Any]) -> dict[str, Any]:
        value = by_method[request["method"]]
        value = value(*request["params"]) if callable(value) else value
        kind = "error" if isinstance(value, dict) and "code" in value else "result"
        return {"jsonrpc": "2.0", "id": request["id"], kind: value}

    def answer(body: bytes) -> Answer:
        request = json.loads(body)
        reply = [one(entry) for entry in request] if isinstance(request, list) else one(request)
        return 200, json.dumps(reply).encode()

    return answer


class Proxy:
    """Passes requests on to a chain; a test may change what goes in and comes out."""

    def __init__(self, upstream: str) -> None:
        self._client = httpx.Client(trust_env=False)
        self._upstream = upstream

    def __call__(self, body: bytes) -> Answer:
        request = json.loads(body)
        entries = request if isinstance(request, list) else [request]
        answers = [self._one(entry) for entry in entries]
        return 200, json.dumps(answers if isinstance(request, list) else answers[0]).encode()

    def _one(self, request: dict[str, Any]) -> dict[str, Any]:
        reply = self.early(request)
        if reply is not None:
            return {"jsonrpc": "2.0", "id": request["id"], **reply}
        answer: dict[str, Any] = self._client.post(self._upstream, json=request).json()
        self.late(request, answer)
        return answer

    def early(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """Answer instead of the chain."""

    def late(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        """Change the chain's answer."""


FAULTS = ("refuse", "lose", "busy", "garbage", "truncate", "twice", "slow", "wrong-id", "page")


@contextlib.contextmanager
def faulty(upstream: str, chance: float, seed: int) -> Iterator[RpcServer]:
    """Pass requests on to `upstream`, and treat some of them or of their answers badly."""
    chooser = random.Random(seed)
    client = httpx.Client(trust_env=False, timeout=30)

    def forward(body: bytes) -> bytes:
        headers = {"content-type": "application/json"}
        return client.post(upstream, content=body, headers=headers).content

    def answer(body: bytes) -> Answer:
        fault = chooser.choice(FAULTS) if chooser.random() < chance else ""
        if fault == "refuse":
            return None
        if fault == "busy":
            return chooser.choice((429, 500, 502, 503)), b"try later"
        if fault == "page":
            return 200, b"<html>maintenance</html>"
        reply = forward(body)
        if fault == "lose":  # it did take effect
            return None
        if fault == "twice":
            reply = forward(body)
        if fault == "garbage":
            return 200, chooser.randbytes(len(reply))
        if fault == "truncate":
            return 200, reply[: chooser.randrange(len(reply))]
        if fault == "wrong-id":
            return 200, reply.replace(b'"id":', b'"id":9')
        if fault == "slow":
            time.sleep(0.2)
        return 200, reply

    with client, serve(answer) as server:
        yield server
