# SPDX-License-Identifier: Apache-2.0
"""One endpoint lies, and nothing is paid for twice."""

import contextlib
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import truthmark
from tests.utils.nodes import MarketHarness, Sale, open_harness
from tests.utils.rpc_server import Proxy, serve
from truthmark.chain import agreement
from truthmark.errors import (
    BoughtBeforeError,
    ChainMismatchError,
    ConfigError,
    EndpointsDisagreeError,
    RevertedError,
)
from truthmark.index import follower as follower_module
from truthmark.market import purchase as purchase_module
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.custody import CustodyRequest
from truthmark.market.entries import Purchase
from truthmark.market.purchase import Buyer
from truthmark.market.records import CustodyStatus, PurchaseStatus
from truthmark.market.seller import Seller
from truthmark.session import Session

pytestmark = pytest.mark.chain


@pytest.fixture(autouse=True)
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the index believe the lies, as it would if the contracts' figures were bent as well."""
    monkeypatch.setattr(follower_module, "find_gap", lambda *_: None)


class LyingEndpoint(Proxy):
    """Tells the truth until a test says otherwise."""

    def __init__(self, upstream: str) -> None:
        super().__init__(upstream)
        self.changes: list[Callable[[dict[str, Any], dict[str, Any]], None]] = []

    def late(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        for change in self.changes:
            change(request, answer)


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketHarness]:
    with open_harness(tmp_path_factory.mktemp("lies") / "net", ["custodian1"]) as opened:
        yield opened


@pytest.fixture(scope="module")
def sale(harness: MarketHarness) -> Sale:
    """What the seller delivers; bought by other accounts and homes in each test."""
    return harness.sell([])


@pytest.fixture
def lying_endpoint(harness: MarketHarness) -> Iterator[LyingEndpoint]:
    proxy = LyingEndpoint(harness.net.profile.rpc[0])
    with serve(proxy) as server:
        proxy.url = server.url  # type: ignore[attr-defined]
        yield proxy


@pytest.fixture
def home(harness: MarketHarness, tmp_path: Path) -> Callable[[], Path]:
    """Make homes of the buyer, each as on a machine of its own."""
    made: list[Path] = []

    def make() -> Path:
        folder = tmp_path / f"home-{len(made)}"
        made.append(folder)
        for part in ("accounts", "profiles"):
            shutil.copytree(harness.net.home("buyer") / part, folder / part)
        shutil.copy(harness.net.home("buyer") / "config.toml", folder)
        return folder

    return make


def session_of(home: Path, *rpc: str) -> Session:
    return truthmark.connect(home, rpc=rpc or None)


def pay(session: Session, sale: Sale, **options: Any) -> Purchase:
    Catalogue.of(session).sync()
    buyer = Buyer(session)
    return buyer.buy(buyer.quote(sale.version), max_total=10**9, **options)


def count(harness: MarketHarness, sale: Sale) -> int:
    return len(harness.events("market", "Purchased", terms_id=sale.version.terms_id))


def invent_refund(session: Session, purchase: Purchase) -> Callable[[Any, Any], None]:
    """Put a log of a refund behind the one of the purchase."""
    market = session.chain.market
    topics = {event.name: "0x" + topic.hex() for topic, event in market.artifact.events.items()}
    bought = "0x" + purchase.purchase_id.hex()

    def change(request: dict[str, Any], answer: dict[str, Any]) -> None:
        if request["method"] != "eth_getLogs" or not isinstance(answer.get("result"), list):
            return
        for log in list(answer["result"]):
            if log["topics"][:2] == [topics["Purchased"], bought]:
                answer["result"].append(
                    {
                        **log,
                        "topics": [topics["Refunded"], bought, log["topics"][3]],
                        "data": "0x" + f"{25 * 10**6:064x}",
                        "logIndex": hex(int(log["logIndex"], 16) + 1),
                    }
                )

    return change


def hide(request: dict[str, Any], answer: dict[str, Any]) -> None:
    """Leave all logs of purchases out, and announce none."""
    if request["method"] == "eth_getLogs" and isinstance(answer.get("result"), list):
        answer["result"] = [log for log in answer["result"] if len(log["topics"]) != 4]
    block = answer.get("result")
    if isinstance(block, dict) and "logsBloom" in block and "transactionHash" not in block:
        block["logsBloom"] = "0x" + "00" * 256


def invent_status(status: int) -> Callable[[Any, Any], None]:
    """Tell another status of all purchases."""

    def change(request: dict[str, Any], answer: dict[str, Any]) -> None:
        result = answer.get("result")
        if (
            request["method"] == "eth_call"
            and isinstance(result, str)
            and len(result) == 2 + 5 * 64
        ):
            answer["result"] = "0x" + f"{status:064x}" + result[66:]

    return change


def test_buy__refund_invented__is_not_paid_again_without_a_word(
    harness: MarketHarness, lying_endpoint: Any, home: Any
) -> None:
    sale, honest = harness.sell([]), harness.net.profile.rpc[0]
    here = home()
    with session_of(here, lying_endpoint.url, honest) as session:
        first = pay(session, sale)
        lying_endpoint.changes.append(invent_refund(session, first))
        shutil.rmtree(here / "index")
    with session_of(here, lying_endpoint.url, honest) as session:
        Catalogue.of(session).sync()
        assert Buyer(session).find_purchase(sale.version) is None  # the lie is in the index
        with pytest.raises(BoughtBeforeError, match="money did not come back"):
            pay(session, sale)
        lying_endpoint.changes.append(invent_status(PurchaseStatus.REFUNDED))
        with pytest.raises(EndpointsDisagreeError):
            pay(session, sale)
        assert count(harness, sale) == 1
        second = pay(session, sale, again=True)
        assert second.purchase_id != first.purchase_id
    assert count(harness, sale) == 2


def test_buy__refund_invented_at_the_only_endpoint__needs_again(
    harness: MarketHarness, lying_endpoint: Any, home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, here = harness.sell([]), home()
    monkeypatch.setattr(agreement, "DEVNET_CHAIN_ID", 0)  # as if this were no local chain
    with session_of(here, lying_endpoint.url) as session:
        first = pay(session, sale)  # a first payment needs one endpoint only
        lying_endpoint.changes.append(invent_refund(session, first))
        shutil.rmtree(here / "index")
    with (
        session_of(here, lying_endpoint.url) as session,
        pytest.raises(BoughtBeforeError, match=r"only one chain endpoint.*add another.*--again"),
    ):
        pay(session, sale)
    assert count(harness, sale) == 1


def test_buy__purchase_hidden__is_known_from_the_journal_or_another_endpoint(
    harness: MarketHarness, lying_endpoint: Any, home: Any
) -> None:
    sale, honest = harness.sell([]), harness.net.profile.rpc[0]
    here, elsewhere = home(), home()
    with session_of(here, honest) as session:
        pay(session, sale)
    shutil.rmtree(here / "index")
    lying_endpoint.changes.append(hide)
    for folder in (here, elsewhere):
        with session_of(folder, lying_endpoint.url, honest) as session:
            Catalogue.of(session).sync()
            assert Buyer(session).find_purchase(sale.version) is None
            with pytest.raises(BoughtBeforeError, match="money did not come back"):
                pay(session, sale)
    assert count(harness, sale) == 1


def test_buy__another_machine_bought_it__goes_on_with_that_purchase(
    harness: MarketHarness, home: Any
) -> None:
    sale = harness.sell([])
    with session_of(home()) as one, session_of(home()) as two:
        assert pay(one, sale) == pay(two, sale)
    assert count(harness, sale) == 1


def test_buy__another_machine_pays_at_the_same_time__only_one_is_mined(
    harness: MarketHarness, home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sale, rpc = harness.sell([]), harness.session("seller").chain.rpc
    original = Buyer._pay
    with session_of(home()) as one, session_of(home()) as two:

        def overtaken(self: Buyer, *args: Any) -> Purchase:
            if self.session is one:
                pay(two, sale)
            return original(self, *args)

        monkeypatch.setattr(purchase_module.Buyer, "_pay", overtaken)
        with pytest.raises(truthmark.errors.ChainError, match=r"another transaction of .* before"):
            pay(one, sale)
        assert pay(one, sale).purchase_id == pay(two, sale).purchase_id
    assert rpc.call("eth_blockNumber") and count(harness, sale) == 1


def test_connect__other_first_block_at_either_endpoint__is_refused_and_nothing_forgotten(
    harness: MarketHarness, sale: Sale, lying_endpoint: Any, home: Any
) -> None:
    honest, here = harness.net.profile.rpc[0], home()

    def other_start(request: dict[str, Any], answer: dict[str, Any]) -> None:
        if request["method"] == "eth_getBlockByNumber" and request["params"][0] == "0x0":
            answer["result"]["hash"] = "0x" + "ab" * 32

    with session_of(here, honest) as session:
        pay(session, sale)
    before = {path: path.read_bytes() for path in (here / "journal").rglob("*.sqlite")}
    lying_endpoint.changes.append(other_start)
    with pytest.raises(ChainMismatchError, match="has another block 0"):
        session_of(here, lying_endpoint.url, honest)
    with (
        session_of(here, honest, lying_endpoint.url) as session,
        pytest.raises(ChainMismatchError, match="has another block 0"),
    ):
        pay(session, harness.sell([]))
    assert {path: path.read_bytes() for path in (here / "journal").rglob("*.sqlite")} == before


OFFER = CustodyRequest(
    threshold=1,
    fee=10**5,
    keeping_fee=10**6,
    lock=10**20,
    penalty=10**19,
    period_seconds=86_400,
    max_periods=3,
)


def test_open_custody__epoch_said_to_have_lapsed__keeping_fees_are_not_paid_again(
    harness: MarketHarness, lying_endpoint: Any
) -> None:
    seller = harness.session("seller")
    validators = Catalogue.of(seller).validators()
    sale = harness.sell([])
    dealt = Seller(seller).open_custody(
        sale.version, offer=OFFER, validators=validators, acceptance_seconds=3_600
    )
    with harness.net.session(
        "seller", rpc=(lying_endpoint.url, *harness.net.profile.rpc)
    ) as session:

        def lapsed(request: dict[str, Any], answer: dict[str, Any]) -> None:
            result = answer.get("result")
            opened = f"0x{CustodyStatus.OPENED:064x}"
            if isinstance(result, str) and len(result) == 2 + 11 * 64 and result[:66] == opened:
                answer["result"] = f"0x{CustodyStatus.LAPSED:064x}" + result[66:]

        lying_endpoint.changes.append(lapsed)
        with pytest.raises(EndpointsDisagreeError):
            Seller(session).open_custody(
                sale.version, offer=OFFER, validators=validators, acceptance_seconds=3_600
            )
        lying_endpoint.changes.clear()
        again = Seller(session).open_custody(
            sale.version, offer=OFFER, validators=validators, acceptance_seconds=3_600
        )
    assert again.epoch.custody_id == dealt.epoch.custody_id


def test_open_custody__endpoint_makes_up_keys_of_validators__nothing_is_sealed_to_them(
    harness: MarketHarness, lying_endpoint: Any
) -> None:
    sale = harness.sell([])
    rpc = (lying_endpoint.url, *harness.net.profile.rpc)
    with harness.net.session("seller", rpc=rpc) as session:
        (true,) = Catalogue.of(session).validators()
        made_up = replace(true, encryption_key=bytes(31) + b"\x09")

        def lie(request: dict[str, Any], answer: dict[str, Any]) -> None:
            if request["method"] == "eth_call" and isinstance(answer.get("result"), str):
                answer["result"] = answer["result"].replace(
                    true.encryption_key.hex(), made_up.encryption_key.hex()
                )

        def deal() -> None:
            Seller(session).open_custody(
                sale.version, offer=OFFER, validators=[made_up], acceptance_seconds=3_600
            )

        with pytest.raises(EndpointsDisagreeError, match="another encryption key"):
            deal()
        lying_endpoint.changes.append(lie)
        with pytest.raises(EndpointsDisagreeError):
            deal()


def test_top_up__refusal_invented__is_not_paid_again_on_one_endpoints_word(
    harness: MarketHarness, sale: Sale, lying_endpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = harness.net.session("seller", rpc=(lying_endpoint.url,))
    seller = Seller(session)
    Catalogue.of(session).sync()
    keeping_balance = seller.keeping_balance(sale.version)

    def refused(request: dict[str, Any], answer: dict[str, Any]) -> None:
        if request["method"] == "eth_getTransactionReceipt" and answer.get("result"):
            answer["result"]["status"] = "0x0"

    session.allow(harness.token, session.chain.registry.address, 10**9)
    lying_endpoint.changes.append(refused)
    with pytest.raises(RevertedError):
        seller.top_up(sale.version, 10**6)
    session.close()
    monkeypatch.setattr(agreement, "DEVNET_CHAIN_ID", 0)
    with (
        harness.net.session("seller", rpc=(lying_endpoint.url,)) as alone,
        pytest.raises(ConfigError, match=r"only one chain endpoint says so.*add another"),
    ):
        Catalogue.of(alone).sync()
        Seller(alone).top_up(sale.version, 10**6)
    with (
        harness.net.session("seller", rpc=(lying_endpoint.url, *harness.net.profile.rpc)) as both,
        pytest.raises(EndpointsDisagreeError),
    ):
        Catalogue.of(both).sync()
        Seller(both).top_up(sale.version, 10**6)
    assert seller.keeping_balance(sale.version) == keeping_balance + 10**6


class AnyLie:
    """Changes some answers to whatever a chooser comes upon."""

    def __init__(self, seed: int, chance: float) -> None:
        self.chooser = random.Random(seed)
        self.chance = chance

    def __call__(self, request: dict[str, Any], answer: dict[str, Any]) -> None:
        result = answer.get("result")
        if result is None or self.chooser.random() > self.chance:
            return
        # What it has passed on, and what would have it refused at once.
        if request["method"] in ("eth_sendRawTransaction", "eth_getCode", "eth_chainId"):
            return
        if request["params"][:1] == ["0x0"]:
            return
        answer["result"] = self.lie(result)
        if self.chooser.random() < 0.1:
            del answer["result"]
            answer["error"] = {"code": 3, "message": "execution reverted"}

    def lie(self, result: Any) -> Any:
        choose = self.chooser.choice
        if isinstance(result, list):  # events
            kept = [log for log in result if choose((True, False))]
            return kept + [
                {**log, "logIndex": hex(500 + n)} for n, log in enumerate(kept) if choose((0, 0, 1))
            ]
        if isinstance(result, dict):  # a block, a receipt, a transaction
            name = choose(sorted(result))
            return choose((None, {**result, name: self.lie(result[name])}))
        if isinstance(result, str) and len(result) >= 66:  # words
            at = 2 + 64 * self.chooser.randrange(len(result) // 64)
            word = choose(("0" * 64, "f" * 64, f"{choose((1, 2, 3, 4)):064x}"))
            return result[:at] + word[: len(result) - at] + result[at + 64 :]
        if isinstance(result, str):  # a number
            number = int(result, 16) if len(result) > 2 else 0
            return hex(choose((0, 1, max(number - 3, 0), number + 1, number + 1000, 10**9, 2**63)))
        return choose((None, result))


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(n, marks=pytest.mark.assure) for n in range(2, 12))]
)
def test_buy__one_of_three_endpoints_lies_in_any_of_its_answers__is_paid_once_at_most(
    harness: MarketHarness, lying_endpoint: Any, home: Any, seed: int
) -> None:
    sale, here = harness.sell([]), home()
    honest = harness.net.profile.rpc[0]
    lie = AnyLie(seed, 0.1)
    bought: set[bytes] = set()
    with serve(Proxy(honest)) as other:
        rpc = [lying_endpoint.url, honest, other.url]
        lying_endpoint.changes.append(lie)
        for _ in range(3):
            with contextlib.suppress(truthmark.errors.TruthmarkError), session_of(here, *rpc) as s:
                bought.add(pay(s, sale).purchase_id)
            lie.chooser.shuffle(rpc)
        lying_endpoint.changes.clear()
        with session_of(here, *rpc) as session:
            purchase = pay(session, sale)
    assert bought <= {purchase.purchase_id}
    assert count(harness, sale) == 1
    (event,) = harness.events("market", "Purchased", terms_id=sale.version.terms_id)
    assert event.args["price"] == sale.version.price
