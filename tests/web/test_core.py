# SPDX-License-Identifier: Apache-2.0
"""What runs in browsers agrees with the library bit for bit, in both directions."""

import io
import json
import random
from typing import Any

import numpy as np

from tests.utils.bounties import make_terms
from tests.utils.node_js import TESTS, run_node
from truthmark.bounty import messages
from truthmark.bounty.annotations import annotation_code
from truthmark.bounty.assignment import Assignment
from truthmark.bounty.label_file import LabelFile, open_notes
from truthmark.bounty.pairs import is_swapped
from truthmark.bounty.reference import BountyRef
from truthmark.bounty.sealing import Scheme, open_with_key, seal
from truthmark.bounty.secrets import labeler_secret
from truthmark.cid import cid_of_stream
from truthmark.config.units import to_checksum_address
from truthmark.keys.curve import address_of, multiply
from truthmark.keys.typed import digest, sign, signer_of

BOARD = "0x" + "b0" * 20


def hexed(data: bytes) -> str:
    return "0x" + data.hex()


def test_core__published_vectors_and_random_cases__agree(tmp_path) -> None:
    draw = random.Random(7)
    key = draw.randbytes(32)
    terms = make_terms()
    message = messages.join(
        BountyRef(31337, BOARD, 3), terms.hash, signer=BOARD, payee=BOARD, seats=2
    )
    runs = []
    for items, batch, rounds in ((1, 1, 2), (46, 4, 3), (100_003, 50, 5), (2**20, 64, 9)):
        seed, per_round = draw.randbytes(32), -(-items // batch)
        assignment = Assignment(seed, items=items, batch=batch, rounds=rounds)
        seats = min(3, per_round)
        for start in (0, per_round * rounds - seats):
            runs.append(
                {
                    "seed": hexed(seed),
                    "terms": {"items": items, "batch": batch, "rounds": rounds},
                    "start": start,
                    "seats": seats,
                    "items": assignment.items_of(start, seats).tolist(),
                }
            )
    cases: dict[str, Any] = {
        "terms": [{"texts": terms.to_texts(), "hash": hexed(terms.hash)}],
        "signatures": [
            {
                "key": hexed(key),
                "digest": hexed(digest(message)),
                "signature": hexed(sign(message, key)),
                "address": to_checksum_address(address_of(multiply(int.from_bytes(key, "big")))),
            }
        ],
        "runs": runs,
        "cids": [
            {
                "size": size,
                "cid": str(cid_of_stream(io.BytesIO(bytes(i % 251 for i in range(size))))),
            }
            for size in (0, 1, 1 << 20, (1 << 20) + 1, 3_000_000)
        ],
        "pairs": [
            {"seed": hexed(key), "worker": w, "item": 5, "swapped": is_swapped(key, w, 5)}
            for w in range(8)
        ],
    }
    path = tmp_path / "cases.json"
    path.write_text(json.dumps(cases))
    shown = run_node("--test", str(TESTS / "vectors.test.mjs"), more={"TRUTHMARK_CASES": str(path)})
    assert "fail 0" in shown
    assert "skipped 0" in shown


def test_seal_answers__random_cases_of_a_page__are_what_the_library_makes_and_opens() -> None:
    draw = random.Random(11)
    asked, known = [], []
    for classes, batch, items, rounds in (
        (2, 1, 3, 2),
        (2, 50, 120, 2),
        (3, 4, 46, 3),
        (7, 64, 300, 5),
        (254, 5, 23, 9),
        (0, 4, 10, 2),  # texts, which are hashed
    ):
        ref = BountyRef(draw.choice([1, 31337, 11155111]), BOARD, draw.randrange(1, 2**40))
        private, secret, seed = draw.randbytes(32), draw.randrange(1, 2**200), draw.randbytes(32)
        requester = multiply(secret)
        per_round = -(-items // batch)
        seats = min(2, per_round)
        start = per_round * rounds - seats  # with the short last seat
        worker = draw.randrange(2048)
        assignment = Assignment(seed, items=items, batch=batch, rounds=rounds)
        order = assignment.items_of(start, seats)
        written = ("", "a text", "two\nlines\tand \U0001f9d1\u200d\U0001f33e", "ünclear")
        answers: dict[int, Any] = {
            int(i): draw.randrange(classes + 1) if classes else draw.choice(written)
            for i in order
            if i >= 0
        }
        terms_hash = draw.randbytes(32)
        notes = {"seconds": {str(i): 1.5 for i in answers}, "flags": {"0": "ünclear"}}
        asked.append(
            {
                "ref": {"chainId": ref.chain_id, "board": BOARD, "bountyId": ref.bounty_id},
                "terms": {
                    **{"items": items, "batch": batch, "rounds": rounds, "classes": classes},
                    **{"hash": hexed(terms_hash), "key_x": str(requester.x)},
                    "key_y": str(requester.y),
                },
                "run": {"worker": worker, "start": start, "seats": seats, "seed": hexed(seed)},
                "key": hexed(private),
                "answers": answers,
                "notes": notes,
            }
        )
        known.append((ref, private, secret, seed, worker, order, answers, terms_hash, notes))
    made = json.loads(run_node(str(TESTS / "seal_cases.mjs"), stdin=json.dumps(asked)))
    for case, wanted, signed in zip(asked, known, made, strict=True):
        ref, private, secret, seed, worker, order, answers, terms_hash, notes = wanted
        classes, batch = case["terms"]["classes"], case["terms"]["batch"]
        scheme = Scheme(ref, worker, batch, classes)
        codes = (
            np.array([answers.get(int(i), classes) for i in order], np.uint8)
            if classes
            else np.array([list(annotation_code(answers.get(int(i), ""))) for i in order], np.uint8)
        )
        file = LabelFile.from_bytes(bytes.fromhex(signed["file"][2:]))
        own = seal(
            scheme,
            secret=labeler_secret(private, ref, seed, worker),
            key=multiply(secret),
            codes=codes,
        )
        assert file.run == own
        assert (file.worker, file.seats) == (worker, case["run"]["seats"])
        assert signed["commitment"] == hexed(own.commitment)
        opened = open_with_key(scheme, file.run, secret, file.seats)
        assert opened.codes.tolist() == codes.tolist()
        assert open_notes(opened.shared, file.notes) == notes
        message = messages.commit(
            ref, terms_hash, seed, worker=worker, seats=file.seats, commitment=own.commitment
        )
        assert signed["signature"] == hexed(sign(message, private))
        assert signer_of(message, sign(message, private)) == to_checksum_address(
            address_of(multiply(int.from_bytes(private, "big")))
        )


def test_core__hostile_relay_requester_and_chain__are_refused_in_one_line() -> None:
    shown = run_node("--test", str(TESTS / "hostile.test.mjs"))
    assert "fail 0" in shown
    assert "skipped 0" in shown


def test_standing_of__hostile_score_relay_or_source__shows_and_sends_nothing_false() -> None:
    shown = run_node("--test", str(TESTS / "scored.test.mjs"))
    assert "fail 0" in shown
    assert "skipped 0" in shown


def test_wallet__declines_switches_or_changes_meanwhile__moves_nothing_wrongly() -> None:
    shown = run_node("--test", str(TESTS / "wallet.test.mjs"))
    assert "fail 0" in shown
    assert "skipped 0" in shown
