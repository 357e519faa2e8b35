# SPDX-License-Identifier: Apache-2.0
"""Which parts chance picks: from the chain's word to numbers of shards (docs/preview.md)."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from truthmark.codec.shard_index import ShardIndex
from truthmark.hashing import keccak256
from truthmark.market.preview.strata import Strata, Stratum, Structure, files_shards


@dataclass(frozen=True, slots=True)
class Pick:
    """What one draw fell on.

    Attributes:
        stratum: k.
        draw: d; even ones go by shard, odd ones by row.
        segment: number of the segment that is opened; 1 for the byte stream.
        shards: that must be open.
        files: positions of the files that are looked at; empty for tables.
    """

    stratum: int
    draw: int
    segment: int
    shards: tuple[int, ...]
    files: tuple[int, ...] = ()


def seed_of(chain_id: int, registry: str, manifest: bytes, word: bytes) -> bytes:
    """Return the seed of a listing's draws.

    Args:
        chain_id: of the chain.
        registry: its address, as 0x and 40 digits.
        manifest: digest of the manifest, 32 bytes.
        word: what chance says: mixHash (or, by profile, the hash) of block L + D, 32 bytes.
    """
    return keccak256(
        b"tmk1/preview"
        + chain_id.to_bytes(32, "big")
        + bytes.fromhex(registry.removeprefix("0x"))
        + manifest
        + word
    )


def number_of(seed: bytes, stratum: int, draw: int) -> int:
    """Return u of a draw, 256 bits."""
    return int.from_bytes(
        keccak256(b"tmk1/draw" + seed + stratum.to_bytes(4, "big") + draw.to_bytes(4, "big")),
        "big",
    )


def draw_all(structure: Structure, strata: Strata, seed: bytes) -> list[Pick]:
    """Return what all draws fell on, stratum by stratum; the same may be picked more than once."""
    return [
        _pick(structure, stratum, k, d, number_of(seed, k, d))
        for k, (stratum, draws) in enumerate(zip(strata.drawn, strata.draws, strict=True))
        for d in range(draws)
    ]


def shards_of(picks: Iterable[Pick]) -> list[int]:
    """Return the numbers of all shards that picks need, in order."""
    return sorted({shard for pick in picks for shard in pick.shards})


def wanted_shards(index: ShardIndex, picks: Iterable[Pick]) -> list[int]:
    """Return the numbers of all shards that must be open, those of segment 0 among them."""
    return sorted({*files_shards(index), *shards_of(picks)})


def _pick(structure: Structure, stratum: Stratum, k: int, d: int, number: int) -> Pick:
    by_row = d % 2 == 1
    if stratum.is_stream:
        return _pick_files(structure, stratum, k, d, number)
    ends = stratum.row_ends if by_row else stratum.shard_ends
    segment = stratum.segments[bisect_right(ends, number % ends[-1])]
    shards = tuple(range(segment.shard, segment.shard + segment.shards))
    return Pick(k, d, segment.number, shards)


def _pick_files(structure: Structure, stratum: Stratum, k: int, d: int, number: int) -> Pick:
    """Draw in the byte stream: a file with its shards, or a shard with the files that it holds."""
    assert structure.stream is not None
    if d % 2:
        files = [stratum.files[number % len(stratum.files)]]
        shards: set[int] = set()
    else:
        shard = stratum.shards[number % len(stratum.shards)]
        files = structure.files_on(shard)
        shards = {shard}
    for position in files:
        shards.update(structure.shards_of_file(position))
    return Pick(k, d, structure.stream.number, tuple(sorted(shards)), tuple(files))
