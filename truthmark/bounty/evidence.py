# SPDX-License-Identifier: Apache-2.0
"""What is shown to the contracts about rosters, commits and scores: their structs, by field."""

from dataclasses import dataclass, field

from truthmark.hashing import keccak256
from truthmark.keys.abi_hash import word

CHUNK: int = 32
"""Rows, or gold items, that are hashed together."""


def hash_of_heads(heads: list[bytes]) -> bytes:
    """Return keccak256(abi_encode(heads)): what the board keeps of a call's chunks."""
    return keccak256(word(32) + word(len(heads)) + b"".join(heads))


@dataclass(frozen=True, slots=True)
class RosterChunk:
    """A chunk of an `enroll` call, and where it stands."""

    call: int
    heads: list[bytes]
    chunk: int
    first_worker: int
    first_seat: int
    rows: bytes


@dataclass(frozen=True, slots=True)
class CommitsChunk:
    """A chunk of a `commit` call, and which row of it. Empty for a worker who overrode."""

    call: int = 0
    heads: list[bytes] = field(default_factory=list)
    chunk: int = 0
    row: int = 0
    rows: bytes = b""


@dataclass(frozen=True, slots=True)
class Judged:
    """A chunk of gold with its entries, and the rest of the score as hashes."""

    heads: list[bytes]
    chunk: int
    gold: bytes
    entries: bytes
    verdict: bytes
    lines: bytes


@dataclass(frozen=True, slots=True)
class Opening:
    """One committed label, shown; empty where none is needed."""

    label: int = 0
    salt: bytes = bytes(32)
    path: list[bytes] = field(default_factory=list)
    root: bytes = bytes(32)
    seal: bytes = bytes(32)


@dataclass(frozen=True, slots=True)
class PayEvidence:
    """Chunks of one `enroll` call, one after the other, with all lines where a score stands."""

    call: int
    heads: list[bytes]
    chunk: int
    first_worker: int
    first_seat: int
    rows: list[bytes]
    judged: bytes
    lines: bytes


@dataclass(frozen=True, slots=True)
class ChunkEvidence(RosterChunk):
    """One chunk of an `enroll` call, with all lines where a score stands."""

    judged: bytes
    lines: bytes
