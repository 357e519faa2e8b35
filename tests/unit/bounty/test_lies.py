# SPDX-License-Identifier: Apache-2.0
"""Every lie a score can hold is disproved by whom docs/bounties.md names; no true one can be."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.utils import bounty_reference as ref
from tests.utils.bounties import Case, make_case, prove
from truthmark.bounty.evidence import CommitsChunk, Opening
from truthmark.bounty.lies import Knowledge, Lie, find_lies
from truthmark.bounty.payouts import Status
from truthmark.bounty.proofs import NotProvenError, ProofKind
from truthmark.bounty.score import (
    NOT_DELIVERED,
    UNREADABLE,
    Score,
    expected_presence,
    seats_of_gold,
)
from truthmark.errors import BountyError
from truthmark.labels.scoring import ABSENT, NOBODY, SKIP, millionths

STRANGER = Knowledge()
KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"rounds": 2, "classes": 3},
    {"rounds": 5, "classes": 4, "items": 60, "batch": 5, "runs": (3, 9), "gold_count": 40},
    {"skill": 0.4},
    {"lie": 1},
)


def lines_for(case: Case, entries: np.ndarray, lines: np.ndarray) -> Score:
    """Return a score with these entries, whose lines follow from them and so give nothing away."""
    truth = case.true_score
    seats = seats_of_gold(case.record.assignment, case.record.roster, truth.gold)
    score = replace(truth, entries=entries, lines=lines)
    earned = millionths(
        score.verdict,
        entries,
        truth.gold.answers,
        seats.holders,
        workers=len(lines),
        full=case.record.terms.full,
    )
    fine = (lines < NOT_DELIVERED) & (case.record.committed > 0)
    return replace(score, lines=np.where(fine, earned, lines))


def entry_lies(case: Case, rng: random.Random) -> Iterator[tuple[str, Score, int]]:
    """Yield lies about one entry: what is claimed, the score, and whose entry it is."""
    truth = case.true_score
    seats = seats_of_gold(case.record.assignment, case.record.roster, truth.gold)
    present = expected_presence(seats, case.record.committed, truth.lines)
    classes = truth.classes
    for is_answer in (True, False):
        places = np.argwhere(present == is_answer).tolist()
        if not places:
            continue
        g, k = rng.choice(places)
        true = int(truth.entries[g, k])
        claims = {
            "class": rng.choice([c for c in range(classes) if c != true]),
            "skip": SKIP,
            "absent": ABSENT,
            "no entry": rng.randint(classes, 253),
        }
        for claim, byte in rng.sample(sorted(claims.items()), 3):
            if byte != true:
                entries = truth.entries.copy()
                entries[g, k] = byte
                name = claim if is_answer else f"invented {claim}"
                yield name, lines_for(case, entries, truth.lines), int(seats.holders[g, k])


def line_lies(case: Case, rng: random.Random) -> Iterator[tuple[str, Score, int]]:
    """Yield lies about one line of a worker marked fine."""
    truth = case.true_score
    fine = np.flatnonzero((truth.lines < NOT_DELIVERED) & (case.record.committed > 0))
    worker = int(rng.choice(fine.tolist()))
    true = int(truth.lines[worker])
    claims = (0, true - 1, true + 1, 500_000, 10**6, 10**6 + 1, 2**22 - 1, 2**22 + 1, 2**24 - 1)
    for claim in rng.sample(claims, 3):
        if claim not in (true, -1):
            lines = truth.lines.copy()
            lines[worker] = claim
            yield "line", replace(truth, lines=lines), worker


def mark_lies(case: Case, rng: random.Random) -> Iterator[tuple[str, Score, int]]:
    """Yield false marks, with entries and lines as they are where the mark is right."""
    truth = case.true_score
    worker = int(rng.choice(np.flatnonzero(case.record.committed).tolist()))
    seats = seats_of_gold(case.record.assignment, case.record.roster, truth.gold)
    for mark in (rng.choice((NOT_DELIVERED, UNREADABLE)),):
        lines, entries = truth.lines.copy(), truth.entries.copy()
        lines[worker] = mark
        entries[seats.holders == worker] = ABSENT
        yield str(mark), lines_for(case, entries, lines), worker


def proven(case: Case, score: Score, known: Knowledge) -> list[Lie]:
    record = case.posted(score)
    found = list(find_lies(record, known))
    for lie in found:
        prove(record, lie)
    return found


def test_find_lies__every_kind_in_200_bounties__is_disproved_by_whom_it_concerns() -> None:
    rng = random.Random(2)
    seen: Counter[str] = Counter()
    for number in range(200):
        case = make_case(rng, **KINDS[number % len(KINDS)])
        truth = case.true_score
        # Nobody can disprove a true score, whatever they know.
        for known in (
            STRANGER,
            Knowledge(case.opened, dict.fromkeys(case.opened, b"\x01" * 65), case.secrets),
        ):
            honest = [
                lie
                for lie in find_lies(case.posted(truth), known)
                if lie.kind in (ProofKind.ANSWER, ProofKind.LINE)
            ]
            assert not honest
        for name, score, worker in entry_lies(case, rng):
            seen[name] += 1
            by_anyone = name.startswith("invented") or name in ("absent", "no entry")
            known = STRANGER if by_anyone else case.knowledge(worker)
            found = proven(case, score, known)
            assert [(lie.kind, lie.worker) for lie in found] == [(ProofKind.ANSWER, worker)]
            if not by_anyone:
                assert not list(find_lies(case.posted(score), STRANGER))
        if not truth.is_half and (truth.lines < NOT_DELIVERED)[case.record.committed > 0].any():
            for name, score, worker in line_lies(case, rng):
                seen[name] += 1
                found = proven(case, score, STRANGER)
                assert [(lie.kind, lie.worker) for lie in found] == [(ProofKind.LINE, worker)]
        for name, score, worker in mark_lies(case, rng):
            seen[name] += 1
            assert not list(find_lies(case.posted(score), STRANGER))
            known = case.knowledge(worker, acknowledged=name == str(NOT_DELIVERED))
            (lie,) = proven(case, score, known)
            kind = ProofKind.DELIVERED if name == str(NOT_DELIVERED) else ProofKind.READABLE
            assert (lie.kind, lie.worker) == (kind, worker)
    kinds = ("class", "skip", "absent", "no entry")
    for name in (*kinds, *(f"invented {kind}" for kind in kinds if kind != "absent"), "line"):
        assert seen[name] > 60, seen
    assert min(seen[str(NOT_DELIVERED)], seen[str(UNREADABLE)]) > 60


def test_prove__honest_score_and_any_evidence__proves_nothing() -> None:
    rng = random.Random(3)
    tried = 0
    for number in range(5):
        case = make_case(rng, **KINDS[number % len(KINDS)])
        truth, record = case.true_score, case.posted(case.true_score)
        seats = seats_of_gold(record.assignment, record.roster, truth.gold)
        committed = [w for w in range(len(record.roster)) if record.committed[w]]
        for g in range(len(truth.gold)):
            for k in range(record.terms.rounds):
                holder = int(seats.holders[g, k])
                for worker in {
                    holder if holder != NOBODY else 0,
                    rng.randrange(len(record.roster)),
                }:
                    openings = [Opening(truth.classes + 1)]
                    if worker in case.opened:
                        run = case.opened[worker]
                        openings += [
                            run.opening(
                                int(seats.offsets[g, k]) % run.seats, int(seats.indices[g, k])
                            ),
                            run.opening(
                                rng.randrange(run.seats), rng.randrange(record.terms.batch)
                            ),
                        ]
                    commits = (
                        record.commits.evidence(worker) if worker in committed else CommitsChunk()
                    )
                    for opening in openings:
                        evidence = {
                            "gold": g,
                            "round_": k,
                            "worker": worker,
                            "judged": truth.judged_chunk(g),
                            "roster": record.roster.evidence(worker),
                            "commits": commits,
                            "opening": opening,
                        }
                        tried += 1
                        with pytest.raises(NotProvenError):
                            prove(record, Lie(ProofKind.ANSWER, worker, "", evidence))
        for worker in range(len(record.roster)):
            line = {
                "worker": worker,
                "gold": truth.gold_chunks(),
                "entries": truth.entry_chunks(),
                "verdict": truth.verdict_struct(),
                "lines": truth.pack_lines(),
                "roster": record.roster.evidence(worker),
            }
            with pytest.raises(NotProvenError):
                prove(record, Lie(ProofKind.LINE, worker, "", line))
    assert tried > 1000


def first_lie(case: Case, make: Callable[..., Any], wanted: str, rng: random.Random) -> Any:
    for _ in range(100):
        for name, score, worker in make(case, rng):
            if name == wanted:
                return case.posted(score), worker
    raise AssertionError(f"no {wanted}")


def test_prove__evidence_of_something_else__is_refused_with_its_reason() -> None:
    rng = random.Random(5)
    case = make_case(rng, overrides=False)
    while (
        case.true_score.is_half
        or any(case.plain["marks"])
        or len(case.opened) < 3
        or len(case.record.commits.calls) < 2
        or min(map(len, case.record.commits.calls)) < 2
    ):
        case = make_case(rng, overrides=False)
    record, worker = first_lie(case, entry_lies, "class", rng)
    (lie,) = find_lies(record, case.knowledge(worker))
    good = dict(lie.evidence)
    other = next(w for w in case.opened if w != worker)
    opening: Opening = good["opening"]
    judged, roster = good["judged"], good["roster"]
    for changed, why in (
        ({"gold": 1000}, "no such entry"),
        ({"judged": replace(judged, chunk=judged.chunk + 1)}, "another chunk"),
        ({"judged": replace(judged, lines=judged.lines[:-1] + b"\7")}, "another score"),
        ({"judged": replace(judged, entries=judged.entries[:-1] + b"\7")}, "another score"),
        ({"roster": replace(roster, rows=roster.rows[:-1] + b"\1")}, "another roster"),
        ({"worker": other, "roster": record.roster.evidence(other)}, "another worker holds"),
        ({"roster": replace(roster, first_worker=roster.first_worker + 1)}, "another roster"),
        ({"commits": CommitsChunk()}, "other commits"),
        ({"commits": replace(good["commits"], row=31)}, "no such row"),
        ({"opening": replace(opening, label=opening.label + 1)}, "not committed"),
        ({"opening": replace(opening, root=bytes(32))}, "not committed"),
        ({"opening": replace(opening, path=opening.path[:-1])}, "not committed"),
        ({"opening": replace(opening, salt=bytes(32))}, "not committed"),
        ({"opening": case.opened[worker].opening(0, 0)}, ""),
    ):
        try:
            prove(record, replace(lie, evidence=good | changed))
        except NotProvenError as error:
            assert why in str(error)
        else:
            assert changed == {"opening": opening}  # the very place
    swapped = replace(good["commits"], row=(good["commits"].row + 1) % 2)
    with pytest.raises(NotProvenError, match="another worker's commit"):
        prove(record, replace(lie, evidence=good | {"commits": swapped}))


def test_prove__marks__need_what_the_labeler_has() -> None:
    rng = random.Random(8)
    case = make_case(rng, overrides=False)
    record, worker = first_lie(case, mark_lies, str(NOT_DELIVERED), rng)
    (lie,) = find_lies(record, case.knowledge(worker, acknowledged=True))
    good = dict(lie.evidence)
    for changed, why in (
        ({"signature": b"\1" * 65}, "did not acknowledge"),
        ({"signature": b""}, "did not acknowledge"),
        ({"lines": good["lines"][:-3]}, "another score"),
        ({"commits": CommitsChunk()}, "other commits"),
    ):
        with pytest.raises(NotProvenError, match=why):
            prove(record, replace(lie, evidence=good | changed))
    # On chain is as good as acknowledged, and needs nothing else.
    posted = replace(record, posted=frozenset({worker}))
    (lie,) = find_lies(posted, STRANGER)
    prove(posted, lie)

    record, worker = first_lie(case, mark_lies, str(UNREADABLE), rng)
    (lie,) = find_lies(record, case.knowledge(worker))
    good = dict(lie.evidence)
    other = next(run for w, run in case.opened.items() if w != worker)
    for changed, why in (
        ({"e": good["e"] + 1}, "E is another"),
        ({"e": 0}, "E is another"),
        ({"shared": other.shared}, "S is another"),
        ({"sealed": good["sealed"] + b"\0"}, "sealed bytes are not"),
        ({"sealed": bytes([good["sealed"][0] ^ 128]) + good["sealed"][1:]}, "not committed"),
    ):
        with pytest.raises(NotProvenError, match=why):
            prove(record, replace(lie, evidence=good | changed))
    with pytest.raises(NotProvenError, match="not so marked"):
        prove(
            replace(record, score=case.true_score),
            replace(
                lie,
                evidence=good
                | {"judged": case.true_score.judged, "lines": case.true_score.pack_lines()},
            ),
        )


def test_find_lies__half__takes_no_line_for_a_lie() -> None:
    rng = random.Random(9)
    case = make_case(rng, lie=1)
    while not case.true_score.is_half:
        case = make_case(rng, lie=1)
    lines = np.where(case.true_score.lines < NOT_DELIVERED, 123_456, case.true_score.lines)
    record = case.posted(replace(case.true_score, lines=lines))
    assert not list(find_lies(record, STRANGER))
    worker = int(np.flatnonzero((lines == 123_456) & (record.committed > 0))[0])
    evidence = {
        "worker": worker,
        "gold": record.require_score().gold_chunks(),
        "entries": record.require_score().entry_chunks(),
        "verdict": record.require_score().verdict_struct(),
        "lines": record.require_score().pack_lines(),
        "roster": record.roster.evidence(worker),
    }
    with pytest.raises(NotProvenError, match="HALF"):
        prove(record, Lie(ProofKind.LINE, worker, "", evidence))


def test_find_lies__no_score__is_refused() -> None:
    case = make_case(random.Random(1))
    with pytest.raises(BountyError, match="no score"):
        next(find_lies(case.record, STRANGER))
    assert case.record.status is Status.LABEL
    assert ref.ABSENT == ABSENT
