# SPDX-License-Identifier: Apache-2.0
"""A relay that is killed at any point goes on with exactly what it had accepted and begun."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.utils.devnets import net
from tests.utils.node_process import start_node
from tests.utils.relay_chain import Served
from tests.utils.relays import SIGNERS, commit_request, join_request
from tests.utils.waiting import wait_for
from truthmark.bounty import messages
from truthmark.bounty.payouts import Status
from truthmark.bounty.relay_client import RelayClient
from truthmark.bounty.relay_models import Offer, OfferRequest
from truthmark.chain.journal import Journal
from truthmark.errors import RelayUnavailableError
from truthmark.node.relay.store import RelayStore
from truthmark.testing.custodians import find_port
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain

_T = TypeVar("_T")
SEEDS = [*range(2), *(pytest.param(seed, marks=pytest.mark.assure) for seed in range(2, 60))]


class KilledError(BaseException):
    """The process is gone; nothing of ours catches it."""


class Killer:
    """Kills before or after what goes to disk or to the chain, by chance."""

    def __init__(self, seed: int, patch: pytest.MonkeyPatch) -> None:
        self.chooser = random.Random(seed)
        self.kills = 0
        self._is_on = False
        write, submit = RelayStore._write, Journal.submit

        @contextmanager
        def killing_write(store: RelayStore) -> Iterator[Any]:
            self.strike()
            with write(store) as connection:
                yield connection
                self.strike()
            self.strike()

        def killing_submit(journal: Journal, intent: Any) -> None:
            self.strike()
            submit(journal, intent)
            self.strike()

        patch.setattr(RelayStore, "_write", killing_write)
        patch.setattr(Journal, "submit", killing_submit)

    def strike(self) -> None:
        if self._is_on and self.chooser.random() < 0.2:
            self.kills += 1
            raise KilledError

    def until_done(self, served: Served, work: Callable[[], _T]) -> _T:
        """Do something again and again, on what is on disk, until nothing strikes."""
        while True:
            self._is_on = True
            try:
                return work()
            except KilledError:
                self._is_on = False
                served.restart()
            finally:
                self._is_on = False


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.untraced
def test_relay__killed_again_and_again__nothing_is_lost_nor_twice(
    seed: int, net: Devnet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = Served(net, tmp_path, rounds=2, min_seats=16)  # 20 seats for five workers
    number = served.number
    killer = Killer(seed, monkeypatch)
    offer = Offer(number=1, items_secret=b"\x5e" * 32)
    message = messages.serve(served.ref, served.terms.hash, offer_hash=offer.hash)
    signature = served.requester.session.signer.sign_typed(message)
    request = OfferRequest(terms_hash=served.terms.hash, offer=offer, signature=signature)
    killer.until_done(served, lambda: served.relay.offer(number, request))

    wishes = [join_request(served.ref, served.terms, who) for who in range(6)]
    for count, wish in enumerate(wishes):
        killer.until_done(served, lambda wish=wish: served.relay.join(number, wish))  # type: ignore[misc]
        if count == 2:
            net.warp(130)  # the oldest has waited long enough
            killer.until_done(served, lambda: served.ticks(1))
    for _ in range(4):
        killer.until_done(served, lambda: served.ticks(1))
    assert served.record().status is Status.DRAWN
    net.chain.rpc("anvil_mine", "0x4")
    for _ in range(2):
        killer.until_done(served, lambda: served.ticks(1))
    record = served.record()
    assert record.status is Status.LABEL
    signers = [row.signer for row in record.roster.rows if not row.is_gap]
    assert signers == SIGNERS[: len(signers)]

    signed = [served.label(w) for w, row in enumerate(record.roster.rows) if not row.is_gap]
    for one in signed:
        said = commit_request(one)
        killer.until_done(served, lambda said=said: served.relay.commit(number, said))  # type: ignore[misc]
        killer.until_done(served, lambda: served.ticks(1))
    for _ in range(3):
        killer.until_done(served, lambda: served.ticks(1))
    record = served.record()
    assert record.commits.standing == {one.commit.worker: one.commit for one in signed}
    rows = Counter(commit.worker for call in record.commits.calls for commit in call)
    assert max(rows.values()) == 1
    assert killer.kills > 5


@pytest.mark.parametrize("kills", [1, pytest.param(4, marks=pytest.mark.assure)])
def test_relay__process_killed_after_its_answer__has_what_it_answered(
    kills: int, net: Devnet, tmp_path: Path
) -> None:
    served = Served(net, tmp_path)
    client = served.desk.client
    settings = {
        "roles": ("relay",),
        "relay_requesters": (served.requester.session.address,),
        "relay_port": find_port(served.session),
        "relay_db": f"sqlite:///{tmp_path}/process.sqlite",
    }
    home, number = net.home("relay"), served.number
    served.desk.client = RelayClient(f"http://127.0.0.1:{settings['relay_port']}")

    def is_up() -> bool:
        try:
            return served.desk.client.info().chain_id == served.ref.chain_id
        except RelayUnavailableError:
            assert process.is_alive(), (home / "node.log").read_text()[-2000:]
            return False

    process = start_node(home, **settings)
    try:
        wait_for(is_up, "the relay's start")
        work = [
            served.desk.offer,
            lambda: served.desk.client.put_document(number, served.papers.document),
            lambda: served.desk.join(0),
            lambda: [served.desk.join(who) for who in (1, 2)],
        ]
        for count, one in enumerate(work):
            one()
            if count < len(work) - kills:
                continue
            process.kill()
            process.join()
            process = start_node(home, **settings)
            wait_for(is_up, "the relay's start")
        assert served.desk.client.document(number, served.terms) == served.papers.document
        wait_for(lambda: len(served.record().roster) == 3, "enrolling")
        assert [row.signer for row in served.record().roster.rows] == SIGNERS[:3]
    finally:
        process.kill()
        process.join()
        served.desk.client = client
