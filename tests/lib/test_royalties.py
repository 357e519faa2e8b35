# SPDX-License-Identifier: Apache-2.0
"""What comes of a bounty, by commands on anvil: a sale with royalties, and records at gates."""

import itertools
import signal
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import truthmark
from app.services.datasets import royalty_of
from tests.utils.bounty_chain import PAYEES, SIGNERS, Bounty
from tests.utils.cli import Person
from tests.utils.devnets import net
from tests.utils.sender import POINTS
from truthmark.bounty.payouts import Status
from truthmark.bounty.royalties import full_price, shares
from truthmark.flows.royalties import read_pools
from truthmark.market.catalogue import Catalogue
from truthmark.node.relay.signatures import admits
from truthmark.testing.network import Devnet

__all__ = ["net"]

pytestmark = pytest.mark.chain

KILLED = (sys.executable, "-m", "tests.utils.killed_command")


def sell(net: Devnet, bounty: Bounty, folder: Path) -> tuple[Any, Any]:
    """List by the command line with a royalty of 5 %, and sell once."""
    frame = pd.DataFrame({"label": bounty.truth})
    requester = Person(net.session("requester").home)
    truthmark.pack(
        frame,
        folder,
        licence="MIT",
        title="labels",
        preview=False,
        session=net.session("requester"),
    )
    asked = ("--price", "25 TUSD", "--custodians", "direct", "--windows", "demo", "--yes")
    backup = ("--backup", folder.parent / "backup.tmkb")
    owed = ("--bounty", bounty.number, "--royalty", "5%")
    listed = requester("list", folder, *asked, *backup, *owed)
    assert listed.code == 0, listed.err
    assert f"5% goes to those who labeled bounty {bounty.number}" in listed.err
    assert "each sale pays you 23.75 TUSD" in listed.err
    again = requester("list", folder, *asked, *backup, *owed)
    assert again.code == 0 and "listed before" in again.err
    return requester, listed.out.strip()


def pay_out_though_killed(person: Person, bounty: int) -> int:
    """Pay everybody by a command that dies while it sends, again and again; return how often."""
    for deaths, point in enumerate(itertools.cycle(POINTS)):
        arguments = (point, 5, "bounty", "payout", bounty, "--everybody")
        process = person.start(*arguments, program=KILLED)
        _, err = process.communicate(timeout=300)
        if process.returncode == 0:
            return deaths
        assert process.returncode == -signal.SIGKILL, err
    raise AssertionError


def test_royalties__bounty_listed_sold_and_settled__each_labeler_draws_by_their_pay(
    net: Devnet, tmp_path: Path
) -> None:
    bounty = Bounty(net, tmp_path)
    bounty.enroll()
    stranger = Person(net.session("stranger").home)
    other = Person(net.session("seller").home)
    refused = other("list", tmp_path, "--price", "1 TUSD", "--bounty", bounty.number)
    assert refused.code != 0 and "name both, or neither" in refused.err
    signed = bounty.commit_all()
    requester, ref = sell(net, bounty, tmp_path / "packed")

    shown = stranger("show", ref)
    assert f"goes to those who labeled for bounty {bounty.number}" in shown.out
    assert f"bounty {bounty.number}, which is not settled (label)" in shown.out
    with net.session("buyer") as buyer:
        opened = _buy(buyer, ref, requester)
    said = royalty_of(opened.terms)
    assert said is not None and said.endswith(f"labeled for bounty {bounty.number}.")
    waiting = stranger("royalties", "show", bounty.number).err
    assert "1 sale not settled yet" in waiting and "then draw again" in waiting
    assert "of bounty" not in stranger("search", "labels").out
    net.warp(opened.terms.inspection_seconds + 1)
    settled = requester("settle", ref)
    assert settled.code == 0 and f"truthmark royalties draw {bounty.number}" in settled.err
    early = stranger("royalties", "draw", bounty.number)
    assert early.code != 0 and "has not ended; draw its royalties after" in early.err

    bounty.requester.score(
        bounty.requester.read(bounty.number), bounty.true_score(bounty.opened(signed))
    )
    net.warp(3601)
    deaths = pay_out_though_killed(stranger, bounty.number)
    assert deaths >= 3
    record = bounty.stranger.read(bounty.number)
    assert record.status is Status.SETTLED
    found = stranger("search", "labels")
    assert "of bounty" in found.out and found.out.splitlines()[-1].endswith(str(bounty.number))
    assert f"bounty {bounty.number}, which is settled: " in stranger("show", ref).out
    token, session = opened.terms.token, bounty.stranger.session
    (pool,) = read_pools(session, record)
    assert pool.paid_in == 25 * 10**6 * 5 // 100 and not pool.due
    full = full_price(record.terms, record.roster)
    assert pool.drawn == shares(pool.paid_in, record.payments(), full)
    assert record.terms.token == token

    def received() -> list[int]:
        """What each got for their labels and has got of sales, beyond the first."""
        have = [session.token(token).functions.balanceOf(payee).call() for payee in PAYEES]
        return [units - it.price for units, it in zip(have, record.payments(), strict=True)]

    drawn = [pool.drawn[worker] for worker in range(6)]
    assert received() == drawn
    assert 0 < sum(drawn) < pool.paid_in  # seven seats of ten, and a gap is no seat
    again = stranger("bounty", "payout", bounty.number).ok()
    assert "nothing is left to pay out" in again.err and not again.out

    with net.session("buyer2") as buyer:
        _buy(buyer, ref, requester)
    net.warp(opened.terms.inspection_seconds + 1)
    requester("settle", ref).ok()
    some = stranger("bounty", "payout", bounty.number, "--json").ok().json
    assert len(some["royalties"]["credited"]) == 6
    assert not some["paid"] and not some["royalties"]["paid"]
    assert received() == drawn  # theirs to withdraw
    rest = stranger("bounty", "payout", bounty.number, "--everybody").ok()
    assert rest.out.count("of royalties paid to 0x") == 6
    (pool,) = read_pools(session, record)
    assert received() == [pool.drawn[it] for it in range(6)]
    nothing = stranger("royalties", "draw", bounty.number)
    assert nothing.code == 0 and "nothing has come since" in nothing.err
    told = stranger("royalties", "show", bounty.number)
    assert f"bounty {bounty.number} made {ref}" in told.out
    assert "sales have paid 2.5 TUSD for its labelers; 0 TUSD can be drawn now" in told.out


def _buy(buyer: Any, ref: str, requester: Person) -> Any:
    """Buy, and let the seller deliver by the command."""
    from truthmark.market.purchase import Buyer

    catalogue = Catalogue.of(buyer)
    catalogue.sync()
    version = catalogue.find(ref)
    Buyer(buyer).buy(Buyer(buyer).quote(version), max_total=10**9)
    delivered = requester("deliver", ref)
    assert delivered.code == 0 and "delivered to" in delivered.out, delivered.err
    return version


def test_gates__deployed_by_commands__admit_whom_they_should(net: Devnet, tmp_path: Path) -> None:
    bounty = Bounty(net, tmp_path)
    bounty.enroll()
    signed = bounty.commit_all()
    score = bounty.true_score(bounty.opened(signed))
    bounty.requester.score(bounty.requester.read(bounty.number), score)
    requester = Person(net.session("requester").home)
    stranger = Person(net.session("stranger").home)
    address = bounty.requester.session.address
    gate = stranger("bounty", "gate", "record", "--requester", address, "--least", "0.9").ok()
    at = gate.out.strip()
    early = stranger("bounty", "gate", "register", at, bounty.number, SIGNERS[0])
    assert early.code != 0 and "measured nobody" in early.err
    net.warp(3601)
    bounty.stranger.end(bounty.number, bounty.terms)

    chain = bounty.stranger.session.chain
    assert not admits(chain, at, 1, SIGNERS[0])
    done = stranger("bounty", "gate", "register", at, bounty.number, SIGNERS[0]).ok()
    assert f"{SIGNERS[0]} is registered" in done.err.lower()
    assert admits(chain, at, 1, SIGNERS[0]) and not admits(chain, at, 1, SIGNERS[1])
    again = stranger("bounty", "gate", "register", at, bounty.number, SIGNERS[0])
    assert again.code != 0 and "registered for bounty" in again.err

    people = tmp_path / "people.txt"
    people.write_text(f"{SIGNERS[0]}  # ann\nbob\n")
    nameless = requester("bounty", "gate", "allow-list", people)
    assert nameless.code != 0 and "write the address of bob" in nameless.err
    people.write_text(SIGNERS[0])
    at = requester("bounty", "gate", "allow-list", people).ok().out.strip()
    requester("bounty", "gate", "allow", at, SIGNERS[1]).ok()
    requester("bounty", "gate", "allow", at, SIGNERS[0], "--remove").ok()
    assert [admits(chain, at, 1, it) for it in SIGNERS[:3]] == [False, True, False]
    assert stranger("bounty", "gate", "allow", at, SIGNERS[2]).code != 0
