# SPDX-License-Identifier: Apache-2.0
"""docs/bounties.md written out as plainly as possible: slow, one number at a time, no numpy.

What the package and the contracts compute is held against this. It shares no code with them.
"""

import hashlib
import json
import math
from decimal import Decimal, localcontext
from typing import Any

import sha3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ONE = 10**6
ABSENT, SKIP = 254, 255
NOT_DELIVERED, UNREADABLE = 2**22, 2**23
P = 2**256 - 2**32 - 977
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Point = tuple[int, int] | None


def keccak(*parts: bytes) -> bytes:
    return bytes(sha3.keccak_256(b"".join(parts)).digest())


def u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def word(value: int | bytes | str) -> bytes:
    if isinstance(value, str):
        return bytes(12) + bytes.fromhex(value[2:])
    return value if isinstance(value, bytes) else u(value, 32)


def add(a: Point, b: Point) -> Point:
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if a != b:
            return None
        slope = 3 * a[0] * a[0] * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def multiply(k: int, q: Point = G) -> tuple[int, int]:
    total = None
    for bit in bin(k)[2:]:
        total = add(total, total)
        if bit == "1":
            total = add(total, q)
    assert total is not None
    return total


# ---------------------------------------------------------------- permutation


def round_key(seed: bytes, round_: int) -> int:
    return int.from_bytes(keccak(seed, u(round_, 32)), "big")


def mix(value: int, subkey: int) -> int:
    t = (value + subkey) * 11400714819323198485 % 2**64
    return (t ^ (t >> 32)) * 15485907640880692627 % 2**64 // 2**32


def place_of(key: int, count: int, item: int) -> int:
    width = math.isqrt(count - 1) + 1
    height = -(-count // width)
    k = [key >> (32 * i) & 0xFFFFFFFF for i in range(4)]
    x = item
    while True:
        left, right = x % width, x // width
        left = (left + mix(right, k[0])) % width
        right = (right + mix(left, k[1])) % height
        left = (left + mix(right, k[2])) % width
        right = (right + mix(left, k[3])) % height
        x = left + width * right
        if x < count:
            return x


# ---------------------------------------------------------------------- seats


def per_round(items: int, batch: int) -> int:
    return -(-items // batch)


def seat_of(seed: bytes, items: int, batch: int, item: int, round_: int) -> tuple[int, int]:
    """The seat that judges an item in a round, and the item's index in it."""
    place = place_of(round_key(seed, round_), items, item)
    return round_ * per_round(items, batch) + place // batch, place % batch


def holder_of(roster: list[dict[str, Any]], seat: int) -> tuple[int, int] | None:
    """The row that holds a seat and the seat's offset in its run; None beyond the roster."""
    start = 0
    for worker, row in enumerate(roster):
        if seat < start + row["seats"]:
            return worker, seat - start
        start += row["seats"]
    return None


def labels_in(items: int, batch: int, start: int, seats: int) -> int:
    """How many items `seats` seats from `start` hold."""
    total = 0
    for seat in range(start, start + seats):
        first = seat % per_round(items, batch) * batch
        total += min(items, first + batch) - first
    return total


# -------------------------------------------------------------------- verdict


def is_well_formed(gold: list[tuple[int, int]], items: int, classes: int) -> bool:
    last = -1
    for item, answer in gold:
        if not last < item < items or not 0 <= answer < classes:
            return False
        last = item
    held = [sum(answer == c for _, answer in gold) for c in range(classes)]
    present = sum(n > 0 for n in held)
    return sum(n > 0 and 2 * present * n >= len(gold) for n in held) >= 2


def judge(entries: list[list[int]], answers: list[int], classes: int) -> dict[str, Any]:
    """Which gold counts, which is excluded, what a class weighs, and why it would be HALF."""
    rounds = len(entries[0])
    least = min(3, rounds)
    counted, excluded = [], []
    for row, answer in zip(entries, answers, strict=True):
        given = [entry for entry in row if entry != ABSENT]
        counted.append(len(given) >= least)
        most = max((given.count(c) for c in range(classes) if c != answer), default=0)
        excluded.append(counted[-1] and most >= least and 3 * most >= 2 * len(given))
    kept = [c and not e for c, e in zip(counted, excluded, strict=True)]
    held = [sum(k and a == c for k, a in zip(kept, answers, strict=True)) for c in range(classes)]
    present = sum(n > 0 for n in held)
    scoring = [n > 0 and 2 * present * n >= sum(held) for n in held]
    total = sum(n for n, is_scoring in zip(held, scoring, strict=True) if is_scoring)
    cause = ""
    if not any(counted):
        cause = "nothing counts"
    elif 10 * sum(excluded) > 3 * sum(counted):
        cause = "excluded"
    elif sum(scoring) < 2:
        cause = "classes"
    weights = [
        0 if cause or not is_scoring else ONE * total // (sum(scoring) * n)
        for n, is_scoring in zip(held, scoring, strict=True)
    ]
    return {
        "half": cause,
        "counted": counted,
        "excluded": excluded,
        "kept": kept,
        "classes": sum(scoring),
        "weights": weights,
    }


def millionths(
    verdict: dict[str, Any],
    answers: list[int],
    given: dict[int, int],
    full: int,
) -> int:
    """The line of one worker marked fine.

    Args:
        verdict: What `judge` found.
        answers: The gold answer of each gold item.
        given: gold item -> entry, for the gold items in the worker's whole run by the roster;
            ABSENT where the seat is not committed.
        full: 2 or 3 quarters of the way.
    """
    if verdict["half"]:
        return 0
    weights, classes = verdict["weights"], verdict["classes"]
    mine = {
        g: e
        for g, e in given.items()
        if weights[answers[g]] and (verdict["kept"][g] or e == ABSENT)
    }
    if len(mine) < 4:
        return ONE // 2
    right = sum(weights[answers[g]] for g, e in mine.items() if e == answers[g])
    answered = sum(weights[answers[g]] for g, e in mine.items() if e != ABSENT)
    q = ONE + answered
    x = 4 * (classes * right - q)
    d = full * (classes - 1) * q
    return 0 if x <= 0 else ONE if x >= d else ONE * x // d


def score(bounty: dict[str, Any]) -> dict[str, Any]:
    """Entries, verdict and lines of a whole bounty.

    Args:
        bounty: seed, items, batch, rounds, classes, full, gold [(item, answer)], roster
            [{signer, payee, seats}], committed [seats], marks [0 or a mark], labels [worker ->
            codes of its committed places, batch a seat].
    """
    gold, roster = bounty["gold"], bounty["roster"]
    answers = [answer for _, answer in gold]
    entries = []
    runs: list[dict[int, int]] = [{} for _ in roster]
    for g, (item, _) in enumerate(gold):
        row = []
        for k in range(bounty["rounds"]):
            seat, index = seat_of(bounty["seed"], bounty["items"], bounty["batch"], item, k)
            entry = ABSENT
            holder = holder_of(roster, seat)
            if holder is not None:
                worker, offset = holder
                if offset < bounty["committed"][worker] and not bounty["marks"][worker]:
                    code = bounty["labels"][worker][offset * bounty["batch"] + index]
                    entry = code if code < bounty["classes"] else SKIP
                runs[worker][g] = entry
            row.append(entry)
        entries.append(row)
    verdict = judge(entries, answers, bounty["classes"])
    lines = []
    for worker in range(len(roster)):
        if bounty["marks"][worker]:
            lines.append(bounty["marks"][worker])
        elif not bounty["committed"][worker]:
            lines.append(0)
        else:
            lines.append(millionths(verdict, answers, runs[worker], bounty["full"]))
    return {"entries": entries, "verdict": verdict, "lines": lines}


# -------------------------------------------------------------------- sealing


def bits_of(classes: int) -> int:
    """Bits of a code: ceil(log2(classes + 1)), and 256 where a code is a hash."""
    return math.ceil(math.log2(classes + 1)) if classes else 256


def tree_root(leaves: list[bytes]) -> bytes:
    count = len(leaves)
    level = leaves + [bytes(32)] * (2 ** (count - 1).bit_length() - count)
    while len(level) > 1:
        level = [keccak(b"\2", level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return keccak(b"\3", u(count, 4), level[0])


def seal(
    *,
    e: int,
    key: tuple[int, int],
    chain_id: int,
    board: str,
    bounty: int,
    worker: int,
    batch: int,
    classes: int,
    codes: list[int],
) -> dict[str, Any]:
    """All that a commit holds; `codes` are whole seats of `batch` codes."""
    big_e, shared = multiply(e), multiply(e, key)
    base = keccak(
        word(shared[0]), word(shared[1]), word(chain_id), word(board), word(bounty), word(worker)
    )
    bits = bits_of(classes)
    places = 2 ** (batch - 1).bit_length()
    seats = len(codes) // batch
    secrets = [keccak(base, word(seat)) for seat in range(seats)]
    salts, leaves, stream = [], [], ""
    for seat in range(seats):
        for i in range(batch):
            code = codes[seat * batch + i]
            salt = keccak(secrets[seat], word(i))
            salts.append(salt)
            leaves.append(keccak(b"\1", salt, word(code)))
            pad = salt if classes else keccak(salt)
            stream += format((code ^ int.from_bytes(pad, "big")) % 2**bits, f"0{bits}b")
        leaves += [bytes(32)] * (places - batch)
    stream += "0" * (-len(stream) % 8)
    sealed = u(int(stream, 2), len(stream) // 8)
    root = tree_root(leaves)
    file_seal = keccak(word(big_e[0]), u(big_e[1] & 1, 1), sealed)
    return {
        "E": big_e,
        "S": shared,
        "base": base,
        "secrets": secrets,
        "salts": salts,
        "leaves": leaves,
        "sealed": sealed,
        "root": root,
        "seal": file_seal,
        "commitment": keccak(root, file_seal),
    }


def label_secret(
    private_key: bytes, chain_id: int, board: str, bounty: int, seed: bytes, worker: int
) -> int:
    words = [private_key, word(chain_id), word(board), word(bounty), seed, word(worker)]
    tag = keccak(b"truthmark/label-secret/1")
    return 1 + int.from_bytes(keccak(tag, *words), "big") % (ORDER - 1)


def label_file(
    chain_id: int, board: str, bounty: int, worker: int, seats: int, sealed: dict[str, Any]
) -> bytes:
    where = u(chain_id, 8) + bytes.fromhex(board[2:]) + u(bounty, 8) + u(worker, 2) + u(seats, 1)
    x, y = sealed["E"]
    labels = sealed["sealed"]
    return b"TMKL\1" + where + sealed["root"] + word(x) + u(y & 1, 1) + u(len(labels), 4) + labels


# ---------------------------------------------------------------------- bytes


def roster_row(row: dict[str, Any]) -> bytes:
    return bytes.fromhex(row["signer"][2:]) + bytes.fromhex(row["payee"][2:]) + u(row["seats"], 1)


def heads_hash(heads: list[bytes]) -> bytes:
    """Of keccak256(abi_encode(heads)): one dynamic array."""
    return keccak(word(32), word(len(heads)), *heads)


def roster_heads(rows: list[dict[str, Any]], first_worker: int, first_seat: int) -> list[bytes]:
    """The hash of each chunk of 32 rows of one call, which begins at this worker and seat."""
    heads = []
    for i in range(0, len(rows), 32):
        chunk = rows[i : i + 32]
        heads.append(keccak(u(first_worker, 2), u(first_seat, 4), *map(roster_row, chunk)))
        first_worker += len(chunk)
        first_seat += sum(row["seats"] for row in chunk)
    return heads


def commit_row(worker: int, seats: int, commitment: bytes) -> bytes:
    return u(worker, 2) + u(seats, 1) + commitment


def commit_heads(rows: list[bytes]) -> list[bytes]:
    return [keccak(*rows[i : i + 32]) for i in range(0, len(rows), 32)]


def gold_bytes(gold: list[tuple[int, int]]) -> bytes:
    return b"".join(u(item, 3) + u(answer, 1) for item, answer in gold)


def score_hashes(
    gold: list[tuple[int, int]],
    entries: list[list[int]],
    verdict: dict[str, Any],
    lines: list[int],
) -> dict[str, Any]:
    packed = gold_bytes(gold)
    heads = [
        keccak(packed[4 * i : 4 * i + 128].ljust(128, b"\0"), *map(bytes, entries[i : i + 32]))
        for i in range(0, len(gold), 32)
    ]
    kept = [0] * 8
    for g, is_kept in enumerate(verdict["kept"]):
        kept[g // 256] |= is_kept << g % 256
    weights = [] if verdict["half"] else verdict["weights"]
    # abi_encode of (bool is_half, uint256 classes, uint256[8] kept, uint256[] weights)
    verdict_hash = keccak(
        *map(word, [32, int(bool(verdict["half"])), verdict["classes"], *kept, 32 * 11]),
        *map(word, [len(weights), *weights]),
    )
    judged = keccak(verdict_hash, heads_hash(heads))
    return {
        "heads": heads,
        "verdict_hash": verdict_hash,
        "judged": judged,
        "score": keccak(judged, keccak(b"".join(u(line, 3) for line in lines))),
    }


# ------------------------------------------------------------------- messages

JOIN = "Join(uint256 bounty_id,bytes32 terms_hash,address signer,address payee,uint256 seats)"
COMMIT = (
    "Commit(uint256 bounty_id,bytes32 terms_hash,bytes32 seed,uint256 worker,uint256 seats,"
    "bytes32 commitment)"
)
ACKNOWLEDGED = (
    "Acknowledged(uint256 bounty_id,bytes32 terms_hash,uint256 worker,bytes32 commitment)"
)
SERVE = "Serve(uint256 bounty_id,bytes32 terms_hash,bytes32 offer_hash)"
ITEM_KEYS = "ItemKeys(uint256 bounty_id,bytes32 terms_hash,bytes32 seed,uint256 worker)"


def digest(chain_id: int, board: str, type_: str, *values: int | bytes | str) -> bytes:
    domain = keccak(
        keccak(
            b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
        ),
        keccak(b"Truthmark"),
        keccak(b"1"),
        word(chain_id),
        word(board),
    )
    return keccak(b"\x19\x01", domain, keccak(keccak(type_.encode()), *map(word, values)))


# --------------------------------------------------------------------- labels


def ln(k: int) -> int:
    """floor(1000 * ln k), exactly."""
    with localcontext() as context:
        context.prec = 60
        return int((1000 * Decimal(k).ln()).to_integral_value(rounding="ROUND_FLOOR"))


def weight(right: int, wrong: int, classes: int, start: int) -> int:
    return max(0, ln(right * (classes - 1) + start) - ln(wrong + 2))


def item_key(secret: bytes, number: int) -> bytes:
    return keccak(keccak(b"truthmark/item-key/1"), secret, word(number))


def items(
    labeled: list[tuple[int, bytes]], shown: list[tuple[int, bytes]], secret: bytes | None
) -> tuple[bytes, bytes]:
    """Return list and file of items, given as media and bytes."""
    entries, data = b"", b""
    for number, (media, content) in enumerate([*labeled, *shown]):
        stored = u(media, 1) + content
        if secret is not None and number < len(labeled):
            stored = AESGCM(item_key(secret, number)).encrypt(bytes(12), stored, None)
        entries += u(len(data), 8) + u(len(stored), 4) + hashlib.sha256(stored).digest()
        data += stored
    head = b"TMKI\x01" + u(int(secret is not None), 1) + u(len(labeled), 4) + u(len(shown), 4)
    return head + entries, data


def raw_cid(data: bytes) -> str:
    """The CID of one block: version 1, raw, SHA-256, in base32."""
    bits = int.from_bytes(b"\x01\x55\x12\x20" + hashlib.sha256(data).digest(), "big") << 2
    digits = "abcdefghijklmnopqrstuvwxyz234567"
    return "b" + "".join(digits[bits >> 5 * (57 - n) & 31] for n in range(58))


def document(value: dict[str, Any]) -> bytes:
    """Canonical JSON of texts, whole numbers, lists and objects with ASCII keys."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
