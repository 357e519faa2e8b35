# SPDX-License-Identifier: Apache-2.0
"""Sales in trouble, on a chain: kills, lost homes, silence, wrong keys."""

import random
import shutil
from dataclasses import replace
from typing import Any

import pytest

import truthmark
from tests.utils.market_buyer import POINTS, SLOW, start_buyer
from tests.utils.market_sales import (
    PLENTY,
    PRICE,
    bought,
    buy,
    buyer,
    deliver,
    delivering,
    harness,
    held,
    sale,
    wealth,
)
from tests.utils.nodes import DELIVERY, INSPECTION, MarketHarness, Sale
from truthmark.codec import read_manifest
from truthmark.codec.limits import MANIFEST_NAME
from truthmark.config.profile import Windows
from truthmark.errors import (
    DeliveryError,
    EndpointsDisagreeError,
    KeysError,
    MarketError,
    NotForSaleError,
    ProofError,
    RevertedError,
)
from truthmark.keys.abi_hash import word
from truthmark.keys.curve import N, multiply, random_scalar
from truthmark.keys.files import write_new
from truthmark.keys.purchase import read_recovery
from truthmark.keys.typed import TypedData
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.custody import DIRECT
from truthmark.market.purchase import Buyer, WrongKeyDispute
from truthmark.market.records import PurchaseStatus, VersionStatus
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement
from truthmark.session import Session, Signer
from truthmark.testing.network import role_key

__all__ = ["buyer", "harness", "sale"]

pytestmark = pytest.mark.chain


BUYERS = ("buyer", "buyer2", "buyer3")


# ------------------------------------------------------------------- paying twice


def test_buy__twice__pays_once(harness: MarketHarness, sale: Sale, buyer: Buyer) -> None:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    first = buyer.buy(quote, max_total=10**9)
    assert buyer.buy(quote, max_total=10**9) == first
    assert len(bought(harness, sale)) == 1


def test_buy__many_processes_at_once__pays_once_and_all_open_it(
    harness: MarketHarness, sale: Sale
) -> None:
    token = harness.token
    before = wealth(harness.session("buyer"), token)
    with delivering(harness, sale):
        processes = [
            start_buyer(harness.net, "buyer", sale.version.ref, PLENTY, SLOW) for _ in range(3)
        ]
        for process in processes:
            process.join(120)
    assert [process.exitcode for process in processes] == [0] * 3
    assert len(bought(harness, sale)) == 1
    assert wealth(harness.session("buyer"), token) == before - PRICE


@pytest.mark.untraced
def test_buy__killed_anywhere__is_paid_once_and_opens_the_same(harness: MarketHarness) -> None:
    """Kill a buyer at every point in turn, then let them finish: once with each."""
    sales = {point: harness.sell([]) for point in POINTS}
    token, session = harness.token, harness.session("buyer2")
    before = wealth(session, token)
    for point, on_sale in sales.items():
        known = len(session.vault.names("purchase-key"))
        with delivering(harness, on_sale):
            process = start_buyer(harness.net, "buyer2", on_sale.version.ref, PLENTY, point)
            process.join(120)
            assert process.exitcode == -9, point
            # Whatever may yet be paid for has its key on the disk.
            kept = len(session.vault.names("purchase-key"))
            assert kept - known == (point not in ("after fetching", "before the key is kept")), (
                point
            )
            with truthmark.load(
                on_sale.version.ref, max_price=PLENTY, blind=True, session=session
            ) as data:
                rows = data.to_pandas()
        assert rows["number"].tolist() == list(range(100)), point
        session.journal.resume()  # else the next would begin with what this one left
        assert len(bought(harness, on_sale)) == 1, point
    assert wealth(session, token) == before - PRICE * len(sales)


def test_buy__killed_at_random_moments__is_paid_once(harness: MarketHarness, sale: Sale) -> None:
    chance = random.Random(20)
    session = harness.session("buyer3")
    before = wealth(session, harness.token)
    with delivering(harness, sale):
        for _ in range(4):
            process = start_buyer(harness.net, "buyer3", sale.version.ref, PLENTY)
            process.join(chance.uniform(0.05, 1.5))
            process.kill()
            process.join()
        with truthmark.load(
            sale.version.ref, max_price=PLENTY, blind=True, session=session
        ) as data:
            assert len(data.to_pandas()) == 100
    assert len(bought(harness, sale)) == 1
    assert wealth(session, harness.token) == before - PRICE


@pytest.mark.parametrize("depth", [1, 3])
def test_buy__reorganisation_takes_it_back__is_bought_once(
    harness: MarketHarness, sale: Sale, buyer: Buyer, depth: int
) -> None:
    rpc = harness.net.chain.rpc
    rpc("anvil_mine", hex(3))
    before = wealth(buyer.session, harness.token)
    purchase = buy(buyer, sale)
    rpc("anvil_mine", hex(depth - 1))
    rpc("anvil_rollback", depth)
    rpc("anvil_mine", hex(depth + 1))
    assert harness.events("market", "Purchased", purchase_id=purchase.purchase_id) == []
    # As users do who repeat their command.
    deliver_later = delivering(harness, sale)
    with deliver_later:
        opened = truthmark.get(
            sale.version.ref, max_price=PLENTY, blind=True, session=buyer.session
        )
    assert opened.purchase.purchase_id == purchase.purchase_id
    assert len(bought(harness, sale)) == 1
    assert wealth(buyer.session, harness.token) == before - PRICE


def test_wait__reorganisation_meanwhile__puts_the_purchase_back(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    purchase = buy(buyer, sale)
    harness.net.chain.rpc("anvil_rollback", 1)
    with delivering(harness, sale):
        done = buyer.wait(purchase, poll=0.01)
    assert (done.purchase_id, done.status) == (purchase.purchase_id, PurchaseStatus.DELIVERED)
    assert len(bought(harness, sale)) == 1


def test_wait__reorganisation_and_nobody_to_send_it_again__says_so(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    purchase = buy(buyer, sale)
    harness.net.chain.rpc("anvil_rollback", 1)
    with (
        other_machine(harness, "buyer", "watching-only") as session,
        pytest.raises(MarketError, match="is not on the chain any more"),
    ):
        Buyer(session).wait(purchase, poll=0.01)


# --------------------------------------------------------------------- lost homes


def other_machine(harness: MarketHarness, role: str, name: str) -> Session:
    """Return a session with a role's account and nothing else of it."""
    home = harness.net.folder / name
    home.mkdir()
    for part in ("accounts", "profiles"):
        shutil.copytree(harness.net.home(role) / part, home / part)
    shutil.copy(harness.net.home(role) / "config.toml", home)
    opened = harness.net.session(role)
    settings = replace(opened.settings, home=home, keystore=home / "accounts")
    return Session(settings, signer=Signer(role_key(role)))


def test_load__home_lost__the_wallet_alone_opens_it_again(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    buy(buyer, sale)
    deliver(harness, sale)
    with other_machine(harness, "buyer", "elsewhere") as session:
        with truthmark.load(sale.version.ref, session=session) as data:
            assert len(data.to_pandas()) == 100
        assert len(session.vault.names("purchase-key")) == 1
    assert len(bought(harness, sale)) == 1


class UnrepeatableSigner(Signer):
    """A wallet that signs differently each time, as those of several parties do."""

    def __init__(self, private_key: bytes) -> None:
        super().__init__(private_key)
        self._secret = int.from_bytes(private_key, "big")

    def sign_typed(self, message: TypedData) -> bytes:
        if message["primaryType"] != "PurchaseKey":
            return super().sign_typed(message)
        from eth_account.messages import _hash_eip191_message, encode_typed_data

        digest = _hash_eip191_message(encode_typed_data(full_message=message))
        nonce = random_scalar()
        point = multiply(nonce)
        s = (int.from_bytes(digest, "big") + point.x * self._secret) * pow(nonce, -1, N) % N
        v = 27 + point.y % 2
        if s > N // 2:
            s, v = N - s, 55 - v
        return word(point.x % N) + word(s) + bytes([v])


def test_buy__wallet_cannot_repeat__needs_its_recovery_file(
    harness: MarketHarness, sale: Sale
) -> None:
    wallet = UnrepeatableSigner(role_key("copycat"))
    said: list[str] = []
    with harness.net.session("copycat") as session:
        session._signer = wallet
        buyer = Buyer(session, said.append)
        buy(buyer, sale)
        deliver(harness, sale)
        (file,) = (session.home / "recovery").iterdir()
        assert str(file) in said[0]
        with truthmark.load(sale.version.ref, session=session) as data:
            assert len(data.to_pandas()) == 100
    with other_machine(harness, "copycat", "no-file") as session:
        session._signer = wallet
        # It must not look as if the seller had cheated.
        with pytest.raises(KeysError, match="restore the recovery file"):
            truthmark.load(sale.version.ref, session=session)
        session.vault.put_purchase_key(read_recovery(file))
        with truthmark.load(sale.version.ref, session=session) as data:
            assert len(data.to_pandas()) == 100


# ------------------------------------------------------------------ nothing comes


def test_wait__nothing_delivered__is_refunded_and_can_be_bought_again(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    session = buyer.session
    before = held(session, harness.token)
    purchase = buy(buyer, sale)
    settlement = Settlement(session)
    # Too early: the contract skips it, and it must not count as done.
    settlement.refund([purchase])
    assert buyer.find_purchase(sale.version) == purchase
    harness.warp_to(purchase.deadline + 1)
    seen: list[tuple[int, int]] = []
    with pytest.raises(DeliveryError, match="0 of 1 parts came in time; take your money back"):
        buyer.wait(purchase, lambda done, total: seen.append((done, total)))
    assert seen == [(0, 1)]
    settlement.refund([purchase])
    settlement.withdraw(harness.token, session.address)
    assert held(session, harness.token) == before
    with pytest.raises(DeliveryError, match="was refunded"):
        buyer.wait(purchase)
    assert buyer.find_purchase(sale.version) is None
    with pytest.raises(MarketError, match="was not bought by this account"):
        truthmark.load(sale.version.ref, session=session)
    # A refund closes the custody; the seller opens another.
    with pytest.raises(NotForSaleError, match="those who kept its key failed or left"):
        buyer.quote(sale.version)
    opened = Seller(harness.session("seller")).open_custody(
        sale.version, offer=DIRECT, validators=[], acceptance_seconds=60
    )
    again = buy(buyer, sale)
    deliver(harness, replace(sale, epoch=opened.epoch))
    assert buyer.wait(again).status is PurchaseStatus.DELIVERED


# ------------------------------------------------------------------- a wrong key


@pytest.fixture
def copied(harness: MarketHarness, sale: Sale) -> Sale:
    """The bytes of a sale under a key of a copycat's own, with a bond."""
    with harness.net.session("copycat") as copycat:
        Catalogue.of(copycat).sync()
        original = Buyer(copycat).fetch(sale.version)
        public_key = copycat.vault.put_seller_secret(random_scalar())
        folder = harness.net.folder / f"copied-{sale.version.listing_id}"
        shutil.copytree(original, folder)
        (folder / MANIFEST_NAME).unlink()
        manifest = replace(read_manifest(original), public_key=public_key)
        write_new(folder / MANIFEST_NAME, manifest.to_bytes())
        listed = Seller(copycat).list_dataset(
            folder,
            price=PRICE,
            token=copycat.profile.token("TUSD"),
            windows=Windows(DELIVERY, INSPECTION, 3_600),
            offer=DIRECT,
            bond=8_000_001,
        )
        version = Catalogue.of(copycat).version(f"0x{listed.terms.terms_id.hex()}")
    return Sale(version, listed.epoch)


def dispute_of(buyer: Buyer, copied: Sale) -> WrongKeyDispute:
    with pytest.raises(WrongKeyDispute, match="does not open shard") as caught:
        truthmark.load(copied.version.ref, session=buyer.session)
    return caught.value


def test_dispute__key_is_wrong__brings_the_money_and_half_the_bond(
    harness: MarketHarness, copied: Sale
) -> None:
    first, second, third = (Buyer(harness.session(role)) for role in BUYERS)
    before = [wealth(b.session, harness.token) for b in (first, second, third)]
    for one in (first, second):
        buy(one, copied)
    deliver(harness, copied, "copycat")
    waiting = buy(third, copied)
    dispute = dispute_of(first, copied)
    assert dispute.reward == 4_000_000
    assert "cek" not in repr(dispute.opened)
    late = dispute_of(second, copied)
    first.dispute(dispute)
    # The others only have to take their money.
    second.dispute(late)
    with pytest.raises(DeliveryError, match="the sale was ended, as its key was proven wrong"):
        third.wait(waiting)
    Settlement(third.session).refund([waiting])
    after = [wealth(b.session, harness.token) for b in (first, second, third)]
    assert [a - b for a, b in zip(after, before, strict=True)] == [4_000_000, 0, 0]
    Catalogue.of(first.session).sync()
    revoked = Catalogue.of(first.session).version(copied.version.ref)
    assert revoked.status is VersionStatus.REVOKED
    with pytest.raises(NotForSaleError, match=r"is revoked: its key .* do not buy it"):
        truthmark.get(copied.version.ref, max_price=PLENTY, blind=True, session=first.session)
    # Again, as after a kill: nothing more is paid.
    first.dispute(dispute)
    assert wealth(first.session, harness.token) == after[0]


def test_receive__endpoint_leaves_a_part_out__blames_the_endpoint(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    purchase = buy(buyer, sale)
    deliver(harness, sale)
    told = replace(harness.purchase(purchase), delivered={})
    with pytest.raises(ProofError, match="tells of 0 parts of the key instead of 1"):
        buyer.receive(sale.version, told, buyer.fetch(sale.version))


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"parts": 1}, EndpointsDisagreeError),
        ({"status": PurchaseStatus.PAID, "parts": 0}, DeliveryError),
    ],
)
def test_receive__market_noted_other_parts__accuses_nobody(
    harness: MarketHarness,
    copied: Sale,
    buyer: Buyer,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, Any],
    kind: type[Exception],
) -> None:
    purchase = buy(buyer, copied)
    deliver(harness, copied, "copycat")
    chain, functions = buyer.session.chain, harness.session("seller").chain.market.functions
    state = functions.purchases(purchase.purchase_id).call()._replace(**changes)
    monkeypatch.setattr(chain, "agreed_call", lambda call, block: state)
    with pytest.raises(kind, match="use another endpoint") as caught:
        truthmark.load(copied.version.ref, session=buyer.session)
    assert not isinstance(caught.value, WrongKeyDispute)
    monkeypatch.undo()
    assert dispute_of(buyer, copied).reward == 4_000_000


def test_dispute__inspection_is_over__is_the_contracts_refusal(
    harness: MarketHarness, copied: Sale, buyer: Buyer
) -> None:
    purchase = buy(buyer, copied)
    deliver(harness, copied, "copycat")
    dispute = dispute_of(buyer, copied)
    harness.warp_to(harness.purchase(purchase).deadline + 1)
    with pytest.raises(RevertedError, match="inspection is over"):
        buyer.dispute(dispute)
