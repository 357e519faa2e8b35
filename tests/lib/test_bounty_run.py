# SPDX-License-Identifier: Apache-2.0
"""Whole bounties on anvil, with the node's roles `receiver` and `watch`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.utils.bounty_chain import Bounty, flip, paid
from tests.utils.waiting import wait_for
from truthmark.bounty.commits import Commit
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.labeler import SignedCommit, is_acknowledged
from truthmark.bounty.payouts import Status
from truthmark.bounty.receiving import acknowledgement
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.relay_models import FileEntry
from truthmark.bounty.secrets import find_secrets
from truthmark.bounty.watching import derive_watch_key, seal_secret
from truthmark.errors import ConfigError, RelayUnavailableError
from truthmark.keys.sealing import encryption_public_key
from truthmark.keys.typed import sign
from truthmark.node.receiver import ReceiverRole
from truthmark.node.status import Metrics, Notifier
from truthmark.node.watch import WatchRole
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

    def put_file(self, bounty_id: int, file: LabelFile) -> None:
        self.kept[file.worker] = file

    def acknowledgement(self, bounty_id: int, worker: int) -> bytes | None:
        return self.acknowledged.get(worker)

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


# ----------------------------------------------------------------------------- watch


@dataclass(frozen=True)
class Left:
    """A deposit."""

    commit: Commit
    signature: bytes
    file: bytes
    sealed_secret: bytes | None
    state: str = "kept"

    @property
    def worker(self) -> int:
        return self.commit.worker


class Book:
    """Deposits without a database."""

    def __init__(self) -> None:
        self.left: dict[int, dict[int, Left]] = {}

    def leave(self, bounty: Bounty, signed: SignedCommit, *, with_secret: bool = False) -> None:
        record = bounty.stranger.read(bounty.number)
        sealed = None
        if with_secret:
            session = bounty.net.session("watch")
            key = derive_watch_key(
                session.signer.sign_typed, chain_id=record.ref.chain_id, board=record.ref.board
            )
            sealed = seal_secret(
                encryption_public_key(key), record.ref, signed.commit.worker, signed.secret
            )
        entry = Left(signed.commit, signed.signature, signed.file(record).to_bytes(), sealed)
        self.left.setdefault(bounty.number, {})[entry.worker] = entry

    def deposited(self) -> list[int]:
        return list(self.left)

    def deposits(self, bounty_id: int) -> list[Left]:
        return list(self.left[bounty_id].values())

    def set_deposit_state(self, bounty_id: int, worker: int, state: str) -> None:
        self.left[bounty_id][worker] = replace(self.left[bounty_id][worker], state=state)

    def drop_deposits(self, bounty_id: int) -> None:
        del self.left[bounty_id]


class Watch:
    """A watch node, that may be started again."""

    def __init__(self, bounty: Bounty, relay: Relay) -> None:
        self.bounty, self.relay, self.book = bounty, relay, Book()
        self.start()

    def start(self) -> None:
        self.role = WatchRole(
            self.bounty.net.session("watch"),
            self.book,
            lambda record: ["http://relay"],
            gas_reserve=1,
            metrics=Metrics(),
            notifier=Notifier(),
            open_relay=lambda url: self.relay,  # type: ignore[arg-type,return-value]
        )

    def rounds_until(self, done: Callable[[], bool]) -> None:
        wait_for(lambda: self.role.tick() is not None and done(), "what rounds are for")

    def state(self, worker: int) -> str:
        return self.book.left[self.bounty.number][worker].state


def test_watch__relay_lies_and_receiver_is_silent__brings_labels_on_chain_and_proves(
    net: Devnet, tmp_path: Path
) -> None:
    bounty, relay = Bounty(net, tmp_path), Relay()
    watch = Watch(bounty, relay)
    bounty.enroll()
    signed = {worker: bounty.label(worker) for worker in range(6)}
    for worker in (1, 2, 3, 4):
        watch.book.leave(bounty, signed[worker], with_secret=worker == 2)
    wrong = Commit(1, 10, b"\x66" * 32)
    posted = [signed[0].commit, wrong, *(signed[w].commit for w in (2, 3, 5))]
    bounty.relay.commit(bounty.number, bounty.terms, posted)

    def standing() -> dict[int, Commit]:
        return bounty.stranger.read(bounty.number).commits.standing

    watch.rounds_until(lambda: standing()[1] == signed[1].commit)
    watch.rounds_until(lambda: watch.state(4) == "waiting for the relay")
    net.warp(3601)  # nobody posts worker 4 any more
    watch.start()
    watch.rounds_until(lambda: standing().get(4) == signed[4].commit)
    watch.rounds_until(lambda: set(relay.kept) == {1, 2, 3, 4})
    record = bounty.stranger.read(bounty.number)
    key = find_secrets(bounty.requester.session.vault, bounty.terms.key).receiver_key
    relay.acknowledged[3] = sign(acknowledgement(record, 3), key)
    relay.acknowledged[4] = sign(acknowledgement(record, 4), b"\x01" * 32)  # of somebody else
    watch.rounds_until(lambda: watch.state(3).startswith("delivered"))
    net.warp(600 + 400)
    watch.rounds_until(lambda: bounty.stranger.read(bounty.number).posted == {1, 2, 4})
    net.warp(600)

    # The requester says something else of one answer of worker 2, who is away.
    record = bounty.requester.read(bounty.number)
    bounty.requester.score(record, flip(bounty.true_score(bounty.opened(signed)), record))
    watch.start()
    watch.rounds_until(lambda: bounty.stranger.read(bounty.number).status is Status.PROVEN)
    session = bounty.net.session("watch")
    owed = bounty.stranger.board.functions.balances(bounty.terms.token, session.address).call()
    assert owed >= bounty.terms.reward
    watch.rounds_until(lambda: not watch.book.left)
