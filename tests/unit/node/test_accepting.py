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
from truthmark.market.custodian import accept_key
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
        role._sender = SimpleNamespace(submit=lambda *it: self.sent.append(it), pending=set())
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


class Ending:
    """A custody that is over by one endpoint's word, and what two tell of its final state."""

    def __init__(self, offline: OfflineMarket, patch: pytest.MonkeyPatch) -> None:
        market = PreviewMarket(offline)
        self.node = Waiting(market, make({"a.parquet": 20}), patch)
        self.dropped: list[Any] = []
        self.state: dict[str, Any] = {"accepted": 0, "released": 0, "status": CustodyStatus.OPENED}
        self.time = 10**10
        chain: Any = market.session.chain
        chain.registry.functions = SimpleNamespace(custodies=lambda custody_id: custody_id)
        chain.final_block = lambda: SimpleNamespace(number=9, timestamp=self.time)
        chain.agreed_call = lambda call, block: SimpleNamespace(**self.state)
        role, drop = self.node.role, self.dropped.append
        role._seen = {}
        role.view.forget, role.view.custodies = drop, []
        role._holdings = SimpleNamespace(let_go=drop, drop=lambda custodies: None)

    @property
    def is_dropped(self) -> bool:
        """Whether a round after this drops it."""
        self.dropped.clear()
        self.node.round()
        return self.dropped == [self.node.held, self.node.held]


@pytest.mark.parametrize(("accepted", "released"), [(1, 0), (1, 1), (0, 0)])
def test_stop_tracking__endpoint_says_a_custody_is_released__two_have_to(
    offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch, accepted: int, released: int
) -> None:
    ending = Ending(offline, monkeypatch)
    ending.state |= {"accepted": accepted, "released": released, "status": CustodyStatus.CLOSED}
    ending.node.role._stop_tracking(ending.node.held)
    assert bool(ending.dropped) == (not accepted or bool(released))


def test_stop_tracking__endpoint_hides_what_we_have_just_accepted__is_kept(
    offline: OfflineMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = Ending(offline, monkeypatch)
    node = ending.node
    node.held.state.status = CustodyStatus.LAPSED  # by its word
    assert not ending.is_dropped
    ending.state["status"] = CustodyStatus.LAPSED
    assert ending.is_dropped
    ending.state["status"] = CustodyStatus.OPENED
    ending.time += 1  # nobody can accept any more
    assert ending.is_dropped
    key = accept_key(node.held.slot)
    for pending in (key, f"{key}#2"):
        node.role._sender.pending = {pending}
        assert not ending.is_dropped
    node.role._sender.pending = {f"{key}0"}  # another slot's
    assert ending.is_dropped
