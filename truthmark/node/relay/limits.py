# SPDX-License-Identifier: Apache-2.0
"""What one address may ask of a relay, and how much it may send."""

import asyncio
import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import JSONResponse

from truthmark.node.relay.refusals import SlowError

MAX_BODY: Final = 64 << 10
"""Bytes of most requests."""
MAX_LONG_BODY: Final = 5 << 20
"""Of offers, label files, deposits."""

_BODY_SECONDS: Final = 60.0
_MAX_ADDRESSES: Final = 20_000
_COST_OF_WRITING: Final = 10.0

_Scope = MutableMapping[str, Any]
_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class Rates:
    """Lets each address spend so much at once, and so much a second from then on.

    Args:
        burst: What it may spend at once; reading costs 1, all else 10.
        per_second: What it gets back.
        clock: In seconds.
    """

    def __init__(
        self, burst: float, per_second: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Know nobody."""
        self._burst, self._per_second, self._clock = burst, per_second, clock
        self._lock = threading.Lock()
        self._spent: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, address: str, cost: float) -> bool:
        """Return whether an address may spend this now, and note it if so."""
        who, now = _network(address), self._clock()
        with self._lock:
            spent, at = self._spent.pop(who, (0.0, now))
            spent = max(0.0, spent - (now - at) * self._per_second)
            may = spent + cost <= self._burst
            self._spent[who] = (spent + cost if may else spent), now
            if len(self._spent) > _MAX_ADDRESSES:
                self._spent.popitem(last=False)
            return may


def _network(address: str) -> str:
    """Return whom an address belongs to: of IPv6 everybody has 2^64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, 64), strict=False))
    return str(found)


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
        cost = 1.0 if scope["method"] in ("GET", "HEAD", "OPTIONS") else _COST_OF_WRITING
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
