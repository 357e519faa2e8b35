# SPDX-License-Identifier: Apache-2.0
"""Serves the label page: plain HTML at /label/{bounty}, and what it loads (docs/web.md).

Nothing here knows Streamlit or a relay: a relay's app and the Streamlit app both mount these
routes. The page gets no cookies and no keys, and runs no script but its own.
"""

import hashlib
from functools import cache
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

TYPES: Final = {
    "label.html": "text/html; charset=utf-8",
    "label.css": "text/css; charset=utf-8",
    "label.js": "text/javascript; charset=utf-8",
    "sw.js": "text/javascript; charset=utf-8",
}
"""What is served, and as what."""

POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "worker-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src blob:",
        "manifest-src 'self'",
        # Relays, watch nodes and sources of the chain are elsewhere; what they say is checked.
        "connect-src 'self' https: http:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # The service worker keeps the page; a browser asks whether there is a newer one.
    "Cache-Control": "no-cache",
}


@cache
def asset(name: str) -> tuple[bytes, str]:
    """Return a file of the page and its entity tag.

    Raises:
        KeyError: There is none of that name.
    """
    if name not in TYPES:
        raise KeyError(name)
    data = resources.files("truthmark.web").joinpath("static", name).read_bytes()
    return data, f'"{hashlib.sha256(data).hexdigest()[:32]}"'


def source(name: str) -> str:
    """Return the text of a component that the app puts into its own pages."""
    return resources.files("truthmark.web").joinpath("static", name).read_text(encoding="utf-8")


def routes() -> list[BaseRoute]:
    """Return the routes of the page: /label/{bounty}, and its files beside."""
    # A worker at /label/sw.js may keep what is below /label/, and nothing else of the server.
    return [
        Route("/label/{bounty:int}", _page, methods=["GET"]),
        Route("/label/{name:str}", _file, methods=["GET"]),
    ]


async def _page(request: Request) -> Response:
    return _answer(request, "label.html")


async def _file(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in TYPES or name == "label.html":
        return Response("there is no such page; see /label/ and a bounty's number\n", 404)
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    data, tag = asset(name)
    headers = {**HEADERS, "ETag": tag}
    if tag in request.headers.get("If-None-Match", ""):
        return Response(status_code=304, headers=headers)
    return Response(data, headers=headers, media_type=TYPES[name])
