# SPDX-License-Identifier: Apache-2.0
"""HTTP POST with a deadline for the whole exchange.

The usual clients have timeouts for each silence only: a server that sends a byte now and then
holds them for ever, and a program that hangs in one endpoint never tries the next one.
"""

import email.utils
import ssl
import threading
import time
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterable
from typing import Any

import httpcore

from truthmark.errors import ChainUnavailableError, ConfigError
from truthmark.waiting import Deadline

MAX_REPLY_BYTES = 32 << 20
"""Larger answers are refused: parsed, they take ten times as much memory."""

_BUSY = frozenset({408, 425, 429, *range(500, 600)} - {501, 505})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_WHOLE = 3  # times the timeout for one silence, for an answer that keeps coming
_HEADERS = [("Content-Type", "application/json"), ("Accept-Encoding", "gzip")]


class TooMuchError(ChainUnavailableError):
    """An endpoint does not answer that much at once; ask for less."""


class ReplyTooLargeError(TooMuchError):
    """An answer is longer than `MAX_REPLY_BYTES`; ask for less."""


class BusyError(ChainUnavailableError):
    """An endpoint asks to be left alone for a while.

    Attributes:
        seconds: How long, as far as it says; else 0.
        body: What came with the HTTP status, in which some gateways hide a node's answer.
    """

    def __init__(self, message: str, seconds: float = 0.0, body: bytes = b"") -> None:
        """Keep what the endpoint said."""
        super().__init__(message)
        self.seconds = seconds
        self.body = body


class Endpoint:
    """One HTTP address that speaks JSON-RPC; safe to use from several threads.

    Attributes:
        url: As given.
        shown: Without what may be a secret: user, password, path, query.
        place: Host and port: two addresses of one place speak with one voice.
        is_local: Whether it is on this machine.
    """

    def __init__(self, url: str, timeout: float) -> None:
        """Prepare connections; none is made yet.

        Args:
            url: http:// or https://.
            timeout: Seconds to wait for each silence; a whole answer may take three times that.

        Raises:
            ConfigError: The address is not one of HTTP.
        """
        try:
            parts = urllib.parse.urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if not host or parts.scheme not in ("http", "https"):
            raise ConfigError(f"{url!r} is not an endpoint; write http://… or https://…")
        self.url = url
        self.shown = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
        self.place = host, port or (80 if parts.scheme == "http" else 443)
        self.is_local = host in _LOCAL
        self._timeout = timeout
        self._backend = DeadlineBackend()
        self._pool = httpcore.ConnectionPool(
            ssl_context=None if parts.scheme == "http" else ssl.create_default_context(),
            proxy=proxy_for(parts.scheme, host),
            max_connections=None,
            max_keepalive_connections=4,
            keepalive_expiry=30.0,
            network_backend=self._backend,
        )

    def post(self, body: bytes) -> bytes:
        """Send one HTTP body and return the other side's.

        Raises:
            BusyError: The endpoint asks for a pause, or is in trouble that may pass.
            TooMuchError: It refuses a body of this size, or its own answer is too large.
            ChainUnavailableError: No whole answer came.
        """
        patience = dict.fromkeys(("read", "write", "pool"), self._timeout)
        extensions = {"timeout": {**patience, "connect": min(self._timeout, 10.0)}}
        self._backend.allow(_WHOLE * self._timeout)
        try:
            with self._pool.stream(
                "POST", self.url, headers=_HEADERS, content=body, extensions=extensions
            ) as reply:
                data = self._read(reply)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            raise ChainUnavailableError(
                f"chain endpoint {self.shown} does not answer ({type(error).__name__}); "
                "check that it runs"
            ) from error
        except (httpcore.ProxyError, httpcore.UnsupportedProtocol, zlib.error) as error:
            raise ChainUnavailableError(
                f"chain endpoint {self.shown} cannot be used ({error}); try another one"
            ) from error
        if reply.status in _BUSY:
            raise BusyError(
                f"chain endpoint {self.shown} is busy (HTTP status {reply.status}); try again "
                "later, or add an endpoint with `truthmark init --rpc URL,URL`",
                _retry_after(reply),
                data,
            )
        if reply.status == 413:
            raise TooMuchError(f"chain endpoint {self.shown} takes no questions of this size")
        if not 200 <= reply.status < 300 and data[:1] not in (b"{", b"["):
            raise ChainUnavailableError(
                f"chain endpoint {self.shown} refuses with HTTP status {reply.status}; "
                "check its address and key"
            )
        return data

    def _read(self, reply: httpcore.Response) -> bytes:
        headers = {name.lower(): value.lower() for name, value in reply.headers}
        zipped = headers.get(b"content-encoding") == b"gzip"
        unpack = zlib.decompressobj(wbits=31)
        data = bytearray()
        for part in reply.iter_stream():
            room = MAX_REPLY_BYTES + 1 - len(data)
            data += unpack.decompress(part, room) if zipped else part
            if len(data) > MAX_REPLY_BYTES:
                raise ReplyTooLargeError(
                    f"chain endpoint {self.shown} answers with too much at once; ask for less"
                )
        if zipped and not unpack.eof:
            raise ChainUnavailableError(f"chain endpoint {self.shown} stops in mid-answer")
        return bytes(data)


def _retry_after(reply: httpcore.Response) -> float:
    """Return the seconds that a server asks to wait; 0 where it does not."""
    for name, value in reply.headers:
        if name.lower() == b"retry-after":
            text = value.decode("ascii", "replace").strip()
            if text.isascii() and text.isdigit() and len(text) < 10:
                return float(text)
            try:
                return max(email.utils.parsedate_to_datetime(text).timestamp() - time.time(), 0.0)
            except (ValueError, OverflowError):
                return 0.0
    return 0.0


def proxy_for(scheme: str, host: str) -> httpcore.Proxy | None:
    """Return the proxy that the environment names for a host that is not this machine."""
    named = urllib.request.getproxies().get(scheme)
    if not named or host in _LOCAL:
        return None
    return None if urllib.request.proxy_bypass(host) else httpcore.Proxy(named)


class DeadlineBackend(httpcore.NetworkBackend):
    """Makes connections on which nothing waits beyond the thread's deadline."""

    def __init__(self) -> None:
        self._backend = httpcore.SyncBackend()
        self._local = threading.local()

    def allow(self, seconds: float) -> None:
        """Set this thread's deadline."""
        self._local.deadline = Deadline(seconds)

    def left(self, timeout: float | None) -> float:
        """Return how long to wait at most.

        Raises:
            httpcore.ReadTimeout: The deadline has passed.
        """
        deadline: Deadline = self._local.deadline
        left = deadline.left
        if not left:
            raise httpcore.ReadTimeout("the whole answer takes too long")
        return left if timeout is None else min(left, timeout)

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect."""
        stream = self._backend.connect_tcp(
            host, port, self.left(timeout), local_address, socket_options
        )
        return _DeadlineStream(stream, self)


class _DeadlineStream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, backend: DeadlineBackend) -> None:
        self._stream = stream
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._backend.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._backend.left(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._backend.left(timeout))
        return _DeadlineStream(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
