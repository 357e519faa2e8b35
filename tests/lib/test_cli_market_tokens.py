# SPDX-License-Identifier: Apache-2.0
"""Malformed arguments of the market's commands, and tokens that nobody knows."""

from collections.abc import Callable
from itertools import count, cycle, islice
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import truthmark
from tests.utils.cli import Person
from tests.utils.cli_market import (
    DIRECT,
    PLENTY,
    address,
    buyer,
    frame,
    held,
    kept,
    net,
    seller,
    sold,
)
from tests.utils.token_chain import compile_vyper
from truthmark.chain.transactions import Intent
from truthmark.cli.main import BUG
from truthmark.config.profile import TokenInfo, Windows
from truthmark.config.units import to_checksum_address
from truthmark.market.catalogue import Catalogue
from truthmark.market.drafts.custody import DIRECT as IN_PERSON
from truthmark.market.entries import Version
from truthmark.market.seller import Seller
from truthmark.session import Session
from truthmark.testing.network import Devnet

__all__ = ["buyer", "frame", "kept", "net", "seller", "sold"]

pytestmark = pytest.mark.chain


# ---------------------------------------------------------------------- malformed input


GARBAGE = [
    " ",
    "-",
    "0",
    "1e9",
    "9" * 5_000,
    "17@",
    "@",
    "1@0",
    "1@2@3",
    "0x",
    "0x" + "f" * 63,
    "0x" + "0" * 40,
    "0x" + "F" * 39 + "g",
    "../../etc/passwd",
    "\x1b[31mred",
    "💥",
    "\udc80",
    "truthmark://",
    "truthmark://1/0x" + "0" * 40 + "/1",
    "NaN TUSD",
    "1 TUSD TUSD",
    "1.00000000001 TUSD",
    "-5 TUSD",
    "424242",
    "5 NOPE",
    "9" * 80 + " TUSD",
    "'; drop table",
    "x" * 20_000,
    "%s%n{}",
    "null",
    "\u0661\u0667",
]


PLACES = [
    ("show", "X"),
    ("fetch", "X"),
    ("buy", "X", *PLENTY),
    ("buy", "KEPT", "--yes", "--blind", "--max-price", "X"),
    ("get", "X", "OUT", *PLENTY),
    ("dispute", "X"),
    ("refund", "X"),
    ("sales", "X"),
    ("deliver", "X"),
    ("settle", "X"),
    ("reprice", "X", "1 TUSD"),
    ("reprice", "KEPT", "X"),
    ("top-up", "KEPT", "X", "--yes"),
    ("voucher", "KEPT", "X", "--price", "1 TUSD"),
    ("voucher", "KEPT", "seller", "--price", "X"),
    ("search", "--max-price", "X"),
    ("search", "--token", "X"),
    ("renew", "KEPT", "--custodians", "X", "--yes"),
    ("list", "PACKED", "--custodians", "direct", "--yes", "--price", "X"),
    ("list", "PACKED", "--price", "1 TUSD", "--yes", "--windows", "X"),
    ("withdraw", "--token", "X"),
    ("devnet", "warp", "X"),
    ("wallet", "address", "X"),
    ("init", "--profile", "X"),
]


# Where some of the above are answers: an address, seconds.
FINE = {("voucher", "0x" + "0" * 40), ("withdraw", "0x" + "0" * 40), ("devnet", "424242")}


EACH = 9  # of GARBAGE for each place, another part for the next


@pytest.mark.parametrize("place", PLACES, ids=lambda place: " ".join(place)[:40])
def test_arguments__malformed__are_one_clean_line(
    place: tuple[str, ...], seller: Person, kept: str, tmp_path: Path
) -> None:
    start = PLACES.index(place) * EACH
    known = {"KEPT": kept, "OUT": str(tmp_path / "out")}
    known["PACKED"] = str(min((seller.home / "packed").glob("rows*")))
    for text in islice(cycle(GARBAGE), start, start + EACH):
        if (place[0], text) in FINE:
            continue
        shown = seller(*(known.get(part, text if part == "X" else part) for part in place))
        lines = shown.err.splitlines()
        assert shown.code not in (0, BUG), (text[:50], shown.out, shown.err)
        assert len([line for line in lines if line.startswith("error: ")]) == 1, shown.err
        assert "Traceback" not in shown.err
        assert "\x1b" not in shown.err
        assert not shown.out
    assert not (tmp_path / "out").exists()


# ------------------------------------------------------------- tokens that nobody knows


# Anyone who is paid in it pays for what it does, or gets nothing if it is broken.
STRANGE = """
# pragma version 0.4.3
balanceOf: public(HashMap[address, uint256])
is_broken: public(bool)

@external
def break_it():
    self.is_broken = True

@external
@view
def allowance(holder: address, spender: address) -> uint256:
    return max_value(uint256)

@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    self.balanceOf[receiver] += amount
    return True

@external
def transfer(receiver: address, amount: uint256) -> bool:
    assert not self.is_broken, "no money for you"
    self.balanceOf[receiver] += amount
    return True
"""


def list_in(session: Session, token: TokenInfo, folder: Path, **options: Any) -> Version:
    """List something for direct delivery in a token that the profile need not know."""
    frame = pd.DataFrame({"a": [1]})
    truthmark.pack(
        frame, folder, licence="MIT", title="in any token", preview=False, session=session
    )
    listed = Seller(session).list_dataset(
        folder,
        price=1_000,
        token=token,
        windows=Windows(60, 60, 60),
        offer=IN_PERSON,
        **options,
    )
    return Catalogue.of(session).version(f"0x{listed.terms.terms_id.hex()}")


Creditor = Callable[..., str]


@pytest.fixture
def credit(net: Devnet, tmp_path: Path) -> Creditor:
    """Give a function that credits an account with 1,000 units; of a new token if none is named."""
    artifact = compile_vyper("Strange", STRANGE)
    numbers = count(1)

    def credit(role: str, payee: str, token: TokenInfo | None = None) -> str:
        number = next(numbers)
        with net.session(role) as session:
            if token is None:
                made = session.journal.send(Intent(f"{tmp_path}{number}", None, artifact.bytecode))
                token = TokenInfo("STRANGE", str(made.contract_address), 0)
            folder = tmp_path / f"packed{number}"
            version = list_in(session, token, folder, bond=1_000, payee=payee)
            Seller(session).retire(version)
            net.warp(121)
            Seller(session).close(version)
        return token.address

    return credit


def test_withdraw__tokens_of_strangers__are_told_of_and_only_paid_when_named(
    net: Devnet, credit: Creditor
) -> None:
    victim = Person(net.home("buyer3"))
    token = credit("stranger", address(victim))
    with net.session("buyer3") as session:
        before = session.chain.balance(session.address)
        for command in ("balance", "withdraw"):
            told = victim(command).ok().err
            assert f"tokens of strangers: {token}; `truthmark withdraw --token" in told
        assert "nothing is owed" not in told
        assert session.chain.balance(session.address) == before
    done = victim("withdraw", "--token", token.lower(), "--json").ok()
    assert [(p["units"], p["token"]) for p in done.json] == [("1000", token)]
    assert "nothing is owed" in victim("withdraw").ok().err
    told = [credit("stranger", address(victim)) for _ in range(4)]
    shown = victim("withdraw").ok().err
    assert sum(token in shown for token in told) == 3
    assert "and 1 more" in shown
    for token in told:
        victim("withdraw", "--token", token).ok()


def test_withdraw__one_token_fails__pays_the_others_and_says_so_at_the_end(
    net: Devnet, credit: Creditor
) -> None:
    me = Person(net.home("copycat"))
    me("withdraw").ok()
    broken, sound = sorted(credit("copycat", address(me)) for _ in range(2))
    credit("copycat", address(me), net.profile.token("TUSD"))
    with net.session("copycat") as session:
        functions = session.chain.at(broken, compile_vyper("Strange", STRANGE)).functions
        session.send_repeatable(functions.break_it(), "break it")
    shown = me("withdraw").refused(6, f"1000 base units of unknown token {broken} (")
    assert "no money for you" in shown.err
    assert f"0.001 TUSD paid to {address(me)}" in shown.out
    assert f"1000 base units of unknown token {sound} paid to" in shown.out
    assert me("withdraw", "--json").refused(6, "not paid out").json == []


def test_withdraw__amount__pays_just_that_and_never_more_than_is_owed(
    net: Devnet, credit: Creditor
) -> None:
    me = Person(net.home("copycat"))
    me("withdraw", "--token", "TUSD").ok()
    credit("copycat", address(me), net.profile.token("TUSD"))
    before = held(me)
    me("withdraw", "--amount", "0.002 TUSD").refused(8, "only 0.001 TUSD is owed")
    me("withdraw", "--amount", "0 TUSD").refused(3, "without --amount all of it is paid out")
    me("withdraw", "--amount", "400").refused(3, "400 of what?")
    me("withdraw", "--amount", "0.0004 TUSD", "--token", "TMK").refused(8, "in another")
    assert held(me) == before
    assert "0.0004 TUSD paid to" in me("withdraw", "--amount", "0.0004 TUSD").ok().out
    assert held(me) == before + 400
    done = me("withdraw", "--amount", "0.0006 TUSD", "--json").ok()
    assert [p["units"] for p in done.json] == ["600"]
    assert held(me) == before + 1_000
    assert "nothing is owed" in me("withdraw", "--amount", "0.001 TUSD").ok().err

    stranger = credit("copycat", address(me))
    done = me("withdraw", "--amount", "400", "--token", stranger, "--json").ok()
    assert [p["units"] for p in done.json] == ["400"]
    assert "600 base units" in me("withdraw", "--token", stranger).ok().out


def test_entries_paused__by_the_registrys_owner__is_said_before_anything_is_packed_or_paid(
    net: Devnet, seller: Person, buyer: Person, kept: str, frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame.to_parquet(tmp_path / "t.parquet")
    said = "the owner of the registry has paused new listings and purchases"
    assert said not in buyer("search").ok().err
    with net.session("owner") as owner:
        functions = owner.chain.registry.functions
        owner.send_repeatable(functions.pause(), "pause")
        try:
            before = held(buyer)
            shown = buyer("search", "--json").ok()
            assert said in shown.err
            assert kept in [hit["dataset"] for hit in shown.json]
            assert said in buyer("show", kept).ok().out
            buyer("get", kept, tmp_path / "data", *PLENTY).refused(8, said)
            assert (held(buyer), (tmp_path / "data").exists()) == (before, False)
            command = ("list", tmp_path / "t.parquet", "--packed", tmp_path / "packed", *DIRECT)
            command += ("--price", "1 TUSD", "--backup", tmp_path / "b")
            seller(*command).refused(8, said)
            assert not (tmp_path / "packed").exists()
            seller("renew", kept, "--custodians", "direct", "--yes").refused(8, said)
        finally:
            owner.send_repeatable(functions.unpause(), "unpause")
    seller(*command).ok()


def test_balance__token_that_is_no_contract__is_left_out(
    net: Devnet, buyer: Person, tmp_path: Path
) -> None:
    nothing = TokenInfo("NOTHING", to_checksum_address("0x" + "00" * 18 + "dead"), 0)
    before = buyer("balance", "--json").ok().json["tokens"]
    with net.session("stranger") as session:
        list_in(session, nothing, tmp_path / "packed")
    assert f"cannot be read: {nothing.address}" in buyer("balance").ok().err
    assert buyer("balance", "--json").ok().json["tokens"] == before
