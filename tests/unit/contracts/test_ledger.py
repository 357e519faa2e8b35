# SPDX-License-Identifier: Apache-2.0
"""The ledger module, in the smallest contract that includes it."""

from collections.abc import Iterator
from typing import Any

import boa
import pytest
from vyper import ast as vy_ast
from vyper.ast import parse_to_ast

from tests.utils.contracts import CONTRACTS, events, reasons, reverts
from tests.utils.tokens import KINDS, WELL_BEHAVED, Kind, Mode, deploy_hostile_token, deployer, fund

ZERO = "0x" + "00" * 20
GAS = 2_000_000  # enough for every kind but the one that eats it all


@pytest.fixture(scope="module")
def ledger() -> Any:
    return deployer("test/LedgerHarness").deploy()


@pytest.fixture(scope="module")
def payer() -> str:
    return boa.env.generate_address("payer")


@pytest.fixture(scope="module")
def stranger() -> str:
    return boa.env.generate_address("stranger")


@pytest.fixture(autouse=True)
def isolation(ledger: Any) -> Iterator[None]:
    with boa.env.anchor():
        yield


@pytest.fixture
def token(ledger: Any, payer: str) -> Any:
    token = deploy_hostile_token()
    fund(token, payer, ledger.address, 1_000)
    return token


@pytest.fixture(params=KINDS, ids=str)
def kind(request: pytest.FixtureRequest, token: Any, payer: str) -> Kind:
    token.set_blocked(payer, True)
    return request.param


def test_pull__allowance_and_balance__moves_and_credits(
    ledger: Any, token: Any, payer: str
) -> None:
    ledger.pull(token, payer, 300)
    assert ledger.balances(token, payer) == 300
    assert token.balanceOf(ledger) == 300
    assert token.balanceOf(payer) == 700
    assert token.allowance(payer, ledger) == 700


def test_pull__more_than_allowed__reverts(ledger: Any, token: Any, payer: str) -> None:
    with reverts(ledger, ""):
        ledger.pull(token, payer, 1_001)
    assert ledger.balances(token, payer) == 0


def test_pull__nothing__does_not_call_the_token(ledger: Any, token: Any, payer: str) -> None:
    token.set_mode(Mode.PAUSED)
    ledger.pull(token, payer, 0)
    assert ledger.balances(token, payer) == 0


def test_pull__no_code_at_the_token__reverts(ledger: Any, payer: str, stranger: str) -> None:
    with reverts(ledger, ""):
        ledger.pull(stranger, payer, 1)


def test_pull__from_the_ledger_itself__brings_nothing(ledger: Any, token: Any) -> None:
    fund(token, ledger.address, ledger.address, 10)
    with reverts(ledger, "ledger: short transfer"):
        ledger.pull(token, ledger, 10)


def test_pull__hostile_token__enters_exactly_or_not_at_all(
    ledger: Any, token: Any, kind: Kind, payer: str
) -> None:
    token.set_mode(kind.mode)
    if kind.pull is None:
        ledger.pull(token, payer, 300, gas=GAS)
        assert ledger.balances(token, payer) == 300
        assert token.balanceOf(ledger) == 300
    else:
        with reverts_like(ledger, kind.pull):
            ledger.pull(token, payer, 300, gas=GAS)
        assert ledger.balances(token, payer) == 0


def test_withdraw__by_a_stranger__pays_the_account_all(
    ledger: Any, token: Any, payer: str, stranger: str
) -> None:
    ledger.pull(token, payer, 300)
    assert ledger.withdraw(token, payer, 0, sender=stranger) == 300
    assert events(ledger) == [
        ("Withdrawn", {"token": token.address, "account": payer, "amount": 300})
    ]
    assert ledger.balances(token, payer) == 0
    assert token.balanceOf(payer) == 1_000
    assert token.balanceOf(ledger) == 0
    assert token.balanceOf(stranger) == 0


def test_withdraw__part_of_an_entry__pays_that_and_keeps_the_rest(
    ledger: Any, token: Any, payer: str, stranger: str
) -> None:
    ledger.pull(token, payer, 300)
    for amount, rest in ((1, 299), (99, 200), (200, 0)):
        assert ledger.withdraw(token, payer, amount, sender=stranger) == amount
        assert events(ledger) == [
            ("Withdrawn", {"token": token.address, "account": payer, "amount": amount})
        ]
        assert ledger.balances(token, payer) == token.balanceOf(ledger) == rest
        assert token.balanceOf(payer) == 1_000 - rest


@pytest.mark.parametrize("entry", [0, 300])
def test_withdraw__more_than_the_entry__is_refused(
    ledger: Any, token: Any, payer: str, stranger: str, entry: int
) -> None:
    fund(token, stranger, ledger.address, 500)
    ledger.pull(token, stranger, 500)
    ledger.pull(token, payer, entry)
    for amount in (entry + 1, 2**256 - 1):
        with reverts(ledger, "ledger: more than the entry"):
            ledger.withdraw(token, payer, amount)
    assert ledger.balances(token, payer) == entry
    assert ledger.balances(token, stranger) == 500


def test_withdraw__token_moves_less_than_the_entry_at_once__pays_in_parts(
    ledger: Any, token: Any, payer: str, stranger: str
) -> None:
    ledger.pull(token, payer, 25)
    token.set_mode(Mode.LIMITED)
    most = token.MOST()
    for amount in (0, 25, most + 1):
        with reverts(ledger, "hostile: too much at once"):
            ledger.withdraw(token, payer, amount)
    assert [ledger.withdraw(token, payer, amount) for amount in (most, most, 0)] == [10, 10, 5]
    assert token.balanceOf(payer) == 1_000
    assert token.balanceOf(ledger) == 0


@pytest.mark.parametrize("mode", [Mode.HOOK_BEFORE, Mode.HOOK_AFTER])
@pytest.mark.parametrize("amount", [0, 40, 100])
def test_withdraw__seen_from_the_tokens_hook__is_out_of_the_entry_already(
    ledger: Any, token: Any, payer: str, mode: Mode, amount: int
) -> None:
    """The entry goes down before the call; the lock does not show it to a caller who only reads."""
    ledger.pull(token, payer, 100)
    token.set_mode(mode)
    token.set_hook(ledger, ledger.peek.prepare_calldata(token, payer), 1)
    ledger.withdraw(token, payer, amount)
    assert token.hook_success()
    assert int.from_bytes(token.hook_response(), "big") == 100 - (amount or 100)


def test_withdraw__nothing_to_pay__returns_zero_and_calls_nobody(
    ledger: Any, token: Any, payer: str
) -> None:
    token.set_mode(Mode.PAUSED)
    assert ledger.withdraw(token, payer, 0) == 0
    assert events(ledger) == []


def test_withdraw__twice__pays_once(ledger: Any, token: Any, payer: str, stranger: str) -> None:
    fund(token, stranger, ledger.address, 300)
    ledger.pull(token, stranger, 300)
    ledger.pull(token, payer, 300)
    assert [ledger.withdraw(token, payer, 0), ledger.withdraw(token, payer, 0)] == [300, 0]
    assert token.balanceOf(ledger) == ledger.balances(token, stranger) == 300


def test_withdraw__hostile_token__hurts_its_own_users_only(
    ledger: Any, token: Any, kind: Kind, payer: str, stranger: str
) -> None:
    token.mint(ledger, 6)  # of other users of this token: a fee from the sender takes theirs
    other = deploy_hostile_token()
    fund(other, payer, ledger.address, 500)
    ledger.pull(other, payer, 500)
    ledger.pull(token, payer, 300)
    ledger.pull(token, payer, 300)
    token.set_mode(kind.mode)
    if kind.withdraw is None:
        assert ledger.withdraw(token, payer, 0, gas=GAS, sender=stranger) == 600
        assert ledger.balances(token, payer) == 0
    else:
        with reverts_like(ledger, kind.withdraw):
            ledger.withdraw(token, payer, 0, gas=GAS, sender=stranger)
        assert ledger.balances(token, payer) == 600
        token.set_mode(WELL_BEHAVED)  # the token recovers: nothing was lost
        assert ledger.withdraw(token, payer, 0) == 600
    assert ledger.withdraw(other, payer, 0) == 500


def test_withdraw__one_account_blocked__pays_the_others(
    ledger: Any, token: Any, payer: str, stranger: str
) -> None:
    fund(token, stranger, ledger.address, 50)
    ledger.pull(token, payer, 300)
    ledger.pull(token, stranger, 50)
    token.set_mode(Mode.BLOCKS)
    token.set_blocked(payer, True)
    with reverts(ledger, "hostile: blocked"):
        ledger.withdraw(token, payer, 0)
    assert ledger.withdraw(token, stranger, 0) == 50


def test_withdraw__token_with_two_doors__counts_each_coin_once(
    ledger: Any, token: Any, payer: str, stranger: str
) -> None:
    door = deployer("test/ProxyToken").deploy(token)
    token.set_proxy(door)
    door.approve(ledger, 400, sender=payer)
    ledger.pull(door, payer, 400)
    ledger.pull(token, payer, 100)
    assert (ledger.balances(door, payer), ledger.balances(token, payer)) == (400, 100)
    assert ledger.withdraw(token, payer, 0) == 100
    assert ledger.withdraw(door, payer, 0) == 400
    assert token.balanceOf(ledger) == 0


def test_credit__several__adds_up_without_touching_the_token(
    ledger: Any, token: Any, payer: str
) -> None:
    token.set_mode(Mode.PAUSED)
    for amount in (5, 0, 7):
        ledger.credit(token, payer, amount)
    assert ledger.balances(token, payer) == 12


def test_burn__taken_in__stays_for_good(ledger: Any, token: Any, payer: str) -> None:
    ledger.pull(token, payer, 300)
    ledger.burn(token, 40)
    assert ledger.BURN() == ZERO
    assert ledger.balances(token, ZERO) == 40
    with reverts(ledger, "ledger: burned for good"):
        ledger.withdraw(token, ZERO, 0)
    with reverts(ledger, "ledger: burned for good"):
        ledger.withdraw(token, ZERO, 40)
    assert token.balanceOf(ledger) == 300


@pytest.mark.parametrize("mode", [Mode.HOOK_BEFORE, Mode.HOOK_AFTER])
@pytest.mark.parametrize("outer", ["pull", "withdraw"])
@pytest.mark.parametrize("inner", ["pull", "withdraw", "credit", "burn", "balances"])
def test_reentry__from_the_tokens_hook__meets_one_lock(
    ledger: Any, token: Any, payer: str, mode: Mode, outer: str, inner: str
) -> None:
    """The pragma in the module locks `withdraw` together with the host's own functions."""
    arguments = {
        "pull": (token, payer, 10),
        "withdraw": (token, payer, 0),
        "credit": (token, payer, 10),
        "burn": (token, 10),
        "balances": (token, payer),
    }
    ledger.pull(token, payer, 100)
    token.set_mode(mode)
    with boa.env.anchor():  # the same call goes through when nothing is going on
        getattr(ledger, inner)(*arguments[inner])
    token.set_hook(ledger, getattr(ledger, inner).prepare_calldata(*arguments[inner]), 1)
    getattr(ledger, outer)(*arguments[outer])
    assert token.hook_count() == 0
    assert not token.hook_success()
    assert token.hook_response() == b""
    expected = {"pull": 110, "withdraw": 0}[outer]
    assert ledger.balances(token, payer) == token.balanceOf(ledger) == expected
    assert ledger.balances(token, ZERO) == 0


def test_kinds__table__covers_every_mode_and_every_reason() -> None:
    module = parse_to_ast((CONTRACTS / "test/HostileToken.vy").read_text())
    (flag,) = module.get_children(vy_ast.FlagDef)
    assert [member.value.id for member in flag.body] == [mode.name for mode in Mode]
    assert {kind.mode for kind in KINDS} == set(Mode)
    assert reasons("modules/ledger.vy") == {
        "ledger: short transfer",
        "ledger: transfer failed",
        "ledger: burned for good",
        "ledger: more than the entry",
    }


def reverts_like(contract: Any, reason: str) -> Any:
    """Expect the ledger's or the token's words, or a bomb or silence where there are none."""
    return reverts(contract, reason) if reason else pytest.raises(boa.BoaError)
