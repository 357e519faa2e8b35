# SPDX-License-Identifier: Apache-2.0
"""A devnet with custodians whose rounds a test drives by hand, so that nothing hangs on a clock."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

import truthmark
from tests.utils.devnets import open_devnet
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import CustodySlot, custody_slots
from truthmark.market.entries import Epoch, EpochState, Purchase, Version
from truthmark.market.purchase import Buyer
from truthmark.market.records import CustodyStatus, VersionStatus
from truthmark.market.seller import Seller
from truthmark.market.validator import ValidatorOwner
from truthmark.node.custodian import CustodianRole
from truthmark.node.policy import Policy
from truthmark.node.status import Metrics, Notifier
from truthmark.session import Session, Signer
from truthmark.testing.network import Devnet

FEE = 10**5
LOCK = 100 * 10**18
PENALTY = 10 * 10**18
DELIVERY = 3_600
INSPECTION = 7_200
PERIOD = 86_400
STEPS_SECONDS = 30.0
_numbers = itertools.count(1)


@dataclass
class RecordingNotifier(Notifier):
    """A notifier that remembers what it told the operator."""

    notices: list[tuple[str, str]] = field(default_factory=list)

    def notify(self, kind: str, text: str, about: str | None = None) -> None:
        if not self.is_open(kind, text if about is None else about):
            self.notices.append((kind, text))
        super().notify(kind, text, about)

    def kinds(self, sale: "Sale | None" = None) -> list[str]:
        """Return what was told, in order; only what is about a sale if one is given."""
        about = f" of {sale.version.ref}" if sale else ""
        return [
            kind
            for kind, text in self.notices
            if f"{text} ".replace(";", " ").replace(":", " ").count(f"{about} ")
        ]


class ManualNode:
    """A custodian's node without its loop: each `round` is called by the test."""

    def __init__(
        self,
        net: Devnet,
        name: str,
        *,
        validator: str | None = None,
        policy: Policy | None = None,
        dry_run: bool = False,
        signer: Signer | None = None,
        **settings: Any,
    ) -> None:
        home = net.home(name)
        settings.setdefault("storage", (f"local:{home}/store", f"local:{net.folder}/store"))
        self.name = name
        self.session = net.session(name, **settings)
        if signer is not None:
            self.session._signer = signer
        self.notifier = RecordingNotifier()
        self.metrics = Metrics()
        self.validator = validator or self.session.address
        self.role = CustodianRole(
            self.session,
            self.validator,
            policy or Policy(),
            metrics=self.metrics,
            notifier=self.notifier,
            dry_run=dry_run,
        )

    def round(self) -> None:
        self.role.tick()

    def acted(self, kind: str) -> float:
        """Return how many transactions of a kind it sent."""
        value = self.metrics.registry.get_sample_value("truthmark_actions_total", {"kind": kind})
        return value or 0.0

    def close(self) -> None:
        self.role.close()
        self.session.close()

    def __enter__(self) -> "ManualNode":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass
class Sale:
    """A listed dataset."""

    version: Version
    epoch: Epoch
    seller: str = "seller"


class MarketHarness:
    """The network, and what people do on it."""

    def __init__(self, net: Devnet) -> None:
        self.net = net
        self.sessions: dict[str, Session] = {}
        self.sales: list[Sale] = []
        self.token = net.profile.token("TUSD").address

    def session(self, role: str) -> Session:
        if role not in self.sessions:
            self.sessions[role] = self.net.session(role)
        return self.sessions[role]

    def address(self, role: str) -> str:
        return self.session(role).address

    def register(self, role: str, tickets: int = 20, **offer: Any) -> None:
        """Make a role a validator with stake and an offer."""
        owner = ValidatorOwner(self.session(role))
        owner.register()
        owner.stake(tickets)
        self.publish_offer(role, **offer)

    def publish_offer(self, role: str, fee: int = FEE, keeping_fee: int = 0, **more: Any) -> None:
        terms = {
            "max_bytes": 10**8,
            "max_period_seconds": 10 * PERIOD,
            "min_delivery_seconds": 60,
            "min_inspection_seconds": 60,
            "max_lock": 10**20,
            "takes_unsampled": True,
        }
        ValidatorOwner(self.session(role)).publish_offer(
            {self.token: (fee, keeping_fee)}, **(terms | more)
        )

    def sell(
        self, nodes: Sequence[str | ManualNode], *, role: str = "seller", **options: Any
    ) -> Sale:
        """Pack something new and list it with these custodians; none: direct mode."""
        number = next(_numbers)
        seller = self.session(role)
        folder = self.net.folder / f"packed-{number}"
        frame = pd.DataFrame({"number": range(100), "name": [f"row {number}"] * 100})
        # Too small to sample, and most tests are not about that.
        about = {"licence": "CC-BY-4.0", "title": f"set {number}", "preview": False}
        truthmark.pack(frame, folder, session=seller, **about)
        addresses = [k.validator if isinstance(k, ManualNode) else k for k in nodes]
        given: dict[str, Any] = {
            "price": "25 TUSD",
            "custodians": addresses or 0,
            "threshold": 2,
            "fee": "0.1 TUSD",
            "lock": "100 TMK",
            "windows": "small",
            "period": "1d",
            "max_periods": 3,
        }
        version = truthmark.list_dataset(folder, session=seller, **(given | options))
        sale = Sale(version, Catalogue.of(seller).epochs(version.terms_id)[0], role)
        self.sales.append(sale)
        return sale

    def retire_all(self) -> None:
        """End everything that is for sale, so that the next test's nodes are left alone by it."""
        for sale in self.sales:
            seller = self.session(sale.seller)
            if Catalogue.of(seller).status(sale.version)[0] is VersionStatus.OPEN:
                Seller(seller).retire(sale.version)
        self.sales.clear()

    def buy(self, sale: Sale, role: str = "buyer") -> Purchase:
        """Pay, without waiting for the key."""
        buyer = Buyer(self.session(role))
        Catalogue.of(buyer.session).sync()
        return buyer.buy(buyer.quote(sale.version), max_total=10**9)

    def purchase(self, bought: Purchase) -> Purchase:
        """Look at a purchase as it is now."""
        catalogue = Catalogue.of(self.session("seller"))
        catalogue.sync()
        return catalogue.purchases(purchase_id=bought.purchase_id)[0]

    def state(self, sale: Sale) -> EpochState:
        return Catalogue.of(self.session("seller")).states([sale.epoch])[0]

    def is_live(self, sale: Sale) -> bool:
        return self.state(sale).status is CustodyStatus.LIVE

    def slot(self, sale: Sale, node: ManualNode) -> CustodySlot:
        return custody_slots([sale.epoch], node.validator)[0]

    def locked(self, validator: str) -> int:
        staking = self.session("seller").chain.staking.functions
        return int(staking.validator(validator).call().locked)

    def credits(self, account: str) -> int:
        market = self.session("seller").chain.market.functions
        return int(market.balances(self.token, account).call())

    def now(self) -> int:
        return self.session("seller").chain.time()

    def warp_to(self, moment: int) -> None:
        """Let chain time become at least `moment`."""
        left = moment - self.now()
        if left > 0:
            self.net.warp(left)

    def events(self, role: str, event: str, **equal: Any) -> list[Any]:
        catalogue = Catalogue.of(self.session("seller"))
        catalogue.sync()
        return catalogue.follower.index.events(role, event, **equal)

    def close(self) -> None:
        for session in self.sessions.values():
            session.close()


def run_rounds(until: Callable[[], object], *nodes: ManualNode) -> None:
    """Let nodes take rounds in turn until something is so.

    What is waited for beside the rounds (a storage, a thread) takes real time, but none of it is
    measured; only what never happens ends here.
    """
    deadline, pause = time.monotonic() + STEPS_SECONDS, 0.01
    while not until():
        for node in nodes:
            node.round()
        if time.monotonic() > deadline:
            notices = {node.name: node.notifier.notices for node in nodes}
            raise AssertionError(f"it did not happen; the nodes said {notices}")
        time.sleep(pause)
        pause = min(1.2 * pause, 0.1)


def repeat_rounds(count: int, *nodes: ManualNode) -> None:
    """Let nodes take some rounds, to see that something does not happen."""
    for _ in range(count):
        for node in nodes:
            node.round()
        time.sleep(0.02)


@contextlib.contextmanager
def open_harness(folder: Path, validators: Sequence[str]) -> Iterator[MarketHarness]:
    """Start a network on which time passes only when somebody acts or warps."""
    with open_devnet(folder) as net:
        harness = MarketHarness(net)
        for role in validators:
            harness.register(role)
        try:
            yield harness
        finally:
            harness.close()
