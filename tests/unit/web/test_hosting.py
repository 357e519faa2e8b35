# SPDX-License-Identifier: Apache-2.0
"""The label page's routes: its files, its network, questions about the chain."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from truthmark.config.profile import ChainProfile, ContractInfo
from truthmark.errors import BountyError, ChainUnavailableError, RevertedError
from truthmark.web.assets import TYPES
from truthmark.web.forwarding import MAX_BATCH, MAX_BODY, Forwarder
from truthmark.web.hosting import PageHost
from truthmark.web.rates import Rates

BOARD = "0x" + "b0" * 20
HASH = "0x" + "ab" * 32


class Server:
    """A page's server whose chain is an object of the test."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.problem: Exception | None = None
        contract = ContractInfo(BOARD, "BountyBoard", HASH, 1)
        self.profile = ChainProfile(
            name="real",
            chain_id=11155111,
            rpc=(
                "https://rpc.example",
                "https://rpc.example/v3/secret",
                "https://me:secret@rpc.example",
                "https://rpc.example?key=secret",
                "http://127.0.0.1:8545",
            ),
            contracts={"bounty_board": contract},
        )
        endpoints = [SimpleNamespace(is_local=False, place=("rpc", 1))]
        rpc = SimpleNamespace(batch=self.batch, endpoints=endpoints)
        session: Any = SimpleNamespace(profile=self.profile, chain=SimpleNamespace(rpc=rpc))
        self.host = PageHost(
            session=lambda: session,
            relays=self.relays,
            forwarder=Forwarder(Rates(60, 0.0)),
        )
        self.client = TestClient(Starlette(routes=self.host.routes()))

    def relays(self, bounty_id: int) -> list[str]:
        if bounty_id == 404:
            raise BountyError("there is no bounty 404; look for its number again")
        return ["https://relay.example"]

    def batch(self, requests: list[Any]) -> list[Any]:
        if self.problem:
            raise self.problem
        self.asked += requests
        return [f"0x{n}" for n in range(len(requests))]

    def ask(self, method: str, *params: Any) -> Any:
        question = {"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)}
        return self.client.post("/rpc", json=question).json()


@pytest.fixture
def server() -> Iterator[Server]:
    yield Server()


def test_page__asked_for__runs_its_own_scripts_alone(server: Server) -> None:
    reply = server.client.get("/label/7")
    assert reply.status_code == 200 and "text/html" in reply.headers["content-type"]
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
    assert "<script type=" in reply.text and " style=" not in reply.text
    for name in TYPES.keys() - {"label.html"}:
        found = server.client.get(f"/label/{name}")
        assert found.status_code == 200 and found.headers["x-content-type-options"] == "nosniff"
        assert found.headers["cache-control"] == "no-cache"
        again = server.client.get(
            f"/label/{name}", headers={"If-None-Match": found.headers["etag"]}
        )
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["label.html", "manifest.json", "..%2f__init__.py", "-1", "x"])
def test_page__another_name__is_not_there(server: Server, name: str) -> None:
    assert server.client.get(f"/label/{name}").status_code == 404


def test_host__asked_for__names_no_endpoint_that_could_hold_a_key(server: Server) -> None:
    found = server.client.get("/label/host/7").json()
    assert found["endpoints"] == ["https://rpc.example"]
    assert (found["board"], found["chain_id"], found["is_local"]) == (BOARD, 11155111, False)
    assert found["relays"] == ["https://relay.example"]
    assert "secret" not in json.dumps(found)


def test_host__no_such_bounty__is_404(server: Server) -> None:
    assert server.client.get("/label/host/404").status_code == 404
    assert server.client.get(f"/label/host/{2**63}").status_code == 404


def test_host__asked_too_often__has_to_wait(server: Server) -> None:
    found = [server.client.get("/label/host/7").status_code for _ in range(4)]
    assert found == [200, 200, 200, 429]


CALL = {"to": BOARD, "data": "0x12345678"}


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_chainId", []),
        ("eth_blockNumber", []),
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_getBlockByNumber", ["0x10", False]),
        ("eth_getBlockByHash", [HASH, False]),
        ("eth_getTransactionByHash", [HASH]),
        ("eth_getTransactionReceipt", [HASH]),
        ("eth_call", [CALL, {"blockHash": HASH, "requireCanonical": True}]),
        ("eth_call", [CALL, "latest"]),
        (
            "eth_getLogs",
            [{"address": BOARD, "fromBlock": "0x1", "toBlock": "0x20", "topics": [HASH]}],
        ),
        ("eth_getLogs", [{"address": BOARD, "blockHash": HASH, "topics": [None, [HASH, HASH]]}]),
    ],
)
def test_rpc__reading__is_forwarded_as_it_is(
    server: Server, method: str, params: list[Any]
) -> None:
    assert server.ask(method, *params) == {"jsonrpc": "2.0", "id": 7, "result": "0x0"}
    assert server.asked == [(method, params)]


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_sendRawTransaction", ["0x00"]),
        ("eth_accounts", []),
        ("evm_mine", []),
        ("debug_traceTransaction", [HASH]),
        ("eth_chainId", [1]),
        ("eth_getBlockByNumber", ["latest", True]),
        ("eth_getBlockByNumber", ["pending", False]),
        ("eth_call", [{**CALL, "from": BOARD}, "latest"]),
        ("eth_call", [{**CALL, "gas": "0xffffff"}, "latest"]),
        ("eth_call", [CALL, "latest", {BOARD: {"balance": "0x1"}}]),
        ("eth_call", [{"to": BOARD, "data": "0x" + "00" * 5000}, "latest"]),
        ("eth_call", [{"to": BOARD, "data": "0x0"}, "latest"]),
        ("eth_getLogs", [{"fromBlock": "0x1", "toBlock": "0x2"}]),
        ("eth_getLogs", [{"address": BOARD, "fromBlock": "0x1", "toBlock": "0xffffff"}]),
        ("eth_getLogs", [{"address": [BOARD, BOARD], "fromBlock": "0x1", "toBlock": "0x2"}]),
        ("eth_getLogs", [{"address": BOARD, "blockHash": HASH, "topics": [1]}]),
        ("eth_getTransactionReceipt", ["0x12"]),
        ("eth_getTransactionReceipt", []),
        ([], []),
    ],
)
def test_rpc__anything_else__reaches_no_endpoint(
    server: Server, method: Any, params: list[Any]
) -> None:
    error = server.ask(method, *params)["error"]
    assert error["code"] in (-32601, -32602) and "\n" not in error["message"]
    assert server.asked == []


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"[[]", b"[" * 50_000, b"7", b'{"id":1}'])
def test_rpc__no_question__is_refused(server: Server, body: bytes) -> None:
    assert "error" in server.client.post("/rpc", content=body).json()


def test_rpc__too_many_or_too_long__are_refused(server: Server) -> None:
    one = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
    assert "error" in server.client.post("/rpc", json=[one] * (MAX_BATCH + 1)).json()
    assert server.client.post("/rpc", content=b" " * (MAX_BODY + 1)).status_code == 413
    for _ in range(3):
        assert len(server.client.post("/rpc", json=[one] * MAX_BATCH).json()) == MAX_BATCH
    assert server.ask("eth_chainId")["error"]["code"] == -32005
    assert len(server.asked) == 3 * MAX_BATCH


def test_rpc__batch_with_a_wrong_one__answers_the_others(server: Server) -> None:
    wrong = {"jsonrpc": "2.0", "id": "x", "method": "eth_accounts"}
    right = {"jsonrpc": "2.0", "id": 2, "method": "eth_chainId", "params": []}
    first, second = server.client.post("/rpc", json=[wrong, right]).json()
    assert (first["id"], first["error"]["code"]) == ("x", -32601)
    assert second == {"jsonrpc": "2.0", "id": 2, "result": "0x0"}


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (ChainUnavailableError("https://rpc.example/v3/secret does not answer"), -32000),
        (RevertedError("board: no"), 3),
    ],
)
def test_rpc__chain_fails__says_so_without_the_endpoint(
    server: Server, problem: Exception, code: int
) -> None:
    server.problem = problem
    error = server.ask("eth_call", CALL, "latest")["error"]
    assert error["code"] == code and "secret" not in error["message"]
