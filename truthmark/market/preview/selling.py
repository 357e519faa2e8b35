# SPDX-License-Identifier: Apache-2.0
"""Which keys a seller has to publish, and which ones a buyer to expose what is rotten."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from truthmark.codec.container import Container
from truthmark.codec.limits import BYTES_SEGMENT
from truthmark.codec.shards import Opener
from truthmark.errors import MalformedError, MarketError
from truthmark.market.catalogue import Catalogue
from truthmark.market.entries import Version
from truthmark.market.fetch import require_of
from truthmark.market.preview.draw import draw_all, wanted_shards
from truthmark.market.preview.exposures import is_seen
from truthmark.market.preview.looking import names_taken, read_seed
from truthmark.market.preview.older import Allowance
from truthmark.market.preview.opening import EndError, Opening, OwnShards
from truthmark.market.preview.public import read_public
from truthmark.market.preview.strata import (
    MAX_FILES_SHARDS,
    Structure,
    files_shards,
    find_strata,
)
from truthmark.session import Session

_EVERYTHING: Final = 2**62
"""Bytes: sellers look at each older version, or they would open more than is wanted."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the draw wants of the seller.

    Attributes:
        keys: That are not public yet; empty where all are, or where chance has not spoken.
        shards: How many shards must be open in all.
        block: The block by whose word chance picks.
        blocks_left: How many more blocks it takes until that word is final; 0 where it is.
        seed: Of the draws, by which these keys were picked; None while chance has not spoken.
    """

    keys: tuple[bytes, ...]
    shards: int
    block: int
    blocks_left: int
    seed: bytes | None


def wanted_keys(session: Session, version: Version, container: Container) -> Wanted:
    """Return the keys that the seller of a version still has to publish.

    The same each time until they are public, so it may be killed and asked again.

    Args:
        session: The seller's.
        version: With a card that asks for a sample.
        container: The version's, opened with its content key.

    Raises:
        MarketError: The container is another one's, the card asks for no sample, or what is public
            of it, or of an older version from which it takes over parts, cannot be read now.
        ChainError: The chain cannot be read.
    """
    # Keys of other data would be opened for good, and fit nothing here.
    require_of(version, container.manifest, "what is to be opened")
    Catalogue.of(session).sync()
    try:
        public = read_public(session, version)
    except EndError as end:
        raise MarketError(f"{version.ref} cannot be sampled: {end.why}") from end
    if public.asked is None:
        raise MarketError(f"{version.ref} cannot be sampled: {public.blind}")
    beacon = read_seed(session, version)
    if beacon.seed is None:
        return Wanted((), 0, beacon.block, beacon.blocks_left, None)
    index = container.index
    if len(files_shards(index)) > MAX_FILES_SHARDS:
        # It is not read, and so nothing is drawn.
        return Wanted((), 0, beacon.block, 0, beacon.seed)
    entries = [file.entry for file in container.files]
    structure = Structure(index, entries, container.manifest.shard_size)
    try:
        taken = names_taken(session, public, beacon.listed, Allowance(_EVERYTHING), must_know=True)
    except EndError as end:
        raise MarketError(f"nothing is opened yet: {end.why}") from end
    strata = find_strata(structure, public.asked.draws, taken)
    shards = wanted_shards(index, draw_all(structure, strata, beacon.seed))
    missing = [i for i in shards if i not in public.published.keys]
    keys = tuple(container.opener.key(i) for i in missing)
    return Wanted(keys, len(shards), beacon.block, 0, beacon.seed)


def exposing_keys(
    session: Session, version: Version, opener: Opener, shards: Sequence[int]
) -> tuple[bytes, ...]:
    """Return the least keys by which everybody sees that some shards, or their segment, are rotten.

    For a shard that does not open its own key alone, which opens nothing. For a segment that does
    not parse its keys and those of segment 0, without which nobody can tell rows from noise. What
    is public already is left out.

    Args:
        session: Of who exposes.
        version: What was bought.
        opener: Has the keys, as `codec.shards.ContentOpener`: what is rotten may be segment 0, so
            that there is no open container.
        shards: Some that do not open, or some of a segment that does not parse.

    Raises:
        MarketError: What is public of the version cannot be read, or nobody would find it rotten by
            these keys: it is not, or it is too large for others to look at.
        UnableError: This computer cannot tell.
    """
    try:
        public = read_public(session, version)
    except EndError as end:
        raise MarketError(f"{version.ref} cannot be exposed: {end.why}") from end
    index, own = opener.index, public.published.keys
    wanted = _least(opener, shards)
    keys = own | {i: opener.key(i) for i in wanted}
    opening = Opening(public.manifest, index, OwnShards(opener), keys)
    if not wanted or not is_seen(opening, wanted[-1]):
        raise MarketError(
            f"nobody would see by the keys of this part that {version.ref} is rotten: others find "
            "it right, or too large to be looked at; nothing is shown"
        )
    return tuple(keys[i] for i in wanted if i not in own)


def _least(opener: Opener, shards: Sequence[int]) -> list[int]:
    """Return the shards that show what is rotten, the last of which is of the rotten segment."""
    index = opener.index
    for shard in shards:
        try:
            opener.open(shard)
        except MalformedError:
            return [shard]
    found: dict[int, None] = {}
    for shard in shards[:1]:
        segment = index.segments[int(index.segment[shard])]
        if segment.number == BYTES_SEGMENT:
            break  # of which each shard is good if it opens
        found |= dict.fromkeys(files_shards(index))
        found |= dict.fromkeys(range(segment.shard, segment.shard + segment.shards))
    return list(found)
