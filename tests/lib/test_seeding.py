# SPDX-License-Identifier: Apache-2.0
"""A seeded network: each state is there by chain and library, and seeding again adds nothing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.utils.devnets import open_devnet
from truthmark.bounty.client import BountyClient
from truthmark.bounty.flows.results import collect_result
from truthmark.bounty.payouts import Status
from truthmark.bounty.phases import phase_of
from truthmark.bounty.workspace import Workspace
from truthmark.errors import ConfigError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.settlement import Settlement
from truthmark.market.validator import ValidatorOwner
from truthmark.session import Session
from truthmark.testing.network import Devnet, role_address
from truthmark.testing.seeding import Seeded


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Devnet]:
    with open_devnet(tmp_path_factory.mktemp("seeded") / "net", block_time=1) as started:
        yield started


@pytest.fixture(scope="module")
def steps() -> list[tuple[int, int]]:
    return []


@pytest.fixture(scope="module")
def seeded(net: Devnet, steps: list[tuple[int, int]]) -> Seeded:
    return net.seed(lambda done, total: steps.append((done, total)))


@pytest.fixture(scope="module")
def observer(net: Devnet, seeded: Seeded) -> Iterator[Session]:
    # One that begins with an empty index.
    with net.session("watch") as session:
        Catalogue.of(session).sync()
        yield session


def test_seed__progress__ends_at_the_whole(seeded: Seeded, steps: list[tuple[int, int]]) -> None:
    total = steps[-1][1]
    assert steps == [(number, total) for number in range(1, total + 1)]


def test_seed__listings__have_each_state(seeded: Seeded, observer: Session) -> None:
    catalogue = Catalogue.of(observer)
    found = {
        name: catalogue.status(catalogue.version(ref))[0] for name, ref in seeded.listings.items()
    }
    assert found == {
        "kept": VersionStatus.OPEN,
        "direct": VersionStatus.OPEN,
        "late": VersionStatus.OPEN,
        "royalty": VersionStatus.OPEN,
        "paused": VersionStatus.PAUSED,
        "retired": VersionStatus.RETIRED,
        "copied": VersionStatus.REVOKED,
    }
    assert len(catalogue.versions()) == len(found)
    ids = {name: catalogue.version(ref).terms_id for name, ref in seeded.listings.items()}
    assert catalogue.buyable(list(ids.values())) == {ids["kept"], ids["direct"], ids["royalty"]}
    assert catalogue.epochs(ids["kept"])[-1].custody.count == 3
    assert catalogue.epochs(ids["direct"])[-1].custody.count == 1
    royalty = catalogue.version(seeded.listings["royalty"]).terms
    assert royalty.royalty_bps == 1_000
    assert royalty.bounty == seeded.bounties["settled"]


def test_seed__purchases__have_each_state(seeded: Seeded, observer: Session) -> None:
    def bought(name: str) -> Purchase:
        role, ref = seeded.purchases[name]
        terms_id = Catalogue.of(observer).version(ref).terms_id
        (found,) = (
            purchase
            for purchase in Catalogue.of(observer).purchases(terms_id=terms_id)
            if purchase.receipt.buyer == role_address(role)
        )
        return found

    now = observer.chain.time()
    waiting, delivered = bought("waiting"), bought("delivered")
    assert waiting.status is PurchaseStatus.PAID
    assert waiting.deadline > now
    assert delivered.status is PurchaseStatus.DELIVERED
    assert bought("settled").status is PurchaseStatus.SETTLED
    assert bought("refunded").status is PurchaseStatus.REFUNDED
    assert bought("disputed").status is PurchaseStatus.REFUNDED


def test_seed__bounties__have_each_state(seeded: Seeded, observer: Session) -> None:
    client = BountyClient(observer)
    records = {name: client.read(number) for name, number in seeded.bounties.items()}
    assert {name: record.status for name, record in records.items()} == {
        "settled": Status.SETTLED,
        "flat": Status.FLAT,
        "refunded": Status.REFUNDED,
        "scored": Status.SCORED,
        "labeling": Status.LABEL,
        "open": Status.OPEN,
        "team": Status.OPEN,
    }
    assert client.board.functions.bounty_count().call() == len(records)
    now = observer.chain.time()
    for name in ("scored", "labeling", "open", "team"):
        until = phase_of(records[name], client.mark(seeded.bounties[name]), now).until
        assert until is not None, name
        assert until > now + 3_600, name
    assert records["team"].terms.is_team
    assert len(records["labeling"].roster) == 2


def test_seed__requester__has_the_result_and_the_invitations(net: Devnet, seeded: Seeded) -> None:
    with net.session("requester") as requester:
        brought = collect_result(requester, seeded.bounties["settled"])
        assert not brought.finding.problems
        assert brought.tables is not None
        assert brought.tables.items.num_rows == 30
        by_number = {w.ref.bounty_id: w for w in Workspace.all(requester.home) if w.ref}
        guests = by_number[seeded.bounties["team"]].guests
    assert [guest.name for guest in guests] == ["Ada", "Grace", "Katherine"]
    assert {guest.name: guest.code for guest in guests} == seeded.invitations
    assert all(seeded.invitations.values())


def test_seed__earnings__wait_to_be_withdrawn(seeded: Seeded, observer: Session) -> None:
    dollar = observer.profile.token("TUSD").address
    assert sum(Settlement(observer).credits(dollar, role_address("seller")).values()) > 0
    board = BountyClient(observer).board
    assert board.functions.balances(dollar, role_address("labeler")).call() > 0


def test_seed__validators__have_stake_and_offers(
    net: Devnet, seeded: Seeded, observer: Session
) -> None:
    roles = ("custodian1", "custodian2", "custodian3")
    offered = {offer.validator.address for offer in Catalogue.of(observer).offers()}
    assert offered == {role_address(role) for role in roles}
    for role in roles:
        with net.session(role) as session:
            Catalogue.of(session).sync()
            assert len(ValidatorOwner(session).tickets()) == 30


def test_seed__again__adds_nothing(net: Devnet, seeded: Seeded) -> None:
    with net.session("stranger") as session:
        before = [
            session.chain.rpc.call("eth_getTransactionCount", role_address(role), "latest")
            for role in ("seller", "buyer", "requester", "relay", "custodian1")
        ]
        assert net.seed() == seeded
        after = [
            session.chain.rpc.call("eth_getTransactionCount", role_address(role), "latest")
            for role in ("seller", "buyer", "requester", "relay", "custodian1")
        ]
    assert after == before


def test_seed__interrupted_before__says_to_begin_again(tmp_path: Path) -> None:
    (tmp_path / "seeded.json").write_text(json.dumps({}))
    with pytest.raises(ConfigError, match="devnet down --remove"):
        Seeded.read(tmp_path)
    (tmp_path / "seeded.json").unlink()
    assert Seeded.read(tmp_path) is None


def test_seed__network_stopped_and_started_again__is_as_it_was(net: Devnet, seeded: Seeded) -> None:
    # What is saved of a chain is a snapshot: all states stand in it.
    net.stop()
    with Devnet.start(net.folder) as again:
        assert again.seed() == seeded
        relay = again.start_relay()
        assert relay.url == f"http://127.0.0.1:{seeded.relay_port}"
        assert Devnet.open(net.folder).relay == relay
        with again.session("stranger") as session:
            status = BountyClient(session).read(seeded.bounties["scored"]).status
    assert status is Status.SCORED
    assert not relay.is_running()
    assert Devnet.open(net.folder).relay is None
