# SPDX-License-Identifier: Apache-2.0
"""Labels sealed for the requester and committed to, and their opening (docs/bounties.md).

A worker draws e once; S = e·P = p·E gives each seat a secret, each secret a salt for each of its
places. Salts hide the leaves of a tree over the codes, and their low bits hide the codes. As
the secrets hang on bounty and worker, a file that somebody copies opens to nothing for them.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from truthmark.bounty.evidence import Opening
from truthmark.bounty.reference import BountyRef
from truthmark.codec.tree import Tree
from truthmark.errors import BountyError
from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import hash_words, word
from truthmark.keys.curve import INFINITY, lift_x, multiply, negate
from truthmark.types import Point

Codes = npt.NDArray[np.uint8]
"""An entry a place; where a code is a hash, a row of 32 bytes a place."""

HASH_BYTES: Final = 32
POINT_BYTES: Final = 33
"""E as the commitment has it: x and the parity of y."""

_ZERO: Final = bytes(32)
_WORDS: Final = [word(code) for code in range(256)]


class UnreadableError(BountyError):
    """Sealed labels do not open to what was committed."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one worker's labels are sealed.

    Attributes:
        ref: The bounty.
        worker: The row of the roster.
        batch: B, places of a seat.
        classes: C; 0 where a code is a hash.
    """

    ref: BountyRef
    worker: int
    batch: int
    classes: int

    @property
    def bits(self) -> int:
        """Bits of a sealed code: ceil(log2(C + 1)), or those of a hash."""
        return self.classes.bit_length() if self.classes else 8 * HASH_BYTES

    @property
    def depth(self) -> int:
        """Levels of the tree below a seat."""
        return (self.batch - 1).bit_length()

    def sealed_bytes(self, seats: int) -> int:
        """Return the length of the sealed labels of `seats` seats."""
        return (seats * self.batch * self.bits + 7) // 8

    def secrets(self, shared: Point, seats: int) -> list[bytes]:
        """Return the secret of each seat, by S.

        Args:
            shared: S, the point that requester and worker share.
            seats: How many, from the first of the run.
        """
        ref = self.ref
        base = hash_words(shared, ref.chain_id, ref.board, ref.bounty_id, self.worker)
        return [keccak256(base + word(seat)) for seat in range(seats)]

    def salts(self, secrets: list[bytes]) -> list[bytes]:
        """Return the salt of each place, seat after seat."""
        places = [word(place) for place in range(self.batch)]
        return [keccak256(secret + place) for secret in secrets for place in places]

    def tree(self, salts: list[bytes], codes: Codes) -> Tree:
        """Return the tree over all places of the seats.

        Args:
            salts: Of all places, seat after seat.
            codes: Of the same places, shape (places,), or (places, 32) where C is 0.
        """
        words = (
            [_WORDS[code] for code in codes.tolist()] if self.classes else list(map(bytes, codes))
        )
        leaves = [keccak256(b"\x01" + salt + code) for salt, code in zip(salts, words, strict=True)]
        padding = [_ZERO] * ((1 << self.depth) - self.batch)
        if padding:
            batch = self.batch
            leaves = [
                leaf
                for at in range(0, len(leaves), batch)
                for leaf in (*leaves[at : at + batch], *padding)
            ]
        return Tree(leaves)

    def apply_pads(self, salts: list[bytes], codes: Codes) -> Codes:
        """Return codes xor pads; the same again takes the pads off.

        Args:
            salts: Of all places, seat after seat.
            codes: Of the same places, shape (places,), or (places, 32) where C is 0.
        """
        if not self.classes:
            pads = np.frombuffer(b"".join(map(keccak256, salts)), np.uint8)
            return codes ^ pads.reshape(-1, HASH_BYTES)
        last = np.frombuffer(b"".join(salts), np.uint8)[HASH_BYTES - 1 :: HASH_BYTES]
        return codes ^ (last & np.uint8((1 << self.bits) - 1))

    def pack(self, codes: Codes) -> bytes:
        """Return codes as a stream of bits, the most significant first."""
        if not self.classes:
            return codes.tobytes()
        return np.packbits(np.unpackbits(codes[:, None], axis=1)[:, -self.bits :]).tobytes()

    def unpack(self, sealed: bytes, seats: int) -> Codes:
        """Return the codes of such a stream.

        Args:
            sealed: Packed bits, most significant first.
            seats: How many, from the first of the run.

        Raises:
            UnreadableError: It has another length.
        """
        if len(sealed) != self.sealed_bytes(seats):
            raise UnreadableError(
                f"{len(sealed)} sealed bytes are not the {self.sealed_bytes(seats)} of"
                f" {seats} seats"
            )
        data = np.frombuffer(sealed, np.uint8)
        if not self.classes:
            return data.reshape(-1, HASH_BYTES)
        count = seats * self.batch
        bits = np.unpackbits(data, count=count * self.bits).reshape(count, self.bits)
        return np.packbits(bits, axis=1)[:, 0] >> np.uint8(8 - self.bits)


@dataclass(frozen=True, slots=True)
class SealedRun:
    """What a worker hands out: anyone may hold it, only the requester can open it.

    Attributes:
        root: Of the tree over the codes, 32 bytes.
        point: E.
        sealed: The codes xor their pads.
    """

    root: bytes
    point: Point
    sealed: bytes

    @property
    def body(self) -> bytes:
        """E and the sealed labels, as the seal hashes them and as they are posted on chain."""
        return word(self.point.x) + bytes([self.point.y & 1]) + self.sealed

    @property
    def seal(self) -> bytes:
        """The hash of E and the sealed labels."""
        return keccak256(self.body)

    @property
    def commitment(self) -> bytes:
        """What the worker commits to, 32 bytes."""
        return keccak256(self.root + self.seal)


def run_from_body(root: bytes, body: bytes) -> SealedRun:
    """Return the run with these bytes of E and labels.

    Args:
        root: Of the label tree, 32 bytes.
        body: x and parity of E, then the sealed labels.

    Raises:
        UnreadableError: It is too short, or there is no such point.
    """
    point = lift_x(int.from_bytes(body[:32], "big")) if len(body) >= POINT_BYTES else None
    if point is None or body[32] > 1:
        raise UnreadableError("a label file holds no point of secp256k1; it is damaged")
    return SealedRun(root, negate(point) if body[32] else point, body[POINT_BYTES:])


def seal(scheme: Scheme, *, secret: int, key: Point, codes: Codes) -> SealedRun:
    """Seal the codes of whole seats.

    Args:
        scheme: Bounty, worker, batch, classes.
        secret: e; the same for one worker of one bounty, and never for two sets of labels.
        key: P.
        codes: Of all places, those without an item blank.

    Raises:
        BountyError: It is not a code for each place of whole seats.
    """
    seats, rest = divmod(len(codes), scheme.batch)
    if rest or not seats or codes.ndim != (1 if scheme.classes else 2):
        raise BountyError(f"seal whole seats: a code for each of their {scheme.batch} places")
    if scheme.classes and int(codes.max()) >= 1 << scheme.bits:
        raise BountyError(f"a code is above {scheme.classes}, which is a skip")
    salts = scheme.salts(scheme.secrets(multiply(secret, key), seats))
    return SealedRun(
        scheme.tree(salts, codes).root,
        multiply(secret),
        scheme.pack(scheme.apply_pads(salts, codes)),
    )


class OpenedRun:
    """The labels of a run, opened and found to be what was committed.

    Args:
        scheme: Bounty, worker, batch, classes.
        run: What the worker handed out.
        shared: S.
        seats: How many seats are committed.

    Raises:
        UnreadableError: It does not open to its root.
    """

    def __init__(self, scheme: Scheme, run: SealedRun, shared: Point, seats: int) -> None:
        """Open and check."""
        if shared == INFINITY:
            raise UnreadableError("S is no point; it opens nothing")
        self.scheme, self.run, self.shared, self.seats = scheme, run, shared, seats
        padded = scheme.unpack(run.sealed, seats)
        salts = scheme.salts(scheme.secrets(shared, seats))
        self.codes = scheme.apply_pads(salts, padded)
        if scheme.tree(salts, self.codes).root != run.root:
            raise UnreadableError(
                f"the labels of worker {scheme.worker} do not open to what was committed"
            )

    @cached_property
    def _proofs(self) -> tuple[list[bytes], Tree]:
        # Made again when somebody proves something: kept for all, they would fill the memory.
        salts = self.scheme.salts(self.scheme.secrets(self.shared, self.seats))
        return salts, self.scheme.tree(salts, self.codes)

    def code(self, offset: int, index: int) -> int:
        """Return the code at an index of a seat of the run, as a number.

        Args:
            offset: Seat of the run, from 0.
            index: Place within the seat, from 0.
        """
        code = self.codes[offset * self.scheme.batch + index]
        return int(code) if self.scheme.classes else int.from_bytes(bytes(code), "big")

    def opening(self, offset: int, index: int) -> Opening:
        """Return what shows one label to a contract.

        Args:
            offset: Seat of the run, from 0.
            index: Place within the seat, from 0.
        """
        salts, tree = self._proofs
        return Opening(
            self.code(offset, index),
            salts[offset * self.scheme.batch + index],
            tree.path((offset << self.scheme.depth) + index),
            self.run.root,
            self.run.seal,
        )


def open_with_key(scheme: Scheme, run: SealedRun, secret: int, seats: int) -> OpenedRun:
    """Open as the requester, who has p.

    Args:
        scheme: Of the worker.
        run: The worker's sealed labels.
        secret: p, the bounty's private key.
        seats: How many were committed.

    Raises:
        UnreadableError: It does not open.
    """
    return OpenedRun(scheme, run, multiply(secret, run.point), seats)
