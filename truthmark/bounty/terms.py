# SPDX-License-Identifier: Apache-2.0
"""What a requester and labelers agree on; the board keeps its hash (docs/protocol.md)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, NamedTuple, Self

from truthmark.config.units import to_checksum_address
from truthmark.errors import BountyError
from truthmark.keys.abi_hash import address_bytes, hash_words
from truthmark.keys.curve import is_valid
from truthmark.labels.permutation import MAX_ITEMS
from truthmark.labels.scoring import MAX_CLASSES, MAX_GOLD, least_gold
from truthmark.types import Point

NO_ACCOUNT: Final = "0x" + "00" * 20
MAX_ROUNDS: Final = 9
MAX_BATCH: Final = 64
MAX_RUN: Final = 63
MAX_WORKERS: Final = 2048
MAX_SEATS: Final = 2**19
MAX_HASHES: Final = 256
"""Codes of 32 bytes a run, in team mode."""
BPS: Final = 10_000

_MAX_WINDOW: Final = 2**23
_ACCOUNTS: Final = ("requester", "token", "relay", "receiver", "gate")
_HASHES: Final = ("gold_commitment", "document", "salt")
_WINDOWS: Final = (
    "join_seconds",
    "label_seconds",
    "grace_seconds",
    "release_seconds",
    "score_seconds",
    "challenge_seconds",
)
_MONEY: Final = (
    "price",
    "bond",
    "reward",
    "relay_fee",
    "tip",
    "post_call_fee",
    "post_worker_fee",
    "post_seat_fee",
)


class Deadlines(NamedTuple):
    """Until when, chain time; each is the last second in time."""

    label: int
    """the relay posts commits"""
    commit: int
    """workers override"""
    post: int
    """sealed labels are posted, which begins after `commit`"""
    score: int
    """the requester scores, which begins after `post`"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The contracts' `struct Terms`, field by field; amounts in the token's smallest unit.

    Attributes:
        requester: Who creates the bounty and scores it.
        token: In which everything is paid.
        relay: Who posts roster and commits.
        receiver: The key that signs acknowledgements, or no account.
        gate: The contract that admits signers, or no account.
        gold_commitment: Of `gold.commitment_of`; zeros in team mode.
        document: Hash of everything else: guidelines, classes, items, licence.
        salt: 32 bytes that make these terms this bounty's.
        key_x: The requester's key P of this bounty.
        key_y: Its other coordinate.
        items: N.
        classes: C; 0 for codes of 32 bytes, in team mode.
        rounds: K.
        batch: B, items of a seat.
        gold_count: G; 0 is team mode.
        full: At how many quarters of the way the full price is paid, 2 or 3.
        min_seats: Fewer on the roster, and the bounty is refunded.
        min_run: Seats of a worker, at least.
        max_run: And at most.
        price: Of a label.
        bond: What the requester stands with for the score.
        reward: Out of the bond, to who proves a lie.
        relay_fee: A worker who commits.
        tip: A worker, to who pays out.
        post_call_fee: To who posts sealed labels on chain, a call.
        post_worker_fee: A worker.
        post_seat_fee: A committed seat.
        fee_bps: The protocol's, of what committed seats cost.
        join_seconds: For the relay to fill the roster, at most.
        label_seconds: For the relay to post commits.
        grace_seconds: More, for overrides.
        release_seconds: For sealed labels to be posted.
        score_seconds: For the requester to score.
        challenge_seconds: For everyone to prove a lie.
    """

    requester: str
    token: str
    relay: str
    receiver: str = NO_ACCOUNT
    gate: str = NO_ACCOUNT
    gold_commitment: bytes = bytes(32)
    document: bytes
    salt: bytes
    key_x: int
    key_y: int
    items: int
    classes: int
    rounds: int = 5
    batch: int = 50
    gold_count: int = 0
    full: int = 3
    min_seats: int
    min_run: int
    max_run: int
    price: int
    bond: int = 0
    reward: int = 0
    relay_fee: int = 0
    tip: int = 0
    post_call_fee: int = 0
    post_worker_fee: int = 0
    post_seat_fee: int = 0
    fee_bps: int = 0
    join_seconds: int
    label_seconds: int
    grace_seconds: int
    release_seconds: int
    score_seconds: int
    challenge_seconds: int

    @property
    def key(self) -> Point:
        """P, for which labels are sealed."""
        return Point(self.key_x, self.key_y)

    @property
    def is_team(self) -> bool:
        """Whether there is no gold, so that everyone who delivers is paid in full."""
        return self.gold_count == 0

    @property
    def per_round(self) -> int:
        """Seats a round, R."""
        return -(-self.items // self.batch)

    @property
    def seats(self) -> int:
        """Seats of all rounds."""
        return self.rounds * self.per_round

    @property
    def hash(self) -> bytes:
        """keccak256 of the ABI encoding, 32 bytes."""
        return hash_words(*self.to_struct().values())

    @property
    def pot(self) -> int:
        """What `create` takes beside the bond, fees included."""
        seat = self.price * self.batch
        workers = min(MAX_WORKERS, self.seats // self.min_run)
        return self.seats * (seat + seat * self.fee_bps // BPS + self.post_seat_fee) + workers * (
            self.relay_fee + self.tip + self.post_call_fee + self.post_worker_fee
        )

    def deadlines(self, mark: int) -> Deadlines:
        """Return the deadlines of a bounty whose seed was fixed at `mark`, chain time."""
        label = mark + self.label_seconds
        commit = label + self.grace_seconds
        post = commit + self.release_seconds
        return Deadlines(label, commit, post, post + self.score_seconds)

    def post_fee(self, seats: int) -> int:
        """Return what posting one worker's sealed labels alone brings."""
        return self.post_call_fee + self.post_worker_fee + seats * self.post_seat_fee

    def to_struct(self) -> dict[str, int | bytes]:
        """Return the fields as the contracts take them: accounts as numbers.

        Raises:
            KeysError: An account is no address.
        """
        return {
            name: int.from_bytes(address_bytes(value), "big") if name in _ACCOUNTS else value
            for name, value in asdict(self).items()
        }

    def to_texts(self) -> dict[str, str]:
        """Return the fields for JSON: hashes as hex, all else as decimal numbers."""
        return {
            name: f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
            for name, value in self.to_struct().items()
        }

    @classmethod
    def from_texts(cls, texts: Mapping[str, str]) -> Self:
        """Return the terms that `to_texts` gave.

        Raises:
            BountyError: A field is missing or no such value.
        """
        try:
            return cls.from_struct(
                {
                    name: bytes.fromhex(text[2:]) if text.startswith("0x") else int(text)
                    for name, text in texts.items()
                }
            )
        except (AttributeError, ValueError) as error:
            raise BountyError("the terms of a bounty are damaged; fetch them again") from error

    @classmethod
    def from_struct(cls, struct: Mapping[str, int | bytes]) -> Self:
        """Return the terms that `to_struct` gave, or that an event shows.

        Raises:
            BountyError: A field is missing or no such value.
        """
        values: dict[str, Any] = {}
        for field in fields(cls):
            value: Any = struct.get(field.name)
            if field.name in _HASHES:
                if not isinstance(value, bytes) or len(value) != 32:
                    raise BountyError(f"terms lack {field.name}, 32 bytes; read the event again")
            elif isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**256:
                raise BountyError(f"terms lack {field.name}, a number; read the event again")
            elif field.name in _ACCOUNTS:
                if value >= 2**160:
                    raise BountyError(f"{field.name} of the terms is no account")
                value = to_checksum_address(f"0x{value:040x}")
            values[field.name] = value
        return cls(**values)

    def require_sound(self) -> None:
        """Check what `create` checks, so that it is said in words before anything is sent.

        Raises:
            BountyError: The board would refuse these terms; the message says why.
        """
        for checks in (self._numbers, self._shape, self._money, self._judging):
            for is_fine, what in checks():
                if not is_fine:
                    raise BountyError(what)

    def _numbers(self) -> list[tuple[bool, str]]:
        return [
            (0 < self.items <= MAX_ITEMS, f"a bounty has 1 to {MAX_ITEMS} items; split it"),
            (0 < self.batch <= MAX_BATCH, f"a seat has 1 to {MAX_BATCH} items; change the batch"),
            (0 < self.rounds <= MAX_ROUNDS, f"a bounty has 1 to {MAX_ROUNDS} rounds"),
            (self.min_run > 0, "a run has at least one seat; raise min_run"),
        ]

    def _shape(self) -> list[tuple[bool, str]]:
        reachable = self.rounds * (self.per_round - self.per_round % self.min_run)
        return [
            (
                address_bytes(self.relay) != bytes(20) and address_bytes(self.token) != bytes(20),
                "a bounty needs a relay and a token; name both",
            ),
            (is_valid(self.key), "the bounty's key is no usable point of secp256k1; make another"),
            (self.seats < MAX_SEATS, "too many seats; raise the batch or split"),
            (
                0 < self.min_run <= self.max_run <= min(MAX_RUN, self.per_round),
                f"a run has 1 to {MAX_RUN} seats of one round, the least not above the most",
            ),
            (
                0 < self.min_seats <= reachable,
                f"runs of {self.min_run} seats fill at most {reachable} seats; lower min_seats",
            ),
            *(
                (0 < getattr(self, name) < _MAX_WINDOW, f"{name} is 1 to {_MAX_WINDOW - 1} seconds")
                for name in _WINDOWS
            ),
        ]

    def _money(self) -> list[tuple[bool, str]]:
        return [
            *((getattr(self, name) >= 0, f"{name} is below 0") for name in _MONEY),
            (self.pot + self.bond < 2**128, "so much money fits no token; lower price or fees"),
        ]

    def _judging(self) -> list[tuple[bool, str]]:
        if self.is_team:
            return [
                (
                    not any((self.full, self.bond, self.reward, any(self.gold_commitment))),
                    "in team mode there is no gold, no bond, no reward, and `full` is 0",
                ),
                (
                    self.classes == 0 or 2 <= self.classes <= MAX_CLASSES,
                    f"a bounty has 2 to {MAX_CLASSES} classes, or 0 for codes that are hashes",
                ),
                (
                    self.classes > 0 or self.batch * self.max_run <= MAX_HASHES,
                    f"a run holds at most {MAX_HASHES} hashes; lower max_run",
                ),
            ]
        counting = min(3, self.rounds)
        needed = -(-9 * counting * self.per_round // 10)
        least = least_gold(self.rounds)
        return [
            (self.rounds >= 2, "gold needs 2 rounds or more; or leave it out (team mode)"),
            (2 <= self.classes <= MAX_CLASSES, f"gold needs 2 to {MAX_CLASSES} classes"),
            (
                self.gold_count <= min(MAX_GOLD, self.items),
                f"gold has at most {min(MAX_GOLD, self.items)} items here",
            ),
            (any(self.gold_commitment), "the gold commitment is missing"),
            (self.full in (2, 3), "the full price is paid at 2 or 3 quarters of the way"),
            (
                self.min_seats >= needed,
                f"below {needed} seats too little gold would have enough answers; raise min_seats",
            ),
            (
                self.min_run * self.gold_count >= least * self.per_round,
                f"the smallest run must expect {least} gold items; add gold, or raise min_run",
            ),
            (
                10 * self.bond >= self.seats * self.batch * self.price,
                "the bond is less than a tenth of what all seats cost; raise it",
            ),
            (self.reward <= self.bond, "the reward is above the bond it is paid from"),
        ]
