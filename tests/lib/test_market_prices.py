# SPDX-License-Identifier: Apache-2.0
"""What is paid, on a chain: prices, vouchers, gates, allowances."""

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

import truthmark
from tests.utils.market_sales import (
    PLENTY,
    PRICE,
    Killed,
    bought,
    buy,
    buyer,
    delivering,
    dies_once_mined,
    harness,
    held,
    sale,
    sent_by,
)
from tests.utils.nodes import (
    PERIOD,
    MarketHarness,
    Sale,
)
from truthmark.cli import buy as cli_buy
from truthmark.cli.main import cli
from truthmark.errors import (
    MarketError,
    NotForSaleError,
    PriceError,
    RevertedError,
)
from truthmark.keys.typed import admission
from truthmark.market import purchase as purchase_module
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, CustodySlot
from truthmark.market.drafts.custody import DIRECT, CustodyRequest
from truthmark.market.entries import Purchase
from truthmark.market.flows import purchasing
from truthmark.market.permits import sign_permit
from truthmark.market.purchase import Buyer, new_nonce
from truthmark.market.records import PurchaseStatus
from truthmark.market.seller import Seller
from truthmark.market.validator import ValidatorOwner
from truthmark.session import Session, Signer
from truthmark.testing.network import role_key

__all__ = ["buyer", "harness", "sale"]

pytestmark = pytest.mark.chain


# ------------------------------------------------------------------------- prices


def test_buy__repriced_after_the_quote__is_refused_and_nothing_paid(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    Seller(harness.session("seller")).reprice(sale.version, PRICE + 1)
    before = sent_by(buyer.session)
    with pytest.raises(PriceError, match=r"costs 25\.000001 TUSD now instead of 25 TUSD"):
        buyer.buy(quote, max_total=10**9)
    assert sent_by(buyer.session) == before
    assert buyer.quote(sale.version).price == PRICE + 1


def test_buy__repriced_just_before_the_transaction__is_the_contracts_refusal(
    harness: MarketHarness, sale: Sale, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    original = buyer._pay

    def overtaken(*args: Any) -> Purchase:
        Seller(harness.session("seller")).reprice(sale.version, 1)
        return original(*args)

    monkeypatch.setattr(buyer, "_pay", overtaken)
    with pytest.raises(RevertedError, match="market: other price"):
        buyer.buy(quote, max_total=10**9)
    assert bought(harness, sale) == []


def test_buy__paused_or_retired__is_not_for_sale(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    seller = Seller(harness.session("seller"))
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    seller.set_paused(sale.version, True)
    with pytest.raises(NotForSaleError, match="is paused"):
        buyer.buy(quote, max_total=10**9)
    seller.set_paused(sale.version, False)
    assert buyer.quote(sale.version).price == PRICE
    seller.retire(sale.version)
    with pytest.raises(NotForSaleError, match="is retired"):
        buyer.quote(sale.version)


def test_buy__more_than_allowed__pays_nothing(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    before = sent_by(buyer.session)
    with pytest.raises(PriceError, match=r"costs 25 TUSD, more than 24\.999999 TUSD"):
        truthmark.get(
            sale.version.ref, max_price="24.999999 TUSD", blind=True, session=buyer.session
        )
    with pytest.raises(PriceError, match="write the amount in TUSD"):
        truthmark.get(sale.version.ref, max_price="25 TEUR", blind=True, session=buyer.session)
    assert sent_by(buyer.session) == before
    assert bought(harness, sale) == []


def test_load__not_bought_and_no_price_said__is_refused(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    with pytest.raises(MarketError, match="say how much it may cost with max_price"):
        truthmark.load(sale.version.ref, session=buyer.session)
    assert bought(harness, sale) == []


def test_load__price_said__buys(harness: MarketHarness, sale: Sale, buyer: Buyer) -> None:
    with (
        delivering(harness, sale),
        truthmark.load(
            sale.version.ref, max_price=PLENTY, blind=True, session=buyer.session
        ) as data,
    ):
        assert len(data.to_pandas()) == 100
    assert len(bought(harness, sale)) == 1


def test_get__not_agreed__pays_nothing(harness: MarketHarness, sale: Sale, buyer: Buyer) -> None:
    asked = []
    with pytest.raises(MarketError, match="nothing was bought"):
        purchasing.get(
            buyer.session,
            sale.version,
            blind=True,
            agree=lambda quote: asked.append(quote),  # type: ignore[func-returns-value]
        )
    assert [quote.total for quote in asked] == [PRICE]
    assert bought(harness, sale) == []


def test_quote__several_custodies__is_of_the_cheapest(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    seller = Seller(harness.session("seller"))
    expensive = replace(DIRECT, fee=7)
    seller.open_custody(sale.version, offer=expensive, validators=[], acceptance_seconds=60)
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    assert (quote.epoch.custody.epoch, quote.total) == (0, PRICE)
    assert len(Catalogue.of(buyer.session).epochs(sale.version.terms_id)) == 2


@pytest.mark.parametrize(
    ("changes", "custodians"),
    [
        ({}, "the seller alone, who must be there to deliver"),
        ({"lock": 1, "count": 3, "threshold": 2}, "2 of 3 custodians"),
    ],
)
def test_agree__who_keeps_the_key__is_in_the_question(
    sale: Sale,
    buyer: Buyer,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, int],
    custodians: str,
) -> None:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version)
    custody = replace(quote.epoch.custody, **changes)
    quote = replace(quote, epoch=replace(quote.epoch, custody=custody))
    asked: list[str] = []
    monkeypatch.setattr(cli_buy, "ask", lambda question, yes: asked.append(question))
    cli_buy._agree(buyer.session, quote, yes=False)
    assert asked == [f"the key is kept by {custodians}; pay 25 TUSD?"]


def test_buy_command__json__says_who_keeps_the_key(harness: MarketHarness, sale: Sale) -> None:
    order = ["buy", sale.version.ref, "--json", "--yes", "--blind", "--max-price", PLENTY]
    home = {"TRUTHMARK_HOME": str(harness.net.home("buyer"))}
    done = CliRunner(mix_stderr=False, env=home).invoke(cli, order, catch_exceptions=False)
    custodians = json.loads(done.stdout)["custodians"]
    assert custodians == "the seller alone, who must be there to deliver"


def test_open_custody__killed_and_repeated__is_dealt_once(
    harness: MarketHarness, sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    seller = Seller(harness.session("seller"))

    def renew() -> Any:
        return seller.open_custody(sale.version, offer=DIRECT, validators=[], acceptance_seconds=60)

    journal = seller.session.journal
    with monkeypatch.context() as patch:
        # Sent and mined, and killed before that was noticed.
        patch.setattr(journal, "wait", dies_once_mined(seller.session))
        with pytest.raises(Killed):
            renew()
    again = renew()
    Catalogue.of(seller.session).sync()
    epochs = Catalogue.of(seller.session).epochs(sale.version.terms_id)
    assert [epoch.custody.epoch for epoch in epochs] == [0, 1]
    assert again.epoch == epochs[1]
    assert renew().epoch.custody.epoch == 2


def test_open_custody__repeated_while_custodians_accept__is_dealt_and_paid_once(
    harness: MarketHarness, sale: Sale
) -> None:
    validator, seller = (
        ValidatorOwner(harness.session("treasury")),
        Seller(harness.session("seller")),
    )
    validator.register()
    validator.stake(20)
    Catalogue.of(seller.session).sync()
    validators = [
        v for v in Catalogue.of(seller.session).validators() if v.address == validator.validator
    ]
    offer = CustodyRequest(
        threshold=1,
        fee=0,
        keeping_fee=10**6,
        lock=10**20,
        penalty=1,
        period_seconds=PERIOD,
        max_periods=2,
    )

    def renew(offer: CustodyRequest) -> Any:
        return seller.open_custody(
            sale.version, offer=offer, validators=validators, acceptance_seconds=600
        )

    before = held(seller.session, harness.token)
    dealt = renew(offer)
    assert held(seller.session, harness.token) == before - 10**6
    again = renew(offer)
    assert (again.epoch, again.receipts) == (dealt.epoch, ())
    # Nor when all have accepted meanwhile.
    slot = CustodySlot(dealt.epoch, 1)
    validator.session.send_repeatable(
        *Custodian(validator.session).plan_accept(sale.version, slot)[::2]
    )
    assert seller.is_live(dealt.epoch)
    assert renew(offer).epoch == dealt.epoch
    assert held(seller.session, harness.token) == before - 10**6
    # What is not the same is dealt, and so is the same later.
    other = renew(replace(offer, fee=1))
    assert other.epoch.custody.epoch == dealt.epoch.custody.epoch + 1
    harness.warp_to(other.epoch.custody.accept_until + 1)
    assert renew(replace(offer, fee=1)).epoch.custody.epoch == dealt.epoch.custody.epoch + 2
    assert held(seller.session, harness.token) == before - 3 * 10**6


# ------------------------------------------------------------- vouchers and gates


def voucher_for(harness: MarketHarness, sale: Sale, account: str, price: int, expiry: int) -> Any:
    return Seller(harness.session("seller")).write_voucher(
        sale.version, account, price, expiry, new_nonce()
    )


def test_buy__voucher__costs_what_it_says_once(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    account, expiry = buyer.session.address, harness.now() + 3_600
    gift = voucher_for(harness, sale, account, 0, expiry)
    before = held(buyer.session, harness.token)
    with delivering(harness, sale):
        opened = truthmark.get(
            sale.version.ref, max_price="0 TUSD", blind=True, voucher=gift, session=buyer.session
        )
    assert opened.purchase.receipt.price == 0
    assert held(buyer.session, harness.token) == before


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"account": "stranger"}, "not signed"),
        ({"price": PRICE + 1}, "voucher above price"),
        ({"expiry": -1}, "voucher expired"),
    ],
)
def test_buy__voucher_that_does_not_count__is_refused(
    harness: MarketHarness, sale: Sale, buyer: Buyer, change: dict[str, Any], text: str
) -> None:
    account = harness.address(change.get("account", "buyer"))
    expiry = harness.now() + change.get("expiry", 3_600)
    note = voucher_for(harness, sale, account, change.get("price", 1), expiry)
    with pytest.raises(RevertedError, match=text):
        buy(buyer, sale, voucher=note)
    assert bought(harness, sale) == []


def test_buy__gate__admits_only_with_its_signature(harness: MarketHarness, buyer: Buyer) -> None:
    gate = Signer(role_key("treasury"))
    sale = harness.sell([], gate=gate.address)

    def leave(account: str) -> tuple[int, bytes]:
        expiry = harness.now() + 3_600
        message = admission(
            chain_id=buyer.session.profile.chain_id,
            market=buyer.session.chain.market.address,
            terms_id=sale.version.terms_id,
            account=account,
            expiry=expiry,
        )
        return expiry, gate.sign_typed(message)

    with pytest.raises(RevertedError, match="market: "):
        buy(buyer, sale)
    with pytest.raises(RevertedError, match="market: "):
        buy(buyer, sale, admission=leave(harness.address("stranger")))
    assert bought(harness, sale) == []
    purchase = buy(buyer, sale, admission=leave(buyer.session.address))
    assert purchase.status is PurchaseStatus.PAID


# --------------------------------------------------------------------- allowances


def revoke(session: Session, token: str) -> None:
    market = session.chain.market.address
    session.send_repeatable(session.token(token).functions.approve(market, 0), "revoke")


def test_buy__token_with_permits__takes_one_transaction(
    harness: MarketHarness, sale: Sale, buyer: Buyer
) -> None:
    revoke(buyer.session, harness.token)
    before = sent_by(buyer.session)
    buy(buyer, sale)
    assert sent_by(buyer.session) == before + 1


def test_buy__token_without_permits__is_allowed_first(
    harness: MarketHarness, sale: Sale, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(buyer.session, harness.token)
    monkeypatch.setattr(purchase_module, "sign_permit", lambda *_: None)
    before = sent_by(buyer.session)
    buy(buyer, sale)
    assert sent_by(buyer.session) == before + 2


def test_buy__allowance_is_there__signs_no_permit(
    harness: MarketHarness, sale: Sale, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer.session.allow(harness.token, buyer.session.chain.market.address, PRICE)
    monkeypatch.setattr(purchase_module, "sign_permit", lambda *_: pytest.fail("it was asked for"))
    assert buy(buyer, sale).status is PurchaseStatus.PAID


def test_buy__permit_used_up_by_another__goes_by_the_allowance(
    harness: MarketHarness, sale: Sale, buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(buyer.session, harness.token)
    stranger = harness.session("stranger")

    def overtaken(session: Session, token: Any, spender: str, amount: int) -> Any:
        signed = sign_permit(session, token, spender, amount)
        assert signed is not None
        deadline, v, r, s = signed
        call = stranger.token(harness.token).functions.permit(
            session.address, spender, amount, deadline, v, r, s
        )
        stranger.send_repeatable(call, "use somebody's permit up")
        return signed

    monkeypatch.setattr(purchase_module, "sign_permit", overtaken)
    assert buy(buyer, sale).status is PurchaseStatus.PAID
