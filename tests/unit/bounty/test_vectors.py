# SPDX-License-Identifier: Apache-2.0
"""The published vectors of docs/bounties.md: of the plain reference, and met by the package."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.utils import bounty_reference as ref
from tests.utils import bounty_vectors
from tests.utils.bounties import make_terms
from truthmark.bounty import messages
from truthmark.bounty.assignment import Assignment
from truthmark.bounty.commits import Commits, parse_commits
from truthmark.bounty.evidence import hash_of_heads
from truthmark.bounty.gold import Gold
from truthmark.bounty.label_file import LabelFile
from truthmark.bounty.payouts import Status, payments
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.roster import Roster, Row
from truthmark.bounty.score import make_score, seats_of_gold
from truthmark.bounty.sealing import Codes, OpenedRun, Scheme, open_with_key, seal
from truthmark.bounty.secrets import labeler_secret
from truthmark.errors import BountyError
from truthmark.keys.curve import multiply
from truthmark.keys.typed import digest
from truthmark.labels.goldw import Votes, worker_weights
from truthmark.types import Point

VECTORS: dict[str, Any] = json.loads(bounty_vectors.PATH.read_text())
PROJECT = Path(__file__).resolve().parents[3]


def data(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def number(text: str | int) -> int:
    return text if isinstance(text, int) else int(text, 16)


def point(pair: list[str]) -> Point:
    return Point(number(pair[0]), number(pair[1]))


def test_vectors__published__are_those_of_the_plain_reference() -> None:
    assert bounty_vectors.PATH.read_text() == bounty_vectors.as_text(bounty_vectors.make())


def test_page__types_of_messages__are_those_of_the_reference() -> None:
    page = (PROJECT / "docs" / "bounties.md").read_text()
    for type_ in (ref.JOIN, ref.COMMIT, ref.ACKNOWLEDGED, ref.SERVE, ref.ITEM_KEYS):
        assert type_ in page
    for name in re.findall(r"Vectors: (.*)\.", page):
        for section in re.findall(r"`(\w+)`", name):
            assert section in VECTORS or section == "hashes" or section == "items"


def test_weights__vectors__agree() -> None:
    for case in VECTORS["weights"]:
        right, wrong, classes = case["right"], case["wrong"], case["classes"]
        # A second worker makes the crowd able, or not: the first is on as many gold items.
        count, others = right + wrong, 200
        is_right = case["start"] == 6
        votes = Votes(
            np.arange(count + others),
            np.repeat([0, 1], [count, others]),
            np.concatenate([np.arange(count) >= right, np.full(others, not is_right)]) * 1,
            count + others,
            2,
            classes,
        )
        found = worker_weights(votes, np.zeros(count + others, int), np.ones(count + others, bool))
        assert found[0] == case["weight"]


def test_gold__vectors__agree() -> None:
    for case in VECTORS["golds"]:
        gold = Gold(*np.array(case["gold"]).T)
        assert gold.pack() == data(case["packed"])
        assert gold.commitment(data(case["salt"])) == data(case["commitment"])
        again = Gold.parse(gold.pack())
        assert (again.items == gold.items).all() and (again.answers == gold.answers).all()
        if case["is_well_formed"]:
            gold.require_sound(items=case["items"], classes=case["classes"])
        else:
            with pytest.raises(BountyError):
                gold.require_sound(items=case["items"], classes=case["classes"])


def codes_of(case: dict[str, Any]) -> Codes:
    if case["classes"]:
        return np.array(case["codes"], np.uint8)
    words = b"".join(ref.word(number(code)) for code in case["codes"])
    return np.frombuffer(words, np.uint8).reshape(-1, 32)


@pytest.mark.parametrize("case", VECTORS["seals"], ids=lambda c: f"{c['classes']}x{c['batch']}")
def test_seal__vectors__agree(case: dict[str, Any]) -> None:
    bounty = BountyRef(case["chain_id"], case["board"], case["bounty"])
    scheme = Scheme(bounty, case["worker"], case["batch"], case["classes"])
    codes, shared = codes_of(case), point(case["S"])
    run = seal(scheme, secret=number(case["e"]), key=point(case["key"]), codes=codes)
    assert run.point == point(case["E"])
    assert (run.sealed, run.root) == (data(case["sealed"]), data(case["root"]))
    assert (run.seal, run.commitment) == (data(case["seal"]), data(case["commitment"]))
    secrets = scheme.secrets(shared, case["seats"])
    assert secrets == [data(secret) for secret in case["secrets"]]
    assert scheme.salts(secrets)[:4] == [data(salt) for salt in case["salts"]]
    for opened in (
        OpenedRun(scheme, run, shared, case["seats"]),
        open_with_key(scheme, run, number(VECTORS["secret"]), case["seats"]),
    ):
        assert (opened.codes == codes).all()


def test_files__vectors__agree() -> None:
    case = VECTORS["files"]
    bounty = BountyRef(VECTORS["chain_id"], VECTORS["board"], 7)
    secret = labeler_secret(data(case["private_key"]), bounty, data(case["seed"]), 300)
    assert secret == number(case["e"])
    codes = np.array([0, 1, 2, 1, 1, 0], np.uint8)
    key = multiply(number(VECTORS["secret"]))
    run = seal(Scheme(bounty, 300, 3, 2), secret=secret, key=key, codes=codes)
    file = LabelFile(bounty, 300, case["seats"], run)
    assert file.to_bytes() == data(case["file"])


def test_rosters__vectors__agree() -> None:
    case = VECTORS["rosters"]
    before = [Row("0x" + "ee" * 20, "0x" + "ef" * 20, 8) for _ in range(case["first_worker"])]
    rows = [Row(**row) for row in case["rows"]]
    roster = Roster([before, rows])
    assert int(roster.starts[case["first_worker"]]) == case["first_seat"]
    assert roster.heads(1) == [data(head) for head in case["roster_heads"]]
    assert roster.call_hash(1) == data(case["roster_hash"])
    assert Roster.from_chunks([roster.chunks(0), roster.chunks(1)]).starts.tolist() == (
        roster.starts.tolist()
    )
    rows_ = [ref.commit_row(i, row.seats, ref.keccak(ref.word(i))) for i, row in enumerate(rows)]
    commits = Commits([parse_commits(b"".join(rows_))])
    assert [commit.pack() for commit in commits.calls[0][:2]] == [
        data(row) for row in case["commit_rows"]
    ]
    assert commits.heads(0) == [data(head) for head in case["commit_heads"]]
    assert commits.call_hash(0) == data(case["commit_hash"]) == hash_of_heads(commits.heads(0))


def test_messages__vectors__agree() -> None:
    case = VECTORS["messages"]
    bounty = BountyRef(VECTORS["chain_id"], VECTORS["board"], case["bounty"])
    terms, commitment = data(case["terms_hash"]), data(case["commitment"])
    worker, seats = case["worker"], case["seats"]
    asked = messages.join(bounty, terms, signer=case["signer"], payee=case["payee"], seats=seats)
    said = messages.commit(
        bounty,
        terms,
        data(VECTORS["seed"]),
        worker=worker,
        seats=seats,
        commitment=commitment,
    )
    got = messages.acknowledged(bounty, terms, worker=worker, commitment=commitment)
    assert digest(asked) == data(case["Join"])
    assert digest(said) == data(case["Commit"])
    assert digest(got) == data(case["Acknowledged"])
    offered = messages.serve(bounty, terms, offer_hash=data(case["offer_hash"]))
    question = messages.item_keys(bounty, terms, data(VECTORS["seed"]), worker=worker)
    assert digest(offered) == data(case["Serve"])
    assert digest(question) == data(case["ItemKeys"])


@pytest.mark.parametrize("case", VECTORS["bounties"], ids=range(len(VECTORS["bounties"])))
def test_bounty__vectors__agree(case: dict[str, Any]) -> None:
    terms = make_terms(
        **{name: case[name] for name in ("items", "classes", "rounds", "batch", "full")},
        gold_count=len(case["gold"]),
    )
    roster = Roster([[Row(**row) for row in case["roster"]]])
    assert roster.heads(0) == [data(head) for head in case["roster_heads"]]
    assert roster.starts[:-1].tolist() == case["starts"]
    assignment = Assignment(
        data(case["seed"]), items=terms.items, batch=terms.batch, rounds=terms.rounds
    )
    committed = np.array(case["committed"])
    marks = {worker: mark for worker, mark in enumerate(case["marks"]) if mark}
    gold = Gold(*np.array(case["gold"]).T)
    score = make_score(
        terms=terms,
        assignment=assignment,
        roster=roster,
        committed=committed,
        gold=gold,
        salt=bytes(32),
        codes={
            worker: np.array(codes, np.uint8)
            for worker, codes in enumerate(case["labels"])
            if committed[worker] and worker not in marks
        },
        marks=marks,
    )
    assert score.entries.tolist() == case["entries"]
    assert score.verdict.half == case["verdict"]["half"]
    assert score.lines.tolist() == case["lines"]
    hashes = case["hashes"]
    assert score.heads == [data(head) for head in hashes["heads"]]
    assert score.verdict_hash == data(hashes["verdict_hash"])
    assert (score.judged, score.hash) == (data(hashes["judged"]), data(hashes["score"]))
    seats = seats_of_gold(assignment, roster, gold)
    for g, (item, _) in enumerate(case["gold"]):
        for k in range(terms.rounds):
            seat, index = ref.seat_of(data(case["seed"]), terms.items, terms.batch, item, k)
            assert (seats.seats[g, k], seats.indices[g, k]) == (seat, index)
    for worker, (start, seats_) in enumerate(zip(case["starts"], committed.tolist(), strict=True)):
        assert assignment.labels_in(start, seats_) == case["labels_committed"][worker]
    status = Status.HALF if score.is_half else Status.SETTLED
    paid = payments(terms=terms, roster=roster, committed=committed, status=status, score=score)
    for payment in paid:
        labels, line = case["labels_committed"][payment.worker], case["lines"][payment.worker]
        line = 0 if line > 10**6 else 500_000 if score.is_half else line
        assert payment.price == terms.price * labels * line // 10**6
        assert payment.price + payment.withheld == terms.price * labels
        assert payment.bond == 0 and payment.payee == case["roster"][payment.worker]["payee"]
