# SPDX-License-Identifier: Apache-2.0
"""Makes a node's relay of its settings; one for all roles that need it."""

import importlib.metadata
from typing import TYPE_CHECKING
from urllib.parse import quote

from truthmark.bounty.reader import BOARD
from truthmark.node.relay.api import create_app
from truthmark.node.relay.relay import Relay, RelayPolicy
from truthmark.node.relay.server import AppServer
from truthmark.node.relay.store import RelayStore
from truthmark.node.settings import NodeSettings, margin_seconds, relay_fees
from truthmark.session import is_devnet

if TYPE_CHECKING:
    from truthmark.session import Session


def relay_of(session: "Session", settings: NodeSettings) -> Relay:
    """Return the relay of a session, made when it is first asked for.

    Raises:
        ConfigError: Its database cannot be used.
        ChainError: The chain cannot be read.
    """
    return session.part(Relay, lambda: _open(session, settings))


def serve(session: "Session", settings: NodeSettings) -> AppServer:
    """Answer over HTTP until it is closed.

    Raises:
        ConfigError: The address, or the database, cannot be used.
        ChainError: The chain cannot be read.
    """
    relay = relay_of(session, settings)
    relay.views.refresh()
    return AppServer(create_app(relay), host=settings.relay_host, port=settings.relay_port)


def _open(session: "Session", settings: NodeSettings) -> Relay:
    profile, chain = session.profile, session.chain
    board = getattr(chain, BOARD).address
    genesis = chain.genesis.hex()[:16]
    folder = session.home / "relay" / f"{profile.chain_id}-{genesis}-{board[2:10].lower()}"
    url = settings.relay_db
    if url is None:
        folder.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{quote(str(folder / 'relay.sqlite'))}"
    place = f"{profile.chain_id} {genesis} {board} {session.address}"
    return Relay(
        session,
        RelayStore(url, place),
        folder / "papers",
        RelayPolicy(
            margin_seconds=margin_seconds(settings, profile),
            min_fees=relay_fees(settings, profile),
            requesters=frozenset(settings.relay_requesters),
            max_bytes=settings.relay_max_items,
            relays="relay" in settings.roles,
            allow_private=is_devnet(session.settings),
            url=settings.public_url or "",
            version=importlib.metadata.version("truthmark"),
        ),
    )
