# SPDX-License-Identifier: Apache-2.0
"""Makes a node's relay of its settings; one for all roles that need it."""

import importlib.metadata
from urllib.parse import quote

from truthmark.bounty.document import Document
from truthmark.bounty.reader import BOARD
from truthmark.bounty.record import Record
from truthmark.bounty.watching import derive_watch_key
from truthmark.cid import raw_cid
from truthmark.errors import BountyError, ConfigError, StorageError
from truthmark.keys.sealing import encryption_public_key
from truthmark.node.relay.api import create_app
from truthmark.node.relay.policy import RelayPolicy
from truthmark.node.relay.relay import Relay
from truthmark.node.relay.server import AppServer
from truthmark.node.relay.store import RelayStore
from truthmark.node.settings import (
    NodeSettings,
    certificate_of,
    fees_of,
    gas_reserve,
    margin_seconds,
)
from truthmark.session import Session, private_networks


def relay_of(session: Session, settings: NodeSettings) -> Relay:
    """Return the relay of a session, made when it is first asked for.

    Raises:
        ConfigError: Its database cannot be used.
        ChainError: The chain cannot be read.
    """
    return session.part(Relay, lambda: _open(session, settings))


class RelayServer:
    """Answers until it is closed: to all, and with a certificate to this process by plain HTTP too.

    It trusts no certificate only for having made it.

    Attributes:
        url: Where it answers.
        local_url: Where it answers this process.
    """

    def __init__(self, relay: Relay, settings: NodeSettings) -> None:
        """Listen at once."""
        app, certificate = create_app(relay), certificate_of(settings, "relay")
        host, port = settings.relay_host, settings.relay_port
        self._servers = [AppServer(app, host=host, port=port, certificate=certificate)]
        if certificate is not None:
            try:
                self._servers.append(AppServer(app, host="127.0.0.1", port=0))
            except ConfigError:
                self.close()
                raise
        self.url, self.local_url = self._servers[0].url, self._servers[-1].url

    def close(self) -> None:
        """Stop listening; what is being answered gets a moment to end."""
        for server in self._servers:
            server.close()


def serve(session: Session, settings: NodeSettings) -> RelayServer:
    """Answer over HTTP, or HTTPS where there is a certificate, until it is closed.

    Raises:
        ConfigError: The address, the certificate or the database cannot be used.
        ChainError: The chain cannot be read.
    """
    relay = relay_of(session, settings)
    relay.views.refresh()
    server = RelayServer(relay, settings)
    relay.url, relay.local_url = relay.url or server.url, server.local_url
    return server


def own_watch_key(session: Session) -> bytes:
    """Return the public key to which secrets for this account's watch node are sealed."""
    board = getattr(session.chain, BOARD).address
    sign, chain_id = session.signer.sign_typed, session.profile.chain_id
    return encryption_public_key(derive_watch_key(sign, chain_id=chain_id, board=board))


def find_relays(session: Session, settings: NodeSettings, record: Record) -> list[str]:
    """Return where a bounty's labels are handed out; none where its document is not to be had."""
    terms = record.terms
    document = relay_of(session, settings).papers.document(record.ref.bounty_id, terms)
    if document is None:
        try:
            document = Document.from_bytes(session.storage.read_block(raw_cid(terms.document)))
        except (StorageError, BountyError):
            return []
    return list(dict.fromkeys([*document.relay_urls, *document.receiver_urls]))


def _open(session: Session, settings: NodeSettings) -> Relay:
    profile, chain = session.profile, session.chain
    board = getattr(chain, BOARD).address
    genesis = chain.genesis.hex()[:16]
    folder = session.home / "relay" / f"{profile.chain_id}-{genesis}-{board[2:10].lower()}"
    # What is kept there opens items.
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    url = settings.relay_db
    if url is None:
        url = f"sqlite:///{quote(str(folder / 'relay.sqlite'))}"
    watches = "watch" in settings.roles
    place = f"{profile.chain_id} {genesis} {board} {session.address}"
    return Relay(
        session,
        RelayStore(url, place),
        folder / "papers",
        RelayPolicy(
            margin_seconds=margin_seconds(settings, profile),
            min_fees=fees_of(settings.relay_min_fee, profile),
            requesters=frozenset(settings.relay_requesters),
            max_bytes=settings.relay_max_items,
            relays="relay" in settings.roles,
            watches=watches,
            watch_key=own_watch_key(session) if watches else b"",
            watch_fees=fees_of(settings.watch_min_fee, profile),
            gas_reserve=gas_reserve(settings),
            private=private_networks(session.settings),
            fetches=settings.relay_fetch,
            url=settings.public_url or "",
            version=importlib.metadata.version("truthmark"),
        ),
    )
