# SPDX-License-Identifier: Apache-2.0
"""Makes the test vectors of docs/bounties.md from the plain reference.

python -m tests.utils.bounty_vectors            print them as JSON
python -m tests.utils.bounty_vectors --write    write tests/vectors/bounties.json
"""

import hashlib
import json
import random
import sys
from pathlib import Path
from typing import Any

from tests.utils import bounty_reference as ref

PATH = Path(__file__).resolve().parent.parent / "vectors" / "bounties.json"
CHAIN_ID = 31337
BOARD = "0x" + "b0" * 20
SEED = ref.keccak(b"seed")
EXAMPLE_SECRET = 0x1234567890ABCDEF
"""The requester's p in all of them."""
LOGARITHMS = (*range(1, 11), 12, 20, 148, 149, 1000, 22026, 22027, 10**6, 2**32 - 1)
RIGHT_WRONG_CLASSES = ((0, 0, 2), (10, 0, 2), (9, 1, 2), (5, 5, 2), (3, 7, 5), (0, 9, 10))


def plain(value: Any) -> Any:
    """Bytes as hex with 0x, points as two words, for JSON."""
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, tuple) and len(value) == 2 and max(map(abs, value)) >= 2**53:
        return [plain(ref.word(entry)) for entry in value]
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, int) and abs(value) >= 2**53:
        return plain(ref.word(value))
    return value


def permutations() -> list[dict[str, Any]]:
    cases = []
    for count in (1, 2, 3, 4, 5, 16, 17, 50):
        for round_ in (0, 1):
            key = ref.round_key(SEED, round_)
            places = [ref.place_of(key, count, item) for item in range(count)]
            cases.append({"round": round_, "key": ref.word(key), "count": count, "places": places})
    for count in (1000, 65_536, 65_537, 1_000_003, 2**24 - 1):
        for round_ in (0, 8):
            key = ref.round_key(SEED, round_)
            items = [0, 1, 2, count // 3, count // 2, count - 2, count - 1]
            places = [ref.place_of(key, count, item) for item in items]
            cases.append(
                {
                    "round": round_,
                    "key": ref.word(key),
                    "count": count,
                    "items": items,
                    "places": places,
                }
            )
    return cases


def verdicts() -> list[dict[str, Any]]:
    """Entries and gold of every kind, with what is judged of them."""
    a, s = ref.ABSENT, ref.SKIP
    cases = [
        ("all right", 2, [[0, 0, 0], [1, 1, 1], [0, 0, 0], [1, 1, 1]], [0, 1, 0, 1]),
        ("K = 2, one answer is too few", 2, [[0, 0], [1, a], [0, 1], [1, 1]], [0, 1, 0, 1]),
        ("K = 2, both against gold", 2, [[1, 1], [1, 1], [0, 0], [0, 0], [0, s]], [0, 1, 0, 0, 1]),
        ("too few answers", 3, [[0, a, 0], [1, 1, 1], [2, 2, a], [0, 0, 0]], [0, 1, 2, 0]),
        ("no item counts", 2, [[0, a, a], [a, 1, 1]], [0, 1]),
        ("skips are answers", 2, [[0, s, s], [1, s, 1], [s, s, s], [1, 0, 0]], [0, 1, 0, 1]),
        (
            "two of five against gold is not enough, four is",
            2,
            [[1, 1, 0, 0, 0], [1, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 0], [1, 0, 1, 1, 1]],
            [0, 0, 1, 0, 1],
        ),
        ("three of five against gold is less than two thirds", 2, [[1, 1, 1, 0, 0]] * 2, [0, 1]),
        (
            "three of four and absent",
            2,
            [[1, 1, 1, 0, a], [0, 0, 0, 0, 0], [1] * 5, [1] * 5],
            [0, 0, 1, 1],
        ),
        (
            "exactly three tenths excluded",
            2,
            [[1, 1, 1]] * 3 + [[0, 0, 0]] * 4 + [[1, 1, 1]] * 3,
            [0] * 7 + [1] * 3,
        ),
        (
            "more than three tenths excluded",
            2,
            [[1, 1, 1]] * 4 + [[0, 0, 0]] * 3 + [[1, 1, 1]] * 3,
            [0] * 7 + [1] * 3,
        ),
        ("one class remains", 2, [[0, 0, 0]] * 4 + [[1, a, a]] * 2, [0] * 4 + [1] * 2),
        (
            "a rare class does not count",
            3,
            [[0, 0, 0]] * 6 + [[1, 1, 1]] * 6 + [[2, 2, 2]],
            [0] * 6 + [1] * 6 + [2],
        ),
        (
            "exactly half of an even share counts",
            3,
            [[0, 0, 0]] * 5 + [[1, 1, 1]] * 5 + [[2, 2, 2]] * 2,
            [0] * 5 + [1] * 5 + [2] * 2,
        ),
        ("254 classes", 254, [[253, 253, 253], [0, 0, 0], [253, 0, 7]], [253, 0, 253]),
        (
            "a byte that is no class is as a skip",
            2,
            [[0, 77, 2], [1, 1, 200], [2, 2, 2]],
            [0, 1, 0],
        ),
        ("nine rounds", 4, [[3] * 6 + [1] * 3, [1] * 9, [2] * 5 + [s] * 4, [0] * 9], [1, 1, 2, 0]),
    ]
    found = []
    for name, classes, entries, answers in cases:
        verdict = ref.judge(entries, answers, classes)
        found.append(
            {
                "name": name,
                "classes": classes,
                "entries": entries,
                "answers": answers,
                "verdict": verdict,
            }
        )
    return found


def pays() -> list[dict[str, Any]]:
    """Millionths of one worker by right and answered, as sums of class weights."""
    rng = random.Random(3)
    cases = []
    for classes in (2, 3, 7):
        answers = [g % classes for g in range(12)]
        verdict = ref.judge([[answer] * 3 for answer in answers], answers, classes)
        for full in (2, 3):
            for skill in (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0):
                others = [*range(classes), ref.ABSENT, ref.SKIP]
                given = {
                    g: answers[g] if rng.random() < skill else rng.choice(others)
                    for g in sorted(rng.sample(range(12), rng.choice([3, 4, 5, 8, 12])))
                }
                cases.append(
                    {
                        "classes": classes,
                        "full": full,
                        "answers": answers,
                        "weights": verdict["weights"],
                        "held": list(given),
                        "given": list(given.values()),
                        "millionths": ref.millionths(verdict, answers, given, full),
                    }
                )
    return cases


def make_bounty(rng: random.Random, **fixed: Any) -> dict[str, Any]:
    """Return a small bounty with a gap, a worker who stays away, a mark, a prefix, skips."""
    bounty: dict[str, Any] = {
        "seed": ref.keccak(b"bounty", ref.word(rng.getrandbits(64))),
        "items": 46,
        "batch": 4,
        "rounds": 3,
        "classes": 2,
        "full": 3,
        "gold_count": 16,
        "runs": (6, 6),
        "skill": 0.9,
        "lie": 0,
        "whole": 0.8,
    } | fixed
    classes, items = bounty["classes"], bounty["items"]
    chosen = sorted(rng.sample(range(items), bounty.pop("gold_count")))
    bounty["gold"] = [(item, i % classes) for i, item in enumerate(chosen)]
    truth = [rng.randrange(classes) for _ in range(items)]
    for item, answer in bounty["gold"]:
        truth[item] = (answer + bounty["lie"]) % classes
    size = ref.per_round(items, bounty["batch"])
    runs, skill = bounty.pop("runs"), bounty.pop("skill")
    del bounty["lie"]
    whole = bounty.pop("whole")
    roster: list[dict[str, Any]] = []
    start = 0
    while start < size * bounty["rounds"]:
        left = size - start % size
        seats = min(left, rng.randint(*runs))
        is_gap = rng.random() < 0.1
        worker = len(roster) + 1
        zero = "0x" + "00" * 20
        roster.append(
            {
                "signer": zero if is_gap else "0x" + f"{worker:02x}" * 20,
                "payee": zero if is_gap else "0x" + f"{worker:02x}aa" * 10,
                "seats": seats,
            }
        )
        start += seats
    bounty["roster"] = roster
    bounty["committed"], bounty["marks"], bounty["labels"] = [], [], []
    start = 0
    for row in roster:
        away = row["signer"] == "0x" + "00" * 20 or rng.random() < 0.1
        committed = (
            0 if away else row["seats"] if rng.random() < whole else rng.randint(1, row["seats"])
        )
        bounty["committed"].append(committed)
        mark = rng.choice([ref.NOT_DELIVERED, ref.UNREADABLE]) if rng.random() < 0.1 else 0
        bounty["marks"].append(mark if committed else 0)
        codes = []
        order: dict[int, int] = {}
        key = ref.round_key(bounty["seed"], start // size)
        for item in range(items):
            order[ref.place_of(key, items, item)] = item
        for place in range(
            start % size * bounty["batch"], (start % size + committed) * bounty["batch"]
        ):
            if place >= items or rng.random() < 0.05:
                codes.append(classes)
            elif rng.random() < skill:
                codes.append(truth[order[place]])
            else:
                codes.append(rng.randrange(classes))
        bounty["labels"].append(codes)
        start += row["seats"]
    return bounty


def bounties() -> list[dict[str, Any]]:
    """Whole small bounties with entries, verdict, lines and hashes."""
    found = []
    rng = random.Random(11)
    for fixed in (
        {},
        {"rounds": 2, "classes": 3, "full": 2},
        {"rounds": 5, "items": 131, "batch": 5, "runs": (3, 9), "classes": 4, "gold_count": 70},
        {"skill": 0.3},
        {"lie": 1},
        {"rounds": 2, "whole": 0.1, "gold_count": 30},
        {"rounds": 9, "items": 40, "batch": 1, "runs": (20, 40), "gold_count": 12},
    ):
        bounty = make_bounty(rng, **fixed)
        scored = ref.score(bounty)
        hashes = ref.score_hashes(
            bounty["gold"], scored["entries"], scored["verdict"], scored["lines"]
        )
        starts = [
            sum(row["seats"] for row in bounty["roster"][:w]) for w in range(len(bounty["roster"]))
        ]
        found.append(
            bounty
            | scored
            | {
                "starts": starts,
                "labels_committed": [
                    ref.labels_in(bounty["items"], bounty["batch"], start, seats)
                    for start, seats in zip(starts, bounty["committed"], strict=True)
                ],
                "roster_heads": ref.roster_heads(bounty["roster"], 0, 0),
                "hashes": hashes,
            }
        )
    return found


def seals() -> list[dict[str, Any]]:
    key = ref.multiply(EXAMPLE_SECRET)
    rng = random.Random(5)
    cases = []
    for classes, batch, seats in (
        (2, 3, 1),
        (2, 50, 2),
        (3, 4, 3),
        (7, 5, 2),
        (254, 1, 1),
        (0, 2, 2),
    ):
        codes = [
            rng.getrandbits(256) if not classes else rng.randint(0, classes)
            for _ in range(batch * seats)
        ]
        given = {
            "e": rng.randrange(1, ref.ORDER),
            "key": key,
            "chain_id": CHAIN_ID,
            "board": BOARD,
            "bounty": 7,
            "worker": 300,
            "batch": batch,
            "classes": classes,
            "codes": codes,
        }
        found = ref.seal(**given)
        del found["leaves"], found["salts"][4:]
        cases.append(given | {"seats": seats} | found)
    return cases


def files() -> dict[str, Any]:
    private_key = ref.keccak(b"labeler")
    secret = ref.label_secret(private_key, CHAIN_ID, BOARD, 7, SEED, 300)
    sealed = ref.seal(
        e=secret,
        key=ref.multiply(EXAMPLE_SECRET),
        chain_id=CHAIN_ID,
        board=BOARD,
        bounty=7,
        worker=300,
        batch=3,
        classes=2,
        codes=[0, 1, 2, 1, 1, 0],
    )
    file = ref.label_file(CHAIN_ID, BOARD, 7, 300, 2, sealed)
    return {"private_key": private_key, "seed": SEED, "e": secret, "seats": 2, "file": file}


def messages() -> dict[str, Any]:
    terms, signer, payee = ref.keccak(b"terms"), "0x" + "51" * 20, "0x" + "9a" * 20
    commitment = ref.keccak(b"commitment")
    return {
        "bounty": 7,
        "terms_hash": terms,
        "signer": signer,
        "payee": payee,
        "worker": 300,
        "seats": 10,
        "commitment": commitment,
        "Join": ref.digest(CHAIN_ID, BOARD, ref.JOIN, 7, terms, signer, payee, 10),
        "Commit": ref.digest(CHAIN_ID, BOARD, ref.COMMIT, 7, terms, SEED, 300, 10, commitment),
        "Acknowledged": ref.digest(CHAIN_ID, BOARD, ref.ACKNOWLEDGED, 7, terms, 300, commitment),
        "offer_hash": ref.keccak(b"offer"),
        "Serve": ref.digest(CHAIN_ID, BOARD, ref.SERVE, 7, terms, ref.keccak(b"offer")),
        "ItemKeys": ref.digest(CHAIN_ID, BOARD, ref.ITEM_KEYS, 7, terms, SEED, 300),
    }


def rosters() -> dict[str, Any]:
    rows = [
        {
            "signer": "0x" + f"{i + 1:02x}" * 20,
            "payee": "0x" + f"{i + 101:02x}" * 20,
            "seats": 1 + i % 9,
        }
        for i in range(70)
    ]
    commits = [ref.commit_row(i, 1 + i % 9, ref.keccak(ref.word(i))) for i in range(70)]
    heads, posted = ref.roster_heads(rows, 5, 40), ref.commit_heads(commits)
    return {
        "first_worker": 5,
        "first_seat": 40,
        "rows": rows,
        "roster_heads": heads,
        "roster_hash": ref.heads_hash(heads),
        "commit_rows": commits[:2],
        "commit_heads": posted,
        "commit_hash": ref.heads_hash(posted),
    }


def golds() -> list[dict[str, Any]]:
    salt = ref.keccak(b"salt")
    cases = [
        ("fine", [(0, 1), (3, 0), (7, 1), (2**24 - 2, 0)], 2**24 - 1, 2),
        ("not ascending", [(3, 0), (3, 1)], 10, 2),
        ("item beyond", [(3, 0), (10, 1)], 10, 2),
        ("answer beyond", [(3, 0), (4, 2)], 10, 2),
        ("one class", [(3, 0), (4, 0)], 10, 2),
        ("unbalanced", [(i, int(i == 9)) for i in range(10)], 10, 2),
        ("a rare third class", [(i, min(2, i // 5)) for i in range(11)], 11, 3),
    ]
    return [
        {
            "name": name,
            "gold": gold,
            "items": items,
            "classes": classes,
            "packed": ref.gold_bytes(gold),
            "salt": salt,
            "commitment": ref.keccak(salt, ref.gold_bytes(gold)),
            "is_well_formed": ref.is_well_formed(gold, items, classes),
        }
        for name, gold, items, classes in cases
    ]


def items() -> list[dict[str, Any]]:
    labeled = [(0, "größer".encode()), (9, b'{"width":3}'), (10, b"\0\0\0\2\0a\0b"), (0, b"")]
    shown = [(0, b"an example")]
    secret = ref.keccak(b"items")
    cases = []
    for given in (None, secret):
        manifest, data = ref.items(labeled, shown, given)
        cases.append(
            {
                "secret": given,
                "labeled": [{"media": media, "data": content} for media, content in labeled],
                "shown": [{"media": media, "data": content} for media, content in shown],
                "keys": [ref.item_key(secret, n) for n in range(4)] if given else [],
                "manifest": manifest,
                "data": data,
                "manifest_cid": ref.raw_cid(manifest),
                "data_cid": ref.raw_cid(data),
            }
        )
    return cases


def documents() -> dict[str, Any]:
    manifest, data = ref.items([(0, b"big"), (0, b"small")], [(0, b"tiny")], None)
    document = ref.document(
        {
            "format": "truthmark/bounty/1",
            "title": "Größe",
            "guidelines": "Is it *big*?\n",
            "classes": [{"name": "big", "key": "b"}, {"name": "small", "key": ""}],
            "kind": "text",
            "items": {
                "count": 2,
                "shown": 1,
                "manifest": ref.raw_cid(manifest),
                "data": ref.raw_cid(data),
                "encrypted": False,
            },
            "examples": [0],
            "practice": [{"item": 0, "answer": 1, "explanation": "It is tiny."}],
            "licence": "CC0-1.0",
            "flags": ["words"],
            "relay_urls": ["https://relay.example/"],
            "receiver_urls": [],
            "watch": [{"url": "https://watch.example/", "key": "0x" + "ab" * 32}],
            "post_rows": None,
            "post_seconds": 120,
            "seconds_per_item": 4,
            "gold_against": False,
            "wave_of": None,
            "max_labels_each": 2,
        }
    )
    return {
        "document": document,
        "hash": hashlib.sha256(document).digest(),
        "cid": ref.raw_cid(document),
    }


def make() -> dict[str, Any]:
    """Return all vectors as JSON values."""
    return dict(
        plain(
            {
                "chain_id": CHAIN_ID,
                "board": BOARD,
                "seed": SEED,
                "secret": EXAMPLE_SECRET,
                "ln": [[k, ref.ln(k)] for k in LOGARITHMS],
                "weights": [
                    {
                        "right": r,
                        "wrong": x,
                        "classes": c,
                        "start": s,
                        "weight": ref.weight(r, x, c, s),
                    }
                    for r, x, c in RIGHT_WRONG_CLASSES
                    for s in (4, 6)
                ],
                "permutations": permutations(),
                "golds": golds(),
                "verdicts": verdicts(),
                "pays": pays(),
                "bounties": bounties(),
                "seals": seals(),
                "files": files(),
                "rosters": rosters(),
                "messages": messages(),
                "items": items(),
                "documents": documents(),
            }
        )
    )


def as_text(vectors: dict[str, Any]) -> str:
    """Return them as JSON with one case a line."""
    parts = []
    for name, value in vectors.items():
        if isinstance(value, list):
            rows = ",\n  ".join(json.dumps(row) for row in value)
            parts.append(f" {json.dumps(name)}: [\n  {rows}\n ]")
        else:
            parts.append(f" {json.dumps(name)}: {json.dumps(value)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    if "--write" in sys.argv:
        PATH.write_text(as_text(make()))
    else:
        print(as_text(make()))
