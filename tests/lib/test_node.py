# SPDX-License-Identifier: Apache-2.0
"""Custodians' nodes on a real chain, round by round."""

import contextlib
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import truthmark
import truthmark.node.custodian as node_module
from tests.utils.nodes import (
    DELIVERY,
    FEE,
    INSPECTION,
    LOCK,
    PENALTY,
    TERM,
    Keeper,
    Sale,
    Stand,
    open_stand,
    rounds,
    turn,
)
from truthmark.market.catalogue import Purchase, Version
from truthmark.market.custodian import Custodian, Seat
from truthmark.market.drafts.delivery import turn_order
from truthmark.market.records import CustodyStatus, PurchaseStatus, bits, obligation_id
from truthmark.market.seller import Seller
from truthmark.market.session import Signer
from truthmark.market.settlement import Settlement
from truthmark.market.validator import ValidatorOwner
from truthmark.node.policy import Policy
from truthmark.testing.network import role_key

pytestmark = pytest.mark.chain

NAMES = ("custodian1", "custodian2", "custodian3")


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with open_stand(tmp_path_factory.mktemp("nodes") / "net", NAMES) as opened:
        yield opened


@pytest.fixture(autouse=True)
def clean_up(stand: Stand) -> Iterator[None]:
    yield
    stand.retire_all()


@pytest.fixture
def keepers(stand: Stand) -> Iterator[list[Keeper]]:
    """Three nodes, as they are after a start."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Keeper(stand.net, name)) for name in NAMES]


def live_sale(stand: Stand, keepers: list[Keeper], **options: Any) -> Sale:
    sale = stand.sell(keepers, **options)
    turn(lambda: stand.is_live(sale), *keepers)
    return sale


def by_turn(stand: Stand, sale: Sale, bought: Purchase, keepers: list[Keeper]) -> list[Keeper]:
    """Sort nodes by the order in which they are to deliver."""
    order = turn_order(bought.purchase_id, stand.state(sale).active)
    return sorted(keepers, key=lambda keeper: order.index(stand.seat(sale, keeper).index))


def is_delivered(stand: Stand, bought: Purchase) -> bool:
    return stand.purchase(bought).status is PurchaseStatus.DELIVERED


def is_(stand: Stand, bought: Purchase, status: PurchaseStatus) -> bool:
    return stand.purchase(bought).status is status


# ------------------------------------------------------------- the usual course


def test_node__sale__is_accepted_delivered_by_turn_settled_and_paid(
    stand: Stand, keepers: list[Keeper]
) -> None:
    before = [stand.credits(k.validator) for k in keepers]
    paid = stand.credits(stand.address("seller"))
    sale = live_sale(stand, keepers)
    assert [k.acted("accept") for k in keepers] == [1, 1, 1]
    rounds(2, *keepers)
    assert [k.ear.kinds(sale) for k in keepers] == [["accepted"]] * 3

    bought = stand.buy(sale)
    turn(lambda: is_delivered(stand, bought), *keepers)
    rounds(3, *keepers)
    first, second, third = by_turn(stand, sale, bought, keepers)
    assert [k.acted("deliver") for k in (first, second, third)] == [1, 1, 0]
    assert truthmark.load(sale.version.ref, session=stand.session("buyer")).to_pandas().shape == (
        100,
        2,
    )

    stand.warp_to(stand.purchase(bought).deadline + 1)
    rounds(3, *keepers)
    assert is_delivered(stand, bought)  # waits for others to share the transaction with
    stand.warp_to(stand.purchase(bought).deadline + 602)
    turn(lambda: is_(stand, bought, PurchaseStatus.SETTLED), *keepers)
    rounds(3, *keepers)
    assert sorted(k.acted("settle") for k in keepers) == [0, 0, 1]
    earned = [stand.credits(k.validator) - b for k, b in zip(keepers, before, strict=True)]
    assert earned == [FEE if k is not third else 0 for k in keepers]
    assert stand.credits(stand.address("seller")) - paid == 25 * 10**6


def test_node__several_purchases__share_transactions(stand: Stand, keepers: list[Keeper]) -> None:
    sale = live_sale(stand, keepers[:1], threshold=1)
    bought = [stand.buy(sale, role) for role in ("buyer", "stranger", "copycat")]
    turn(lambda: all(is_delivered(stand, b) for b in bought), keepers[0])
    assert keepers[0].acted("deliver") == 1
    stand.warp_to(max(stand.purchase(b).deadline for b in bought) + 601)
    turn(lambda: all(is_(stand, b, PurchaseStatus.SETTLED) for b in bought), keepers[0])
    assert keepers[0].acted("settle") == 1


def test_node__one_is_silent__the_next_in_turn_replaces_him_in_time(
    stand: Stand, keepers: list[Keeper]
) -> None:
    sale = live_sale(stand, keepers)
    bought = stand.buy(sale)
    silent, second, third = by_turn(stand, sale, bought, keepers)
    turn(lambda: 1 in [len(stand.purchase(bought).delivered)], second, third)
    rounds(3, second, third)
    assert third.acted("deliver") == 0
    stand.warp_to(bought.deadline - DELIVERY + (DELIVERY - 60) // 2)
    turn(lambda: is_delivered(stand, bought), second, third)
    assert third.acted("deliver") == 1
    # The silent one was not needed, so it costs him nothing but the fee.
    rounds(2, silent)
    assert silent.acted("deliver") == 0
    assert stand.state(sale).fined == 0


def test_node__all_silent__a_node_refunds_and_the_penalties_are_burned(
    stand: Stand, keepers: list[Keeper]
) -> None:
    sale = live_sale(stand, keepers)
    bought = stand.buy(sale)
    staking = stand.session("seller").chain.staking.functions
    token = stand.net.profile.contracts["token"].address
    burned = staking.balances(token, "0x" + "00" * 20).call()
    stand.warp_to(bought.deadline - 59)
    rounds(3, *keepers)  # too close to the deadline: gas for nothing
    assert [k.acted("deliver") for k in keepers] == [0, 0, 0]
    stand.warp_to(bought.deadline + 1)
    turn(lambda: is_(stand, bought, PurchaseStatus.REFUNDED), *keepers)
    rounds(3, *keepers)
    assert sorted(k.acted("refund") for k in keepers) == [0, 0, 1]
    assert staking.balances(token, "0x" + "00" * 20).call() - burned == 3 * PENALTY
    assert stand.state(sale).status is CustodyStatus.CLOSED
    # The buyer has all his money back.
    assert stand.credits(stand.address("buyer")) == 25 * 10**6 + 2 * FEE
    assert any("missed" in keeper.ear.kinds(sale) for keeper in keepers)  # who refunded
    for keeper in keepers:
        assert keeper.ear.kinds(sale).count("fined") == 1
        assert keeper.metrics.registry.get_sample_value("truthmark_missed_total") == 1
    Settlement(stand.session("buyer")).withdraw(stand.token, stand.address("buyer"))

    stand.warp_to(stand.state(sale).stopped_at + 2 * (DELIVERY + INSPECTION) + 200)
    turn(lambda: stand.state(sale).released == 7, *keepers)


# ------------------------------------------------------------------ accepting


@pytest.mark.parametrize(
    ("reason", "options"),
    [
        ("the fees are below the offer", {"fee": "0.099999 TUSD"}),
        ("the sale token is not in the offer", {"price": "25 TEUR", "fee": "1 TEUR"}),
        ("the lock is above the offer", {"lock": "101 TMK"}),
        ("the term is longer than the offer", {"term": "243h"}),
    ],
)
def test_node__unsuitable_custody__is_refused_without_fetching_anything(
    stand: Stand,
    keepers: list[Keeper],
    caplog: pytest.LogCaptureFixture,
    reason: str,
    options: dict[str, Any],
) -> None:
    caplog.set_level("INFO")
    node = keepers[0]
    sale = stand.sell([node], threshold=1, **options)
    rounds(3, node)
    said = [r.getMessage() for r in caplog.records if "is not accepted" in r.getMessage()]
    assert [line.partition("accepted: ")[2] for line in said if sale.version.ref in line] == [
        reason
    ]
    assert stand.state(sale).accepted == 0
    assert node.ear.kinds(sale) == []
    assert not [name for name in node.role._shares._jobs if sale.version.terms_id in name]


def test_node__too_many_bytes__is_refused(stand: Stand, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    stand.publish_offer("custodian1", max_bytes=1_000)
    with Keeper(stand.net, "custodian1") as node:
        sale = stand.sell([node], threshold=1)
        turn(lambda: "more bytes than the offer" in caplog.text, node)
        assert stand.state(sale).accepted == 0
        # The same custody suits a new offer.
        stand.publish_offer("custodian1")
        turn(lambda: stand.is_live(sale), node)


def test_node__not_available__takes_no_new_obligation_but_serves_running_ones(
    stand: Stand, keepers: list[Keeper]
) -> None:
    node = keepers[0]
    running = live_sale(stand, [node], threshold=1)
    ValidatorOwner(stand.session("custodian1")).set_available(False)
    sale = stand.sell([node], threshold=1)
    bought = stand.buy(running)
    turn(lambda: is_delivered(stand, bought), node)
    assert stand.state(sale).accepted == 0
    ValidatorOwner(stand.session("custodian1")).set_available(True)
    turn(lambda: stand.is_live(sale), node)


def test_node__below_the_gas_reserve__takes_no_new_obligation_and_says_so_once(
    stand: Stand,
) -> None:
    policy = Policy(gas_reserve=10**30)
    with (
        Keeper(stand.net, "custodian1") as normal,
        Keeper(stand.net, "custodian1", policy=policy) as poor,
    ):
        running = live_sale(stand, [normal], threshold=1)
        sale = stand.sell([normal], threshold=1)
        bought = stand.buy(running)
        turn(lambda: is_delivered(stand, bought), poor)
        rounds(3, poor)
        assert stand.state(sale).accepted == 0
        assert poor.ear.kinds().count("low-gas") == 1
        turn(lambda: stand.is_live(sale), normal)


def test_node__seller_with_many_incomplete_custodies__waits(stand: Stand) -> None:
    """A seller cannot lock everybody's stake by custodies that never become complete."""
    with Keeper(stand.net, "custodian1", policy=Policy(max_waiting_per_seller=2)) as node:
        others = [stand.address("custodian2"), stand.address("custodian3")]
        sales = [stand.sell([node.validator, *others]) for _ in range(3)]
        turn(lambda: sum(stand.state(s).accepted > 0 for s in sales) == 2, node)
        rounds(5, node)
        assert sum(stand.state(s).accepted > 0 for s in sales) == 2


def test_node__seller_whose_manifests_nobody_has__keeps_no_other_seller_waiting(
    stand: Stand, keepers: list[Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, gate, asked = keepers[0], threading.Event(), set()
    fetch = node_module.fetch_manifest

    def hang(storage: Any, version: Version) -> Any:
        if version.terms.seller == stand.address("copycat"):
            asked.add(version.terms_id)
            gate.wait(60)
        return fetch(storage, version)

    monkeypatch.setattr(node_module, "fetch_manifest", hang)
    try:
        for _ in range(3):
            stand.sell([node], role="copycat", threshold=1)
        turn(lambda: asked, node)
        rounds(3, node)
        honest = stand.sell([node], threshold=1)
        turn(lambda: stand.is_live(honest), node)
        assert len(asked) == 1
    finally:
        gate.set()


def test_node__wrong_share__is_refused_and_told(
    stand: Stand, keepers: list[Keeper], monkeypatch: pytest.MonkeyPatch
) -> None:
    import truthmark.market.selling as selling

    # A seller who seals something else than what the share keys say.
    true_seal = selling.seal_share
    monkeypatch.setattr(selling, "seal_share", lambda share, *rest: true_seal(share + 1, *rest))
    sale = stand.sell([keepers[0]], threshold=1)
    turn(lambda: "refused" in keepers[0].ear.kinds(), keepers[0])
    assert stand.state(sale).accepted == 0


def test_node__data_that_cannot_be_had__is_not_accepted_and_not_the_operators_problem(
    stand: Stand,
) -> None:
    with (
        Keeper(
            stand.net, "custodian1", storage=(f"local:{stand.net.folder}/elsewhere",)
        ) as cut_off,
        Keeper(stand.net, "custodian1") as node,
    ):
        running = live_sale(stand, [node], threshold=1)
        sale = stand.sell([node], threshold=1)
        bought = stand.buy(running)
        turn(lambda: is_delivered(stand, bought), cut_off)
        rounds(5, cut_off)
        assert cut_off.ear.kinds(sale) == []
        assert stand.state(sale).accepted == 0
        # What it has accepted and cannot keep, it does tell.
        turn(lambda: "problem" in cut_off.ear.kinds(running), cut_off)


def test_node__seller_stores_nothing__is_not_accepted(stand: Stand, keepers: list[Keeper]) -> None:
    sale = stand.sell([keepers[0]], threshold=1)
    manifest = keepers[0].session.storage
    store = Path(f"{stand.net.folder}/store")
    hidden = store.with_name("hidden")
    store.rename(hidden)
    try:
        with Keeper(stand.net, "custodian1") as node:
            rounds(10, node)
            assert stand.state(sale).accepted == 0
            assert node.ear.kinds(sale) == []
    finally:
        shutil.rmtree(store, ignore_errors=True)
        hidden.rename(store)
    assert manifest is not None
    turn(lambda: stand.is_live(sale), keepers[0])


def test_node__dry_run__decides_and_sends_nothing(
    stand: Stand, keepers: list[Keeper], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    running = live_sale(stand, [keepers[0]], threshold=1)
    with Keeper(stand.net, "custodian1", dry_run=True) as node:
        sale = stand.sell([node], threshold=1)
        bought = stand.buy(running)
        count = node.session.chain.rpc.call(
            "eth_getTransactionCount", node.session.address, "latest"
        )
        rounds(5, node)
        assert count == node.session.chain.rpc.call(
            "eth_getTransactionCount", node.session.address, "latest"
        )
    assert f"of {sale.version.ref}" in caplog.text
    assert "would fetch, check and accept" in caplog.text
    assert "would deliver: deliver 1 part" in caplog.text
    assert stand.state(sale).accepted == 0
    assert not is_delivered(stand, bought)


# ------------------------------------------------------------ ends and extensions


def test_node__incomplete_custody__lapses_and_frees_the_locks(
    stand: Stand, keepers: list[Keeper]
) -> None:
    two, absent = keepers[:2], keepers[2]
    before = [stand.locked(k.validator) for k in two]
    sale = stand.sell([*two, absent])
    turn(lambda: len(bits(stand.state(sale).accepted)) == 2, *two)
    assert [stand.locked(k.validator) - b for k, b in zip(two, before, strict=True)] == [LOCK] * 2
    stand.warp_to(sale.epoch.custody.accept_until + 61)
    turn(lambda: stand.state(sale).status is CustodyStatus.LAPSED, *two)
    locks = stand.session("seller").chain.staking.functions
    registry = stand.session("seller").chain.registry.address
    for keeper in two:
        obligation = obligation_id(sale.epoch.custody_id, stand.seat(sale, keeper).index)
        assert locks.obligation(registry, obligation).call().amount == 0
    rounds(2, *two)
    assert [k.ear.kinds(sale)[-1] for k in two] == ["released", "released"]
    # What was pinned for it is let go.
    turn(lambda: not _kept(two[0], sale), two[0])


def _kept(keeper: Keeper, sale: Sale) -> bool:
    from truthmark.cid import raw_cid

    own = keeper.session.storage.stores[0]  # type: ignore[attr-defined]
    return raw_cid(sale.version.terms.manifest) in own.pins()


def test_node__extension__one_stays_one_joins_one_leaves_and_is_released(stand: Stand) -> None:
    with contextlib.ExitStack() as stack:
        first, joiner = (
            stack.enter_context(Keeper(stand.net, name)) for name in ("custodian1", "custodian2")
        )
        leaver = stack.enter_context(Keeper(stand.net, "custodian3", policy=Policy(extends=False)))
        nodes = [first, joiner, leaver]
        sale = live_sale(stand, nodes, threshold=1)
        end = sale.epoch.custody.end
        rounds(2, *nodes)
        assert [k.acted("extend") for k in nodes] == [0, 0, 0]

        # With t = 1 one call is enough; the other joins while the old term still runs.
        stand.warp_to(end - TERM // 3)
        turn(lambda: stand.state(sale).end == end + TERM, first)
        state = stand.state(sale)
        assert bits(state.active) == [stand.seat(sale, first).index]
        turn(lambda: len(bits(stand.state(sale).active)) == 2, joiner, leaver)
        rounds(2, *nodes)
        assert [k.acted("extend") for k in nodes] == [1, 1, 0]
        assert [k.ear.kinds(sale).count("extended") for k in nodes] == [1, 1, 0]
        assert "leaving" in leaver.ear.kinds(sale)

        # Who leaves still serves what was bought before, until the old end, and is free once there
        # was time to fine silence.
        stand.warp_to(end + DELIVERY + INSPECTION + 100)
        turn(lambda: bits(stand.state(sale).released) == [stand.seat(sale, leaver).index], leaver)
        bought = stand.buy(sale)
        turn(lambda: is_delivered(stand, bought), first, joiner, leaver)
        assert leaver.acted("deliver") == 0
        # Over: everybody is free at the end of the last term that they stayed for.
        stand.warp_to(end + TERM - TERM // 3)
        turn(lambda: stand.state(sale).end == end + 2 * TERM, first, joiner)
        stand.warp_to(end + 2 * TERM + DELIVERY + INSPECTION + 200)
        turn(lambda: len(bits(stand.state(sale).released)) == 3, first, joiner)
        rounds(2, first, joiner)
        assert first.role.view._held.get(sale.epoch.custody_id) is None


def test_node__overdue_purchase__is_refunded_before_anybody_joins(stand: Stand) -> None:
    with contextlib.ExitStack() as stack:
        voter, joiner, silent = (stack.enter_context(Keeper(stand.net, n)) for n in NAMES)
        nodes = [voter, joiner, silent]
        sale = live_sale(stand, nodes, threshold=1)
        end = sale.epoch.custody.end
        stand.warp_to(end - TERM // 3)
        bought = stand.buy(sale)
        # The voter alone is awake, and for once he does not deliver.
        voter.session.send(
            *Custodian(voter.session).plan_extend(sale.version, stand.seat(sale, voter), end)
        )
        stand.warp_to(bought.deadline + 1)
        turn(lambda: is_(stand, bought, PurchaseStatus.REFUNDED), joiner)
        rounds(3, joiner)
        assert joiner.acted("refund") == 1
        assert joiner.acted("extend") == 0
        assert stand.state(sale).status is CustodyStatus.CLOSED


def test_node__away__does_not_extend(stand: Stand) -> None:
    with Keeper(stand.net, "custodian1") as node:
        sale = live_sale(stand, [node], threshold=1)
        owner = ValidatorOwner(stand.session("custodian1"))
        owner.set_available(False)
        stand.warp_to(sale.epoch.custody.end - TERM // 3)
        rounds(3, node)
        assert stand.state(sale).votes == 0 and stand.state(sale).end == sale.epoch.custody.end
        owner.set_available(True)
        turn(lambda: stand.state(sale).end > sale.epoch.custody.end, node)


def test_node__retired_version__is_released_after_both_windows_twice(
    stand: Stand, keepers: list[Keeper]
) -> None:
    sale = live_sale(stand, keepers[:1], threshold=1)
    Seller(stand.session("seller")).retire(sale.version)
    stopped = stand.now()
    stand.warp_to(stopped + 2 * (DELIVERY + INSPECTION) - 100)
    rounds(2, keepers[0])
    assert stand.state(sale).released == 0
    stand.warp_to(stopped + 2 * (DELIVERY + INSPECTION) + 10)
    turn(lambda: stand.state(sale).released == 1, keepers[0])


# ------------------------------------------------------------------ keys, restarts


def test_node__operator_is_not_the_owner__acts_and_the_owner_earns(stand: Stand) -> None:
    owner = ValidatorOwner(stand.session("custodian4"))
    operator = Signer(role_key("stranger"))
    owner.register(operator)
    owner.stake(5)
    stand.publish_offer("custodian4")
    with Keeper(stand.net, "stranger", validator=owner.validator) as node:
        sale = live_sale(stand, [node], threshold=1)
        bought = stand.buy(sale)
        turn(lambda: is_delivered(stand, bought), node)
        stand.warp_to(stand.purchase(bought).deadline + 601)
        turn(lambda: is_(stand, bought, PurchaseStatus.SETTLED), node)
        assert stand.credits(owner.validator) == FEE
        # Replaced at once: the node says so and takes nothing new.
        owner.set_operator(stand.address("copycat"))
        refused = stand.sell([node], threshold=1)
        rounds(5, node)
        assert node.ear.kinds().count("operator") == 1
        assert stand.state(refused).accepted == 0
    with Keeper(stand.net, "copycat", validator=owner.validator) as successor:
        # Without a key of his own he cannot open the shares, and says what to do.
        turn(lambda: "refused" in successor.ear.kinds(), successor)
        assert stand.state(refused).accepted == 0
        owner.rotate_encryption_key(Signer(role_key("copycat")))
        later = stand.sell([successor], threshold=1)
        turn(lambda: stand.is_live(later), successor)


def test_node__rotated_key_and_lost_disk__old_and_new_shares_open(stand: Stand) -> None:
    with Keeper(stand.net, "custodian2") as node:
        before = live_sale(stand, [node], threshold=1)
    ValidatorOwner(stand.session("custodian2")).rotate_encryption_key()
    with Keeper(stand.net, "custodian2") as node:
        after = live_sale(stand, [node], threshold=1)
    _wipe(stand, "custodian2")
    with Keeper(stand.net, "custodian2") as node:
        bought = [stand.buy(before), stand.buy(after)]
        turn(lambda: all(is_delivered(stand, b) for b in bought), node)


def _wipe(stand: Stand, role: str) -> None:
    """Lose everything but the account and the settings."""
    home = stand.net.home(role)
    if role in stand.sessions:
        stand.sessions.pop(role).close()
    for entry in home.iterdir():
        if entry.name not in ("accounts", "config.toml", "profiles"):
            shutil.rmtree(entry)


def test_node__restart__goes_on_and_repeats_nothing(stand: Stand) -> None:
    with Keeper(stand.net, "custodian1") as node:
        sale = live_sale(stand, [node], threshold=1)
    bought = stand.buy(sale)
    with Keeper(stand.net, "custodian1") as node:
        turn(lambda: is_delivered(stand, bought), node)
    with Keeper(stand.net, "custodian1") as node:
        count = node.session.chain.rpc.call(
            "eth_getTransactionCount", node.session.address, "latest"
        )
        rounds(5, node)
        assert count == node.session.chain.rpc.call(
            "eth_getTransactionCount", node.session.address, "latest"
        )
        assert node.ear.kinds(sale) == []


def test_node__lost_disk__keeps_delivering_and_pins_again(stand: Stand) -> None:
    with Keeper(stand.net, "custodian1") as node:
        sale = live_sale(stand, [node], threshold=1)
        assert _kept(node, sale)
    _wipe(stand, "custodian1")
    bought = stand.buy(sale)
    with Keeper(stand.net, "custodian1") as node:
        assert not _kept(node, sale)
        turn(lambda: is_delivered(stand, bought), node)
        turn(lambda: _kept(node, sale), node)
    assert len(stand.events("registry", "CustodyAccepted", custody_id=sale.epoch.custody_id)) == 1


def test_node__two_of_one_operator__do_no_harm(stand: Stand, tmp_path: Path) -> None:
    other = tmp_path / "second machine"
    shutil.copytree(stand.net.home("custodian1"), other, ignore=shutil.ignore_patterns("*.sqlite*"))
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(Keeper(stand.net, "custodian1")) for _ in range(2)]
        nodes.append(stack.enter_context(Keeper(stand.net, "custodian1")))
        nodes[2].session.settings = replace(nodes[2].session.settings, home=other)
        sale = live_sale(stand, nodes[:1], threshold=1)
        sale = stand.sell(nodes[:1], threshold=1)
        turn(lambda: stand.is_live(sale), *nodes)
        bought = stand.buy(sale)
        turn(lambda: is_delivered(stand, bought), *nodes)
        stand.warp_to(stand.purchase(bought).deadline + 601)
        turn(lambda: is_(stand, bought, PurchaseStatus.SETTLED), *nodes)
        rounds(3, *nodes)
        for node in nodes:
            assert node.session.journal.pending() == []
    purchase_id = bought.purchase_id
    assert len(stand.events("market", "Delivered", purchase_id=purchase_id)) == 1
    assert len(stand.events("market", "Settled", purchase_id=purchase_id)) == 1
    assert stand.state(sale).fined == 0


def test_node__direct_mode__is_none_of_its_business(stand: Stand, keepers: list[Keeper]) -> None:
    sale = stand.sell([])
    bought = stand.buy(sale)
    rounds(3, *keepers)
    assert all(k.role.view._held.get(sale.epoch.custody_id) is None for k in keepers)
    assert not is_delivered(stand, bought)
    seller = Custodian(stand.session("seller"))
    seller.deliver(sale.version, Seat(sale.epoch, 1), [bought])
    assert is_delivered(stand, bought)


# ----------------------------------------------------------------- command line


def command(stand: Stand, role: str, *arguments: str, code: int = 0) -> str:
    """Run a command as a role, and return what it printed."""
    from click.testing import CliRunner

    from truthmark.cli.main import cli

    ran = CliRunner().invoke(cli, [*arguments, "--home", str(stand.net.home(role))])
    assert ran.exit_code == code, ran.output
    return ran.stdout if not code else ran.output


def obligations(stand: Stand, role: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(stand, role, "stake", "obligations", "--json"))
    return found


def test_stake__from_registering_to_leaving__by_commands(stand: Stand) -> None:
    role = "treasury"
    command(stand, role, "stake", "register")
    command(stand, role, "stake", "add", "3", "--yes")
    offer = ["--fee", "0.1 TUSD", "--max-size", "1GiB", "--max-lock", "150 TMK"]
    command(stand, role, "stake", "offer", *offer, "--keeping-fee", "0 TUSD")
    catalogue = stand.session(role).catalogue
    catalogue.sync()
    found = catalogue.offers(stand.address(role))[0]
    assert found.fees == {stand.token: (FEE, 0)}
    assert (found.max_bytes, found.max_term_seconds) == (2**30, 100 * 86_400)
    assert (found.max_lock, found.free_stake, found.is_available) == (150 * 10**18, 3 * LOCK, True)

    command(stand, role, "stake", "available", "off")
    assert not obligations(stand, role)["is_available"]
    command(stand, role, "stake", "available", "on")

    with Keeper(stand.net, role) as node:
        sale = stand.sell([node], threshold=1)
        turn(lambda: stand.is_live(sale), node)
    shown = obligations(stand, role)
    assert shown["locked"]["units"] == str(LOCK)
    assert [(d["dataset"], d["status"]) for d in shown["obligations"]] == [
        (sale.version.ref, "live")
    ]
    assert sale.version.ref in command(stand, role, "stake", "obligations")

    # What an obligation locks does not leave; the rest does, after its time.
    output = command(stand, role, "stake", "unbond", "3", code=6)
    assert "not enough free stake" in output
    command(stand, role, "stake", "unbond", "2")
    assert [t["unbonding_until"] is None for t in obligations(stand, role)["tickets"]] == [
        True,
        False,
        False,
    ]
    assert json.loads(command(stand, role, "stake", "withdraw", "--json"))["tickets"] == []
    held = stand.session(role).token(stand.net.profile.contracts["token"].address).functions
    before = held.balanceOf(stand.address(role)).call()
    stand.warp_to(stand.now() + 86_401)
    paid = json.loads(command(stand, role, "stake", "withdraw", "--json"))
    assert paid["paid"]["units"] == str(2 * LOCK)
    assert held.balanceOf(stand.address(role)).call() - before == 2 * LOCK
    assert len(obligations(stand, role)["tickets"]) == 1


def test_stake__fined__tops_up(stand: Stand) -> None:
    with Keeper(stand.net, "custodian2") as node:
        sale = live_sale(stand, [node], threshold=1)
        bought = stand.buy(sale)
        stand.warp_to(bought.deadline + 1)
        turn(lambda: is_(stand, bought, PurchaseStatus.REFUNDED), node)
    missing = int(obligations(stand, "custodian2")["missing"]["units"])
    assert missing >= PENALTY
    command(stand, "custodian2", "stake", "top-up", "1 TMK")
    assert int(obligations(stand, "custodian2")["missing"]["units"]) == missing - 10**18
    command(stand, "custodian2", "stake", "top-up")
    assert obligations(stand, "custodian2")["missing"]["units"] == "0"


def test_stake__operator_on_another_machine__registers_what_it_printed(stand: Stand) -> None:
    owner, operator = "owner", stand.address("stranger")
    failed = command(stand, owner, "stake", "register", "--operator", operator, code=3)
    assert "stake key" in failed
    key = command(stand, "stranger", "stake", "key", "--validator", stand.address(owner)).strip()
    both = ["--operator", operator, "--encryption-key"]
    assert "no encryption key" in command(stand, owner, "stake", "register", *both, "0x12", code=3)
    command(stand, owner, "stake", "register", *both, key)
    command(stand, owner, "stake", "add", "1", "--yes")
    validator = stand.address(owner)
    command(stand, "stranger", "stake", "offer", "--fee", "0.1 TUSD", "--validator", validator)
    with Keeper(stand.net, "stranger", validator=validator) as node:
        sale = live_sale(stand, [node], threshold=1)
        before = stand.session("seller").catalogue.encryption_keys(validator)
        key = command(stand, "stranger", "stake", "key", "--validator", validator).strip()
        command(stand, owner, "stake", "rotate-key", *both, key)
        stand.session("seller").catalogue.sync()
        assert stand.session("seller").catalogue.encryption_keys(validator) == [
            *before,
            bytes.fromhex(key[2:]),
        ]
        bought = stand.buy(sale)
        turn(lambda: is_delivered(stand, bought), node)


def test_stake__command_killed_after_sending__is_not_repeated(stand: Stand) -> None:
    """The same command again waits for what the killed one had sent."""
    session = stand.session("custodian3")
    owner = ValidatorOwner(session)
    before = session.chain.staking.functions.validator(owner.validator).call().ticket_count
    session.allow(
        stand.net.profile.contracts["token"].address, session.chain.staking.address, 10 * LOCK
    )
    intent = session.chain.staking.functions.stake(2).intent("stake before the kill")
    session.journal.submit(intent)
    owner.stake(2)
    assert session.chain.staking.functions.validator(owner.validator).call().ticket_count == (
        before + 2
    )
