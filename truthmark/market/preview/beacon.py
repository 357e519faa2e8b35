# SPDX-License-Identifier: Apache-2.0
"""The word by which chance picks: of a block that nobody knew when the version was listed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from truthmark.chain.agreement import agreed
from truthmark.chain.headers import Header
from truthmark.chain.replies import hex_bytes
from truthmark.errors import EndpointsDisagreeError, MalformedReplyError, NotForSaleError
from truthmark.market.entries import Version
from truthmark.market.preview.draw import seed_of

if TYPE_CHECKING:
    from truthmark.chain.connection import Chain
    from truthmark.index.database import EventIndex, EventRow


@dataclass(frozen=True, slots=True)
class Beacon:
    """What chance says of a listing, if it has spoken.

    Attributes:
        listed: L, the block in which this manifest was first listed with this key.
        block: L + D, whose word it is.
        seed: Of the draws; None while that block is not final.
        spoken_at: Unix time of that block; None likewise.
        blocks_left: How many more blocks it takes until it is final; 0 where it is.
    """

    listed: int
    block: int
    seed: bytes | None
    spoken_at: int | None
    blocks_left: int


def read_beacon(chain: "Chain", index: "EventIndex", version: Version) -> Beacon:
    """Find the seed of a version's draws, at two endpoints if there are.

    Args:
        chain: Is asked for two headers, and how far it is final.
        index: Knows when the manifest was first listed.
        version: Whose draws.

    Raises:
        NotForSaleError: The listing is not in the index any more.
        EndpointsDisagreeError: They have other blocks, or not the one in which it was listed.
        MalformedReplyError: No endpoint gives a header that is what its hash says.
        ChainUnavailableError: Fewer endpoints answer than are needed.
    """
    profile = chain.profile
    first = _first_listing(index, version)
    listed, block = first.block_number, first.block_number + profile.beacon_blocks
    final = chain.final_block()
    if final.number < block:
        return Beacon(listed, block, None, None, block - final.number)
    replies = agreed(
        chain.rpc,
        [("eth_getBlockByNumber", (hex(number), False)) for number in (listed, block)],
        key=lambda replies: [_hash_of(reply) for reply in replies],
    )
    if _hash_of(replies[0]) != first.block_hash:
        raise EndpointsDisagreeError(
            f"{version.ref} was not listed in the block in which the index has it; sync, and if "
            "that does not help run `truthmark index rebuild`"
        )
    header = _header(chain, replies[1])
    if header.number != block:
        raise EndpointsDisagreeError(
            f"a chain endpoint gives block {header.number} for {block}; use another endpoint"
        )
    word = header.hash if profile.beacon == "hash" else header.mix_hash
    seed = seed_of(profile.chain_id, chain.registry.address, version.terms.manifest, word)
    return Beacon(listed, block, seed, header.timestamp, 0)


def _first_listing(index: "EventIndex", version: Version) -> "EventRow":
    """Return the first event that lists this manifest with this key.

    Not that of the terms: a manifest never gets another word by being listed again. Nobody else
    can take its place, for listing proves the key.
    """
    terms = version.terms
    rows = index.events(
        "registry",
        "VersionListed",
        limit=1,
        terms_manifest=terms.manifest,
        terms_public_key_x=terms.public_key.x,
        terms_public_key_y=terms.public_key.y,
    )
    if not rows:
        raise NotForSaleError(f"{version.ref} is not listed here any more; sync and try again")
    return rows[0]


def _header(chain: "Chain", reply: object) -> Header:
    """Return the header whose hash was agreed on, of whichever endpoint gives all its fields."""
    digest = _hash_of(reply)

    def parse(given: object) -> Header:
        header = Header.from_rpc(given)
        if header.hash != digest:
            raise MalformedReplyError("a chain endpoint gives another block; try another one")
        return header

    try:
        return parse(reply)
    except MalformedReplyError:
        # It was not seen that another one's fields are right: only hashes were compared.
        return chain.rpc.parsed("eth_getBlockByHash", ("0x" + digest.hex(), False), parse)


def _hash_of(reply: object) -> bytes:
    """Return the hash that a block says it has; nothing where there is no block."""
    return hex_bytes(reply.get("hash")) if isinstance(reply, dict) else b""
