# SPDX-License-Identifier: Apache-2.0
"""Whole bounties on anvil, with the node's roles `receiver` and `watch`."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.utils.bounty_chain import Bounty, paid
from tests.utils.waiting import wait_for
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.labeler import SignedCommit, is_acknowledged
from truthmark.bounty.payouts import Status
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_models import FileEntry
from truthmark.errors import ConfigError, RelayUnavailableError
from truthmark.node.receiver import ReceiverRole
from truthmark.node.status import Metrics, Notifier
from truthmark.testing.anvil import anvil_binary
from truthmark.testing.network import Devnet

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    try:
        anvil_binary()
    except ConfigError as error:
        pytest.skip(str(error))
    with Devnet.start(tmp_path_factory.mktemp("runs"), block_time=None) as started:
        yield started


class Relay:
    """A relay's files and acknowledgements, without a network."""

    url = "http://relay"

    def __init__(self) -> None:
        self.kept: dict[int, LabelFile] = {}
        self.acknowledged: dict[int, bytes] = {}
        self.is_away = False

    def files(self, bounty_id: int) -> list[FileEntry]:
        if self.is_away:
            raise RelayUnavailableError("the relay http://relay does not answer")
        return [
            FileEntry(
                worker=worker,
                size=len(file.to_bytes()),
                commitment=file.run.commitment,
                is_acknowledged=worker in self.acknowledged,
            )
            for worker, file in self.kept.items()
        ]

    def file(self, ref: BountyRef, worker: int, commitment: bytes) -> LabelFile:
        return self.kept[worker]

    def put_acknowledgement(self, bounty_id: int, worker: int, signature: bytes) -> None:
        self.acknowledged[worker] = signature

    def close(self) -> None:
        pass


class Receiver:
    """The requester's node, that may be started again."""

    def __init__(self, bounty: Bounty, relay: Relay) -> None:
        self.bounty, self.relay = bounty, relay
        self.told: list[str] = []
        self.start()

    def start(self) -> None:
        notifier = Notifier()
        self.role = ReceiverRole(
            self.bounty.net.session("requester"),
            metrics=Metrics(),
            notifier=notifier,
            bounties=[self.bounty.number],
            relays=["http://relay"],
            open_relay=lambda url: self.relay,  # type: ignore[arg-type,return-value]
        )

    def rounds_until(self, done: Callable[[], bool]) -> None:
        wait_for(lambda: self.role.tick() is not None and done(), "what rounds are for")


def label_and_commit(bounty: Bounty) -> dict[int, SignedCommit]:
    signed = {worker: bounty.label(worker) for worker in range(6)}
    bounty.relay.commit(bounty.number, bounty.terms, [one.commit for one in signed.values()])
    return signed


def test_receiver__honest_run__scores_pays_and_withdraws(net: Devnet, tmp_path: Path) -> None:
    bounty, relay = Bounty(net, tmp_path), Relay()
    receiver = Receiver(bounty, relay)
    bounty.enroll()
    signed = label_and_commit(bounty)
    record = bounty.stranger.read(bounty.number)
    relay.kept = {worker: one.file(record) for worker, one in signed.items()}
    receiver.rounds_until(lambda: len(relay.acknowledged) == 6)
    assert all(is_acknowledged(record, signed[w], relay.acknowledged[w]) for w in signed)
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
    assert (record.status, gained) == (Status.SETTLED, [p.total for p in paid(record)])
    assert session.held(bounty.terms.token) > held + bounty.terms.bond
    assert (
        bounty.requester.board.functions.balances(bounty.terms.token, session.address).call() == 0
    )
