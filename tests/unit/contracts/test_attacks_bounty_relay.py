# SPDX-License-Identifier: Apache-2.0
"""Attacks by the relay of a bounty, and by bystanders.

Each names the rule that defends against it; numbers in names are stable: the threat model
refers to them.
"""

import boa
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounty_attacks import YES_SIGNER, find
from tests.utils.bounty_board import (
    DRAWN,
    HALF,
    MONEY,
    NO_COMMITS,
    NOT_DELIVERED,
    OPEN,
    PROVEN,
    REFUNDED,
    SCORED,
    SETTLED,
    Bounty,
    BountyHarness,
    bounties,
    deploy_bounties,
    deployed_bounties,
)
from tests.utils.bounty_paper import pay_evidence
from tests.utils.bounty_rows import ZERO, Row, account_of, address_number, chunked
from tests.utils.contracts import reverts
from tests.utils.drafts import word_of
from tests.utils.permits import sign_permit
from tests.utils.tokens import Mode, deploy_hostile_token, deployer

__all__ = ["bounties", "deployed_bounties"]


def first_answer_of(b: Bounty, worker: int) -> tuple[int, int]:
    return find(
        b,
        lambda g, k: b.paper.judge_of(g, k) == worker and b.paper.entry(g, k) != ref.ABSENT,
    )


# ------------------------------------------------------------------- the relay


def test_19__relay_leaves_a_commit_out__anyone_overrides(bounties: BountyHarness) -> None:
    # BountyProofs.override_commit; its fee goes to who sent it.
    b = bounties.start(19, to="label")
    b.commit([w for w in b.paper.commits if w != 1]).override(1)
    assert b.ledger.credited[bounties.stranger] == b.terms.relay_fee
    b.later(b.commit_until).post_one(1)
    b.later(b.post_until).post_score().later(b.challenge_until).settle(SETTLED)


def test_20__relay_posts_another_commit__the_signed_one_stands(bounties: BountyHarness) -> None:
    # BountyBoard.set_override: counters and byte are those of the signed one.
    b = bounties.start(20, to="label")
    true = b.paper.commits[1]
    b.paper.commits[1] = b.paper.label(1, 1, variant="forged")
    b.commit().override(1, true)
    assert b.state.committed == sum(b.paper.committed(w) for w in b.paper.commits)
    b.later(b.post_until)
    g, k = first_answer_of(b, 1)
    entries = b.paper.entries()
    entries[g][k] = 1 - entries[g][k] if entries[g][k] < 2 else 0
    b.post_score(entries)
    # Evidence of the override: no row of the relay's.
    chunk, roster = b.score.chunk_of(g), b.paper.roster(1)
    opening = b.paper.opening(g, k)
    bounties.proofs.prove_answer(*b.head, g, k, 1, chunk, roster, NO_COMMITS, opening)
    assert b.status == PROVEN


def test_21__relay_posts_after_the_override__its_row_is_dead(bounties: BountyHarness) -> None:
    # BountyBoard.commit passes over who overrode, so the rest of the call stands.
    b = bounties.start(21, to="label").override(1)
    forged = ref.commit_row(1, 1, word_of("forged"))
    rows = [forged, *(b.paper.commit_row(w) for w in b.paper.commits if w != 1)]
    bounties.board.commit(*b.head, b.paper.post(rows), sender=bounties.relay)
    for worker in b.paper.commits:
        b.ledger.commit(worker, b.paper.committed(worker))
    b.later(b.post_until).post_score().later(b.challenge_until).settle(SETTLED)


def test_22__relay_posts_in_the_last_second__grace_is_left(bounties: BountyHarness) -> None:
    # The terms have a grace window of at least a second, for overrides alone.
    b = bounties.start(22, to="label")
    boa.env.timestamp = b.label_until
    true = b.paper.commits[1]
    b.paper.commits[1] = b.paper.label(1, 1, variant="forged")
    b.commit()
    boa.env.timestamp = b.commit_until
    b.override(1, true)


def test_23__relay_counts_more_seats_than_the_run__is_refused(bounties: BountyHarness) -> None:
    # BountyBoard.commit: seats of the row <= the byte.
    b = bounties.start(23, to="label")
    row = ref.commit_row(1, b.paper.rows[1].seats + 1, word_of("x"))
    with reverts(bounties.board, "board: bad seats"):
        bounties.board.commit(*b.head, [row], sender=bounties.relay)


def test_24__relay_commits_for_nobody__its_price_is_burned_as_of_garbage(
    bounties: BountyHarness,
) -> None:
    # Nothing stops it (docs/threat-model.md, "Not defended"): only, the relay gets no more of it.
    b = bounties.start(24, to="label")
    invented = b.paper.label(1, is_real=False)
    b.paper.commits[1] = invented
    b.commit().later(b.post_until)
    b.paper.marks[1] = NOT_DELIVERED
    b.post_score().later(b.challenge_until).settle(SETTLED)
    assert b.ledger.credited[b.paper.rows[1].payee] == 0
    assert b.ledger.credited[ZERO] >= b.terms.price * b.paper.labels_in(1, invented.seats)


def test_25__relay_repeats_dead_rows_for_ever__counters_do_not_move(
    bounties: BountyHarness,
) -> None:
    # BountyBoard.commit: at least one new worker a call, so calls fit their field.
    b = bounties.start(25, to="label").override(1)
    before = b.state
    with reverts(bounties.board, "board: nothing new"):
        b.commit([1])
    assert b.state == before


def test_26__relay_never_closes_and_never_fills__all_money_goes_back(
    bounties: BountyHarness,
) -> None:
    # BountyBoard.close_joining, by anyone.
    b = bounties.start(26, to="open")
    b.enroll_rows(0, 2)
    b.later(b.join_until)
    bounties.board.close_joining(*b.head, sender=bounties.stranger)
    b.ledger.end(REFUNDED)
    b.settle(REFUNDED)
    assert b.ledger.credited == {bounties.requester: b.ledger.taken}


def test_27__relay_never_closes_a_full_roster__anyone_does(bounties: BountyHarness) -> None:
    b = bounties.start(27, to="open").enroll(closes=False)
    b.later(b.join_until)
    bounties.board.close_joining(*b.head, sender=bounties.stranger)
    assert b.status == DRAWN


def test_28__relay_moves_rows_of_the_roster__evidence_has_one_place(
    bounties: BountyHarness,
) -> None:
    # bounties._roster_head: first worker and first seat are in the hash.
    b = bounties.start(28, to="label", cuts=(3,))
    roster = list(b.paper.roster(4))
    roster[4] -= b.paper.rows[3].seats
    made = b.paper.commits[4]
    arguments = (4, roster, made.commitment, made.seats, b.paper.sign_commit(4))
    with reverts(bounties.proofs, "proofs: other chunk"):
        bounties.proofs.override_commit(*b.head, *arguments)


# ---------------------------------------------------------------- the bystanders


def test_41__stranger_posts_commits__only_the_relay_may(bounties: BountyHarness) -> None:
    # BountyBoard.commit: garbage of strangers would force overrides.
    b = bounties.start(41, to="label")
    with reverts(bounties.board, "board: not the relay"):
        b.commit(sender=bounties.stranger)


def test_42__copier_takes_a_proof__gets_the_reward_and_changes_nothing_else(
    bounties: BountyHarness,
) -> None:
    # A proof names no beneficiary; the bounty is FLAT for every sender.
    b = bounties.start(42)
    b.paper.marks[1] = NOT_DELIVERED
    b.post_score()
    arguments = (1, b.score.judged, b.score.lines, b.paper.posted(1), b.paper.acknowledge(1))
    copier = account_of("copier")
    bounties.proofs.prove_delivered(*b.head, *arguments, sender=copier)
    b.ledger.end(PROVEN, copier)
    with boa.reverts("board: not scored"):
        bounties.proofs.prove_delivered(*b.head, *arguments, sender=bounties.stranger)
    b.settle(PROVEN)


def test_43__payer_pays_some_twice__each_is_paid_once(bounties: BountyHarness) -> None:
    # BountyBoard.pay: bit PAID; who is paid is passed over, no tip for it.
    b = bounties.start(43, cuts=(3,)).post_score()
    b.later(b.challenge_until)
    evidence = pay_evidence(b.paper, 0, score=b.score)
    bounties.intake.payout(*b.head, evidence, sender=bounties.stranger)
    b.ledger.end(SETTLED)
    for worker in range(3):
        b.note_pay(worker)
    with boa.reverts("board: paid already"):
        bounties.intake.payout(*b.head, evidence, sender=bounties.stranger)
    rest = pay_evidence(b.paper, 1, score=b.score)
    bounties.intake.payout(*b.head, rest, sender=bounties.stranger)
    for worker in range(3, len(b.paper.rows)):
        b.note_pay(worker)
    b.settle(SETTLED)


def test_44__poster_farms_fees__one_a_worker(bounties: BountyHarness) -> None:
    # BountyBoard.set_posted: a bit each; the pot has a fee for each and a call for each.
    b = bounties.start(44, to="post")
    files = [b.paper.chunk_file(1)] * 3
    bounties.proofs.post_sealed(*b.head, b.paper.posted(1), files, sender=bounties.stranger)
    b.ledger.post({1}, bounties.stranger)
    for worker in b.paper.commits:
        if worker != 1:
            b.post_one(worker)
    with boa.reverts("board: posted already"):
        b.post_one(1)
    b.later(b.post_until).post_score().later(b.challenge_until).settle(SETTLED)


def test_45__signature_is_replayed_elsewhere__it_counts_for_one_bounty(
    bounties: BountyHarness,
) -> None:
    # BountyProofs._digest: chain, board, bounty, terms, seed, worker, seats, commitment.
    one, other = bounties.start(45, to="label"), bounties.start(45, to="label", price=2)
    made = one.paper.commits[1]
    arguments = (1, other.paper.roster(1), made.commitment, made.seats, one.paper.sign_commit(1))
    with reverts(bounties.proofs, "proofs: not signed"):
        bounties.proofs.override_commit(*other.head, *arguments)


def test_46__commit_signed_before_a_reorganisation__overrides_nothing_after_it(
    bounties: BountyHarness,
) -> None:
    # The seed is signed: items behind the seats are others now.
    b = bounties.start(46, to="label")
    made, stale = b.paper.commits[1], b.paper.sign_commit(1)
    arguments = (1, b.paper.roster(1), made.commitment, made.seats, stale)
    with boa.env.anchor():
        bounties.proofs.override_commit(*b.head, *arguments)
    # On another branch the seed's block has another hash.
    bounties.board.eval(f"self.seeds[{b.id}] = keccak256(b'another branch')")
    with reverts(bounties.proofs, "proofs: not signed"):
        bounties.proofs.override_commit(*b.head, *arguments)


@pytest.mark.parametrize("mode", [1, 2, 3])
def test_47__gate_misbehaves__nobody_is_admitted_and_nothing_is_stuck(
    bounties: BountyHarness, mode: int
) -> None:
    # BountyIntake.enroll: a static call with little gas; joining ends by time all the same.
    b = bounties.start(47, to="open", gate=address_number(bounties.gate.address))
    bounties.gate.set_mode(mode)
    with boa.reverts():
        b.enroll_rows(0, 1)
    b.paper.calls.clear()
    b.later(b.join_until)
    bounties.board.close_joining(*b.head)
    b.ledger.end(REFUNDED)
    b.settle(REFUNDED)


def test_48__gate_changes_its_mind__who_is_in_stays_in(bounties: BountyHarness) -> None:
    b = bounties.start(48, to="open", gate=address_number(bounties.gate.address)).enroll().draw()
    for row in b.paper.rows:
        bounties.gate.refuse(row.signer)
    b.paper.commit_all()
    b.commit().later(b.post_until).post_score().later(b.challenge_until)
    b.settle(HALF if b.score.is_half else SETTLED)


@pytest.mark.parametrize(
    "mode", [Mode.FEE_FROM_RECEIVER, Mode.TRUE_BUT_STAYS, Mode.SENDS_MORE, Mode.FALSE_BUT_MOVES]
)
def test_49__token_lies_about_what_came_in__no_bounty(bounties: BountyHarness, mode: Mode) -> None:
    # ledger._pull: exactly what was asked for.
    token = deploy_hostile_token(mode, decimals=6)
    h = deploy_bounties(token)
    with boa.reverts():
        h.start(49, to="open")
    assert h.board.bounty_count() == 0


def test_50__token_calls_back__the_board_is_locked(bounties: BountyHarness) -> None:
    # nonreentrancy on: neither creating twice nor withdrawing inside of a payment.
    token = deploy_hostile_token(Mode.HOOK_AFTER, decimals=6)
    h = deploy_bounties(token)
    inner = h.board.withdraw.prepare_calldata(token, h.requester, 0)
    token.set_hook(h.board, inner, 5)
    b = h.start(50)
    assert not token.hook_success()
    token.set_mode(Mode(0))
    b.later(b.score_until).pay_out()
    token.set_mode(Mode.HOOK_BEFORE)
    again = h.intake.payout.prepare_calldata(*b.head, pay_evidence(b.paper, 0))[:4096]
    token.set_hook(h.intake, again, 5)
    payee = b.paper.rows[0].payee
    amount = h.board.withdraw(token, payee, 0)
    assert not token.hook_success() and token.balanceOf(payee) == amount


def test_51__owner_changes_fee_and_pauses__running_bounties_do_not_notice(
    bounties: BountyHarness,
) -> None:
    # The fee stands in the terms; pause stops `create` alone.
    b = bounties.start(51, to="open")
    bounties.board.set_fee_bps(250, sender=bounties.owner)
    bounties.board.pause(sender=bounties.owner)
    b.enroll().draw()
    b.paper.commit_all()
    b.commit().later(b.post_until).post_score().later(b.challenge_until).settle(SETTLED)
    with boa.reverts("pausable: contract is paused"):
        bounties.create(bounties.draft(52, fee_bps=250))


def test_52__owner_names_a_person_as_a_part__is_refused(bounties: BountyHarness) -> None:
    # accounts._may_be_key.
    board = deployer("BountyBoard").deploy(bounties.owner, bounties.treasury)
    delegated = account_of("delegated")
    boa.env.set_code(delegated, bytes.fromhex("ef0100") + bytes(20))
    for person in (bounties.stranger, delegated):
        with reverts(board, "board: intake is no contract"):
            board.fix_parts(person, bounties.proofs, sender=bounties.owner)


def test_53__nobody_fixes_the_seed__a_later_block_or_all_money_back(
    bounties: BountyHarness,
) -> None:
    # BountyBoard.fix_seed: within a day a later block; then `end_bounty` refunds.
    b = bounties.start(53, to="drawn")
    first = bounties.board.seeds(b.id)
    boa.env.evm.patch.block_number += 300
    bounties.board.fix_seed(b.id, sender=bounties.stranger)
    assert b.status == DRAWN and bounties.board.seeds(b.id) != first
    b.later(b.mark + 86_400)
    bounties.board.end_bounty(*b.head, sender=bounties.stranger)
    b.ledger.end(REFUNDED)
    b.settle(REFUNDED)


def test_54__permit_is_used_up_by_another__the_allowance_counts(bounties: BountyHarness) -> None:
    # ledger._use_permit: its failure means nothing.
    h, token = bounties, bounties.token
    paper = h.draft(54)
    total = paper.terms.pot + paper.terms.bond
    token.approve(h.board, 0, sender=h.requester)
    deadline = h.now + 60
    chain_id = boa.env.evm.patch.chain_id
    _, v, r, s = sign_permit(
        token.address, chain_id, "requester", str(h.board.address), total, deadline
    )
    token.permit(h.requester, h.board, total, deadline, v, r, s, sender=h.stranger)
    b = h.create(paper, (deadline, bytes(32), v, r, s))
    assert b.status == OPEN and token.allowance(h.requester, h.board) == 0


def test_55__erc1271_signer_says_yes_to_all__only_its_own_seats_are_touched(
    bounties: BountyHarness,
) -> None:
    # signatures._is_signer asks the row's signer; a careless one hurts itself, once.
    yes = boa.loads(YES_SIGNER)
    b = bounties.start(55, to="open")
    b.paper.rows[1] = Row(str(yes.address), b.paper.rows[1].payee, b.paper.rows[1].seats)
    b.enroll().draw()
    b.paper.commit_all()
    b.commit()
    arguments = (1, b.paper.roster(1), word_of("anything"), 1, b"")
    bounties.proofs.override_commit(*b.head, *arguments, sender=bounties.stranger)
    arguments = (2, b.paper.roster(2), word_of("anything"), 1, b"")
    with reverts(bounties.proofs, "proofs: not signed"):
        bounties.proofs.override_commit(*b.head, *arguments, sender=bounties.stranger)


def test_56__one_bounty_is_ruined__the_others_money_stays(bounties: BountyHarness) -> None:
    # Sums by bounty: pots of two bounties in one token do not mix.
    ruined = bounties.start(56)
    ruined.paper.marks[1] = NOT_DELIVERED
    ruined.post_score().prove_delivered(1, ruined.paper.acknowledge(1))
    fine = bounties.start(57).post_score()
    ruined.pay_out()
    bounties.check_money()
    fine.later(fine.challenge_until).settle(HALF if fine.score.is_half else SETTLED)


def test_57__overflow_by_absurd_money__is_refused_at_create(bounties: BountyHarness) -> None:
    # MAX_MONEY: entries of many such bounties stay below 2^256.
    assert MONEY < 2**128
    with boa.reverts("board: too much money"):
        bounties.create(bounties.draft(58, price=2**120, bond=2**127))


def test_58__chunk_brings_rows_of_the_next_round__positions_are_checked(
    bounties: BountyHarness,
) -> None:
    # BountyIntake.enroll keeps what is left of the round over calls.
    b = bounties.start(59, to="open", min_run=4, max_run=8)
    somebody = account_of("somebody")
    bounties.intake.enroll(
        *b.head, [Row(somebody, somebody, 8).packed], False, sender=bounties.relay
    )
    with reverts(bounties.intake, "intake: run over two rounds"):
        rows = chunked([Row(somebody, somebody, 5).packed])
        bounties.intake.enroll(*b.head, rows, False, sender=bounties.relay)


def test_59__status_of_a_bounty_that_does_not_exist__offers_nothing(
    bounties: BountyHarness,
) -> None:
    terms = bounties.draft().terms
    with reverts(bounties.board, "board: other terms"):
        bounties.board.end_bounty(77, terms)
    with reverts(bounties.board, "board: nothing to draw"):
        bounties.board.fix_seed(77)
    assert bounties.board.state(77).status == 0


def test_60__score_comes_by_an_inner_call__all_of_it_is_logged(bounties: BountyHarness) -> None:
    # IBountyIntake.ScoreEntries and ScoreGold: nobody is left without evidence.
    b = bounties.start(60).post_score()
    logs = [log for log in bounties.intake.get_logs() if log.address == bounties.intake.address]
    entries = b"".join(log.entries for log in logs if type(log).__name__ == "ScoreEntries")
    (gold,) = (log for log in logs if type(log).__name__ == "ScoreGold")
    assert entries == b"".join(b.score.entry_chunks)
    assert (gold.gold, gold.lines) == (b.paper.gold_bytes, b.score.lines)
    assert gold.salt == b.paper.gold_salt and b.status == SCORED
