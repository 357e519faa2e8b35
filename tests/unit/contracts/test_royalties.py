# SPDX-License-Identifier: Apache-2.0
"""Royalties: what a sale owes a bounty's labelers, who may say so, and what each of them draws."""

import random
from collections.abc import Callable
from typing import Any

import boa
import pytest

from tests.utils.bounty_board import (
    FLAT,
    LABEL,
    NOT_DELIVERED,
    PROVEN,
    REFUNDED,
    SCORED,
    SETTLED,
    UNREADABLE,
)
from tests.utils.bounty_rows import ZERO, account_of
from tests.utils.contracts import events, reverts
from tests.utils.drafts import PRICE, word_of
from tests.utils.market import ZERO as NOBODY
from tests.utils.permits import sign_voucher
from tests.utils.royalties import (
    ENDS,
    Royalties,
    deployed_royalties,
    full_price,
    pay_of,
    royalties,
)
from tests.utils.tokens import Mode, deploy_hostile_token

__all__ = ["deployed_royalties", "royalties"]

ONE = 10**6


def part_of(worker: int) -> Callable[[int], int]:
    """Let one worker commit a part of their run, and everybody else all of theirs."""
    return lambda w: 1 if w == worker else 63


# ------------------------------------------------------------------ listing


def test_list_version__seller_who_is_cited__may_name_the_bounty(royalties: Royalties) -> None:
    b = royalties.end(FLAT)
    listing = royalties.list_version(b)
    assert royalties.contracts.version(listing)["status"] == 1


@pytest.mark.parametrize("bps", [0, 9_751, 2**256 - 1])
def test_list_version__royalty_out_of_bounds__is_refused(royalties: Royalties, bps: int) -> None:
    b = royalties.end(FLAT)
    royalties.cite(b)
    with boa.reverts("listing: bad royalty"):
        royalties.contracts.list_version(royalties.draft(b, bps))


def test_list_version__largest_royalty_with_the_largest_fee__leaves_the_seller_nothing(
    royalties: Royalties,
) -> None:
    w, b = royalties.contracts, royalties.end(FLAT)
    w.registry.set_fee_bps(250, sender=w.owner)
    listing = royalties.list_version(b, 9_750, fee_bps=250, price=10**6)
    royalties.sell(listing)
    assert royalties.pool(b) == 975_000
    assert w.entry(w.market, w.treasury) == 25_000
    assert w.entry(w.market, w.payee) == 0


def test_61__stranger_sells_as_if_labelers_had_made_it__is_refused(
    royalties: Royalties,
) -> None:
    # ListingChecks.check_terms asks the board whom the requester lets sell.
    w, b = royalties.contracts, royalties.end(FLAT)
    for seller in (None, w.stranger, NOBODY):
        if seller is not None:
            royalties.cite(b, seller)
        with boa.reverts("listing: bounty not cited"):
            w.list_version(royalties.draft(b))


def test_62__seller_nobody_cites__a_bounty_that_does_not_exist(
    royalties: Royalties,
) -> None:
    # `citing` of a number without bounty is zero, and nobody is zero.
    w = royalties.contracts
    listing = w.draft_listing(bounty=77, royalty_bps=1)
    with boa.reverts("listing: bounty not cited"):
        w.list_version(listing)


def test_63__requester_cites_another_later__what_is_listed_still_pays(
    royalties: Royalties,
) -> None:
    # Terms are frozen: `cite` matters when something is listed, never again.
    w, b = royalties.contracts, royalties.end(FLAT)
    listing = royalties.list_version(b)
    royalties.cite(b, w.stranger)
    assert royalties.sell(listing) == royalties.pool(b) > 0
    with boa.reverts("listing: bounty not cited"):
        w.list_version(royalties.draft(b))


# ------------------------------------------------------------------ settling


def test_settle__with_royalty__the_pool_has_it_and_all_adds_up(royalties: Royalties) -> None:
    w, b = royalties.contracts, royalties.end(FLAT)
    listing = royalties.list_version(b, 777, price=999_999)
    before = w.token.balanceOf(w.market)
    royalties.sell(listing, 3)
    royalty, fee = 999_999 * 777 // 10_000, 999_999 * listing.terms.fee_bps // 10_000
    assert royalties.pool(b) == 3 * royalty
    assert w.entry(w.market, w.payee) == 3 * (999_999 - royalty - fee)
    assert w.entry(w.market, w.treasury) == 3 * fee
    custodians = sum(w.entry(w.market, it) for it in w.custodians)
    came = w.token.balanceOf(w.market) - before
    assert came == 3 * 999_999 + custodians


def test_confirm__with_royalty__says_what_the_payee_got(royalties: Royalties) -> None:
    w, b = royalties.contracts, royalties.end(FLAT)
    listing = royalties.list_version(b, 2_500)
    purchase = w.bought_and_delivered(listing)
    w.confirm(purchase)
    settled = next(fields for name, fields in events(w.market) if name == "Settled")
    fee = PRICE * listing.terms.fee_bps // 10_000
    assert settled["paid_out"] == PRICE - PRICE // 4 - fee == w.entry(w.market, w.payee)


def test_settle__voucher_for_nothing__owes_no_royalty(royalties: Royalties) -> None:
    w, b = royalties.contracts, royalties.end(FLAT)
    listing = royalties.list_version(b)
    voucher = sign_voucher(listing, w.buyer, 0, w.now + 10)
    purchase = w.buy(listing, voucher=voucher, price=0)
    w.deliver(purchase, 1, 2)
    w.confirm(purchase)
    assert royalties.pool(b) == 0


def test_64__royalty_of_a_sale_that_is_refunded__was_never_in_the_pool(
    royalties: Royalties,
) -> None:
    # DatasetMarket._settle alone fills pools, and settled is not refunded any more.
    w, b = royalties.contracts, royalties.end(FLAT)
    listing = royalties.list_version(b)
    purchase = w.buy(listing)
    boa.env.timestamp += listing.terms.delivery_seconds + 1
    w.refund(purchase)
    assert royalties.pool(b) == 0 and w.entry(w.market, w.buyer) == purchase.cost
    w.settle(purchase)
    assert royalties.pool(b) == 0


def test_65__settled_twice__counts_once(royalties: Royalties) -> None:
    w, b = royalties.contracts, royalties.end(FLAT)
    listing = royalties.list_version(b)
    purchase = w.bought_and_delivered(listing)
    boa.env.timestamp += listing.terms.inspection_seconds + 1
    w.settle(purchase, purchase)
    w.settle(purchase)
    assert royalties.pool(b) == PRICE * 500 // 10_000


# --------------------------------------------------------------------- pays


@pytest.mark.parametrize("status", ENDS)
@pytest.mark.parametrize("short", [False, True])
def test_pays__every_end__is_what_payout_credits_without_the_bond(
    royalties: Royalties, status: int, short: bool
) -> None:
    rng = random.Random(status)
    b = royalties.end(
        status,
        70 + status,
        items=47 if short else 48,
        gap=rng.choice([0, 1]),
        seats=part_of(4),
        cuts=(5,),
    )
    seen: dict[int, Any] = {}
    for first in royalties.chunks(b):
        full, pays = royalties.pays(b, first)
        assert full == full_price(b)
        seen |= {it.worker: it for it in pays}
    assert seen.keys() == b.ledger.committed.keys()
    for worker, it in seen.items():
        row = b.paper.rows[worker]
        assert (str(it.signer), str(it.payee).lower()) == (row.signer, row.payee.lower())
        assert it.amount == pay_of(b, worker)
    before = dict(b.ledger.credited)
    b.settle(status)
    share = b.ledger.bond_left // b.ledger.roster_seats if status in (FLAT, PROVEN) else 0
    for worker, it in seen.items():
        payee = b.paper.rows[worker].payee
        bonus = share * b.ledger.committed[worker]
        assert b.ledger.credited[payee] - before.get(payee, 0) == it.amount + bonus
    # And nothing of it changes by the payout.
    again = [it for first in royalties.chunks(b) for it in royalties.pays(b, first)[1]]
    assert again == list(seen.values())


@pytest.mark.parametrize("mark", [NOT_DELIVERED, UNREADABLE])
def test_pays__marked_worker__earned_nothing_unless_a_lie_is_proven(
    royalties: Royalties, mark: int
) -> None:
    b = royalties.harness.start(81)
    b.paper.marks[1] = mark
    b.post_score()
    assert b.score is not None and not b.score.is_half
    b.later(b.challenge_until).end(SETTLED)
    amounts = {it.worker: (it.millionths, it.amount) for it in royalties.pays(b)[1]}
    assert amounts[1] == (0, 0) and any(amount for _, amount in amounts.values())


def test_pays__line_that_is_no_number_and_no_mark__is_the_full_price(royalties: Royalties) -> None:
    b = royalties.harness.start(82)
    lines = b.paper.lines(b.paper.entries())
    lines[1] = ONE + 1
    b.post_score(lines=lines).later(b.challenge_until).end(SETTLED)
    pay = next(it for it in royalties.pays(b)[1] if it.worker == 1)
    assert pay.millionths == ONE and pay.amount == pay_of(b, 1)


def test_pays__team__is_all_or_by_mark_nothing(royalties: Royalties) -> None:
    b = royalties.harness.start(83, team=True)
    b.paper.marks[0] = UNREADABLE
    b.post_score().later(b.challenge_until).end(SETTLED)
    pays = {it.worker: it.millionths for it in royalties.pays(b)[1]}
    assert pays.pop(0) == 0 and set(pays.values()) == {ONE}


NOT_ENDED = ["open", "drawn", "label", "committed", "scored"]


@pytest.mark.parametrize("to", NOT_ENDED)
def test_pays__bounty_that_has_not_ended__is_refused(royalties: Royalties, to: str) -> None:
    b = royalties.harness.start(84, to="score" if to == "scored" else to)
    if to == "scored":
        b.post_score()
        b.later(b.challenge_until)
    assert b.status <= SCORED + 1 and (to != "committed" or b.status == LABEL)
    b.paper.calls = b.paper.calls or [len(b.paper.rows)]
    with reverts(royalties.harness.intake, "intake: not ended"):
        royalties.pays(b)


def test_pays__bounty_that_was_refunded__paid_nobody(royalties: Royalties) -> None:
    b = royalties.end(REFUNDED, 85)
    with reverts(royalties.harness.intake, "intake: refunded"):
        royalties.pays(b)


def changed(b: Any, evidence: tuple[Any, ...], what: str) -> tuple[Any, ...]:
    """Return a call of the view with something other than what was agreed or posted."""
    call, heads, chunk, worker, seat, rows, judged, lines = evidence
    terms, bounty_id = b.terms, b.id
    if what == "terms":
        terms = terms._replace(price=terms.price * 2)
    elif what == "bounty":
        bounty_id += 1
    elif what == "head":
        heads = [word_of("head")]
    elif what == "row":
        rows = rows[:21] + rows[1:21] + rows[41:]
    elif what == "worker":
        worker += 1
    elif what == "seat":
        seat += 1
    elif what == "lines":
        lines = b"\x0f\x42\x40" * (len(lines) // 3)
    elif what == "no lines":
        lines = b""
    elif what == "judged":
        judged = word_of("judged")
    return bounty_id, terms, (call, heads, chunk, worker, seat, rows, judged, lines)


OTHERS = {
    "terms": "intake: other terms",
    "head": "intake: other roster",
    "row": "intake: other roster",
    "worker": "intake: other roster",
    "seat": "intake: other roster",
    "lines": "intake: other lines",
    "no lines": "intake: other lines",
    "judged": "intake: other lines",
    "bounty": "intake: not ended",
}


@pytest.mark.parametrize("what", OTHERS)
def test_66__evidence_of_another_making__is_refused(royalties: Royalties, what: str) -> None:
    # BountyIntake.pays holds terms, roster and lines against the board's hashes.
    b = royalties.end(SETTLED, 86)
    royalties.sell(royalties.list_version(b))
    call = changed(b, royalties.evidence(b), what)
    with reverts(royalties.harness.intake, OTHERS[what]):
        royalties.harness.intake.pays(*call)
    with boa.reverts():
        royalties.market.draw_royalty(royalties.contracts.token, *call)


def test_67__evidence_of_another_bounty__is_refused(royalties: Royalties) -> None:
    # Who labeled little in one bounty cannot draw with the roster of another.
    b, other = royalties.end(SETTLED, 87), royalties.end(SETTLED, 86)
    royalties.sell(royalties.list_version(b))
    with boa.reverts():
        royalties.market.draw_royalty(
            royalties.contracts.token, b.id, *other.head[1:], royalties.evidence(other)
        )
    with boa.reverts():
        royalties.market.draw_royalty(royalties.contracts.token, *b.head, royalties.evidence(other))


# ------------------------------------------------------------------- drawing


@pytest.mark.parametrize("status", ENDS)
def test_draw_royalty__every_end__each_gets_pool_times_pay_by_full_price(
    royalties: Royalties, status: int
) -> None:
    w = royalties.contracts
    b = royalties.end(status, 90 + status, items=47, seats=part_of(3), cuts=(7,), gap=1)
    listing = royalties.list_version(b, 333, price=1_000_003)
    pool = 0
    for count in (1, 2):
        pool += royalties.sell(listing, count)
        assert royalties.pool(b) == pool
        royalties.draw_all(b)
        total = 0
        for worker in range(len(b.paper.rows)):
            share = pool * pay_of(b, worker) // full_price(b)
            assert royalties.market.drawn(b.id, w.token, worker) == share
            if b.paper.rows[worker].payee != ZERO:
                assert w.entry(w.market, b.paper.rows[worker].payee) == share
            total += share
        assert 0 < total <= pool
        assert royalties.draw_all(b) == 0


def test_draw_royalty__by_a_stranger__is_credited_to_payees_and_logged_once(
    royalties: Royalties,
) -> None:
    w, b = royalties.contracts, royalties.end(FLAT, 95)
    royalties.sell(royalties.list_version(b))
    drawn = royalties.draw(b)
    assert events(w.market) == [
        (
            "RoyaltyDrawn",
            {
                "bounty_id": b.id,
                "token": str(w.token.address),
                "first_worker": 0,
                "amount": drawn,
            },
        )
    ]
    assert w.entry(w.market, w.stranger) == 0
    assert royalties.draw(b) == 0 and events(w.market) == []
    payee = b.paper.rows[0].payee
    owed = w.entry(w.market, payee)
    w.market.withdraw(w.token, payee, 0, sender=w.stranger)
    assert w.token.balanceOf(payee) == owed > 0


def test_68__double_draw__by_order_batches_or_repetition__gives_no_more(
    royalties: Royalties,
) -> None:
    # `drawn` by bounty, token and row: what a share has grown by is credited, never a share.
    b = royalties.end(SETTLED, 96)
    listing = royalties.list_version(b)
    for _ in range(3):
        royalties.sell(listing)
        royalties.draw_all(b)
        royalties.draw_all(b)
    pool = royalties.pool(b)
    market, token = royalties.market, royalties.contracts.token
    drawn = [market.drawn(b.id, token, w) for w in b.ledger.committed]
    assert drawn == [pool * pay_of(b, w) // full_price(b) for w in b.ledger.committed]
    assert sum(drawn) <= pool


def test_69__seats_that_earned_nothing__others_get_no_more_by_them(
    royalties: Royalties,
) -> None:
    # The denominator is the full price of the roster: who marks others down siphons nothing.
    fair = royalties.harness.start(97)
    fair.post_score().later(fair.challenge_until).end(SETTLED)
    unfair = royalties.harness.start(97)
    entries = unfair.paper.entries()
    lines = [0 if w == 1 else line for w, line in enumerate(unfair.paper.lines(entries))]
    unfair.post_score(entries, lines).later(unfair.challenge_until).end(SETTLED)
    w = royalties.contracts
    assert fair.score is not None and fair.score.line_values[1] != 0
    drawn = {}
    for b in (fair, unfair):
        royalties.sell(royalties.list_version(b))
        royalties.draw_all(b)
        drawn[b.id] = {it: w.market.drawn(b.id, w.token, it) for it in b.ledger.committed}
    assert royalties.pool(fair) == royalties.pool(unfair)
    assert drawn[unfair.id].pop(1) == 0 < drawn[fair.id].pop(1)
    if fair.paper.seed == unfair.paper.seed:
        assert drawn[unfair.id] == drawn[fair.id]
    assert sum(drawn[unfair.id].values()) <= royalties.pool(unfair)


def test_70__version_listed_again_without_royalty__old_sales_still_owe(
    royalties: Royalties,
) -> None:
    # A new version may leave it out (said openly); what was sold under old terms is owed.
    w, b = royalties.contracts, royalties.end(FLAT, 98)
    first = royalties.list_version(b)
    purchase = w.bought_and_delivered(first)
    second = w.draft_listing(manifest=word_of("again"))
    w.accept_all(w.list_version(second, first.terms))
    w.retire(first)
    boa.env.timestamp += first.terms.inspection_seconds + 1
    w.settle(purchase)
    royalties.sell(second)
    assert royalties.pool(b) == PRICE * 500 // 10_000
    assert royalties.draw_all(b) > 0


def test_71__two_listings_of_one_bounty__share_a_pool_by_token(
    royalties: Royalties,
) -> None:
    w, b = royalties.contracts, royalties.end(FLAT, 99)
    other = w.hostile_token()
    sums = (
        royalties.sell(royalties.list_version(b, 500)),
        royalties.sell(royalties.list_version(b, 100)),
    )
    in_other = royalties.sell(royalties.list_version(b, 500, token=str(other.address)))
    assert royalties.pool(b) == sum(sums)
    assert royalties.pool(b, other) == in_other
    assert royalties.draw_all(b, other) <= in_other
    assert royalties.market.drawn(b.id, w.token, 0) == 0 < royalties.market.drawn(b.id, other, 0)


def test_72__nobody_ends_the_bounty__anyone_can_and_then_draws(royalties: Royalties) -> None:
    # Every state has a deadline with an exit for anyone, so a pool is never locked by silence.
    b = royalties.harness.start(100)
    royalties.sell(royalties.list_version(b))
    with reverts(royalties.harness.intake, "intake: not ended"):
        royalties.harness.intake.pays(*b.head, royalties.evidence(b))
    with boa.reverts("intake: not ended"):
        royalties.draw(b)
    b.later(max(b.score_until, royalties.harness.now)).end(FLAT)
    assert royalties.draw_all(b) > 0


def test_73__bounty_without_price__nobody_can_draw_and_nothing_breaks(
    royalties: Royalties,
) -> None:
    # A share of nothing is not known; division by zero is refused in words.
    b = royalties.end(FLAT, 101, price=0, bond=10_000)
    royalties.sell(royalties.list_version(b))
    with boa.reverts("market: no price"):
        royalties.draw(b)


def test_74__refunded_bounty_is_cited__its_pool_is_burned(royalties: Royalties) -> None:
    b = royalties.end(REFUNDED, 102)
    royalties.sell(royalties.list_version(b))
    assert royalties.pool(b) > 0
    with boa.reverts("intake: refunded"):
        royalties.draw(b)


def test_75__hostile_token__hurts_only_pools_of_its_own(royalties: Royalties) -> None:
    # `draw_royalty` calls no token; `withdraw` of the hostile one fails alone.
    w, b = royalties.contracts, royalties.end(FLAT, 103)
    hostile = deploy_hostile_token()
    w.deal(hostile, w.seller, w.buyer)
    royalties.sell(royalties.list_version(b))
    royalties.sell(royalties.list_version(b, token=str(hostile.address)))
    hostile.set_mode(Mode.REVERT_BOMB)
    assert royalties.draw_all(b) > 0 and royalties.draw_all(b, hostile) > 0
    payee = b.paper.rows[0].payee
    with boa.reverts():
        w.market.withdraw(hostile, payee, 0)
    assert w.market.withdraw(w.token, payee, 0) > 0


def test_76__hook_of_a_token_draws_while_the_market_pays__is_locked_out(
    royalties: Royalties,
) -> None:
    # One lock for all of the market: a draw within a withdrawal reverts, and pays later.
    w, b = royalties.contracts, royalties.end(FLAT, 104)
    hostile = deploy_hostile_token()
    w.deal(hostile, w.seller, w.buyer)
    royalties.sell(royalties.list_version(b, token=str(hostile.address)))
    again = w.market.draw_royalty.prepare_calldata(hostile, *b.head, royalties.evidence(b))
    royalties.sell(royalties.list_version(b, token=str(hostile.address)))
    hostile.set_hook(w.market, again, 1)
    hostile.set_mode(Mode.HOOK_BEFORE)
    w.market.withdraw(hostile, w.payee, 0)
    assert not hostile.hook_success()
    hostile.set_mode(Mode(0))
    assert royalties.draw_all(b) == 0 < royalties.draw_all(b, hostile)


def test_77__sold_to_oneself_for_an_absurd_price__costs_what_it_gives(
    royalties: Royalties,
) -> None:
    # Who pumps a pool pays for it, and most of it goes to labelers.
    w, b = royalties.contracts, royalties.end(FLAT, 105)
    w.token.mint(w.buyer, 2**128)
    w.token.approve(w.market, 2**128, sender=w.buyer)
    listing = royalties.list_version(b, 9_000, price=2**127)
    assert royalties.sell(listing) == royalties.pool(b)
    drawn = royalties.draw_all(b)
    assert royalties.pool(b) - drawn < full_price(b)


def test_78__many_small_pools__sums_never_pass_what_came_in(royalties: Royalties) -> None:
    # Rounded down at every draw: 1 to 9 units among ten labelers.
    b = royalties.end(FLAT, 106)
    listing = royalties.list_version(b, 1, price=10_000)
    for _ in range(9):
        royalties.sell(listing)
        royalties.draw_all(b)
        drawn = sum(
            royalties.market.drawn(b.id, royalties.contracts.token, w) for w in b.ledger.committed
        )
        assert drawn <= royalties.pool(b)
    assert royalties.pool(b) == 9


def test_79__labeler_has_no_gas__strangers_draw_and_withdraw_for_them(
    royalties: Royalties,
) -> None:
    w, b = royalties.contracts, royalties.end(FLAT, 107)
    royalties.sell(royalties.list_version(b))
    assert account_of("labeler 0") == b.paper.rows[0].signer
    royalties.draw(b)
    payee = b.paper.rows[0].payee
    assert w.market.withdraw(w.token, payee, 0, sender=w.stranger) == w.token.balanceOf(payee) > 0
