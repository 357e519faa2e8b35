# SPDX-License-Identifier: Apache-2.0
"""A market with one seller's sale, and buyers for it."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.utils.nodes import (
    MarketHarness,
    Sale,
    open_harness,
)
from tests.utils.waiting import wait_for
from truthmark.market import purchase as purchase_module
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, CustodySlot
from truthmark.market.entries import Purchase
from truthmark.market.purchase import Buyer
from truthmark.market.records import PurchaseStatus
from truthmark.market.settlement import Settlement
from truthmark.session import Session

PRICE = 25_000_000
PLENTY = "100 TUSD"


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketHarness]:
    with open_harness(tmp_path_factory.mktemp("market") / "net", []) as opened:
        yield opened


@pytest.fixture
def sale(harness: MarketHarness) -> Sale:
    """A fresh data set, whose seller keeps the key."""
    return harness.sell([])


@pytest.fixture
def buyer(harness: MarketHarness) -> Buyer:
    return Buyer(harness.session("buyer"))


def deliver(harness: MarketHarness, sale: Sale, role: str = "seller") -> None:
    """Let the seller deliver what was bought."""
    session = harness.session(role)
    Catalogue.of(session).sync()
    waiting = [
        p
        for p in Catalogue.of(session).purchases(terms_id=sale.version.terms_id)
        if p.status is PurchaseStatus.PAID
    ]
    Custodian(session).deliver(sale.version, CustodySlot(sale.epoch, 1), waiting)


def buy(buyer: Buyer, sale: Sale, **options: Any) -> Purchase:
    Catalogue.of(buyer.session).sync()
    quote = buyer.quote(sale.version, voucher=options.get("voucher", purchase_module.NO_VOUCHER))
    return buyer.buy(quote, max_total=10**9, **options)


def held(session: Session, token: str) -> int:
    return int(session.token(token).functions.balanceOf(session.address).call())


def wealth(session: Session, token: str) -> int:
    """Return what an account has, in hand and in the ledgers."""
    return held(session, token) + sum(Settlement(session).credits(token, session.address).values())


def sent_by(session: Session, at: str = "latest") -> int:
    return int(str(session.chain.rpc.call("eth_getTransactionCount", session.address, at)), 16)


def bought(harness: MarketHarness, sale: Sale) -> list[Any]:
    return harness.events("market", "Purchased", terms_id=sale.version.terms_id)


@contextlib.contextmanager
def delivering(harness: MarketHarness, sale: Sale) -> Iterator[None]:
    """Let a seller deliver in the background, from a session of their own."""
    stop = threading.Event()

    def work() -> None:
        with harness.net.session("seller") as session:
            while not stop.wait(0.05):
                Catalogue.of(session).sync()
                waiting = [
                    p
                    for p in Catalogue.of(session).purchases(terms_id=sale.version.terms_id)
                    if p.status is PurchaseStatus.PAID
                ]
                if waiting:
                    Custodian(session).deliver(sale.version, CustodySlot(sale.epoch, 1), waiting)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(60)


class Killed(BaseException):
    """Stands for a kill: nothing of ours catches it."""


def dies_once_mined(session: Session) -> Callable[..., None]:
    """Return what stands for a kill after all sent by an account was mined, unseen by it."""

    def die(*_: object, **__: object) -> None:
        wait_for(lambda: sent_by(session, "latest") == sent_by(session, "pending"), "mining")
        raise Killed

    return die
