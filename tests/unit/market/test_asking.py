# SPDX-License-Identifier: Apache-2.0
"""A node's signed answer, and what a seller's machine does with a stranger's address."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpcore
import pytest

from truthmark.chain.public_http import ALL_NETWORKS, is_public, read_small
from truthmark.errors import ConfigError
from truthmark.keys.typed import presence
from truthmark.market.asking import PATH, ask_all, check_address, is_there
from truthmark.market.drafts.custody import Validator
from truthmark.market.entries import ValidatorOffer
from truthmark.node.presence import ANSWERS_PER_SECOND, Presence
from truthmark.node.status import Health
from truthmark.session import Signer
from truthmark.storage import LocalStore
from truthmark.storage.serve import GatewayServer

OPERATOR, OWNER, OTHER = (Signer(bytes([n]) * 32) for n in (1, 2, 3))
STAKING = OTHER.address
NOW = 1_800_000_000
PLACE: dict[str, Any] = {"chain_id": 31337, "staking": STAKING, "now": NOW, "private": ALL_NETWORKS}


def offer(url: str, operator: Signer = OPERATOR) -> ValidatorOffer:
    return ValidatorOffer(
        validator=Validator(OWNER.address, bytes(32)),
        fees={},
        max_bytes=1,
        max_period_seconds=1,
        min_delivery_seconds=1,
        min_inspection_seconds=1,
        max_lock=1,
        is_available=True,
        free_stake=1,
        operator=operator.address,
        url=url,
    )


def healthy(chain_time: int = NOW) -> Health:
    return Health(problem="", chain_time=chain_time, round_at=time.monotonic())


def make_presence(health: Health | None = None, **changes: Any) -> Presence:
    place: dict[str, Any] = {
        "validator": OWNER.address,
        "chain_id": 31337,
        "staking": STAKING,
    } | changes
    signer = place.pop("signer", OPERATOR)
    return Presence(signer, health or healthy(), **place)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[Any], str]]:
    """Serve a page at the place of the answer; returns the node's address."""
    servers = []

    def start(page: Any) -> str:
        server = GatewayServer(LocalStore(tmp_path / "store"), pages={PATH: page})
        servers.append(server)
        return server.url

    yield start
    for server in servers:
        server.close()


# ------------------------------------------------------------------- answering


@pytest.mark.parametrize("signer", [OPERATOR, OWNER])
def test_is_there__operator_or_owner_answers__is_believed(serve: Any, signer: Signer) -> None:
    url = serve(make_presence(signer=signer).answer)
    assert is_there(offer(url), **PLACE)
    assert is_there(offer(url + "/"), **PLACE)
    assert ask_all([offer(url), offer("")], **PLACE) == {OWNER.address}


@pytest.mark.parametrize(
    "page",
    [
        make_presence(signer=OTHER).answer,
        make_presence(chain_id=1).answer,
        make_presence(staking=OWNER.address).answer,
        make_presence(validator=OTHER.address).answer,
        make_presence(healthy(NOW - 601)).answer,
        make_presence(Health()).answer,
        lambda query: (HTTPStatus.OK, b"{}"),
        lambda query: (HTTPStatus.OK, b"[" * 4_000),
        lambda query: (HTTPStatus.OK, b"x" * 5_000),
        lambda query: (HTTPStatus.OK, json.dumps({"time": True, "signature": "0x"}).encode()),
        lambda query: (HTTPStatus.OK, json.dumps({"time": NOW, "signature": 5}).encode()),
        lambda query: (HTTPStatus.OK, json.dumps({"time": 2**200, "signature": "0x"}).encode()),
    ],
)
def test_is_there__anything_else__is_not_believed(serve: Any, page: Any) -> None:
    assert not is_there(offer(serve(page)), **PLACE)


def test_is_there__old_answer__is_not_believed_again(serve: Any) -> None:
    kept: list[tuple[HTTPStatus, bytes]] = []
    real = make_presence()

    def replay(query: str) -> tuple[HTTPStatus, bytes]:
        kept.append(kept[0] if kept else real.answer(query))
        return kept[0]

    url = serve(replay)
    assert is_there(offer(url), **PLACE)
    assert not is_there(offer(url), **PLACE)


def test_answer__signature__is_of_a_kind_of_its_own() -> None:
    """What a stranger can have signed is not a voucher, admission, permit or key of a wallet."""
    message = presence(
        chain_id=1, staking=STAKING, validator=OWNER.address, challenge=bytes(32), time=NOW
    )
    assert message["primaryType"] == "NodeIsThere"
    assert message["domain"]["verifyingContract"] == STAKING


@pytest.mark.parametrize(
    "query", ["", "challenge=0x12", "challenge=zz&validator=0x", "a&b&c", f"challenge={'0' * 66}"]
)
def test_answer__bad_question__signs_nothing(query: str) -> None:
    status, body = make_presence().answer(query)
    assert status is HTTPStatus.BAD_REQUEST
    assert b"signature" not in body


def test_answer__asked_too_often__signs_no_more() -> None:
    node = make_presence()
    query = f"validator={OWNER.address}&challenge={'00' * 32}"
    statuses = [node.answer(query)[0] for _ in range(4 * ANSWERS_PER_SECOND)]
    assert HTTPStatus.TOO_MANY_REQUESTS in statuses


def test_blocks_server__page_fails__answers_and_goes_on(serve: Any) -> None:
    url = serve(make_presence().answer)
    many = "&".join(f"a{i}=1" for i in range(20))
    with pytest.raises(ValueError, match="status 400"):
        read_small(f"{url}{PATH}?{many}", 5, private=ALL_NETWORKS)
    assert is_there(offer(url), **PLACE)


# --------------------------------------------------------------------- asking


@pytest.mark.parametrize(
    "url",
    [
        "ftp://node.example",
        "node.example",
        "file:///etc/passwd",
        "http://",
        "http://me:secret@node.example",
        "http://node.example/?q=1",
        "http://node.example/#f",
        "http://node.example:99999",
        "http://[::1",
        "http://node.example/\x1b[31m",
        "http://nöde.example",
        "http://node.example/a b",
        "http://node.example/" + "a" * 128,
    ],
)
def test_check_address__nobody_would_ask__is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is not an address of a node"):
        check_address(url)


def test_check_address__good__loses_its_last_slash() -> None:
    assert check_address("https://node.example:8080/tm/") == "https://node.example:8080/tm"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("192.168.0.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.1.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
    ],
)
def test_is_public__address__is_of_the_internet_or_not(address: str, expected: bool) -> None:
    assert is_public(address) is expected


def test_is_there__private_address_on_a_real_chain__is_not_even_connected(serve: Any) -> None:
    asked: list[str] = []

    def page(query: str) -> tuple[HTTPStatus, bytes]:
        asked.append(query)
        return make_presence().answer(query)

    url = serve(page)
    for shown in (url, url.replace("127.0.0.1", "localhost")):
        assert not is_there(offer(shown), **{**PLACE, "private": ()})
    assert asked == []


def test_read_small__one_of_its_addresses_is_private__is_refused() -> None:
    with pytest.raises(OSError, match="not a public address"):
        read_small(
            "http://node.example/",
            5,
            private=(),
            lookup=lambda host, port: ["93.184.216.34", "10.0.0.1"],
        )


def test_read_small__redirect__is_not_followed(serve: Any) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]

    def answer() -> None:
        client, _ = listener.accept()
        with client:
            client.recv(4_096)
            client.sendall(
                b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
            )

    thread = threading.Thread(target=answer)
    thread.start()
    with listener, pytest.raises(ValueError, match="status 302"):
        read_small(f"http://127.0.0.1:{port}/", 5, private=ALL_NETWORKS)
    thread.join()


def test_read_small__byte_now_and_then__ends_in_time() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def drip() -> None:
        client, _ = listener.accept()
        with client:
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n")
            while not stop.wait(0.05):
                try:
                    client.sendall(b"x")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    port = listener.getsockname()[1]
    with pytest.raises(httpcore.TimeoutException):
        read_small(f"http://127.0.0.1:{port}/", 0.5, private=ALL_NETWORKS)
    stop.set()
    thread.join()
    listener.close()


def test_ask_all__silent_nodes__are_left_alone_together() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert ask_all([offer(url)] * 30, **PLACE, patience=0.5) == set()
