# SPDX-License-Identifier: Apache-2.0
"""Where a requester's relay and receiver listen: as documents tell labelers, who know no more."""

import urllib.parse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from truthmark.config.hosts import is_loopback
from truthmark.keys.abi_hash import address_bytes
from truthmark.node.certificate import find_certificate
from truthmark.session import Session

if TYPE_CHECKING:
    from truthmark.bounty.workspace import Workspace


def is_own_relay(session: Session, workspace: "Workspace") -> bool:
    """Whether the terms name the session's account as the relay."""
    return address_bytes(workspace.terms.relay) == address_bytes(session.address)


def place_of(session: Session, workspaces: "Sequence[Workspace]") -> dict[str, Any]:
    """Return where relay and receiver listen, as settings of a node.

    Args:
        session: The requester's.
        workspaces: Their bounties; the first that says where counts.

    Raises:
        ConfigError: The home's certificate cannot be used.
    """
    place: dict[str, Any] = {"https": [], "certificate": "", "certificate_key": ""}
    own = [workspace for workspace in workspaces if is_own_relay(session, workspace)]
    relays = [url for workspace in own for url in workspace.document.relay_urls]
    # Files come here where somebody else's relay may be away.
    receivers = [
        url
        for workspace in workspaces
        if workspace not in own
        for url in workspace.document.receiver_urls
    ]
    if receivers:
        place["receiver_port"] = 0
        _listen(session, place, receivers[0], "receiver")
    if relays:
        place["public_url"] = relays[0]
        _listen(session, place, relays[0], "relay")
    return place


def not_served(session: Session, workspaces: "Sequence[Workspace]", url: str) -> list[str]:
    """Return where else own documents say that the relay answers: it does at one address alone."""
    own = [workspace for workspace in workspaces if is_own_relay(session, workspace)]
    named = [found for workspace in own for found in workspace.document.relay_urls[:1]]
    return [found for found in dict.fromkeys(named) if found != url]


def _listen(session: Session, place: dict[str, Any], url: str, name: str) -> None:
    """Add the settings of who is to answer at an address."""
    parts = urllib.parse.urlsplit(url)
    host, is_plain = str(parts.hostname), parts.scheme == "http"
    found = None if is_plain else find_certificate(session.home, host)
    if found:
        place["certificate"], place["certificate_key"] = found
        place["https"].append(name)
    # Without a certificate something else listens there, and hands on to a port of its choice.
    if is_plain or found:
        place[f"{name}_port"] = parts.port or (80 if is_plain else 443)
    if not is_loopback(host):
        place[f"{name}_host"] = "0.0.0.0"  # noqa: S104
