# SPDX-License-Identifier: Apache-2.0
"""Where a requester's relay and receiver listen: as documents tell labelers, who know no more."""

import ipaddress
import urllib.parse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from truthmark.keys.abi_hash import address_bytes

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
            return _listening(url, "relay") | {"public_url": url}
    return {}


def receiver_place(session: "Session", workspaces: "Sequence[Workspace]") -> dict[str, Any]:
    """Return the settings of a receiver, where somebody else's relay may be away."""
    for workspace in workspaces:
        for url in workspace.document.receiver_urls:
            if not is_own_relay(session, workspace):
                return {"receiver_port": 0} | _listening(url, "receiver")
    return {}


def _listening(url: str, name: str) -> dict[str, Any]:
    """Return the settings of who is to answer at an address."""
    parts = urllib.parse.urlsplit(url)
    is_plain = parts.scheme == "http"
    port = parts.port or (80 if is_plain else None)
    # Behind https:// something else listens there, and hands on to a port of its choice.
    place: dict[str, Any] = {f"{name}_port": port} if is_plain and port else {}
    if not _is_loopback(str(parts.hostname)):
        place[f"{name}_host"] = "0.0.0.0"  # noqa: S104
    return place


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
