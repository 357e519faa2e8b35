# SPDX-License-Identifier: Apache-2.0
"""What a browser finds wrong in a score, and sends to prove it, is what the library does."""

import json
import random
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from tests.unit.bounty.test_lies import KINDS, entry_lies, line_lies, mark_lies
from tests.unit.bounty.test_team import scored, team
from tests.utils.bounties import SECRET, Case, make_case
from tests.utils.node_js import TESTS, run_node
from tests.utils.offline_market import address
from truthmark.bounty.client import PROVE
from truthmark.bounty.flows.judging import judgement_of
from truthmark.bounty.lies import Knowledge, find_lies
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.score import NOT_DELIVERED, UNREADABLE
from truthmark.bounty.sealing import open_with_key
from truthmark.chain.abi import load_artifact
from truthmark.chain.contracts import Contract

PROOFS = Contract(None, "bounty_proofs", address(0xF0), load_artifact("BountyProofs"))  # type: ignore[arg-type]
ENDS = {
    "settled": Status.SETTLED,
    "half": Status.HALF,
    "flat": Status.FLAT,
    "proven": Status.PROVEN,
    "refunded": Status.REFUNDED,
}


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def bounty_of(record: Record) -> dict[str, Any]:
    """Return what the relay and the board show of a bounty."""
    ref, roster, commits = record.ref, record.roster, record.commits
    return {
        "ref": {"chainId": ref.chain_id, "board": ref.board, "bountyId": ref.bounty_id},
        "terms": record.terms.to_texts(),
        "seed": hexed(record.seed),
        "roster": [[hexed(it) for it in roster.chunks(call)] for call in range(len(roster.calls))],
        "commits": [
            [hexed(commits.chunk(call, at).rows) for at in range(len(commits.heads(call)))]
            for call in range(len(commits.calls))
        ],
        "overrides": {
            worker: {"seats": it.seats, "commitment": hexed(it.commitment)}
            for worker, it in commits.overrides.items()
        },
    }


def posted_as(name: str, record: Record, known: Knowledge | None = None) -> dict[str, Any]:
    """Return a score, who looks at it, and what the library says of that."""
    score, known = record.require_score(), known or Knowledge()
    found: dict[str, Any] = {
        "name": name,
        "gold": hexed(score.gold.pack()),
        "entries": hexed(score.entries.astype(np.uint8).tobytes()),
        "lines": hexed(score.pack_lines()),
        "posted": sorted(record.posted),
        "hash": hexed(score.hash),
        "lies": [
            {"kind": lie.kind.name.lower(), "worker": lie.worker, "call": hexed(call.data)}
            for lie in find_lies(record, known)
            for call in [
                getattr(PROOFS.functions, PROVE[lie.kind])(
                    record.ref.bounty_id, record.terms.to_struct(), **lie.evidence
                )
            ]
        ],
        "known": None,
    }
    if not known.opened:
        return found
    ((worker, opened),) = known.opened.items()
    judged = judgement_of(record, worker, opened)
    classes = record.terms.classes
    signature = known.acknowledgements.get(worker)
    return found | {
        "known": {
            "worker": worker,
            "secret": str(known.secrets[worker]),
            "codes": hexed(opened.codes.tobytes()),
            "commitment": hexed(opened.run.commitment),
            "acknowledgement": hexed(signature) if signature else None,
        },
        "judgement": {
            "posted": judged.posted,
            "computed": judged.computed,
            "lines": [
                asdict(line)
                | {"outcome": line.outcome.value, "own": line.own if line.own < classes else None}
                for line in judged.lines
                if line.own is not None
            ],
        },
        "pays": {
            end: [str(units) for units in (pay.price, pay.bond, pay.withheld)]
            for end, status in ENDS.items()
            for pay in record.payments(status)
            if pay.worker == worker
        },
    }


def scores_of(case: Case, rng: random.Random) -> Iterator[dict[str, Any]]:
    """Yield a true score and every kind of lie, as whom it concerns and as a stranger see it."""
    truth = case.true_score
    workers = sorted(case.opened)
    yield posted_as("true", case.posted(truth))
    yield posted_as("true", case.posted(truth), case.knowledge(rng.choice(workers)))
    for name, score, worker in entry_lies(case, rng):
        yield posted_as(name, case.posted(score), case.knowledge(worker))
        yield posted_as(name, case.posted(score))
    if not truth.is_half and (truth.lines < NOT_DELIVERED)[case.record.committed > 0].any():
        for name, score, _ in line_lies(case, rng):
            yield posted_as(name, case.posted(score), case.knowledge(rng.choice(workers)))
    for name, score, worker in mark_lies(case, rng):
        for acknowledged in (True, False):
            known = case.knowledge(worker, acknowledged=acknowledged)
            yield posted_as(name, case.posted(score), known)
        yield posted_as(name, replace(case.posted(score), posted=frozenset([worker])))


def of_team(classes: int) -> dict[str, Any]:
    """Return a bounty without gold, with false marks."""
    record, runs, codes = team(classes)
    opened = {w: open_with_key(record.scheme(w), run, SECRET, 5) for w, run in runs.items()}
    score = scored(record, codes, {0: NOT_DELIVERED, 1: UNREADABLE})
    record = replace(record, score=score, posted=frozenset({0}), status=Status.SCORED)
    shown = [Knowledge({w: run}, {}, {w: w + 7}) for w, run in opened.items()]
    return {
        "bounty": bounty_of(record),
        "scores": [posted_as("team", record, known) for known in (None, *shown)],
    }


def test_find_lies__in_a_browser__are_those_of_the_library_to_the_byte(tmp_path: Any) -> None:
    rng = random.Random(16)
    cases = [of_team(classes) for classes in (0, 7)]
    for kind in (*KINDS, {}):
        case = make_case(rng, **kind)
        cases.append({"bounty": bounty_of(case.record), "scores": list(scores_of(case, rng))})
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(cases))
    shown = run_node("--test", str(TESTS / "lies.test.mjs"), more={"TRUTHMARK_CASES": str(path)})
    assert "fail 0" in shown
    assert "skipped 0" in shown
