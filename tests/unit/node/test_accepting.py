# SPDX-License-Identifier: Apache-2.0
"""A node between an offered custody and its seller, who opens the sample later."""

import logging
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from tests.utils.offline_market import OfflineMarket
from tests.utils.pools import AtOnce
from tests.utils.previews import Made, PreviewMarket, make
from truthmark.market.records import CustodyStatus
from truthmark.node import custodian as custodian_module
from truthmark.node.custodian import CustodianRole
from truthmark.node.holdings import Holdings
from truthmark.node.policy import _unseen
from truthmark.node.samples import Samples


class Waiting:
    """A node that was asked to keep a version, and has its share and its bytes."""

    def __init__(self, market: PreviewMarket, made: Made, patch: pytest.MonkeyPatch) -> None:
        version = market.list_version(made)
        offer: Any = SimpleNamespace(takes_unsampled=False)

        def refusal(*_: Any, sample: Any, **__: Any) -> str | None:
            return None if sample is None else _unseen(offer, sample)

        patch.setattr(custodian_module, "refusal", refusal)
        self.pool: Any = AtOnce()
        self.sent: list[Any] = []
        role: Any = object.__new__(CustodianRole)
        role.session, role.dry_run, role._refused = market.session, False, {}
        holdings: Any = object.__new__(Holdings)
        holdings._samples = Samples(market.session, self.pool)
        holdings._notifier = SimpleNamespace(resolve=lambda *_: None)
        holdings.manifest = lambda held: made.forged.manifest
        holdings.has_share = holdings.has_bytes = lambda *_, **__: True
        role._holdings = holdings
        role.policy = SimpleNamespace(gas_reserve=0, most_confirmations=lambda *_: 1)
        block = SimpleNamespace(timestamp=5)
        role.view = SimpleNamespace(
            gas=1, is_actor=True, block=block, is_listed_elsewhere=lambda version: False
        )
        role._custodian = SimpleNamespace(plan_accept=lambda *_: "planned")
        role._sender = SimpleNamespace(submit=lambda *it: self.sent.append(it))
        self.role = role
        custody = SimpleNamespace(accept_until=10**10)
        epoch = SimpleNamespace(custody_id=bytes(32), custody=custody)
        self.held: Any = SimpleNamespace(
            name="0x00",
            title="a custody",
            version=version,
            slot=SimpleNamespace(index=1, epoch=epoch),
            state=SimpleNamespace(status=CustodyStatus.OPENED),
        )

    def round(self) -> None:
        """Decide once more."""
        self.role._maybe_accept(self.held, None, Counter())


def test_maybe_accept__seller_opens_the_sample_later__accepts_then(
    offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    market = PreviewMarket(offline)
    made = make({"a.parquet": 200}, is_alike=True)
    node = Waiting(market, made, monkeypatch)
    market.height = 3  # chance speaks in block 5
    with caplog.at_level(logging.INFO):
        node.round()
        market.height = 9
        node.round()
    assert node.sent == []
    assert ["final in 2 blocks" in it.message for it in caplog.records] == [True, False]
    assert "the keys of" in caplog.records[1].message
    market.open_sample(made, node.held.version)
    node.round()
    assert node.sent == [("accept", "planned")]


def test_maybe_accept__sample_is_bad__never_accepts(
    offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = PreviewMarket(offline)
    made = make({"a.parquet": 200}, is_alike=True, bad=range(200))
    node = Waiting(market, made, monkeypatch)
    market.publish(made)
    node.round()
    node.round()
    assert node.sent == []


def test_maybe_accept__two_endpoints_tell_of_other_events__looks_once_more(
    offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = PreviewMarket(offline)
    made = make({"a.parquet": 200}, is_alike=True)
    node = Waiting(market, made, monkeypatch)
    market.open_sample(made, node.held.version)
    follower: Any = market.session.follower

    def read_again() -> None:
        with offline.index.write() as connection:
            connection.execute("UPDATE index_cursor SET generation = generation + 1")

    hidden = [lambda: None, read_again]  # at the look, and at the acceptance
    follower.require_agreed = lambda: hidden.pop(0)() if hidden else None
    node.round()
    assert node.sent == [] and not hidden
    node.round()
    assert node.sent == [("accept", "planned")]


@pytest.mark.parametrize(("accepted", "released"), [(1, 0), (1, 1), (0, 0)])
def test_stop_tracking__endpoint_says_a_custody_is_released__two_have_to(
    offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch, accepted: int, released: int
) -> None:
    market = PreviewMarket(offline)
    node = Waiting(market, make({"a.parquet": 20}), monkeypatch)
    dropped: list[Any] = []
    chain: Any = market.session.chain
    chain.registry.functions = SimpleNamespace(custodies=lambda custody_id: custody_id)
    chain.agreed_call = lambda call, block: SimpleNamespace(accepted=accepted, released=released)
    node.role._seen = {}
    node.role.view = SimpleNamespace(forget=dropped.append, custodies=[])
    node.role._holdings = SimpleNamespace(let_go=dropped.append, drop=lambda custodies: None)
    node.role._stop_tracking(node.held)
    assert dropped == ([] if accepted and not released else [node.held, node.held])
