# SPDX-License-Identifier: Apache-2.0
"""Nodes of custodians, round by round: accepting, delivering, extending."""

import contextlib
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

import truthmark
import truthmark.node.holdings as node_module
from tests.utils.node_sales import (
    NAMES,
    clean_up,
    harness,
    is_,
    is_delivered,
    is_kept,
    live_sale,
    nodes,
)
from tests.utils.nodes import (
    DELIVERY,
    FEE,
    INSPECTION,
    LOCK,
    PENALTY,
    PERIOD,
    ManualNode,
    MarketHarness,
    Sale,
    repeat_rounds,
    run_rounds,
)
from truthmark.market.custodian import Custodian
from truthmark.market.drafts import custody
from truthmark.market.drafts.delivery import turn_order
from truthmark.market.entries import Purchase, Version
from truthmark.market.records import CustodyStatus, PurchaseStatus, bits, obligation_id
from truthmark.market.seller import Seller
from truthmark.market.settlement import Settlement
from truthmark.market.validator import ValidatorOwner
from truthmark.node.policy import Policy

__all__ = ["clean_up", "harness", "nodes"]


pytestmark = pytest.mark.chain


def by_turn(
    harness: MarketHarness, sale: Sale, bought: Purchase, nodes: list[ManualNode]
) -> list[ManualNode]:
    """Sort nodes by the order in which they are to deliver."""
    order = turn_order(bought.purchase_id, harness.state(sale).active)
    return sorted(nodes, key=lambda node: order.index(harness.slot(sale, node).index))


# ------------------------------------------------------------- the usual course


@pytest.mark.untraced
def test_node__sale__is_accepted_delivered_by_turn_settled_and_paid(
    harness: MarketHarness, nodes: list[ManualNode]
) -> None:
    before = [harness.credits(k.validator) for k in nodes]
    paid = harness.credits(harness.address("seller"))
    sale = live_sale(harness, nodes)
    assert [k.acted("accept") for k in nodes] == [1, 1, 1]
    repeat_rounds(2, *nodes)
    assert [k.notifier.kinds(sale) for k in nodes] == [["accepted"]] * 3

    bought = harness.buy(sale)
    run_rounds(lambda: is_delivered(harness, bought), *nodes)
    repeat_rounds(3, *nodes)
    first, second, third = by_turn(harness, sale, bought, nodes)
    assert [k.acted("deliver") for k in (first, second, third)] == [1, 1, 0]
    assert truthmark.load(sale.version.ref, session=harness.session("buyer")).to_pandas().shape == (
        100,
        2,
    )

    harness.warp_to(harness.purchase(bought).deadline + 1)
    repeat_rounds(3, *nodes)
    assert is_delivered(harness, bought)  # waits for others to share the transaction with
    harness.warp_to(harness.purchase(bought).deadline + 602)
    run_rounds(lambda: is_(harness, bought, PurchaseStatus.SETTLED), *nodes)
    repeat_rounds(3, *nodes)
    assert sorted(k.acted("settle") for k in nodes) == [0, 0, 1]
    earned = [harness.credits(k.validator) - b for k, b in zip(nodes, before, strict=True)]
    assert earned == [FEE if k is not third else 0 for k in nodes]
    assert harness.credits(harness.address("seller")) - paid == 25 * 10**6


@pytest.mark.untraced
def test_node__several_purchases__share_transactions(
    harness: MarketHarness, nodes: list[ManualNode]
) -> None:
    sale = live_sale(harness, nodes[:1], threshold=1)
    bought = [harness.buy(sale, role) for role in ("buyer", "stranger", "copycat")]
    run_rounds(lambda: all(is_delivered(harness, b) for b in bought), nodes[0])
    assert nodes[0].acted("deliver") == 1
    harness.warp_to(max(harness.purchase(b).deadline for b in bought) + 601)
    run_rounds(lambda: all(is_(harness, b, PurchaseStatus.SETTLED) for b in bought), nodes[0])
    assert nodes[0].acted("settle") == 1


@pytest.mark.untraced
def test_node__one_is_silent__the_next_in_turn_replaces_it_in_time(
    harness: MarketHarness, nodes: list[ManualNode]
) -> None:
    sale = live_sale(harness, nodes)
    bought = harness.buy(sale)
    silent, second, third = by_turn(harness, sale, bought, nodes)
    run_rounds(lambda: 1 in [len(harness.purchase(bought).delivered)], second, third)
    repeat_rounds(3, second, third)
    assert third.acted("deliver") == 0
    harness.warp_to(bought.deadline - DELIVERY + (DELIVERY - 60) // 2)
    run_rounds(lambda: is_delivered(harness, bought), second, third)
    assert third.acted("deliver") == 1
    # The silent one was not needed, so it costs them nothing but the fee.
    repeat_rounds(2, silent)
    assert silent.acted("deliver") == 0
    assert harness.state(sale).fined == 0


@pytest.mark.untraced
def test_node__all_silent__a_node_refunds_and_the_penalties_are_burned(
    harness: MarketHarness, nodes: list[ManualNode]
) -> None:
    sale = live_sale(harness, nodes)
    bought = harness.buy(sale)
    staking = harness.session("seller").chain.staking.functions
    token = harness.net.profile.contracts["token"].address
    burned = staking.balances(token, "0x" + "00" * 20).call()
    harness.warp_to(bought.deadline - 59)
    repeat_rounds(3, *nodes)  # too close to the deadline: gas for nothing
    assert [k.acted("deliver") for k in nodes] == [0, 0, 0]
    harness.warp_to(bought.deadline + 1)
    run_rounds(lambda: is_(harness, bought, PurchaseStatus.REFUNDED), *nodes)
    repeat_rounds(3, *nodes)
    assert sorted(k.acted("refund") for k in nodes) == [0, 0, 1]
    assert staking.balances(token, "0x" + "00" * 20).call() - burned == 3 * PENALTY
    assert harness.state(sale).status is CustodyStatus.CLOSED
    # The buyer has all their money back.
    assert harness.credits(harness.address("buyer")) == 25 * 10**6 + 2 * FEE
    assert any("missed" in node.notifier.kinds(sale) for node in nodes)  # who refunded
    for node in nodes:
        assert node.notifier.kinds(sale).count("fined") == 1
        assert node.metrics.registry.get_sample_value("truthmark_missed_total") == 1
    Settlement(harness.session("buyer")).withdraw(harness.token, harness.address("buyer"))

    harness.warp_to(harness.state(sale).stopped_at + 2 * (DELIVERY + INSPECTION) + 200)
    run_rounds(lambda: harness.state(sale).released == 7, *nodes)


# ------------------------------------------------------------------ accepting


@pytest.mark.parametrize(
    ("reason", "options"),
    [
        ("the fees are below the offer", {"fee": "0.099999 TUSD"}),
        ("the sale token is not in the offer", {"price": "25 TEUR", "fee": "1 TEUR"}),
        ("the lock is above the offer", {"lock": "101 TMK"}),
        ("the period is longer than the offer", {"period": "243h"}),
    ],
)
def test_node__unsuitable_custody__is_refused_without_fetching_anything(
    harness: MarketHarness,
    nodes: list[ManualNode],
    caplog: pytest.LogCaptureFixture,
    reason: str,
    options: dict[str, Any],
) -> None:
    caplog.set_level("INFO")
    node = nodes[0]
    sale = harness.sell([node], threshold=1, **options)
    repeat_rounds(3, node)
    said = [r.getMessage() for r in caplog.records if "is not accepted" in r.getMessage()]
    assert [line.partition("accepted: ")[2] for line in said if sale.version.ref in line] == [
        reason
    ]
    assert harness.state(sale).accepted == 0
    assert node.notifier.kinds(sale) == []
    assert not [name for name in node.role._holdings._shares._jobs if sale.version.terms_id in name]


def test_node__too_many_bytes__is_refused(
    harness: MarketHarness, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    harness.publish_offer("custodian1", max_bytes=1_000)
    with ManualNode(harness.net, "custodian1") as node:
        sale = harness.sell([node], threshold=1)
        run_rounds(lambda: "more bytes than the offer" in caplog.text, node)
        assert harness.state(sale).accepted == 0
        # The same custody suits a new offer.
        harness.publish_offer("custodian1")
        run_rounds(lambda: harness.is_live(sale), node)


@pytest.mark.untraced
def test_node__not_available__takes_no_new_obligation_but_serves_running_ones(
    harness: MarketHarness, nodes: list[ManualNode]
) -> None:
    node = nodes[0]
    running = live_sale(harness, [node], threshold=1)
    ValidatorOwner(harness.session("custodian1")).set_available(False)
    sale = harness.sell([node], threshold=1)
    bought = harness.buy(running)
    run_rounds(lambda: is_delivered(harness, bought), node)
    assert harness.state(sale).accepted == 0
    ValidatorOwner(harness.session("custodian1")).set_available(True)
    run_rounds(lambda: harness.is_live(sale), node)


@pytest.mark.untraced
def test_node__below_the_gas_reserve__takes_no_new_obligation_and_says_so_once(
    harness: MarketHarness,
) -> None:
    policy = Policy(gas_reserve=10**30)
    with (
        ManualNode(harness.net, "custodian1") as normal,
        ManualNode(harness.net, "custodian1", policy=policy) as poor,
    ):
        running = live_sale(harness, [normal], threshold=1)
        sale = harness.sell([normal], threshold=1)
        bought = harness.buy(running)
        run_rounds(lambda: is_delivered(harness, bought), poor)
        repeat_rounds(3, poor)
        assert harness.state(sale).accepted == 0
        assert poor.notifier.kinds().count("low-gas") == 1
        run_rounds(lambda: harness.is_live(sale), normal)


def test_node__seller_with_many_incomplete_custodies__waits(harness: MarketHarness) -> None:
    """A seller cannot lock everybody's stake by custodies that never become complete."""
    with ManualNode(harness.net, "custodian1", policy=Policy(max_waiting_per_seller=2)) as node:
        others = [harness.address("custodian2"), harness.address("custodian3")]
        sales = [harness.sell([node.validator, *others]) for _ in range(3)]
        run_rounds(lambda: sum(harness.state(s).accepted > 0 for s in sales) == 2, node)
        repeat_rounds(5, node)
        assert sum(harness.state(s).accepted > 0 for s in sales) == 2


@pytest.mark.untraced
def test_node__seller_whose_manifests_nobody_has__keeps_no_other_seller_waiting(
    harness: MarketHarness, nodes: list[ManualNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, gate, asked = nodes[0], threading.Event(), set()
    fetch = node_module.fetch_manifest

    def hang(storage: Any, version: Version) -> Any:
        if version.terms.seller == harness.address("copycat"):
            asked.add(version.terms_id)
            gate.wait(60)
        return fetch(storage, version)

    monkeypatch.setattr(node_module, "fetch_manifest", hang)
    try:
        for _ in range(3):
            harness.sell([node], role="copycat", threshold=1)
        run_rounds(lambda: asked, node)
        repeat_rounds(3, node)
        honest = harness.sell([node], threshold=1)
        run_rounds(lambda: harness.is_live(honest), node)
        assert len(asked) == 1
    finally:
        gate.set()


def test_node__wrong_share__is_refused_and_told(
    harness: MarketHarness, nodes: list[ManualNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A seller who seals something else than what the share keys say.
    true_seal = custody.seal_share
    monkeypatch.setattr(custody, "seal_share", lambda share, *rest: true_seal(share + 1, *rest))
    sale = harness.sell([nodes[0]], threshold=1)
    run_rounds(lambda: "refused" in nodes[0].notifier.kinds(), nodes[0])
    assert harness.state(sale).accepted == 0


@pytest.mark.untraced
def test_node__data_that_cannot_be_had__is_not_accepted_and_not_the_operators_problem(
    harness: MarketHarness,
) -> None:
    with (
        ManualNode(
            harness.net, "custodian1", storage=(f"local:{harness.net.folder}/elsewhere",)
        ) as cut_off,
        ManualNode(harness.net, "custodian1") as node,
    ):
        running = live_sale(harness, [node], threshold=1)
        sale = harness.sell([node], threshold=1)
        bought = harness.buy(running)
        run_rounds(lambda: is_delivered(harness, bought), cut_off)
        repeat_rounds(5, cut_off)
        assert cut_off.notifier.kinds(sale) == []
        assert harness.state(sale).accepted == 0
        # What it has accepted and cannot keep, it does tell.
        run_rounds(lambda: "problem" in cut_off.notifier.kinds(running), cut_off)


@pytest.mark.untraced
def test_node__seller_stores_nothing__is_not_accepted(
    harness: MarketHarness, nodes: list[ManualNode]
) -> None:
    sale = harness.sell([nodes[0]], threshold=1)
    manifest = nodes[0].session.storage
    store = Path(f"{harness.net.folder}/store")
    hidden = store.with_name("hidden")
    store.rename(hidden)
    try:
        with ManualNode(harness.net, "custodian1") as node:
            repeat_rounds(10, node)
            assert harness.state(sale).accepted == 0
            assert node.notifier.kinds(sale) == []
    finally:
        shutil.rmtree(store, ignore_errors=True)
        hidden.rename(store)
    assert manifest is not None
    run_rounds(lambda: harness.is_live(sale), nodes[0])


@pytest.mark.untraced
def test_node__dry_run__decides_and_sends_nothing(
    harness: MarketHarness, nodes: list[ManualNode], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    running = live_sale(harness, [nodes[0]], threshold=1)
    with ManualNode(harness.net, "custodian1", dry_run=True) as node:
        sale = harness.sell([node], threshold=1)
        bought = harness.buy(running)
        count = node.session.chain.rpc.call(
            "eth_getTransactionCount", node.session.address, "latest"
        )
        repeat_rounds(5, node)
        assert count == node.session.chain.rpc.call(
            "eth_getTransactionCount", node.session.address, "latest"
        )
    assert f"of {sale.version.ref}" in caplog.text
    assert "would fetch, check and accept" in caplog.text
    assert "would deliver: deliver 1 part" in caplog.text
    assert harness.state(sale).accepted == 0
    assert not is_delivered(harness, bought)


# ------------------------------------------------------------ ends and extensions


@pytest.mark.untraced
def test_node__incomplete_custody__lapses_and_frees_the_locks(
    harness: MarketHarness, nodes: list[ManualNode]
) -> None:
    two, absent = nodes[:2], nodes[2]
    before = [harness.locked(k.validator) for k in two]
    sale = harness.sell([*two, absent])
    run_rounds(lambda: len(bits(harness.state(sale).accepted)) == 2, *two)
    assert [harness.locked(k.validator) - b for k, b in zip(two, before, strict=True)] == [LOCK] * 2
    harness.warp_to(sale.epoch.custody.accept_until + 61)
    run_rounds(lambda: harness.state(sale).status is CustodyStatus.LAPSED, *two)
    locks = harness.session("seller").chain.staking.functions
    registry = harness.session("seller").chain.registry.address
    for node in two:
        obligation = obligation_id(sale.epoch.custody_id, harness.slot(sale, node).index)
        assert locks.obligation(registry, obligation).call().amount == 0
    repeat_rounds(2, *two)
    assert [k.notifier.kinds(sale)[-1] for k in two] == ["released", "released"]
    # What was pinned for it is let go.
    run_rounds(lambda: not is_kept(two[0], sale), two[0])


def test_node__extension__one_stays_one_joins_one_leaves_and_is_released(
    harness: MarketHarness,
) -> None:
    with contextlib.ExitStack() as stack:
        first, joiner = (
            stack.enter_context(ManualNode(harness.net, name))
            for name in ("custodian1", "custodian2")
        )
        leaver = stack.enter_context(
            ManualNode(harness.net, "custodian3", policy=Policy(extends=False))
        )
        nodes = [first, joiner, leaver]
        sale = live_sale(harness, nodes, threshold=1)
        end = sale.epoch.custody.end
        repeat_rounds(2, *nodes)
        assert [k.acted("extend") for k in nodes] == [0, 0, 0]

        # With t = 1 one call is enough; the other joins while the old period still runs.
        harness.warp_to(end - PERIOD // 3)
        run_rounds(lambda: harness.state(sale).end == end + PERIOD, first)
        state = harness.state(sale)
        assert bits(state.active) == [harness.slot(sale, first).index]
        run_rounds(lambda: len(bits(harness.state(sale).active)) == 2, joiner, leaver)
        repeat_rounds(2, *nodes)
        assert [k.acted("extend") for k in nodes] == [1, 1, 0]
        assert [k.notifier.kinds(sale).count("extended") for k in nodes] == [1, 1, 0]
        assert "leaving" in leaver.notifier.kinds(sale)

        # Who leaves still serves what was bought before, until the old end, and is free once there
        # was time to fine silence.
        harness.warp_to(end + DELIVERY + INSPECTION + 100)
        run_rounds(
            lambda: bits(harness.state(sale).released) == [harness.slot(sale, leaver).index], leaver
        )
        bought = harness.buy(sale)
        run_rounds(lambda: is_delivered(harness, bought), first, joiner, leaver)
        assert leaver.acted("deliver") == 0
        # Over: everybody is free at the end of the last period that they stayed for.
        harness.warp_to(end + PERIOD - PERIOD // 3)
        run_rounds(lambda: harness.state(sale).end == end + 2 * PERIOD, first, joiner)
        harness.warp_to(end + 2 * PERIOD + DELIVERY + INSPECTION + 200)
        run_rounds(lambda: len(bits(harness.state(sale).released)) == 3, first, joiner)
        repeat_rounds(2, first, joiner)
        assert first.role.view._held.get(sale.epoch.custody_id) is None


@pytest.mark.untraced
def test_node__overdue_purchase__is_refunded_before_anyone_joins(harness: MarketHarness) -> None:
    with contextlib.ExitStack() as stack:
        voter, joiner, silent = (stack.enter_context(ManualNode(harness.net, n)) for n in NAMES)
        nodes = [voter, joiner, silent]
        sale = live_sale(harness, nodes, threshold=1)
        end = sale.epoch.custody.end
        harness.warp_to(end - PERIOD // 3)
        bought = harness.buy(sale)
        # The voter alone is awake, and for once does not deliver.
        voter.session.send(
            *Custodian(voter.session).plan_extend(sale.version, harness.slot(sale, voter), end)
        )
        harness.warp_to(bought.deadline + 1)
        run_rounds(lambda: is_(harness, bought, PurchaseStatus.REFUNDED), joiner)
        repeat_rounds(3, joiner)
        assert joiner.acted("refund") == 1
        assert joiner.acted("extend") == 0
        assert harness.state(sale).status is CustodyStatus.CLOSED


@pytest.mark.untraced
def test_node__away__does_not_extend(harness: MarketHarness) -> None:
    with ManualNode(harness.net, "custodian1") as node:
        sale = live_sale(harness, [node], threshold=1)
        owner = ValidatorOwner(harness.session("custodian1"))
        owner.set_available(False)
        harness.warp_to(sale.epoch.custody.end - PERIOD // 3)
        repeat_rounds(3, node)
        assert harness.state(sale).votes == 0 and harness.state(sale).end == sale.epoch.custody.end
        owner.set_available(True)
        run_rounds(lambda: harness.state(sale).end > sale.epoch.custody.end, node)


def test_node__retired_version__is_released_after_both_windows_twice(
    harness: MarketHarness, nodes: list[ManualNode]
) -> None:
    sale = live_sale(harness, nodes[:1], threshold=1)
    Seller(harness.session("seller")).retire(sale.version)
    stopped = harness.now()
    harness.warp_to(stopped + 2 * (DELIVERY + INSPECTION) - 100)
    repeat_rounds(2, nodes[0])
    assert harness.state(sale).released == 0
    harness.warp_to(stopped + 2 * (DELIVERY + INSPECTION) + 10)
    run_rounds(lambda: harness.state(sale).released == 1, nodes[0])
