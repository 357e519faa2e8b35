# SPDX-License-Identifier: Apache-2.0
"""Endpoints of a chain that pass questions on, and lie about the answers."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from tests.utils.nodes import MarketHarness
from tests.utils.rpc_server import serve
from truthmark.chain.contracts import Call

NOT_FOUND = {"code": -32000, "message": "header for hash not found"}


@contextlib.contextmanager
def lying_endpoint(harness: MarketHarness, lie: Callable[[bytes, bytes], bytes]) -> Iterator[str]:
    """An endpoint that passes questions on, and `lie(question, answer)` back."""
    client = httpx.Client(timeout=30, trust_env=False)

    def answer(body: bytes) -> tuple[int, bytes]:
        headers = {"content-type": "application/json"}
        reply = client.post(harness.net.chain.url, content=body, headers=headers).content
        return 200, lie(body, reply)

    with client, serve(answer) as server:
        yield server.url


def blank(call: Call) -> Callable[[bytes, bytes], bytes]:
    """Lie that whatever such calls ask for does not exist."""
    selector = call.data[:4].hex()

    def lie(question: bytes, answer: bytes) -> bytes:
        if selector.encode() not in question:
            return answer
        asked, said = json.loads(question), json.loads(answer)
        pairs = zip(asked, said, strict=True) if isinstance(asked, list) else [(asked, said)]
        for one, entry in pairs:
            if one["method"] == "eth_call" and one["params"][0]["data"][2:10] == selector:
                entry["result"] = "0x" + "00" * ((len(entry["result"]) - 2) // 2)
        return json.dumps(said).encode()

    return lie


@contextlib.contextmanager
def lagging(harness: MarketHarness, block: int) -> Iterator[tuple[str, threading.Event]]:
    """An endpoint whose calls are answered, while the event is set, by a machine that is behind.

    Like others it takes "latest" for its own newest block, and refuses a block it does not have.
    """
    is_behind = threading.Event()

    def answer_one(asked: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
        if asked["method"] != "eth_call":
            return said
        call, at = asked["params"]
        if at == "latest":
            return said | {"result": harness.net.chain.rpc("eth_call", call, hex(block))}
        return {"jsonrpc": "2.0", "id": asked["id"], "error": NOT_FOUND}

    def lie(question: bytes, answer: bytes) -> bytes:
        if not is_behind.is_set():
            return answer
        asked, said = json.loads(question), json.loads(answer)
        if isinstance(asked, dict):
            return json.dumps(answer_one(asked, said)).encode()
        by_id = {entry["id"]: entry for entry in said}
        return json.dumps([answer_one(one, by_id[one["id"]]) for one in asked]).encode()

    with lying_endpoint(harness, lie) as url:
        yield url, is_behind
