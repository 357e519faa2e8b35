# SPDX-License-Identifier: Apache-2.0
"""Custodians' nodes under outages, lies, reorganisations and kills."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx
import pytest

from tests.utils.fault_proxy import Fault, FaultProxy
from tests.utils.lying_endpoint import blank, lagging, lying_endpoint
from tests.utils.node_process import start_node
from tests.utils.node_sales import clean_up, is_delivered
from tests.utils.nodes import (
    DELIVERY,
    FEE,
    INSPECTION,
    PERIOD,
    ManualNode,
    MarketHarness,
    Sale,
    open_harness,
    repeat_rounds,
    run_rounds,
)
from tests.utils.rpc_server import serve
from tests.utils.waiting import wait_for
from truthmark.chain import rpc
from truthmark.errors import ChainError
from truthmark.index import follower as follower_module
from truthmark.keys.curve import multiply
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Purchase
from truthmark.market.records import PurchaseStatus
from truthmark.node.daemon import Node
from truthmark.node.policy import Policy
from truthmark.node.settings import NodeSettings
from truthmark.session import Session
from truthmark.testing.network import role_key

__all__ = ["clean_up"]

pytestmark = pytest.mark.chain


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MarketHarness]:
    with open_harness(
        tmp_path_factory.mktemp("faults") / "net", ["custodian1", "custodian2"]
    ) as opened:
        yield opened


@pytest.fixture
def sale(harness: MarketHarness) -> Sale:
    """A custody that custodian1 alone keeps."""
    with ManualNode(harness.net, "custodian1") as node:
        made = harness.sell([node], threshold=1)
        run_rounds(lambda: harness.is_live(made), node)
    return made


def sent(session: Session) -> int:
    """Return how many transactions an account has on the chain."""
    reply = session.chain.rpc.call("eth_getTransactionCount", session.address, "latest")
    return int(reply, 16)


# ------------------------------------------------------------ reorganisations


def test_node__young_purchase__posts_nothing_before_confirmations(
    harness: MarketHarness, sale: Sale
) -> None:
    with ManualNode(harness.net, "custodian1", confirmations=3) as node:
        harness.net.chain.rpc("anvil_mine", "0x3")
        repeat_rounds(1, node)
        bought = harness.buy(sale)
        before = sent(node.session)
        repeat_rounds(3, node)
        harness.net.chain.rpc("anvil_mine", "0x1")
        repeat_rounds(3, node)
        assert sent(node.session) == before
        # The chain takes the purchase back, and nothing was given away.
        harness.net.chain.rpc("anvil_reorg", 2, [])
        repeat_rounds(3, node)
        assert sent(node.session) == before
        assert node.role.view._held[sale.epoch.custody_id].purchases == {}
        # The buyer's journal sends it again; it is the same purchase, and has its turn.
        harness.session("buyer").journal.resume()
        harness.net.chain.rpc("anvil_mine", "0x2")
        run_rounds(lambda: is_delivered(harness, bought), node)


def test_node__expensive_purchase__waits_for_more_confirmations(
    harness: MarketHarness, sale: Sale
) -> None:
    policy = Policy(confirmations=((harness.token, 20 * 10**6, 5),))
    with ManualNode(harness.net, "custodian1", policy=policy) as node:
        bought = harness.buy(sale)
        before = sent(node.session)
        harness.net.chain.rpc("anvil_mine", "0x3")
        repeat_rounds(3, node)
        assert sent(node.session) == before
        harness.net.chain.rpc("anvil_mine", "0x1")
        run_rounds(lambda: is_delivered(harness, bought), node)


def test_node__purchase_and_delivery_taken_back__are_delivered_once_more(
    harness: MarketHarness, sale: Sale
) -> None:
    with ManualNode(harness.net, "custodian1") as node:
        bought = harness.buy(sale)
        run_rounds(lambda: is_delivered(harness, bought), node)
        run_rounds(lambda: node.session.journal.pending() == [], node)
        harness.net.chain.rpc("anvil_reorg", 2, [])
        # The delivery comes back before its purchase, so it has no effect at first.
        repeat_rounds(3, node)
        harness.session("buyer").journal.resume()
        run_rounds(lambda: is_delivered(harness, bought), node)
    assert len(harness.events("market", "Delivered", purchase_id=bought.purchase_id)) == 1


# -------------------------------------------------------------- lying endpoints


@pytest.fixture(autouse=True)
def believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the index believe the lies, as it would if the contracts' figures were bent as well."""
    monkeypatch.setattr(follower_module, "find_gap", lambda *_: None)


def test_node__endpoints_disagree_about_a_purchase__posts_nothing(
    harness: MarketHarness, sale: Sale
) -> None:
    is_lying = True
    call = harness.session("seller").chain.market.functions.purchases(bytes(32))
    selector = call.data[:4].hex().encode()

    def lie(question: bytes, answer: bytes) -> bytes:
        if not is_lying or selector not in question:
            return answer
        said = json.loads(answer)
        for entry in said if isinstance(said, list) else [said]:
            entry["result"] = "0x" + "00" * ((len(entry["result"]) - 2) // 2)
        return json.dumps(said).encode()

    with (
        lying_endpoint(harness, lie) as url,
        ManualNode(harness.net, "custodian1", rpc=(harness.net.chain.url, url)) as node,
    ):
        bought = harness.buy(sale)
        before = sent(node.session)
        repeat_rounds(5, node)
        assert sent(node.session) == before
        name = {"kind": "disagreement"}
        assert node.metrics.registry.get_sample_value("truthmark_problems_total", name)
        is_lying = False
        run_rounds(lambda: is_delivered(harness, bought), node)


def test_node__many_purchases__are_asked_about_at_once(harness: MarketHarness, sale: Sale) -> None:
    """Else free purchases of a crook's listing would make all other deliveries late."""
    call = harness.session("seller").chain.market.functions.purchases(bytes(32))
    selector = call.data[:4].hex().encode()
    asked: list[bytes] = []

    def listen(question: bytes, answer: bytes) -> bytes:
        if selector in question:
            asked.append(question)
        return answer

    with (
        lying_endpoint(harness, listen) as first,
        lying_endpoint(harness, listen) as second,
        ManualNode(harness.net, "custodian1", rpc=(first, second)) as node,
    ):
        repeat_rounds(1, node)
        bought = [harness.buy(sale, role) for role in ("buyer", "stranger", "copycat")]
        node.round()
        assert [question.count(selector) for question in asked] == [3, 3]
        run_rounds(lambda: all(is_delivered(harness, b) for b in bought), node)
        assert node.acted("deliver") == 1


def test_node__one_of_three_endpoints_lies_about_purchases__the_others_are_believed(
    harness: MarketHarness, sale: Sale
) -> None:
    call = harness.session("seller").chain.market.functions.purchases(bytes(32))
    with (
        lying_endpoint(harness, blank(call)) as url,
        lying_endpoint(harness, lambda question, answer: answer) as honest,
        ManualNode(harness.net, "custodian1", rpc=(harness.net.chain.url, url, honest)) as node,
    ):
        bought = harness.buy(sale)
        run_rounds(lambda: is_delivered(harness, bought), node)


# ------------------------------------------------------------- endpoints behind


def test_node__endpoint_behind__is_an_outage_and_no_obligation_is_forgotten(
    harness: MarketHarness,
) -> None:
    before = harness.net.status().block or 0
    with (
        lagging(harness, before) as (url, is_behind),
        ManualNode(harness.net, "custodian1", rpc=(url,)) as node,
    ):
        sale = harness.sell([node], threshold=1)
        run_rounds(lambda: harness.is_live(sale), node)
        repeat_rounds(2, node)
        is_behind.set()
        for _ in range(3):
            with pytest.raises(ChainError, match="not found"):
                node.round()
        is_behind.clear()
        bought = harness.buy(sale)
        run_rounds(lambda: is_delivered(harness, bought), node)
        assert node.notifier.kinds(sale) == ["accepted"]


def test_node__endpoint_lost_the_index_tip__is_an_outage_that_says_what_to_do(
    harness: MarketHarness, sale: Sale
) -> None:
    is_behind = threading.Event()

    def lie(question: bytes, answer: bytes) -> bytes:
        if not is_behind.is_set() or b"eth_getBlockByHash" not in question:
            return answer
        return json.dumps(json.loads(answer) | {"result": None}).encode()

    with (
        lying_endpoint(harness, lie) as url,
        ManualNode(harness.net, "custodian1", rpc=(url,)) as node,
    ):
        repeat_rounds(1, node)
        is_behind.set()
        with pytest.raises(ChainError, match="use another endpoint"):
            node.round()
        is_behind.clear()
        node.round()
        assert sale.epoch.custody_id in node.role.view._held


def test_node__endpoint_denies_a_custody__keeps_it_and_says_so_once(
    harness: MarketHarness, sale: Sale
) -> None:
    """Also an endpoint that does not care which block it is asked about."""
    call = harness.session("seller").chain.registry.functions.custodies(bytes(32))
    deny, is_lying = blank(call), threading.Event()

    def lie(question: bytes, answer: bytes) -> bytes:
        return deny(question, answer) if is_lying.is_set() else answer

    with (
        lying_endpoint(harness, lie) as url,
        ManualNode(harness.net, "custodian1", rpc=(url,)) as node,
    ):
        is_lying.set()  # from its start on, as for a node that had no time to see better
        repeat_rounds(3, node)
        assert node.notifier.kinds(sale) == ["problem"]
        is_lying.clear()
        repeat_rounds(1, node)
        is_lying.set()
        repeat_rounds(2, node)
        assert node.notifier.kinds(sale) == ["problem", "problem"]
        is_lying.clear()
        bought = harness.buy(sale)
        run_rounds(lambda: is_delivered(harness, bought), node)
        assert set(node.notifier.kinds(sale)) == {
            "problem"
        }  # neither "leaving" nor "accepted" again
        assert [name for name in node.role._holdings._bytes._jobs if "drop" in str(name)] == []


def test_node__endpoint_denies_the_acceptance__keeps_the_obligation(
    harness: MarketHarness, sale: Sale
) -> None:
    """It tells of the custody as it was before: opened, accepted by nobody, and now it is late."""
    functions = harness.session("seller").chain.registry.functions
    harness.warp_to(sale.epoch.custody.accept_until + 1)
    selector = functions.custodies(bytes(32)).data[:4].hex().encode()
    is_lying = threading.Event()
    word = "0x" + "01".rjust(64, "0")

    def lie(question: bytes, answer: bytes) -> bytes:
        if not is_lying.is_set() or selector not in question:
            return answer
        asked, said = json.loads(question), json.loads(answer)
        for one, entry in zip(asked, said, strict=True):
            if one["params"][0]["data"][2:10].encode() == selector:
                entry["result"] = word + "00" * ((len(entry["result"]) - len(word)) // 2)
        return json.dumps(said).encode()

    with (
        lying_endpoint(harness, lie) as url,
        ManualNode(harness.net, "custodian1", rpc=(url,)) as node,
    ):
        is_lying.set()
        repeat_rounds(2, node)
        is_lying.clear()
        bought = harness.buy(sale)
        run_rounds(lambda: is_delivered(harness, bought), node)
        assert node.notifier.kinds(sale) == ["problem"]


def test_node__endpoint_forges_the_buyers_point__multiplies_nothing_by_it(
    harness: MarketHarness, sale: Sale
) -> None:
    """Else an endpoint would get a part of the key for nothing, even from an estimate of gas."""
    bought = harness.buy(sale)
    true, forged = (f"{p.x:064x}{p.y:064x}".encode() for p in (bought.receipt.base, multiply(77)))
    asked: list[bytes] = []

    def lie(question: bytes, answer: bytes) -> bytes:
        asked.append(question)
        return answer.replace(true, forged)

    index = harness.net.home("custodian1") / "index-of-lies.sqlite"
    with (
        lying_endpoint(harness, lie) as url,
        ManualNode(harness.net, "custodian1", rpc=(url,), index_url=f"sqlite:///{index}") as node,
    ):
        repeat_rounds(5, node)
        assert node.role.view._held[sale.epoch.custody_id].purchases == {}
        rows = Catalogue.of(node.session).follower.index.events(
            "market", "Purchased", purchase_id=bought.purchase_id
        )
        assert tuple(rows[0].args["base"]) == tuple(multiply(77))  # the lie was told
    assert b"eth_sendRawTransaction" not in b"".join(asked)
    assert b"eth_estimateGas" not in b"".join(asked)
    with ManualNode(harness.net, "custodian1") as node:
        run_rounds(lambda: is_delivered(harness, bought), node)


# --------------------------------------------------------------------- outages


@contextlib.contextmanager
def running(session: Session, **settings: Any) -> Iterator[tuple[Node, str]]:
    """A node with its loop, in a thread, and the address of its status."""
    ready = threading.Event()
    served: dict[str, str] = {}

    def on_ready(urls: Mapping[str, str]) -> None:
        served.update(urls)
        ready.set()

    node = Node(session, NodeSettings(status_port=0, poll=0.05, **settings), on_ready=on_ready)
    thread = threading.Thread(target=node.run)
    thread.start()
    try:
        assert ready.wait(30)
        yield node, served["status"]
    finally:
        node.stop()
        thread.join()


def is_ready(url: str) -> bool:
    return httpx.get(f"{url}/health", trust_env=False).status_code == 200


def get_metrics(url: str) -> bytes:
    return httpx.get(f"{url}/metrics", trust_env=False).content


def outages(node: Node) -> float:
    kind = {"kind": "outage"}
    return node.metrics.registry.get_sample_value("truthmark_problems_total", kind) or 0.0


QUICK = (Fault.REFUSE, Fault.HTTP_502)
OTHERS = tuple(
    fault
    for fault in Fault
    if fault not in QUICK and fault not in (Fault.DRIP_HEAD, Fault.DRIP_BODY, Fault.FLIP_BIT)
)


@pytest.mark.parametrize(
    "fault",
    [*QUICK, *(pytest.param(fault, marks=pytest.mark.assure) for fault in OTHERS)],
    ids=lambda fault: fault.name,
)
def test_node__chain_outage__is_unready_says_so_once_and_recovers(
    harness: MarketHarness,
    sale: Sale,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A busy endpoint is waited for; here it never gets better while it is looked at.
    monkeypatch.setattr(rpc, "PATIENCE_SECONDS", 2.0)
    port = int(harness.net.chain.url.rsplit(":", 1)[1])
    with FaultProxy(port) as proxy:
        session = harness.net.session("custodian1", rpc=(proxy.url,), rpc_timeout=1)
        with session, running(session) as (node, url):
            wait_for(lambda: is_ready(url), "the first round")
            proxy.fault = fault
            bought = harness.buy(sale)
            wait_for(lambda: not is_ready(url), "going unready", 120)
            assert httpx.get(f"{url}/health", trust_env=False).json()["problem"]
            wait_for(lambda: outages(node) >= 2, "a second failure", 120)
            assert b'truthmark_problems_total{kind="outage"}' in get_metrics(url)
            proxy.fault = None
            wait_for(lambda: is_ready(url), "recovery")
            wait_for(lambda: is_delivered(harness, bought), "delivery")
    said = [r.getMessage() for r in caplog.records if r.name == "truthmark.node.status"]
    assert sum(line.startswith("outage: ") for line in said) == 1
    assert sum(line.startswith("back: ") for line in said) == 1


# --------------------------------------------------------------------- processes


def test_node_run__sigterm__ends_cleanly_and_shows_no_secret(
    harness: MarketHarness, sale: Sale
) -> None:
    home = harness.net.home("custodian1")
    token, key = "CANARY-OF-THE-OPERATOR", "CANARY-OF-THE-ENDPOINT"
    messages: list[Any] = []

    def hear(body: bytes) -> tuple[int, bytes]:
        messages.append(json.loads(body))
        return 500, b"not now"

    with serve(hear) as operator, lying_endpoint(harness, lambda _, answer: answer) as endpoint:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TRUTHMARK_")},
            "TRUTHMARK_HOME": str(home),
            "TRUTHMARK_RPC": f"{endpoint}/{key}",
            "TRUTHMARK_ACCOUNT": "env:OPERATOR_KEY",
            "OPERATOR_KEY": role_key("custodian1").hex(),
            "TRUTHMARK_NODE_GAS_RESERVE": "1000000",
            "TRUTHMARK_NODE_NOTIFY": f"{operator.url}/{token}",
        }
        (home / "node.toml").write_text('poll = 0.1\nconfirmations = ["1000 TUSD=2"]\n')
        bought = harness.buy(sale)
        command = [sys.executable, "-m", "truthmark.cli", "node", "run", "--as", "custodian"]
        process = subprocess.Popen(
            [*command, "--log-json", "--status-port", "0"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            wait_for(lambda: is_delivered(harness, bought), "delivery")
            wait_for(lambda: messages, "a message to the operator")
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=300)
        finally:
            process.kill()
            (home / "node.toml").unlink()
    assert process.returncode == 0, output
    assert messages[0]["kind"] == "low-gas"
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert {"time", "level", "logger", "text"} <= set(lines[0])
    assert any(line.get("kind") == "deliver" for line in lines)
    assert lines[-1]["text"] == "stopped"
    shares = [
        json.loads(path.read_text())["secret"] for path in (home / "vault" / "share").iterdir()
    ]
    for secret in (token, key, role_key("custodian1").hex(), *shares):
        assert secret not in output


def test_node__stranger__is_told_to_register(harness: MarketHarness) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "truthmark.cli", "node", "run"],
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("TRUTHMARK_")},
            "TRUTHMARK_HOME": str(harness.net.home("stranger")),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert process.returncode == 3
    assert "truthmark stake register" in process.stderr


@pytest.mark.parametrize(
    "kills", [20, pytest.param(200, marks=[pytest.mark.assure, pytest.mark.timeout(1_800)])]
)
def test_node__killed_again_and_again__everything_happens_once(
    harness: MarketHarness, kills: int
) -> None:
    """From acceptance to release under SIGKILL; every transaction it ever sent had its effect."""
    home, chooser = harness.net.home("custodian2"), random.Random(kills)
    account = harness.session("custodian2")
    first, before = harness.net.status().block or 0, sent(account)
    earned = harness.credits(account.address)
    buyers = ("buyer", "stranger", "copycat")
    bought: list[Purchase] = []
    sale = harness.sell([account.address], threshold=1)

    def all_are(status: PurchaseStatus) -> bool:
        return all(harness.purchase(b).status is status for b in bought)

    def survive(done: Callable[[], bool], times: int) -> None:
        """Kill it so many times, then let it do what is left."""
        for number in range(times + 1):
            process = start_node(home)
            try:
                if number < times:
                    time.sleep(chooser.uniform(0.0, 0.6))
                else:
                    wait_for(done, "what the node was started for")
            except AssertionError as error:
                tail = (home / "node.log").read_text().splitlines()[-40:]
                raise AssertionError("\n".join([str(error), *tail])) from error
            finally:
                process.kill()
                process.join()
            assert process.exitcode == -signal.SIGKILL, (home / "node.log").read_text()[-4_000:]

    each = kills // 5
    survive(lambda: harness.is_live(sale), each)
    bought += [harness.buy(sale, role) for role in buyers]
    survive(lambda: all_are(PurchaseStatus.DELIVERED), each)
    harness.warp_to(max(harness.purchase(b).deadline for b in bought) + 601)
    survive(lambda: all_are(PurchaseStatus.SETTLED), each)
    harness.warp_to(sale.epoch.custody.end - PERIOD // 3)
    survive(lambda: harness.state(sale).end == sale.epoch.custody.end + PERIOD, each)
    harness.retire_all()
    harness.warp_to(harness.now() + 2 * (DELIVERY + INSPECTION) + 1_200)
    survive(lambda: harness.state(sale).released == 1, each)
    with ManualNode(harness.net, "custodian2") as node:
        run_rounds(lambda: node.session.journal.pending() == [], node)

    custody = {"custody_id": sale.epoch.custody_id}
    accepted = harness.events("registry", "CustodyAccepted", **custody)
    extended = harness.events("registry", "CustodyExtended", **custody)
    released = harness.events("registry", "CustodianReleased", **custody)
    assert [len(accepted), len(extended), len(released)] == [1, 1, 1]
    delivered = [harness.events("market", "Delivered", purchase_id=b.purchase_id) for b in bought]
    settled = [harness.events("market", "Settled", purchase_id=b.purchase_id) for b in bought]
    assert [len(rows) for rows in delivered + settled] == [1] * 6
    assert harness.credits(account.address) - earned == 3 * FEE
    # No transaction of the account was in vain: each left one of these events.
    own = [accepted, extended, released, *delivered, *settled]
    useful = {row.tx_hash for rows in own for row in rows}
    others = _other_transactions(harness, account.address, first) - useful
    assert not others
    assert sent(account) - before == len(useful)


def _other_transactions(harness: MarketHarness, account: str, first: int) -> set[str]:
    last = harness.net.status().block or 0
    found = set()
    for number in range(first + 1, last + 1):
        block: Any = harness.net.chain.rpc("eth_getBlockByNumber", hex(number), True)
        found |= {t["hash"] for t in block["transactions"] if t["from"] == account.lower()}
    return found
