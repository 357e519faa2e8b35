# SPDX-License-Identifier: Apache-2.0
"""Whole bounties on titanoboa: every end, with every ledger entry as docs/protocol.md has it."""

import random
from typing import Any

import boa
import pytest
from eth_account import Account

from tests.utils import bounty_reference as ref
from tests.utils.bounty_board import (
    DRAWN,
    FEE_BPS,
    FLAT,
    HALF,
    LABEL,
    NOT_DELIVERED,
    OPEN,
    PROVEN,
    REFUNDED,
    SCORED,
    SCORED_HALF,
    SETTLED,
    UNREADABLE,
    BountyHarness,
    bounties,
    deploy_bounties,
    deployed_bounties,
)
from tests.utils.bounty_paper import pay_evidence
from tests.utils.bounty_rows import ZERO, account_of, address_number
from tests.utils.contracts import events, plain
from tests.utils.drafts import word_of
from tests.utils.permits import private_key, sign_permit
from tests.utils.tokens import deployer
from truthmark.bounty.terms import Terms as PackageTerms

__all__ = ["bounties", "deployed_bounties"]

# -------------------------------------------------------------------- ends


@pytest.mark.parametrize("seed", range(4))
def test_payout__score_that_stands__pays_by_its_lines(bounties: BountyHarness, seed: int) -> None:
    rng = random.Random(seed)
    b = bounties.start(
        seed,
        classes=rng.choice([2, 3, 9]),
        full=rng.choice([2, 3]),
        items=rng.choice([46, 48]),
        skill=0.85,
        cuts=(2, 5),
        calls=3,
        seats=lambda w: rng.choice([8, 8, 8, 3]),
    ).post_score()
    status = HALF if b.score.is_half else SETTLED
    b.later(b.challenge_until).settle(status)


def test_payout__marked_workers__get_nothing(bounties: BountyHarness) -> None:
    b = bounties.start(5)
    b.paper.marks = {1: NOT_DELIVERED, 2: UNREADABLE}
    b.post_score().later(b.challenge_until).settle(SETTLED)
    assert not b.ledger.credited[b.paper.rows[1].payee]
    assert not b.ledger.credited[b.paper.rows[2].payee]


def test_payout__half__pays_half_to_those_without_marks(bounties: BountyHarness) -> None:
    b = bounties.start(6, skill=-1)
    b.paper.marks = {1: NOT_DELIVERED}
    b.post_score().later(b.challenge_until).settle(HALF)


def test_payout__no_score__pays_all_and_the_bond(bounties: BountyHarness) -> None:
    b = bounties.start(7, seats=lambda w: 0 if w == 2 else 4)
    b.later(b.score_until).settle(FLAT)
    assert b.ledger.credited[ZERO] > 0  # the shares of seats that nobody committed


def test_payout__seats_of_the_last_batch__are_paid_by_their_items(bounties: BountyHarness) -> None:
    for seed, status in ((8, SETTLED), (9, FLAT)):
        b = bounties.start(seed, items=45, skill=1.0)
        if status == SETTLED:
            b.post_score().later(b.challenge_until)
        else:
            b.later(b.score_until)
        b.settle(status)


@pytest.mark.parametrize("classes", [0, 2, 7])
def test_payout__team__pays_all_but_the_marked(bounties: BountyHarness, classes: int) -> None:
    b = bounties.start(10, team=True, min_run=2, classes=classes)
    b.paper.marks = {0: NOT_DELIVERED}
    b.post_score().later(b.challenge_until).settle(SETTLED)
    assert b.ledger.credited[ZERO] == b.terms.price * b.paper.labels_in(0, b.paper.committed(0))


@pytest.mark.parametrize("classes", [0, 2])
def test_payout__team_without_a_score__pays_all(bounties: BountyHarness, classes: int) -> None:
    b = bounties.start(11, team=True, min_run=2, classes=classes, rounds=3)
    b.later(b.score_until).settle(FLAT)
    assert b.ledger.credited[ZERO] == 0


@pytest.mark.parametrize("classes", [0, 2, 3, 200])
def test_prove_readable__of_any_width__opens_all(bounties: BountyHarness, classes: int) -> None:
    team = {"team": True, "min_run": 2} if not classes else {}
    b = bounties.start(12, classes=classes, **team)
    b.paper.marks = {1: UNREADABLE}
    b.post_score().prove_readable(1)
    assert events(bounties.proofs)[-1] == (
        "RunOpened",
        {"bounty_id": b.id, "worker": 1, "e": b.paper.commits[1].e},
    )
    b.settle(PROVEN)


@pytest.mark.parametrize("batch", [1, 2, 3, 64])
def test_prove_answer__any_batch__opens_one_label(bounties: BountyHarness, batch: int) -> None:
    b = bounties.start(13, batch=batch, items=30 * batch, min_run=10, max_run=20)
    entries = b.paper.entries()
    g, k = next((g, k) for g in range(len(entries)) for k in range(5) if entries[g][k] < 2)
    entries[g][k] ^= 1
    b.post_score(entries).prove_answer(g, k)
    b.settle(PROVEN)


def test_proofs__true_score__is_never_disproved(bounties: BountyHarness) -> None:
    b = bounties.start(14, gap=1, seats=lambda w: 3 if w == 4 else 8)
    b.paper.marks = {2: NOT_DELIVERED, 3: UNREADABLE}
    b.post_score()
    for g in range(0, len(b.paper.gold), 3):
        for k in range(5):
            with boa.reverts("proofs: the entry is true"):
                b.prove_answer(g, k)
    for worker in b.lives():
        with boa.reverts("proofs: the line is true"):
            b.prove_line(worker)
    assert b.status == SCORED


def test_prove_answer__two_rounds__gold_counts_from_two_answers(bounties: BountyHarness) -> None:
    b = bounties.start(15, rounds=2, items=48, min_run=6, max_run=12, gold=even_gold(28))
    b.post_score()
    for worker in b.lives():
        with boa.reverts(
            "proofs: no line counts" if b.score.is_half else "proofs: the line is true"
        ):
            b.prove_line(worker)
    b.later(b.challenge_until).settle(HALF if b.score.is_half else SETTLED)


def even_gold(count: int) -> list[tuple[int, int]]:
    return [(i, i % 2) for i in range(count)]


def test_score__random_bytes__come_to_the_plain_verdict_and_lines(bounties: BountyHarness) -> None:
    rng = random.Random(16)
    for seed in range(6):
        with boa.env.anchor():
            bounties.bounties = []
            b = bounties.start(seed, classes=rng.choice([2, 3]), rounds=rng.choice([4, 5, 9]))
            classes = b.terms.classes
            entries = [
                [
                    rng.choice([answer] * 4 + [rng.randrange(classes), ref.ABSENT, ref.SKIP, 77])
                    for _ in range(b.terms.rounds)
                ]
                for _, answer in b.paper.gold
            ]
            b.post_score(entries)
            assert b.status == (SCORED_HALF if b.score.is_half else SCORED)
            assert bytes(bounties.board.scores(b.id)) == b.score.hashes["score"]
            for worker in [] if b.score.is_half else b.lives():
                with boa.reverts("proofs: the line is true"):
                    b.prove_line(worker)


@pytest.mark.parametrize("rounds", [2, 3])
def test_prove_line__prefixes_of_runs__are_scored_on_what_was_left_unanswered_too(
    bounties: BountyHarness, rounds: int
) -> None:
    # Where all rounds must answer, an item that one leaves out counts for nobody. Who committed a
    # seat or two would else hold no gold, and get half the price for guesses.
    b = bounties.start(
        3,
        rounds=rounds,
        items=64,
        min_run=8,
        skill=0.6,
        seats=lambda worker: 2 if worker % 3 == 0 else 8,
    ).post_score()
    assert b.status == SCORED
    prefixes = [w for w in b.lives() if b.paper.committed(w) == 2]
    assert prefixes and all(b.score.line_values[w] != ref.ONE // 2 for w in prefixes)
    for worker in b.lives():
        with boa.reverts("proofs: the line is true"):
            b.prove_line(worker)


# --------------------------------------------------------- calls and what they keep


def test_create__by_allowance__keeps_the_terms_and_takes_pot_and_bond(
    bounties: BountyHarness,
) -> None:
    before = bounties.token.balanceOf(bounties.requester)
    b = bounties.create(bounties.draft(20))
    logged = bounties.events()
    t = b.terms
    assert bounties.token.balanceOf(bounties.requester) == before - t.pot - t.bond
    assert bounties.token.balanceOf(bounties.board) == t.pot + t.bond
    assert bytes(bounties.board.terms_hashes(1)) == t.terms_hash
    assert (b.id, bounties.board.bounty_count(), b.status) == (1, 1, OPEN)
    (name, fields), *_ = logged
    terms = fields.pop("terms")
    assert name == "BountyCreated" and list(terms.values()) == list(t)
    assert fields == {
        "bounty_id": 1,
        "requester": bounties.requester,
        "relay": bounties.relay,
        "seats": t.seats,
    }
    # The library reads the same from the event, hash and money included.
    package = PackageTerms.from_struct(terms)
    package.require_sound()
    assert (package.hash, package.pot, package.seats) == (t.terms_hash, t.pot, t.seats)


def test_create__by_permit__takes_it_at_once(bounties: BountyHarness) -> None:
    h = bounties
    h.token.approve(h.board, 0, sender=h.requester)
    paper = h.draft(21)
    chain_id, deadline = boa.env.evm.patch.chain_id, h.now
    total = paper.terms.pot + paper.terms.bond
    signed = sign_permit(
        h.token.address, chain_id, "requester", str(h.board.address), total, deadline
    )
    b = h.create(paper, (deadline, bytes(32), *signed[1:]))
    assert b.status == OPEN
    h.check_money()


AUTHORIZED_TOKEN = """
# pragma version 0.4.3
balanceOf: public(HashMap[address, uint256])
used: public(HashMap[bytes32, bool])
TYPE: constant(bytes32) = KIND

@external
def mint(account: address, amount: uint256):
    self.balanceOf[account] += amount

@external
def approve(account: address, amount: uint256):
    pass

@external
def receiveWithAuthorization(
    from_: address, to: address, amount: uint256, after: uint256, before: uint256, nonce: bytes32,
    v: uint8, r: bytes32, s: bytes32
):
    assert to == msg.sender, "token: not the receiver"
    assert after < block.timestamp and block.timestamp < before, "token: not now"
    assert not self.used[nonce], "token: used"
    self.used[nonce] = True
    digest: bytes32 = keccak256(abi_encode(TYPE, from_, to, amount, after, before, nonce))
    assert ecrecover(digest, v, r, s) == from_, "token: not signed"
    self.balanceOf[from_] -= amount
    self.balanceOf[to] += amount
"""


def test_create__by_authorization__takes_it_at_once(bounties: BountyHarness) -> None:
    kind = ref.keccak(
        b"ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,"
        b"uint256 validBefore,bytes32 nonce)"
    )
    token = boa.loads(AUTHORIZED_TOKEN.replace("KIND", f"0x{kind.hex()}"))
    h = deploy_bounties(token)
    paper, nonce, before = h.draft(22), word_of("nonce"), h.now + 60
    total = paper.terms.pot + paper.terms.bond
    words = (kind, h.requester, str(h.board.address), total, 0, before, nonce)
    signed = Account.unsafe_sign_hash(ref.keccak(*map(ref.word, words)), private_key("requester"))
    permit = (before, nonce, signed.v, ref.word(signed.r), ref.word(signed.s))
    b = h.create(paper, permit)
    assert token.balanceOf(h.board) == total and b.status == OPEN
    with boa.reverts("token: used"):
        h.create(h.draft(22), permit)


def test_enroll__in_calls__keeps_hashes_bytes_and_counters(bounties: BountyHarness) -> None:
    b = bounties.start(23, to="open", gap=1).enroll(cuts=(4,), closes=False)
    rows = b.paper.rows
    assert events_of_board(b)[0] == (
        "Enrolled",
        {
            "bounty_id": b.id,
            "call": 1,
            "first_worker": 4,
            "workers": len(rows) - 4,
            "seats": sum(row.seats for row in rows[4:]),
        },
    )
    for call in (0, 1):
        assert bytes(bounties.board.rosters(b.id, call)) == ref.heads_hash(b.paper.heads(call))
    word = bounties.board.worker_words(b.id, 0)
    assert [word >> 8 * w & 255 for w in range(len(rows))] == [
        0 if row.is_gap else row.seats for row in rows
    ]
    state = b.state
    assert (state.seats, state.position) == (59, 60)
    assert (state.workers, state.roster_calls) == (len(rows), 2)


def test_enroll__seventy_workers_in_odd_calls__fill_words_over_their_edges(
    bounties: BountyHarness,
) -> None:
    b = bounties.start(24, to="open", team=True, items=140, batch=1, min_run=1, max_run=2)
    b.enroll(cuts=(1, 33, 50))
    rows = b.paper.rows
    words = [bounties.board.worker_words(b.id, i) for i in range(len(rows) // 32 + 1)]
    assert [words[w // 32] >> 8 * (w % 32) & 255 for w in range(len(rows))] == [
        row.seats for row in rows
    ]
    b.draw()
    b.paper.commit_all()
    b.commit(calls=2).later(b.score_until).settle(FLAT)


def test_joining__closed_by_the_relay__draws_and_fixes_the_seed(bounties: BountyHarness) -> None:
    b = bounties.start(25, to="drawn")
    block = boa.env.evm.patch.block_number
    assert ("JoiningClosed", {"bounty_id": b.id, "seed_block": block + 2}) in events_of_board(b)
    assert b.status == DRAWN
    boa.env.evm.patch.block_number += 3
    bounties.board.fix_seed(b.id, sender=bounties.stranger)
    logged = bounties.events()
    seed = bytes(bounties.board.seeds(b.id))
    assert logged == [("SeedFixed", {"bounty_id": b.id, "seed": seed})]
    assert b.status == LABEL and b.state.mark == bounties.now


def events_of_board(b: Any) -> list[tuple[str, dict[str, Any]]]:
    """What the board logged within the intake's last call."""
    found = []
    for log in b.harness.intake.get_logs():
        fields = log._asdict()
        if str(fields.pop("address")) == str(b.harness.board.address):
            found.append((type(log).__name__, {k: plain(v) for k, v in fields.items()}))
    return found


def test_commit__prefixes_of_runs__are_noted_in_bytes(bounties: BountyHarness) -> None:
    b = bounties.start(26, to="label", seats=lambda w: 2 if w == 1 else 8)
    b.commit()
    assert bounties.events()[0] == (
        "Committed",
        {
            "bounty_id": b.id,
            "call": 0,
            "workers": len(b.paper.commits),
            "seats": b.state.committed,
        },
    )
    word = bounties.board.worker_words(b.id, 0)
    assert word >> 8 & 255 == 64 | 2
    heads = b.paper.posted(1)[1]
    assert bytes(bounties.board.commits(b.id, 0)) == ref.heads_hash(heads)


def test_override__of_what_was_posted__changes_byte_and_counters(bounties: BountyHarness) -> None:
    b = bounties.start(27, to="committed")
    before, made = b.state, b.paper.label(1, 2, variant="other")
    b.override(1, made)
    after = b.state
    assert after.committed == before.committed - b.paper.rows[1].seats + 2
    assert (after.committers, after.overrides) == (before.committers, 1)
    assert bytes(bounties.board.overrides(b.id, 1)) == made.commitment
    context = bounties.board.context(b.id, 1, 0, 0)
    assert (bytes(context.override), context.committed) == (made.commitment, 2)
    bounties.check_money()


def test_post_sealed__workers_of_a_chunk__are_logged_and_paid(bounties: BountyHarness) -> None:
    b = bounties.start(28, to="post").post_sealed(0, 1, 2)
    logs = [fields for name, fields in events(bounties.proofs) if name == "SealedPosted"]
    assert [fields["worker"] for fields in logs] == [0, 1, 2]
    assert logs[1]["root"] + logs[1]["sealed"] == b.paper.commits[1].file
    assert bounties.board.posted_words(b.id, 0) == 0b111
    assert bounties.board.context(b.id, 1, 0, 0).is_posted
    state = b.state
    assert (state.posted, state.post_calls) == (3, 1)
    assert state.posted_seats == sum(b.paper.committed(w) for w in range(3))
    bounties.check_money()


def test_prove__lie__ends_the_bounty_and_rewards_the_sender(bounties: BountyHarness) -> None:
    b = bounties.start(29)
    b.paper.marks = {1: NOT_DELIVERED}
    b.post_score().prove_delivered(1, b.paper.acknowledge(1))
    logs = {type(log).__name__: plain(log) for log in bounties.proofs.get_logs()}
    lie = logs["LieProven"]
    assert (lie["worker"], lie["kind"], lie["challenger"]) == (1, 3, bounties.stranger)
    assert logs["BountyEnded"]["status"] == PROVEN
    assert b.state.mark == bounties.now
    b.settle(PROVEN)


def test_payout__says_what_it_paid_and_burned(bounties: BountyHarness) -> None:
    b = bounties.start(30, skill=0.8).post_score()
    b.later(b.challenge_until).pay_out()
    (paid,) = (log for log in bounties.intake.get_logs() if type(log).__name__ == "PaidOut")
    workers = [b.paper.rows[w].payee for w in b.paper.commits]
    assert paid.paid == sum(b.ledger.credited[payee] for payee in workers)
    assert paid.burned == b.ledger.credited[ZERO] and paid.workers == len(workers)
    # The seats stay in the byte, for royalties; bit 7 says that they are paid.
    word = bounties.board.worker_words(b.id, 0)
    assert word & 255 == 128 | 64 | b.paper.committed(0)


def test_cite__by_the_requester__names_a_seller(bounties: BountyHarness) -> None:
    b = bounties.start(31, to="open")
    bounties.board.cite(*b.head, bounties.stranger, sender=bounties.requester)
    assert bounties.events() == [("Cited", {"bounty_id": b.id, "seller": bounties.stranger})]
    assert bounties.board.citing(b.id) == bounties.stranger


def test_owner__sets_fee_parts_and_pause__and_nothing_else(bounties: BountyHarness) -> None:
    board = deployer("BountyBoard").deploy(bounties.owner, bounties.treasury)
    board.fix_parts(bounties.intake, bounties.proofs, sender=bounties.owner)
    parts = {"intake": str(bounties.intake.address), "proofs": str(bounties.proofs.address)}
    assert events(board) == [("PartsFixed", parts)]
    board.set_fee_bps(250, sender=bounties.owner)
    assert events(board) == [("FeeSet", {"fee_bps": 250})] and board.fee_bps() == 250
    board.pause(sender=bounties.owner)
    assert board.paused()
    board.unpause(sender=bounties.owner)
    assert not board.paused() and board.TREASURY() == bounties.treasury
    assert bounties.board.fee_bps() == FEE_BPS


def test_domain__of_signatures__is_told_by_the_board(bounties: BountyHarness) -> None:
    found = bounties.board.eip712Domain()
    assert list(found)[1:5] == [
        "Truthmark",
        "1",
        boa.env.evm.patch.chain_id,
        bounties.board.address,
    ]


def test_refund__too_few_seats__gives_all_back(bounties: BountyHarness) -> None:
    b = bounties.start(32, to="open")
    b.enroll_rows(0, 2)
    b.later(b.join_until)
    bounties.board.close_joining(*b.head, sender=bounties.stranger)
    assert bounties.events()[-1] == ("BountyEnded", {"bounty_id": b.id, "status": REFUNDED})
    b.ledger.end(REFUNDED)
    b.settle(REFUNDED)


def test_refund__no_worker_commits__gives_all_back(bounties: BountyHarness) -> None:
    b = bounties.start(33, seats=lambda _: 0).end(REFUNDED)
    b.settle(REFUNDED)


def test_payout__other_order_and_parts__pays_each_once(bounties: BountyHarness) -> None:
    b = bounties.start(34, team=True, items=200, batch=1, min_run=1, max_run=3, cuts=(40,))
    b.later(b.score_until).end(FLAT)
    size = len(b.paper.rows)
    for call, chunk, rows in ((1, 0, range(40, min(72, size))), (0, 1, range(32, 40))):
        evidence = pay_evidence(b.paper, call, chunk, 1)
        bounties.intake.payout(*b.head, evidence, sender=bounties.stranger)
        for worker in rows:
            b.note_pay(worker)
    b.settle(FLAT)


def test_gate__that_admits__is_asked_for_every_signer(bounties: BountyHarness) -> None:
    gate = address_number(bounties.gate.address)
    b = bounties.start(35, to="open", gate=gate).enroll()
    assert b.status == DRAWN and account_of("labeler 0") == b.paper.rows[0].signer
