# SPDX-License-Identifier: Apache-2.0
"""Serves a relay's app beside a node's rounds."""

import asyncio
import socket
import threading
from collections import Counter
from typing import Any, Final, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from truthmark.config.hosts import is_loopback
from truthmark.errors import ConfigError
from truthmark.node.certificate import require_certificate

MAX_CONNECTIONS: Final = 2_000
MAX_EACH: Final = 128
"""Connections of one address; a proxy on this machine stands for many."""
IDLE_SECONDS: Final = 20

_STOP_SECONDS: Final = 3.0


class Door(socket.socket):
    """A socket that listens, and lets go who holds too many connections before a word is said.

    A protocol hears of a visitor only once they have ended the handshake of HTTPS.
    """

    def __init__(self, listening: socket.socket) -> None:
        """Take a listening socket over."""
        super().__init__(
            listening.family, listening.type, listening.proto, fileno=listening.detach()
        )
        self.held: Counter[str] = Counter()

    def accept(self) -> "tuple[socket.socket, Any]":
        """Return the next visitor.

        Raises:
            ConnectionAbortedError: They were let go.
        """
        found, address = super().accept()
        visitor = _Visitor(self.held, str(address[0]), found)
        each, everybody = self.held[visitor.who], self.held.total()
        if (each > MAX_EACH and not is_loopback(visitor.who)) or everybody > MAX_CONNECTIONS:
            visitor.close()
            raise ConnectionAbortedError
        return visitor, address


class _Visitor(socket.socket):
    """A connection that is counted until it is closed."""

    def __init__(self, held: Counter[str], who: str, found: socket.socket) -> None:
        super().__init__(found.family, found.type, found.proto, fileno=found.detach())
        self.who, self._held = who, held
        held[who] += 1
        self._is_counted = True

    def close(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self._held[self.who] -= 1
            if not self._held[self.who]:
                del self._held[self.who]
        super().close()


class PatientProtocol(H11Protocol):
    """HTTP for strangers: who sends no whole request for long is let go."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait for a request."""
        super().connection_made(cast(asyncio.Transport, transport))
        self._idle_with: object = self
        self._timer = self.loop.call_later(IDLE_SECONDS, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._timer.cancel()
        super().connection_lost(exc)

    def _look(self) -> None:
        """Close where nothing was answered, nor is being answered, since the last look."""
        if self.cycle is None or self.cycle.response_complete:
            if self._idle_with is self.cycle:
                self.transport.close()
                return
            self._idle_with = self.cycle
        self._timer = self.loop.call_later(IDLE_SECONDS, self._look)


class AppServer:
    """Answers until it is closed.

    Args:
        app: An ASGI app.
        host: Where to listen.
        port: 0 takes a free one.
        certificate: Files of a certificate and its key, to answer over HTTPS.

    Raises:
        ConfigError: The address, or the certificate, cannot be used.

    Attributes:
        door: What listens.
        url: Where it answers.
    """

    def __init__(
        self, app: Any, *, host: str, port: int, certificate: tuple[str, str] | None = None
    ) -> None:
        """Listen at once."""
        if certificate is not None:
            require_certificate(*certificate)
        chain, key = certificate or (None, None)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            self.door = Door(socket.create_server((host, port), family=family, backlog=512))
        except OSError as error:
            why = (error.strerror or "no such address").split(" (while")[0]
            raise ConfigError(
                f"cannot listen at {host}:{port} ({why}); end what listens there, such as another"
                " `truthmark bounty run`, which without a number runs all of a home, or choose"
                " another port"
            ) from error
        # asyncio sets this only on sockets that name their protocol, as these do not; without it
        # each answer waits for 40 ms. Accepted connections have it from here.
        self.door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        shown = f"[{host}]" if ":" in host else host
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://{shown}:{self.door.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            server_header=False,
            http=PatientProtocol,
            loop="asyncio",  # which asks the door; others go by its number
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=2,
            ws="none",
            ssl_certfile=chain,
            ssl_keyfile=key,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self.door]}, daemon=True, name="relay"
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; what is being answered gets a moment to end."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self.door.close()
