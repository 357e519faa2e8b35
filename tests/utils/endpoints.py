# SPDX-License-Identifier: Apache-2.0
"""Endpoints without a network: what a program says instead of a server, and a clock to move."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from truthmark.chain.http import Endpoint
from truthmark.chain.rpc import RpcClient

Reply = bytes | Exception | Any
"""Bytes as they come, an error of the exchange, or a value to be written as JSON."""
Script = Callable[[Any], Reply]
"""Makes a reply from a parsed body."""


class Clock:
    """Time that passes only where somebody waits.

    Attributes:
        now: Seconds.
        pauses: What was waited for.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Scripted:
    """A client of scripted endpoints, in the order of the scripts.

    Attributes:
        client: Asks them.
        clock: What the client waits by.
        asked: For each endpoint the bodies that it got.
    """

    def __init__(self, patch: pytest.MonkeyPatch, *scripts: Script, **options: Any) -> None:
        self.clock = Clock()
        self.asked: list[list[Any]] = [[] for _ in scripts]
        places = {f"http://{number}.test": number for number in range(len(scripts))}

        def post(endpoint: Endpoint, body: bytes) -> bytes:
            place, parsed = places[endpoint.url], json.loads(body)
            self.asked[place].append(parsed)
            reply = scripts[place](parsed)
            if isinstance(reply, Exception):
                raise reply
            return reply if isinstance(reply, bytes) else json.dumps(reply).encode()

        patch.setattr(Endpoint, "post", post)
        self.client = RpcClient(
            list(places), sleep=self.clock.sleep, clock=lambda: self.clock.now, **options
        )


def echo(body: Any, **changes: Any) -> Any:
    """Answer each question with its first parameter."""
    if isinstance(body, list):
        return [echo(entry, **changes) for entry in body]
    result = body["params"][0] if body["params"] else None
    return {"jsonrpc": "2.0", "id": body["id"], "result": result, **changes}


def fail(body: Any, code: int, message: str, **more: Any) -> Any:
    """Answer each question with an error."""
    if isinstance(body, list):
        return [fail(entry, code, message, **more) for entry in body]
    error = {"code": code, "message": message, **more}
    return {"jsonrpc": "2.0", "id": body["id"], "error": error}
