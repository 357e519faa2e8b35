# SPDX-License-Identifier: Apache-2.0
"""The relay's server under those who come slowly, or in numbers."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.utils.waiting import wait_for
from truthmark.errors import ConfigError
from truthmark.node.certificate import find_certificate, make_certificate
from truthmark.node.relay import server as server_module
from truthmark.node.relay.server import AppServer, PatientProtocol


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppServer]:
    monkeypatch.setattr(server_module, "IDLE_SECONDS", 0.2)
    app = FastAPI()

    @app.get("/slow")
    def slow() -> str:
        time.sleep(1.0)
        return "done"

    made = AppServer(app, host="127.0.0.1", port=0)
    yield made
    made.close()


def connect(server: AppServer) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


@pytest.mark.parametrize("said", [b"", b"GET /slow HTTP/1.1\r\nHost: x\r\nX: "])
def test_server__no_whole_request__is_let_go(server: AppServer, said: bytes) -> None:
    with connect(server) as stranger:
        stranger.sendall(said)
        assert stranger.recv(1) == b""


def test_server__request_that_takes_long__is_answered_and_its_connection_ended(
    server: AppServer,
) -> None:
    with connect(server) as visitor:
        visitor.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = b""
        while piece := visitor.recv(1000):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200") and answer.endswith(b'"done"')


def test_server__too_many_of_one_address__are_let_go(
    server: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "MAX_EACH", 3)
    monkeypatch.setattr(server_module, "IDLE_SECONDS", 30)
    asked: list[Any] = []
    monkeypatch.setattr(server_module, "is_loopback", lambda who: asked.append(who) or False)
    with ExitStack() as closing:
        held = [closing.enter_context(connect(server)) for _ in range(3)]
        with connect(server) as another:
            assert another.recv(1) == b""
        held[0].sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        assert held[0].recv(12) == b"HTTP/1.1 404"
    assert asked == ["127.0.0.1"]
    monkeypatch.undo()
    assert httpx.get(f"{server.url}/nothing").status_code == 404
    wait_for(lambda: not server.door.held, "the end of every connection")


def test_server__accepted_connection__waits_for_no_acknowledgement(
    server: AppServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    look = PatientProtocol.connection_made

    def noting(self: PatientProtocol, transport: Any) -> None:
        accepted = transport.get_extra_info("socket")
        found.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        look(self, transport)

    monkeypatch.setattr(PatientProtocol, "connection_made", noting)
    assert httpx.get(f"{server.url}/nothing").status_code == 404
    assert found and all(found)


def test_server__port_taken__is_told(server: AppServer) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(ConfigError, match=r"\(Address already in use\); end what .* another port"):
        AppServer(FastAPI(), host="127.0.0.1", port=port)


def test_server__certificate_for_itself__answers_over_https_alone(tmp_path: Path) -> None:
    make_certificate(tmp_path, "127.0.0.1")
    files = find_certificate(tmp_path, "127.0.0.1")
    assert files is not None
    app = FastAPI()
    app.get("/")(lambda: "here")
    server = AppServer(app, host="127.0.0.1", port=0, certificate=files)
    try:
        assert server.url.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=files[0])
        assert httpx.get(server.url, verify=trusting).json() == "here"
        with pytest.raises(httpx.ConnectError, match=r"self-signed|self signed"):
            httpx.get(server.url)
        with pytest.raises(httpx.TransportError):
            httpx.get(server.url.replace("https:", "http:"))
    finally:
        server.close()


def test_server__https__lets_go_who_says_nothing_at_all_in_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A protocol is told of nobody before the end of their handshake, which may never come."""
    monkeypatch.setattr(server_module, "MAX_EACH", 5)
    monkeypatch.setattr(server_module, "is_loopback", lambda who: False)
    make_certificate(tmp_path, "127.0.0.1")
    files = find_certificate(tmp_path, "127.0.0.1")
    server = AppServer(FastAPI(), host="127.0.0.1", port=0, certificate=files)
    try:
        port = int(server.url.rsplit(":", 1)[1])
        with ExitStack() as closing:
            place = ("127.0.0.1", port)
            visitors = [
                closing.enter_context(socket.create_connection(place, timeout=30))
                for _ in range(40)
            ]
            for visitor in visitors[5:]:
                assert visitor.recv(1) == b""
            assert server.door.held.total() == 5
        wait_for(lambda: not server.door.held, "the end of every connection")
        trusting = ssl.create_default_context(cafile=files[0] if files else None)
        assert httpx.get(server.url, verify=trusting).status_code == 404
    finally:
        server.close()


def test_server__key_of_another_certificate__is_refused_before_it_listens(tmp_path: Path) -> None:
    for name in "ab":
        make_certificate(tmp_path / name, "127.0.0.1")
    files = str(tmp_path / "a" / "certificate.pem"), str(tmp_path / "b" / "certificate.key")
    with pytest.raises(ConfigError, match="cannot be used"):
        AppServer(FastAPI(), host="127.0.0.1", port=0, certificate=files)
