# SPDX-License-Identifier: Apache-2.0
"""Where a requester's relay and receiver listen: as documents tell labelers, who know no more."""

import urllib.parse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from truthmark.config.hosts import is_loopback
from truthmark.keys.abi_hash import address_bytes
from truthmark.node.certificate import find_certificate

if TYPE_CHECKING:
    from truthmark.bounty.workspace import Workspace
    from truthmark.session import Session


def is_own_relay(session: "Session", workspace: "Workspace") -> bool:
    """Whether the terms name the session's account as the relay."""
    return address_bytes(workspace.terms.relay) == address_bytes(session.address)


def relay_place(session: "Session", workspaces: "Sequence[Workspace]") -> dict[str, Any]:
    """Return the settings of a relay, as far as documents say where it is reached."""
    for workspace in workspaces:
        if not is_own_relay(session, workspace):
            continue
        for url in workspace.document.relay_urls:
            return _listening(session, url, "relay") | {"public_url": url}
    return {}


def receiver_place(session: "Session", workspaces: "Sequence[Workspace]") -> dict[str, Any]:
    """Return the settings of a receiver, where somebody else's relay may be away."""
    for workspace in workspaces:
        for url in workspace.document.receiver_urls:
            if not is_own_relay(session, workspace):
                return {"receiver_port": 0} | _listening(session, url, "receiver")
    return {}


def _listening(session: "Session", url: str, name: str) -> dict[str, Any]:
    """Return the settings of who is to answer at an address.

    Raises:
        ConfigError: The home's certificate is not for that address.
    """
    parts = urllib.parse.urlsplit(url)
    host, is_plain = str(parts.hostname), parts.scheme == "http"
    place: dict[str, Any] = {}
    if not is_plain and (found := find_certificate(session.home, host)):
        place["certificate"], place["certificate_key"] = found
    # Without a certificate something else listens there, and hands on to a port of its choice.
    if is_plain or place:
        place[f"{name}_port"] = parts.port or (80 if is_plain else 443)
    if not is_loopback(host):
        place[f"{name}_host"] = "0.0.0.0"  # noqa: S104
    return place
