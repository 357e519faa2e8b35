# SPDX-License-Identifier: Apache-2.0
"""An httpx client for addresses that strangers name."""

import http.server
import ipaddress
import threading
from collections.abc import Iterator

import httpx
import pytest

from truthmark.chain.public_http import ALL_NETWORKS, PublicTransport


class _Echo(http.server.BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("X-Path", self.path)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"cut off")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_public_transport__allowed__asks_and_answers(url: str) -> None:
    with httpx.Client(transport=PublicTransport(5, private=ALL_NETWORKS)) as client:
        for _ in range(2):
            reply = client.put(f"{url}/a?b=c", content=b"body")
            assert (reply.status_code, reply.content) == (201, b"body")
            assert reply.headers["X-Path"] == "/a?b=c"
        with pytest.raises(httpx.ReadError):
            client.get(url)


@pytest.mark.parametrize(
    "found,is_asked",
    [
        (["127.0.0.1"], True),
        (["::ffff:127.0.0.1"], True),
        (["127.0.0.1", "10.0.0.1"], False),
        (["127.0.0.2"], False),
        (["::1"], False),
    ],
)
def test_public_transport__one_address_allowed__is_asked_and_no_other(
    url: str, found: list[str], is_asked: bool
) -> None:
    allowed = [ipaddress.ip_network("127.0.0.1")]
    transport = PublicTransport(5, private=allowed, lookup=lambda host, port: found)
    named = url.replace("127.0.0.1", "receiver.local")
    with httpx.Client(transport=transport) as client:
        if is_asked:
            assert client.put(f"{named}/a", content=b"body").content == b"body"
            return
        with pytest.raises(httpx.ConnectError, match="is not a public address"):
            client.put(f"{named}/a", content=b"body")


def test_public_transport__private_or_unknown_address__connects_to_nothing(url: str) -> None:
    inner = httpx.Client(transport=PublicTransport(5, private=()))
    with inner, pytest.raises(httpx.ConnectError, match="not a public address"):
        inner.get(url)
    nowhere = PublicTransport(5, private=ALL_NETWORKS, lookup=lambda host, port: [])
    lost = httpx.Client(transport=nowhere)
    with lost, pytest.raises(httpx.ConnectError, match="no address"):
        lost.get(url)
