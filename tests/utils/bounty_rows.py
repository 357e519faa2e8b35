# SPDX-License-Identifier: Apache-2.0
"""What a bounty off chain is made of: terms, accounts, roster rows, commits, gold."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_account import Account

from tests.utils import bounty_reference as ref
from tests.utils.drafts import word_of
from tests.utils.permits import private_key
from truthmark.hashing import keccak256
from truthmark.keys.curve import multiply

ZERO = "0x" + "00" * 20
REQUESTER_SECRET = 0xB0B
CHUNK = 32
DAY = 86_400


class Terms(NamedTuple):
    """The struct `Terms` of IBountyBoard.vyi; accounts are numbers."""

    requester: int
    token: int
    relay: int
    receiver: int = 0
    gate: int = 0
    gold_commitment: bytes = bytes(32)
    document: bytes = word_of("document")
    salt: bytes = word_of("salt of terms")
    key_x: int = multiply(REQUESTER_SECRET).x
    key_y: int = multiply(REQUESTER_SECRET).y
    items: int = 48
    classes: int = 2
    rounds: int = 5
    batch: int = 4
    gold_count: int = 0
    full: int = 3
    min_seats: int = 30
    min_run: int = 4
    max_run: int = 8
    price: int = 1_000
    bond: int = 0
    reward: int = 5_000
    relay_fee: int = 900
    tip: int = 30
    post_call_fee: int = 50
    post_worker_fee: int = 20
    post_seat_fee: int = 3
    fee_bps: int = 100
    join_seconds: int = 600
    label_seconds: int = 500
    grace_seconds: int = 100
    release_seconds: int = 400
    score_seconds: int = 300
    challenge_seconds: int = 700

    @property
    def per_round(self) -> int:
        return ref.per_round(self.items, self.batch)

    @property
    def seats(self) -> int:
        return self.rounds * self.per_round

    @property
    def seat_price(self) -> int:
        return self.price * self.batch

    @property
    def seat_fee(self) -> int:
        return self.seat_price * self.fee_bps // 10_000

    @property
    def most_workers(self) -> int:
        return min(2048, self.seats // self.min_run)

    @property
    def pot(self) -> int:
        a_worker = self.relay_fee + self.tip + self.post_call_fee + self.post_worker_fee
        a_seat = self.seat_price + self.seat_fee + self.post_seat_fee
        return self.seats * a_seat + self.most_workers * a_worker

    @property
    def terms_hash(self) -> bytes:
        return keccak256(b"".join(map(ref.word, self)))


class Row(NamedTuple):
    """A row of the roster; a gap has the zero signer."""

    signer: str
    payee: str
    seats: int

    @property
    def is_gap(self) -> bool:
        return self.signer == ZERO

    @property
    def packed(self) -> bytes:
        return ref.roster_row(self._asdict())


@dataclass
class Commit:
    """What a worker committed: everything behind one commitment."""

    labels: list[list[int]]
    """a list of codes for each seat"""
    e: int
    E: tuple[int, int]
    S: tuple[int, int]
    salts: list[bytes]
    sealed: bytes
    levels: list[list[bytes]]
    """of the tree, from the leaves up; none where labels are not real"""
    root: bytes
    seal: bytes

    @property
    def seats(self) -> int:
        return len(self.labels)

    @property
    def commitment(self) -> bytes:
        return keccak256(self.root + self.seal)

    @property
    def file(self) -> bytes:
        """Root, x and parity of E, sealed labels."""
        return self.root + ref.u(self.E[0], 32) + ref.u(self.E[1] & 1, 1) + self.sealed

    def path(self, index: int) -> list[bytes]:
        path = []
        for level in self.levels[:-1]:
            path.append(level[index ^ 1])
            index >>= 1
        return path


def address_number(address: Any) -> int:
    return int(str(address), 16)


def make_gold(terms: Terms, count: int, rng: random.Random) -> list[tuple[int, int]]:
    """Draw gold with as many items of each class as possible."""
    answers = [g % terms.classes for g in range(count)]
    rng.shuffle(answers)
    return list(zip(sorted(rng.sample(range(terms.items), count)), answers, strict=True))


def fill_roster(
    terms: Terms, rng: random.Random, rounds: int | None = None, *, gap: int = 0
) -> list[Row]:
    """Give out runs of all lengths that fill their rounds; a gap begins the first round."""
    rows = [Row(ZERO, ZERO, gap)] if gap else []
    for number in range(terms.rounds if rounds is None else rounds):
        left = terms.per_round - (gap if number == 0 else 0)
        while left:
            lengths = range(terms.min_run, min(left, terms.max_run) + 1)
            fitting = [n for n in lengths if left == n or left - n >= terms.min_run]
            if not fitting:
                rows.append(Row(ZERO, ZERO, left))
                break
            seats = rng.choice(fitting)
            rows.append(Row(labeler(len(rows)), payee(len(rows)), seats))
            left -= seats
    return rows


def labeler(number: int) -> str:
    return account_of(f"labeler {number}")


def payee(number: int) -> str:
    return "0x" + word_of("payee", number)[-20:].hex()


_accounts: dict[str, str] = {}


def account_of(role: str) -> str:
    if role not in _accounts:
        _accounts[role] = str(Account.from_key(private_key(role)).address)
    return _accounts[role]


def chunked(rows: Sequence[bytes]) -> list[bytes]:
    return [b"".join(rows[i : i + CHUNK]) for i in range(0, len(rows), CHUNK)]


def sign(role: str, digest: bytes) -> bytes:
    return bytes(Account.unsafe_sign_hash(digest, private_key(role)).signature)
