# SPDX-License-Identifier: Apache-2.0
"""The app's server: `truthmark app`, or `streamlit run app/streamlit_app.py`.

With `TRUTHMARK_APP_LOCAL=1`, which `truthmark app` sets, it acts with the accounts of this machine
and must be reachable from nowhere else. Without, it shows what is public and holds no user's keys.
"""

from pathlib import Path
from typing import Any

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware

from app.services.page_host import page_host

UNFRAMED = {"X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'"}


class NoFrames:
    """Forbids browsers to show the app inside of another page.

    That page could lay it under something else and have the visitor click on "Pay".
    """

    def __init__(self, app: Any) -> None:
        """Wrap an ASGI app."""
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer with the headers that say so."""

        async def send_unframed(message: Any) -> None:
            if message["type"].endswith(".response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in UNFRAMED.items():
                    headers.setdefault(name, value)  # the label page's own policy says more
            await send(message)

        await self.app(scope, receive, send_unframed)


# Found by `streamlit run` under this name.
app = st.App(
    Path(__file__).with_name("pages.py"),
    routes=page_host().routes(),
    middleware=[Middleware(NoFrames)],
)
