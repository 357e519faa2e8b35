# SPDX-License-Identifier: Apache-2.0
"""A relay on anvil, whose rounds a test drives by hand."""

from pathlib import Path
from typing import Any

from tests.utils.relays import (
    KEYS,
    PAYEES,
    SIGNERS,
    Desk,
    client_of,
    commit_request,
    make_papers,
    team_terms,
)
from tests.utils.waiting import wait_for
from truthmark.bounty import labeler
from truthmark.bounty.client import BountyClient
from truthmark.bounty.labeler import SignedCommit
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_models import CommitState
from truthmark.bounty.terms import Terms
from truthmark.hashing import keccak256
from truthmark.keys.vault import Vault
from truthmark.node.relay.opening import relay_of
from truthmark.node.relay.relay import Relay
from truthmark.node.relay.role import RelayRole
from truthmark.node.settings import NodeSettings
from truthmark.node.status import Metrics, Notifier
from truthmark.session import Session
from truthmark.testing.network import Devnet


def sign_labels(
    client: BountyClient, number: int, terms: Terms, worker: int, folder: Path
) -> SignedCommit:
    """Let a worker answer all of their items, and sign; `folder` is for their vault."""
    record = client.read(number)
    who = SIGNERS.index(record.roster.rows[worker].signer)
    place = labeler.find_place(
        record,
        terms.hash,
        signer=SIGNERS[who],
        payee=PAYEES[who],
        now=0,
        needed=1,
        mark=client.mark(number),
    )
    answers = {item: item % 2 for item in place.items.tolist() if item >= 0}
    codes = labeler.codes_of(place, answers, 2, terms.batch)
    return labeler.sign_once(Vault(folder / f"vault-{worker}"), record, worker, codes, KEYS[who])


class Served:
    """A bounty on chain, and its relay, whose rounds a test drives."""

    def __init__(self, net: Devnet, folder: Path, **fixed: Any) -> None:
        self.net, self.folder = net, folder
        self.requester = BountyClient(net.session("requester"))
        self.session = net.session("relay")
        self.papers = make_papers(folder / "papers")
        owner = self.requester.session
        self.terms = team_terms(
            self.papers.document,
            requester=owner.address,
            relay=self.session.address,
            receiver=owner.address,
            token=net.profile.tokens[1].address,
            salt=keccak256(str(folder).encode()),
            **fixed,
        )
        self.number = self.requester.create(self.terms)
        self.settings = NodeSettings(
            roles=("relay",), relay_requesters=(owner.address,), relay_db=f"sqlite:///{folder}/r.db"
        )
        self.ref = BountyRef(net.profile.chain_id, self.requester.board.address, self.number)
        self.start(self.session)

    def start(self, session: Session) -> None:
        """Start the relay, or start it again on what is on disk."""
        self.session = session
        relay = relay_of(session, self.settings)
        self.role = RelayRole(relay, gas_reserve=0, metrics=Metrics(), notifier=Notifier())
        relay.views.refresh()
        client = client_of(relay)
        sign = self.requester.session.signer.sign_typed
        self.desk = Desk(relay, client, self.ref, self.terms, sign)

    @property
    def relay(self) -> Relay:
        return self.desk.relay

    def restart(self) -> None:
        """Forget all that is in memory."""
        numbers = self.desk.numbers
        self.start(Session(self.session.settings, signer=self.session.signer))
        self.desk.numbers = numbers

    def open(self, **offer: Any) -> None:
        self.desk.offer(**offer)
        self.papers.bring(self.desk.client, self.number)

    def ticks(self, count: int = 2) -> None:
        for _ in range(count):
            self.role.tick()

    def tick_until(self, status: Status) -> None:
        """Tick until the chain shows it, and once more, so that the role has seen it, too."""

        def is_there() -> bool:
            self.role.tick()
            return self.record().status is status

        wait_for(is_there, status.name)
        self.role.tick()

    def record(self) -> Record:
        return self.requester.read(self.number)

    def begin(self, workers: int = 3) -> None:
        """Let workers join until the roster is full, and draw the seed."""
        self.open()
        for who in range(workers):
            self.desk.join(who)
        self.ticks()
        self.net.chain.rpc("anvil_mine", "0x4")
        self.tick_until(Status.LABEL)

    def label(self, worker: int) -> SignedCommit:
        return sign_labels(self.requester, self.number, self.terms, worker, self.folder)

    def commit(self, signed: SignedCommit) -> CommitState:
        return self.desk.client.commit(self.number, commit_request(signed))
