# SPDX-License-Identifier: Apache-2.0
"""A relay's whole work on anvil: from the offer to sealed labels on chain."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.utils.relays import KEYS, PAYEES, SIGNERS, Desk, client_of, make_papers, team_terms
from truthmark.bounty import labeler, messages
from truthmark.bounty.client import BountyClient
from truthmark.bounty.labeler import SignedCommit
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_models import CommitRequest, CommitState, KeysRequest
from truthmark.errors import ConfigError, RelayError
from truthmark.keys import typed
from truthmark.keys.vault import Vault
from truthmark.node.relay.opening import relay_of
from truthmark.node.relay.role import RelayRole
from truthmark.node.settings import NodeSettings
from truthmark.node.status import Metrics, Notifier
from truthmark.session import Session
from truthmark.testing.anvil import anvil_binary
from truthmark.testing.network import Devnet

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    try:
        anvil_binary()
    except ConfigError as error:
        pytest.skip(str(error))
    with Devnet.start(tmp_path_factory.mktemp("relays"), block_time=None) as started:
        yield started


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
            salt=len(str(folder)).to_bytes(16, "big") + folder.name.encode()[:16].rjust(16),
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

    def restart(self) -> None:
        """Forget all that is in memory."""
        numbers = self.desk.numbers
        self.start(self.net.session("relay"))
        self.desk.numbers = numbers

    def open(self, **offer: Any) -> None:
        self.desk.offer(**offer)
        self.papers.bring(self.desk.client, self.number)

    def ticks(self, count: int = 2) -> None:
        for _ in range(count):
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
        self.ticks()

    def label(self, worker: int) -> SignedCommit:
        record = self.record()
        who = SIGNERS.index(record.roster.rows[worker].signer)
        place = labeler.find_place(
            record,
            self.terms.hash,
            signer=SIGNERS[who],
            payee=PAYEES[who],
            now=0,
            needed=1,
            mark=self.requester.mark(self.number),
        )
        answers = {item: item % 2 for item in place.items.tolist() if item >= 0}
        codes = labeler.codes_of(place, answers, 2, self.terms.batch)
        vault = Vault(self.folder / f"vault-{worker}")
        return labeler.sign_once(vault, record, worker, codes, KEYS[who])

    def commit(self, signed: SignedCommit) -> CommitState:
        said = signed.commit
        request = CommitRequest(
            worker=said.worker,
            seats=said.seats,
            commitment=said.commitment,
            signature=signed.signature,
        )
        return self.desk.client.commit(self.number, request)


def test_relay__whole_bounty__is_enrolled_committed_and_posted(net: Devnet, tmp_path: Path) -> None:
    served = Served(net, tmp_path)
    relay, number = served.desk.client, served.number
    served.open()
    assert relay.document(number, served.terms) == served.papers.document
    for who in range(3):
        state = served.desk.join(who)
        assert (state.state, state.worker) == ("waiting", None)
    with pytest.raises(RelayError, match="all seats are taken"):
        served.desk.join(3)
    status = relay.status(number)
    assert (status.waiting, status.taken, status.is_full) == (3, 10, True)
    served.ticks()
    record = served.record()
    assert [(row.signer, row.seats) for row in record.roster.rows] == [
        (SIGNERS[0], 4),
        (SIGNERS[1], 4),
        (SIGNERS[2], 2),
    ]
    assert record.status is Status.DRAWN
    net.chain.rpc("anvil_mine", "0x4")
    served.ticks()
    assert served.record().status is Status.LABEL
    assert relay.join_state(number, SIGNERS[2]).worker == 2

    signed = [served.label(worker) for worker in range(3)]
    record = served.record()
    question = messages.item_keys(served.ref, served.terms.hash, record.seed, worker=1)
    asked = KeysRequest(worker=1, signature=typed.sign(question, KEYS[1]))
    keys = relay.keys(number, asked)
    items = relay.items(number, served.papers.document)
    assert {items.item(item, key).text for item, key in keys.items()} == {
        f"text {item}" for item in record.assignment.items_of(4, 4).tolist()
    }
    with pytest.raises(RelayError, match="not signed by the row's signer"):
        relay.keys(number, KeysRequest(worker=0, signature=asked.signature))

    assert served.commit(signed[0]).state == "waiting"
    file = signed[0].file(record)
    with pytest.raises(RelayError, match="not confirmed on chain yet"):
        relay.put_file(number, file)
    served.ticks()  # nobody hurries for one row
    assert served.commit(signed[0]).posts_by is not None
    for one in signed[1:]:
        served.commit(one)
    served.ticks()
    assert {w: c.commitment for w, c in served.record().commits.standing.items()} == {
        worker: one.commit.commitment for worker, one in enumerate(signed)
    }
    found = relay.commit_state(number, 1)
    assert found.state == "posted" and found.tx is not None
    for one in signed:
        relay.put_file(number, one.file(record))
    message = messages.acknowledged(
        served.ref, served.terms.hash, worker=1, commitment=signed[1].commit.commitment
    )
    relay.put_acknowledgement(number, 1, served.requester.session.signer.sign_typed(message))
    assert labeler.is_acknowledged(record, signed[1], relay.acknowledgement(number, 1) or b"")
    assert relay.file(served.ref, 2, signed[2].commit.commitment).run == signed[2].run
    assert [entry.is_acknowledged for entry in relay.files(number)] == [False, True, False]
    net.warp(3600 + 600 + 301)
    served.ticks()
    assert served.record().posted == {0, 2}
