# SPDX-License-Identifier: Apache-2.0
"""Sealing, scoring and verifying a bounty of a million labels: `python -m bench.bounties`.

The peer is the least that anyone must do who trusts nobody: building the tree over every worker's
labels, which is three hashes a label.
"""

import argparse
import os

import numpy as np

from bench.report import Report
from truthmark.bounty.commits import Commit, Commits
from truthmark.bounty.gold import draw_gold
from truthmark.bounty.payouts import Status
from truthmark.bounty.record import Record
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.result import Result
from truthmark.bounty.roster import Roster, Row
from truthmark.bounty.sealing import Codes, seal
from truthmark.bounty.terms import Terms
from truthmark.bounty.verify import Anchors, labels_of, verify
from truthmark.keys.curve import multiply
from truthmark.labels.scoring import least_gold

BATCH, ROUNDS, CLASSES, RUN, GOLD = 50, 5, 2, 10, 2000
SECRET = 77
SALT = b"\1" * 32


def make(labels: int) -> tuple[Result, float, dict[int, Codes]]:
    """Return a finished bounty, the seconds that sealing it took, and the labels."""
    rng = np.random.default_rng(0)
    items = labels // ROUNDS
    truth = rng.integers(0, CLASSES, items)
    gold = draw_gold(truth, classes=CLASSES, count=GOLD, seed=1)
    key = multiply(SECRET)
    per_round = items // BATCH
    run = max(RUN, -(-least_gold(ROUNDS) * per_round // GOLD))
    terms = Terms(
        requester="0x" + "11" * 20,
        token="0x" + "22" * 20,
        relay="0x" + "33" * 20,
        document=bytes(32),
        salt=SALT,
        gold_commitment=gold.commitment(SALT),
        gold_count=len(gold),
        key_x=key.x,
        key_y=key.y,
        items=items,
        classes=CLASSES,
        rounds=ROUNDS,
        batch=BATCH,
        min_seats=-(-27 * per_round // 10),
        min_run=run,
        max_run=63,
        price=1000,
        bond=1000 * labels,
        join_seconds=1,
        label_seconds=1,
        grace_seconds=1,
        release_seconds=1,
        score_seconds=1,
        challenge_seconds=1,
    )
    rows = [Row(f"0x{w + 1:040x}", f"0x{w + 1:040x}", run) for w in range(terms.seats // run)]
    ref = BountyRef(1, "0x" + "44" * 20, 1)
    record = Record(ref, terms, b"\7" * 32, Roster([rows]), Commits([]), frozenset(), Status.LABEL)
    runs, codes = {}, {}
    begun = os.times()
    for worker in range(len(rows)):
        mine = record.assignment.items_of(int(record.roster.starts[worker]), run)
        right = rng.random(len(mine)) < 0.85
        codes[worker] = np.where(right, truth[mine], 1 - truth[mine]).astype(np.uint8)
        runs[worker] = seal(
            record.scheme(worker), secret=worker + 5, key=terms.key, codes=codes[worker]
        )
    sealing = _seconds(begun)
    commits = Commits([[Commit(w, run, sealed.commitment) for w, sealed in runs.items()]])
    record = Record(ref, terms, record.seed, record.roster, commits, frozenset(), Status.SETTLED)
    score = record.make_score(
        gold=gold,
        salt=SALT,
        codes=codes,
        marks={},
    )
    record = Record(
        ref, terms, record.seed, record.roster, commits, frozenset(), Status.SETTLED, score
    )
    shared = {worker: multiply(SECRET, sealed.point) for worker, sealed in runs.items()}
    return Result(record, runs, shared, gold, SALT), sealing, codes


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--labels", type=int, default=1_000_000, help="how many")
    labels = parser.parse_args().labels
    report = Report("bounties")
    result, sealing, codes = make(labels)
    record = result.record
    what = f"{labels:,} labels"

    start = os.times()
    for worker, run in result.runs.items():
        scheme = record.scheme(worker)
        salts = scheme.salts(scheme.secrets(result.shared[worker], len(codes[worker]) // BATCH))
        assert scheme.tree(salts, codes[worker]).root == run.root
    trees = _seconds(start)

    start = os.times()
    found = verify(result, Anchors.of(record))
    whole = _seconds(start)
    assert not found.problems and found.labels is not None

    start = os.times()
    record.make_score(
        gold=result.known_gold(),
        salt=SALT,
        codes=codes,
        marks={},
    )
    labels_of(result, found.opened)
    scores = _seconds(start)
    peer = "building the label trees"
    judged = f"verify {what} with {GOLD:,} gold and their score"
    report.add(f"seal {what}, processor time", sealing, "s")
    report.add(f"scores and labels of {what}", scores, "s", peer=peer, peer_value=trees, at_most=2)
    report.add(f"{judged}, processor time", whole, "s", at_most=60)
    report.add(f"{judged}, against that", whole, "s", peer=peer, peer_value=trees)
    report.write()


def _seconds(start: os.times_result) -> float:
    """Return processor time since then: the machine may be shared."""
    now = os.times()
    return now.user + now.system - start.user - start.system


if __name__ == "__main__":
    main()
