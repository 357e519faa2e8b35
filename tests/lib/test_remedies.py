# SPDX-License-Identifier: Apache-2.0
"""Rotten data at the command line: what a contract judges, and what everybody can be shown."""

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from tests.utils.cli import Person
from tests.utils.cli_market import PLENTY, address, held
from tests.utils.containers import Draft, Part, forge
from tests.utils.devnets import net
from truthmark.keys.curve import random_scalar
from truthmark.market.catalogue import Catalogue
from truthmark.market.seller_secret import seller_cek
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain

TUSD = 10**6
Forger = Callable[..., str]


@pytest.fixture(scope="module")
def cheat(net: Devnet) -> Person:
    return Person(net.home("copycat"))


@pytest.fixture(scope="module")
def buyer(net: Devnet) -> Person:
    return Person(net.home("buyer"))


@pytest.fixture(scope="module")
def sold(net: Devnet, cheat: Person, tmp_path_factory: pytest.TempPathFactory) -> Forger:
    """Return what lists a forged container and names it: random bytes, no table, or all right."""
    numbers = count(1)

    def sell(how: str, *options: object) -> str:
        place: Path = tmp_path_factory.mktemp("forged")
        parts = Draft().parts()
        if how == "no table":
            parts[-1] = Part(2, b"no table of Arrow", rows=3)
        with net.session("copycat") as session:
            key = session.vault.put_seller_secret(random_scalar())
            cek = seller_cek(session.vault, key)
        random = {len(parts) - 1} if how == "random bytes" else set()
        made = forge(parts, cek=cek, public_key=key, random=random)
        folder = made.write(place / f"data{next(numbers)}")
        listed = cheat(
            *("list", folder, "--price", "5 TUSD", "--custodians", "direct"),
            *("--windows", "small", "--backup", place / "b", "--yes", *options),
        )
        return listed.ok().out.strip()

    return sell


def get_key(person: Person, cheat: Person, ref: str) -> None:
    """Buy, and let the seller deliver."""
    person("buy", ref, *PLENTY).ok()
    cheat("deliver", ref).ok()


def test_dispute__random_bytes_bought__price_and_half_the_bond_come_back(
    sold: Forger, buyer: Person, cheat: Person
) -> None:
    ref = sold("random bytes", "--bond", "8 TUSD")
    before = held(buyer)
    get_key(buyer, cheat, ref)
    buyer("dispute", ref, stdin="n\n").refused(8, "nothing was disputed")
    done = buyer("dispute", ref, "--yes").ok()
    assert "is not sealed under the key" in done.err
    assert "5 TUSD and 4 TUSD were paid" in done.out
    assert held(buyer) == before + 4 * TUSD
    buyer("buy", ref, *PLENTY, "--again").refused(8, "revoked")
    buyer("dispute", ref, "--yes").refused(8)


def test_expose__no_table__is_broken_for_the_next_and_only_once(
    sold: Forger, buyer: Person, cheat: Person, net: Devnet
) -> None:
    ref = sold("no table", "--bond", "8 TUSD", "--guarantee", "50%")
    before = held(buyer)
    get_key(buyer, cheat, ref)
    shown = buyer("dispute", ref, "--yes").refused(8, "cannot be read")
    assert "no contract sees that" in shown.err
    assert "truthmark expose" in shown.err and "burns 2.5 TUSD of your price" in shown.err
    buyer("expose", ref, stdin="n\n").refused(8, "nothing was published")

    told = buyer("expose", ref, "--yes").ok()
    assert f"is seen under {address(buyer)}; it cannot be taken back" in told.err
    buyer("expose", ref, "--yes").refused(8, "open to everybody already")
    other = Person(net.home("buyer2"))
    refused = other("buy", ref, *PLENTY).refused(8, "rotten")
    assert address(buyer) in refused.err
    assert "rotten" in other("show", ref).ok().out

    # Nobody gets what is burned; the seller gets the rest, less the protocol's fee.
    said = buyer("reject", ref, "--yes").ok()
    assert "2.5 TUSD are burned" in said.err and "you get nothing" in said.err
    assert held(buyer) == before - 5 * TUSD
    buyer("reject", ref, "--yes").refused(8, "rejected once")
    assert "you rejected it" in buyer("purchases").ok().out

    buyer("review", ref, "1", "no table at all", "--yes").ok()
    buyer("review", ref, "5", "--yes").refused(8, "reviewed before")
    page = other("show", ref, "--json").ok().json
    (found,) = page["reviews"]
    assert (found["score"], found["text"], found["price"]["text"]) == (
        *(1, "no table at all"),
        "5 TUSD",
    )
    assert page["rejected"] == 1
    assert page["terms"]["guarantee_bps"] == 5_000
    shown = other("show", ref).ok().out
    assert "no table at all" in shown and "rejected 1 time, which burned 2.5 TUSD" in shown


def test_expose__from_another_account__is_seen_under_that(
    sold: Forger, buyer: Person, cheat: Person, net: Devnet
) -> None:
    ref = sold("no table")
    get_key(buyer, cheat, ref)
    buyer("wallet", "new", "mask").ok()
    mask = buyer("wallet", "address", "--account", "mask").ok().out.strip()
    with net.session("buyer") as session:
        session.chain.rpc.call("anvil_setBalance", mask, hex(10**18))
    told = buyer("expose", ref, "--from", "mask", "--yes").ok()
    assert f"is seen under {mask}" in told.err
    with net.session("stranger") as session:
        catalogue = Catalogue.of(session)
        version = catalogue.find(ref)
        rows = catalogue.index.events("openings", "KeysPublished", root=version.terms.root)
    assert {row.args["publisher"] for row in rows} == {mask}


def test_remedies__all_is_right__nothing_is_done(
    sold: Forger, buyer: Person, cheat: Person, net: Devnet
) -> None:
    ref = sold("right")
    buyer("expose", ref, "--yes").refused(8, "not bought")
    buyer("reject", ref, "--yes").refused(8, "not bought")
    buyer("rule", ref, "--reward", address(buyer), "--yes").refused(8, "no arbiter")
    get_key(buyer, cheat, ref)
    buyer("expose", ref, "--yes").refused(8, "prove nothing")
    buyer("dispute", ref, "--yes").refused(8, "nothing to dispute")
    buyer("review", ref, "6").refused(2)
    buyer("review", ref, "5", "--yes").refused(8, "truthmark confirm")
    buyer("confirm", ref, stdin="n\n").refused(8, "nothing was confirmed")
    told = buyer("confirm", ref, "--yes").ok()
    assert "the seller gets the 5 TUSD now" in told.err and "it is final" in told.err
    buyer("confirm", ref, "--yes").refused(8, "nothing to confirm")
    buyer("reject", ref, "--yes").refused(8, "settled")
    buyer("review", ref, "5", "--yes").ok()
    assert "guarantee 0%" in buyer("show", ref).ok().out
    assert "no arbiter" in buyer("show", ref).ok().out


def test_rule__by_the_arbiter_alone__ends_it_and_rewards(
    sold: Forger, buyer: Person, cheat: Person, net: Devnet
) -> None:
    arbiter = Person(net.home("stranger"))
    ref = sold("right", "--bond", "8 TUSD", "--arbiter", address(arbiter))
    get_key(buyer, cheat, ref)
    assert f"its arbiter {address(arbiter)} may rule" in buyer("dispute", ref).refused(8).err
    reward = ("--reward", address(buyer), "--yes")
    buyer("rule", ref, *reward).refused(3, "use that account")
    arbiter("rule", ref, *reward).ok()
    arbiter("rule", ref, *reward).refused(8, "revoked before")
    before = held(buyer)
    buyer("refund", ref).ok()
    assert held(buyer) == before + 5 * TUSD + 4 * TUSD
