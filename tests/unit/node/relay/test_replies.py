# SPDX-License-Identifier: Apache-2.0
"""Answers in JSON, written where they were made."""

import threading
from typing import Any

import pytest
from fastapi import FastAPI, Response
from starlette.testclient import TestClient

from truthmark.bounty.relay_models import Calls
from truthmark.node.relay import replies

CALLS = Calls(calls=[[b"\x01\xff"], []], block=7)


def make_app(*, direct: bool) -> FastAPI:
    app = FastAPI()
    if direct:
        app.router.route_class = replies.DirectRoute

    @app.get("/one")
    def one() -> Calls:
        """One of them."""
        return CALLS

    @app.put("/many/{number}", status_code=201)
    def many(number: int) -> list[Calls]:
        return [CALLS] * number

    @app.get("/none", status_code=204)
    def none() -> None: ...

    @app.get("/bytes")
    def raw() -> Response:
        return Response(b"raw", 203)

    @app.get("/later")
    async def later() -> dict[str, int]:
        return {"a": 1}

    return app


def test_direct_route__any_endpoint__answers_and_describes_itself_as_ever() -> None:
    seen: list[Any] = []
    for direct in (False, True):
        app = make_app(direct=direct)
        client = TestClient(app)
        found = [client.get(path) for path in ("/one", "/none", "/bytes", "/later")]
        found += [client.put("/many/2"), client.put("/many/x")]
        answers = [(it.status_code, it.content, it.headers.get("content-type")) for it in found]
        seen.append((answers, app.openapi()))
    assert seen[0] == seen[1]
    assert [status for status, _, _ in seen[1][0]] == [200, 204, 203, 200, 201, 422]


def test_direct_route__model__is_written_in_the_thread_that_made_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads = set()

    class Told(replies.TypeAdapter):  # type: ignore[misc, type-arg]
        def dump_json(self, value: Any, **options: Any) -> bytes:
            threads.add(threading.current_thread().name)
            return super().dump_json(value, **options)

    monkeypatch.setattr(replies, "TypeAdapter", Told)
    assert TestClient(make_app(direct=True)).get("/one").json() == {
        "calls": [["0x01ff"], []],
        "block": 7,
    }
    assert len(threads) == 1 and "worker" in threads.pop().lower()
