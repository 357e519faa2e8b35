# SPDX-License-Identifier: Apache-2.0
"""What one address may ask of a relay, and how much it may send."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse

from truthmark.node.relay.refusals import SlowError
from truthmark.web.rates import Rates

MAX_BODY: Final = 64 << 10
"""Bytes of most requests."""
MAX_LONG_BODY: Final = 5 << 20
"""Of offers, label files, deposits."""

_BODY_SECONDS: Final = 60.0
_COST_OF_WRITING: Final = 10.0

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class Limits:
    """Stands before an app: rates by address, sizes and times of bodies.

    Args:
        app: What answers.
        rates: By address.
    """

    def __init__(self, app: _App, rates: Rates) -> None:
        """Take an app."""
        self._app, self._rates = app, rates

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        # Questions about the chain are counted one by one, by who forwards them.
        is_reading = scope["method"] in ("GET", "HEAD", "OPTIONS") or scope["path"] == "/rpc"
        cost = 1.0 if is_reading else _COST_OF_WRITING
        if not self._rates.spend(client[0] if client else "", cost):
            await self._refuse(
                scope, receive, send, HTTPStatus.TOO_MANY_REQUESTS, "asked too often; wait a moment"
            )
            return
        if _is_stream(scope):  # it counts for itself, and holds nothing in memory
            await self._app(scope, _timed(receive), send)
            return
        limit = MAX_LONG_BODY if scope["method"] == "PUT" else MAX_BODY
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _read(receive, limit)
        except TimeoutError:
            text = "the request came too slowly; send it again"
            await self._refuse(scope, receive, send, HTTPStatus.REQUEST_TIMEOUT, text)
            return
        if body is None:
            text = f"a request has at most {limit} bytes here"
            await self._refuse(scope, receive, send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _refuse(
        self, scope: _Scope, receive: _Receive, send: _Send, status: HTTPStatus, text: str
    ) -> None:
        reply = JSONResponse({"error": text}, status, headers={"Connection": "close"})
        await reply(scope, receive, send)


def _is_stream(scope: _Scope) -> bool:
    path: str = scope["path"]
    return scope["method"] == "PUT" and path.endswith(("/manifest", "/data"))


async def _read(receive: _Receive, limit: int) -> bytes | None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return bytes(body)  # they have gone
        body += message.get("body", b"")
        if len(body) > limit:
            return None
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: _Receive) -> _Receive:
    waiting = [body]

    async def again() -> _Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return again


def _timed(receive: _Receive) -> _Receive:
    async def timed() -> _Message:
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return await receive()
        except TimeoutError as error:  # an OSError, as which it would be a fault of the disk
            raise SlowError("the request came too slowly; send it again") from error

    return timed
