# SPDX-License-Identifier: Apache-2.0
"""Gates that ship: who is admitted, who may say so, and what does not count as a record."""

from typing import Any

import boa
import pytest

from tests.utils.bounty_board import (
    FLAT,
    HALF,
    OPEN,
    PROVEN,
    SETTLED,
    Bounty,
    BountyHarness,
    bounties,
    deploy_bounties,
    deployed_bounties,
)
from tests.utils.bounty_paper import chunk_evidence
from tests.utils.bounty_rows import ZERO, Row, account_of, address_number
from tests.utils.contracts import events, reasons, reverts
from tests.utils.tokens import deployer

__all__ = ["bounties", "deployed_bounties"]

ONE = 10**6
LEAST = 600_000


def settled(h: BountyHarness, seed: int = 0, **changed: Any) -> Bounty:
    b = h.start(seed, **changed)
    b.post_score()
    assert b.score is not None and not b.score.is_half
    return b.later(b.challenge_until).end(SETTLED)


def good_workers(b: Bounty) -> list[int]:
    assert b.score is not None
    return [w for w, line in enumerate(b.score.line_values) if LEAST <= line <= ONE]


def record_gate(h: BountyHarness, *requesters: str, records: int = 1, least: int = LEAST) -> Any:
    names = list(requesters) or [h.requester]
    return deployer("RecordGate").deploy(h.intake, names, least, records)


def register(gate: Any, b: Bounty, worker: int) -> None:
    score = b.score if b.status in (SETTLED, HALF) else None
    gate.register(*b.head, chunk_evidence(b.paper, worker, score), worker)


def enrolls(h: BountyHarness, gate: Any, signer: str) -> bool:
    """Whether the relay can enroll a signer in a bounty that names the gate."""
    b = h.start(9, to="open", gate=address_number(gate.address))
    rows = [Row(signer, signer, 4).packed]
    try:
        h.intake.enroll(*b.head, rows, False, sender=h.relay)
    except boa.BoaError:
        assert b.status == OPEN
        return False
    return True


# --------------------------------------------------------------- allow list


def test_allow_list__whom_its_owner_names__and_only_they_are_enrolled(
    bounties: BountyHarness,
) -> None:
    h = bounties
    ann, bob = account_of("ann"), account_of("bob")
    gate = deployer("AllowListGate").deploy(h.owner, [ann])
    assert [gate.admits(1, it) for it in (ann, bob)] == [True, False]
    assert enrolls(h, gate, ann) and not enrolls(h, gate, bob)
    gate.set_allowed([bob, ann], True, sender=h.owner)
    assert [name for name, _ in events(gate)] == ["AllowedSet", "AllowedSet"]
    gate.set_allowed([ann], False, sender=h.owner)
    assert [gate.is_allowed(it) for it in (ann, bob)] == [False, True]
    assert enrolls(h, gate, bob) and not enrolls(h, gate, ann)


def test_allow_list__taken_off_after_enrolling__keeps_the_place(bounties: BountyHarness) -> None:
    # The intake asks when somebody is enrolled, and never again.
    h = bounties
    gate = deployer("AllowListGate").deploy(h.owner, [])
    b = h.start(1, to="open", gate=address_number(gate.address))
    signers = [row.signer for row in b.paper.rows if not row.is_gap]
    gate.set_allowed(signers, True, sender=h.owner)
    b.enroll().draw()
    gate.set_allowed(signers, False, sender=h.owner)
    b.paper.commit_all()
    b.commit()
    assert b.state.committers == len(signers)


@pytest.mark.parametrize("role", ["requester", "stranger", "relay"])
def test_allow_list__not_by_its_owner__is_refused(bounties: BountyHarness, role: str) -> None:
    gate = deployer("AllowListGate").deploy(bounties.owner, [])
    with reverts(gate, "gate: not the owner"):
        gate.set_allowed([bounties.stranger], True, sender=getattr(bounties, role))


def test_allow_list__zero_accounts__are_refused(bounties: BountyHarness) -> None:
    with boa.reverts("gate: owner is zero"):
        deployer("AllowListGate").deploy(ZERO, [])
    with boa.reverts("gate: account is zero"):
        deployer("AllowListGate").deploy(bounties.owner, [ZERO])


# ------------------------------------------------------------------ records


def test_record__good_score_in_a_settled_bounty__admits_its_signer_and_nobody_else(
    bounties: BountyHarness,
) -> None:
    h = bounties
    b, gate = settled(h), record_gate(h)
    worker, other = good_workers(b)[:2]
    signer = b.paper.rows[worker].signer
    assert not gate.admits(1, signer) and not enrolls(h, gate, signer)
    register(gate, b, worker)
    assert b.score is not None
    assert events(gate) == [
        (
            "Registered",
            {
                "account": signer,
                "bounty_id": b.id,
                "worker": worker,
                "millionths": b.score.line_values[worker],
            },
        )
    ]
    assert gate.admits(1, signer) and enrolls(h, gate, signer)
    assert not gate.admits(1, b.paper.rows[other].signer)
    assert not gate.admits(1, b.paper.rows[worker].payee)


def test_record__several_are_needed__each_bounty_counts_once(bounties: BountyHarness) -> None:
    h = bounties
    gate, first, second = record_gate(h, records=2), settled(h, 1), settled(h, 2)
    worker = good_workers(first)[0]
    signer = first.paper.rows[worker].signer
    register(gate, first, worker)
    assert gate.records(signer) == 1 and not gate.admits(1, signer)
    assert worker in good_workers(second)
    register(gate, second, worker)
    assert gate.records(signer) == 2 and gate.admits(1, signer)


def test_80__evidence_is_shown_again__counts_once(bounties: BountyHarness) -> None:
    # RecordGate.is_registered by bounty and signer.
    b, gate = settled(bounties), record_gate(bounties, records=2)
    worker = good_workers(b)[0]
    register(gate, b, worker)
    with reverts(gate, "gate: registered already"):
        register(gate, b, worker)
    assert gate.records(b.paper.rows[worker].signer) == 1


def test_81__signer_stands_twice_in_a_roster__counts_once(bounties: BountyHarness) -> None:
    # Not by row: a relay that enrolls somebody twice gives them no second record.
    h = bounties
    b = h.create(h.draft(3))
    rows = b.paper.rows
    rows[1] = Row(rows[0].signer, rows[1].payee, rows[1].seats)
    b.enroll().draw()
    b.paper.commit_all()
    b.commit().later(b.post_until).post_score()
    b.later(b.challenge_until).end(SETTLED)
    assert {0, 1} <= set(good_workers(b))
    gate = record_gate(h)
    register(gate, b, 0)
    with reverts(gate, "gate: registered already"):
        register(gate, b, 1)


@pytest.mark.parametrize("status", [FLAT, HALF, PROVEN])
def test_82__bounty_that_did_not_settle__does_not_count(
    bounties: BountyHarness, status: int
) -> None:
    # FLAT pays everybody in full whatever they said; HALF nobody by skill.
    h = bounties
    b = h.start(4, **({"skill": -1} if status == HALF else {}))
    if status == FLAT:
        b.later(b.score_until).end(FLAT)
    else:
        if status == PROVEN:
            b.paper.marks[1] = 2**22
        b.post_score()
        if status == PROVEN:
            b.prove_delivered(1, b.paper.acknowledge(1))
        else:
            b.later(b.challenge_until).end(HALF)
    assert b.status == status
    gate = record_gate(h)
    with reverts(gate, "gate: not settled"):
        register(gate, b, 0)


def test_83__team_that_measures_nothing__does_not_count(bounties: BountyHarness) -> None:
    b = bounties.start(5, team=True)
    b.post_score().later(b.challenge_until).end(SETTLED)
    gate = record_gate(bounties)
    with reverts(gate, "gate: nothing was measured"):
        register(gate, b, 0)


def test_84__requester_whom_the_gate_does_not_name__does_not_count(
    bounties: BountyHarness,
) -> None:
    # Or anyone would make a bounty of their own and score themselves.
    b, gate = settled(bounties), record_gate(bounties, bounties.stranger)
    with reverts(gate, "gate: other requester"):
        register(gate, b, good_workers(b)[0])


@pytest.mark.parametrize("line", [0, LEAST - 1, 500_000, 2**22, 2**23])
def test_85__low_scores_halves_and_marks__do_not_count(bounties: BountyHarness, line: int) -> None:
    # A mark is a large number: it is read as what it pays, which is nothing.
    b = bounties.start(6)
    lines = b.paper.lines(b.paper.entries())
    lines[1] = line
    b.post_score(lines=lines).later(b.challenge_until).end(SETTLED)
    gate = record_gate(bounties)
    with reverts(gate, "gate: score too low"):
        register(gate, b, 1)


def test_86__bounty_of_another_board__does_not_count(bounties: BountyHarness) -> None:
    # The intake is fixed, and answers for its own board alone.
    other = deploy_bounties()
    b, gate = settled(other), record_gate(bounties, other.requester)
    with reverts(gate, "gate: not settled"):
        register(gate, b, good_workers(b)[0])


@pytest.mark.parametrize("what", ["terms", "lines", "roster", "worker"])
def test_87__evidence_of_another_making__is_refused(bounties: BountyHarness, what: str) -> None:
    b, gate = settled(bounties, 7), record_gate(bounties)
    worker = good_workers(b)[0]
    evidence = list(chunk_evidence(b.paper, worker, b.score))
    terms = b.terms
    if what == "terms":
        terms = terms._replace(requester=address_number(bounties.stranger))
    elif what == "lines":
        evidence[7] = b"\x0f\x42\x40" * len(b.paper.rows)
    elif what == "roster":
        mine = bytes.fromhex(bounties.stranger[2:])
        evidence[5] = mine + evidence[5][20:]
    else:
        worker = 31
    expected = {
        "terms": "intake: other terms",
        "lines": "intake: other lines",
        "roster": "intake: other roster",
        "worker": "gate: no such worker",
    }[what]
    with boa.reverts(expected):
        gate.register(b.id, terms, tuple(evidence), worker)


@pytest.mark.parametrize(
    ("reason", "change"),
    [
        ("gate: intake is zero", {0: ZERO}),
        ("gate: no requesters", {1: []}),
        ("gate: requester is zero", {1: [ZERO]}),
        ("gate: bad least score", {2: ONE // 2}),
        ("gate: bad least score", {2: ONE + 1}),
        ("gate: bad least records", {3: 0}),
    ],
)
def test_init__what_would_admit_everybody_or_nobody__is_refused(
    bounties: BountyHarness, reason: str, change: dict[int, Any]
) -> None:
    arguments: list[Any] = [bounties.intake, [bounties.requester], LEAST, 1]
    for place, value in change.items():
        arguments[place] = value
    with boa.reverts(reason):
        deployer("RecordGate").deploy(*arguments)


def test_reasons__of_the_sources__are_all_hit_by_name() -> None:
    own = {
        *("gate: owner is zero", "gate: account is zero", "gate: not the owner"),
        *("gate: intake is zero", "gate: no requesters", "gate: requester is zero"),
        *("gate: bad least score", "gate: bad least records", "gate: not settled"),
        *("gate: nothing was measured", "gate: other requester", "gate: score too low"),
        *("gate: registered already", "gate: no such worker"),
    }
    assert own == reasons("AllowListGate.vy") | reasons("RecordGate.vy")
