# SPDX-License-Identifier: Apache-2.0
"""Small questions and messages to addresses that strangers name.

Nothing but one small request goes there: over HTTP or HTTPS, without credentials, proxies or
redirects, within a few seconds, for a few bytes, and never to this machine or its own network but
where its owner allows that.
"""

import functools
import ipaddress
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

import httpcore
import httpx

from truthmark.chain.http import DeadlineBackend
from truthmark.errors import ConfigError

ERRORS: Final = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    ConfigError,
    OSError,
    ValueError,
)
"""What may go wrong there."""

PATIENCE: Final = "patience"
"""Under which a request says how many seconds it may take with its answer."""


class PrivateAddressError(OSError):
    """An address of this machine or its own network, to which no stranger may send anyone.

    Attributes:
        address: The IP address.
    """

    def __init__(self, address: str) -> None:
        """Refuse an IP address."""
        self.address = address
        super().__init__(f"{address} is not a public address")


Networks = Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network]
ALL_NETWORKS: Final[Networks] = (
    ipaddress.IPv4Network("0.0.0.0/0"),
    ipaddress.IPv6Network("::/0"),
)
"""For development chains."""

Lookup = Callable[[str, int], Sequence[str]]
"""Gives the IP addresses of a host and port."""

_MAX_ANSWER: Final = 4_096


def read_small(
    url: str, patience: float, *, private: Networks, lookup: Lookup | None = None
) -> bytes:
    """Read a few bytes from a stranger's address.

    Args:
        url: Of HTTP or HTTPS.
        patience: Seconds for all of it, once the name is looked up.
        private: Which networks may be asked that are not public.
        lookup: Of names; this system's if not given.

    Raises:
        OSError: The host is not to be asked, or has no address.
        httpcore.NetworkError: Or another error of the connection.
        ValueError: The answer is longer, or not "200 OK".
    """
    return _exchange("GET", url, b"", patience, private, lookup)


def send_small(
    url: str, body: bytes, patience: float, *, private: Networks, lookup: Lookup | None = None
) -> None:
    """Post a few bytes of JSON to a stranger's address; arguments and errors as of `read_small`."""
    _exchange("POST", url, body, patience, private, lookup)


def _exchange(
    method: str, url: str, body: bytes, patience: float, private: Networks, lookup: Lookup | None
) -> bytes:
    backend = _PublicBackend(private=private, lookup=lookup or _look_up)
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), patience)
    with httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context() if url.startswith("https:") else None,
        max_connections=1,
        network_backend=backend,
    ) as pool:
        backend.allow(patience)
        headers = [("Accept", "application/json"), ("Connection", "close")]
        if body:
            headers += [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        with pool.stream(
            method, url, headers=headers, content=body or None, extensions={"timeout": timeouts}
        ) as reply:
            if not 200 <= reply.status < (300 if body else 201):
                raise ValueError(f"status {reply.status}")
            data = bytearray()
            for part in reply.iter_stream():
                data += part
                if len(data) > _MAX_ANSWER:
                    raise ValueError("too long")
    return bytes(data)


@functools.cache
def _trusted() -> ssl.SSLContext:
    """Return the authorities that are trusted: almost a megabyte, so one for all clients."""
    return httpx.create_ssl_context()


class PatientTransport(httpx.BaseTransport):
    """Lets an httpx client ask, with a deadline for each question and its whole answer.

    A request may bring a shorter one in its extensions, under `PATIENCE`.

    Args:
        patience: Seconds; `math.inf` where requests bring theirs.
        proxy: Over which it goes.
        backend: Makes the connections.
    """

    def __init__(
        self,
        patience: float,
        *,
        proxy: httpcore.Proxy | None = None,
        backend: DeadlineBackend | None = None,
    ) -> None:
        """Connect to nothing yet."""
        self._backend = backend or DeadlineBackend()
        self._patience = patience
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trusted(), proxy=proxy, network_backend=self._backend
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request.

        Raises:
            httpx.ConnectError: The host is not to be asked, or does not answer in time.
        """
        asked = request.extensions.get(PATIENCE, self._patience)
        self._backend.allow(min(asked, self._patience))
        url = request.url
        assert isinstance(request.stream, httpx.SyncByteStream)  # of a client that is not async
        question = httpcore.Request(
            request.method,
            httpcore.URL(
                scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = self._pool.handle_request(question)
        except ERRORS as error:
            raise httpx.ConnectError(str(error), request=request) from error
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Answer(answer), request=request
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()


class PublicTransport(PatientTransport):
    """Lets an httpx client ask addresses that strangers name.

    Args:
        patience: Seconds for each question, with its answer.
        private: Which networks may be asked that are not public.
        lookup: Of names; this system's if not given.
    """

    def __init__(self, patience: float, *, private: Networks, lookup: Lookup | None = None) -> None:
        """Connect to nothing yet."""
        backend = _PublicBackend(private=private, lookup=lookup or _look_up)
        super().__init__(patience, backend=backend)


class _Answer(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._answer.iter_stream()
        except ERRORS as error:
            raise httpx.ReadError(str(error)) from error

    def close(self) -> None:
        self._answer.close()


class _PublicBackend(DeadlineBackend):
    """Connects to addresses that strangers may name, and to no other ones.

    What was looked up is what is connected to: a name that means something else a moment later
    leads nowhere.
    """

    def __init__(self, *, private: Networks, lookup: Lookup) -> None:
        super().__init__()
        self._private = private
        self._lookup = lookup

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the host's first address, if all of them may be asked."""
        found = self._lookup(host, port)
        if not found:
            raise OSError(f"{host} has no address")
        for text in found:
            if not is_public(text) and not _is_in(text, self._private):
                raise PrivateAddressError(text)
        return super().connect_tcp(found[0], port, timeout, local_address, socket_options)


def is_public(text: str) -> bool:
    """Tell whether an IP address belongs to the internet, and not to some network of its own."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(str(address.ipv4_mapped))
        # They carry an IPv4 address that a router may unpack, into its own network too.
        if address.sixtofour or address.teredo or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


def _is_in(text: str, networks: Networks) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _look_up(host: str, port: int) -> list[str]:
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in entries]
