# SPDX-License-Identifier: Apache-2.0
"""Asking a validator's node whether it is there, at the address in its offer.

The address is a stranger's text, and every seller who lists data asks it. So nothing but one small
GET goes there: over HTTP or HTTPS, without credentials, proxies or redirects, within a few seconds,
for a few bytes, and outside of development chains never to this machine or its own network.
"""

import ipaddress
import json
import secrets
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore

from truthmark.chain.http import DeadlineBackend
from truthmark.errors import ConfigError
from truthmark.keys.typed import presence, signer_of
from truthmark.market.entries import ValidatorOffer

PATH = "/alive"
MAX_URL_BYTES = 128
PATIENCE_SECONDS = 4.0
"""For all nodes together, which are asked at the same time."""

OLDEST_SECONDS = 600
"""How far the newest block that a node has seen may lie behind the asker's."""

_MAX_ANSWER = 4_096
_MAX_ASKED = 64
_ERRORS = (
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.TimeoutException,
    httpcore.UnsupportedProtocol,
    ConfigError,
    OSError,
    ValueError,
)

Lookup = Callable[[str, int], Sequence[str]]
"""Gives the IP addresses of a host and port."""


def check_address(url: str) -> str:
    """Return a node's address without a slash at its end.

    Args:
        url: Such as `https://node.example:8080`.

    Raises:
        ConfigError: It is not one that anyone would ask.
    """
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urllib.parse.urlsplit(""), None
    if (
        not host
        or parts.scheme not in ("http", "https")
        or parts.username is not None
        or parts.query
        or parts.fragment
        or len(url) > MAX_URL_BYTES
        or not url.isascii()
        or not url.isprintable()
        or " " in url
    ):
        raise ConfigError(
            f"{url[:160]!r} is no address of a node; write http(s)://HOST:PORT without user, query "
            f"or other than plain letters, at most {MAX_URL_BYTES} of them"
        )
    return url.rstrip("/")


def who_is_asked(offers: Sequence[ValidatorOffer]) -> list[ValidatorOffer]:
    """Return those of the offers whose nodes are asked: the first 64 that name an address."""
    return [offer for offer in offers if offer.url][:_MAX_ASKED]


def ask_all(
    offers: Sequence[ValidatorOffer],
    *,
    chain_id: int,
    staking: str,
    now: int,
    allow_private: bool,
    patience: float = PATIENCE_SECONDS,
) -> set[str]:
    """Ask nodes whether they are there, all at once, and return the validators that are.

    Args:
        offers: Whose nodes; the first 64 that name an address are asked.
        chain_id: The chain of the staking contract.
        staking: The contract in which the validators are registered.
        now: Chain time.
        allow_private: Whether addresses of this machine and its network may be asked.
        patience: Seconds after which the others are left alone.
    """
    asked = who_is_asked(offers)
    found: set[str] = set()
    lock = threading.Lock()

    def work(offer: ValidatorOffer) -> None:
        if is_there(
            offer,
            chain_id=chain_id,
            staking=staking,
            now=now,
            allow_private=allow_private,
            patience=patience,
        ):
            with lock:
                found.add(offer.validator.address)

    deadline = time.monotonic() + patience
    # Daemons: looking up a name cannot be cut off, and must not keep the process from ending.
    threads = [threading.Thread(target=work, args=(offer,), daemon=True) for offer in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    with lock:
        return set(found)


def is_there(
    offer: ValidatorOffer,
    *,
    chain_id: int,
    staking: str,
    now: int,
    allow_private: bool,
    patience: float = PATIENCE_SECONDS,
) -> bool:
    """Tell whether a validator's node answers, as its operator or owner; never raises.

    Arguments are those of `ask_all`.
    """
    challenge = secrets.token_bytes(32)
    try:
        url = check_address(offer.url)
        query = urllib.parse.urlencode(
            {"validator": offer.validator.address, "challenge": "0x" + challenge.hex()}
        )
        body = read_small(f"{url}{PATH}?{query}", patience, allow_private=allow_private)
        answer = json.loads(body)
        moment, signature = answer["time"], bytes.fromhex(answer["signature"].removeprefix("0x"))
        if type(moment) is not int or not now - OLDEST_SECONDS <= moment < 2**63:
            return False
    except (*_ERRORS, AttributeError, KeyError, TypeError, RecursionError):
        return False
    message = presence(
        chain_id=chain_id,
        staking=staking,
        validator=offer.validator.address,
        challenge=challenge,
        time=moment,
    )
    signer = signer_of(message, signature)
    return signer is not None and signer.lower() in (
        offer.operator.lower(),
        offer.validator.address.lower(),
    )


def read_small(
    url: str, patience: float, *, allow_private: bool, lookup: Lookup | None = None
) -> bytes:
    """Read a few bytes from a stranger's address.

    Args:
        url: Of HTTP or HTTPS.
        patience: Seconds for all of it, once the name is looked up.
        allow_private: Whether this machine and its network may be asked.
        lookup: Of names; this system's if not given.

    Raises:
        OSError: The host is not to be asked, or has no address.
        httpcore.NetworkError: Or another error of the connection.
        ValueError: The answer is longer, or not "200 OK".
    """
    backend = _CautiousBackend(allow_private=allow_private, lookup=lookup or _look_up)
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), patience)
    with httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context() if url.startswith("https:") else None,
        max_connections=1,
        network_backend=backend,
    ) as pool:
        backend.allow(patience)
        headers = [("Accept", "application/json"), ("Connection", "close")]
        with pool.stream("GET", url, headers=headers, extensions={"timeout": timeouts}) as reply:
            if reply.status != 200:
                raise ValueError(f"status {reply.status}")
            data = bytearray()
            for part in reply.iter_stream():
                data += part
                if len(data) > _MAX_ANSWER:
                    raise ValueError("too long")
    return bytes(data)


class _CautiousBackend(DeadlineBackend):
    """Connects to addresses that strangers may name, and to no other ones.

    What was looked up is what is connected to: a name that means something else a moment later
    leads nowhere.
    """

    def __init__(self, *, allow_private: bool, lookup: Lookup) -> None:
        super().__init__()
        self._allow_private = allow_private
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
        if not self._allow_private and not all(map(is_public, found)):
            raise OSError(f"{host} is not a public address")
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


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _look_up(host: str, port: int) -> list[str]:
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in entries]
