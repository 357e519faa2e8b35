# SPDX-License-Identifier: Apache-2.0
"""Asking a validator's node whether it is there, at the address in its offer.

The address is a stranger's text, and every seller who lists data asks it. So nothing but one small
GET goes there: over HTTP or HTTPS, without credentials, proxies or redirects, within a few seconds,
for a few bytes, and outside of development chains never to this machine or its own network.
"""

import json
import secrets
import threading
import urllib.parse
from collections.abc import Sequence

from truthmark.chain.public_http import ERRORS, Networks, read_small
from truthmark.errors import ConfigError
from truthmark.keys.typed import presence, signer_of
from truthmark.market.entries import ValidatorOffer
from truthmark.waiting import Deadline

PATH = "/alive"
MAX_URL_BYTES = 128
PATIENCE_SECONDS = 4.0
"""For all nodes together, which are asked at the same time."""

OLDEST_SECONDS = 600
"""How far the newest block that a node has seen may lie behind the asker's."""

_MAX_ASKED = 64


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
            f"{url[:160]!r} is not an address of a node; write http(s)://HOST:PORT without user, "
            f"query or other than plain letters, at most {MAX_URL_BYTES} of them"
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
    private: Networks,
    patience: float = PATIENCE_SECONDS,
) -> set[str]:
    """Ask nodes whether they are there, all at once, and return the validators that are.

    Args:
        offers: Whose nodes; the first 64 that name an address are asked.
        chain_id: The chain of the staking contract.
        staking: The contract in which the validators are registered.
        now: Chain time.
        private: Which networks may be asked that are not public.
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
            private=private,
            patience=patience,
        ):
            with lock:
                found.add(offer.validator.address)

    deadline = Deadline(patience)
    # Daemons: looking up a name cannot be cut off, and must not keep the process from ending.
    threads = [threading.Thread(target=work, args=(offer,), daemon=True) for offer in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(deadline.left)
    with lock:
        return set(found)


def is_there(
    offer: ValidatorOffer,
    *,
    chain_id: int,
    staking: str,
    now: int,
    private: Networks,
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
        body = read_small(f"{url}{PATH}?{query}", patience, private=private)
        answer = json.loads(body)
        moment, signature = answer["time"], bytes.fromhex(answer["signature"].removeprefix("0x"))
        if type(moment) is not int or not now - OLDEST_SECONDS <= moment < 2**63:
            return False
    except (*ERRORS, AttributeError, KeyError, TypeError, RecursionError):
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
