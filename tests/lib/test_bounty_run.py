# SPDX-License-Identifier: Apache-2.0
"""Whole bounties on anvil, with the node's roles `receiver` and `watch`."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.utils.bounty_chain import Bounty, flip
from tests.utils.bounty_fakes import FakeRelay
from tests.utils.devnets import net
from tests.utils.relays import client_of
from tests.utils.waiting import wait_for
from truthmark.bounty.commits import Commit
from truthmark.bounty.flows.running import is_done
from truthmark.bounty.labeler import SignedCommit, is_acknowledged
from truthmark.bounty.payouts import Status
from truthmark.bounty.receiving import acknowledgement
from truthmark.bounty.relay_models import DepositRequest, DepositState
from truthmark.bounty.secrets import find_secrets
from truthmark.bounty.watching import seal_secret
from truthmark.bounty.workspace import Workspace
from truthmark.keys.typed import sign
from truthmark.node.receiver import ReceiverRole
from truthmark.node.relay.opening import relay_of
from truthmark.node.settings import NodeSettings
from truthmark.node.status import Metrics, Notifier
from truthmark.node.watch import WatchRole
from truthmark.session import Session
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain


class Receiver:
    """The requester's node, that may be started again."""

    def __init__(self, bounty: Bounty, relay: FakeRelay) -> None:
        self.bounty, self.relay = bounty, relay
        relay.account = bounty.terms.relay
        self.followed: list[Path] = []
        self.next: Workspace | None = None
        self.start()

    def start(self) -> None:
        self.told: list[str] = []
        notifier = Notifier(say=self.told.append)
        self.role = ReceiverRole(
            self.bounty.net.session("requester"),
            metrics=Metrics(),
            notifier=notifier,
            bounties=[self.bounty.number],
            gas_reserve=10**30,
            follow_up=self.follow_up,
            open_relay=lambda url: self.relay,  # type: ignore[arg-type,return-value]
        )

    def follow_up(self, session: Session, workspace: Workspace) -> None:
        """Begin another bounty, once."""
        self.followed.append(workspace.folder)
        if self.next is not None:
            self.next.save_draft({"job": {"before": self.bounty.number}})

    def rounds_until(self, done: Callable[[], bool]) -> None:
        wait_for(lambda: self.role.tick() is not None and done(), "what rounds are for")


def label_and_commit(bounty: Bounty) -> dict[int, SignedCommit]:
    signed = {worker: bounty.label(worker) for worker in range(6)}
    bounty.relay.commit(bounty.number, bounty.terms, [one.commit for one in signed.values()])
    return signed


def test_receiver__honest_run__scores_pays_and_withdraws(net: Devnet, tmp_path: Path) -> None:
    bounty, relay = Bounty(net, tmp_path), FakeRelay()
    receiver = Receiver(bounty, relay)
    bounty.enroll()
    signed = label_and_commit(bounty)
    record = bounty.stranger.read(bounty.number)
    relay.kept = {worker: one.file(record) for worker, one in signed.items()}
    receiver.rounds_until(lambda: len(relay.acknowledged) == 6 and bool(relay.offers))
    assert len(relay.offers) == 1
    assert all(is_acknowledged(record, signed[w].commit, relay.acknowledged[w]) for w in signed)
    bounty.net.warp(3600 + 600 + 601)
    receiver.rounds_until(lambda: bounty.stranger.read(bounty.number).status is Status.SCORED)
    score = bounty.stranger.read(bounty.number).require_score()
    assert score.hash == bounty.true_score(bounty.opened(signed)).hash
    bounty.net.warp(3601)
    before, session = bounty.balances(), bounty.requester.session
    held = session.held(bounty.terms.token)
    receiver.rounds_until(lambda: receiver.role.is_over)
    record = bounty.stranger.read(bounty.number)
    gained = [now - then for now, then in zip(bounty.balances(), before, strict=True)]
    assert (record.status, gained) == (Status.SETTLED, [p.total for p in record.payments()])
    assert session.held(bounty.terms.token) > held + bounty.terms.bond
    assert (
        bounty.requester.board.functions.balances(bounty.terms.token, session.address).call() == 0
    )


# ----------------------------------------------------------------------------- watch


class Watch:
    """A watch node, that may be started again."""

    def __init__(self, bounty: Bounty, relay: FakeRelay, folder: Path) -> None:
        self.bounty, self.relay = bounty, relay
        self.settings = NodeSettings(roles=("watch",), relay_db=f"sqlite:///{folder}/watch.db")
        self.start()

    def start(self) -> None:
        self.desk = relay_of(self.bounty.net.session("watch"), self.settings)
        self.client = client_of(self.desk)
        self.role = WatchRole(
            self.desk,
            lambda record: ["http://relay"],
            gas_reserve=1,
            metrics=Metrics(),
            notifier=Notifier(),
            open_relay=lambda url: self.relay,  # type: ignore[arg-type,return-value]
        )

    def leave(self, signed: SignedCommit, *, with_secret: bool = False) -> DepositState:
        self.desk.views.refresh()
        record, commit = self.bounty.stranger.read(self.bounty.number), signed.commit
        sealed = None
        if with_secret:
            (node,) = self.client.info().watch
            sealed = seal_secret(node.key, record.ref, commit.worker, signed.secret)
        request = DepositRequest(
            seats=commit.seats,
            commitment=commit.commitment,
            signature=signed.signature,
            file=base64.b64encode(signed.file(record).to_bytes()),
            sealed_secret=sealed,
        )
        return self.client.deposit(self.bounty.number, commit.worker, request)

    def rounds_until(self, done: Callable[[], bool]) -> None:
        wait_for(lambda: self.role.tick() is not None and done(), "what rounds are for")

    def state(self, worker: int) -> str:
        return self.client.deposit_state(self.bounty.number, worker).state


def test_watch__relay_lies_and_receiver_is_silent__brings_labels_on_chain_and_proves(
    net: Devnet, tmp_path: Path
) -> None:
    bounty, relay = Bounty(net, tmp_path), FakeRelay()
    watch = Watch(bounty, relay, tmp_path)
    bounty.enroll()
    signed = {worker: bounty.label(worker) for worker in range(6)}
    for worker in (1, 2, 3, 4, 5):
        watch.leave(signed[worker], with_secret=worker == 2)
    wrong = Commit(1, 10, b"\x66" * 32)
    posted = [signed[0].commit, wrong, *(signed[w].commit for w in (2, 3, 5))]
    bounty.relay.commit(bounty.number, bounty.terms, posted)

    def standing() -> dict[int, Commit]:
        return bounty.stranger.read(bounty.number).commits.standing

    watch.rounds_until(lambda: standing()[1] == signed[1].commit)
    watch.rounds_until(lambda: watch.state(4) == "waiting")
    net.warp(3601)  # nobody posts worker 4 any more
    watch.start()
    watch.rounds_until(lambda: standing().get(4) == signed[4].commit)
    watch.rounds_until(lambda: set(relay.kept) == {1, 2, 3, 4, 5})
    record = bounty.stranger.read(bounty.number)
    key = find_secrets(bounty.requester.session.vault, bounty.terms.key).receiver_key
    relay.acknowledged[3] = sign(acknowledgement(record, 3), key)
    relay.acknowledged[4] = sign(acknowledgement(record, 4), b"\x01" * 32)  # of somebody else
    watch.rounds_until(lambda: watch.state(3) == "delivered")
    net.warp(600 + 400)
    watch.rounds_until(lambda: bounty.stranger.read(bounty.number).posted == {1, 2, 4, 5})
    net.warp(600)

    # The requester says something else of one answer of worker 2, who is away.
    record = bounty.requester.read(bounty.number)
    bounty.requester.score(record, flip(bounty.true_score(bounty.opened(signed)), record))
    watch.start()
    watch.rounds_until(lambda: bounty.stranger.read(bounty.number).status is Status.PROVEN)
    session = bounty.net.session("watch")
    owed = bounty.stranger.board.functions.balances(bounty.terms.token, session.address).call()
    assert owed >= bounty.terms.reward
    watch.rounds_until(lambda: not watch.desk.store.deposited())


def test_receiver__comes_too_late__pays_everybody_in_full(net: Devnet, tmp_path: Path) -> None:
    bounty, relay = Bounty(net, tmp_path), FakeRelay()
    bounty.enroll()
    label_and_commit(bounty)
    net.warp(3600 + 600 + 600 + 3600 + 2)
    before, receiver = bounty.balances(), Receiver(bounty, relay)
    second = Bounty(net, tmp_path)
    receiver.next = second.workspace
    receiver.rounds_until(lambda: second.number in receiver.role.runs)
    assert receiver.followed == [bounty.workspace.folder]
    assert not receiver.role.is_over
    assert is_done(bounty.workspace) and not is_done(second.workspace)
    record = bounty.stranger.read(bounty.number)
    gained = [now - then for now, then in zip(bounty.balances(), before, strict=True)]
    assert (record.status, gained) == (Status.FLAT, [p.total for p in record.payments()])
    assert bounty.number not in receiver.role.seen
    assert [text for text in receiver.told if "no score can be posted" in text]
