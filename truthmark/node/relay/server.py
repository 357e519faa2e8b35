# SPDX-License-Identifier: Apache-2.0
"""Serves a relay's app beside a node's rounds."""

import socket
import threading
from typing import Any, Final

import uvicorn

from truthmark.errors import ConfigError

_CONCURRENT: Final = 256
_STOP_SECONDS: Final = 3.0


class AppServer:
    """Answers until it is closed.

    Args:
        app: An ASGI app.
        host: Where to listen.
        port: 0 takes a free one.

    Raises:
        ConfigError: The address cannot be used.

    Attributes:
        url: Where it answers.
    """

    def __init__(self, app: Any, *, host: str, port: int) -> None:
        """Listen at once."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self._socket = socket.create_server((host, port), family=family, backlog=512)
        except OSError as error:
            raise ConfigError(
                f"cannot listen at {host}:{port} ({error.strerror}); choose another port"
            ) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            limit_concurrency=_CONCURRENT,
            timeout_keep_alive=20,
            timeout_graceful_shutdown=2,
            ws="none",
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True, name="relay"
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; what is being answered gets a moment to end."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._socket.close()
