# SPDX-License-Identifier: Apache-2.0
"""Nodes of custodians: keys, restarts, and the commands of their owners."""

import contextlib
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.utils.node_sales import clean_up, harness, is_, is_delivered, is_kept, live_sale, nodes
from tests.utils.nodes import (
    FEE,
    LOCK,
    PENALTY,
    ManualNode,
    MarketHarness,
    repeat_rounds,
    run_rounds,
)
from truthmark.market.catalogue import Catalogue
from truthmark.market.custodian import Custodian, CustodySlot
from truthmark.market.records import PurchaseStatus
from truthmark.market.validator import ValidatorOwner
from truthmark.session import Signer
from truthmark.testing.network import role_key

__all__ = ["clean_up", "harness", "nodes"]

pytestmark = pytest.mark.chain


# ------------------------------------------------------------------ keys, restarts


@pytest.mark.untraced
def test_node__operator_is_not_the_owner__acts_and_the_owner_earns(harness: MarketHarness) -> None:
    owner = ValidatorOwner(harness.session("custodian4"))
    operator = Signer(role_key("stranger"))
    owner.register(operator)
    owner.stake(5)
    harness.publish_offer("custodian4")
    with ManualNode(harness.net, "stranger", validator=owner.validator) as node:
        sale = live_sale(harness, [node], threshold=1)
        bought = harness.buy(sale)
        run_rounds(lambda: is_delivered(harness, bought), node)
        harness.warp_to(harness.purchase(bought).deadline + 601)
        run_rounds(lambda: is_(harness, bought, PurchaseStatus.SETTLED), node)
        assert harness.credits(owner.validator) == FEE
        # Replaced at once: the node says so and takes nothing new.
        owner.set_operator(harness.address("copycat"))
        refused = harness.sell([node], threshold=1)
        repeat_rounds(5, node)
        assert node.notifier.kinds().count("operator") == 1
        assert harness.state(refused).accepted == 0
    with ManualNode(harness.net, "copycat", validator=owner.validator) as successor:
        # Without a key of its own it cannot open the shares, and says what to do.
        run_rounds(lambda: "refused" in successor.notifier.kinds(), successor)
        assert harness.state(refused).accepted == 0
        owner.rotate_encryption_key(Signer(role_key("copycat")))
        later = harness.sell([successor], threshold=1)
        run_rounds(lambda: harness.is_live(later), successor)


@pytest.mark.untraced
def test_node__rotated_key_and_lost_disk__old_and_new_shares_open(harness: MarketHarness) -> None:
    with ManualNode(harness.net, "custodian2") as node:
        before = live_sale(harness, [node], threshold=1)
    ValidatorOwner(harness.session("custodian2")).rotate_encryption_key()
    with ManualNode(harness.net, "custodian2") as node:
        after = live_sale(harness, [node], threshold=1)
    _wipe(harness, "custodian2")
    with ManualNode(harness.net, "custodian2") as node:
        bought = [harness.buy(before), harness.buy(after)]
        run_rounds(lambda: all(is_delivered(harness, b) for b in bought), node)


def _wipe(harness: MarketHarness, role: str) -> None:
    """Lose everything but the account and the settings."""
    home = harness.net.home(role)
    if role in harness.sessions:
        harness.sessions.pop(role).close()
    for entry in home.iterdir():
        if entry.name not in ("accounts", "config.toml", "profiles"):
            shutil.rmtree(entry)


def test_node__restart__goes_on_and_repeats_nothing(harness: MarketHarness) -> None:
    with ManualNode(harness.net, "custodian1") as node:
        sale = live_sale(harness, [node], threshold=1)
    bought = harness.buy(sale)
    with ManualNode(harness.net, "custodian1") as node:
        run_rounds(lambda: is_delivered(harness, bought), node)
    with ManualNode(harness.net, "custodian1") as node:
        count = node.session.chain.rpc.call(
            "eth_getTransactionCount", node.session.address, "latest"
        )
        repeat_rounds(5, node)
        assert count == node.session.chain.rpc.call(
            "eth_getTransactionCount", node.session.address, "latest"
        )
        assert node.notifier.kinds(sale) == []


def test_node__lost_disk__keeps_delivering_and_pins_again(harness: MarketHarness) -> None:
    with ManualNode(harness.net, "custodian1") as node:
        sale = live_sale(harness, [node], threshold=1)
        assert is_kept(node, sale)
    _wipe(harness, "custodian1")
    bought = harness.buy(sale)
    with ManualNode(harness.net, "custodian1") as node:
        assert not is_kept(node, sale)
        run_rounds(lambda: is_delivered(harness, bought), node)
        run_rounds(lambda: is_kept(node, sale), node)
    assert len(harness.events("registry", "CustodyAccepted", custody_id=sale.epoch.custody_id)) == 1


@pytest.mark.untraced
def test_node__two_of_one_operator__do_no_harm(harness: MarketHarness, tmp_path: Path) -> None:
    other = tmp_path / "second machine"
    shutil.copytree(
        harness.net.home("custodian1"), other, ignore=shutil.ignore_patterns("*.sqlite*")
    )
    with contextlib.ExitStack() as stack:
        nodes = [stack.enter_context(ManualNode(harness.net, "custodian1")) for _ in range(2)]
        nodes.append(stack.enter_context(ManualNode(harness.net, "custodian1")))
        nodes[2].session.settings = replace(nodes[2].session.settings, home=other)
        sale = live_sale(harness, nodes[:1], threshold=1)
        sale = harness.sell(nodes[:1], threshold=1)
        run_rounds(lambda: harness.is_live(sale), *nodes)
        bought = harness.buy(sale)
        run_rounds(lambda: is_delivered(harness, bought), *nodes)
        harness.warp_to(harness.purchase(bought).deadline + 601)
        run_rounds(lambda: is_(harness, bought, PurchaseStatus.SETTLED), *nodes)
        repeat_rounds(3, *nodes)
        for node in nodes:
            assert node.session.journal.pending() == []
    purchase_id = bought.purchase_id
    assert len(harness.events("market", "Delivered", purchase_id=purchase_id)) == 1
    assert len(harness.events("market", "Settled", purchase_id=purchase_id)) == 1
    assert harness.state(sale).fined == 0


def test_node__direct_mode__is_none_of_its_business(
    harness: MarketHarness, nodes: list[ManualNode]
) -> None:
    sale = harness.sell([])
    bought = harness.buy(sale)
    repeat_rounds(3, *nodes)
    assert all(k.role.view._held.get(sale.epoch.custody_id) is None for k in nodes)
    assert not is_delivered(harness, bought)
    seller = Custodian(harness.session("seller"))
    seller.deliver(sale.version, CustodySlot(sale.epoch, 1), [bought])
    assert is_delivered(harness, bought)


# ----------------------------------------------------------------- command line


def command(harness: MarketHarness, role: str, *arguments: str, code: int = 0) -> str:
    """Run a command as a role, and return what it printed."""
    from click.testing import CliRunner

    from truthmark.cli.main import cli

    ran = CliRunner().invoke(cli, [*arguments, "--home", str(harness.net.home(role))])
    assert ran.exit_code == code, ran.output
    return ran.stdout if not code else ran.output


def obligations(harness: MarketHarness, role: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(command(harness, role, "stake", "obligations", "--json"))
    return found


def test_stake__from_registering_to_leaving__by_commands(harness: MarketHarness) -> None:
    role = "treasury"
    command(harness, role, "stake", "register")
    command(harness, role, "stake", "add", "3", "--yes")
    offer = ["--fee", "0.1 TUSD", "--max-size", "1GiB", "--max-lock", "150 TMK"]
    command(harness, role, "stake", "offer", *offer, "--keeping-fee", "0 TUSD", "--takes-unsampled")
    catalogue = Catalogue.of(harness.session(role))
    catalogue.sync()
    found = catalogue.offers(harness.address(role))[0]
    assert found.fees == {harness.token: (FEE, 0)}
    assert (found.max_bytes, found.max_period_seconds) == (2**30, 100 * 86_400)
    assert (found.max_lock, found.free_stake, found.is_available) == (150 * 10**18, 3 * LOCK, True)

    command(harness, role, "stake", "available", "off")
    assert not obligations(harness, role)["is_available"]
    command(harness, role, "stake", "available", "on")

    with ManualNode(harness.net, role) as node:
        sale = harness.sell([node], threshold=1)
        run_rounds(lambda: harness.is_live(sale), node)
    shown = obligations(harness, role)
    assert shown["locked"]["units"] == str(LOCK)
    assert [(d["dataset"], d["status"]) for d in shown["obligations"]] == [
        (sale.version.ref, "live")
    ]
    assert sale.version.ref in command(harness, role, "stake", "obligations")

    # What an obligation locks does not leave; the rest does, after its time.
    output = command(harness, role, "stake", "unbond", "3", code=6)
    assert "not enough free stake" in output
    command(harness, role, "stake", "unbond", "2")
    assert [t["unbonding_until"] is None for t in obligations(harness, role)["tickets"]] == [
        True,
        False,
        False,
    ]
    assert json.loads(command(harness, role, "stake", "withdraw", "--json"))["tickets"] == []
    held = harness.session(role).token(harness.net.profile.contracts["token"].address).functions
    before = held.balanceOf(harness.address(role)).call()
    harness.warp_to(harness.now() + 86_401)
    paid = json.loads(command(harness, role, "stake", "withdraw", "--json"))
    assert paid["paid"]["units"] == str(2 * LOCK)
    assert held.balanceOf(harness.address(role)).call() - before == 2 * LOCK
    assert len(obligations(harness, role)["tickets"]) == 1


def test_stake__fined__tops_up(harness: MarketHarness) -> None:
    with ManualNode(harness.net, "custodian2") as node:
        sale = live_sale(harness, [node], threshold=1)
        bought = harness.buy(sale)
        harness.warp_to(bought.deadline + 1)
        run_rounds(lambda: is_(harness, bought, PurchaseStatus.REFUNDED), node)
    missing = int(obligations(harness, "custodian2")["missing"]["units"])
    assert missing >= PENALTY
    command(harness, "custodian2", "stake", "top-up", "1 TMK")
    assert int(obligations(harness, "custodian2")["missing"]["units"]) == missing - 10**18
    command(harness, "custodian2", "stake", "top-up")
    assert obligations(harness, "custodian2")["missing"]["units"] == "0"


@pytest.mark.untraced
def test_stake__operator_on_another_machine__registers_what_it_printed(
    harness: MarketHarness,
) -> None:
    owner, operator = "owner", harness.address("stranger")
    failed = command(harness, owner, "stake", "register", "--operator", operator, code=3)
    assert "stake key" in failed
    key = command(
        harness, "stranger", "stake", "key", "--validator", harness.address(owner)
    ).strip()
    both = ["--operator", operator, "--encryption-key"]
    assert "no encryption key" in command(
        harness, owner, "stake", "register", *both, "0x12", code=3
    )
    command(harness, owner, "stake", "register", *both, key)
    command(harness, owner, "stake", "add", "1", "--yes")
    validator = harness.address(owner)
    offer = ["--fee", "0.1 TUSD", "--takes-unsampled", "--validator", validator]
    command(harness, "stranger", "stake", "offer", *offer)
    with ManualNode(harness.net, "stranger", validator=validator) as node:
        sale = live_sale(harness, [node], threshold=1)
        before = Catalogue.of(harness.session("seller")).encryption_keys(validator)
        key = command(harness, "stranger", "stake", "key", "--validator", validator).strip()
        command(harness, owner, "stake", "rotate-key", *both, key)
        Catalogue.of(harness.session("seller")).sync()
        assert Catalogue.of(harness.session("seller")).encryption_keys(validator) == [
            *before,
            bytes.fromhex(key[2:]),
        ]
        bought = harness.buy(sale)
        run_rounds(lambda: is_delivered(harness, bought), node)


def test_stake__command_killed_after_sending__is_not_repeated(harness: MarketHarness) -> None:
    """The same command again waits for what the killed one had sent."""
    session = harness.session("custodian3")
    owner = ValidatorOwner(session)
    before = session.chain.staking.functions.validator(owner.validator).call().ticket_count
    session.allow(
        harness.net.profile.contracts["token"].address, session.chain.staking.address, 10 * LOCK
    )
    intent = session.chain.staking.functions.stake(2).intent("stake before the kill")
    session.journal.submit(intent)
    owner.stake(2)
    assert session.chain.staking.functions.validator(owner.validator).call().ticket_count == (
        before + 2
    )
