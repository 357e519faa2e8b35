# SPDX-License-Identifier: Apache-2.0
"""Attacks by vouchers, admissions and tokens.

Each names the rule that defends against it; numbers in names are stable: the threat model
refers to them.
"""

from dataclasses import replace
from typing import Any

import boa
import pytest

from tests.utils.contracts import at, reverts
from tests.utils.drafts import KEEPING_FEE, PRICE, WINDOWS, Listing, word_of
from tests.utils.market import INITIAL_BALANCE, MarketContracts, contracts, deployed_contracts
from tests.utils.market_attacks import BAD, COST, late, status
from tests.utils.permits import sign_admission, sign_voucher
from tests.utils.tokens import Mode
from truthmark.keys.curve import N
from truthmark.market.records import PurchaseStatus, VersionStatus

__all__ = ["contracts", "deployed_contracts"]


# ---------------------------------------------------- vouchers and admissions


def test_47__voucher_shown_wrongly__buys_nothing(contracts: MarketContracts) -> None:
    """A voucher hashes version, account, price, expiry, nonce; it is marked used by its digest."""
    listing = contracts.create_listing()
    other = contracts.create_listing(manifest=word_of("other"))
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now + 10)

    def refused(reason: str, sold: Listing, shown: Any, buyer: str | None = None) -> None:
        with reverts(contracts.market, reason):
            contracts.buy(sold, buyer, voucher=shown, price=shown[0])

    refused("market: voucher not signed", listing, voucher, contracts.other_buyer)
    refused("market: voucher not signed", other, voucher)
    refused("market: voucher not signed", listing, (4, *voucher[1:]))
    refused("market: voucher not signed", listing, (5, voucher[1] + 1, *voucher[2:]))
    refused("market: voucher not signed", listing, (*voucher[:2], word_of("nonce"), voucher[3]))
    for place in (
        replace(contracts.place, chain_id=contracts.place.chain_id + 1),
        replace(contracts.place, market=contracts.place.registry),
    ):
        elsewhere = sign_voucher(listing, contracts.buyer, 5, contracts.now + 10, place=place)
        refused("market: voucher not signed", listing, elsewhere)
    raised = sign_voucher(listing, contracts.buyer, PRICE + 1, contracts.now)
    refused("market: voucher above price", listing, raised)
    contracts.buy(listing, voucher=voucher, price=5)
    refused("market: voucher used", listing, voucher)
    raw = voucher[3]
    mirrored = (N - int.from_bytes(raw[32:64], "big")).to_bytes(32, "big")
    again = (*voucher[:3], raw[:32] + mirrored + bytes([55 - raw[64]]))
    refused("market: voucher used", listing, again)


def test_47__voucher_of_a_refunded_purchase__stays_used(contracts: MarketContracts) -> None:
    """`used_vouchers` is never cleared."""
    listing = contracts.create_listing()
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now + 10**6)
    purchase = contracts.buy(listing, voucher=voucher, price=5)
    late(contracts, purchase)
    contracts.refund(purchase)
    further = contracts.accept_all(contracts.open_custody(contracts.next_custody(listing)))
    with reverts(contracts.market, "market: voucher used"):
        contracts.buy(further, voucher=voucher, price=5)


def test_47__admission_shown_wrongly__admits_no_buyer(contracts: MarketContracts) -> None:
    """An admission is a type of its own, over version, account and expiry."""
    listing = contracts.create_listing(gate=contracts.gate)
    other = contracts.create_listing(gate=contracts.gate, manifest=word_of("other"))
    admission = sign_admission(listing, contracts.buyer, contracts.now + 10)

    def refused(sold: Listing, shown: Any, buyer: str | None = None) -> None:
        with reverts(contracts.market, "market: not admitted"):
            contracts.buy(sold, buyer, admission=shown)

    refused(other, admission)
    refused(listing, admission, contracts.other_buyer)
    refused(listing, (admission[0] + 1, admission[1]))
    refused(listing, sign_admission(listing, contracts.buyer, contracts.now, signer="seller"))
    # A voucher of the gate, or a voucher shown as an admission, is another type.
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now + 10, signer="gate")
    refused(listing, (voucher[1], voucher[3]))
    contracts.buy(listing, admission=admission)
    contracts.buy(listing, admission=admission)


@pytest.mark.parametrize("role", ["gate", "seller"])
def test_48__signer_with_delegated_code__still_signs_by_its_key(
    contracts: MarketContracts, role: str
) -> None:
    """ECDSA comes before ERC-1271 (EIP-7702 gives accounts code)."""
    listing = contracts.create_listing(gate=contracts.gate)
    account = getattr(contracts, role)
    boa.env.set_code(account, bytes.fromhex("ef0100") + bytes(19) + b"\x07")
    voucher = sign_voucher(listing, contracts.buyer, 5, contracts.now)
    admission = sign_admission(listing, contracts.buyer, contracts.now)
    contracts.buy(listing, voucher=voucher, admission=admission, price=5)


def test_48__identity_precompile_as_gate__admits_no_buyer(contracts: MarketContracts) -> None:
    """An address without code is not asked: the precompile would echo the magic word."""
    listing = contracts.create_listing(gate="0x" + "00" * 19 + "04")
    with reverts(contracts.market, "market: not admitted"):
        contracts.buy(listing, admission=(contracts.now, b""))


GATE = """
# pragma version 0.4.3
# pragma evm-version prague
target: address
data: Bytes[4096]
@external
def set_call(target: address, data: Bytes[4096]):
    self.target = target
    self.data = data
@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[1024]) -> bytes4:
    success: bool = raw_call(
        self.target, self.data, is_static_call=True, revert_on_failure=False
    )
    if success:
        return 0x00000000
    return 0x1626ba7e
"""


def test_49__gate_that_calls_back__finds_every_door_shut(contracts: MarketContracts) -> None:
    """ERC-1271 is a static call, and the market is locked during `buy` (`nonreentrancy on`)."""
    gate = boa.loads(GATE)
    listing = contracts.create_listing(gate=str(gate.address))
    inner = contracts.draft_purchase(listing, str(gate.address))
    for data in (
        contracts.market.buy.prepare_calldata(*inner.arguments()),
        contracts.market.withdraw.prepare_calldata(contracts.token.address, contracts.buyer, 0),
        contracts.market.purchases.prepare_calldata(inner.id),
    ):
        gate.set_call(contracts.market, data)
        contracts.buy(
            listing, admission=(contracts.now, b"")
        )  # admitted: the gate's own call failed


# ------------------------------------------------------------------- tokens


def test_50__permit_used_up_by_a_front_runner__buys_all_the_same(
    contracts: MarketContracts,
) -> None:
    """`_use_permit` ignores a failure; the allowance is what counts, and it is there."""
    listing = contracts.create_listing()
    contracts.token.approve(contracts.market, 0, sender=contracts.buyer)
    permit = contracts.sign_permit(COST, contracts.now)
    contracts.token.permit(
        contracts.buyer, contracts.market, COST, *permit, sender=contracts.stranger
    )
    contracts.buy(listing, permit=permit)


@pytest.mark.parametrize("mode", [Mode.PERMIT_REVERTS, Mode.PERMIT_IDLE])
def test_50__permit_that_does_nothing__buys_nothing_without_allowance(
    contracts: MarketContracts, mode: Mode
) -> None:
    """A permit only prepares: `_pull` decides, by what has arrived."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address))
    token.set_mode(mode)
    token.approve(contracts.market, 0, sender=contracts.buyer)
    with pytest.raises(boa.BoaError):
        contracts.buy(listing, permit=(contracts.now, 27, bytes(32), bytes(32)))
    token.approve(contracts.market, INITIAL_BALANCE, sender=contracts.buyer)
    contracts.buy(listing, permit=(contracts.now, 27, bytes(32), bytes(32)))


@pytest.mark.parametrize(
    "mode", [Mode.FEE_FROM_RECEIVER, Mode.TRUE_BUT_STAYS, Mode.SENDS_MORE, Mode.HUGE_BALANCE]
)
def test_51__fee_taking_or_lying_token__never_enters_the_ledger(
    contracts: MarketContracts, mode: Mode
) -> None:
    """`_pull` compares the balance before and after with the amount, at list, open, top up, buy."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address))
    further = contracts.next_custody(listing)
    token.set_mode(mode)
    with reverts(contracts.registry, "ledger: short transfer"):
        contracts.list_version(
            contracts.draft_listing(token=str(token.address), manifest=word_of("another"))
        )
    with reverts(contracts.registry, "ledger: short transfer"):
        contracts.open_custody(further)
    with reverts(contracts.registry, "ledger: short transfer"):
        contracts.top_up(listing, 1_000)
    with reverts(contracts.market, "ledger: short transfer"):
        contracts.buy(listing)


def test_52__dead_sale_token__blocks_nothing_but_its_own_withdrawal(
    contracts: MarketContracts,
) -> None:
    """Only `_pull` and `withdraw` call a token; everything else is an entry in the ledger."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address), content=BAD)
    contracts.top_up(listing, 100 * KEEPING_FEE)
    silent, confirmed, settled, disputed = (contracts.buy(listing) for _ in range(4))
    token.set_mode(Mode.PAUSED)
    contracts.deliver([confirmed, settled, disputed], 1)
    contracts.deliver([confirmed, settled, disputed], 2)
    contracts.confirm(confirmed)
    with at(contracts.purchase(settled)[2] + 1):
        contracts.settle(settled)
        contracts.refund(silent)
        contracts.retire(listing)
        boa.env.timestamp = listing.custody.end + WINDOWS
        contracts.release(listing)
        contracts.close_version(listing)
        assert contracts.version(listing)["status"] == VersionStatus.CLOSED
    with at(listing.custody.end - 1):
        contracts.extend(listing, 1, 2, 3)
    contracts.dispute(disputed)
    contracts.refund(disputed, silent)
    contracts.release(listing)
    contracts.close_version(listing)
    with reverts(contracts.market, "hostile: paused"):
        contracts.market.withdraw(token, contracts.buyer, 0)
    token.set_mode(Mode(0))
    assert contracts.market.withdraw(token, contracts.buyer, 0) == 2 * COST


def test_53__token_that_calls_back__finds_every_door_of_its_caller_shut(
    contracts: MarketContracts,
) -> None:
    """Each contract is locked while it calls a token; the other one has done its effects before."""
    token = contracts.hostile_token()
    listing = contracts.create_listing(token=str(token.address))
    old = contracts.buy(listing)
    late(contracts, old)
    outer = contracts.draft_purchase(listing)
    token.set_mode(Mode.HOOK_BEFORE)
    market = [
        contracts.market.refund.prepare_calldata(
            listing.terms.astuple(), listing.custody.astuple(), [old.receipt.astuple()]
        ),
        contracts.market.withdraw.prepare_calldata(token.address, contracts.buyer, 0),
        contracts.market.purchases.prepare_calldata(old.id),
    ]
    for data in market:
        with boa.env.anchor():
            token.set_hook(contracts.market, data, 1)
            contracts.send(outer)
            assert token.hook_count() == 0
            assert not token.hook_success()
    # The registry is open meanwhile, and finds everything consistent.
    with boa.env.anchor():
        token.set_hook(
            contracts.registry, contracts.registry.release.prepare_calldata(*listing.keeping), 1
        )
        contracts.send(outer)
        assert token.hook_success()
        assert status(contracts, outer) == PurchaseStatus.PAID
    # Inside `list_version` the new version exists already, but has no live custody: no sale.
    newer = contracts.draft_listing(token=str(token.address), manifest=word_of("newer"))
    inner = contracts.draft_purchase(newer, str(token.address))
    token.set_hook(contracts.market, contracts.market.buy.prepare_calldata(*inner.arguments()), 1)
    contracts.list_version(newer)
    assert not token.hook_success()


def test_54__withdrawing_for_others__only_pays_them(contracts: MarketContracts) -> None:
    """`withdraw` pays the account it names and returns 0, without failing, when overtaken."""
    listing = contracts.create_listing()
    purchase = contracts.bought_and_delivered(listing)
    contracts.confirm(purchase)
    before = contracts.token.balanceOf(contracts.payee)
    entry = contracts.entry(contracts.market, contracts.payee)
    assert (
        contracts.market.withdraw(contracts.token, contracts.payee, 0, sender=contracts.stranger)
        == entry
    )
    assert (
        contracts.market.withdraw(contracts.token, contracts.payee, 0, sender=contracts.payee) == 0
    )
    assert contracts.token.balanceOf(contracts.payee) == before + entry
