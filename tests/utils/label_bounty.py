# SPDX-License-Identifier: Apache-2.0
"""A bounty on anvil with a real relay and a requester's receiver, both at work in a thread.

`rounds` is the fixture of those who open its page, for a module that has `net`.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from starlette.applications import Starlette

from tests.utils.bounty_chain import crowd_terms
from tests.utils.node_js import node_command
from tests.utils.waiting import wait_for
from truthmark.bounty.client import BountyClient
from truthmark.bounty.document import Document, LabelClass, Practice
from truthmark.bounty.gold import Gold, draw_gold
from truthmark.bounty.items import Item, ItemsWriter
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_client import RelayClient, open_public_relay
from truthmark.bounty.score import seats_of_gold
from truthmark.bounty.sealing import open_with_key
from truthmark.bounty.secrets import RequesterSecrets, find_secrets, new_secrets
from truthmark.bounty.terms import Terms
from truthmark.bounty.workspace import Workspace
from truthmark.chain.public_http import ALL_NETWORKS
from truthmark.errors import RelayError
from truthmark.node.receiver import ReceiverRole
from truthmark.node.receiver_api import serve_receiver
from truthmark.node.relay.opening import relay_of, serve
from truthmark.node.relay.role import RelayRole
from truthmark.node.relay.server import AppServer
from truthmark.node.role import Role
from truthmark.node.settings import NodeSettings
from truthmark.node.status import Metrics, Notifier
from truthmark.node.watch import WatchRole
from truthmark.session import Session
from truthmark.testing.network import Devnet
from truthmark.web.hosting import PageHost, relays_of

ITEMS, BATCH, ROUNDS = 60, 5, 3


class Rounds:
    """Relay and receiver at work, in a thread, on a chain that mines a block a round.

    Args:
        net: The chain.
        owner: Whose bounties are relayed.
        fetches: Whether the relay fetches papers by their names.
        watches: Whether there is a watch node, too.
    """

    def __init__(
        self, net: Devnet, owner: str, *, fetches: bool = False, watches: bool = False
    ) -> None:
        self.net = net
        session = net.session("relay")
        settings = NodeSettings(roles=("relay",), relay_requesters=(owner,), relay_fetch=fetches)
        self.server = serve(session, settings)
        metrics = Metrics()
        relay = RelayRole(
            relay_of(session, settings), gas_reserve=0, metrics=metrics, notifier=Notifier()
        )
        requester = net.session("requester")
        receiver = ReceiverRole(requester, metrics=Metrics(), notifier=Notifier())
        taking = NodeSettings(roles=("receiver",), receiver_port=0)
        self.receiver = serve_receiver(receiver, taking)
        self._roles: tuple[Role, ...] = (relay, receiver)
        self._servers = [self.server]
        if watches:
            self._roles += (self._watch(net.session("watch")),)
        self._opened = self._roles
        self._is_over = threading.Event()
        self.problems: list[Exception] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _watch(self, session: Session) -> Role:
        settings = NodeSettings(roles=("watch",))
        server = serve(session, settings)
        self._servers.append(server)
        self.watch_url = server.url
        return WatchRole(
            relay_of(session, settings),
            lambda _: [self.server.url],
            gas_reserve=0,
            metrics=Metrics(),
            notifier=Notifier(),
            open_relay=partial(open_public_relay, private=ALL_NETWORKS),
        )

    def _run(self) -> None:
        while not self._is_over.wait(0.2):
            for role in self._roles:
                try:
                    role.tick()
                except Exception as error:
                    self.problems.append(error)
            self.net.chain.rpc("evm_mine")

    def stop_receiving(self) -> None:
        """Leave the requester's work, such as the score, to the test."""
        self._roles = tuple(role for role in self._roles if not isinstance(role, ReceiverRole))

    def close(self) -> None:
        self._is_over.set()
        self._thread.join(20)
        for role in self._opened:
            role.close()
        for server in self._servers:
            server.close()
        self.receiver.close()


@pytest.fixture(scope="module")
def rounds(net: Devnet) -> Iterator[Rounds]:
    """Provide relay, receiver and watch node; skip where there is no page to be made."""
    node_command()
    made = Rounds(net, net.session("requester").address, watches=True)
    yield made
    made.close()


@contextmanager
def serve_pages(net: Devnet, *watch: str) -> Iterator[AppServer]:
    """Serve the page beside no relay, as the app does, on a network that names watch nodes."""
    session = net.session("stranger")
    session.profile = replace(session.profile, watch=watch)
    host = PageHost(lambda: session, lambda bounty_id: relays_of(session, bounty_id))
    server = AppServer(Starlette(routes=host.routes()), host="127.0.0.1", port=0)
    yield server
    server.close()


def post(
    net: Devnet,
    url: str,
    items: Iterable[Item],
    shown: Item,
    terms_of: Callable[[RequesterSecrets, Document], Terms],
    *,
    gold: Gold | None = None,
    **words: Any,
) -> tuple[int, Terms]:
    """Create a bounty of the requester, and wait until the relay serves it.

    Args:
        net: Where.
        url: Of the relay.
        items: To be labeled.
        shown: To practice on; the first class is right.
        terms_of: Makes terms that go with secrets and document.
        gold: Those terms' own.
        words: Fields of the document that are to be others.

    Returns:
        Its number and its terms.
    """
    session = net.session("requester")
    client = BountyClient(session)
    made = new_secrets(session.vault)
    workspace = Workspace.of_key(session.home, made.key)
    with ItemsWriter(workspace.folder, made.items_secret) as writer:
        for item in items:
            writer.add(item)
        writer.show(shown)
        info = writer.finish()
    usual: dict[str, Any] = {
        "title": "Cats and dogs",
        "guidelines": "Say who it is.",
        "classes": (LabelClass("cat"), LabelClass("dog")),
        "kind": "text",
        "practice": (Practice(0, 0, "Only cats do."),),
        "licence": "CC0-1.0",
        "seconds_per_item": 3.0,
    }
    document = Document(
        **{**usual, **words}, items=info, relay_urls=(url,), post_rows=1, post_seconds=1
    )
    terms = terms_of(made, document)
    workspace.save_document(document)
    if gold is not None:
        workspace.save_gold(gold)
    workspace.save_terms(terms)
    session.storage.put_block(document.cid, document.to_bytes())
    number = client.create(terms)
    workspace.save_ref(BountyRef(net.profile.chain_id, client.board.address, number))
    # The requester's receiver brings it all to the relay.
    with RelayClient(url) as relay:

        def is_served() -> bool:
            try:
                return relay.status(number).has_data
            except RelayError:  # it has not seen the bounty on chain yet
                return False

        wait_for(is_served, "a bounty that the relay serves")
    return number, terms


class Posted:
    """A bounty: texts that say what they are, and gold among them."""

    def __init__(self, net: Devnet, url: str, *, items: int = ITEMS, batch: int = BATCH) -> None:
        self.truth = np.random.default_rng(2).integers(0, 2, items)
        gold = draw_gold(self.truth, classes=2, count=20, seed=1)
        texts = (
            Item.of_text(f"item {number}: it {('meows', 'barks')[answer]}")
            for number, answer in enumerate(self.truth.tolist())
        )

        def terms_of(made: RequesterSecrets, document: Document) -> Terms:
            return crowd_terms(
                net,
                made,
                document,
                gold,
                items=items,
                rounds=ROUNDS,
                batch=batch,
                min_seats=36,
                min_run=12,
                max_run=12,
                bond=20_000,
            )

        shown = Item.of_text("it meows")
        self.number, self.terms = post(net, url, texts, shown, terms_of, gold=gold)

    def lie_about(self, net: Devnet, url: str, payee: str) -> None:
        """Post a score, as the requester, that has one answer of who is so paid as another."""
        session = net.session("requester")
        client = BountyClient(session)
        record = client.read(self.number)
        secrets = find_secrets(session.vault, record.terms.key)
        codes = {}
        with RelayClient(url) as relay:
            for worker, commit in record.commits.standing.items():
                file = relay.file(record.ref, worker, commit.commitment)
                opened = open_with_key(
                    record.scheme(worker), file.run, secrets.scalar, commit.seats
                )
                codes[worker] = opened.codes
        gold = Workspace.find(session.home, record.ref).gold

        seats = seats_of_gold(record.assignment, record.roster, gold)
        (wronged,) = (w for w, row in enumerate(record.roster.rows) if row.payee.lower() == payee)
        g, k = np.argwhere(seats.holders == wronged)[0].tolist()
        place = int(seats.offsets[g, k]) * record.terms.batch + int(seats.indices[g, k])
        codes[wronged] = codes[wronged].copy()
        codes[wronged][place] = 1 - codes[wronged][place]
        salt = secrets.gold_salt
        client.score(record, record.make_score(gold=gold, salt=salt, codes=codes, marks={}))
