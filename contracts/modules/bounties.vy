# SPDX-License-Identifier: AGPL-3.0-only
# pragma version 0.4.3
"""
@title States, Rows and Marks of Bounties
@custom:contract-name bounties
@license AGPL-3.0-only
@author The Truthmark authors
@notice The one place that knows how a bounty's state is packed, and what the bytes of rosters, commits
        and lines mean (docs/protocol.md, docs/bounties.md).
"""

from ..interfaces import IBountyBoard

# ---------------------------------------------------------------- constants

# Status of a bounty; 0 is a bounty that does not exist.
OPEN: constant(uint256) = 1
DRAWN: constant(uint256) = 2
LABEL: constant(uint256) = 3
SCORED: constant(uint256) = 4
SCORED_HALF: constant(uint256) = 5
REFUNDED: constant(uint256) = 6
SETTLED: constant(uint256) = 7
HALF: constant(uint256) = 8
FLAT: constant(uint256) = 9
PROVEN: constant(uint256) = 10

# Kinds of proofs.
ANSWER: constant(uint256) = 1
LINE: constant(uint256) = 2
DELIVERED: constant(uint256) = 3
READABLE: constant(uint256) = 4

# Lines that are marks. Any other number is no mark, whatever it is.
NOT_DELIVERED: constant(uint256) = 2**22
UNREADABLE: constant(uint256) = 2**23

# The byte of a worker: seats of the run, or those committed, and two bits.
MASK_SEATS: constant(uint256) = 63
COMMITTED: constant(uint256) = 64
PAID: constant(uint256) = 128

MAX_WORKERS: constant(uint256) = 2_048
MAX_RUN: constant(uint256) = 63
MAX_BATCH: constant(uint256) = 64

# The index of no word of workers' bytes.
NO_WORD: constant(uint256) = max_value(uint256)

# Bytes of rows.
ROSTER_ROW: constant(uint256) = 41
COMMIT_ROW: constant(uint256) = 35

# Before or behind bytes that are read a word at a time.
ZEROS: constant(Bytes[32]) = x"0000000000000000000000000000000000000000000000000000000000000000"

MASK_8: constant(uint256) = 2**8 - 1
MASK_16: constant(uint256) = 2**16 - 1
MASK_20: constant(uint256) = 2**20 - 1
MASK_24: constant(uint256) = 2**24 - 1
MASK_40: constant(uint256) = 2**40 - 1
MASK_160: constant(uint256) = 2**160 - 1

# -------------------------------------------------------------------- state


@internal
@pure
def _pack(state: IBountyBoard.State) -> uint256:
    # Every field keeps within its width: a mark is a timestamp; position, seats, committed and posted seats
    # are at most the seats of a bounty, below 2^19; workers, committers, overrides and posted workers at most
    # 2,048 and so are the calls, each of which but an empty last `enroll` brings a worker.
    return (
        state.status
        | (state.mark << 8)
        | (state.position << 48)
        | (state.seats << 68)
        | (state.workers << 88)
        | (state.roster_calls << 104)
        | (state.commit_calls << 120)
        | (state.committed << 136)
        | (state.committers << 156)
        | (state.overrides << 172)
        | (state.posted << 188)
        | (state.posted_seats << 204)
        | (state.post_calls << 224)
    )


@internal
@pure
def _unpack(word: uint256) -> IBountyBoard.State:
    return IBountyBoard.State(
        status=word & MASK_8,
        mark=(word >> 8) & MASK_40,
        position=(word >> 48) & MASK_20,
        seats=(word >> 68) & MASK_20,
        workers=(word >> 88) & MASK_16,
        roster_calls=(word >> 104) & MASK_16,
        commit_calls=(word >> 120) & MASK_16,
        committed=(word >> 136) & MASK_20,
        committers=(word >> 156) & MASK_16,
        overrides=(word >> 172) & MASK_16,
        posted=(word >> 188) & MASK_16,
        posted_seats=(word >> 204) & MASK_20,
        post_calls=word >> 224,
    )


# ------------------------------------------------------------------ geometry


@internal
@pure
def _per_round(items: uint256, batch: uint256) -> uint256:
    # Seats of a round. batch > 0 and items < 2^24: the terms were checked.
    return unsafe_div(unsafe_sub(unsafe_add(items, batch), 1), batch)


@internal
@pure
def _depth(batch: uint256) -> uint256:
    # ceil(log2(batch)), for 1 <= batch <= 64.
    depth: uint256 = 0
    for _: uint256 in range(6):
        if (1 << depth) >= batch:
            break
        depth = unsafe_add(depth, 1)
    return depth


# -------------------------------------------------------------------- lines


@internal
@pure
def _is_mark(line: uint256) -> bool:
    return line == NOT_DELIVERED or line == UNREADABLE


# --------------------------------------------------------------------- rows


@internal
@pure
def _roster_head(first_worker: uint256, first_seat: uint256, rows: Bytes[1312]) -> bytes32:
    # Where a chunk stands is in its hash, so that nobody can move it. Below 2^16 and 2^32, or the
    # conversion reverts.
    return keccak256(
        concat(
            convert(convert(first_worker, uint16), bytes2),
            convert(convert(first_seat, uint32), bytes4),
            rows,
        )
    )
